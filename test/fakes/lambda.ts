// A fake Lambda that a test controls step by step: it starts the built layer and a function as real processes, and serves
// them the Extensions API (2020-01-01) and the Runtime API (2018-06-01).
//
//   startFakeLambda ── init ── invoke ── invoke ── shutdown ── close
//                        └──────── reset ◄┘  after a time-out or a crash; the next invoke includes init, with the same /tmp
//
// It leaves out freezing between invocations (see `kill` with SIGSTOP), SnapStart's restore, the Telemetry API.

import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { RuntimeCallbacks } from "./lambda/callbacks.ts";
import { LambdaFailure, toInvocationError } from "./lambda/failure.ts";
import {
  createGeneration,
  type Generation,
  type InitReport,
  type RuntimeCommand,
  type ShutdownReport,
} from "./lambda/generation.ts";
import { type Intercept, startLambdaServer } from "./lambda/http.ts";
import { createEntryList, type JournalEntry, type LogLine, type Predicate } from "./lambda/record.ts";
import type { FunctionResult } from "./lambda/runtime.ts";

export type { RuntimeCallbacks } from "./lambda/callbacks.ts";
export { LambdaFailure } from "./lambda/failure.ts";
export type { InitReport, RuntimeCommand, ShutdownReport } from "./lambda/generation.ts";
export type { Intercept, InterceptedCall, Interception } from "./lambda/http.ts";
export type { JournalEntry, LogLine } from "./lambda/record.ts";

/** The settings of an execution environment, made by the function's owner or by Lambda. */
export interface FakeLambdaOptions {
  /** The folder that replaces `/opt`: every file in its `extensions` is started. */
  readonly opt: string;
  /** The function's variables, credentials included. */
  readonly environment: Readonly<Record<string, string>>;
  /** A command, or two callbacks inside the test that replace the function. Default: a function that returns null. */
  readonly runtime?: RuntimeCommand | RuntimeCallbacks;
  readonly functionName?: string;
  /** Default: 3000, as in Lambda. */
  readonly functionTimeoutMs?: number;
  /** How long `init` may take. After that it fails, and the next invocation includes init. Default: 10000, as for on-demand. */
  readonly initTimeoutMs?: number;
  readonly initializationType?: "on-demand" | "provisioned-concurrency" | "snap-start" | "lambda-managed-instances";
  readonly memorySizeMb?: number;
  /** Injects faults, or holds a call back. */
  readonly intercept?: Intercept;
}

/** The answer to the caller of a function. */
export type Invocation = FunctionResult & {
  readonly requestId: string;
  /** The time until the answer, including an init inside the invocation. */
  readonly durationMs: number;
  /** Init was part of this invocation, because the environment was new or reset. */
  readonly initInside: boolean;
};

/** One execution environment. */
export interface FakeLambda {
  /** `AWS_LAMBDA_RUNTIME_API`: host and port. */
  readonly runtimeApi: string;
  /** Replaces Lambda's `/tmp`: the `TMPDIR` of all processes. A reset keeps it. */
  readonly tempFolder: string;
  /** Every API call and every action of Lambda, in order. */
  readonly journal: readonly JournalEntry[];
  /** The lines that extensions and function have printed. */
  readonly logs: readonly LogLine[];
  /** The process id of the first extension by name, while it runs. */
  readonly extensionPid: number | undefined;
  readonly runtimePid: number | undefined;
  /** A cold start before an invocation. If it fails, it resets the environment and rejects with a `LambdaFailure`. */
  init(): Promise<InitReport>;
  /** One invocation. It includes init if there was none, or none since a reset. Settles when the environment is idle again. */
  invoke(payload?: unknown): Promise<Invocation>;
  /** Lambda's reaction to a time-out or a failure: it ends everything as `shutdown` does, and the next `invoke` starts it again. */
  reset(reason: "timeout" | "failure"): Promise<ShutdownReport>;
  /** Ends the environment. */
  shutdown(reason?: string): Promise<ShutdownReport>;
  /** Signals a whole process group: SIGKILL is a crash, SIGSTOP and SIGCONT are a freeze. */
  kill(which: "extension" | "runtime", signal: NodeJS.Signals): void;
  /** Settles with the first entry that matches, including past entries. */
  waitForJournal(predicate: Predicate<JournalEntry>): Promise<JournalEntry>;
  waitForLog(predicate: Predicate<LogLine>): Promise<LogLine>;
  /** Ends every process and socket, and removes the folder. */
  close(): Promise<void>;
}

/** Account B. */
const ACCOUNT_ID = "222222222222";

