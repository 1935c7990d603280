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

/**
 * Session tags, `key=value,key=value`, by the rules of STS:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_know. Pure.
 */
export interface SessionTag {
  readonly Key: string;
  readonly Value: string;
}

const MAX_TAGS = 50;
/** STS allows more, `=` in a key too: here the first `=` ends the key. */
const TAG = /^([\p{L}\p{Z}\p{N}_.:/+@-]{1,128})=([\p{L}\p{Z}\p{N}_.:/=+@-]{0,256})$/u;

export const sessionTagsRule = `key=value,key=value: up to ${MAX_TAGS} tags, keys of 1 to 128 and values of up to 256 letters, digits, spaces and _.:/=+@-, each key once in whatever case, none that begins with aws:`;

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
