import type { IncomingHttpHeaders } from "node:http";
import { createDeferred, type Deferred } from "./deferred.ts";
import { type ErrorReport, type FunctionError, toFunctionError } from "./failure.ts";
import { createNextCall, type LambdaAnswer, type LambdaReply, type NextCall, toLambdaError } from "./next-call.ts";
import type { RunningProcess } from "./process.ts";

/** The calls of the Runtime API. */
export type RuntimeCall = "next" | "response" | "error" | "init/error";

/** The result of an invocation: the function's payload or error. */
export type FunctionResult =
  | { readonly payload: unknown; readonly error?: never }
  | { readonly error: FunctionError; readonly payload?: never };

/** One invocation that the runtime works on. */
interface RuntimeInvocation {
  readonly requestId: string;
  readonly event: LambdaReply;
  readonly outcome: Deferred<FunctionResult>;
}

/** The runtime between one init and the next reset, and the Runtime API's answers to it. */
export interface LambdaRuntime {
  readonly next: NextCall;
  running: RunningProcess | undefined;
  reported: ErrorReport | undefined;
  /** Answers the runtime's waiting `next` with an invocation. Settles with the runtime's result. */
  invoke(requestId: string, payload: unknown, headers: Readonly<Record<string, string>>): Promise<FunctionResult>;
  answer(call: RuntimeCall, requestId: string, headers: IncomingHttpHeaders, body: unknown): LambdaAnswer;
}

/** Makes a runtime. It is not started. */
export function createRuntime(): LambdaRuntime {
  const next = createNextCall();
  let state: "Started" | "InitError" | "Ready" | "Running" | "ResponseSent" = "Started";
  let current: RuntimeInvocation | undefined;

  const runtime: LambdaRuntime = {
    next,
    running: undefined,
    reported: undefined,
    invoke(requestId, payload, headers) {
      const event: LambdaReply = {
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
        // A runtime that calls `next` again without an answer gets the same invocation.
        if (state === "Running" && current !== undefined) return current.event;
        if (state === "InitError") return toStateError(call);
        state = "Ready";
        return next.wait();
      }
      if (call === "init/error") {
        if (state !== "Started") return toStateError(call);
        state = "InitError";
        const errorType = headers["lambda-runtime-function-error-type"];
        runtime.reported = { call, errorType: typeof errorType === "string" ? errorType : "Runtime.Unknown", body };
        return { status: 202, body: { status: "OK" } };
      }
      if (current === undefined || current.requestId !== requestId) {
        return toLambdaError("InvalidRequestID", "not the invocation under way", 400);
      }
      if (state !== "Running") return toStateError(call);
      state = "ResponseSent";
      current.outcome.resolve(call === "response" ? { payload: body } : { error: toFunctionError(body) });
      return { status: 202, body: { status: "OK" } };
    },
  };
  return runtime;

  function toStateError(call: RuntimeCall): LambdaReply {
    return toLambdaError("InvalidStateTransition", `${call} is not allowed in state ${state}`);
  }
}
