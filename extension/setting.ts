/**
 * What a setting is, and the rules that many of them share: each goes from the text of a variable to its value, or to
 * undefined when the text breaks the rule. Pure.
 */
export const PREFIX = "CROSS_ACCOUNT_SECRETS_";

export type Environment = Readonly<Record<string, string | undefined>>;

/** One mistake: which variable, what was expected, and what was got, save for what may be secret. */
export interface Problem {
  readonly name: string;
  readonly rule: string;
  readonly got: string | undefined;
}

export interface Setting<T> {
  /** Without the prefix. */
  readonly name: string;
  /** Other variables, whole names, read in this order when ours is unset. */
  readonly alsoRead?: readonly string[];
  /** As it would be written in the environment. */
  readonly default?: string;
  /** What is expected, to finish the sentence "… must be". */
  readonly rule: string;
  /** The value, or undefined when the text breaks the rule. */
  readonly parse: (text: string) => T | undefined;
}

export const matching = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined);

/** From `least` to `most`, as written; given back in the unit of which one written unit has `factor`. */
export const wholeNumber =
  (least: number, most: number, factor = 1) =>
  (text: string) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= most ? number * factor : undefined;
  };

/** In any case: AWS writes TRUE and INFO. */
export const oneOf =
  <W extends string>(...words: readonly W[]) =>
  (text: string) =>
    words.find((word) => word === text.toLowerCase());

/** Comma or space separated; each member once. */
export const list = (isMember: (text: string) => boolean) => (text: string) => {
  const members = text.split(/[\s,]+/).filter((member) => member !== "");
  return members.length > 0 && members.every(isMember) ? [...new Set(members)] : undefined;
};
