/** Makes policy documents and their statements. */
import type { PolicyDocument, PolicyStatement } from "../fakes/aws.ts";

export const toPolicy = (...Statement: PolicyStatement[]): PolicyDocument => ({ Version: "2012-10-17", Statement });

export const allow = (Action: string | readonly string[], Resource: string | readonly string[]): PolicyStatement => ({
  Effect: "Allow",
  Action,
  Resource,
});

export const deny = (Action: string, Resource = "*"): PolicyStatement => ({ Effect: "Deny", Action, Resource });

/** A statement of a resource's own policy, such as a trust policy. */
export const trust = (
  principal: string | readonly string[],
  Action: string | readonly string[],
  Condition?: object,
): PolicyStatement => ({
  Effect: "Allow",
  Principal: { AWS: principal },
  Action,
  ...(Condition && { Condition }),
});

/** AWS attaches this policy to the accounts of an organization. */
export const ALLOW_ALL = toPolicy(allow("*", "*"));

/** The policy that KMS gives a new key. It leaves the decision to the policies of the account's roles. */
export const toKeyPolicy = (account: string, partition = "aws"): PolicyDocument =>
  toPolicy({ ...trust(`arn:${partition}:iam::${account}:root`, "kms:*"), Resource: "*" });
