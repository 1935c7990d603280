/** The options of policies, and a reader that collects every problem. Pure. */
import { parseOptions } from "../options.ts";

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;

export const OPTIONS = {
  ...{ "role-arn": text, "account-a": text, "role-name": text },
  ...{ "caller-role-arn": text, "account-b": text, "caller-role-name": text },
  ...{ secret: texts, parameter: texts, region: text, partition: text, "key-arn": text },
  ...{ "organization-id": text, "external-id": text, "session-tags": flag, "source-identity": flag },
  ...{ principal: text, account: text, format: text, check: flag, help: flag },
} as const;
type Name = keyof typeof OPTIONS;
export type TextName = NameOf<{ readonly type: "string"; readonly multiple?: undefined }>;
type NameOf<T> = { [N in Name]: (typeof OPTIONS)[N] extends T ? N : never }[Name];

/** Returns the values of options. A value that breaks its rule is a problem, and counts as not given, like an empty value. */
export interface OptionReader {
  readonly problems: string[];
  readonly positionals: readonly string[];
  has(name: NameOf<typeof flag>): boolean;
  text(name: TextName, isRight: (text: string) => boolean, rule: string): string | undefined;
  word<W extends string>(name: TextName, words: readonly W[]): W | undefined;
  /** The option may be given several times, and each value may be a list with commas or spaces. */
  list(name: NameOf<typeof texts>, isRight: (text: string) => boolean, rule: string): readonly string[];
}

/** Throws a CommandError for an unknown option. */
export function createOptionReader(args: readonly string[]): OptionReader {
  const { values, positionals } = parseOptions(args, OPTIONS, true);
  const problems: string[] = [];
  const keep = (name: Name, given: string, isRight: (text: string) => boolean, rule: string) => {
    if (isRight(given)) return true;
    problems.push(`--${name} must be ${rule}; got ${JSON.stringify(given)}`);
    return false;
  };
  return {
    problems,
    positionals,
    has: (name) => values[name] === true,
    text(name, isRight, rule) {
      const given = values[name];
      return given && keep(name, given, isRight, rule) ? given : undefined;
    },
    word(name, words) {
      const given = values[name];
      const word = words.find((candidate) => candidate === given);
      if (given) keep(name, given, () => word !== undefined, words.join(" or "));
      return word;
    },
    list(name, isRight, rule) {
      const all = new Set(values[name]?.flatMap((given) => given.split(/[\s,]+/)));
      return [...all].filter((given) => given !== "" && keep(name, given, isRight, rule));
    },
  };
}
