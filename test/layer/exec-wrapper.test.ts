/** The exec wrapper resolves references to secrets in environment variables before the runtime starts. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer as createTcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { layerFolder } from "../../scripts/build/launchers.ts";
import { type Bench, type BenchOptions, startBench } from "../support/bench.ts";
import { findLeaks } from "../support/canary.ts";
import { findFreePort } from "../support/free-port.ts";
import { startLocalServer } from "../support/local-server.ts";
import { createTempFolder } from "../support/temp-files.ts";
import { createCanary, SECRET_NAME } from "../support/two-accounts.ts";

const canRun = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
const WRAPPER = join(layerFolder, process.arch === "arm64" ? "exec-wrapper-arm64" : "exec-wrapper-x86_64");

const has = (command: string) => spawnSync(command, ["--version"]).error === undefined;

/** A session token of the usual length. No line may contain it. */
const TOKEN = createCanary().repeat(30);

interface Wrapped {
  /** The exit code, or the signal. */
  readonly end: number | string | null;
  /** The environment and arguments of the command; undefined if it was not started. */
  readonly started: { readonly env: Record<string, string>; readonly argv: string[] } | undefined;
  readonly stdout: string;
  /** The lines that the wrapper printed. */
  readonly lines: readonly string[];
  readonly ms: number;
}

const PRINT_ALL = "console.log(JSON.stringify({ env: process.env, argv: process.argv }))";
const PRINT = [execPath, "-e", PRINT_ALL, "an argument", "*"];

/** Runs a command through the wrapper. Asynchronously, because the server that the wrapper asks is in this process. */
async function wrap(
  environment: Readonly<Record<string, string>>,
  { command = PRINT, wrapper = [WRAPPER] }: { command?: readonly string[]; wrapper?: readonly string[] } = {},
): Promise<Wrapped> {
  const startMs = performance.now();
  const [file = "", ...args] = [...wrapper, ...command];
  const child = spawn(file, args, { env: { ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  const end = await new Promise<number | string | null>((resolve, reject) => {
    child.on("error", reject).on("close", (code, signal) => resolve(code ?? signal));
  });
  const started = output.stdout.startsWith('{"env":') ? JSON.parse(output.stdout) : undefined;
  const lines = output.stderr.split("\n").slice(0, -1);
  expect(findLeaks(new Map([["standard error", output.stderr]]), [TOKEN])).toEqual([]);
  return { end, started, stdout: output.stdout, lines, ms: performance.now() - startMs };
}

interface StubAnswer {
  readonly status?: number;
  readonly body: string | Buffer;
}

/** Starts a stub of the extension with an answer for each target. It refuses a wrong token or Host as the extension does. */
async function startExtension(answers: Readonly<Record<string, StubAnswer>>, token = TOKEN) {
  const targets: string[] = [];
  const { port } = await startLocalServer(({ url = "", headers, method }, response) => {
    targets.push(url);
    const isOurs = method === "GET" && headers.host === `127.0.0.1:${port}`;
    const isAllowed = headers["x-aws-parameters-secrets-token"] === token;
    const unexpected = { status: 400, body: "" };
    const badToken = { status: 403, body: '{"__type":"BadToken","message":"the token is missing or wrong"}' };
    const { status = 200, body } = (isAllowed ? isOurs && answers[url] : badToken) || unexpected;
    response.writeHead(status, { "Content-Length": Buffer.byteLength(body) }).end(body);
  });
  const environment = { AWS_SESSION_TOKEN: token, CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port) };
  return { port, targets, environment };
}

/** Starts a stub of the extension that answers every request with raw bytes. */
async function startRawExtension(answer: (socket: Socket) => void) {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {}).once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return { AWS_SESSION_TOKEN: TOKEN, CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port) };
}

const toReference = (text: string) => `cross-account-secret:${text}`;

