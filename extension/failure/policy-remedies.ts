/** What to change in which of the two accounts' policies, if one of them denies. Pure. */
import { toAccountId } from "../values/secret.ts";
import type { AwsCall, Denial, PolicyType } from "./aws-error.ts";
import type { FailureCode } from "./failure.ts";
import {
  type AccountLocation,
  type Statement,
  toAssumeStatement,
  toDecryptStatement,
  toKeyStatement,
  toParameterResource,
  toParameterStatement,
  toReadStatement,
  toResourceStatement,
  toSecretResources,
  toTrustStatements,
} from "./statements.ts";

/** A statement that a policy lacks. */
export interface MissingStatement {
  readonly policy:
    | "trust-policy"
    | "identity-policy"
    | "key-policy"
    | "resource-policy"
    | "permissions-boundary"
    | "service-control-policy"
    | "vpc-endpoint-policy";
  /** The owner of the policy: its ARN, or words if AWS does not name the ARN. */
  readonly of: string;
  readonly statement: Statement;
}

export interface Remedy {
  readonly remedy?: string;
  readonly statements?: readonly MissingStatement[];
}

export function toAssumeRemedy(code: FailureCode, call: AwsCall, denial: Denial): Remedy {
  const { roleArn, externalId } = call;
  const { caller, policyType, topic } = denial;
  if (topic === "root user")
    return {
      remedy: "the root user of an account cannot assume a role: use the credentials of a role or of an IAM user",
    };
  const who = toCallerPhrase(denial);
  const trust: MissingStatement[] = (caller === undefined ? [] : toTrustStatements(caller, call)).map((statement) => ({
    policy: "trust-policy",
    of: roleArn,
    statement,
  }));
  const own: MissingStatement = { policy: "identity-policy", of: who, statement: toAssumeStatement(roleArn, call) };
  const ofTrust = `the trust policy of ${roleArn} must trust ${who}`;
  const ofOwn = `a policy of ${who} must allow ${[own.statement.Action].flat().join(", ")} on ${roleArn}`;
  if (policyType === "identity-based policy") return { remedy: ofOwn, statements: [own] };
  if (policyType === "resource-based policy" || policyType === "role trust policy")
    return { remedy: ofTrust, statements: trust };
  if (policyType !== undefined) return toLimitRemedy(policyType, toParties(call, denial), own.statement);
  const ofExternalId =
    externalId === undefined
      ? "set CROSS_ACCOUNT_SECRETS_EXTERNAL_ID to it; do not remove the condition"
      : `it must be ${externalId}, which the extension sends`;
  return {
    remedy: `${SETTING_PERMISSIONS[code] ?? ""}AWS does not say which side denies, and both must allow it. (1) Account A: ${ofTrust}. If it names a role, write the role's path, too (service-role/…). If that role was deleted and created again, the trust policy shows AROA…: write the role's ARN again. If the trust policy requires an external ID, ${ofExternalId}. If it has aws:PrincipalOrgID, the caller's account must be in that organization. (2) Account B: ${ofOwn}. (3) AWS says the same if there is no role ${roleArn}. It may also say this if a permissions boundary or a service control policy denies`,
    statements: [...trust, own],
  };
}

/** Settings that need another permission than AssumeRole. */
const SETTING_PERMISSIONS: Partial<Record<FailureCode, string>> = {
  "tag-session-denied": "CROSS_ACCOUNT_SECRETS_SESSION_TAGS needs sts:TagSession on both sides: ",
  "source-identity-denied": "CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY needs sts:SetSourceIdentity on both sides: ",
};

export function toReadRemedy(call: AwsCall, denial: Denial): Remedy {
  const { operation, roleArn, region, id = "" } = call;
  const { policyType } = denial;
  const role = toRoleLocation(call);
  const isSecret = operation === "GetSecretValue";
  const statement = isSecret
    ? toReadStatement(toSecretResources(id, role))
    : toParameterStatement([toParameterResource(id, role)]);
  const absence = `AWS says the same if nothing with that name is in account ${role.accountId} and region ${region}: check both`;
  if (policyType === "session policy") {
    const setting = `CROSS_ACCOUNT_SECRETS_${isSecret ? "SECRET_IDS" : "PARAMETER_NAMES"}`;
    return {
      remedy: `the session policy, which the extension makes from ${setting}, does not allow ${id}: list it there by its name or its whole ARN, in the right region, or set CROSS_ACCOUNT_SECRETS_SESSION_POLICY to none. ${absence}`,
    };
  }
  if (policyType === "resource-based policy" && isSecret) {
    return {
      remedy: `the resource policy of ${id} must allow ${roleArn} to read it: a secret in another account than the role's needs one`,
      statements: [{ policy: "resource-policy", of: id, statement: toResourceStatement(roleArn) }],
    };
  }
  if (policyType !== undefined && policyType !== "identity-based policy" && policyType !== "resource-based policy") {
    return toLimitRemedy(policyType, toParties(call, denial), statement);
  }
  const otherAccountId = isSecret ? toAccountId(id) : undefined;
  const ofAccount =
    otherAccountId === undefined || otherAccountId === role.accountId
      ? ""
      : ` ${id} is in account ${otherAccountId}, and the role in ${role.accountId}: if this is intended, the secret's resource policy must allow the role, too.`;
  const form = isSecret
    ? "in its permissions the ARN must end in -??????, for the six characters that AWS appends"
    : "write exactly one slash after parameter in the ARN";
  return {
    remedy: `${roleArn} must be allowed ${statement.Action} on ${id}; ${form}.${ofAccount} ${absence}`,
    statements: [{ policy: "identity-policy", of: roleArn, statement }],
  };
}

