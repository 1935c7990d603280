import { styleText } from "node:util";
import type { Environment } from "../../extension/config/setting-rules.ts";

/** Everything that a command may use of the machine. */
export interface CommandWorld {
  readonly environment: Environment;
  /** For the result. The caller ends each line with a line feed, here and in `stderr`. */
  readonly stdout: (text: string) => void;
  /** For mistakes, warnings and progress. */
  readonly stderr: (text: string) => void;
  /** Whether `stdout` is a terminal. */
  readonly isTerminal: boolean;
  /** Adds a style to the text, unless `toPaint` decides against colours. */
  readonly paint: (style: Parameters<typeof styleText>[0], text: string) => string;
  readonly now: () => number;
}

/** No colours for a file, another program, a terminal that cannot show them, or with NO_COLOR: https://no-color.org */
export function toPaint(isTerminal: boolean, { NO_COLOR, TERM }: Environment): CommandWorld["paint"] {
  const isPlain = !isTerminal || Boolean(NO_COLOR) || TERM === "dumb";
  return (style, text) => (isPlain ? text : styleText(style, text, { validateStream: false }));
}

/** The module of a command. It is loaded when the command is run, and loads the AWS SDK only when it needs it. */
export interface Command {
  /** Returns the exit code, or throws a CommandError that has it. `args` are the arguments after the command's name. */
  run(args: readonly string[], world: CommandWorld): Promise<number>;
}

/** Ends a command with an exit code. The message is all that is printed. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Wrong arguments or settings. The command has done nothing. */
export const USAGE = 2;
/** A bug of ours: EX_SOFTWARE of BSD's sysexits.h. */
export const BUG = 70;
