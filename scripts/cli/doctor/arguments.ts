/** The options of doctor, and the layer's Config from options and variables. doctor rejects what the layer would reject. Pure. */
import { type Config, parseConfig } from "../../../extension/config/config.ts";
import { type Environment, PREFIX } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import { NO_REGION } from "../aws-defaults.ts";
import { BUG, CommandError, USAGE } from "../world.ts";
import { exitCodes } from "./exit-codes.ts";
import { wrap } from "./report.ts";

/** Each option replaces a variable. `--help` lists them in this order. */
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
    text: "the region of the function, and of secrets and parameters that are named without an ARN",
  },
  "session-name": { variable: `${PREFIX}ROLE_SESSION_NAME`, value: "NAME", text: "the name of the role's session" },
  duration: { variable: `${PREFIX}DURATION_SECONDS`, value: "SECONDS", text: "the duration of the role's session" },
  "session-tags": { variable: `${PREFIX}SESSION_TAGS`, value: "KEY=VALUE,…", text: "the tags of the role's session" },
  "source-identity": {
    variable: `${PREFIX}SOURCE_IDENTITY`,
    value: "NAME",
    text: "the source identity of the role's session",
  },
  "session-policy": {
    variable: `${PREFIX}SESSION_POLICY`,
    value: "auto|none",
    text: "none: sends no session policy",
  },
} as const;

type OptionName = keyof typeof optionTable;
export type DoctorOptions = { readonly [O in OptionName]?: string | readonly string[] | undefined };

const names = Object.keys(optionTable) as readonly OptionName[];
/** If one of these options is given, CONFIG is ignored, because it contains the same. */
const REPLACES_CONFIG: readonly OptionName[] = ["role-arn", "secret", "parameter"];

/** Throws a CommandError that names every problem. */
export function parseDoctorConfig(
  values: DoctorOptions,
  environment: Environment,
  deps: { readonly defaultRegion: string | undefined; readonly readFile: (path: string) => string },
): Config {
  const given = names.filter((name) => values[name] !== undefined);
  const config = parseConfig(
    {
      AWS_LAMBDA_FUNCTION_NAME: "cross-account-secrets-doctor",
      ...environment,
      AWS_REGION: deps.defaultRegion,
      ...Object.fromEntries(given.map((name) => [optionTable[name].variable, [values[name]].flat().join(",")])),
      ...(REPLACES_CONFIG.some((name) => given.includes(name)) ? { [`${PREFIX}CONFIG`]: undefined } : {}),
      // doctor does not listen, so it needs no token.
      [`${PREFIX}TOKEN`]: "none",
    },
    deps.readFile,
  );
  if (config.config !== undefined) return config.config;
  if (!config.isEnabled) throw new CommandError(USAGE, `${PREFIX}ENABLED is false: the layer asks AWS for nothing`);
  throw new CommandError(USAGE, config.problems.map((problem) => nameOption(problem, given)).join("\n  "));
}

/** A problem begins with the variable. If the option was given, the text begins with it instead, otherwise with both. */
function nameOption(problem: string, given: readonly OptionName[]): string {
  const name = names.find((candidate) => problem.startsWith(`${optionTable[candidate].variable} `));
  if (name === undefined) return problem;
  const { variable } = optionTable[name];
  if (name === "region") {
    const got = problem.slice(problem.indexOf("; got "));
    if (got === "; got nothing") return NO_REGION;
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

export function toHelp(): string {
  const options: readonly (readonly [string, string])[] = [
    ...Object.entries(optionTable).map(
      ([name, { value, text, variable }]) => [`--${name} ${value}`, `${text} [${variable}]`] as const,
    ),
    ["--timeout-ms MS", `how long AWS may take in each step [${TIMEOUT_MS}]`],
    ["--json", "prints one JSON object: each step with what it found, or why it failed"],
    ["--help", "prints this text"],
  ];
  const width = Math.max(...options.map(([option]) => option.length)) + 4;
  const causes = Object.entries(exitCodes).map(([cause, code]) => `${code} ${cause},`);
  return `Takes each step from your credentials to each secret, as the layer does, and says which step fails,
why, and what to change.

  cross-account-secrets doctor --role-arn ARN --secret ID [options]

If an option is missing, doctor uses the variable in brackets. It finds the region and your
credentials like every AWS program on this machine (AWS_PROFILE, aws sso login, an instance's role).

${options.map(([option, text]) => wrap(text, { first: `  ${option}`.padEnd(width), indent: width })).join("\n")}

doctor reads the secrets but never shows their values, only the names of a JSON object's fields.

Exit codes: 0 success, ${USAGE} wrong arguments or settings, ${BUG} a bug; otherwise the first cause:
${wrap(causes, { first: "  ", indent: 2 }).replace(/,$/, "")}`;
}
