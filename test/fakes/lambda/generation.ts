import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type RuntimeCallbacks, startCallbacks } from "./callbacks.ts";
import { createDeferred } from "./deferred.ts";
import { type EnvironmentInput, toExtensionEnvironment, toRuntimeEnvironment } from "./environment.ts";
import { createExtensions, deliverTo, type LambdaExtension, type LambdaExtensions } from "./extensions.ts";
import { type LambdaFailure, toExtensionFailure, toRuntimeFailure } from "./failure.ts";
import { type Exit, endWithin, failedLaunch, isExecFormat, type RunningProcess, startProcess } from "./process.ts";
import type { JournalDetail, LogLine } from "./record.ts";
import { createRuntime, type FunctionResult, type LambdaRuntime } from "./runtime.ts";

/** A runtime process. It starts in the task folder, with the Runtime API's address in its environment. */
export interface RuntimeCommand {
  readonly command: string;
  readonly arguments: readonly string[];
  /** The function's own folder: `LAMBDA_TASK_ROOT`, and the working directory of all processes. */
  readonly cwd: string;
  /** `_HANDLER`. Default: `index.handler`. */
  readonly handler?: string;
}

/** How long each step of an init took, from its start. */
export interface InitReport {
  /** The last extension has registered, and the runtime is started. */
  readonly registeredMs: number;
  /** The runtime has called `next`. */
  readonly runtimeReadyMs: number;
  /** The last extension has called `next`. */
  readonly extensionsReadyMs: number;
  /** Both are ready, so init is over. */
  readonly durationMs: number;
}

/** How the first extension by name ended, or all `null` if there is none. */
export interface ShutdownReport extends Exit {
  /** From the start of the shutdown until everything had ended. */
  readonly ms: number;
}

/** Everything that exists from one init to the next reset: the processes, and what Lambda knows about them. */
export interface Generation {
  readonly extensions: LambdaExtensions;
  readonly runtime: LambdaRuntime;
  init(): Promise<InitReport>;
  /** Settles when the function has answered. */
  invoke(requestId: string, payload: unknown, deadlineEpochMs: number): Promise<FunctionResult>;
  /** Settles when the runtime, and every extension that got the invocation, asks for the next event. */
  idle(): Promise<void>;
  /** Makes `init`, `invoke` and `idle` reject. The first failure counts. */
  fail(failure: LambdaFailure): void;
  shutdown(reason: string): Promise<ShutdownReport>;
}

export interface GenerationOptions {
  readonly extensionNames: readonly string[];
  readonly runtime: RuntimeCommand | RuntimeCallbacks;
  readonly environment: EnvironmentInput;
  readonly accountId: string;
  readonly record: (from: string, call: string, detail: JournalDetail) => void;
  readonly log: (line: Omit<LogLine, "atMs">) => void;
}

/**
 * The time that extensions and runtime have for a shutdown, and the runtime's part of it.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 */
const SHUTDOWN_MS = 2_000;
const RUNTIME_SHUTDOWN_MS = 300;

