import { randomBytes } from "node:crypto";
import { type FakeAws, type FakeAwsOptions, type SessionCredentials, startFakeAws } from "../fakes/aws.ts";
import { allow, toPolicy, trust } from "./policy-documents.ts";
import { FUNCTION_ROLE_ARN, REGION, SECRET_NAME, SECRETS_ARN, TARGET_ROLE_ARN } from "./values.ts";

export { FUNCTION_ROLE_ARN, REGION, SECRET_NAME, SECRETS_ARN, TARGET_ROLE_ARN };

export interface TwoAccounts {
  readonly aws: FakeAws;
  readonly functionRoleArn: string;
  readonly secretArn: string;
  /** What no output may hold: the secret's values. */
  readonly canaries: readonly string[];
  /** The function's variables, as Lambda and its owner would set them. */
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface TwoAccountsOptions extends FakeAwsOptions {
  /** Default: the guide's, which has no path. */
  readonly functionRoleArn?: string | undefined;
}

/** A fake AWS as the guide sets it up: a role in Account A that trusts Account B's and may read one secret. */
export async function startTwoAccounts(options: TwoAccountsOptions = {}): Promise<TwoAccounts> {
  const { functionRoleArn = FUNCTION_ROLE_ARN } = options;
  const aws = await startFakeAws(options);
  const canaries = [createCanary(), createCanary()];
  const [username = "", password = ""] = canaries;
  aws.createRole({
    arn: functionRoleArn,
    assumableRoles: [TARGET_ROLE_ARN],
    policies: [toPolicy(allow("sts:AssumeRole", TARGET_ROLE_ARN))],
  });
  aws.createRole({
    arn: TARGET_ROLE_ARN,
    trusts: [functionRoleArn],
    trustPolicy: toPolicy(trust(functionRoleArn, "sts:AssumeRole")),
    readableSecrets: [SECRET_NAME],
    policies: [toPolicy(allow("secretsmanager:GetSecretValue", `${SECRETS_ARN}:${SECRET_NAME}-??????`))],
  });
  const { arn } = aws.createSecret({
    account: "111111111111",
    region: REGION,
    name: SECRET_NAME,
    secretString: JSON.stringify({ username, password }),
  });
  const session = aws.issueSession({ roleArn: functionRoleArn, sessionName: "my-function" });
  return {
    aws,
    functionRoleArn,
    secretArn: arn,
    canaries,
    environment: toFunctionEnvironment(session, aws.url),
    close: () => aws.close(),
  };
}

/** What a function of Account B has in its environment, when AWS is at `url`. */
export function toFunctionEnvironment(session: SessionCredentials, url: string): Record<string, string> {
  return {
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: session.accessKeyId,
    AWS_SECRET_ACCESS_KEY: session.secretAccessKey,
    AWS_SESSION_TOKEN: session.sessionToken,
    AWS_ENDPOINT_URL_STS: url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
    AWS_ENDPOINT_URL_SSM: url,
    SECRET_NAME,
    CROSS_ACCOUNT_SECRETS_ROLE_ARN: TARGET_ROLE_ARN,
    CROSS_ACCOUNT_SECRETS_SECRET_IDS: SECRET_NAME,
    CROSS_ACCOUNT_SECRETS_LOG_LEVEL: "debug",
  };
}

/** A value that can be told from anything else, wherever it turns up. */
export function createCanary(): string {
  return `CANARY-${randomBytes(15).toString("base64url")}`;
}