export function toKeyRemedy(call: AwsCall, denial: Denial): Remedy {
  const { operation, roleArn, region, id } = call;
  const { policyType, topic } = denial;
  const service = operation === "GetParameter" ? "ssm" : "secretsmanager";
  const own: MissingStatement = { policy: "identity-policy", of: roleArn, statement: toDecryptStatement({ service }) };
  const ofKey: MissingStatement = {
    policy: "key-policy",
    of: `the KMS key of ${id}`,
    statement: toKeyStatement(roleArn),
  };
  if (policyType === "session policy") {
    return {
      remedy:
        "the session policy allows only the keys of secrets in the role's own account; set CROSS_ACCOUNT_SECRETS_SESSION_POLICY to none",
    };
  }
  if (policyType === "identity-based policy") {
    return { remedy: `a policy of ${roleArn} must allow it to use the KMS key of ${id}`, statements: [own] };
  }
  if (policyType === "resource-based policy") {
    return { remedy: `the policy of the KMS key of ${id} must allow ${roleArn} to use it`, statements: [ofKey] };
  }
  if (policyType !== undefined) return toLimitRemedy(policyType, toParties(call, denial), own.statement);
  const older =
    topic === "key of an old version"
      ? `this version of ${id} is encrypted with an older key than the secret has now: write the value again with aws secretsmanager put-secret-value, or allow that key, too. `
      : "";
  return {
    remedy: `${older}the policy of the KMS key of ${id} must allow ${roleArn} kms:Decrypt (and kms:DescribeKey); if it delegates to IAM, as the default key policy does, the role's own permissions must allow it. AWS says the same if a Deny, a permissions boundary or a service control policy denies, or if there is no such key in ${region}, and may say it if the key is disabled: aws kms describe-key shows its state`,
    statements: [ofKey, own],
  };
}

export function toExplicitRemedy(call: AwsCall, denial: Denial): Remedy {
  const parties = toParties(call, denial);
  const { policyType } = denial;
  const where =
    policyType === undefined
      ? `a policy of ${parties.caller}, or ${parties.resource}`
      : toPolicyPhrase(policyType, parties);
  return {
    remedy: `a statement with "Effect": "Deny" in ${where} matches. A Deny always wins over an Allow: remove the statement, or narrow it by a condition`,
  };
}

/** Policies that only limit what others allow, and that a statement can widen. */
const LIMITS: Partial<Record<PolicyType, MissingStatement["policy"]>> = {
  "permissions boundary": "permissions-boundary",
  "service control policy": "service-control-policy",
  "VPC endpoint policy": "vpc-endpoint-policy",
};

function toLimitRemedy(policyType: PolicyType, parties: Parties, statement: Statement): Remedy {
  const of = toPolicyPhrase(policyType, parties);
  const remedy = `${of} must allow it, too: it limits what other policies allow`;
  const policy = LIMITS[policyType];
  const principal = policyType === "VPC endpoint policy" ? { Principal: "*" as const } : {};
  return policy === undefined
    ? { remedy }
    : { remedy, statements: [{ policy, of, statement: { ...statement, ...principal } }] };
}

/** The two sides of a denied call, in words. */
export interface Parties {
  readonly caller: string;
  /** The policies that the target role, the secret or the parameter has itself. */
  readonly resource: string;
  /** The account of the target role, the secret or the parameter. */
  readonly accountId: string;
}

export function toParties(call: AwsCall, denial: Denial): Parties {
  const { operation, roleArn, id = "" } = call;
  const { accountId } = toRoleLocation(call);
  return operation === "AssumeRole"
    ? { caller: toCallerPhrase(denial), resource: `the trust policy of ${roleArn}`, accountId }
    : {
        caller: roleArn,
        resource: `the resource policy of ${id}, or of its KMS key`,
        accountId: toAccountId(id) ?? accountId,
      };
}

/** Which policy it is, and whose. */
export function toPolicyPhrase(policyType: PolicyType, { caller, resource, accountId }: Parties): string {
  switch (policyType) {
    case "identity-based policy":
      return `a policy of ${caller}`;
    case "resource-based policy":
    case "role trust policy":
      return resource;
    case "permissions boundary":
      return `the permissions boundary of ${caller}`;
    case "session policy":
      return `the policy of the session of ${caller}`;
    case "VPC endpoint policy":
      return "the policy of the VPC endpoint";
    case "service control policy":
      return `a service control policy of the organization that applies to the account of ${caller}`;
    case "resource control policy":
      return `a resource control policy of the organization that applies to account ${accountId}`;
  }
}

export function toCallerPhrase({ caller }: Denial): string {
  if (caller === undefined) return "the function's execution role";
  const { partition, accountId, type, name, path } = caller;
  if (path !== undefined) return `arn:${partition}:iam::${accountId}:${type}${path}${name}`;
  return `the ${type} ${name} of account ${accountId}`;
}

/** Where a bare name is looked up: in the role's account. */
export function toRoleLocation({ roleArn, region }: AwsCall): AccountLocation {
  const [, partition = "aws", , , accountId = ""] = roleArn.split(":");
  return { partition, region, accountId };
}
