/** Evaluates a condition on a request that is only partly known. Pure. */
import { isVariable, matches } from "./patterns.ts";
import type { PolicyCondition } from "./statements.ts";

/**
 * What is known of a request, by condition keys in lower case: the possible values of a key, or `undefined` if the request
 * does not have it. Nothing is known about a key that is not here.
 */
export type RequestContext = Readonly<Record<string, readonly string[] | undefined>>;

type Verdict = "yes" | "no" | "unknown";

type Compare = (wanted: string, is: string) => boolean;
const COMPARISONS: ReadonlyMap<string, Compare> = new Map<string, Compare>([
  ["StringEquals", (wanted, is) => wanted === is],
  ["StringEqualsIgnoreCase", (wanted, is) => wanted.toLowerCase() === is.toLowerCase()],
  ["StringLike", matches],
  // AWS treats these two alike. A text that is not an ARN never matches.
  ["ArnEquals", (wanted, is) => is.startsWith("arn:") && matches(wanted, is)],
  ["ArnLike", (wanted, is) => is.startsWith("arn:") && matches(wanted, is)],
  ["Bool", (wanted, is) => wanted.toLowerCase() === is.toLowerCase()],
]);

const toPositive = (operator: string): string => operator.replace("Not", "");

export function judge(condition: PolicyCondition, context: RequestContext): Verdict {
  const { operator, isIfExists, values } = condition;
  const key = condition.key.toLowerCase();
  if (!Object.hasOwn(context, key)) return "unknown";
  const known = context[key];
  if (operator === "Null") return values.every((value) => (value === "true") === (known === undefined)) ? "yes" : "no";
  const compare = COMPARISONS.get(toPositive(operator));
  // Other operators, and variables such as ${aws:username}, cannot be evaluated here.
  if (compare === undefined || values.some(isVariable)) return "unknown";
  const isNegated = toPositive(operator) !== operator;
  // A missing key equals nothing.
  if (known === undefined) return isIfExists || isNegated ? "yes" : "no";
  const answers = new Set(known.map((is) => values.some((wanted) => compare(wanted, is)) !== isNegated));
  if (answers.size > 1) return "unknown";
  return answers.has(true) ? "yes" : "no";
}

/** Whether the condition requires that the key has one of the exact values. */
export function pins({ operator, isIfExists, key, values }: PolicyCondition, wantedKey: string): boolean {
  const isLike = operator === "StringLike" || operator.startsWith("Arn");
  return (
    key.toLowerCase() === wantedKey.toLowerCase() &&
    !isIfExists &&
    COMPARISONS.has(operator) &&
    values.every((value) => !isLike || !/[*?]/.test(value))
  );
}

/** The condition, and the actual value, in words. */
export function toMismatch({ operator, key, values }: PolicyCondition, context: RequestContext): string {
  const known = context[key.toLowerCase()];
  const is = known === undefined ? "there is none" : `it is ${known.join(" or ")}`;
  return `asks for ${key} ${values.join(" or ")} (${operator}), but ${is}`;
}
