/** Finds what a key policy allows beyond the need. Pure. */
import { pins } from "./conditions.ts";
import { type Excess, type ExcessContext, tooWide } from "./excess.ts";
import type { ReadStatement } from "./statements.ts";

export function findEveryone({ principal, conditions }: ReadStatement): readonly Excess[] {
  const keys = ["kms:CallerAccount", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID"];
  const isBound = conditions.some((condition) => keys.some((key) => pins(condition, key)));
  return principal?.isNot || !principal?.values.includes("*") || isBound
    ? []
    : [tooWide("lets everyone use the key, in every account")];
}

/** Only for statements that name the role: others are for the key's administrators. */
export function findKeyActions(
  { principal, action: { isNot, values } }: ReadStatement,
  { setup: { roleArn } }: ExcessContext,
): readonly Excess[] {
  if (isNot || principal?.isNot || roleArn === undefined || !principal?.values.includes(roleArn)) return [];
  const others = values.filter(
    (value) => !["kms:Decrypt", "kms:DescribeKey"].some((action) => action.toLowerCase() === value.toLowerCase()),
  );
  return others.length === 0 ? [] : [tooWide(`allows ${others.join(", ")}, which is not needed for reading`)];
}
