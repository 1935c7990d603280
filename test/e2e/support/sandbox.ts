// A real execution environment, except for Lambda itself: the layer and a function, under the Runtime Interface Emulator, in
// a namespace of their own (sandbox.sh).
//
//   startRie ── invoke ── invoke ── shutdown ── close
//                 └ the emulator does init in the first invocation, and in the first one after a time-out or a crash
//
// It has no network namespace: it uses this machine's ports. So an extension reaches a fake AWS on 127.0.0.1, and a test
// reaches the extension. Two environments at the same time need two ports for the extension (`findFreePort`).

import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill } from "node:process";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findCounterparts } from "../../../scripts/setup/end-to-end.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createFreezer } from "./freezer.ts";
import { send } from "./http.ts";
import { createOutput, type OutputLine, type WaitForLineOptions } from "./log.ts";
import { ifAlive, type ProcessExit, readChildren, readDescendants, readVariableNames, startChild } from "./process.ts";
import type { Runtime } from "./runtimes.ts";

export interface RieOptions {
  /** The layer: an image of `/opt`. */
  readonly opt: string;
  /** The function: the contents of `/var/task`. */
  readonly task: string;
  readonly runtime: Runtime;
  /** The function's variables, credentials included. They replace Lambda's own below. Extension and function get no others. */
  readonly environment: Readonly<Record<string, string>>;
  /** Options for the emulator's command line. */
  readonly flags?: readonly string[];
  /** The emulator's user, in the format of `chroot --userspec`. Default: Lambda's user. */
  readonly user?: string;
}

/** The emulator's answer to the caller of a function. */
export interface EmulatorAnswer {
  /** 200 also for a function that threw or timed out. 502 if the runtime or an extension ended. */
  readonly status: number;
  readonly body: string;
  readonly ms: number;
}

/** How an environment ended after SIGTERM. */
export interface SandboxShutdown extends ProcessExit {
  readonly ms: number;
}

export interface Sandbox {
  /** The lines that emulator, extension and function print, with the milliseconds since the start. */
  readonly logs: readonly OutputLine[];
  /** The folder that is `/tmp` inside. The emulator's resets and `shutdown` keep it, and `close` removes it. */
  readonly tmp: string;
  /** Invokes the function with the payload as JSON. Rejects if there is no answer in time. */
  invoke(payload?: unknown, options?: { readonly timeoutMs?: number }): Promise<EmulatorAnswer>;
  waitForLog(pattern: RegExp, options?: WaitForLineOptions): Promise<OutputLine>;
  /** The process ids, in this machine's numbering, of running processes that the emulator has started from `/opt/extensions`. */
  extensionPids(): number[];
  /** Stops every process that the emulator has started, as Lambda does between two invocations. Returns the method. The emulator continues. */
  freeze(): Promise<string>;
  thaw(): Promise<void>;
  /** Sends SIGTERM to the emulator, which sends SHUTDOWN to the extensions and kills them after two seconds. */
  shutdown(): Promise<SandboxShutdown>;
  /** Ends every process and removes every file. Call it whatever the test's outcome. A second call is no error. */
  close(): Promise<void>;
}

/** Lambda's own variables that the emulator does not set, in a region of Europe. */
const LAMBDA_ENVIRONMENT = {
  AWS_DEFAULT_REGION: "eu-west-1",
  AWS_LAMBDA_FUNCTION_NAME: "function",
  AWS_LAMBDA_FUNCTION_TIMEOUT: "10", // Lambda's default of 3 is too close to a cold start on a busy CI machine
  AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
  AWS_REGION: "eu-west-1",
  LANG: "en_US.UTF-8",
  // The function's libraries come first, for extensions too.
  LD_LIBRARY_PATH: "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
  PATH: "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
  TZ: ":UTC",
};

/** The emulator's path in `sam local`. */
const EMULATOR = "/var/rapid/aws-lambda-rie";

