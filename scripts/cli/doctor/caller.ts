/** Who calls AWS, and what doctor, which knows the caller, adds to a diagnosis. */
import type { BaseCredentials } from "../../../extension/aws/base-credentials.ts";
import type { AwsCaller } from "../../../extension/aws/call.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import type { Config } from "../../../extension/config/config.ts";
import { type AwsCall, toCaller } from "../../../extension/failure/aws-error.ts";
import { diagnose } from "../../../extension/failure/diagnosis.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import type { MissingStatement } from "../../../extension/failure/policy-remedies.ts";
import { type AssumeRoleOptions, type Caller, toTrustStatements } from "../../../extension/failure/statements.ts";
import type * as AwsIdentity from "./aws-identity.ts";

/** The answer of GetCallerIdentity. */
export interface CallerIdentity {
  readonly account: string;
  readonly arn: string;
  /** `AROA…:session` of a role's session, `AIDA…` of a user. */
  readonly userId: string;
}

/** The role, without its path, or the user; undefined for any other identity. */
const callerOf = ({ arn }: CallerIdentity): Caller | undefined => toCaller(`User: ${arn}`);

/** Finds the credentials once: with SSO or an instance's role that takes calls, whose time would count for another step. */
export function createOwnCredentials(found: BaseCredentials): BaseCredentials {
  let credentials: AwsCredentials | undefined;
  return {
    mayChange: false,
    async get() {
      credentials ??= await found.get();
      return credentials;
    },
  };
}

export interface CallerLookupDeps {
  readonly config: Config;
  readonly baseCredentials: BaseCredentials;
  readonly awsIdentity: typeof AwsIdentity;
  readonly callAws: AwsCaller;
  /** Replaces AWS's endpoint of IAM. */
  readonly iamEndpoint: string | undefined;
  readonly version: string;
  /** How long AWS may take in each step. */
  readonly timeoutMs: number;
  readonly now: () => number;
}

export function createCallerLookup(deps: CallerLookupDeps) {
  const { baseCredentials, awsIdentity, version, timeoutMs, now } = deps;
  const { region, endpoints, clientOptions } = deps.config.aws;
  const options = { ...clientOptions, region, version };
  return {
    /** Calls GetCallerIdentity. `clockOffsetMs` is how far AWS's clock is ahead of ours. Rejects with a `Failure` only. */
    identify(roleArn: string, get: () => Promise<AwsCredentials>) {
      const call: AwsCall = { operation: "GetCallerIdentity", roleArn, region };
      return deps.callAws(call, now() + timeoutMs, async (signal) => {
        const signed = { ...options, credentials: await get(), endpoint: endpoints.sts };
        const { answer, clockOffsetMs } = await awsIdentity.getCallerIdentity(signed, signal);
        const { Account: account, Arn: arn, UserId: userId } = answer;
        if (!account || !arn || !userId) throw diagnose(undefined, call);
        return { account, arn, userId, clockOffsetMs };
      });
    },
    /** The path of the caller's role, which is not in a session's ARN. Undefined if the caller may not ask IAM for it. */
    async findPath(identity: CallerIdentity): Promise<string | undefined> {
      const caller = callerOf(identity);
      if (caller === undefined || caller.path !== undefined) return caller?.path;
      try {
        const signed = { ...options, credentials: await baseCredentials.get(), endpoint: deps.iamEndpoint };
        const arn = await awsIdentity.getRoleArn(caller, signed, AbortSignal.timeout(timeoutMs));
        return /^arn:[^:]+:iam::\d{12}:role(\/(?:[!-.0-~]+\/)*)[^/]+$/.exec(arn ?? "")?.[1];
      } catch {
        // The path only makes the statement shorter.
        return undefined;
      }
    },
  };
}

/**
 * Why this identity cannot assume any role, whatever the policies say.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
 */
export function explainCannotAssume({ arn }: CallerIdentity): string | undefined {
  const [, identityType] = /^arn:[^:]+:(?:iam|sts)::\d{12}:(root|federated-user)\b/.exec(arn) ?? [];
  if (identityType === "root")
    return "the root user of an account cannot assume a role: use the credentials of a role or of an IAM user";
  if (identityType === "federated-user")
    return "a session of GetFederationToken cannot assume a role: use the credentials of a role";
  return undefined;
}

/** The extension's remedy is for a function, which cannot sign in again. */
export function withSignInRemedy(failure: Failure, region: string): Failure {
  const { code, message, details } = failure;
  if (!SIGN_IN.includes(code)) return failure;
  const remedy = `your own credentials are no longer valid, or the region ${region} is not enabled in their account: sign in again (aws sso login), or check AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN`;
  return new Failure(code, message, { ...details, remedy });
}

const SIGN_IN: readonly FailureCode[] = ["credentials-expired", "credentials-invalid"];

/** The failures of AssumeRole that depend on who the caller is. */
const ABOUT_CALLER: readonly FailureCode[] = [
  "assume-role-denied",
  "tag-session-denied",
  "source-identity-denied",
  "explicit-deny",
];

export const isAboutCaller = ({ code }: Failure): boolean => ABOUT_CALLER.includes(code);

/** If a role or user in a trust policy is deleted, the policy shows its ID, and does not apply to a new one of the same name. */
export function toIdNote(identity: CallerIdentity): string | undefined {
  const caller = callerOf(identity);
  const [id = ""] = identity.userId.split(":");
  return caller === undefined
    ? undefined
    : `${caller.type} ${caller.name} has the id ${id}: another ${id.slice(0, 4)}… in the trust policy is a ${caller.type} that was deleted, perhaps of the same name; replace it with the ARN`;
}

/** A failure that is about the caller, with statements for this caller. `path` is the role's path, if it is known. */
export function withCaller(
  failure: Failure,
  identity: CallerIdentity,
  options: AssumeRoleOptions,
  path: string | undefined,
): Failure {
  const { code, message, details } = failure;
  const remedy = explainCannotAssume(identity);
  if (remedy !== undefined) return new Failure(code, message, { ...details, remedy, statements: undefined });
  const caller = callerOf(identity);
  if (caller === undefined || path === undefined) return failure;
  const { partition, accountId, type, name } = caller;
  const ownArn = `arn:${partition}:iam::${accountId}:${type}${path}${name}`;
  // A trust policy may need two statements; both name the role with its path.
  const trustStatements = [...toTrustStatements({ ...caller, path }, options)];
  const statements = statementsOf(failure).map(({ policy, of, statement }) => {
    if (policy === "trust-policy") return { policy, of, statement: trustStatements.shift() ?? statement };
    return { policy, of: policy === "identity-policy" ? ownArn : of, statement };
  });
  return new Failure(code, message, { ...details, statements });
}

/** The statements that the diagnosis has put into the failure's details. */
export const statementsOf = (failure: Failure | undefined): readonly MissingStatement[] =>
  (failure?.details.statements ?? []) as readonly MissingStatement[];
