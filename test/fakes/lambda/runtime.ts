import type { IncomingHttpHeaders } from "node:http";
import { createDeferred, type Deferred } from "./deferred.ts";
import { type FunctionError, type Report, toFunctionError } from "./failure.ts";
import { type Answer, createNextCall, type NextCall, type Reply, refuse } from "./next-call.ts";
import type { RunningProcess } from "./process.ts";

/** The calls of the Runtime API. */
export type RuntimeCall = "next" | "response" | "error" | "init/error";

/** What a function answers. */
export type Outcome =
  | { readonly payload: unknown; readonly error?: never }
  | { readonly error: FunctionError; readonly payload?: never };

/** One invocation on its way through the runtime. */
interface RuntimeInvocation {
  readonly requestId: string;
  readonly event: Reply;
  readonly outcome: Deferred<Outcome>;
}

/** The runtime between one init and the next reset, and the Runtime API as it meets it. */
export interface Runtime {
  readonly next: NextCall;
  running: RunningProcess | undefined;
  reported: Report | undefined;
  /** Hands an invocation to the runtime's waiting `next`; settles with what it answers. */
  invoke(requestId: string, payload: unknown, headers: Readonly<Record<string, string>>): Promise<Outcome>;
  answer(call: RuntimeCall, requestId: string, headers: IncomingHttpHeaders, body: unknown): Answer;
}

/** Makes a runtime that is not started. */
export function createRuntime(): Runtime {
  const next = createNextCall();
  let state: "Started" | "InitError" | "Ready" | "Running" | "ResponseSent" = "Started";
  let current: RuntimeInvocation | undefined;

  const runtime: Runtime = {
    next,
    running: undefined,
    reported: undefined,
    invoke(requestId, payload, headers) {
      const event: Reply = {
        status: 200,
        headers: { "lambda-runtime-aws-request-id": requestId, ...headers },
        body: payload,
      };
      current = { requestId, event, outcome: createDeferred() };
      state = "Running";
      next.deliver(event);
      return current.outcome.promise;
    },
    answer(call, requestId, headers, body) {
      if (call === "next") {
        // A runtime that lost an invocation gets it again.
        if (state === "Running" && current !== undefined) return current.event;
        if (state === "InitError") return refuseState(call);
        state = "Ready";
        return next.wait();
      }
      if (call === "init/error") {
        if (state !== "Started") return refuseState(call);
        state = "InitError";
        const errorType = headers["lambda-runtime-function-error-type"];
        runtime.reported = { call, errorType: typeof errorType === "string" ? errorType : "Runtime.Unknown", body };
        return { status: 202, body: { status: "OK" } };
      }
      if (current === undefined || current.requestId !== requestId) {
        return refuse("InvalidRequestID", "not the invocation under way", 400);
      }
      if (state !== "Running") return refuseState(call);
      state = "ResponseSent";
      current.outcome.resolve(call === "response" ? { payload: body } : { error: toFunctionError(body) });
      return { status: 202, body: { status: "OK" } };
    },
  };
  return runtime;

  function refuseState(call: RuntimeCall): Reply {
    return refuse("InvalidStateTransition", `${call} is not allowed in state ${state}`);
  }
}
