/** Finds whom a trust policy trusts beyond the need. Pure. */
import type { Caller } from "../../../../extension/failure/statements.ts";
import { pins } from "./conditions.ts";
import { type Excess, type ExcessContext, note, tooWide } from "./excess.ts";
import { DELETED_ID } from "./obstacles.ts";
import { isPattern, matchesAction } from "./patterns.ts";
import type { ReadStatement } from "./statements.ts";

/** A principal that is an account or `*` is not too wide if a condition on the caller's ARN limits it to roles. */
export function findWidePrincipals(statement: ReadStatement, { setup: { caller } }: ExcessContext): readonly Excess[] {
  const { principal, others } = statement;
  if (principal === undefined || principal.isNot) return [];
  const wide = principal.values.filter((value) => value === "*" || /^\d{12}$|:root$/.test(value));
  const own = caller && `arn:${caller.partition}:iam::${caller.accountId}:`;
  const isSession = (arn: string) => caller !== undefined && arn.startsWith(toSessionPrefix(caller));
  const isOther = (arn: string) =>
    caller &&
    arn.startsWith("arn:") &&
    !(arn.startsWith(own ?? "") && arn.endsWith(`/${caller.name}`)) &&
    !isSession(arn);
  const strangers = [...principal.values.filter((value) => !wide.includes(value) && isOther(value)), ...others];
  const deleted = caller === undefined ? principal.values.filter((value) => DELETED_ID.test(value)) : [];
  return [
    ...deleted.map(
      (value): Excess => ({
        severity: "missing",
        text: `trusts ${value}, a role that was deleted: name the role that exists now`,
      }),
    ),
    ...principal.values.filter(isSession).map((arn) => note(`trusts ${arn}, but no session of another name`)),
    ...(strangers.length > 0 ? [note(`trusts ${strangers.join(", ")}, too`)] : []),
    ...(requiresRoles(statement) ? [] : wide.map(toWidth)),
  ];
}

/** The beginning of a session's ARN, which has the role's name without its path. */
const toSessionPrefix = ({ partition, accountId, name }: Caller): string =>
  `arn:${partition}:sts::${accountId}:assumed-role/${name}/`;

const toWidth = (principal: string): Excess =>
  principal === "*"
    ? tooWide("trusts everyone, in every account")
    : tooWide(
        `trusts all roles and users in ${principal} whose own policies allow it: name the role, or require its aws:PrincipalArn`,
      );

function requiresRoles({ conditions }: ReadStatement): boolean {
  // A role's name is unique in its account, so a pattern for the path still matches only one role.
  const isOne = (arn: string) => !isPattern(arn.replace(/:role\/\*\/(?=[^/]+$)/, ":role/"));
  return conditions.some(
    ({ key, operator, isIfExists, values }) =>
      key.toLowerCase() === "aws:principalarn" &&
      /^(?:Arn|String)(?:Equals|Like)$/.test(operator) &&
      !isIfExists &&
      values.every(isOne),
  );
}

/** If there is an organization or an external ID, the policy must reject a caller without it. */
export function findLooseConditions(statement: ReadStatement, around: ExcessContext): readonly Excess[] {
  const { caller, assumeRoleOptions } = around.setup;
  // Only this action is called with an external ID, and the others are useless without it.
  if (!statement.action.isNot && !statement.action.values.some((value) => matchesAction(value, "sts:AssumeRole")))
    return [];
  if (caller === undefined) return [];
  const { partition, accountId, name } = caller;
  const isOurs = (value: string) =>
    ["*", accountId, `arn:${partition}:iam::${accountId}:root`].includes(value) || value.endsWith(`/${name}`);
  if (!statement.principal?.values.some(isOurs)) return [];
  const required = [
    ["aws:PrincipalOrgID", assumeRoleOptions.organizationId],
    ["sts:ExternalId", assumeRoleOptions.externalId],
  ] as const;
  return required.flatMap(([key, value]) =>
    value === undefined || requires(key, value, { statement, around, isOurs })
      ? []
      : [tooWide(`does not require ${key} ${value}`)],
  );
}

interface Trusting {
  readonly statement: ReadStatement;
  readonly around: ExcessContext;
  /** Whether a principal is, or includes, the caller. */
  readonly isOurs: (principal: string) => boolean;
}

function requires(key: string, value: string, { statement, around, isOurs }: Trusting): boolean {
  if (statement.conditions.some((condition) => pins(condition, key))) return true;
  // The other way: a Deny that includes the caller, with this as its only condition.
  return around.statements.some(({ isAllow, principal, action, conditions: [condition, ...others] }) => {
    if (isAllow || principal === undefined || condition === undefined || others.length > 0) return false;
    return (
      principal.values.some(isOurs) !== principal.isNot &&
      action.values.some((pattern) => matchesAction(pattern, "sts:AssumeRole")) !== action.isNot &&
      condition.operator === "StringNotEquals" &&
      condition.key.toLowerCase() === key.toLowerCase() &&
      condition.values.includes(value)
    );
  });
}
