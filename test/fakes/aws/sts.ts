import { deflateRawSync } from "node:zlib";
import type { Role } from "./iam.ts";
import { parseTags } from "./journal.ts";
import type { OperationContext } from "./operation.ts";
import { parseSessionPolicy } from "./session-policy.ts";
import { badRequest, type OperationAnswer, toErrorAnswer, toStsBody } from "./wire.ts";

/** Answers STS's operations AssumeRole and GetCallerIdentity. */
export async function answerSts(context: OperationContext): Promise<OperationAnswer> {
  const { operation, parameters } = context.request;
  if (operation === "AssumeRole") return assumeRole(context);
  if (operation === "GetCallerIdentity") return getCallerIdentity(context);
  // Not verified.
  const message = `Could not find operation ${operation} for version ${parameters.get("Version") ?? "NO_VERSION_SPECIFIED"}`;
  return toErrorAnswer("sts", "unknown operation", message);
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
async function assumeRole(context: OperationContext): Promise<OperationAnswer> {
  const { requestId, iam } = context;
  const { parameters } = context.request;
  const problem = findParameterProblem(parameters);
  if (problem) return badRequest("ValidationError", problem);

  const roleArn = parameters.get("RoleArn") ?? "";
  const role = iam.findRole(roleArn);
  const denial = await findAssumptionDenial(context, roleArn, role);
  if (denial !== undefined || role === undefined) return toErrorAnswer("sts", "denied", denial ?? "");

  if (context.accounts.findAccount(role.account).regionsWithoutSts?.includes(context.region)) {
    // https://github.com/turbot/steampipe-plugin-aws/issues/1510 Not verified: that AWS checks permission first.
    const advice = "Your account administrator can activate STS in this region using the IAM Console.";
    const message = `STS is not activated in this region for account:${role.account}. ${advice}`;
    return { status: 403, code: "RegionDisabledException", message };
  }

  // All callers of the fake are role sessions, so every AssumeRole is role chaining.
  // Not verified: that AWS checks this after the policies.
  const durationSeconds = Number(parameters.get("DurationSeconds") ?? 3600);
  if (durationSeconds > 3600) {
    // https://github.com/aws/eks-anywhere/pull/9485
    return badRequest(
      "ValidationError",
      "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    );
  }

  const text = parameters.get("Policy");
  const policy = text === undefined ? undefined : parseSessionPolicy(text);
  if (text !== undefined && policy === undefined) {
    // Not verified: the words of this message.
    return badRequest("MalformedPolicyDocument", "Syntax errors in policy.");
  }
  const tokenBytes = toTokenBytes(role, parameters);
  const maxBytes = Math.max(MAX_TOKEN_BYTES, role.sessionTokenBytes);
  if (tokenBytes > maxBytes) {
    // The documented facts of this message are both sizes. Not verified: its words, and that AWS checks this last.
    const message = `The session token has ${tokenBytes} bytes, which exceeds the maximum allowed size of ${maxBytes} bytes`;
    return badRequest("PackedPolicyTooLarge", message);
  }
  const sessionName = parameters.get("RoleSessionName") ?? "";
  const session = iam.issueSession({ role, sessionName, durationSeconds, tokenBytes, policy });
  const utilization = Math.ceil((100 * tokenBytes) / maxBytes);
  const result = {
    AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: new Date(session.expiresAtMs).toISOString().replace(".000Z", "Z"),
    },
    SourceIdentity: parameters.get("SourceIdentity"),
    PackedPolicySize: utilization,
    SessionTokenSize: tokenBytes,
    SessionTokenUtilization: utilization,
  };
  return { body: toStsBody("AssumeRole", result, requestId) };
}

/**
 * The limit since September 2026, "not a permanent cap". The code is still that of the packed policy, and PackedPolicySize has
 * the value of SessionTokenUtilization:
 * https://aws.amazon.com/blogs/security/aws-sts-simplifies-session-token-size-limits-and-adds-session-token-size-monitoring/
 * In this fake, a role whose tokens are longer by themselves has no other limit.
 */
const MAX_TOKEN_BYTES = 4_096;

/**
 * The session policy and the tags are part of the token. Not verified: how AWS packs them. Here they are compressed, and in
 * Base64.
 */
function toTokenBytes({ sessionTokenBytes }: Role, parameters: ReadonlyMap<string, string>): number {
  const tags = Object.entries(parseTags(parameters)).flat();
  const packed = [parameters.get("Policy") ?? "", ...tags].join("\0");
  const addedBytes = packed === "" ? 0 : deflateRawSync(packed).toString("base64").length;
  return Math.max(sessionTokenBytes + addedBytes, Number(parameters.get("MinimumSessionTokenSize") ?? 0));
}

/**
 * Session tags and a source identity need permissions of their own on both sides, and a denial names those actions:
 * https://github.com/aws-actions/configure-aws-credentials/issues/54, https://github.com/noqdev/iambic/issues/357
 * Not verified: the order.
 */
async function findAssumptionDenial(
  { caller, request: { parameters }, findDenial }: OperationContext,
  roleArn: string,
  target: Role | undefined,
): Promise<string | undefined> {
  const tags = parseTags(parameters);
  const hasTags = Object.keys(tags).length > 0;
  const [externalId, sourceIdentity] = [parameters.get("ExternalId"), parameters.get("SourceIdentity")];
  const context = {
    "sts:RoleSessionName": parameters.get("RoleSessionName") ?? "",
    ...(externalId !== undefined && { "sts:ExternalId": externalId }),
    ...(sourceIdentity !== undefined && { "sts:SourceIdentity": sourceIdentity }),
    ...(hasTags && { "aws:TagKeys": Object.keys(tags) }),
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  };
  const actions = [
    "sts:AssumeRole",
    ...(hasTags ? ["sts:TagSession"] : []),
    ...(sourceIdentity === undefined ? [] : ["sts:SetSourceIdentity"]),
  ];
  for (const action of actions) {
    const requested = { action, resource: roleArn, context, target, resourcePolicy: target?.trustPolicy };
    const denial = await findDenial(caller, requested);
    if (denial !== undefined) return denial;
  }
  return undefined;
}

/** It needs no permission: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
function getCallerIdentity({ caller: { session }, requestId }: OperationContext): OperationAnswer {
  const identity = { Arn: session.arn, UserId: session.userId, Account: session.account };
  return { body: toStsBody("GetCallerIdentity", identity, requestId) };
}

interface Constraint {
  readonly parameter: string;
  readonly required?: true;
  /** The limits of the length or, of a number, of the value. */
  readonly min: number;
  readonly max: number;
  readonly isNumber?: true;
  readonly pattern?: string;
}