/** Makes the processes of one init. None of them is started. */
export function createGeneration(options: GenerationOptions): Generation {
  const { environment, record } = options;
  const { accountId } = options;
  const extensions = createExtensions({ ...environment, names: options.extensionNames, accountId });
  const runtime = createRuntime();
  const { AWS_REGION: region = "eu-west-1" } = environment.variables;
  const functionArn = `arn:aws:lambda:${region}:${accountId}:function:${environment.functionName}`;
  const failed = createDeferred<never>();
  failed.promise.catch(() => {}); // The next step sees a failure between two steps.
  let invokedExtensions: readonly LambdaExtension[] = [];
  let shutdown: Promise<ShutdownReport> | undefined;

  function unlessFailed<Value>(step: Promise<Value>): Promise<Value> {
    return Promise.race([failed.promise, step]);
  }

  /** Records the start and the end of a process. If it ends unasked, the current step fails. */
  function watch(name: string, party: LambdaExtension | LambdaRuntime, running: RunningProcess): void {
    record("lambda", "start", { to: name, pid: running.pid });
    party.running = running;
    void running.ended.then((exit) => {
      party.running = undefined;
      record(name, "exit", exit);
      if (shutdown !== undefined) return;
      const toFailure = party === runtime ? toRuntimeFailure : toExtensionFailure;
      failed.reject(toFailure(exit, party.reported));
    });
  }

  function startExtension(extension: LambdaExtension): void {
    const command = join(environment.opt, "extensions", extension.name);
    const running = isExecFormat(command)
      ? startProcess({
          command,
          arguments: [],
          cwd: environment.taskRoot,
          environment: toExtensionEnvironment(environment),
          onLine: (stream, line) => options.log({ source: "extension", stream, line }),
        })
      : failedLaunch("exec format error");
    watch(extension.name, extension, running);
  }

  function startRuntime(): void {
    const running =
      "command" in options.runtime
        ? startProcess({
            ...options.runtime,
            environment: toRuntimeEnvironment(environment),
            onLine: (stream, line) => options.log({ source: "function", stream, line }),
          })
        : startCallbacks(options.runtime, environment.runtimeApi);
    watch("runtime", runtime, running);
  }

  async function shutDown(reason: string): Promise<ShutdownReport> {
    const beganMs = performance.now();
    const deadlineEpochMs = Date.now() + SHUTDOWN_MS;
    const signal = (name: string, running: RunningProcess, signalName: "SIGTERM" | "SIGKILL") => {
      record("lambda", signalName, { to: name });
      running.signal(signalName);
    };

    if (runtime.running !== undefined) {
      const running = runtime.running;
      const kill = () => record("lambda", "SIGKILL", { to: "runtime" });
      // Without extensions Lambda kills the runtime at once.
      const hasExtensions = extensions.all().length > 0;
      signal("runtime", running, hasExtensions ? "SIGTERM" : "SIGKILL");
      await endWithin(running, RUNTIME_SHUTDOWN_MS, kill);
    }
    const exits = extensions.external.map(async (extension) => {
      const { name, running } = extension;
      if (running === undefined) return undefined;
      if (extension.events.has("SHUTDOWN")) {
        void deliverTo(extension, toShutdownEvent(reason, deadlineEpochMs)).then(() =>
          record("lambda", "SHUTDOWN", { to: name, reason, deadlineEpochMs }),
        );
      } else {
        signal(name, running, "SIGKILL");
      }
      const restMs = SHUTDOWN_MS - (performance.now() - beganMs);
      return endWithin(running, restMs, () => record("lambda", "SIGKILL", { to: name }));
    });
    const [exit = { exitCode: null, signal: null, launchError: null }] = await Promise.all(exits);
    return { ...exit, ms: performance.now() - beganMs };
  }

  return {
    extensions,
    runtime,
    async init() {
      const beganMs = performance.now();
      const elapsedMs = () => performance.now() - beganMs;
      const { external } = extensions;
      const extensionsReady = Promise.all(external.map(({ next }) => next.arrived())).then(elapsedMs);
      for (const extension of external) startExtension(extension);
      await unlessFailed(Promise.all(external.map(({ registered }) => registered.promise)));
      const registeredMs = elapsedMs();
      startRuntime();
      await unlessFailed(runtime.next.arrived());
      const runtimeReadyMs = elapsedMs();
      extensions.closeRegistration();
      await unlessFailed(Promise.all(extensions.all().map(({ next }) => next.arrived())));
      return { registeredMs, runtimeReadyMs, extensionsReadyMs: await extensionsReady, durationMs: elapsedMs() };
    },
    async invoke(requestId, payload, deadlineEpochMs) {
      await unlessFailed(Promise.resolve()); // A crash since the last invocation fails this one before it is announced.
      invokedExtensions = extensions.all().filter((extension) => extension.events.has("INVOKE"));
      for (const extension of invokedExtensions) {
        record("lambda", "INVOKE", { to: extension.name, requestId, deadlineEpochMs });
        const body = { eventType: "INVOKE", deadlineMs: deadlineEpochMs, requestId, invokedFunctionArn: functionArn };
        const headers = { "lambda-extension-event-identifier": randomUUID() };
        await unlessFailed(deliverTo(extension, { status: 200, headers, body }));
      }
      record("lambda", "invocation", { to: "runtime", requestId, deadlineEpochMs });
      return unlessFailed(
        runtime.invoke(requestId, payload, {
          "lambda-runtime-deadline-ms": String(deadlineEpochMs),
          "lambda-runtime-invoked-function-arn": functionArn,
        }),
      );
    },
    async idle() {
      const waited = [runtime, ...invokedExtensions].map((party) => party.next.arrived());
      await unlessFailed(Promise.all(waited));
    },
    fail: failed.reject,
    shutdown(reason) {
      shutdown ??= shutDown(reason);
      return shutdown;
    },
  };
}

/** Lambda sets no content type here, so its Go server guesses one from the bytes. */
function toShutdownEvent(shutdownReason: string, deadlineMs: number) {
  const headers = { "content-type": "text/plain; charset=utf-8" };
  return { status: 200, headers, body: { eventType: "SHUTDOWN", shutdownReason, deadlineMs } };
}
