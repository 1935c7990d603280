/** What a key's policy lets through beyond what is meant. Pure. */
import { pins } from "./conditions.ts";
import { type Around, type Excess, tooWide } from "./excess.ts";
import type { ReadStatement } from "./statements.ts";

export function findAnybody({ principal, conditions }: ReadStatement): readonly Excess[] {
  const keys = ["kms:CallerAccount", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID"];
  const isBound = conditions.some((condition) => keys.some((key) => pins(condition, key)));
  return principal?.isNot || !principal?.values.includes("*") || isBound
    ? []
    : [tooWide("lets everybody use the key, in whatever account")];
}

/** Other statements have the key's administrators. */
export function findKeyActions(
  { principal, action: { isNot, values } }: ReadStatement,
  { setup: { roleArn } }: Around,
): readonly Excess[] {
  if (isNot || principal?.isNot || roleArn === undefined || !principal?.values.includes(roleArn)) return [];
  const others = values.filter(
    (value) => !["kms:Decrypt", "kms:DescribeKey"].some((action) => action.toLowerCase() === value.toLowerCase()),
  );
  return others.length === 0 ? [] : [tooWide(`allows ${others.join(", ")}, which reading does not take`)];
}
