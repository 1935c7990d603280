/** Whom a trust policy lets in beyond who is meant. Pure. */
import type { Caller } from "../../../../extension/failure/statements.ts";
import { pins } from "./conditions.ts";
import { type Around, type Excess, note, tooWide } from "./excess.ts";
import { GONE } from "./obstacles.ts";
import { isPattern, matchesAction } from "./patterns.ts";
import type { ReadStatement } from "./statements.ts";

/** Whom a trust statement trusts in the end: whom its condition takes, where it has one on the caller's ARN. */
export function findWidePrincipals(statement: ReadStatement, { setup: { caller } }: Around): readonly Excess[] {
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
  const gone = caller === undefined ? principal.values.filter((value) => GONE.test(value)) : [];
  return [
    ...gone.map(
      (value): Excess => ({
        severity: "missing",
        text: `trusts ${value}, a role that was deleted: name the one of today`,
      }),
    ),
    ...principal.values.filter(isSession).map((arn) => note(`trusts ${arn}, and no session of another name`)),
    ...(strangers.length > 0 ? [note(`trusts ${strangers.join(", ")}, too`)] : []),
    ...(insistsOnRoles(statement) ? [] : wide.map(toWidth)),
  ];
}

/** Of a session's ARN, which has the role's name without its path. */
const toSessionPrefix = ({ partition, accountId, name }: Caller): string =>
  `arn:${partition}:sts::${accountId}:assumed-role/${name}/`;

const toWidth = (principal: string): Excess =>
  principal === "*"
    ? tooWide("trusts everybody, in whatever account")
    : tooWide(`trusts all in ${principal} whose own policies let them: name the role, or ask for its aws:PrincipalArn`);

function insistsOnRoles({ conditions }: ReadStatement): boolean {
  // With any path it is still one role: a name is unique in its account.
  const isOne = (arn: string) => !isPattern(arn.replace(/:role\/\*\/(?=[^/]+$)/, ":role/"));
  return conditions.some(
    ({ key, operator, isIfExists, values }) =>
      key.toLowerCase() === "aws:principalarn" &&
      /^(?:Arn|String)(?:Equals|Like)$/.test(operator) &&
      !isIfExists &&
      values.every(isOne),
  );
}

/** Where an organization or an external ID is meant, a caller without it must be refused. */
export function findLooseConditions(statement: ReadStatement, around: Around): readonly Excess[] {
  const { caller, wishes } = around.setup;
  // Of the actions this one alone has an external ID, and the others are nothing without it.
  if (!statement.action.isNot && !statement.action.values.some((value) => matchesAction(value, "sts:AssumeRole")))
    return [];
  if (caller === undefined) return [];
  const { partition, accountId, name } = caller;
  const isOurs = (value: string) =>
    ["*", accountId, `arn:${partition}:iam::${accountId}:root`].includes(value) || value.endsWith(`/${name}`);
  if (!statement.principal?.values.some(isOurs)) return [];
  const wished = [
    ["aws:PrincipalOrgID", wishes.organizationId],
    ["sts:ExternalId", wishes.externalId],
  ] as const;
  return wished.flatMap(([key, value]) =>
    value === undefined || insistsOn(key, value, { statement, around, isOurs })
      ? []
      : [tooWide(`does not insist on ${key} ${value}`)],
  );
}

interface Trusting {
  readonly statement: ReadStatement;
  readonly around: Around;
  /** Whether a principal is, or includes, the caller. */
  readonly isOurs: (principal: string) => boolean;
}

function insistsOn(key: string, value: string, { statement, around, isOurs }: Trusting): boolean {
  if (statement.conditions.some((condition) => pins(condition, key))) return true;
  // The other way to say it: a Deny, of the caller too, of all that is not so and whatever else is so.
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
