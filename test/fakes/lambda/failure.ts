import type { Exit } from "./process.ts";

/** What fails an init or an invocation: the error types are Lambda's own. */
export class LambdaFailure extends Error {
  /** `Extension.InitError`, `.ExitError`, `.Crash`, `.LaunchError`, `Runtime.ExitError`, `Sandbox.Timedout`, or a function's own. */
  readonly errorType: string;
  /** What the extension or the runtime reported to `/init/error` or `/exit/error` before it ended: Lambda shows it to nobody. */
  readonly reported: Report | undefined;

  constructor(errorType: string, message: string, reported?: Report) {
    super(message);
    this.name = "LambdaFailure";
    this.errorType = errorType;
    this.reported = reported;
  }
}

/** How Lambda writes an error down. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
}

/** A call of `/init/error` or `/exit/error`. */
export interface Report {
  readonly call: "init/error" | "exit/error";
  /** From the header `Lambda-Extension-Function-Error-Type` or `Lambda-Runtime-Function-Error-Type`. */
  readonly errorType: string;
  readonly body: unknown;
}

/** An extension that ends when nobody asked it to, whatever its exit code. */
export function toExtensionFailure(exit: Exit, reported: Report | undefined): LambdaFailure {
  if (exit.launchError !== null) return new LambdaFailure("Extension.LaunchError", exit.launchError);
  const errorType = reported === undefined ? "Extension.Crash" : REPORTED_TYPE[reported.call];
  return new LambdaFailure(errorType, toExitText(exit), reported);
}

/** A runtime that ends when nobody asked it to. One that called `/init/error` before is reported in its own words. */
export function toRuntimeFailure(exit: Exit, reported: Report | undefined): LambdaFailure {
  if (exit.launchError !== null) return new LambdaFailure("Runtime.InvalidEntrypoint", exit.launchError);
  if (reported === undefined) return new LambdaFailure("Runtime.ExitError", `the runtime ended: ${toExitText(exit)}`);
  const { errorType, errorMessage } = toFunctionError(reported.body);
  return new LambdaFailure(errorType, errorMessage, reported);
}

/** What the caller of a function gets: its own error as it is, Lambda's with the request in front. */
export function toInvocationError({ errorType, message }: LambdaFailure, requestId: string): FunctionError {
  const isLambdas = /^(Extension|Runtime|Sandbox)\./.test(errorType);
  return { errorType, errorMessage: isLambdas ? `RequestId: ${requestId} Error: ${message}` : message };
}

/** The body of a runtime's `/error` or `/init/error`. */
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
