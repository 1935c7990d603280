import { toAccountId } from "../values/secret.ts";
import type { AwsCall, Denial, PolicyType } from "./aws-error.ts";
import type { FailureCode } from "./failure.ts";
import {
  type Owner,
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

/** What to change in which of the policies in two accounts, where one of them refuses. Pure. */

/** A statement that has to stand in a policy. */
export interface MissingStatement {
  readonly policy:
    | "trust-policy"
    | "identity-policy"
    | "key-policy"
    | "resource-policy"
    | "permissions-boundary"
    | "service-control-policy"
    | "vpc-endpoint-policy";
  /** Whose policy it is: the ARN, or the words for what AWS does not tell the ARN of. */
  readonly of: string;
  readonly statement: Statement;
}

export interface Remedy {
  readonly remedy?: string;
  readonly statements?: readonly MissingStatement[];
}

export function toAssumeRemedy(code: FailureCode, call: AwsCall, denial: Denial): Remedy {
  const { roleArn, externalId } = call;
  const { caller, policyType } = denial;
  const who = toWords(denial);
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
      ? "an external ID, if it asks for one, is set with CROSS_ACCOUNT_SECRETS_EXTERNAL_ID, rather than got round by a statement without it"
      : `an external ID, if it asks for one, must be ${externalId}, which is sent`;
  return {
    remedy: `${WISHES[code] ?? ""}AWS does not say which side refuses, and both must agree. Account A: ${ofTrust}; a role it names must have its path (service-role/…), and be named again if it was created anew (it shows as AROA… then); ${ofExternalId}; with aws:PrincipalOrgID, the caller's account must be in that organization. Account B: ${ofOwn}. AWS says the same where there is no role ${roleArn}, and may where a permissions boundary or a service control policy stands against it`,
    statements: [...trust, own],
  };
}

/** What of the settings takes more than AssumeRole. */
const WISHES: Partial<Record<FailureCode, string>> = {
  "tag-session-denied": "CROSS_ACCOUNT_SECRETS_SESSION_TAGS needs sts:TagSession on both sides: ",
  "source-identity-denied": "CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY needs sts:SetSourceIdentity on both sides: ",
};

export function toReadRemedy(call: AwsCall, denial: Denial): Remedy {
  const { operation, roleArn, region, id = "" } = call;
  const { policyType } = denial;
  const owner = toOwner(call);
  const isSecret = operation === "GetSecretValue";
  const statement = isSecret
    ? toReadStatement(toSecretResources(id, owner))
    : toParameterStatement([toParameterResource(id, owner)]);
  if (policyType === "session policy") {
    const setting = `CROSS_ACCOUNT_SECRETS_${isSecret ? "SECRET_IDS" : "PARAMETER_NAMES"}`;
    return {
      remedy: `the session policy, which the extension makes of ${setting}, does not let ${id} through: list it there by its name or its whole ARN, in the right region, or set CROSS_ACCOUNT_SECRETS_SESSION_POLICY to none. AWS says the same where nothing of that name is in account ${owner.accountId} and region ${region}: check both`,
    };
  }
  if (policyType === "resource-based policy" && isSecret) {
    return {
      remedy: `the resource policy of ${id} must allow ${roleArn} to read it: a secret of another account than the role's needs one`,
      statements: [{ policy: "resource-policy", of: id, statement: toResourceStatement(roleArn) }],
    };
  }
  if (policyType !== undefined && policyType !== "identity-based policy" && policyType !== "resource-based policy") {
    return toLimitRemedy(policyType, toParties(call, denial), statement);
  }
  const other = isSecret ? toAccountId(id) : undefined;
  const ofAccount =
    other === undefined || other === owner.accountId
      ? ""
      : ` ${id} is in account ${other}, and the role in ${owner.accountId}: if that is meant, the secret's resource policy must allow the role, too.`;
  const form = isSecret
    ? "in its permissions the ARN must end in -??????, for the six characters that AWS appends"
    : "in its permissions there is one slash after parameter";
  return {
    remedy: `${roleArn} must be allowed ${statement.Action} on ${id}; ${form}.${ofAccount} AWS says the same where nothing of that name is in account ${owner.accountId} and region ${region}: check both`,
    statements: [{ policy: "identity-policy", of: roleArn, statement }],
  };
}

export function toKeyRemedy(call: AwsCall, denial: Denial): Remedy {
  const { operation, roleArn, id } = call;
  const { policyType } = denial;
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
        "the session policy lets the role use the keys of its own account's secrets alone; set CROSS_ACCOUNT_SECRETS_SESSION_POLICY to none",
    };
  }
  if (policyType === "identity-based policy") {
    return { remedy: `a policy of ${roleArn} must allow it to use the KMS key of ${id}`, statements: [own] };
  }
  if (policyType === "resource-based policy") {
    return { remedy: `the policy of the KMS key of ${id} must allow ${roleArn} to use it`, statements: [ofKey] };
  }
  if (policyType !== undefined) return toLimitRemedy(policyType, toParties(call, denial), own.statement);
  return {
    remedy: `the policy of the KMS key of ${id} must allow ${roleArn} kms:Decrypt (and kms:DescribeKey); where it leaves that to IAM instead, as the default key policy does, the role's own permissions must. AWS says the same where a Deny, a permissions boundary or a service control policy stands against it, and may where the key is disabled: aws kms describe-key shows its state`,
    statements: [ofKey, own],
  };
}

