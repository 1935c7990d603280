import { execFile, execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { createDeferred } from "../fakes/lambda/deferred.ts";
import { type FakeLambda, type FakeLambdaOptions, type RuntimeCommand, startFakeLambda } from "../fakes/lambda.ts";
import { startLocalServer } from "../support/local-server.ts";
import { createTempFolder } from "../support/temp-files.ts";

const ROOT = join(import.meta.dirname, "../..");
const STAND_IN = "stand-in.mjs";
/** Runs without any call: the test makes the calls for it. Its child shows that a whole process group is ended. */
const SILENT = "#!/bin/sh\nsleep 1000 &\nwait\n";
const FUNCTION: RuntimeCommand = toNodeRuntime("test/fixtures/function");
const CANARY = 'CANARY-"8d2f":ab';

describe("init", () => {
  test("starts the runtime when every extension has registered, and ends when all have called next", async () => {
    const lambda = await start({ opt: makeOpt({ silent: SILENT, [STAND_IN]: undefined }) });
    let isOver = false;
    const init = lambda.init().then((report) => {
      isOver = true;
      return report;
    });
    await lambda.waitForJournal(({ from, call }) => from === STAND_IN && call === "next");
    expect(calls(lambda)).not.toContain("lambda start runtime");

    const silent = await register(lambda, "silent");
    await lambda.waitForJournal(({ from, call }) => from === "runtime" && call === "next");
    expect(isOver).toBe(false);

    void silent.next();
    const { registeredMs, runtimeReadyMs, extensionsReadyMs, durationMs } = await init;
    expect(registeredMs).toBeLessThan(runtimeReadyMs);
    expect(runtimeReadyMs).toBeLessThan(extensionsReadyMs);
    expect(extensionsReadyMs).toBeLessThanOrEqual(durationMs);
    expect(calls(lambda)).toEqual([
      "lambda start silent",
      `lambda start ${STAND_IN}`,
      `${STAND_IN} register`,
      `${STAND_IN} next`,
      "silent register",
      "lambda start runtime",
      "runtime next",
      "silent next",
    ]);
  });

  test("gives an extension the function's variables and Lambda's, no argument, and nothing of this machine", async () => {
    const environment = {
      AWS_SESSION_TOKEN: "a-token",
      MY_OWN: "yes",
      AWS_LAMBDA_FUNCTION_NAME: "not-mine",
      _X: "hidden",
    };
    const lambda = await start({ environment, runtime: FUNCTION, functionName: "orders" });
    await lambda.init();
    const { line } = await lambda.waitForLog(({ source }) => source === "extension");
    const seen = JSON.parse(line);
    expect(seen.arguments).toEqual([]);
    expect(seen.cwd).toBe(FUNCTION.cwd);
    expect(seen.environment).toMatchObject({
      AWS_LAMBDA_FUNCTION_NAME: "orders",
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
      AWS_LAMBDA_RUNTIME_API: lambda.runtimeApi,
      AWS_SESSION_TOKEN: "a-token",
      MY_OWN: "yes",
      TMPDIR: lambda.tempFolder,
    });
    for (const name of ["HOME", "USER", "_HANDLER", "LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV", "_X"]) {
      expect(seen.environment).not.toHaveProperty(name);
    }
    const { payload } = await lambda.invoke();
    expect(payload).toMatchObject({ taskRoot: FUNCTION.cwd });
  });

  test("reports an init error with its body, and runs again inside the next invocation", async () => {
    const lambda = await start({ environment: { STAND_IN: "init-error" } });
    await expect(lambda.init()).rejects.toMatchObject({
      errorType: "Extension.InitError",
      message: "exit status 1",
      reported: { errorType: "Extension.StandIn", body: { errorMessage: "as asked", errorType: "StandInError" } },
    });
    expect(lambda.journal.find(({ call }) => call === "init/error")?.detail).toMatchObject({ status: 202 });
    const again = await lambda.invoke();
    expect(again).toMatchObject({ initInside: true, error: { errorType: "Extension.InitError" } });
  });

  test.each([
    ["ends with code 0: a crash", STAND_IN, undefined, "exit-in-init", "Extension.Crash", "exit code 0"],
    [
      "ends before it registers: a crash",
      STAND_IN,
      undefined,
      "exit-before-register",
      "Extension.Crash",
      "exit status 4",
    ],
    [
      "ends and leaves a child behind: a crash",
      "parent",
      "#!/bin/sh\nsleep 1000 &\nexit 4\n",
      "",
      "Extension.Crash",
      "exit status 4",
    ],
    ["is not in an executable format", "text", "echo hello\n", "", "Extension.LaunchError", "exec format error"],
    ["names an interpreter that does not exist", "lost", "#!/no/such/node\n", "", "Extension.LaunchError", "ENOENT"],
  ])("fails if an extension %s", async (_title, name, content, fault, errorType, message) => {
    const lambda = await start({ opt: makeOpt({ [name]: content }), environment: { STAND_IN: fault } });
    await expect(lambda.init()).rejects.toMatchObject({ errorType, message: expect.stringContaining(message) });
  });

  test("fails with the error that the function's static code throws", async () => {
    const lambda = await start({ runtime: FUNCTION, environment: { FAIL_IN_INIT: "1" } });
    await expect(lambda.init()).rejects.toMatchObject({ errorType: "RangeError", message: "as asked, in static code" });
  });

  test("ends every process that is not ready in time", async () => {
    const lambda = await start({ runtime: { onInit: () => new Promise(() => {}) }, initTimeoutMs: 1_500 });
    await expect(lambda.init()).rejects.toMatchObject({ errorType: "Sandbox.Timedout" });
    const event = lambda.journal.find(({ call }) => call === "SHUTDOWN");
    expect(event?.detail).toMatchObject({ to: STAND_IN, reason: "timeout" });
  });
});

describe("the Extensions API", () => {
  const good = { "lambda-extension-name": "silent" };
  test.each([
    ["no name", {}, { events: [] }, "Extension.InvalidExtensionName"],
    ["a body that is not JSON", good, "{'events': []}", "InvalidRequestFormat"],
    ["configuration keys", good, { events: [], configurationKeys: ["a"] }, "InvalidRequestFormat"],
    ["an unknown event", good, { events: ["RESTORE"] }, "Extension.InvalidEventType"],
    [
      "another name than the file's",
      { "lambda-extension-name": "s" },
      { events: ["SHUTDOWN"] },
      "Extension.InvalidEventType",
    ],
  ])("refuses a registration with %s", async (_title, headers, body, errorType) => {
    const lambda = await start({ opt: makeOpt({ silent: SILENT }) });
    lambda.init().catch(() => {});
    const response = await callExtensionsApi(lambda, "POST register", headers, body);
    expect(response).toMatchObject({ status: 403, body: { errorType, errorMessage: expect.any(String) } });
    expect(lambda.journal.at(-1)?.detail).toMatchObject({ status: 403, refusal: errorType });
  });

  test("refuses calls without an identifier, with a bad or an unknown one, and reports without an error type", async () => {
    const lambda = await start({ opt: makeOpt({ silent: SILENT }) });
    lambda.init().catch(() => {});
    const { identifier } = await register(lambda, "silent");
    const unknown = { "lambda-extension-identifier": "00000000-0000-4000-8000-000000000000" };
    const call = async (path: string, headers: Record<string, string>) =>
      (await callExtensionsApi(lambda, path, headers)).body.errorType;
    expect(await call("GET event/next", {})).toBe("Extension.MissingExtensionIdentifier");
    expect(await call("GET event/next", { "lambda-extension-identifier": "x" })).toBe(
      "Extension.InvalidExtensionIdentifier",
    );
    expect(await call("GET event/next", unknown)).toBe("Extension.UnknownExtensionIdentifier");
    expect(await call("POST init/error", { "lambda-extension-identifier": identifier })).toBe(
      "Extension.MissingHeader",
    );
    expect(await call("POST exit/error", { "lambda-extension-identifier": identifier })).toBe(
      "Extension.MissingHeader",
    );
  });

  test("refuses a second registration, a second next, an init error after init, and a late registration", async () => {
    const lambda = await start({ opt: makeOpt({ silent: SILENT }) });
    const init = lambda.init();
    const silent = await register(lambda, "silent");
    const again = await callExtensionsApi(lambda, "POST register", good, { events: ["SHUTDOWN"] });
    expect(again).toMatchObject({ status: 403, body: { errorType: "Extension.InvalidExtensionState" } });
    void silent.next();
    await init;
    expect(await silent.next()).toMatchObject({ status: 403, body: { errorType: "Extension.InvalidExtensionState" } });
    const headers = { ...silent.headers, "lambda-extension-function-error-type": "Extension.Late" };
    const late = await callExtensionsApi(lambda, "POST init/error", headers);
    expect(late).toMatchObject({ status: 403, body: { errorType: "Extension.InvalidExtensionState" } });
    const stranger = await callExtensionsApi(lambda, "POST register", { "lambda-extension-name": "s" }, { events: [] });
    expect(stranger).toMatchObject({ status: 403, body: { errorType: "Extension.RegistrationClosed" } });
  });

  test("gives the account ID to an extension that requests it", async () => {
    const lambda = await start({ opt: makeOpt({ silent: SILENT }), functionName: "orders" });
    lambda.init().catch(() => {});
    const headers = { ...good, "lambda-extension-accept-feature": "something, accountId" };
    const { body } = await callExtensionsApi(lambda, "POST register", headers, { events: ["SHUTDOWN"] });
    const account = { accountId: "222222222222" };
    expect(body).toEqual({ functionName: "orders", functionVersion: "$LATEST", handler: "index.handler", ...account });
  });

  test("refuses INVOKE on Managed Instances", async () => {
    const lambda = await start({ opt: makeOpt({ silent: SILENT }), initializationType: "lambda-managed-instances" });
    lambda.init().catch(() => {});
    const refused = await callExtensionsApi(lambda, "POST register", good, { events: ["INVOKE", "SHUTDOWN"] });
    expect(refused).toMatchObject({ status: 403, body: { errorType: "Extension.InvalidEventType" } });
  });

  test("answers 404 to an unknown call, and records it", async () => {
    const lambda = await start();
    const response = await fetch(`http://${lambda.runtimeApi}/2022-07-01/telemetry`, { method: "PUT" });
    expect(response.status).toBe(404);
    expect(lambda.journal.at(-1)).toMatchObject({ from: "unknown", call: "PUT /2022-07-01/telemetry" });
  });

  test("answers as an intercept says, and waits while the intercept waits", async () => {
    const held = createDeferred<void>();
    const gate = createDeferred<undefined>();
    const lambda = await start({
      opt: makeOpt({ silent: SILENT }),
      intercept: ({ call, count }) => {
        if (call !== "register") return undefined;
        if (count === 1) return { status: 500, body: { errorType: "Broken" } };
        if (count === 2) return "disconnect";
        held.resolve();
        return gate.promise;
      },
    });
    lambda.init().catch(() => {});
    const attempt = () => callExtensionsApi(lambda, "POST register", good, { events: ["SHUTDOWN"] });
    expect(await attempt()).toMatchObject({ status: 500 });
    await expect(attempt()).rejects.toThrow();
    const third = attempt();
    await held.promise;
    expect(calls(lambda)).not.toContain("lambda start runtime");
    gate.resolve(undefined);
    expect(await third).toMatchObject({ status: 200 });
    await lambda.waitForJournal(({ detail }) => detail.to === "runtime");
  });
});

describe("invoke", () => {
  test("passes a payload through the Runtime API, without an event for an extension that registered for SHUTDOWN only", async () => {
    const lambda = await start({ runtime: { onInvoke: (payload) => ({ got: payload }) } });
    await lambda.init();
    const invocation = await lambda.invoke({ a: 1 });
    expect(invocation).toMatchObject({ payload: { got: { a: 1 } }, initInside: false });
    expect(invocation.error).toBeUndefined();
    expect(calls(lambda).slice(-3)).toEqual(["lambda invocation runtime", "runtime response", "runtime next"]);
    expect(calls(lambda)).not.toContain(`lambda INVOKE ${STAND_IN}`);
    expect(lambda.journal.map(({ atMs }) => atMs)).toEqual(
      lambda.journal.map(({ atMs }) => atMs).sort((a, b) => a - b),
    );
  });

  test("sends an event to an extension that registered for INVOKE, and waits until it calls next", async () => {
    const lambda = await start({ environment: { STAND_IN_EVENTS: "INVOKE SHUTDOWN" } });
    await lambda.init();
    const { detail } = await lambda.waitForJournal(({ call }) => call === "register");
    expect(detail).toMatchObject({ status: 200, events: ["INVOKE", "SHUTDOWN"] });
    const { requestId } = await lambda.invoke();
    const { line } = await lambda.waitForLog(({ stream }) => stream === "stderr");
    expect(JSON.parse(line)).toMatchObject({
      contentType: "application/json",
      event: { eventType: "INVOKE", requestId },
    });
    expect(calls(lambda).filter((call) => call === `${STAND_IN} next`)).toHaveLength(2);
  });

  test("runs init inside the invocation if there was none", async () => {
    const lambda = await start();
    expect(await lambda.invoke()).toMatchObject({ payload: null, initInside: true });
    expect(await lambda.invoke()).toMatchObject({ payload: null, initInside: false });
  });

  test("returns what a function throws, and keeps the environment", async () => {
    const lambda = await start({ runtime: FUNCTION });
    await lambda.init();
    const { error } = await lambda.invoke({ do: "throw" });
    expect(error).toEqual({ errorType: "RangeError", errorMessage: "as asked" });
    expect(await lambda.invoke()).toMatchObject({ initInside: false });
  });

  test.each([
    ["an exit with code 0 is a crash", "exit-in-invoke", "Extension.Crash", "exit code 0"],
    ["an exit after an exit error is that error", "exit-error-in-invoke", "Extension.ExitError", "exit status 5"],
  ])("fails when an extension ends: %s", async (_title, fault, errorType, message) => {
    const never = { onInvoke: () => new Promise(() => {}) };
    const lambda = await start({
      runtime: never,
      environment: { STAND_IN: fault, STAND_IN_EVENTS: "INVOKE SHUTDOWN" },
    });
    await lambda.init();
    const { error } = await lambda.invoke();
    expect(error).toMatchObject({ errorType, errorMessage: expect.stringContaining(message) });
  });

  test("fails if an extension has ended since the last invocation, and the next one starts everything again", async () => {
    const lambda = await start();
    await lambda.init();
    const firstPid = lambda.extensionPid;
    lambda.kill("extension", "SIGKILL");
    await lambda.waitForJournal(({ from, call }) => from === STAND_IN && call === "exit");
    expect(await lambda.invoke()).toMatchObject({ error: { errorType: "Extension.Crash" }, initInside: false });
    expect(await lambda.invoke()).toMatchObject({ payload: null, initInside: true });
    expect(lambda.extensionPid).not.toBe(firstPid);
  });

  test.each([
    ["timeout", { do: "hang" }, "Sandbox.Timedout", "Task timed out after 2.00 seconds"],
    ["failure", { do: "exit" }, "Runtime.ExitError", "exit status 3"],
  ])(
    "resets after a %s: init is inside the next invocation, in new processes with the same /tmp",
    async (reason, event, type, text) => {
      const lambda = await start({ runtime: FUNCTION, functionTimeoutMs: 2_000 });
      await lambda.init();
      const before = { extension: lambda.extensionPid, runtime: lambda.runtimePid };
      await lambda.invoke({ do: "leave-file" });

      const failed = await lambda.invoke(event);
      expect(failed.error).toMatchObject({ errorType: type, errorMessage: expect.stringContaining(text) });
      const shutdown = lambda.journal.find(({ call }) => call === "SHUTDOWN");
      expect(shutdown?.detail).toMatchObject({ to: STAND_IN, reason });
      expect([before.extension, before.runtime].some(isAlive)).toBe(false);
      expect(lambda.extensionPid).toBeUndefined();

      const next = await lambda.invoke();
      expect(next).toMatchObject({ initInside: true, payload: { temp: ["left-behind"] } });
      expect(lambda.extensionPid).not.toBe(before.extension);
      expect(lambda.runtimePid).not.toBe(before.runtime);
    },
  );
});

describe("shutdown", () => {
  test("ends the runtime first, then sends SHUTDOWN to the extension, as plain text", async () => {
    const lambda = await start({ runtime: FUNCTION });
    await lambda.init();
    const { exitCode, signal, ms } = await lambda.shutdown();
    expect({ exitCode, signal }).toEqual({ exitCode: 0, signal: null });
    expect(ms).toBeLessThan(2_000);
    const order = ["lambda SIGTERM runtime", "runtime exit", `lambda SHUTDOWN ${STAND_IN}`, `${STAND_IN} exit`];
    expect(calls(lambda).slice(-4)).toEqual(order);
    const { line } = await lambda.waitForLog(({ stream }) => stream === "stderr");
    const event = { eventType: "SHUTDOWN", shutdownReason: "spindown", deadlineMs: expect.any(Number) };
    expect(JSON.parse(line)).toEqual({ contentType: "text/plain; charset=utf-8", event });
    await expect(lambda.invoke()).rejects.toThrow("shut down");
  });

  test("kills a runtime after 300 ms, and an extension after 2 seconds in all, if they do not end", async () => {
    const lambda = await start({ runtime: FUNCTION, environment: { STUBBORN: "1", STAND_IN: "stay" } });
    await lambda.init();
    const { exitCode, signal, ms } = await lambda.shutdown();
    expect({ exitCode, signal }).toEqual({ exitCode: null, signal: "SIGKILL" });
    expect(ms).toBeGreaterThanOrEqual(1_999);
    expect(ms).toBeLessThan(3_000);
    const atMs = (text: string) => lambda.journal[calls(lambda).indexOf(text)]?.atMs ?? Number.NaN;
    const runtimeMs = atMs("lambda SIGKILL runtime") - atMs("lambda SIGTERM runtime");
    expect(runtimeMs).toBeGreaterThanOrEqual(299);
    expect(runtimeMs).toBeLessThan(1_500);
  });

  test("kills at once an extension that did not register for SHUTDOWN", async () => {
    const lambda = await start({ environment: { STAND_IN_EVENTS: "" } });
    await lambda.init();
    const { signal, ms } = await lambda.shutdown();
    expect(signal).toBe("SIGKILL");
    expect(ms).toBeLessThan(1_900);
    expect(calls(lambda)).not.toContain(`lambda SHUTDOWN ${STAND_IN}`);
  });

  test("kills the runtime at once when there is no extension", async () => {
    const lambda = await start({ opt: makeOpt({}), runtime: FUNCTION, environment: { STUBBORN: "1" } });
    await lambda.init();
    expect(await lambda.shutdown()).toMatchObject({ exitCode: null, signal: null });
    expect(calls(lambda).slice(-2)).toEqual(["lambda SIGKILL runtime", "runtime exit"]);
  });
});

test("close leaves no process, socket or folder behind, even in the middle of an invocation", async () => {
  const lambda = await start({ runtime: FUNCTION, environment: { STUBBORN: "1", STAND_IN: "stay" } });
  await lambda.init();
  const pids = [lambda.extensionPid, lambda.runtimePid];
  expect(pids.every(isAlive)).toBe(true);
  const invocation = lambda.invoke({ do: "hang" });
  await lambda.close();
  expect(await invocation).toMatchObject({ error: { errorType: expect.any(String) } });
  expect(pids.some(isAlive)).toBe(false);
  expect(existsSync(lambda.tempFolder)).toBe(false);
  await expect(fetch(`http://${lambda.runtimeApi}/`)).rejects.toThrow();
});

describe("the example for", () => {
  const python = findPython();
  const curl = findOutput("command -v curl");
  const examples: readonly [string, RuntimeCommand | undefined][] = [
    ["Node.js", toNodeRuntime("examples/nodejs")],
    ["Python", python === undefined ? undefined : toPythonRuntime(python)],
    [
      "bash",
      curl === undefined
        ? undefined
        : { command: join(ROOT, "examples/bash/bootstrap"), arguments: [], cwd: join(ROOT, "examples/bash") },
    ],
  ];

  for (const [language, runtime] of examples) {
    test.skipIf(runtime === undefined)(
      `${language} returns and prints the keys, never a value, and uses no proxy`,
      async () => {
        const { lambda, requests } = await startExample(runtime, {
          status: 200,
          secret: { username: CANARY, password: CANARY },
        });
        const { payload } = await lambda.invoke();
        const keys = ["username", "password"];
        expect(payload).toEqual({ init: keys, handler: keys });
        expect(requests).toEqual(["prod/db+a", "prod/db+a"]);
        // Node.js 22 also prints a warning of its own, because of NODE_USE_ENV_PROXY.
        const { line } = await lambda.waitForLog(({ source, line }) => source === "function" && line.startsWith("{"));
        expect(JSON.parse(line)).toEqual(payload);
        expect(JSON.stringify([lambda.logs, payload])).not.toMatch(/CANARY|8d2f/);
      },
    );

    test.skipIf(runtime === undefined)(
      `${language} reports why there is no secret, and answers the next invocation`,
      async () => {
        const { lambda } = await startExample(runtime, { status: 403, secret: {} });
        const { payload } = await lambda.invoke();
        for (const part of ["AccessDeniedException", "may not assume the role", "allow sts:AssumeRole"]) {
          expect(JSON.stringify((payload as { init: unknown }).init)).toContain(part);
          expect(JSON.stringify((payload as { handler: unknown }).handler)).toContain(part);
        }
        expect(await lambda.invoke()).toMatchObject({ initInside: false });
      },
    );

    test.skipIf(runtime === undefined).each(["CANARY-8d2f", '"CANARY-8d2f"'])(
      `${language} quotes nothing of a secret that is not a JSON object: %s`,
      async (secret) => {
        const { lambda } = await startExample(runtime, { status: 200, secret });
        const { payload } = await lambda.invoke();
        expect(payload).toMatchObject({ handler: { error: expect.any(String) } });
        expect(JSON.stringify([lambda.logs, payload])).not.toMatch(/CANARY|8d2f/);
      },
    );

    test.skipIf(runtime === undefined)(`${language} reports an error if no extension listens`, async () => {
      const environment = {
        CROSS_ACCOUNT_SECRETS_HTTP_PORT: "1",
        SECRET_NAME: "prod/db",
        AWS_SESSION_TOKEN: "a-token",
      };
      const lambda = await start({ opt: makeOpt({}), environment, ...(runtime && { runtime }) });
      const { payload } = await lambda.invoke();
      expect(payload).toMatchObject({ init: { error: expect.any(String) }, handler: { error: expect.any(String) } });
    });
  }
});

/** Starts a fake Lambda with the stand-in extension. It ends with the test. */
async function start(options: Partial<FakeLambdaOptions> = {}): Promise<FakeLambda> {
  const opt = options.opt ?? makeOpt({ [STAND_IN]: undefined });
  const lambda = await startFakeLambda({ environment: {}, ...options, opt });
  onTestFinished(() => lambda.close());
  return lambda;
}

/** Makes an image of /opt with these extensions: each a script, or the stand-in if undefined. */
function makeOpt(extensions: Record<string, string | undefined>): string {
  const opt = createTempFolder();
  mkdirSync(join(opt, "extensions/a-folder-is-no-extension"), { recursive: true });
  for (const [name, content] of Object.entries(extensions)) {
    const path = join(opt, "extensions", name);
    if (content === undefined) copyFileSync(join(ROOT, "test/fixtures/stand-in-extension.mjs"), path);
    else writeFileSync(path, content);
    chmodSync(path, 0o755);
  }
  return opt;
}

/** Shortens the journal to lines of caller, call and target. */
function calls(lambda: FakeLambda): string[] {
  return lambda.journal.map(({ from, call, detail }) => [from, call, detail.to].filter(Boolean).join(" "));
}

async function callExtensionsApi(lambda: FakeLambda, call: string, headers: Record<string, string>, body?: unknown) {
  const [method = "", path] = call.split(" ");
  const text = typeof body === "string" ? body : JSON.stringify(body ?? {});
  const init = { method, headers, ...(method === "POST" ? { body: text } : {}) };
  const response = await fetch(`http://${lambda.runtimeApi}/2020-01-01/extension/${path}`, init);
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

/** Registers for an extension that makes no calls itself. */
async function register(lambda: FakeLambda, name: string) {
  const { headers } = await callExtensionsApi(
    lambda,
    "POST register",
    { "lambda-extension-name": name },
    { events: ["SHUTDOWN"] },
  );
  const identifier = headers.get("lambda-extension-identifier") ?? "";
  const own = { "lambda-extension-identifier": identifier };
  return {
    identifier,
    headers: own,
    next: () => callExtensionsApi(lambda, "GET event/next", own).catch(() => undefined),
  };
}

/** Starts an example on the fake Lambda, with a stub of the extension. */
async function startExample(runtime: RuntimeCommand | undefined, answer: { status: number; secret: unknown }) {
  const requests: string[] = [];
  const token = "a-token-that-no-output-may-show";
  const { port } = await startLocalServer(async (request, response) => {
    // `ps` shows the arguments of every process while the request is under way.
    const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "args="]).catch(() => ({ stdout: "" }));
    const { pathname, searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
    requests.push(searchParams.get("secretId") ?? decodeURIComponent(pathname.replace("/secrets/", "")));
    const isKnown = request.headers["x-aws-parameters-secrets-token"] === token && !stdout.includes(token);
    const secret = typeof answer.secret === "string" ? answer.secret : JSON.stringify(answer.secret);
    const body = pathname === "/secretsmanager/get" ? JSON.stringify({ SecretString: secret }) : secret;
    const denial = {
      __type: "AccessDeniedException",
      message: "may not assume the role",
      remedy: "allow sts:AssumeRole",
    };
    const isText = isKnown && typeof answer.secret === "string" && pathname !== "/secretsmanager/get";
    response.writeHead(isKnown ? answer.status : 400, { "content-type": isText ? "text/plain" : "application/json" });
    response.end(isKnown && answer.status === 200 ? body : JSON.stringify(denial));
  });
  const proxy = "http://127.0.0.1:1";
  const environment = {
    CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
    CROSS_ACCOUNT_SECRETS_TOKEN: token,
    AWS_SESSION_TOKEN: "another-token",
    SECRET_NAME: "prod/db+a",
    ...{ HTTP_PROXY: proxy, http_proxy: proxy, ALL_PROXY: proxy, NODE_USE_ENV_PROXY: "1" },
  };
  return { lambda: await start({ opt: makeOpt({}), environment, ...(runtime && { runtime }) }), requests };
}

function toNodeRuntime(folder: string): RuntimeCommand {
  const client = join(ROOT, "test/fakes/runtimes/node.mjs");
  return { command: process.execPath, arguments: [client], cwd: join(ROOT, folder) };
}

function toPythonRuntime(command: string): RuntimeCommand {
  const client = join(ROOT, "test/fakes/runtimes/python.py");
  return { command, arguments: [client], cwd: join(ROOT, "examples/python"), handler: "app.handler" };
}

/** Finds the interpreter itself, because a shim on PATH needs variables that the fake Lambda does not pass on. */
function findPython(): string | undefined {
  return findOutput("python3 -c 'import sys; print(sys.executable)'");
}

function findOutput(command: string): string | undefined {
  try {
    return execFileSync("/bin/sh", ["-c", command], { stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}
