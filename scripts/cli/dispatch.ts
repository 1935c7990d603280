/** Finds and runs the command that the command line names. */
import { toPublicText } from "../../extension/failure/failure.ts";
import { toSuggestion } from "./options.ts";
import { BUG, type Command, CommandError, type CommandWorld, USAGE } from "./world.ts";

interface CommandEntry {
  /** Half a line: what the command is for. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const NAME = "cross-account-secrets";

export type Commands = Readonly<Record<string, CommandEntry>>;

/** Returns the exit code. */
export async function dispatch(
  args: readonly string[],
  { commands, version, world }: { commands: Commands; version: string; world: CommandWorld },
): Promise<number> {
  const [word, ...rest] = args;
  const say = (exitCode: number, text: string) => {
    (exitCode === 0 ? world.stdout : world.stderr)(`${text}\n`);
    return exitCode;
  };
  if (word === undefined) return say(USAGE, toHelp(commands, world));
  if (word === "--help" || word === "-h" || (word === "help" && rest.length === 0)) {
    return say(0, toHelp(commands, world));
  }
  if (word === "--version" || word === "-v") return say(0, version);
  // People also try `help serve`.
  const [name, ...others] = word === "help" ? [...rest, "--help"] : args;
  const command = Object.hasOwn(commands, name ?? "") ? commands[name ?? ""] : undefined;
  if (command === undefined) return say(USAGE, `${NAME}: ${toUnknown(name ?? "", Object.keys(commands))}`);
  try {
    const { run } = await command.load();
    return await run(others, world);
  } catch (error) {
    // The message of any other error may quote a secret.
    if (error instanceof CommandError) return say(error.exitCode, `${NAME} ${name}: ${error.message}`);
    return say(BUG, `${NAME} ${name}: ${toPublicText(error)}: this is a bug; please report it`);
  }
}

function toUnknown(word: string, names: readonly string[]): string {
  const known = word.startsWith("-") ? ["--help", "--version"] : names;
  const what = word.startsWith("-") ? `there is no option ${word}` : `no command is called ${JSON.stringify(word)}`;
  return `${what}${toSuggestion(word, known) || `; there are ${known.join(", ")}`}`;
}

function toHelp(commands: Commands, { paint }: CommandWorld): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => {
    return `  ${paint("bold", name.padEnd(width))}  ${summary}`;
  });
  return `Reads secrets of another AWS account for your code, and finds out why a secret cannot be read.

  ${NAME} <command> [options]

${lines.join("\n")}

  ${NAME} <command> --help   lists the options of a command
  ${NAME} --version          prints the version`;
}
