/** The options of serve, and the variables that the extension's parser reads. Pure. */
import { type Environment, PREFIX } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import { toVariableRegion } from "../aws-defaults.ts";
import { parseOptions } from "../options.ts";
import { CommandError, USAGE } from "../world.ts";

export const HELP = `Serves secrets of another account at http://127.0.0.1:${settings.httpPort.default}, as the layer does in Lambda: on a laptop,
an EC2 instance, or in a container.

  cross-account-secrets serve [--region eu-west-1] [--token-file PATH]
  cross-account-secrets serve --fake secrets.json

  --region      the region of STS, and of secrets that are named without an ARN; default: AWS_REGION,
                AWS_DEFAULT_REGION, or the region of the AWS profile
  --token-file  the file for the token, if serve generates it; default: a file in a folder of your own, which
                serve creates in RUNTIME_DIRECTORY, XDG_RUNTIME_DIR or the temporary folder
  --fake        serves the secrets and parameters of a JSON file, {"name": "value" or {...}, ...}, without
                AWS, to test code that reads secrets; do not keep real secrets in it
  --help        prints this text

Settings are the variables of a function with the layer: CROSS_ACCOUNT_SECRETS_ROLE_ARN (or ROLE_ARN)
is required, and the README lists the others. serve finds credentials like all AWS tools: AWS_PROFILE,
SSO, AWS_ACCESS_KEY_ID, the role of a container or an instance.

Clients must send the token in the header X-Aws-Parameters-Secrets-Token. CROSS_ACCOUNT_SECRETS_TOKEN or
AWS_TOKEN gives it, as text or as file:///path of a file that you or root own and nobody else may write. If
neither is set, serve generates a token, writes it to a file that only you can read, and removes the file at
the end; the log line "listening" has the path. It does not replace the file of another running server.
AWS_SESSION_TOKEN, which is the token in Lambda, is not accepted here, because it is a credential: a client
that reads secrets must not need your keys to AWS.

A socket that systemd passes is used. SIGTERM and SIGINT end serve when the requests in progress have their
answers; a second signal ends it at once. Exit codes: 0 after a signal; 1 if it cannot start (credentials, port, token
file), or if a fetch fails and CROSS_ACCOUNT_SECRETS_INIT_ERROR is fail; 2 wrong options or settings.`;

export interface ServeOptions {
  /** Undefined: the region of the profile. */
  readonly region: string | undefined;
  /** The file for a generated token. Undefined: serve chooses it. */
  readonly tokenFile: string | undefined;
  /** A file whose secrets replace those of AWS. */
  readonly fake: string | undefined;
}

/** Throws a CommandError for an unknown option. */
export function parseArguments(args: readonly string[], environment: Environment): ServeOptions | "help" {
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
    throw new CommandError(USAGE, `${given} gives the token: serve generates none to write to --token-file`);
  }
  return { region: values.region ?? toVariableRegion(environment), tokenFile, fake: values.fake };
}

/** The variables that can give the token. Lambda's other ones are credentials here. */
const TOKENS = [`${PREFIX}TOKEN`, "AWS_TOKEN"];

/** Whether no variable gives a token, so that serve generates one. */
export const lacksToken = (environment: Environment): boolean => !TOKENS.some((name) => environment[name]?.trim());

/**
 * The variables for the extension's parser, without the credentials: the SDK finds those itself. In Lambda the token is one
 * of them, since the function has them anyway. Here, a client with such a token would have keys to AWS, and the token would
 * change at the next sign-in.
 */
export function toEnvironment(
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

/** Adds a role if none is given: the parser requires one, and the fake's secrets do not depend on it. */
export function toFakeEnvironment(environment: Environment): Environment {
  const hasRole = [`${PREFIX}ROLE_ARN`, "ROLE_ARN", `${PREFIX}CONFIG`].some((name) => environment[name]?.trim());
  return hasRole ? environment : { ...environment, [`${PREFIX}ROLE_ARN`]: "arn:aws:iam::111111111111:role/Fake" };
}
