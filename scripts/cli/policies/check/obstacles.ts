/** Finds why a statement does not apply to a need. Pure. */
import { judge, toMismatch } from "./conditions.ts";
import type { Need } from "./needs.ts";
import { covers, isPattern, isVariable, matchesAction, SIX } from "./patterns.ts";
import type { Element, ReadStatement } from "./statements.ts";

export interface Obstacle {
  /** Follows the statement's number in a sentence. */
  readonly text: string;
  /** Whether it is a mistake in a statement that must have been written for this need. */
  readonly isSlip: boolean;
}

export interface Match {
  /** None if the statement applies. */
  readonly obstacles: readonly Obstacle[];
  /** The conditions that cannot be evaluated here. */
  readonly unknown: readonly string[];
}

export function match({ isAllow, principal, action, resource, conditions }: ReadStatement, need: Need): Match {
  const judged = conditions.map((condition) => ({ condition, verdict: judge(condition, need.context) }));
  const isOf = (wanted: string) => judged.filter(({ verdict }) => verdict === wanted).map(({ condition }) => condition);
  const isCovered = need.resources === undefined || resource === undefined || coversAny(resource, need.resources);
  const variables = isCovered ? [] : (resource?.values.filter(isVariable) ?? []);
  return {
    obstacles: [
      ...(need.principals === undefined ? [] : toPrincipalObstacles(principal, need.principals, isAllow)),
      ...(has(action, (pattern) => matchesAction(pattern, need.action)) ? [] : [other(`does not have ${need.action}`)]),
      // A trust policy has no resource.
      ...(isCovered || variables.length > 0 ? [] : toResourceObstacles(resource, need.resources)),
      ...isOf("no").map((condition) => ({
        text: toMismatch(condition, need.context),
        isSlip: OF_CALLERS.test(condition.key),
      })),
    ],
    unknown: [...variables, ...isOf("unknown").map(({ key }) => key)],
  };
}

/** Keys that only distinguish callers. A condition on another key may be intended. */
const OF_CALLERS = /^(?:sts:ExternalId|aws:Principal(?:Arn|Account|OrgID))$/i;

const slip = (text: string): Obstacle => ({ text, isSlip: true });
const other = (text: string): Obstacle => ({ text, isSlip: false });

/** Whether an element lists something, or a `Not…` element does not list it. */
function has({ isNot, values }: Element, isIt: (value: string) => boolean): boolean {
  return values.some(isIt) !== isNot;
}

const coversAny = (resource: Element, wanted: readonly string[]): boolean =>
  has(resource, (pattern) => wanted.some((one) => covers(pattern, one)));

function toResourceObstacles({ isNot, values }: Element, [wanted = ""]: readonly string[]): readonly Obstacle[] {
  return [isNot ? other(`leaves out ${wanted}`) : toResourceDifference(values, wanted)];
}

const FIELDS = ["", "partition", "service", "region", "account"] as const;

function toResourceDifference(patterns: readonly string[], wanted: string): Obstacle {
  const nearest = toNearest(patterns, wanted);
  if (`${nearest}${SIX}` === wanted) {
    return slip(`has ${nearest}, without the six characters that AWS appends to the name`);
  }
  const [is, expected] = [nearest.split(":"), wanted.split(":")];
  const toResourceName = (parts: readonly string[]) =>
    parts
      .slice(5)
      .join(":")
      .replace(/-(\?{6}|\*)$/, "");
  const isSame = is.length > 5 && toResourceName(is) === toResourceName(expected);
  const field = FIELDS.findIndex(
    (_, index) => index > 0 && is[index] !== expected[index] && !isPattern(is[index] ?? ""),
  );
  const text =
    field > 0 && is.length > 5 ? `of ${FIELDS[field]} ${is[field]}, not ${expected[field]}` : `which is not ${wanted}`;
  return { text: `has ${nearest}, ${text}`, isSlip: isSame };
}

const toNearest = (candidates: readonly string[], wanted: string): string => {
  const toScore = (text: string) => text.split(":").filter((part, index) => wanted.split(":")[index] === part).length;
  return candidates.toSorted((a, b) => toScore(b) - toScore(a))[0] ?? "no resource";
};

/** The ID of a deleted role or user, which IAM shows in place of the ARN. */
export const DELETED_ID = /^A(?:RO|ID)A[A-Z0-9]{12,}$/;

function toPrincipalObstacles(
  principal: Element | undefined,
  wanted: readonly string[],
  isAllow: boolean,
): readonly Obstacle[] {
  if (principal === undefined) return [other("names no principal")];
  const [first = ""] = wanted;
  const account = first.split(":")[4] ?? "";
  // In a Deny, an account means all its roles and users; in an Allow, those that its policies allow. Both include the role.
  const isOwnAccount = (value: string) => value === account || value === first.replace(/:role\/.*/, ":root");
  // The ARN of a session has the role's name and the session's own.
  const session = `${first.replace(":iam:", ":sts:").replace(/:role\/(?:.*\/)?/, ":assumed-role/")}/`;
  const isIt = (value: string) =>
    value === "*" || wanted.includes(value) || isOwnAccount(value) || value.startsWith(session);
  if (has(principal, isIt)) return [];
  if (principal.isNot) return [other(isAllow ? `leaves out ${first}` : "does not apply to it")];
  if (principal.values.length === 0) return [other("names no role")];
  return [toPrincipalDifference(principal.values, first)];
}

function toPrincipalDifference(values: readonly string[], wanted: string): Obstacle {
  const deleted = values.find((value) => DELETED_ID.test(value));
  if (deleted !== undefined)
    return slip(`names ${deleted}, a role that was deleted: a new role of the same name is another one`);
  const nearest = toNearest(values, wanted);
  const [is, expected] = [nearest.split(":"), wanted.split(":")];
  const toName = (arn: string) => arn.slice(arn.lastIndexOf("/") + 1);
  if (!nearest.includes(":role/") || toName(nearest) !== toName(wanted))
    return other(`names ${nearest}, not ${wanted}`);
  for (const index of [1, 4]) {
    if (is[index] === expected[index]) continue;
    return slip(`names ${nearest}, of ${FIELDS[index]} ${is[index] || "none"}, not ${expected[index]}`);
  }
  return slip(`names ${nearest}, which does not have the path of ${wanted}`);
}
