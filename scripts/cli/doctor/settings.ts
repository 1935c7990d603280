/** From options and the layer's own variables to the layer's Config: what the layer would refuse, doctor does. Pure. */
import { type Config, parseConfig } from "../../../extension/config/config.ts";
import { type Environment, PREFIX } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import { CommandError, USAGE } from "../world.ts";

/** Options that stand for a variable. `--help` lists them in this order. */
export const optionTable = {
  "role-arn": { variable: `${PREFIX}ROLE_ARN`, value: "ARN", text: "the target role in Account A" },
  secret: { variable: `${PREFIX}SECRET_IDS`, value: "ID", text: "a secret's name or ARN; may be given more than once" },
  parameter: { variable: `${PREFIX}PARAMETER_NAMES`, value: "NAME", text: "a parameter; may be given more than once" },
  "external-id": {
    variable: `${PREFIX}EXTERNAL_ID`,
    value: "ID",
    text: "the external ID that the trust policy asks for",
  },
  region: {
    variable: "AWS_REGION",
    value: "REGION",
    text: "the region of the function, and of what is not called by an ARN",
  },
  "session-name": { variable: `${PREFIX}ROLE_SESSION_NAME`, value: "NAME", text: "the name of the role's session" },
  duration: { variable: `${PREFIX}DURATION_SECONDS`, value: "SECONDS", text: "the life of the role's session" },
  "session-tags": { variable: `${PREFIX}SESSION_TAGS`, value: "KEY=VALUE,…", text: "tags of the role's session" },
  "source-identity": { variable: `${PREFIX}SOURCE_IDENTITY`, value: "NAME", text: "of the role's session" },
  "session-policy": {
    variable: `${PREFIX}SESSION_POLICY`,
    value: "auto|none",
    text: "none: do not send the session policy that the layer makes",
  },
} as const;

type OptionName = keyof typeof optionTable;
export type OptionValues = { readonly [O in OptionName]?: string | readonly string[] | undefined };

const names = Object.keys(optionTable) as readonly OptionName[];
/** They say what is asked for, in place of a CONFIG with the same. */
const INSTEAD_OF_CONFIG: readonly OptionName[] = ["role-arn", "secret", "parameter"];

/** Throws a CommandError that names every problem. */
export function toConfig(
  values: OptionValues,
  environment: Environment,
  parts: { readonly defaultRegion: string | undefined; readonly readFile: (path: string) => string },
): Config {
  const given = names.filter((name) => values[name] !== undefined);
  const config = parseConfig(
    {
      AWS_LAMBDA_FUNCTION_NAME: "cross-account-secrets-doctor",
      ...environment,
      AWS_REGION: parts.defaultRegion,
      ...Object.fromEntries(given.map((name) => [optionTable[name].variable, [values[name]].flat().join(",")])),
      ...(INSTEAD_OF_CONFIG.some((name) => given.includes(name)) ? { [`${PREFIX}CONFIG`]: undefined } : {}),
      // Nobody asks doctor over HTTP.
      [`${PREFIX}TOKEN`]: "none",
    },
    parts.readFile,
  );
  if (config.config !== undefined) return config.config;
  if (!config.isEnabled) throw new CommandError(USAGE, `${PREFIX}ENABLED is false: the layer asks AWS for nothing`);
  throw new CommandError(USAGE, config.problems.map((problem) => toOwnWords(problem, given)).join("\n  "));
}

/** A problem begins with the variable; who gave an option wants to read of that, and who gave neither, of both. */
function toOwnWords(problem: string, given: readonly OptionName[]): string {
  const name = names.find((candidate) => problem.startsWith(`${optionTable[candidate].variable} `));
  if (name === undefined) return problem;
  const { variable } = optionTable[name];
  if (name === "region") {
    const got = problem.slice(problem.indexOf("; got "));
    if (got === "; got nothing")
      return "there is no region: give --region, or set AWS_REGION, or region in the AWS profile";
    return `${given.includes(name) ? "--region" : variable} must be ${settings.region.rule}${got}`;
  }
  const rest = problem.slice(variable.length);
  return given.includes(name) ? `--${name}${rest}` : `${variable}, or --${name},${rest}`;
}

const TIMEOUT_MS = 5_000;

export function toTimeoutMs(text: string | undefined): number {
  if (text === undefined) return TIMEOUT_MS;
  const timeoutMs = settings.timeoutMs.parse(text);
  if (timeoutMs === undefined) throw new CommandError(USAGE, `--timeout-ms must be ${settings.timeoutMs.rule}`);
  return timeoutMs;
}
