import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createExtensionsApi } from "../../../extension/lambda/extensions-api.ts";
import { findFreePort } from "../../support/free-port.ts";
import { startLocalServer } from "../../support/local-server.ts";
import { createLog } from "../../support/log.ts";

const IDENTIFIER = "2f6ab2d9-6b21-4a3a-8f1c-1d7a2f1f9a10";
const NO_HANDOVER = { descriptor: undefined, identifier: undefined };
const SHUTDOWN = JSON.stringify({ eventType: "SHUTDOWN", shutdownReason: "spindown", deadlineMs: 1_767_225_602_000 });

type Turn = (response: ServerResponse, request: IncomingMessage) => void;

const registers: Turn = (response) =>
  response.writeHead(200, { "Lambda-Extension-Identifier": IDENTIFIER }).end('{"functionName":"my-function"}');
const says =
  (status: number, body = "", headers: Record<string, string> = {}): Turn =>
  (response) =>
    response.writeHead(status, headers).end(body);
const hangsUp: Turn = (_, request) => request.socket.destroy();
const blocks: Turn = () => {};

interface ReceivedCall {
  readonly line: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A Lambda that answers each call with the next of `turns`, and with an error if there is none left. */
async function startLambda(...turns: Turn[]) {
  const calls: ReceivedCall[] = [];
  const waiting: (() => void)[] = [];
  const { port, server } = await startLocalServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      calls.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
      const turn = turns[calls.length - 1] ?? says(418, "no such call was expected");
      turn(response, request);
      for (const tell of waiting.splice(0)) tell();
    });
  });
  /** Resolves when that many calls have arrived. */
  async function called(count: number): Promise<void> {
    while (calls.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
  }
  return { runtimeApi: `127.0.0.1:${port}`, server, calls, called };
}

function createApi(runtimeApi: string | undefined, handover: { identifier?: string } = {}) {
  const { logger, lines } = createLog();
  const api = createExtensionsApi({ runtimeApi, handover: { ...NO_HANDOVER, ...handover }, logger });
  return { api, lines };
}

/** Pauses between tries take no time: only `setTimeout` is fake, and sockets are real. */
function skipPauses(): number[] {
  const pausesMs: number[] = [];
  const { setImmediate } = globalThis;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((callback: () => void, ms = 0) => {
    pausesMs.push(ms);
    return setImmediate(callback);
  }) as unknown as typeof setTimeout);
  return pausesMs;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("register", () => {
  it("asks for SHUTDOWN only, under the extension's file name", async () => {
    const lambda = await startLambda(registers);
    const { api } = createApi(lambda.runtimeApi);
    await api.register();
    expect(lambda.calls).toMatchObject([
      {
        line: "POST /2020-01-01/extension/register",
        headers: { "lambda-extension-name": "cross-account-secrets", "content-type": "application/json" },
        body: '{"events":["SHUTDOWN"]}',
      },
    ]);
  });

  it("is sent once", async () => {
    const lambda = await startLambda(registers);
    const { api } = createApi(lambda.runtimeApi);
    await api.register();
    await api.register();
    expect(lambda.calls).toHaveLength(1);
  });

  it("is not sent if the launcher has registered, and the launcher's identifier is used", async () => {
    const lambda = await startLambda(says(200, SHUTDOWN));
    const { api } = createApi(lambda.runtimeApi, { identifier: "identifier-of-the-launcher" });
    await api.register();
    await api.untilShutdown();
    expect(lambda.calls).toMatchObject([
      {
        line: "GET /2020-01-01/extension/event/next",
        headers: { "lambda-extension-identifier": "identifier-of-the-launcher" },
      },
    ]);
  });

  it("is tried again after 5xx and after lost connections, with growing pauses", async () => {
    const lambda = await startLambda(says(500), hangsUp, says(503), hangsUp, registers);
    const { api } = createApi(lambda.runtimeApi);
    const pausesMs = skipPauses();
    await api.register();
    expect(lambda.calls).toHaveLength(5);
    expect(new Set(lambda.calls.map(({ body }) => body)).size).toBe(1);
    expect(pausesMs.toSorted((a, b) => a - b)).toEqual(pausesMs);
    expect(pausesMs).toHaveLength(4);
  });

  it("fails after five tries", async () => {
    const lambda = await startLambda(says(500), says(500), says(500), says(500), says(500));
    const { api } = createApi(lambda.runtimeApi);
    skipPauses();
    await expect(api.register()).rejects.toThrow("register was answered with status 500");
    expect(lambda.calls).toHaveLength(5);
  });

  it("fails if the API is unreachable", async () => {
    const { api } = createApi(`127.0.0.1:${await findFreePort()}`);
    skipPauses();
    await expect(api.register()).rejects.toThrow();
  });

  it.each([400, 403])("is not tried again after status %d", async (status) => {
    const lambda = await startLambda(says(status, '{"errorType":"Extension.InvalidExtensionName"}'));
    const { api } = createApi(lambda.runtimeApi);
    await expect(api.register()).rejects.toThrow(`register was answered with status ${status}`);
    expect(lambda.calls).toHaveLength(1);
  });

  it("fails if Lambda sends no identifier", async () => {
    const lambda = await startLambda(says(200, "{}"));
    const { api } = createApi(lambda.runtimeApi);
    await expect(api.register()).rejects.toThrow(/register/);
  });

  it.each([undefined, ""])("fails if AWS_LAMBDA_RUNTIME_API is %j", async (runtimeApi) => {
    const { api } = createApi(runtimeApi);
    await expect(api.register()).rejects.toThrow("AWS_LAMBDA_RUNTIME_API is not set");
  });
});

