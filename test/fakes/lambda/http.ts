import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { ExtensionCall } from "./extensions.ts";
import type { Generation } from "./generation.ts";
import { type LambdaAnswer, type LambdaReply, toLambdaError } from "./next-call.ts";
import type { JournalDetail } from "./record.ts";
import type { RuntimeCall } from "./runtime.ts";

/** A call that Lambda has not answered yet. */
export interface InterceptedCall {
  /** The same as in a journal entry. */
  readonly from: string;
  readonly call: string;
  /** How often this caller has made this call in this environment, including this time. */
  readonly count: number;
}

/**
 * Runs before every call. Returns an answer that replaces Lambda's, `"disconnect"` to close the connection, or `undefined` for
 * Lambda's own answer. A promise holds the call back until it settles.
 */
export type Intercept = (call: InterceptedCall) => Interception | Promise<Interception>;
/** An answer that replaces Lambda's. */
export type Interception = LambdaReply | "disconnect" | undefined;

/** The server of both APIs. A reset does not change its address. */
export interface LambdaServer {
  /** `AWS_LAMBDA_RUNTIME_API`: host and port. */
  readonly address: string;
  close(): Promise<void>;
}

/** Serves the Extensions API and the Runtime API on an ephemeral port of 127.0.0.1. */
export async function startLambdaServer(options: {
  /** The current processes. */
  readonly generation: () => Generation | undefined;
  readonly record: (from: string, call: string, detail: JournalDetail) => void;
  readonly intercept: Intercept;
}): Promise<LambdaServer> {
  const counts = new Map<string, number>();

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await text(request).catch(() => undefined);
    if (bytes === undefined) return; // The caller was killed in the middle of a call.
    const body = parseBody(bytes);
    const generation = options.generation();
    const route = findRoute(request);
    const from = findCaller(route, request, generation);
    const call = route?.call ?? `${request.method} ${request.url}`;
    const key = `${from} ${call}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    const interception = await options.intercept({ from, call, count });
    if (interception === "disconnect") {
      options.record(from, call, {});
      response.destroy();
      return;
    }
    const answer = interception ?? answerCall(route, request, body, generation);
    options.record(from, call, toDetail(answer, request, body));
    send(response, "blocked" in answer ? await answer.blocked : answer);
  }

  const server = createServer((request, response) => {
    void serve(request, response);
  });
  // Only the client closes a kept-alive connection, however long an environment is idle.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

type ApiRoute =
  | { readonly api: "extension"; readonly call: ExtensionCall }
  | { readonly api: "runtime"; readonly call: RuntimeCall; readonly requestId: string };

const EXTENSION_ROUTES: Readonly<Record<string, ExtensionCall>> = {
  "POST register": "register",
  "GET event/next": "next",
  "POST init/error": "init/error",
  "POST exit/error": "exit/error",
};

function findRoute({ method, url = "" }: IncomingMessage): ApiRoute | undefined {
  const [, version, api, ...rest] = url.split("/");
  const path = `${method} ${rest.join("/")}`;
  if (version === "2020-01-01" && api === "extension") {
    const call = EXTENSION_ROUTES[path];
    return call && { api, call };
  }
  if (version !== "2018-06-01" || api !== "runtime") return undefined;
  if (path === "GET invocation/next") return { api, call: "next", requestId: "" };
  if (path === "POST init/error") return { api, call: "init/error", requestId: "" };
  const [, requestId = "", call] = /^POST invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
  return call === "response" || call === "error" ? { api, call, requestId } : undefined;
}

function findCaller(
  route: ApiRoute | undefined,
  { headers }: IncomingMessage,
  generation: Generation | undefined,
): string {
  if (route === undefined) return "unknown";
  if (route.api === "runtime") return "runtime";
  if (route.call === "register") return String(headers["lambda-extension-name"] ?? "unknown");
  const identifier = String(headers["lambda-extension-identifier"] ?? "");
  return generation?.extensions.findByIdentifier(identifier)?.name ?? "unknown";
}

function answerCall(
  route: ApiRoute | undefined,
  { headers }: IncomingMessage,
  body: unknown,
  generation?: Generation,
): LambdaAnswer {
  if (route === undefined)
    return toLambdaError("FakeLambda.UnknownCall", "neither the Extensions API nor the Runtime API", 404);
  if (generation === undefined) return toLambdaError("FakeLambda.NotRunning", "the environment is not running", 500);
  if (route.api === "extension") return generation.extensions.answer(route.call, headers, body);
  return generation.runtime.answer(route.call, route.requestId, headers, body);
}

function toDetail(answer: LambdaAnswer, { headers }: IncomingMessage, body: unknown): JournalDetail {
  const errorType = headers["lambda-extension-function-error-type"] ?? headers["lambda-runtime-function-error-type"];
  const { events } = (body ?? {}) as { events?: readonly string[] };
  const status = "blocked" in answer ? undefined : answer.status;
  const refusal = "blocked" in answer ? undefined : ((answer.body ?? {}) as { errorType?: string }).errorType;
  return {
    ...(status !== undefined ? { status } : {}),
    ...(status !== undefined && status >= 400 && refusal !== undefined ? { refusal } : {}),
    ...(Array.isArray(events) ? { events } : {}),
    ...(typeof errorType === "string" ? { errorType } : {}),
    ...(body !== undefined ? { body } : {}),
  };
}

function parseBody(body: string): unknown {
  if (body === "") return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function send(response: ServerResponse, { status, headers, body }: LambdaReply): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
