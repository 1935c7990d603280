// A real execution environment but for Lambda itself: the layer and a function, under the Runtime Interface Emulator, in a
// namespace of their own (sandbox.sh).
//
//   startRie ── invoke ── invoke ── shutdown ── close
//                 └ the emulator does init inside the first invocation, and inside the one after a time-out or a crash
//
// There is no network namespace: ports are this machine's. So an extension reaches a fake AWS on 127.0.0.1, and a test
// reaches the extension. Two environments at once need two ports for the extension (`findFreePort`).

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
import { createLog, type LogLine, type WaitForLogOptions } from "./log.ts";
import { type Exit, ifAlive, readChildren, readDescendants, readVariableNames, startProcess } from "./process.ts";
import type { Runtime } from "./runtimes.ts";

export interface RieOptions {
  /** The layer: an image of `/opt`. */
  readonly opt: string;
  /** The function: what `/var/task` holds. */
  readonly task: string;
  readonly runtime: Runtime;
  /** The function's variables, credentials included; they win over Lambda's own below. Extension and function get nothing else. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of the emulator's command line. */
  readonly flags?: readonly string[];
  /** Who the emulator is, as `chroot --userspec` takes it. Default: Lambda's user. */
  readonly user?: string;
}

/** What the caller of a function gets. */
export interface Invocation {
  /** 200 also for a function that threw or timed out; 502 when the runtime or an extension died. */
  readonly status: number;
  readonly body: string;
  readonly ms: number;
}

/** How an environment ended after SIGTERM. */
export interface Shutdown extends Exit {
  readonly ms: number;
}

export interface Sandbox {
  /** What emulator, extension and function print, with the milliseconds since the start. */
  readonly logs: readonly LogLine[];
  /** The folder that is `/tmp` inside: it outlives the emulator's resets and `shutdown`, and is removed by `close`. */
  readonly tmp: string;
  /** One invocation; the payload is sent as JSON. Rejects when there is no answer in time. */
  invoke(payload?: unknown, options?: { readonly timeoutMs?: number }): Promise<Invocation>;
  waitForLog(pattern: RegExp, options?: WaitForLogOptions): Promise<LogLine>;
  /** Process ids, as this machine numbers them, of what the emulator has started from `/opt/extensions` and still runs. */
  extensionPids(): number[];
  /** Stops every process that the emulator has started, as Lambda does between two invocations; says by what. The emulator goes on. */
  freeze(): Promise<string>;
  thaw(): Promise<void>;
  /** SIGTERM to the emulator: it sends SHUTDOWN to the extensions, and kills after two seconds. */
  shutdown(): Promise<Shutdown>;
  /** Ends every process and removes every file. To be called whatever the test's outcome; a second time is no error. */
  close(): Promise<void>;
}

/** Lambda's own variables, where the emulator does not set them, in a region of Europe. */
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

/** Where `sam local` puts it. */
const EMULATOR = "/var/rapid/aws-lambda-rie";

/** Starts an environment, and settles when it can be invoked. Nothing of the layer or the function runs before `invoke`. */
export async function startRie(options: RieOptions): Promise<Sandbox> {
  const { opt, task, runtime, environment, flags = [], user = "993:990" } = options;
  const counterparts = findCounterparts();
  if (counterparts === undefined) throw new Error("no emulator: run npx tsx scripts/setup/end-to-end.ts");
  const folder = await mkdtemp(join(tmpdir(), "sandbox-"));
  const tmp = join(folder, "tmp");
  await mkdir(join(folder, "root"));
  await mkdir(tmp);
  await chmod(tmp, 0o1777); // `mkdir` heeds the umask

  const [runtimeApiPort, invokePort] = await Promise.all([findFreePort(), findFreePort()]);
  const files = { ...runtime.files, "/opt": opt, "/var/task": task, [EMULATOR]: counterparts.emulator };
  const variables = { ...LAMBDA_ENVIRONMENT, AWS_LAMBDA_FUNCTION_HANDLER: runtime.handler, ...environment };
  const log = createLog();
  const { child, ended } = startProcess({
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
    await freezer.thaw(); // a signal does not reach what is frozen
    // With process 1 the kernel ends all others of its namespace, and their mounts, before `unshare` sees it gone.
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
      // Variables that begin with `_` are the runtime's alone. Nothing else tells the two apart in every case: a launcher
      // becomes another program, and a bootstrap is a child of the emulator, too.
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

/** Knocks until somebody listens: the emulator prints nothing that would say so. */
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
