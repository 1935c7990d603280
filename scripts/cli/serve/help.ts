import { settings } from "../../../extension/config/settings.ts";

export const HELP = `Serves secrets of another account at http://127.0.0.1:${settings.httpPort.default}, as the layer does in Lambda: on a laptop,
an EC2 instance, or in a container.

  cross-account-secrets serve [--region eu-west-1] [--token-file PATH]
  cross-account-secrets serve --fake secrets.json

  --region      the region of STS, and of secrets that are called by a name; default: AWS_REGION,
                AWS_DEFAULT_REGION, or that of the AWS profile
  --token-file  where the token is written, if none is given; default: a new file in RUNTIME_DIRECTORY,
                XDG_RUNTIME_DIR or the temporary folder
  --fake        secrets and parameters of a JSON file, {"name": "value" or {...}, ...}, and no AWS at
                all, for tests of code that reads secrets; keep no real ones in it
  --help        this text

Settings are the variables that a function with the layer has, CROSS_ACCOUNT_SECRETS_ROLE_ARN (or
ROLE_ARN) first; the README has the table. Credentials come from where all AWS tools look: AWS_PROFILE,
SSO, AWS_ACCESS_KEY_ID, the role of a container or an instance.

The token that callers have to show, in the header X-Aws-Parameters-Secrets-Token, is that of
CROSS_ACCOUNT_SECRETS_TOKEN or AWS_TOKEN, as it stands or as file:///path. Where neither is set, one is
made up, written to a file that only you can read, and removed at the end; the line "listening" says
where it is. AWS_SESSION_TOKEN, which is the token in Lambda, is a credential here, and no token: whoever
asks for a secret is not to hold your keys to AWS.

A socket that systemd hands over is used. SIGTERM and SIGINT end it once what is under way has its
answer; a second one, at once. Ends with 0 at a signal; 1 where it cannot start (credentials, port, token
file), or where a fetch fails and CROSS_ACCOUNT_SECRETS_INIT_ERROR is fail; 2 for wrong options or settings.`;
