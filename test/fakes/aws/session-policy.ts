/**
 * The session policy of an AssumeRole call: a session may do what both its role and this policy allow. Pure.
 *
 * A small evaluator of Effect, Action, Resource and the condition StringLike, which the extension's session policies consist
 * of. Any other element is an error, so that no test relies on an element that is not evaluated.
 */
import type { RequestedAction } from "./permissions.ts";
import type { PolicyDocument } from "./policies.ts";

interface SessionPolicyStatement {
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Condition key → patterns. */
  readonly stringLike: readonly (readonly [key: string, patterns: readonly string[]])[];
}

export interface SessionPolicy {
  readonly document: PolicyDocument;
  readonly statements: readonly SessionPolicyStatement[];
}

/** Returns undefined if the text is not such a policy. */
export function parseSessionPolicy(json: string): SessionPolicy | undefined {
  try {
    const document = JSON.parse(json);
    const { Version, Statement, ...others } = document;
    if (Version !== "2012-10-17" || Object.keys(others).length > 0) return undefined;
    const statements = toList(Statement).map(parseStatement);
    return statements.length > 0 ? { document, statements } : undefined;
  } catch {
    return undefined;
  }
}

function parseStatement(statement: unknown): SessionPolicyStatement {
  const { Sid: _, Effect, Action, Resource, Condition = {}, ...others } = statement as Record<string, unknown>;
  const { StringLike = {}, ...otherConditions } = Condition as Record<string, object>;
  const unknown = [...Object.keys(others), ...Object.keys(otherConditions)];
  if (unknown.length > 0) throw new Error(`fake AWS: unknown in a session policy: ${unknown.join()}`);
  if (Effect !== "Allow" && Effect !== "Deny") throw new Error("Effect must be Allow or Deny");
  return {
    effect: Effect,
    actions: toTexts(Action),
    resources: toTexts(Resource),
    stringLike: Object.entries(StringLike).map(([key, patterns]) => [key, toTexts(patterns)]),
  };
}

/** As in AWS, one Deny wins over every Allow, and an action without an Allow is denied. */
export function allows({ statements }: SessionPolicy, requested: RequestedAction): boolean {
  const effects = statements.filter((statement) => isAbout(statement, requested)).map(({ effect }) => effect);
  return effects.includes("Allow") && !effects.includes("Deny");
}

function isAbout(
  { actions, resources, stringLike }: SessionPolicyStatement,
  { action, resource, context = {} }: RequestedAction,
): boolean {
  return (
    // Actions are case-insensitive, ARNs are case-sensitive.
    actions.some((pattern) => isLike(action.toLowerCase(), pattern.toLowerCase())) &&
    resources.some((pattern) => isLike(resource, pattern)) &&
    stringLike.every(([key, patterns]) => {
      const value = context[key];
      return typeof value === "string" && patterns.some((pattern) => isLike(value, pattern));
    })
  );
}

/** `*` matches any text, colons too, and `?` matches one character. */
function isLike(text: string, pattern: string): boolean {
  const source = pattern.replace(/[^\w]/g, (character) => {
    if (character === "*") return ".*";
    return character === "?" ? "." : `\\${character}`;
  });
  return new RegExp(`^${source}$`, "s").test(text);
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function toTexts(value: unknown): readonly string[] {
  const texts = toList(value).filter((member) => typeof member === "string");
  if (texts.length === 0) throw new Error("must be a string or a list of strings");
  return texts;
}