export function toExplicitRemedy(call: AwsCall, denial: Denial): Remedy {
  const parties = toParties(call, denial);
  const { policyType } = denial;
  const where =
    policyType === undefined ? `a policy of ${parties.caller}, or ${parties.resource}` : toPlace(policyType, parties);
  return {
    remedy: `a statement with "Effect": "Deny" in ${where} matches, and no Allow outweighs it: remove it, or narrow it by a condition`,
  };
}

/** Those of which a statement can widen what they leave of what others allow. */
const LIMITS: Partial<Record<PolicyType, MissingStatement["policy"]>> = {
  "permissions boundary": "permissions-boundary",
  "service control policy": "service-control-policy",
  "VPC endpoint policy": "vpc-endpoint-policy",
};

function toLimitRemedy(policyType: PolicyType, parties: Parties, statement: Statement): Remedy {
  const of = toPlace(policyType, parties);
  const remedy = `${of} must allow it, too: it is a limit to what others allow`;
  const policy = LIMITS[policyType];
  const anybody = policyType === "VPC endpoint policy" ? { Principal: "*" as const } : {};
  return policy === undefined
    ? { remedy }
    : { remedy, statements: [{ policy, of, statement: { ...statement, ...anybody } }] };
}

/** Whose policy it is that AWS speaks of, in words. Pure. */

/** Who asks, and for what, in words. */
export interface Parties {
  readonly caller: string;
  /** The policy that what is asked for has of its own. */
  readonly resource: string;
  /** Of what is asked for. */
  readonly accountId: string;
}

export function toParties(call: AwsCall, denial: Denial): Parties {
  const { operation, roleArn, id = "" } = call;
  const { accountId } = toOwner(call);
  return operation === "AssumeRole"
    ? { caller: toWords(denial), resource: `the trust policy of ${roleArn}`, accountId }
    : {
        caller: roleArn,
        resource: `the resource policy of ${id}, or of its KMS key`,
        accountId: toAccountId(id) ?? accountId,
      };
}

export function toPlace(policyType: PolicyType, { caller, resource, accountId }: Parties): string {
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
      return `a service control policy of the organization that is in force for the account of ${caller}`;
    case "resource control policy":
      return `a resource control policy of the organization that is in force for account ${accountId}`;
  }
}

export function toWords({ caller }: Denial): string {
  if (caller === undefined) return "the function's execution role";
  const { partition, accountId, kind, name, path } = caller;
  if (path !== undefined) return `arn:${partition}:iam::${accountId}:${kind}${path}${name}`;
  return `the ${kind} ${name} of account ${accountId}`;
}

export function toOwner({ roleArn, region }: AwsCall): Owner {
  const [, partition = "aws", , , accountId = ""] = roleArn.split(":");
  return { partition, region, accountId };
}
