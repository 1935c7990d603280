import { dirname } from "node:path";

/** The facts that become variables of the processes. */
export interface EnvironmentInput {
  readonly runtimeApi: string;
  readonly opt: string;
  readonly taskRoot: string;
  /** Replaces `/tmp`, because a test machine's own is shared. */
  readonly temp: string;
  readonly handler: string;
  readonly functionName: string;
  readonly initializationType: string;
  readonly memorySizeMb: number;
  /** The function's own variables, credentials included. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * An extension's variables. It gets no variable of this machine, and all of the function's own except those for the runtime.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
export function toExtensionEnvironment(input: EnvironmentInput): Record<string, string> {
  const variables = Object.entries({ ...commonVariables(input), ...input.variables, ...reservedVariables(input) });
  return Object.fromEntries(variables.filter(([name]) => !name.startsWith("_") && !RUNTIME_ONLY.has(name)));
}

/** The runtime's variables. */
export function toRuntimeEnvironment(input: EnvironmentInput): Record<string, string> {
  return {
    ...commonVariables(input),
    ...input.variables,
    ...reservedVariables(input),
    AWS_EXECUTION_ENV: "AWS_Lambda_fake",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${input.functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: "fake/[$LATEST]0",
    LAMBDA_RUNTIME_DIR: "/var/runtime",
    LAMBDA_TASK_ROOT: input.taskRoot,
    _HANDLER: input.handler,
  };
}

const RUNTIME_ONLY = new Set([
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_XRAY_CONTEXT_MISSING",
  "AWS_XRAY_DAEMON_ADDRESS",
  "LAMBDA_RUNTIME_DIR",
  "LAMBDA_TASK_ROOT",
]);

/** The folder of the running Node comes last, for machines that have it in an unusual place. */
export const toPath = (opt: string): string =>
  `/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:${opt}/bin:${dirname(process.execPath)}`;

/** A function may set these itself. */
function commonVariables({ opt, taskRoot }: EnvironmentInput): Record<string, string> {
  const libraries = ["/var/lang/lib", "/lib64", "/usr/lib64", "/var/runtime", "/var/runtime/lib"];
  return {
    AWS_REGION: "eu-west-1",
    AWS_DEFAULT_REGION: "eu-west-1",
    LANG: "en_US.UTF-8",
    LD_LIBRARY_PATH: [...libraries, taskRoot, `${taskRoot}/lib`, `${opt}/lib`].join(":"),
    PATH: toPath(opt),
    TZ: ":UTC",
  };
}

/** A function cannot set these. */
function reservedVariables(input: EnvironmentInput): Record<string, string> {
  return {
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(input.memorySizeMb),
    AWS_LAMBDA_FUNCTION_NAME: input.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_INITIALIZATION_TYPE: input.initializationType,
    AWS_LAMBDA_RUNTIME_API: input.runtimeApi,
    TMPDIR: input.temp,
  };
}
