/** What a condition says of a request of which not everything is known. Pure. */
import { isVariable, matches } from "./patterns.ts";
import type { Condition } from "./statements.ts";

/**
 * What is known of a request, by keys in small letters: what a key's value is, or one of which it is; `undefined` where the
 * request has no such key. Of keys that are not here, nothing is known.
 */
export type Context = Readonly<Record<string, readonly string[] | undefined>>;

type Verdict = "yes" | "no" | "unknown";

type Compare = (wanted: string, is: string) => boolean;
const COMPARISONS: Readonly<Record<string, Compare>> = {
  StringEquals: (wanted, is) => wanted === is,
  StringEqualsIgnoreCase: (wanted, is) => wanted.toLowerCase() === is.toLowerCase(),
  StringLike: matches,
  // AWS does not tell these two apart. What is no ARN is equal to none.
  ArnEquals: (wanted, is) => is.startsWith("arn:") && matches(wanted, is),
  ArnLike: (wanted, is) => is.startsWith("arn:") && matches(wanted, is),
  Bool: (wanted, is) => wanted.toLowerCase() === is.toLowerCase(),
};

const toPositive = (operator: string): string => operator.replace("Not", "");

export function judge(condition: Condition, context: Context): Verdict {
  const { operator, isIfExists, values } = condition;
  const key = condition.key.toLowerCase();
  if (!Object.hasOwn(context, key)) return "unknown";
  const known = context[key];
  if (operator === "Null") return values.every((value) => (value === "true") === (known === undefined)) ? "yes" : "no";
  const compare = COMPARISONS[toPositive(operator)];
  // Other comparisons, and variables such as ${aws:username}.
  if (compare === undefined || values.some(isVariable)) return "unknown";
  const isNegated = toPositive(operator) !== operator;
  // What is not there is equal to nothing.
  if (known === undefined) return isIfExists || isNegated ? "yes" : "no";
  const answers = new Set(known.map((is) => values.some((wanted) => compare(wanted, is)) !== isNegated));
  if (answers.size > 1) return "unknown";
  return answers.has(true) ? "yes" : "no";
}

/** Whether a request gets through only with one of the exact values that stand here. */
export function pins({ operator, isIfExists, key, values }: Condition, wantedKey: string): boolean {
  const isLike = operator === "StringLike" || operator.startsWith("Arn");
  return (
    key.toLowerCase() === wantedKey.toLowerCase() &&
    !isIfExists &&
    Object.hasOwn(COMPARISONS, operator) &&
    values.every((value) => !isLike || !/[*?]/.test(value))
  );
}

/** The condition, in words, beside what is. */
export function toMismatch({ operator, key, values }: Condition, context: Context): string {
  const known = context[key.toLowerCase()];
  const is = known === undefined ? "there is none" : `it is ${known.join(" or ")}`;
  return `asks for ${key} ${values.join(" or ")} (${operator}), but ${is}`;
}
