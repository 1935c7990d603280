import { randomBytes } from "node:crypto";
import { type FakeAws, type FakeAwsOptions, type SessionCredentials, startFakeAws } from "../fakes/aws.ts";
import { allow, toPolicy, trust } from "./policy-documents.ts";
import { FUNCTION_ROLE_ARN, HOME, REGION, SECRET_NAME, SECRETS_ARN, TARGET_ROLE_ARN } from "./values.ts";

export { FUNCTION_ROLE_ARN, REGION, SECRET_NAME, SECRETS_ARN, TARGET_ROLE_ARN };
export const TARGET_ACCOUNT = HOME.accountId;
export const FUNCTION_ACCOUNT = "222222222222";
/** The variables of a function that has its sources in CONFIG. */
export const toConfigVariables = (sources: readonly object[]) => ({
  CROSS_ACCOUNT_SECRETS_ROLE_ARN: undefined,
  CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined,
  CROSS_ACCOUNT_SECRETS_CONFIG: JSON.stringify({ sources }),
});
/** The account and region of the secret, as the fake AWS takes them. */
export const IN_TARGET_ACCOUNT = { account: TARGET_ACCOUNT, region: REGION };
/** The target of a request to the extension for the secret. */
export const SECRET_PATH = `/secretsmanager/get?secretId=${SECRET_NAME}`;

export interface TwoAccounts {
  readonly aws: FakeAws;
  readonly functionRoleArn: string;
  readonly secretArn: string;
  /** The secret's values. No output may contain them. */
  readonly canaries: readonly string[];
  /** The function's variables, from Lambda and from its owner. */
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface TwoAccountsOptions extends FakeAwsOptions {
  /** Default: the guide's role, which has no path. */
  readonly functionRoleArn?: string | undefined;
}

/** Starts a fake AWS with the guide's set-up: a role in Account A that trusts Account B's role and may read one secret. */
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
    account: TARGET_ACCOUNT,
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

/** The variables of a function of Account B, with AWS at `url`. */
export function toFunctionEnvironment(session: SessionCredentials, url: string): Record<string, string> {
  return {
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    ...toCredentialVariables(session),
    AWS_ENDPOINT_URL_STS: url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
    AWS_ENDPOINT_URL_SSM: url,
    SECRET_NAME,
    CROSS_ACCOUNT_SECRETS_ROLE_ARN: TARGET_ROLE_ARN,
    CROSS_ACCOUNT_SECRETS_SECRET_IDS: SECRET_NAME,
    CROSS_ACCOUNT_SECRETS_LOG_LEVEL: "debug",
  };
}

export const toCredentialVariables = (session: SessionCredentials) => ({
  AWS_ACCESS_KEY_ID: session.accessKeyId,
  AWS_SECRET_ACCESS_KEY: session.secretAccessKey,
  AWS_SESSION_TOKEN: session.sessionToken,
});

/** Everything that no output may contain: the secret's values, and the keys and tokens of all sessions. */
export const listSecrets = ({ aws, canaries }: Pick<TwoAccounts, "aws" | "canaries">): string[] => [
  ...canaries,
  ...toKeys(aws.listCredentials()),
];

/** The secret parts of sessions. */
export const toKeys = (sessions: readonly Omit<SessionCredentials, "accessKeyId">[]): string[] =>
  sessions.flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]);

/** Returns a unique value, so that a test can find it in any output. */
export function createCanary(): string {
  return `CANARY-${randomBytes(15).toString("base64url")}`;
}
