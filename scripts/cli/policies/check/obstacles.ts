/** Why a statement does not let through what is needed. Pure. */
import { judge, toMismatch } from "./conditions.ts";
import type { Need } from "./needs.ts";
import { covers, isPattern, isVariable, matchesAction, SIX } from "./patterns.ts";
import type { Element, ReadStatement } from "./statements.ts";

export interface Obstacle {
  /** In words that follow the statement's number. */
  readonly text: string;
  /** Whether what stands there can only have been meant for what is needed. */
  readonly isSlip: boolean;
}

export interface Match {
  /** None where the statement applies. */
  readonly obstacles: readonly Obstacle[];
  /** Conditions of which nobody knows from here whether they are met. */
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

/** What only tells one caller from another. A condition on anything else may well be meant, beside what is needed. */
const OF_CALLERS = /^(?:sts:ExternalId|aws:Principal(?:Arn|Account|OrgID))$/i;

const slip = (text: string): Obstacle => ({ text, isSlip: true });
const other = (text: string): Obstacle => ({ text, isSlip: false });

/** Whether an element has something, or does not leave it out. */
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

/** The identifier of a role or user that is gone: IAM puts it in the place of the name. */
export const GONE = /^A(?:RO|ID)A[A-Z0-9]{12,}$/;

function toPrincipalObstacles(
  principal: Element | undefined,
  wanted: readonly string[],
  isAllow: boolean,
): readonly Obstacle[] {
  if (principal === undefined) return [other("names no principal")];
  const [first = ""] = wanted;
  const account = first.split(":")[4] ?? "";
  // In a Deny, an account is everybody in it. In an Allow, what its own policies allow. The next line is true of both.
  const isOwnAccount = (value: string) => value === account || value === first.replace(/:role\/.*/, ":root");
  // A session is trusted by its role's name; which of them it is, is told by its own.
  const session = `${first.replace(":iam:", ":sts:").replace(/:role\/(?:.*\/)?/, ":assumed-role/")}/`;
  const isIt = (value: string) =>
    value === "*" || wanted.includes(value) || isOwnAccount(value) || value.startsWith(session);
  if (has(principal, isIt)) return [];
  if (principal.isNot) return [other(isAllow ? `leaves out ${first}` : "spares it")];
  if (principal.values.length === 0) return [other("names no role")];
  return [toPrincipalDifference(principal.values, first)];
}

function toPrincipalDifference(values: readonly string[], wanted: string): Obstacle {
  const gone = values.find((value) => GONE.test(value));
  if (gone !== undefined) return slip(`names ${gone}, a role that was deleted: one of the same name is another role`);
  const nearest = toNearest(values, wanted);
  const [is, expected] = [nearest.split(":"), wanted.split(":")];
  const toName = (arn: string) => arn.slice(arn.lastIndexOf("/") + 1);
  if (!nearest.includes(":role/") || toName(nearest) !== toName(wanted))
    return other(`names ${nearest}, not ${wanted}`);
  for (const index of [1, 4]) {
    if (is[index] === expected[index]) continue;
    return slip(`names ${nearest}, of ${FIELDS[index]} ${is[index] || "none"}, not ${expected[index]}`);
  }
  return slip(`names ${nearest}, which has not the path of ${wanted}`);
}
