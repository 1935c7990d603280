// A fake Lambda that a test, or a person, steps: it starts the built layer and a function as real processes, and stands
// between them as the Extensions API (2020-01-01) and the Runtime API (2018-06-01) do.
//
//   startFakeLambda ── init ── invoke ── invoke ── shutdown ── close
//                        └──────── reset ◄┘  a time-out, a crash; the next invoke then does init inside, with the same /tmp
//
// What it leaves out: freezing between invocations (see `kill` with SIGSTOP), SnapStart's restore, the Telemetry API.

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
import type { Outcome } from "./lambda/runtime.ts";

export type { RuntimeCallbacks } from "./lambda/callbacks.ts";
export { LambdaFailure } from "./lambda/failure.ts";
export type { InitReport, RuntimeCommand, ShutdownReport } from "./lambda/generation.ts";
export type { Intercept, InterceptedCall, Interception } from "./lambda/http.ts";
export type { JournalEntry, LogLine } from "./lambda/record.ts";

/** What a function's owner, and Lambda itself, decide about an execution environment. */
export interface FakeLambdaOptions {
  /** A folder that stands for `/opt`: every file in its `extensions` is started. */
  readonly opt: string;
  /** The function's variables, credentials included. */
  readonly environment: Readonly<Record<string, string>>;
  /** A command, or two callbacks with which the test itself plays the function. Default: a function that returns null. */
  readonly runtime?: RuntimeCommand | RuntimeCallbacks;
  readonly functionName?: string;
  /** Default: 3000, Lambda's own. */
  readonly functionTimeoutMs?: number;
  /** How long `init` may take; it then fails, and the next invocation does it inside. Default: 10000, as for on-demand. */
  readonly initTimeoutMs?: number;
  readonly initializationType?: "on-demand" | "provisioned-concurrency" | "snap-start" | "lambda-managed-instances";
  readonly memorySizeMb?: number;
  /** Where faults come from, and where a test holds a call back. */
  readonly intercept?: Intercept;
}

/** What the caller of a function gets. */
export type Invocation = Outcome & {
  readonly requestId: string;
  /** Until the answer, an init inside included. */
  readonly durationMs: number;
  /** The environment was new or reset, so that init was part of this invocation. */
  readonly initInside: boolean;
};

/** One execution environment. */
export interface FakeLambda {
  /** `AWS_LAMBDA_RUNTIME_API`: host and port. */
  readonly runtimeApi: string;
  /** What `/tmp` is on Lambda: `TMPDIR` of all processes, kept over resets. */
  readonly tempFolder: string;
  /** Every API call, and what Lambda did, in order. */
  readonly journal: readonly JournalEntry[];
  /** What extensions and function have printed. */
  readonly logs: readonly LogLine[];
  /** Of the first extension by name, while it runs. */
  readonly extensionPid: number | undefined;
  readonly runtimePid: number | undefined;
  /** A cold start ahead of an invocation. Rejects with a `LambdaFailure`, after a reset, when it fails. */
  init(): Promise<InitReport>;
  /** One invocation, with init inside if there was none, or none since a reset. Settles when the environment is idle again. */
  invoke(payload?: unknown): Promise<Invocation>;
  /** What follows a time-out or a failure: everything is ended as by `shutdown`, and the next `invoke` starts it again. */
  reset(reason: "timeout" | "failure"): Promise<ShutdownReport>;
  /** The end of the environment. */
  shutdown(reason?: string): Promise<ShutdownReport>;
  /** Signals a whole process group: SIGKILL for a crash, SIGSTOP and SIGCONT for a freeze. */
  kill(which: "extension" | "runtime", signal: NodeJS.Signals): void;
  /** The first entry that fits, past ones included. */
  waitForJournal(predicate: Predicate<JournalEntry>): Promise<JournalEntry>;
  waitForLog(predicate: Predicate<LogLine>): Promise<LogLine>;
  /** Leaves nothing behind: no process, no socket, no folder. */
  close(): Promise<void>;
}

/** Account B. */
const ACCOUNT_ID = "222222222222";

/** Makes an execution environment in which nothing runs yet. */
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

  /** One thing at a time; with a limit after which the generation fails; and with a reset after any failure. */
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
      let outcome: Outcome | undefined;
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
        // Who has an answer keeps it: what fails afterwards fails the environment only.
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

/** Every file, whatever it is called; folders are passed over. */
async function listExtensions(opt: string): Promise<string[]> {
  const entries = await readdir(join(opt, "extensions"), { withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => entry.name).sort();
}
