/** What doctor, which knows who asks, has to add to a diagnosis. Pure. */
import { toCaller } from "../../../extension/failure/aws-error.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import type { MissingStatement } from "../../../extension/failure/policy-remedies.ts";
import { type AssumeRoleOptions, type Caller, toTrustStatements } from "../../../extension/failure/statements.ts";

/** As GetCallerIdentity tells it. */
export interface Identity {
  readonly account: string;
  readonly arn: string;
  /** `AROA…:session` of a role's session, `AIDA…` of a user. */
  readonly userId: string;
}

/** The role, without its path, or the user; undefined for others. */
export const callerOf = ({ arn }: Identity): Caller | undefined => toCaller(`User: ${arn}`);

/**
 * Why this identity can assume no role, whatever the policies say.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
 */
export function toImpediment({ arn }: Identity): string | undefined {
  const [, kind] = /^arn:[^:]+:(?:iam|sts)::\d{12}:(root|federated-user)\b/.exec(arn) ?? [];
  if (kind === "root") return "an account's root user may assume no role: use the credentials of a role, or of a user";
  if (kind === "federated-user")
    return "a session of GetFederationToken may assume no role: use the credentials of a role";
  return undefined;
}

/** The shared remedy speaks to a function, which cannot sign in anew. */
export function withOwnRemedy(failure: Failure, region: string): Failure {
  const { code, message, details } = failure;
  if (!SIGN_IN.includes(code)) return failure;
  const remedy = `your own credentials are no longer good, or the region ${region} is not enabled in their account: sign in anew (aws sso login), or look at AWS_PROFILE and at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN`;
  return new Failure(code, message, { ...details, remedy });
}

const SIGN_IN: readonly FailureCode[] = ["credentials-expired", "credentials-invalid"];

/** Which refusals of AssumeRole are about who asks. */
const AGAINST_THE_CALLER: readonly FailureCode[] = [
  "assume-role-denied",
  "tag-session-denied",
  "source-identity-denied",
  "explicit-deny",
];

export const isAgainstCaller = ({ code }: Failure): boolean => AGAINST_THE_CALLER.includes(code);

/** A trust policy that named a role or user shows its id once that was deleted, and does not mean the next one of its name. */
export function toIdNote(identity: Identity): string | undefined {
  const caller = callerOf(identity);
  const [id = ""] = identity.userId.split(":");
  return caller === undefined
    ? undefined
    : `${caller.type} ${caller.name} has the id ${id}: another ${id.slice(0, 4)}… in the trust policy is a ${caller.type} that was deleted, perhaps of the same name, and has to be named again`;
}

/** A refusal that is about who asks, with the statements for that. `path` is that of the role, where it could be looked up. */
export function withCaller(
  failure: Failure,
  identity: Identity,
  wishes: AssumeRoleOptions,
  path: string | undefined,
): Failure {
  const { code, message, details } = failure;
  const remedy = toImpediment(identity);
  if (remedy !== undefined) return new Failure(code, message, { ...details, remedy, statements: undefined });
  const caller = callerOf(identity);
  if (caller === undefined || path === undefined) return failure;
  const { partition, accountId, type, name } = caller;
  const ownArn = `arn:${partition}:iam::${accountId}:${type}${path}${name}`;
  // A trust policy may need two; AWS knows both by the path now.
  const trusting = [...toTrustStatements({ ...caller, path }, wishes)];
  const statements = statementsOf(failure).map(({ policy, of, statement }) => {
    if (policy === "trust-policy") return { policy, of, statement: trusting.shift() ?? statement };
    return { policy, of: policy === "identity-policy" ? ownArn : of, statement };
  });
  return new Failure(code, message, { ...details, statements });
}

/** Whatever diagnosis puts there is one. */
export const statementsOf = (failure: Failure | undefined): readonly MissingStatement[] =>
  (failure?.details.statements ?? []) as readonly MissingStatement[];
