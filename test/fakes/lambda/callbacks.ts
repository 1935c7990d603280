import { createDeferred } from "./deferred.ts";
import type { Exit, RunningProcess } from "./process.ts";

/** A function inside the test. It calls the Runtime API as any other function does. */
export interface RuntimeCallbacks {
  /** The function's static code. If it throws, that is an init error. */
  readonly onInit?: () => unknown;
  /** The function's handler. It returns the response, or throws the error. */
  readonly onInvoke?: (payload: unknown) => unknown;
}

/** Runs two callbacks like a runtime process. It accepts only the signals that end it. */
export function startCallbacks(callbacks: RuntimeCallbacks, runtimeApi: string): RunningProcess {
  const killed = createDeferred<Exit>();
  const abort = new AbortController();
  const api = `http://${runtimeApi}/2018-06-01/runtime`;

  const post = (path: string, body: unknown) =>
    fetch(`${api}/${path}`, { method: "POST", body: JSON.stringify(body ?? null), signal: abort.signal });

  async function run(): Promise<Exit> {
    try {
      await callbacks.onInit?.();
    } catch (error) {
      await post("init/error", toErrorBody(error));
      return { exitCode: 1, signal: null, launchError: null };
    }
    for (;;) {
      const next = await fetch(`${api}/invocation/next`, { signal: abort.signal });
      const path = `invocation/${next.headers.get("lambda-runtime-aws-request-id")}`;
      const payload: unknown = await next.json();
      try {
        await post(`${path}/response`, await callbacks.onInvoke?.(payload));
      } catch (error) {
        await post(`${path}/error`, toErrorBody(error));
      }
    }
  }

  const ended = Promise.race([killed.promise, run()]).catch(() => ({ exitCode: 1, signal: null, launchError: null }));
  return {
    pid: undefined,
    ended,
    signal(signal) {
      if (signal !== "SIGTERM" && signal !== "SIGKILL") throw new Error(`a runtime of callbacks cannot take ${signal}`);
      killed.resolve({ exitCode: null, signal, launchError: null });
      abort.abort();
    },
  };
}

function toErrorBody(error: unknown): { errorType: string; errorMessage: string } {
  if (error instanceof Error) return { errorType: error.name, errorMessage: error.message };
  return { errorType: "Error", errorMessage: String(error) };
}