const NAME_PATTERN = String.raw`[\w+=,.@-]*`;
const CONSTRAINTS: readonly Constraint[] = [
  { parameter: "RoleArn", required: true, min: 20, max: 2048 },
  { parameter: "RoleSessionName", required: true, min: 2, max: 64, pattern: NAME_PATTERN },
  { parameter: "DurationSeconds", isNumber: true, min: 900, max: 43_200 },
  { parameter: "ExternalId", min: 2, max: 1224, pattern: String.raw`[\w+=,.@:/-]*` },
  { parameter: "SourceIdentity", min: 2, max: 64, pattern: NAME_PATTERN },
  { parameter: "Policy", min: 1, max: 2048 },
  // The API model of @aws-sdk/client-sts 3.1173.0.
  { parameter: "MinimumSessionTokenSize", isNumber: true, min: 0, max: 4_096 },
];

function findParameterProblem(parameters: ReadonlyMap<string, string>): string | undefined {
  for (const constraint of CONSTRAINTS) {
    const value = parameters.get(constraint.parameter);
    const violation = findViolation(constraint, value);
    const member = constraint.parameter.charAt(0).toLowerCase() + constraint.parameter.slice(1);
    const quoted = value === undefined ? "null" : `'${value}'`;
    // Pattern and length are recorded in localstack's tests/aws/services/sts/test_sts.snapshot.json. Not verified: null and numbers.
    if (violation) {
      return `1 validation error detected: Value ${quoted} at '${member}' failed to satisfy constraint: ${violation}`;
    }
  }
  const roleArn = parameters.get("RoleArn") ?? "";
  // Recorded in the same snapshot.
  return /^arn:[^:]+:[^:]+:[^:]*:[^:]*:./.test(roleArn) ? undefined : `${roleArn} is invalid`;
}

function findViolation(
  { required, min, max, isNumber, pattern }: Constraint,
  value: string | undefined,
): string | undefined {
  if (value === undefined) return required && "Member must not be null";
  const measure = isNumber ? Number(value) : value.length;
  const measured = isNumber ? "value" : "length";
  if (!(measure >= min)) return `Member must have ${measured} greater than or equal to ${min}`;
  if (measure > max) return `Member must have ${measured} less than or equal to ${max}`;
  if (pattern && !new RegExp(`^${pattern}$`).test(value)) {
    return `Member must satisfy regular expression pattern: ${pattern}`;
  }
  return undefined;
}