/** Makes an execution environment. Nothing runs in it yet. */
export async function startFakeLambda(options: FakeLambdaOptions): Promise<FakeLambda> {
  const { functionTimeoutMs = 3_000, initTimeoutMs = 10_000, runtime = {} } = options;
  const journal = createEntryList<JournalEntry>();
  const logs = createEntryList<LogLine>();
  const folder = await mkdtemp(join(tmpdir(), "fake-lambda-"));
  const [tempFolder, emptyTask] = [join(folder, "tmp"), join(folder, "task")];
  for (const path of [tempFolder, emptyTask]) mkdirSync(path);
  const extensionNames = await listExtensions(options.opt);

  let beganMs: number | undefined;
  let generation: Generation | undefined;
  let isBusy = false;
  let isOver = false;

  const atMs = () => (beganMs === undefined ? 0 : performance.now() - beganMs);
  const record = (from: string, call: string, detail: JournalEntry["detail"]) =>
    journal.add({ atMs: atMs(), from, call, detail });
  const server = await startLambdaServer({
    generation: () => generation,
    record,
    intercept: options.intercept ?? (() => undefined),
  });

  const isCommand = "command" in runtime;
  const environment = {
    runtimeApi: server.address,
    opt: resolve(options.opt),
    taskRoot: isCommand ? resolve(runtime.cwd) : emptyTask,
    temp: tempFolder,
    handler: (isCommand ? runtime.handler : undefined) ?? "index.handler",
    functionName: options.functionName ?? "my-function",
    initializationType: options.initializationType ?? "on-demand",
    memorySizeMb: options.memorySizeMb ?? 128,
    variables: options.environment,
  };

  function startGeneration(): Generation {
    beganMs ??= performance.now();
    const log = (line: Omit<LogLine, "atMs">) => logs.add({ atMs: atMs(), ...line });
    generation = createGeneration({ extensionNames, runtime, environment, accountId: ACCOUNT_ID, record, log });
    return generation;
  }

  async function endGeneration(reason: string): Promise<ShutdownReport> {
    if (generation === undefined) return { exitCode: null, signal: null, launchError: null, ms: 0 };
    generation.fail(new LambdaFailure("Sandbox.Failure", `ended with reason ${reason}`));
    const report = await generation.shutdown(reason);
    generation = undefined;
    return report;
  }

  /** Runs one step at a time. After the limit the generation fails, and any failure resets the environment. */
  async function step<Result>(limitMs: number, task: (current: Generation) => Promise<Result>): Promise<Result> {
    if (isOver) throw new Error("this environment has been shut down");
    if (isBusy) throw new Error("an environment does one thing at a time");
    isBusy = true;
    const current = generation ?? startGeneration();
    const tooLate = new LambdaFailure(
      "Sandbox.Timedout",
      `Task timed out after ${(limitMs / 1000).toFixed(2)} seconds`,
    );
    const timer = setTimeout(() => current.fail(tooLate), limitMs);
    try {
      return await task(current);
    } catch (error) {
      clearTimeout(timer);
      await endGeneration(error === tooLate ? "timeout" : "failure");
      throw error;
    } finally {
      clearTimeout(timer);
      isBusy = false;
    }
  }

  function findProcess(which: "extension" | "runtime") {
    return which === "runtime" ? generation?.runtime.running : generation?.extensions.external[0]?.running;
  }

  const lambda: FakeLambda = {
    runtimeApi: server.address,
    tempFolder,
    journal: journal.entries,
    logs: logs.entries,
    waitForJournal: journal.waitFor,
    waitForLog: logs.waitFor,
    get extensionPid() {
      return findProcess("extension")?.pid;
    },
    get runtimePid() {
      return findProcess("runtime")?.pid;
    },
    async init() {
      if (generation !== undefined) throw new Error("init is over");
      return step(initTimeoutMs, (current) => current.init());
    },
    async invoke(payload = {}) {
      const requestId = randomUUID();
      const startedMs = performance.now();
      const deadlineEpochMs = Date.now() + functionTimeoutMs;
      const initInside = generation === undefined;
      let durationMs = 0;
      let outcome: FunctionResult | undefined;
      try {
        await step(functionTimeoutMs, async (current) => {
          try {
            if (initInside) await current.init();
            outcome = await current.invoke(requestId, payload, deadlineEpochMs);
          } finally {
            durationMs = performance.now() - startedMs;
          }
          await current.idle();
        });
      } catch (error) {
        if (!(error instanceof LambdaFailure)) throw error;
        // An answer that exists counts: a later failure only resets the environment.
        outcome ??= { error: toInvocationError(error, requestId) };
      }
      if (outcome === undefined) throw new Error("an invocation without an outcome");
      return { ...outcome, requestId, durationMs, initInside };
    },
    reset: endGeneration,
    async shutdown(reason = "spindown") {
      isOver = true;
      return endGeneration(reason);
    },
    kill(which, signal) {
      const running = findProcess(which);
      if (running === undefined) throw new Error(`no ${which} is running`);
      running.signal(signal);
    },
    async close() {
      isOver = true;
      for (const { running } of generation?.extensions.external ?? []) running?.signal("SIGKILL");
      generation?.runtime.running?.signal("SIGKILL");
      await endGeneration("failure");
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return lambda;
}

/** Every file, whatever its name. Folders are ignored. */
async function listExtensions(opt: string): Promise<string[]> {
  const entries = await readdir(join(opt, "extensions"), { withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => entry.name).sort();
}