describe.skipIf(!canRun)("the exec wrapper (Linux)", () => {
  describe("resolves", () => {
    it("a whole secret, a field and a JSON Pointer, and changes nothing else", async () => {
      const arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/db-AbCdEf";
      const { environment, targets } = await startExtension({
        "/secrets/my-shared-secret": { body: '{"password":"p=1\\n"}' },
        "/secrets/my-shared-secret?key=password": { body: "p=1\n" },
        "/secrets/my-shared-secret?key=%2Fa%20%2B%26%23b%2F%C3%BC": { body: "ünïcode €" },
        [`/secrets/${encodeURIComponent(arn)}`]: { body: "" },
      });
      const unrelated = {
        A: "",
        B: "x cross-account-secret:b",
        C: "cross-account-secret",
        LANG: "C.UTF-8",
        PATH: "/bin",
      };
      const { end, started, lines } = await wrap({
        ...environment,
        ...unrelated,
        WHOLE: toReference("my-shared-secret"),
        FIELD: toReference("my-shared-secret#password"),
        POINTER: toReference("my-shared-secret#/a +&#b/ü"),
        EMPTY: toReference(arn),
      });
      expect(lines).toEqual([]);
      expect(end).toBe(0);
      expect(started?.env).toEqual({
        ...environment,
        ...unrelated,
        WHOLE: '{"password":"p=1\\n"}',
        FIELD: "p=1\n",
        POINTER: "ünïcode €",
        EMPTY: "",
      });
      expect(started?.argv).toEqual([execPath, "an argument", "*"]);
      expect(targets).toHaveLength(4);
    });

    it("a value of 64 KiB, the limit of a secret, and one of 128 KiB, the limit of a variable", async () => {
      const [long, longest] = ["s".repeat(65_536), "s".repeat(131_072 - "B=".length - 1)];
      const { environment } = await startExtension({
        "/secrets/long": { body: long },
        "/secrets/longest": { body: longest },
      });
      const { started } = await wrap({ ...environment, A: toReference("long"), B: toReference("longest") });
      expect([started?.env.A === long, started?.env.B === longest]).toEqual([true, true]);
    });

    it("all references at the same time", async () => {
      let waiting: (() => void)[] = [];
      const { port } = await startLocalServer((_, response) => {
        waiting.push(() => response.end("x"));
        if (waiting.length < 3) return;
        for (const answer of waiting) answer();
        waiting = [];
      });
      const references = { A: toReference("a"), B: toReference("b"), C: toReference("c") };
      const variables = { AWS_SESSION_TOKEN: TOKEN, CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port), ...references };
      expect((await wrap(variables)).started?.env).toMatchObject({ A: "x", B: "x", C: "x" });
    });

    it("a reference even if the extension starts to listen a moment later", async () => {
      const port = await findFreePort();
      const server = createTcpServer((socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
      onTestFinished(() => void server.close());
      setTimeout(() => server.listen(port, "127.0.0.1"), 300);
      const variables = { AWS_SESSION_TOKEN: TOKEN, CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port) };
      expect((await wrap({ ...variables, A: toReference("a") })).started?.env.A).toBe("x");
    });

    it.each([
      [
        "with a Content-Length, and the connection left open",
        "HTTP/1.1 200 OK\r\ncontent-length:  3 \r\n\r\nabc",
        "open",
      ],
      ["without a Content-Length, up to the end of the connection", "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nabc", "end"],
      ["with more bytes than its Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "end"],
    ])("a reference from an answer %s", async (_, answer, then) => {
      const environment = await startRawExtension((socket) => {
        socket.write(answer);
        if (then === "end") socket.end();
      });
      expect((await wrap({ ...environment, A: toReference("a") })).started?.env.A).toBe("abc");
    });
  });

  describe("reads port and token as the extension does", () => {
    it.each<[string, Record<string, string>]>([
      [
        "AWS's variable for the port, with white space around the value",
        { PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: " PORT\n" },
      ],
      [
        "our variable for the port before AWS's",
        { CROSS_ACCOUNT_SECRETS_HTTP_PORT: "PORT", PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: "1" },
      ],
      [
        "an empty value as an unset one",
        { CROSS_ACCOUNT_SECRETS_HTTP_PORT: " ", PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: "PORT" },
      ],
      ["a port with leading zeros", { CROSS_ACCOUNT_SECRETS_HTTP_PORT: "00PORT" }],
    ])("%s", async (_, variables) => {
      const { port, environment } = await startExtension({ "/secrets/a": { body: "x" } });
      const ports = Object.entries(variables).map(([name, value]) => [name, value.replace("PORT", String(port))]);
      const { AWS_SESSION_TOKEN } = environment;
      const { started } = await wrap({ AWS_SESSION_TOKEN, ...Object.fromEntries(ports), A: toReference("a") });
      expect(started?.env.A).toBe("x");
    });

    it.each([
      [4_096, "in a variable"],
      [8_000, "in a variable"],
      [4_096, "in a file"],
      [8_000, "in a file"],
    ])("a session token of %d bytes %s, beside a long name", async (bytes, place) => {
      const token = TOKEN.repeat(10).slice(0, bytes);
      const name = "n".repeat(512);
      const { environment } = await startExtension({ [`/secrets/${name}?key=%2Fa`]: { body: "x" } }, token);
      const file = join(createTempFolder(), "token");
      writeFileSync(file, token);
      const given = place === "in a file" ? { CROSS_ACCOUNT_SECRETS_TOKEN: `file://${file}` } : {};
      const { started } = await wrap({ ...environment, ...given, A: toReference(`${name}#/a`) });
      expect([token.length, started?.env.A]).toEqual([bytes, "x"]);
    });

    it.each<[string, Record<string, string>]>([
      [
        "the token from CROSS_ACCOUNT_SECRETS_TOKEN first",
        { CROSS_ACCOUNT_SECRETS_TOKEN: " TOKEN ", AWS_TOKEN: "b", AWS_SESSION_TOKEN: "c" },
      ],
      [
        "then the token from AWS_TOKEN",
        { CROSS_ACCOUNT_SECRETS_TOKEN: "", AWS_TOKEN: "TOKEN", AWS_SESSION_TOKEN: "c" },
      ],
      ["then the token from AWS_SESSION_TOKEN", { AWS_SESSION_TOKEN: "TOKEN", AWS_CONTAINER_AUTHORIZATION_TOKEN: "d" }],
      ["then the token from AWS_CONTAINER_AUTHORIZATION_TOKEN", { AWS_CONTAINER_AUTHORIZATION_TOKEN: "TOKEN" }],
      [
        "a token file in our variable, percent-encoded",
        { CROSS_ACCOUNT_SECRETS_TOKEN: "file://FOLDER/%74o%20ken%C3%BC" },
      ],
      ["a token file in AWS's variable", { AWS_TOKEN: "file://FOLDER/%74o%20ken%C3%BC" }],
    ])("%s", async (_, variables) => {
      const folder = createTempFolder();
      writeFileSync(join(folder, "to kenü"), `\ufeff\n ${TOKEN}\r\n`);
      const { port } = await startExtension({ "/secrets/a": { body: "x" } });
      const tokens = Object.entries(variables).map(([name, value]) => [
        name,
        value.replace("FOLDER", folder).replace("TOKEN", TOKEN),
      ]);
      const environment = { CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port), ...Object.fromEntries(tokens) };
      expect((await wrap({ ...environment, A: toReference("a") })).started?.env.A).toBe("x");
    });

    it.each<[string, Record<string, string>, RegExp]>([
      [
        "a port that is not a number",
        { CROSS_ACCOUNT_SECRETS_HTTP_PORT: "27x3" },
        /CROSS_ACCOUNT_SECRETS_HTTP_PORT must be a port, 1 to 65535$/,
      ],
      ["a port above 65535", { CROSS_ACCOUNT_SECRETS_HTTP_PORT: "65536" }, /: CROSS_ACCOUNT_SECRETS_HTTP_PORT must be/],
      ["no token", { AWS_SESSION_TOKEN: "" }, /CROSS_ACCOUNT_SECRETS_TOKEN must be a token in printable ASCII/],
      ["a token with a space", { AWS_TOKEN: "pass word" }, /: AWS_TOKEN must be a token in printable ASCII(?!.*word)/],
      ["a token with a line break", { AWS_TOKEN: "a\r\nHost: b" }, /: AWS_TOKEN must be a token/],
      [
        "a token file that does not exist",
        { AWS_TOKEN: "file:///nope/token" },
        /: AWS_TOKEN must be file:\/\/\/path of a readable file/,
      ],
      [
        "a file URL with a host",
        { AWS_TOKEN: "file://host/token" },
        /: AWS_TOKEN must be file:\/\/\/path of a readable file/,
      ],
      [
        "an incomplete percent-encoding",
        { AWS_TOKEN: "file:///tmp/%4" },
        /: AWS_TOKEN must be file:\/\/\/path of a readable file/,
      ],
      [
        "a token file that never ends",
        { AWS_TOKEN: "file:///dev/zero" },
        /: AWS_TOKEN must be file:\/\/\/path of a readable file/,
      ],
      [
        "an unknown EXEC_WRAPPER_ERROR",
        { CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: "ignore" },
        /EXEC_WRAPPER_ERROR must be fail or unset$/,
      ],
    ])("and reports what is wrong: %s", async (_, variables, expected) => {
      const mode = { CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: "unset" };
      const { end, started, lines } = await wrap({
        AWS_SESSION_TOKEN: TOKEN,
        ...mode,
        ...variables,
        A: toReference("a"),
      });
      expect([end, started]).toEqual([1, undefined]);
      expect(lines).toEqual([
        expect.stringMatching(expected),
        "cross-account-secrets: A cannot be set: the extension cannot be asked with these settings",
      ]);
    });
  });

  it.each(["65536", "0", "http"])(
    "asks the default port instead of %j under AWS's name, as the extension does",
    async (port) => {
      const variables = { AWS_SESSION_TOKEN: TOKEN, PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: port };
      const { lines } = await wrap({ ...variables, A: toReference("a") });
      expect(lines.filter((line) => line.includes("HTTP_PORT must be"))).toEqual([]);
      expect(lines.at(0)).toContain("A cannot be set: nothing listens on the extension's port");
    },
  );

  describe("stops the start", () => {
    it("with a line for each reference that cannot be resolved, and no secret in any line", async () => {
      const canary = createCanary();
      const refusal = {
        __type: "AccessDeniedException",
        details: { message: canary, __type: ["message", canary] },
        message: 'GetSecretValue was "refused" \\ \n\x01 for ünïcode',
        remedy: 'allow {"Action": "x"}',
      };
      const { environment } = await startExtension({
        "/secrets/good": { body: canary },
        "/secrets/denied": { status: 403, body: JSON.stringify(refusal) },
        "/secrets/page": { status: 502, body: `<p>${canary}</p>` },
        "/secrets/moved": { status: 302, body: "" },
        "/secrets/cut": { status: 500, body: '{"__type":"InternalFailure","message":"the exten' },
        "/secrets/binary": { body: Buffer.from(`${canary}\0${canary}`) },
        "/secrets/long": { body: canary.repeat(6_000) },
        "/secrets/just-too-long": { body: `${canary}${"x".repeat(131_072 - "JUST_TOO_LONG=".length - canary.length)}` },
      });
      const { end, started, stdout, lines } = await wrap({
        ...environment,
        GOOD: toReference("good"),
        DENIED: toReference("denied"),
        PAGE: toReference("page"),
        MOVED: toReference("moved"),
        CUT: toReference("cut"),
        BINARY: toReference("binary"),
        LONG: toReference("long"),
        JUST_TOO_LONG: toReference("just-too-long"),
        NO_ID: toReference(""),
        NO_ID_EITHER: toReference("#password"),
        NO_KEY: toReference("good#"),
        TOO_LONG: toReference("x".repeat(17_000)),
      });
      expect([end, started, stdout]).toEqual([1, undefined, ""]);
      const prefix = "cross-account-secrets: ";
      expect(lines.map((line) => line.replace(prefix, ""))).toEqual([
        'DENIED cannot be set: status 403 AccessDeniedException: GetSecretValue was "refused" \\  ? for ünïcode; remedy: allow {"Action": "x"}',
        "PAGE cannot be set: status 502",
        "MOVED cannot be set: status 302",
        "CUT cannot be set: status 500 InternalFailure: the exten",
        "BINARY cannot be set: it holds a NUL byte, as binary secrets do, and no variable can",
        "LONG cannot be set: it is longer than the 128 KiB that one variable can hold",
        "JUST_TOO_LONG cannot be set: it is longer than the 128 KiB that one variable can hold",
        expect.stringMatching(/^NO_ID cannot be set: it names no secret; write cross-account-secret:<name or ARN>/),
        expect.stringMatching(/^NO_ID_EITHER cannot be set: it names no secret/),
        expect.stringMatching(/^NO_KEY cannot be set: it names no field/),
        expect.stringMatching(/^TOO_LONG cannot be set: its name, or the token, is too long$/),
      ]);
      expect(lines.every((line) => line.startsWith(prefix))).toBe(true);
      expect(findLeaks(new Map([["standard error", lines.join()]]), [canary])).toEqual([]);
    });

    it("or starts without those variables if EXEC_WRAPPER_ERROR is unset", async () => {
      const { environment } = await startExtension({ "/secrets/good": { body: "x" } });
      const { end, started, lines } = await wrap({
        ...environment,
        CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: " UNSET ",
        FIRST: toReference("nope"),
        GOOD: toReference("good"),
        OTHER: "other",
        LAST: toReference(""),
      });
      expect(end).toBe(0);
      expect(started?.env).toEqual({
        ...environment,
        CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: " UNSET ",
        GOOD: "x",
        OTHER: "other",
      });
      expect(lines).toEqual([
        "cross-account-secrets: FIRST is left unset: status 400",
        expect.stringMatching(/^cross-account-secrets: LAST is left unset: it names no secret/),
      ]);
    });

    it("or starts without them also if nobody reads the log", async () => {
      const { environment } = await startExtension({});
      const variables = { ...environment, CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: "unset", A: toReference("a") };
      // The reader of standard error has ended when the wrapper starts.
      const wrapper = ["/bin/sh", "-c", '{ /bin/sleep 0.1; exec "$@"; } 2>&1 >&3 | :', "sh", WRAPPER];
      const command = ["/bin/sh", "-c", "printenv A; echo started"];
      const { stdout } = await wrap(variables, {
        command,
        wrapper: ["/bin/sh", "-c", 'exec "$@" 3>&1', "sh", ...wrapper],
      });
      expect(stdout).toBe("started\n");
    });

    it.each(["fail", "unset"])("under SnapStart, without any request, if EXEC_WRAPPER_ERROR is %s", async (mode) => {
      const { environment, targets } = await startExtension({ "/secrets/a": { body: "x" } });
      const { end, started, lines } = await wrap({
        ...environment,
        CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: mode,
        AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start",
        A: toReference("a"),
        B: toReference(""),
      });
      expect([end, started, targets]).toEqual([1, undefined, []]);
      expect(lines).toEqual([
        "cross-account-secrets: A cannot be set: SnapStart would keep it in the snapshot; let the function ask the extension itself",
        expect.stringMatching(/^cross-account-secrets: B cannot be set: it names no secret/),
      ]);
    });

    it("after two seconds if nothing listens, with any number of references", async () => {
      const variables = { AWS_SESSION_TOKEN: TOKEN, CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(await findFreePort()) };
      const { end, lines, ms } = await wrap({ ...variables, A: toReference("a"), B: toReference("b") });
      expect(end).toBe(1);
      expect(lines).toEqual([
        expect.stringMatching(/A cannot be set: nothing listens on the extension's port; is the layer attached/),
        expect.stringMatching(/B cannot be set: nothing listens/),
      ]);
      expect(ms).toBeGreaterThan(1_900);
      expect(ms).toBeLessThan(4_000);
    });

    it("after 9 s for all references together if answers do not begin or do not end", async () => {
      let count = 0;
      const environment = await startRawExtension((socket) => {
        count += 1;
        if (count === 1) return;
        const timer = setInterval(() => socket.write("H"), 20);
        socket.on("close", () => clearInterval(timer));
      });
      const { end, lines, ms } = await wrap({ ...environment, A: toReference("a"), B: toReference("b") });
      expect(end).toBe(1);
      expect(lines).toEqual(["A", "B"].map((name) => `cross-account-secrets: ${name} cannot be set: ${LATE}`));
      expect(ms).toBeGreaterThan(8_900);
      expect(ms).toBeLessThan(11_000);
    });

    it("when the secrets are too long for the environment", async () => {
      const body = "s".repeat(65_536);
      const { environment } = await startExtension({ "/secrets/long": { body } });
      const names = Array.from({ length: 17 }, (_, index) => `V${index}`);
      const references = Object.fromEntries(names.map((name) => [name, toReference("long")]));
      const { end, lines } = await wrap({ ...environment, ...references });
      expect(end).toBe(1);
      expect(lines.slice(0, 2)).toEqual([
        expect.stringMatching(/V15 cannot be set: the secrets are longer, together, than the 1 MiB/),
        expect.stringMatching(/V16 cannot be set: the secrets are longer, together, than the 1 MiB/),
      ]);

      // The kernel's limit depends on the limit of the stack, but is at least 128 KiB.
      const three = { A: toReference("long"), B: toReference("long"), C: toReference("long") };
      const wrapper = ["/bin/sh", "-c", 'ulimit -s 512; exec "$0" "$@"', WRAPPER];
      const refused = await wrap({ ...environment, ...three }, { wrapper });
      expect(refused.end).toBe(126);
      expect(refused.lines).toEqual([
        expect.stringMatching(/cannot be started: the environment is longer than this system takes$/),
      ]);
    });

    const FOREIGN = "the answer is not one of the extension's; what listens on its HTTP_PORT?";
    const CUT = "the extension's answer was cut off";
    it.each([
      ["empty", "", CUT],
      ["half a head", "HTTP/1.1 200 OK\r\nContent-Le", CUT],
      ["half a body", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", CUT],
      ["not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", FOREIGN],
      ["a status that is not a number", "HTTP/1.1 2x0 OK\r\n\r\n", FOREIGN],
      ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", FOREIGN],
      ["a head with an invalid length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", FOREIGN],
      ["a head with two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", FOREIGN],
      [
        "a chunked body, which the extension never sends",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        FOREIGN,
      ],
      ["an endless head", `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(2_000)}`, FOREIGN],
      [
        "a message with the token, which the extension never sends",
        `HTTP/1.1 403 x\r\n\r\n{"message":"no ${TOKEN}"}`,
        "status 403",
      ],
    ])("when the answer is %s", async (_, answer, expected) => {
      const environment = await startRawExtension((socket) => void socket.end(answer));
      const { end, lines } = await wrap({ ...environment, A: toReference("a") });
      expect(end).toBe(1);
      expect(lines).toEqual([`cross-account-secrets: A cannot be set: ${expected}`]);
    });
  });

  describe("with ENABLED=false", () => {
    it.each<[string, Record<string, string>]>([
      ["", {}],
      [", even if all other settings are wrong", { CROSS_ACCOUNT_SECRETS_HTTP_PORT: "x", AWS_SESSION_TOKEN: "" }],
      [", also under SnapStart", { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" }],
    ])("leaves the variables as they are, asks nothing, and writes one line%s", async (_, wrong) => {
      const { environment, targets } = await startExtension({});
      const variables = { ...environment, ...wrong, A: toReference("a"), B: toReference("b#c") };
      const { end, started, lines } = await wrap({ ...variables, CROSS_ACCOUNT_SECRETS_ENABLED: " FALSE " });
      expect(end).toBe(0);
      expect(started?.env).toEqual({ ...variables, CROSS_ACCOUNT_SECRETS_ENABLED: " FALSE " });
      expect(targets).toEqual([]);
      expect(lines).toEqual([
        "cross-account-secrets: CROSS_ACCOUNT_SECRETS_ENABLED is false: the variables that refer to secrets stay as they are",
      ]);
    });

    it("writes nothing if no variable refers to a secret", async () => {
      const { started, lines } = await wrap({ A: "a", CROSS_ACCOUNT_SECRETS_ENABLED: "false" });
      expect([started?.env.A, lines]).toEqual(["a", []]);
    });
  });

  describe("starts the command", () => {
    it.skipIf(!has("strace"))("without opening a socket or a file if there is no reference (needs strace)", () => {
      const variables = { ...process.env, CROSS_ACCOUNT_SECRETS_TOKEN: "file:///nope", A: "b" };
      const trace = join(createTempFolder(), "trace");
      const { status } = spawnSync("strace", ["-o", trace, WRAPPER, "/bin/true"], { env: variables });
      expect(status).toBe(0);
      const calls = readFileSync(trace, "utf8").split("\n").slice(1);
      const atExec = calls.findIndex((line) => line.startsWith("execve("));
      expect(atExec).toBeGreaterThan(0);
      expect(calls.slice(0, atExec).filter((line) => /^(open|openat|socket|connect|write)/.test(line))).toEqual([]);
    });

    it("that it finds on PATH, with its arguments, in its own process", async () => {
      const command = ["sh", "-c", 'echo "$0|$1"; kill -9 $$', "a b", ""];
      const { end, stdout, lines } = await wrap({ PATH: "/nope:/usr/bin:/bin" }, { command });
      expect([end, stdout, lines]).toEqual(["SIGKILL", "a b|\n", []]);
    });

    it.each([
      ["does not exist", ["/nope/bootstrap"], 127, /\/nope\/bootstrap cannot be started: there is no such file/],
      ["is not on PATH", ["nope"], 127, /nope cannot be started: there is no such file/],
      ["is not executable", ["/etc/passwd"], 126, /\/etc\/passwd cannot be started: it may not be executed/],
      ["is missing from its arguments", [], 126, /exec-wrapper needs the command to start/],
    ])("or reports that the command %s", async (_, command, code, expected) => {
      const { end, lines } = await wrap({ PATH: "/usr/bin:/bin" }, { command });
      expect(end).toBe(code);
      expect(lines).toEqual([expect.stringMatching(expected)]);
    });
  });

  describe("with the nodejs layer, on the fakes", () => {
    const digest = (text: string) => createHash("sha256").update(text).digest("hex");

    /** Starts a function that returns digests of its variables, in the way of Lambda's bootstrap. */
    function startWrapped({ environment, ...options }: BenchOptions): Promise<Bench> {
      const task = createTempFolder();
      writeFileSync(
        join(task, "index.mjs"),
        `import { createHash } from "node:crypto";
        const digest = (text) => text === undefined ? "unset" : createHash("sha256").update(text).digest("hex");
        const names = ["WHOLE", "FIELD", "POINTER", "PLAIN"];
        const init = Object.fromEntries(names.map((name) => [name, digest(process.env[name])]));
        export const handler = () => ({ ...init, argv: digest(process.argv.slice(2).join()) });`,
      );
      const opt = toOpt("nodejs");
      const runtime = {
        command: join(opt, "cross-account-secrets/exec-wrapper"),
        arguments: [execPath, fileURLToPath(new URL("../fakes/runtimes/node.mjs", import.meta.url)), "two words"],
        cwd: task,
        handler: "index.handler",
      };
      const references = {
        WHOLE: toReference(SECRET_NAME),
        FIELD: toReference(`${SECRET_NAME}#password`),
        POINTER: toReference(`${SECRET_NAME}#/username`),
        PLAIN: "plain",
      };
      return startBench({ opt, runtime, environment: { ...references, ...environment }, ...options });
    }

    const toRuntimeLines = ({ lambda }: Bench) =>
      lambda.logs.flatMap(({ line }) => (line.startsWith("cross-account-secrets: ") ? [line.slice(23)] : []));

    it("the function's static code finds the secrets in the environment, for one GetSecretValue", async () => {
      const bench = await startWrapped({});
      await bench.lambda.init();
      const invocation = await bench.lambda.invoke();
      const [username = "", password = ""] = bench.canaries;
      expect("payload" in invocation && invocation.payload).toEqual({
        WHOLE: digest(JSON.stringify({ username, password })),
        FIELD: digest(password),
        POINTER: digest(username),
        PLAIN: digest("plain"),
        argv: digest("two words"),
      });
      expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([1, 1]);
      expect(toRuntimeLines(bench)).toEqual([]);
    });

    it("the function runs with its variables as they are if ENABLED is false", async () => {
      const bench = await startWrapped({ environment: { CROSS_ACCOUNT_SECRETS_ENABLED: "false" } });
      await bench.lambda.init();
      const invocation = await bench.lambda.invoke();
      expect("payload" in invocation && invocation.payload).toMatchObject({ WHOLE: digest(toReference(SECRET_NAME)) });
      expect(toRuntimeLines(bench)).toEqual([expect.stringMatching(/ENABLED is false: .* stay as they are$/)]);
      expect(bench.aws.calls).toEqual([]);
    });

    it("the init fails, and the log says why, if a reference cannot be resolved", async () => {
      const environment = { FIELD: toReference(`${SECRET_NAME}#passwort`), POINTER: toReference("another-secret") };
      const bench = await startWrapped({ environment });
      await expect(bench.lambda.init()).rejects.toMatchObject({ errorType: "Runtime.ExitError" });
      expect(toRuntimeLines(bench).sort()).toEqual([
        'FIELD cannot be set: status 404 ResourceNotFoundException: my-shared-secret has no field "passwort"',
        expect.stringMatching(
          /^POINTER cannot be set: status 403 AccessDeniedException: the secret is not among .*; remedy: add it/,
        ),
      ]);
    });

    it("the init fails for a reference in the form of Amazon ECS, and the log shows the right form", async () => {
      const arn = `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${SECRET_NAME}-AbCdEf`;
      const bench = await startWrapped({ environment: { FIELD: toReference(`${arn}:password::`) } });
      await expect(bench.lambda.init()).rejects.toMatchObject({ errorType: "Runtime.ExitError" });
      expect(toRuntimeLines(bench)).toEqual([
        expect.stringMatching(
          /^FIELD cannot be set: status 400 .*no field, stage or version after it; remedy: .*cross-account-secret:<secretId>#password$/,
        ),
      ]);
    });

    it("the function runs without the variables if EXEC_WRAPPER_ERROR is unset", async () => {
      const environment = { CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: "unset" };
      const prepare: BenchOptions["prepare"] = ({ aws }) => aws.fault("AssumeRole", { kind: "deny" });
      const bench = await startWrapped({ environment, prepare });
      await bench.lambda.init();
      const invocation = await bench.lambda.invoke();
      expect("payload" in invocation && invocation.payload).toMatchObject({
        WHOLE: "unset",
        FIELD: "unset",
        POINTER: "unset",
      });
      expect(toRuntimeLines(bench)).toHaveLength(3);
      expect(toRuntimeLines(bench)[0]).toMatch(
        /^\w+ is left unset: status 403 AccessDeniedException: AssumeRole of .*SecretReader/,
      );
    });

    it("the init fails under SnapStart", async () => {
      const bench = await startWrapped({ initializationType: "snap-start" });
      await expect(bench.lambda.init()).rejects.toMatchObject({ errorType: "Runtime.ExitError" });
      expect(toRuntimeLines(bench)).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/^WHOLE cannot be set: SnapStart would keep it in the snapshot/),
        ]),
      );
    });
  });

  it.skipIf(!has("cc"))("survives any answer, compiled with sanitizers (needs a C compiler)", async () => {
    const sanitized = join(createTempFolder(), "exec-wrapper");
    const flags = ["-std=c11", "-D_GNU_SOURCE", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    execFileSync("cc", [...flags, "-o", sanitized, join(layerFolder, "exec-wrapper.c")]);
    const canary = createCanary();
    const good = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${canary.length}\r\n\r\n${canary}`;
    const body = '{"__type":"AccessDeniedException","message":"a \\"b\\" \\u0007 \\\\ c","remedy":"d"}';
    const bad = `HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const pieces = fc.constantFrom(
      ...[
        "HTTP/1.1 200 OK",
        "HTTP/1.1 403 x",
        "\r\n",
        "\n",
        ":",
        " ",
        "\0",
        "\r\n\r\n",
        good,
        bad,
        body,
        "x".repeat(8_190),
      ],
      ...[
        '{"__type"',
        '{"message":"',
        '"',
        "\\",
        "\\u",
        "[",
        "}",
        "Content-Length: 99999",
        "content-length:0",
        TOKEN,
        canary,
      ],
    );
    const template = fc.constantFrom(good, bad);
    const answers = fc.oneof(
      fc.array(pieces, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(""))),
      fc.tuple(template, fc.nat(200), fc.nat(20), fc.uint8Array({ maxLength: 20 })).map(([text, at, length, bytes]) => {
        return Buffer.concat([Buffer.from(text.slice(0, at)), bytes, Buffer.from(text.slice(at + length))]);
      }),
      template.map((text) => Buffer.from(text)),
    );
    const ANSWERS = 100;
    let given: readonly Buffer[] = [];
    let asked = 0;
    const environment = await startRawExtension((socket) => void socket.end(given[asked++] ?? ""));
    const names = Array.from({ length: ANSWERS }, (_, index) => `V${index}`);
    const variables = {
      ...environment,
      ...Object.fromEntries(names.map((name) => [name, toReference(name)])),
      CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: "unset",
      ASAN_OPTIONS: "exitcode=99",
      UBSAN_OPTIONS: "exitcode=99",
    };
    /** The report of a failure omits the bytes, because its seed and path reproduce them. */
    const batches = fc
      .array(answers, { minLength: ANSWERS, maxLength: ANSWERS })
      .map((batch) => Object.assign(batch, { [fc.toStringMethod]: () => `${batch.length} answers` }));
    const isPlain = (line: string) => [...line].every((character) => character >= " " && character !== "\x7f");
    await fc.assert(
      fc.asyncProperty(batches, async (batch) => {
        [given, asked] = [batch, 0];
        // A sanitizer ends the wrapper with 99, a crash with a signal.
        const { end, lines } = await wrap(variables, { wrapper: [sanitized], command: ["/bin/true"] });
        expect([end, asked]).toEqual([0, ANSWERS]);
        expect(lines.filter((line) => !/^cross-account-secrets: V\d+ is left unset: ./.test(line))).toEqual([]);
        expect(lines.filter((line) => !isPlain(line))).toEqual([]);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

const LATE = "the extension does not answer within 9 s";
