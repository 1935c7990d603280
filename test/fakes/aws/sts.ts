import type { OperationContext } from "./operation.ts";
import { denialOfAssumeRole } from "./permissions.ts";
import { parseSessionPolicy } from "./session-policy.ts";
import { type Answer, type Refusal, refuse, toStsBody } from "./wire.ts";

/** STS: AssumeRole and GetCallerIdentity. */
export function answerSts(context: OperationContext): Answer {
  const { operation, parameters } = context.request;
  if (operation === "AssumeRole") return assumeRole(context);
  if (operation === "GetCallerIdentity") return getCallerIdentity(context);
  // Not verified.
  const message = `Could not find operation ${operation} for version ${parameters.get("Version") ?? "NO_VERSION_SPECIFIED"}`;
  return refuse("sts", "unknown operation", message);
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
function assumeRole({ caller, request: { parameters }, requestId, iam }: OperationContext): Answer {
  const problem = problemOfParameters(parameters);
  if (problem) return invalid(problem);

  const roleArn = parameters.get("RoleArn") ?? "";
  const role = iam.findRole(roleArn);
  const denial = denialOfAssumeRole(caller, roleArn, role, parameters.get("ExternalId"));
  if (denial !== undefined || role === undefined) return refuse("sts", "denied", denial ?? "");

  // All callers of the fake are role sessions, so this is always role chaining.
  // Not verified: that AWS checks it after the policies.
  const durationSeconds = Number(parameters.get("DurationSeconds") ?? 3600);
  if (durationSeconds > 3600) {
    // https://github.com/aws/eks-anywhere/pull/9485
    return invalid(
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    );
  }

  const text = parameters.get("Policy");
  const policy = text === undefined ? undefined : parseSessionPolicy(text);
  if (text !== undefined && policy === undefined) {
    // Not verified: the words for this place.
    return { status: 400, code: "MalformedPolicyDocument", message: "Syntax errors in policy." };
  }
  const session = iam.issueSession(role, parameters.get("RoleSessionName") ?? "", durationSeconds, policy);
  const result = {
    AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: new Date(session.expiresAtMs).toISOString().replace(".000Z", "Z"),
    },
    SourceIdentity: parameters.get("SourceIdentity"),
    // In per cent of a limit that AWS does not tell; here of the 2,048 characters that it does.
    PackedPolicySize: text === undefined ? undefined : Math.ceil(text.length / 20.48),
  };
  return { body: toStsBody("AssumeRole", result, requestId) };
}

/** Nobody needs a permission for it: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
function getCallerIdentity({ caller: { session }, requestId }: OperationContext): Answer {
  const identity = { Arn: session.arn, UserId: session.userId, Account: session.account };
  return { body: toStsBody("GetCallerIdentity", identity, requestId) };
}

interface Constraint {
  readonly parameter: string;
  readonly required?: true;
  /** Of the length, or of the value where it is a number. */
  readonly least: number;
  readonly most: number;
  readonly isNumber?: true;
  readonly pattern?: string;
}

const NAME_PATTERN = String.raw`[\w+=,.@-]*`;
const CONSTRAINTS: readonly Constraint[] = [
  { parameter: "RoleArn", required: true, least: 20, most: 2048 },
  { parameter: "RoleSessionName", required: true, least: 2, most: 64, pattern: NAME_PATTERN },
  { parameter: "DurationSeconds", isNumber: true, least: 900, most: 43_200 },
  { parameter: "ExternalId", least: 2, most: 1224, pattern: String.raw`[\w+=,.@:/-]*` },
  { parameter: "SourceIdentity", least: 2, most: 64, pattern: NAME_PATTERN },
  { parameter: "Policy", least: 1, most: 2048 },
];

function problemOfParameters(parameters: ReadonlyMap<string, string>): string | undefined {
  for (const constraint of CONSTRAINTS) {
    const value = parameters.get(constraint.parameter);
    const violation = violationOf(constraint, value);
    const member = constraint.parameter.charAt(0).toLowerCase() + constraint.parameter.slice(1);
    const quoted = value === undefined ? "null" : `'${value}'`;
    // Pattern and length are recorded in localstack's tests/aws/services/sts/test_sts.snapshot.json. Not verified: null, numbers.
    if (violation) {
      return `1 validation error detected: Value ${quoted} at '${member}' failed to satisfy constraint: ${violation}`;
    }
  }
  const roleArn = parameters.get("RoleArn") ?? "";
  // Recorded in the same place.
  return /^arn:[^:]+:[^:]+:[^:]*:[^:]*:./.test(roleArn) ? undefined : `${roleArn} is invalid`;
}

function violationOf(
  { required, least, most, isNumber, pattern }: Constraint,
  value: string | undefined,
): string | undefined {
  if (value === undefined) return required && "Member must not be null";
  const measure = isNumber ? Number(value) : value.length;
  const measured = isNumber ? "value" : "length";
  if (!(measure >= least)) return `Member must have ${measured} greater than or equal to ${least}`;
  if (measure > most) return `Member must have ${measured} less than or equal to ${most}`;
  if (pattern && !new RegExp(`^${pattern}$`).test(value)) {
    return `Member must satisfy regular expression pattern: ${pattern}`;
  }
  return undefined;
}

function invalid(message: string): Refusal {
  return { status: 400, code: "ValidationError", message };
}