/** Starts an environment, and settles when it can be invoked. Layer and function do not run before `invoke`. */
export async function startRie(options: RieOptions): Promise<Sandbox> {
  const { opt, task, runtime, environment, flags = [], user = "993:990" } = options;
  const counterparts = findCounterparts();
  if (counterparts === undefined) throw new Error("no emulator: run npx tsx scripts/setup/end-to-end.ts");
  const folder = await mkdtemp(join(tmpdir(), "sandbox-"));
  const tmp = join(folder, "tmp");
  await mkdir(join(folder, "root"));
  await mkdir(tmp);
  await chmod(tmp, 0o1777); // `mkdir` applies the umask

  const [runtimeApiPort, invokePort] = await Promise.all([findFreePort(), findFreePort()]);
  // A runtime may have files that replace some of the layer's.
  const files = { "/opt": opt, "/var/task": task, [EMULATOR]: counterparts.emulator, ...runtime.files };
  const variables = { ...LAMBDA_ENVIRONMENT, AWS_LAMBDA_FUNCTION_HANDLER: runtime.handler, ...environment };
  const log = createOutput();
  const { child, ended } = startChild({
    command: [
      ...["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"],
      fileURLToPath(new URL("sandbox.sh", import.meta.url)),
      ...[folder, user],
      ...Object.entries(files).flatMap(([inside, here]) => [here, inside]),
      "--",
      ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      ...[EMULATOR, "--log-level", "info", "--runtime-api-address", `127.0.0.1:${runtimeApiPort}`],
      ...["--runtime-interface-emulator-address", `127.0.0.1:${invokePort}`],
      ...flags,
      ...runtime.bootstrap,
    ],
    onLine: log.add,
  });
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
    log.end();
  });
  const toChildren = (pid: number | undefined) => (pid === undefined ? [] : (ifAlive(() => readChildren(pid)) ?? []));
  const findInit = () => toChildren(child.pid)[0];

  const freezer = createFreezer();

  const close = async () => {
    await freezer.thaw(); // a frozen process gets no signal
    // With process 1 the kernel ends all others of its namespace, and their mounts, before `unshare` sees its end.
    const init = findInit();
    if (!hasEnded && !ifAlive(() => init !== undefined && kill(init, "SIGKILL"))) child.kill("SIGKILL");
    await ended;
    freezer.remove();
    await rm(folder, { recursive: true, force: true });
  };

  if (!(await isListening(invokePort, () => hasEnded))) {
    await close();
    throw new Error(`the emulator did not start:\n${log.lines.map((line) => line.text).join("\n")}`);
  }
  const [emulatorPid] = toChildren(findInit());
  if (emulatorPid === undefined) {
    await close();
    throw new Error("the emulator ended as soon as it had started");
  }

  return {
    logs: log.lines,
    tmp,
    waitForLog: log.waitFor,
    close,
    async invoke(payload = {}, { timeoutMs = 30_000 } = {}) {
      const startMs = performance.now();
      const url = `http://127.0.0.1:${invokePort}/2015-03-31/functions/function/invocations`;
      const response = await send({ url, body: JSON.stringify(payload), timeoutMs });
      const body = await text(response);
      return { status: response.statusCode ?? 0, body, ms: performance.now() - startMs };
    },
    extensionPids() {
      // Only the runtime gets variables that begin with `_`. No other difference holds in every case: a launcher becomes
      // another program, and a bootstrap is also a child of the emulator.
      const isExtension = (pid: number) => ifAlive(() => !readVariableNames(pid).includes("_HANDLER")) ?? false;
      return toChildren(emulatorPid).filter(isExtension);
    },
    freeze: () => freezer.freeze(readDescendants(emulatorPid)),
    thaw: freezer.thaw,
    async shutdown() {
      const startMs = performance.now();
      if (!hasEnded) ifAlive(() => kill(emulatorPid, "SIGTERM"));
      return { ...(await ended), ms: performance.now() - startMs };
    },
  };
}

/** Connects until a program listens: the emulator prints no line when it does. */
async function isListening(port: number, isHopeless: () => boolean): Promise<boolean> {
  while (!isHopeless()) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return true;
    } catch {
      await delay(5);
    } finally {
      socket.destroy();
    }
  }
  return false;
}
