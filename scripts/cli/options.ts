import { type ParseArgsConfig, parseArgs } from "node:util";
import { toSuggestion } from "./suggestion.ts";
import { CommandError, USAGE } from "./world.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** `parseArgs`, in our words: an unknown option is named, and so is the one that was meant. Throws a CommandError. */
export function parseOptions<const O extends Options, const P extends boolean = false>(
  args: readonly string[],
  options: O,
  allowPositionals: P = false as P,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Its first sentence names the argument; the others are advice that does not fit every command.
    const [sentence = ""] = message.split(/\.?\n|\. /);
    const unknown = code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" ? /'(--?[^']*)'/.exec(sentence)?.[1] : undefined;
    const known = Object.keys(options).map((name) => `--${name}`);
    const advice = (unknown && toSuggestion(unknown, known)) || "; --help says what there is";
    throw new CommandError(USAGE, `${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}${advice}`);
  }
}
