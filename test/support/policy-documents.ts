/** Policy documents in few words. */
import type { PolicyDocument, PolicyStatement } from "../fakes/aws.ts";

export const toPolicy = (...Statement: PolicyStatement[]): PolicyDocument => ({ Version: "2012-10-17", Statement });

export const allow = (Action: string | readonly string[], Resource: string | readonly string[]): PolicyStatement => ({
  Effect: "Allow",
  Action,
  Resource,
});

export const deny = (Action: string, Resource = "*"): PolicyStatement => ({ Effect: "Deny", Action, Resource });

/** Of a policy that belongs to what it is about. */
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

/** What AWS attaches to the accounts of an organization. */
export const ALLOW_ALL = toPolicy(allow("*", "*"));

/** As KMS makes it for a new key: it leaves the decision to the policies of the account's roles. */
export const toKeyPolicy = (account: string): PolicyDocument =>
  toPolicy({ ...trust(`arn:aws:iam::${account}:root`, "kms:*"), Resource: "*" });