describe("event/next", () => {
  it("blocks until SHUTDOWN, which has the content type text/plain", async () => {
    let shutDown = () => {};
    const lambda = await startLambda(registers, (response) => {
      shutDown = () => says(200, SHUTDOWN, { "Content-Type": "text/plain; charset=utf-8" })(response, response.req);
    });
    const { api } = createApi(lambda.runtimeApi);
    await api.register();
    const settled = vi.fn();
    const event = api.untilShutdown();
    event.finally(settled);
    await lambda.called(2);
    await new Promise(setImmediate);
    expect(settled).not.toHaveBeenCalled();
    shutDown();
    expect(await event).toEqual({ reason: "spindown", deadlineEpochMs: 1_767_225_602_000 });
    expect(lambda.calls[1]).toMatchObject({
      line: "GET /2020-01-01/extension/event/next",
      headers: { "lambda-extension-identifier": IDENTIFIER },
      body: "",
    });
  });

  it("has no time-out, on its socket or elsewhere, because a freeze may be long", async () => {
    const lambda = await startLambda(blocks);
    const { api } = createApi(lambda.runtimeApi, { identifier: IDENTIFIER });
    const limits = vi.spyOn(Socket.prototype, "setTimeout");
    const timers = vi.spyOn(globalThis, "setTimeout");
    void api.untilShutdown().catch(() => {});
    await lambda.called(1);
    expect(limits.mock.calls.filter(([ms]) => ms > 0)).toEqual([]);
    expect(timers).not.toHaveBeenCalled();
  });

  it.each([
    ["an unexpected event", '{"eventType":"INVOKE","invokedFunctionArn":"…:function:SHUTDOWN"}'],
    ["an event without a type", "{}"],
    ["text that is not JSON", "SHUTDOWN"],
    ["null", "null"],
    ["empty", ""],
  ])("is polled again after a pause if the answer is %s", async (_, body) => {
    const lambda = await startLambda(says(200, body), says(200, SHUTDOWN));
    const { api } = createApi(lambda.runtimeApi, { identifier: IDENTIFIER });
    const pausesMs = skipPauses();
    expect(await api.untilShutdown()).toMatchObject({ reason: "spindown" });
    expect(lambda.calls).toHaveLength(2);
    expect(pausesMs).toEqual([100]);
  });

  it("accepts a SHUTDOWN without a reason", async () => {
    const lambda = await startLambda(says(200, '{"eventType":"SHUTDOWN"}'));
    const { api } = createApi(lambda.runtimeApi, { identifier: IDENTIFIER });
    expect(await api.untilShutdown()).toEqual({ reason: "unknown", deadlineEpochMs: 0 });
  });

  it("fails if Lambda refuses the first poll", async () => {
    const lambda = await startLambda(says(403));
    const { api } = createApi(lambda.runtimeApi, { identifier: IDENTIFIER });
    await expect(api.untilShutdown()).rejects.toThrow("event/next was answered with status 403");
  });

  it("fails if the API is unreachable at the first poll", async () => {
    const { api } = createApi(`127.0.0.1:${await findFreePort()}`, { identifier: IDENTIFIER });
    await expect(api.untilShutdown()).rejects.toThrow("event/next cannot be reached");
  });

  it.each([
    ["is cut", [hangsUp], { code: "ECONNRESET" }],
    [
      "is cut in the middle of its answer",
      [
        ((response, request) => {
          response.writeHead(200, { "Content-Length": 1_000 }).write(SHUTDOWN.slice(0, 10));
          setImmediate(() => request.socket.destroy());
        }) satisfies Turn,
      ],
      { code: "ECONNRESET" },
    ],
    ["is refused after an earlier one succeeded", [says(200, "{}"), says(500)], { status: 500 }],
  ])("stays pending after a poll that %s, because an exit would crash the function", async (_, turns: Turn[], why) => {
    const lambda = await startLambda(...turns);
    const { api, lines } = createApi(lambda.runtimeApi, { identifier: IDENTIFIER });
    skipPauses();
    const settled = vi.fn();
    api.untilShutdown().then(settled, settled);
    await vi.waitUntil(() => lines.length > 0);
    expect(lines).toEqual([{ level: "error", event: "poll-lost", ...why }]);
    await new Promise(setImmediate);
    expect(settled).not.toHaveBeenCalled();
    expect(lambda.calls).toHaveLength(turns.length);
  });
});

describe.each([
  ["initError", "init/error"],
  ["exitError", "exit/error"],
] as const)("%s", (method, path) => {
  it("sends the reason in the format of the API", async () => {
    const lambda = await startLambda(registers, says(202, '{"status":"OK"}'));
    const { api } = createApi(lambda.runtimeApi);
    await api.register();
    await api[method]("Extension.ConfigInvalid", 'one "quoted"\ntwo');
    expect(lambda.calls[1]).toMatchObject({
      line: `POST /2020-01-01/extension/${path}`,
      headers: {
        "lambda-extension-identifier": IDENTIFIER,
        "lambda-extension-function-error-type": "Extension.ConfigInvalid",
        "content-type": "application/json",
      },
    });
    expect(JSON.parse(lambda.calls[1]?.body ?? "")).toEqual({
      errorMessage: 'one "quoted"\ntwo',
      errorType: "Extension.ConfigInvalid",
      stackTrace: [],
    });
  });

  it("ignores Lambda's answer", async () => {
    const lambda = await startLambda(says(403, "{}"));
    const { api } = createApi(lambda.runtimeApi, { identifier: IDENTIFIER });
    await api[method]("Extension.ConfigInvalid", "why");
    expect(lambda.calls).toHaveLength(1);
  });
});
