/** From the options and the environment to the settings that the extension's own parser reads. Pure. */
import { type Environment, PREFIX } from "../../../extension/config/setting-rules.ts";
import { toVariableRegion } from "../aws-defaults.ts";
import { parseOptions } from "../options.ts";
import { CommandError, USAGE } from "../world.ts";

export interface Wishes {
  /** Undefined: that of the environment or the profile. */
  readonly region: string | undefined;
  /** Where the token is written that is made up where none is given. Undefined: a place of our choice. */
  readonly tokenFile: string | undefined;
  /** The file with the secrets that stand in for AWS's. */
  readonly fake: string | undefined;
}

/** Throws a refusal for what it does not know. */
export function parseArguments(args: readonly string[], environment: Environment): Wishes | "help" {
  const { values } = parseOptions(args, {
    region: { type: "string" },
    "token-file": { type: "string" },
    fake: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) return "help";
  for (const [name, value] of Object.entries(values)) {
    if (value === "") throw new CommandError(USAGE, `--${name} is empty`);
  }
  const tokenFile = values["token-file"];
  const given = TOKENS.find((name) => environment[name]?.trim());
  if (tokenFile !== undefined && given !== undefined) {
    throw new CommandError(USAGE, `${given} gives the token: there is none to make up and to write to --token-file`);
  }
  return { region: values.region ?? toVariableRegion(environment), tokenFile, fake: values.fake };
}

/** Where a token is given. Of what else is read in Lambda, all else are credentials here. */
const TOKENS = [`${PREFIX}TOKEN`, "AWS_TOKEN"];

/** Whether the environment leaves it to us to make up a token. */
export const lacksToken = (environment: Environment): boolean => !TOKENS.some((name) => environment[name]?.trim());

/**
 * What the extension's parser is to read. The credentials are left out: the SDK finds them by itself. In Lambda they hold
 * the token as well, since the function has them anyhow. Here, whoever had a token to show would have keys to AWS, and lose
 * the token at the next sign-in.
 */
export function toSettings(
  environment: Environment,
  { region, token }: { readonly region: string; readonly token: string | undefined },
): Environment {
  const {
    AWS_ACCESS_KEY_ID: _,
    AWS_SECRET_ACCESS_KEY: _1,
    AWS_SESSION_TOKEN: _2,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: _3,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: _4,
    ...rest
  } = environment;
  return { ...rest, AWS_REGION: region, ...(token === undefined ? {} : { [`${PREFIX}TOKEN`]: token }) };
}

/** What a fake AWS needs to be told, where nobody has: no secret of its depends on it. */
export function toFakeSettings(environment: Environment): Environment {
  const hasRole = [`${PREFIX}ROLE_ARN`, "ROLE_ARN", `${PREFIX}CONFIG`].some((name) => environment[name]?.trim());
  return hasRole ? environment : { ...environment, [`${PREFIX}ROLE_ARN`]: "arn:aws:iam::111111111111:role/Fake" };
}
