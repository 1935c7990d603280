/**
 * What a setting is, and the rules that several settings share. A rule turns the text of a variable into its value, or into
 * undefined if the text breaks the rule. Pure.
 */
export const PREFIX = "CROSS_ACCOUNT_SECRETS_";

export type Environment = Readonly<Record<string, string | undefined>>;

/** One mistake: which variable, what was expected, and what was found, unless that may be secret. */
export interface Problem {
  readonly name: string;
  readonly rule: string;
  readonly got: string | undefined;
}

export interface Setting<T> {
  /** Without the prefix. */
  readonly name: string;
  /** What it does, as the README's table says it, in Markdown. */
  readonly description: string;
  /** Other variables, with their whole names, which are read in this order if ours is unset. */
  readonly alsoRead?: readonly string[];
  /** As it is written in the environment. */
  readonly default?: string;
  /** What is expected, to finish the sentence "… must be". */
  readonly rule: string;
  /** Returns the value, or undefined if the text breaks the rule. */
  readonly parse: (text: string) => T | undefined;
  /**
   * Only for values of `alsoRead` variables, where a function that ran with AWS's extension may have any text: what to use if
   * the value breaks the rule. If this returns undefined, the default is used. Without this function, the value is a mistake.
   */
  readonly nearest?: (text: string) => string | undefined;
}

export const matching = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined);

/** From `least` to `most`, as written. The value is multiplied by `factor`. */
export const wholeNumber =
  (least: number, most: number, factor = 1) =>
  (text: string) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= most ? number * factor : undefined;
  };

/** Upper and lower case are the same: AWS writes TRUE and INFO. */
export const oneOf =
  <W extends string>(...words: readonly W[]) =>
  (text: string) =>
    words.find((word) => word === text.toLowerCase());

/** The nearest whole number from `least` to `most`. */
export const nearestNumber = (least: number, most: number) => (text: string) =>
  /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? String(Math.min(Math.max(Math.round(Number(text)), least), most)) : undefined;

/** The word that begins like the text: `warn` for `warning`. */
export const nearestWord =
  (...words: readonly string[]) =>
  (text: string) =>
    words.find((word) => text.toLowerCase().startsWith(word) || word.startsWith(text.toLowerCase()));

/** What other programs take for true or false. */
export function nearestBoolean(text: string): string | undefined {
  if (/^(1|t|y|yes|on|enabled?)$/i.test(text)) return "true";
  return /^(0|f|n|no|off|disabled?)$/i.test(text) ? "false" : undefined;
}

/** Comma or space separated. A repeated member counts once. */
export const list = (isMember: (text: string) => boolean) => (text: string) => {
  const members = text.split(/[\s,]+/).filter((member) => member !== "");
  return members.length > 0 && members.every(isMember) ? [...new Set(members)] : undefined;
};

/** A session tag, by the rules of STS: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_know */
export interface SessionTag {
  readonly Key: string;
  readonly Value: string;
}

const MAX_TAGS = 50;
/** STS allows `=` in a key, too. Here the first `=` ends the key. */
const TAG = /^([\p{L}\p{Z}\p{N}_.:/+@-]{1,128})=([\p{L}\p{Z}\p{N}_.:/=+@-]{0,256})$/u;

export const sessionTagsRule = `key=value,key=value: up to ${MAX_TAGS} tags, keys of 1 to 128 and values of up to 256 letters, digits, spaces and _.:/=+@-, no key twice (case is ignored), no key that begins with aws:`;

export function parseSessionTags(text: string): readonly SessionTag[] | undefined {
  const tags: SessionTag[] = [];
  for (const pair of text.split(",")) {
    const [, key = "", value = ""] = TAG.exec(pair)?.map((part) => part.trim()) ?? [];
    if (key === "" || /^aws:/i.test(key)) return undefined;
    if (tags.some(({ Key }) => Key.toLowerCase() === key.toLowerCase())) return undefined;
    tags.push({ Key: key, Value: value });
  }
  return tags.length <= MAX_TAGS ? tags : undefined;
}
