/**
 * A session policy, as AssumeRole is given it: a session may do what its role may and what this allows. Pure.
 *
 * A small matcher, of what policies for the fake's operations are made of: Effect, Action, Resource, and the condition
 * StringLike. Anything else is no policy here, lest a test rely on what nobody has evaluated.
 */
import type { Wish } from "./permissions.ts";
import type { PolicyDocument } from "./policies.ts";

interface Statement {
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Condition key → patterns. */
  readonly stringLike: readonly (readonly [key: string, patterns: readonly string[]])[];
}

export interface SessionPolicy {
  readonly document: PolicyDocument;
  readonly statements: readonly Statement[];
}

/** Undefined for what is no such policy. */
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

function parseStatement(statement: unknown): Statement {
  const { Sid: _, Effect, Action, Resource, Condition = {}, ...others } = statement as Record<string, unknown>;
  const { StringLike = {}, ...otherConditions } = Condition as Record<string, object>;
  const unknown = [...Object.keys(others), ...Object.keys(otherConditions)];
  if (unknown.length > 0) throw new Error(`the fake does not know ${unknown.join()}`);
  if (Effect !== "Allow" && Effect !== "Deny") throw new Error("Effect is Allow or Deny");
  return {
    effect: Effect,
    actions: toTexts(Action),
    resources: toTexts(Resource),
    stringLike: Object.entries(StringLike).map(([key, patterns]) => [key, toTexts(patterns)]),
  };
}

/** As AWS does: one Deny outweighs any Allow, and without an Allow the answer is no. */
export function allows({ statements }: SessionPolicy, wish: Wish): boolean {
  const effects = statements.filter((statement) => isAbout(statement, wish)).map(({ effect }) => effect);
  return effects.includes("Allow") && !effects.includes("Deny");
}

function isAbout({ actions, resources, stringLike }: Statement, { action, resource, context = {} }: Wish): boolean {
  return (
    // Actions are the same in any case; ARNs are not.
    actions.some((pattern) => isLike(action.toLowerCase(), pattern.toLowerCase())) &&
    resources.some((pattern) => isLike(resource, pattern)) &&
    stringLike.every(([key, patterns]) => {
      const value = context[key];
      return typeof value === "string" && patterns.some((pattern) => isLike(value, pattern));
    })
  );
}

/** `*` is any text, colons too, and `?` one character. */
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
  if (texts.length === 0) throw new Error("expected a text, or a list of some");
  return texts;
}
