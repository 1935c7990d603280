/** The native launcher: it is fast in the normal case, and leaves all other cases to Node. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { execPath } from "node:process";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { layerFolder } from "../../scripts/build/launchers.ts";
import { type Bench, type BenchOptions, startBench } from "../support/bench.ts";
import { takePort } from "../support/free-port.ts";
import { copyLayer, createTempFolder } from "../support/temp-files.ts";

const canRun = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
const LAUNCHER = join(layerFolder, process.arch === "arm64" ? "launcher-arm64" : "launcher-x86_64");

/** Makes a nodejs layer that starts with this program. */
function makeOpt(extension: "launcher" | "Node alone"): string {
  const opt = copyLayer();
  const file = join(opt, "extensions/cross-account-secrets");
  if (extension !== "Node alone") cpSync(LAUNCHER, file);
  else writeFileSync(file, `#!${execPath}\nrequire(${JSON.stringify(join(opt, "cross-account-secrets/main.cjs"))});\n`);
  chmodSync(file, 0o755);
  return opt;
}

const startNative = (options: BenchOptions = {}) => startBench({ opt: makeOpt("launcher"), ...options });

const countRegistrations = ({ lambda }: Bench) => lambda.journal.filter(({ call }) => call === "register").length;

const has = (command: string) => spawnSync(command, ["--version"]).error === undefined;

