import type { Exit } from "./process.ts";

/** The failure of an init or an invocation. The error types are Lambda's own. */
export class LambdaFailure extends Error {
  /** `Extension.InitError`, `.ExitError`, `.Crash`, `.LaunchError`, `Runtime.ExitError`, `Sandbox.Timedout`, or a function's own. */
  readonly errorType: string;
  /** What the extension or the runtime sent to `/init/error` or `/exit/error` before it ended. Lambda does not show it. */
  readonly reported: ErrorReport | undefined;

  constructor(errorType: string, message: string, reported?: ErrorReport) {
    super(message);
    this.name = "LambdaFailure";
    this.errorType = errorType;
    this.reported = reported;
  }
}

/** An error in Lambda's format. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
}

/** A call of `/init/error` or `/exit/error`. */
export interface ErrorReport {
  readonly call: "init/error" | "exit/error";
  /** The header `Lambda-Extension-Function-Error-Type` or `Lambda-Runtime-Function-Error-Type`. */
  readonly errorType: string;
  readonly body: unknown;
}

/** The failure of an extension that ended unasked, whatever its exit code. */
export function toExtensionFailure(exit: Exit, reported: ErrorReport | undefined): LambdaFailure {
  if (exit.launchError !== null) return new LambdaFailure("Extension.LaunchError", exit.launchError);
  const errorType = reported === undefined ? "Extension.Crash" : REPORTED_TYPE[reported.call];
  return new LambdaFailure(errorType, toExitText(exit), reported);
}

/** The failure of a runtime that ended unasked. If it called `/init/error` before, that error is the failure. */
export function toRuntimeFailure(exit: Exit, reported: ErrorReport | undefined): LambdaFailure {
  if (exit.launchError !== null) return new LambdaFailure("Runtime.InvalidEntrypoint", exit.launchError);
  if (reported === undefined) return new LambdaFailure("Runtime.ExitError", `the runtime ended: ${toExitText(exit)}`);
  const { errorType, errorMessage } = toFunctionError(reported.body);
  return new LambdaFailure(errorType, errorMessage, reported);
}

/** The error that the caller of a function gets: the function's own unchanged, Lambda's with the request id in front. */
export function toInvocationError({ errorType, message }: LambdaFailure, requestId: string): FunctionError {
  const isLambdas = /^(Extension|Runtime|Sandbox)\./.test(errorType);
  return { errorType, errorMessage: isLambdas ? `RequestId: ${requestId} Error: ${message}` : message };
}

/** Reads the body of a runtime's `/error` or `/init/error`. */
export function toFunctionError(body: unknown): FunctionError {
  const { errorType, errorMessage } = (typeof body === "object" && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  return {
    errorType: typeof errorType === "string" ? errorType : "Runtime.Unknown",
    errorMessage: typeof errorMessage === "string" ? errorMessage : "",
  };
}

const REPORTED_TYPE = { "init/error": "Extension.InitError", "exit/error": "Extension.ExitError" } as const;

function toExitText(exit: Exit): string {
  if (exit.signal !== null) return `signal ${exit.signal}`;
  return exit.exitCode === 0 ? "exit code 0" : `exit status ${exit.exitCode}`;
}
