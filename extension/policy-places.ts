/** Whose policy it is that AWS speaks of, in words. Pure. */
import type { Denial, PolicyType } from "./denial.ts";
import type { AwsCall } from "./diagnosis.ts";
import type { Owner } from "./policy-statements.ts";
import { toAccountId } from "./secret-id.ts";

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
