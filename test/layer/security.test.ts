/** Which requests are refused, and what the process reveals under signals, errors and lack of memory. The log level is debug. */
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { logLevels } from "../../extension/logger.ts";
import { toOpt } from "../../scripts/build/build.ts";
import { type Bench, type BenchOptions, startBench } from "../support/bench.ts";
import { findLeaks, readFolder } from "../support/canary.ts";
import { copyLayer, createTempFolder, writeTempFile } from "../support/temp-files.ts";
import { SECRET_NAME } from "../support/two-accounts.ts";

const SECRET = `/secrets/${SECRET_NAME}`;
/** Whether the kernel shows processes as files. */
const HAS_PROC = existsSync("/proc/self/limits");
const CARRIES_NODE = process.arch === "x64" && existsSync(join(toOpt("x86_64"), "cross-account-secrets/bin/node"));

async function start(options: BenchOptions = {}): Promise<Bench> {
  const bench = await startBench(options);
  await bench.lambda.init();
  return bench;
}

/** Makes a layer whose program runs this code first. */
function withPrologue(code: string): string {
  const opt = copyLayer();
  const main = join(opt, "cross-account-secrets/main.cjs");
  writeFileSync(main, `${code}\n${readFileSync(main, "utf8")}`);
  return opt;
}

function toPid({ lambda }: Bench): number {
  if (lambda.extensionPid === undefined) throw new Error("no extension is running");
  return lambda.extensionPid;
}

describe("a token in a file", () => {
  it("is read again within two seconds after a change, but a missing or invalid file changes nothing", async () => {
    const file = join(createTempFolder(), "token");
    writeFileSync(file, "the-first-token\n");
    const bench = await start({ environment: { CROSS_ACCOUNT_SECRETS_TOKEN: `file://${file}` } });
    const statusOf = async (token: string) =>
      (await bench.ask(SECRET, { headers: { "X-Aws-Parameters-Secrets-Token": token } })).status;
    const tokens = ["the-first-token", "the-second-token", "the-third-token"];
    const statuses = async () => [
      await statusOf("the-first-token"),
      await statusOf("the-second-token"),
      await statusOf("the-third-token"),
    ];
    expect(await statuses()).toEqual([200, 403, 403]);
    const wrong = await bench.ask(SECRET, { headers: { "X-Aws-Parameters-Secrets-Token": "wrong" } });
    expect(wrong.body).not.toContain(file);
    expect(JSON.parse(wrong.body).remedy).toMatch(/the text in the file that CROSS_ACCOUNT_SECRETS_TOKEN names$/);
    writeFileSync(file, "the-second-token");
    await expect.poll(statuses, { timeout: 2_000, interval: 100 }).toEqual([403, 200, 403]);
    rmSync(file);
    await delay(1_100);
    expect(await statuses()).toEqual([403, 200, 403]);
    for (const broken of ["", "two tokens", "tok\u00e9n"]) {
      writeFileSync(file, broken);
      await delay(1_100);
      expect(await statuses()).toEqual([403, 200, 403]);
    }
    writeFileSync(file, "the-third-token");
    await expect.poll(statuses, { timeout: 2_000, interval: 100 }).toEqual([403, 403, 200]);
    const logs = new Map(bench.lambda.logs.map(({ line }, index) => [`line ${index}`, line]));
    expect(findLeaks(logs, tokens)).toEqual([]);
  });
});

describe("a token in a file that others may write", () => {
  it("fails the init with the path and the remedy", async () => {
    const file = writeTempFile("CANARY-given-token");
    chmodSync(file, 0o666);
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_TOKEN: `file://${file}` } });
    await expect(bench.lambda.init()).rejects.toMatchObject({
      reported: { errorType: "Extension.ConfigInvalid" },
    });
    const line = bench.lambda.logs.map((log) => log.line).find((text) => text.includes("CROSS_ACCOUNT_SECRETS_TOKEN"));
    expect(line).toMatch(/a readable file of this user or root with one token in it, writable only by its owner; got/);
    expect(line).toContain(file);
    expect(line).not.toContain("CANARY");
  });

  it("is not believed while the extension runs", async () => {
    const file = writeTempFile("the-first-token");
    chmodSync(file, 0o600);
    const bench = await start({ environment: { CROSS_ACCOUNT_SECRETS_TOKEN: `file://${file}` } });
    const statusOf = async (token: string) =>
      (await bench.ask(SECRET, { headers: { "X-Aws-Parameters-Secrets-Token": token } })).status;
    chmodSync(file, 0o666);
    writeFileSync(file, "of-somebody-else");
    await delay(1_100);
    expect([await statusOf("the-first-token"), await statusOf("of-somebody-else")]).toEqual([200, 403]);
  });
});

/** Sends these bytes, which ask the server to close the connection, and returns the status of the first answer. */
async function exchange(port: number, request: string): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(request);
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(await text(socket))?.[1]);
}