describe.skipIf(!canRun)("the launcher (Linux)", () => {
  it("registers in at most 0.2 times the time that Node alone needs", async () => {
    const ratios: number[] = [];
    const opts = [makeOpt("launcher"), makeOpt("Node alone")];
    for (let round = 0; round < 5; round += 1) {
      const tookMs: number[] = [];
      for (const opt of opts) {
        const bench = await startBench({ opt });
        await bench.lambda.init();
        const at = (call: string) => bench.lambda.journal.find((entry) => entry.call === call)?.atMs ?? Number.NaN;
        tookMs.push(at("register") - at("start"));
        await bench.lambda.shutdown();
      }
      ratios.push((tookMs[0] ?? Number.NaN) / (tookMs[1] ?? Number.NaN));
    }
    expect(ratios.sort((a, b) => a - b)[2]).toBeLessThanOrEqual(0.2);
  });

  it("accepts a connection before Node has started, and Node answers it", async () => {
    const bench = await startNative();
    const init = bench.lambda.init();
    await bench.lambda.waitForJournal(({ call }) => call === "register");
    const answer = await bench.askForSecret();
    expect(answer.status).toBe(200);
    await init;
    expect(countRegistrations(bench)).toBe(1);
  });

  it.skipIf(!has("strace"))("opens no file before it executes Node (needs strace)", async () => {
    const trace = join(createTempFolder(), "trace");
    const port = await listen((socket) => void socket.end(ANSWER));
    const opt = createTempFolder();
    mkdirSync(join(opt, "extensions"));
    symlinkSync(LAUNCHER, join(opt, "extensions/x"));
    await run("strace", ["-o", trace, join(opt, "extensions/x")], { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}` });
    const calls = readFileSync(trace, "utf8").split("\n").slice(1);
    const atExec = calls.findIndex((line) => line.startsWith("execve("));
    expect(atExec).toBeGreaterThan(0);
    expect(calls.slice(0, atExec).filter((line) => /^(open|openat|stat|access|readlink)/.test(line))).toEqual([]);
  });

  describe("leaves the work to Node", () => {
    it("when the port is not a number: Node reports the mistake", async () => {
      const bench = await startNative({ environment: { CROSS_ACCOUNT_SECRETS_HTTP_PORT: "27x3" } });
      await expect(bench.lambda.init()).rejects.toMatchObject({ reported: { errorType: "Extension.ConfigInvalid" } });
      expect(bench.events("init-error")[0]?.message).toMatch(/HTTP_PORT must be a port, 1 to 65535; got "27x3"/);
    });

    it("when the port is taken: Node tries for a second, and reports it", async () => {
      const { port } = await takePort();
      const bench = await startNative({ environment: { CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port) } });
      await expect(bench.lambda.init()).rejects.toMatchObject({ reported: { errorType: "Extension.PortUnavailable" } });
    });

    it("when Lambda refuses the registration: Node is also refused, and ends", async () => {
      const refusal = { status: 403, body: { errorType: "Extension.RegistrationClosed", errorMessage: "closed" } };
      const bench = await startNative({ intercept: ({ call }) => (call === "register" ? refusal : undefined) });
      await expect(bench.lambda.init()).rejects.toMatchObject({ errorType: "Extension.Crash" });
      expect(bench.events("stopped")[0]?.message).toBe("register was answered with status 403");
      expect(countRegistrations(bench)).toBe(2);
    });

    it.each([
      ["answers 500", { status: 500 }],
      ["drops the connection", "disconnect"],
    ] as const)("when Lambda %s at first: Node registers", async (_, fault) => {
      const bench = await startNative({
        intercept: ({ call, count }) => (call === "register" && count === 1 ? fault : undefined),
      });
      await bench.lambda.init();
      expect((await bench.askForSecret()).status).toBe(200);
      expect(countRegistrations(bench)).toBe(2);
    });

    it("but waits itself when Lambda is slow", async () => {
      const bench = await startNative({
        intercept: async ({ call }) => {
          if (call === "register") await new Promise((resolve) => setTimeout(resolve, 700));
          return undefined;
        },
      });
      await bench.lambda.init();
      expect(countRegistrations(bench)).toBe(1);
    });

    it("but reports an error to the log and to Lambda when Node cannot be started", async () => {
      const opt = createTempFolder();
      mkdirSync(join(opt, "extensions"));
      cpSync(LAUNCHER, join(opt, "extensions/cross-account-secrets"));
      const bench = await startBench({ opt, environment: { PATH: "/nowhere" } });
      await expect(bench.lambda.init()).rejects.toMatchObject({
        errorType: "Extension.InitError",
        reported: { errorType: "Extension.NoNode" },
      });
      expect(bench.lambda.logs.map(({ line }) => line).join()).toContain("there is no Node.js here");
    });

    it("but reports that error to Lambda also if nobody reads the log", async () => {
      const opt = createTempFolder();
      mkdirSync(join(opt, "extensions"));
      cpSync(LAUNCHER, join(opt, "launcher"));
      // The pipe's only reader has ended when the launcher starts.
      const script = `#!/bin/sh\n{ /bin/sleep 0.1; exec '${join(opt, "launcher")}'; } 2>&1 | :\n`;
      writeFileSync(join(opt, "extensions/cross-account-secrets"), script, { mode: 0o755 });
      const bench = await startBench({ opt, environment: { PATH: "/nowhere" } });
      await expect(bench.lambda.init()).rejects.toMatchObject({ reported: { errorType: "Extension.NoNode" } });
    });
  });

  it.skipIf(!has("cc"))(
    "survives any answer of Lambda, compiled with sanitizers (needs a C compiler)",
    { timeout: 120_000 },
    async () => {
      const folder = createTempFolder();
      mkdirSync(join(folder, "extensions"));
      const sanitized = join(folder, "extensions/cross-account-secrets");
      const flags = ["-std=c11", "-D_GNU_SOURCE", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
      execFileSync("cc", [...flags, "-o", sanitized, join(layerFolder, "launcher.c")]);
      let answer: Buffer = Buffer.alloc(0);
      const port = await listen((socket) => void socket.end(answer));
      const environment = {
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        CROSS_ACCOUNT_SECRETS_HTTP_PORT: "none", // no port to bind, because only the answer is under test
        PATH: "",
        ASAN_OPTIONS: "exitcode=99",
        UBSAN_OPTIONS: "exitcode=99",
      };
      const pieces = fc.constantFrom(
        ...["HTTP/1.1 200 OK", "HTTP/1.1", "\r\n", "\n", ":", " ", "\0", "Lambda-Extension-Identifier", "a".repeat(70)],
        ...["lambda-extension-identifier: 7d4e0c7e-2b1c-4e5a-9d43-0f6c2f1f8a11", "x".repeat(4090), "\r\n\r\n", ANSWER],
      );
      const answers = fc.oneof(
        fc.array(pieces, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(""))),
        fc.tuple(fc.nat(ANSWER.length), fc.uint8Array({ maxLength: 40 })).map(([at, bytes]) => {
          return Buffer.concat([Buffer.from(ANSWER.slice(0, at)), bytes, Buffer.from(ANSWER.slice(at))]);
        }),
      );
      await fc.assert(
        fc.asyncProperty(answers, async (bytes) => {
          answer = bytes;
          // It reports that there is no Node, and ends with 1. A sanitizer ends it with 99, a crash with a signal.
          expect(await run(sanitized, [], environment)).toBe(1);
        }),
        { numRuns: 400 },
      );
    },
  );
});

const ANSWER =
  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Extension-Identifier: 7d4e0c7e-2b1c-4e5a-9d43-0f6c2f1f8a11\r\n" +
  "Content-Length: 2\r\n\r\n{}";

/** Starts a TCP server, and returns its port. */
async function listen(onConnection: Parameters<typeof createServer>[1]): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection?.(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

/** Returns the exit code or the signal. Asynchronously, because the server for the command is in this process. */
function run(command: string, args: readonly string[], env: Record<string, string>): Promise<number | string | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: "ignore" });
    child.on("error", reject).on("exit", (code, signal) => resolve(code ?? signal));
  });
}
