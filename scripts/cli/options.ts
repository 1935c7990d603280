import { type ParseArgsConfig, parseArgs } from "node:util";
import { editDistance } from "../../extension/config/config.ts";
import { CommandError, USAGE } from "./world.ts";

type OptionDefinitions = NonNullable<ParseArgsConfig["options"]>;

/** `parseArgs` with messages of our own: one for an unknown option suggests a known one. Throws a CommandError. */
export function parseOptions<const O extends OptionDefinitions, const P extends boolean = false>(
  args: readonly string[],
  options: O,
  allowPositionals: P = false as P,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The first sentence names the argument. The others give advice that does not fit every command.
    const [sentence = ""] = message.split(/\.?\n|\. /);
    const unknown = code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" ? /'(--?[^']*)'/.exec(sentence)?.[1] : undefined;
    const known = Object.keys(options).map((name) => `--${name}`);
    const advice = (unknown && toSuggestion(unknown, known)) || "; --help lists the options";
    throw new CommandError(USAGE, `${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}${advice}`);
  }
}

/** `; did you mean …?` for the nearest known word, if at most two letters differ, and fewer than half of them; otherwise "". */
export function toSuggestion(word: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate) }))
    .filter(({ candidate, distance }) => distance <= 2 && distance < candidate.length / 2)
    .sort((a, b) => a.distance - b.distance);
  return nearest === undefined ? "" : `; did you mean ${nearest.candidate}?`;
}