describe("a request", () => {
  const toRequest = ({ port, environment }: Bench, method: string, target: string, headers: string[], body = "") =>
    [
      `${method} ${target} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      `X-Aws-Parameters-Secrets-Token: ${environment.AWS_SESSION_TOKEN}`,
      "Connection: close",
      ...headers,
      "",
      body,
    ].join("\r\n");

  it.each([
    ["Forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43"],
    ["X-Forwarded-For", "192.0.2.60"],
    ["X-Forwarded-For", ""],
    ["Via", "1.1 proxy"],
  ])("with the header %s: %s is refused, also on /ping", async (name, value) => {
    const { ask } = await start();
    for (const path of [SECRET, "/ping"]) {
      const refused = await ask(path, { headers: { [name]: value } });
      expect([refused.status, JSON.parse(refused.body).__type]).toEqual([400, "ValidationException"]);
    }
  });

  it("with two Host headers, none, or that of another server is refused", async () => {
    const bench = await start();
    const { port } = bench;
    const own = `Host: 127.0.0.1:${port}`;
    expect(await exchange(port, toRequest(bench, "GET", SECRET, []))).toBe(200);
    for (const second of [own, "Host: evil.example"]) {
      expect(await exchange(port, toRequest(bench, "GET", SECRET, [second]))).toBe(400);
    }
    for (const other of ["", "Host: evil.example\r\n", "Host: 127.0.0.1\r\n"]) {
      const request = toRequest(bench, "GET", SECRET, []).replace(`${own}\r\n`, other);
      expect(await exchange(port, request)).toBe(400);
    }
  });

  it("may have a body of up to 1 KiB and a target of up to 10 KiB", async () => {
    const bench = await start();
    const { port } = bench;
    const withBody = (method: string, target: string, length: number) =>
      exchange(port, toRequest(bench, method, target, [`Content-Length: ${length}`], "x".repeat(length)));
    expect(await withBody("GET", SECRET, 1_024)).toBe(200);
    expect(await withBody("GET", SECRET, 1_025)).toBe(413);
    expect(await withBody("POST", `${SECRET}/invalid?versionId=x`, 1_024)).toBe(204);
    expect(await withBody("POST", `${SECRET}/invalid?versionId=x`, 1_025)).toBe(413);
    // A chunked body without an end.
    const chunked = toRequest(bench, "GET", SECRET, ["Transfer-Encoding: chunked"], `400\r\n${"x".repeat(1_024)}\r\n`);
    expect(await exchange(port, chunked)).toBe(413);
    const toTarget = (length: number) => `${SECRET}?key=`.padEnd(length, "x");
    expect(await exchange(port, toRequest(bench, "GET", toTarget(10_240), []))).toBe(404);
    expect(await exchange(port, toRequest(bench, "GET", toTarget(10_241), []))).toBe(414);
    expect((await bench.askForSecret()).status).toBe(200);
  });
});

describe.skipIf(!HAS_PROC)("the process (needs /proc)", () => {
  /** Finds the TCP ports that a process listens on, according to the kernel. */
  function findListeningPorts(pid: number): number[] {
    const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const inodes = links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
    const rows = ["tcp", "tcp6"].flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, "utf8").split("\n"));
    return rows.flatMap((row) => {
      const [, local = "", , state, , , , , , inode = ""] = row.trim().split(/\s+/);
      return state === "0A" && inodes.includes(inode) ? [Number.parseInt(local.split(":")[1] ?? "", 16)] : [];
    });
  }

  /** Whether a process has a handler for this signal, according to the kernel. */
  function catches(pid: number | undefined, signal: number): boolean {
    if (!existsSync(`/proc/${pid}/status`)) return false;
    const [, caught = "0"] = /^SigCgt:\s+([\da-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return (BigInt(`0x${caught}`) >> BigInt(signal - 1)) % 2n === 1n;
  }

  for (const [node, layer, canRun] of [
    ["the runtime's own Node", "nodejs", true],
    ["the carried Node (Linux on x86_64)", "x86_64", CARRIES_NODE],
  ] as const) {
    it.skipIf(!canRun)(`opens no inspector at SIGUSR1, and keeps running (${node})`, async () => {
      const bench = await start({ layer });
      const pid = toPid(bench);
      process.kill(pid, "SIGUSR1");
      // Node opens its inspector within milliseconds. A request is answered in between.
      await bench.askForSecret();
      await delay(500);
      expect(findListeningPorts(pid)).toEqual([bench.port]);
      expect(bench.lambda.logs.filter(({ line }) => /debugger|inspector/i.test(line))).toEqual([]);
      expect((await bench.askForSecret()).status).toBe(200);
      expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
    });
  }

  it("closes the inspector that SIGUSR1 opens before the program runs", async () => {
    const bench = await startBench({ opt: withPrologue("for (const end = Date.now() + 300; Date.now() < end; );") });
    const init = bench.lambda.init();
    // Without Node's handler, the signal would end the process.
    const isReady = () => catches(bench.lambda.extensionPid, constants.signals.SIGUSR1);
    await expect.poll(isReady, { interval: 1 }).toBe(true);
    const pid = toPid(bench);
    process.kill(pid, "SIGUSR1");
    await bench.lambda.waitForLog(({ line }) => line.startsWith("Debugger listening"));
    await init;
    await expect.poll(() => findListeningPorts(pid)).toEqual([bench.port]);
    expect((await bench.askForSecret()).status).toBe(200);
    expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
  });

  it.each(["SIGQUIT", "SIGABRT", "SIGSEGV"] as const)("leaves no core file at %s", async (signal) => {
    const bench = await start();
    const pid = toPid(bench);
    const limit = /^Max core file size\s+(\S+)\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"));
    expect(limit?.slice(1)).toEqual(["0", "0"]);
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    const findCores = () => readdirSync(folder).filter((name) => /^core(\.\d+)?$/.test(name));
    const before = findCores();
    process.kill(pid, signal);
    await expect.poll(() => bench.lambda.extensionPid === undefined || !existsSync(`/proc/${pid}/exe`)).toBe(true);
    expect(findCores()).toEqual(before);
  });

  it("has no fetched secret and no assumed session in its environment, its arguments or /tmp", async () => {
    const bench = await start();
    const pid = toPid(bench);
    const [, ...assumed] = bench.aws.listCredentials();
    expect(assumed).toHaveLength(1);
    const keys = assumed.flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]);
    const outputs = readFolder(bench.lambda.tempFolder);
    for (const name of ["environ", "cmdline"]) outputs.set(name, readFileSync(`/proc/${pid}/${name}`, "latin1"));
    expect(outputs.get("environ")).toContain("CROSS_ACCOUNT_SECRETS_");
    expect(findLeaks(outputs, [...bench.canaries, ...keys])).toEqual([]);
  });
});

describe("the output of the process", () => {
  /** Makes a layer whose program behaves like a bug at SIGUSR2: it reads a secret and a token, and throws them. */
  function withBug(bug: string): string {
    return withPrologue(
      `const stolen = process.env.AWS_SESSION_TOKEN;
      process.on("SIGUSR2", () => {
        const port = process.env.CROSS_ACCOUNT_SECRETS_HTTP_PORT;
        const headers = { "X-Aws-Parameters-Secrets-Token": stolen };
        require("node:http").get({ port, path: "${SECRET}", headers }, (response) => {
          let body = "";
          response.on("data", (chunk) => { body += chunk; }).on("end", () => {
            const error = Object.assign(new TypeError(body + stolen), { body });
            ${bug}
          });
        });
      });`,
    );
  }

  /** The level decides whether a bug is logged. It does not change the logged text. */
  describe.each(logLevels)("at log level %s", (level) => {
    const environment = { CROSS_ACCOUNT_SECRETS_LOG_LEVEL: level };
    const says = (line: Readonly<Record<string, unknown>>) => (level === "none" ? [] : [line]);
    /** Asserts that the log has only lines of the program. */
    const expectNoOthers = ({ lambda }: Bench) =>
      expect(lambda.logs.filter(({ line }) => level === "none" || !line.startsWith('{"time":'))).toEqual([]);

    it.each([
      ["an uncaught exception", "throw error;"],
      ["an unhandled rejection", "Promise.reject(error);"],
      ["a thrown value that is not an error", "throw body;"],
    ])("names only the type of %s, and the process keeps running", async (_, bug) => {
      const bench = await start({ opt: withBug(bug), environment });
      process.kill(toPid(bench), "SIGUSR2");
      // The bug reads the secret, and then throws it.
      await expect.poll(async () => JSON.parse((await bench.ask("/stats")).body).hits).toBe(1);
      expect((await bench.askForSecret()).status).toBe(200);
      const message = expect.stringMatching(/^unexpected \w+$/);
      await expect.poll(() => bench.events("bug")).toMatchObject(says({ level: "error", message }));
      expectNoOthers(bench);
      expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
    });

    it.each(["SIGTERM", "SIGQUIT", "SIGABRT"] as const)("is empty at %s", async (signal) => {
      const bench = await start({ environment });
      await bench.askForSecret();
      await bench.ask("/secrets/not-configured");
      const lines = bench.lambda.logs.length;
      const pid = toPid(bench);
      process.kill(pid, "SIGUSR1");
      process.kill(pid, signal);
      await expect.poll(() => isAlive(pid)).toBe(false);
      expect(bench.lambda.logs.slice(lines)).toEqual([]);
      expectNoOthers(bench);
    });

    it("comes from V8 when memory runs out, and contains no secret", async () => {
      const opt = withBug("const held = []; for (;;) held.push([...error.message]);");
      // The launcher starts Node without options and ignores NODE_OPTIONS, so this test has its own launcher.
      const program = join(opt, "cross-account-secrets/main.cjs");
      const launcher = `#!/bin/sh\nulimit -c 0\nexec "${process.execPath}" --max-old-space-size=64 --no-warnings "${program}"\n`;
      writeFileSync(join(opt, "extensions/cross-account-secrets"), launcher, { mode: 0o755 });
      const bench = await start({ opt, environment });
      const pid = toPid(bench);
      process.kill(pid, "SIGUSR2");
      await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
      await bench.lambda.waitForLog(({ line }) => line.includes("heap out of memory"));
    });
  });
});

/** A zombie is not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
