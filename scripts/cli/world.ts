import { styleText } from "node:util";
import type { Environment } from "../../extension/config/setting-rules.ts";

/** All that a command gets to see of the machine that it runs on. */
export interface CommandWorld {
  readonly environment: Environment;
  /** For what was asked for. The text brings its own line feeds; so does that of `stderr`. */
  readonly stdout: (text: string) => void;
  /** For all else: mistakes, warnings, progress. */
  readonly stderr: (text: string) => void;
  /** Whether a person reads `stdout`. */
  readonly isTerminal: boolean;
  /** The text in a style, or as it is: where no person reads it, or NO_COLOR (https://no-color.org) is set. */
  readonly paint: (style: Parameters<typeof styleText>[0], text: string) => string;
  readonly now: () => number;
}

/** Who reads no colours: a file or another program, a terminal that cannot show them, and a person who does not want them. */
export function toPaint(isTerminal: boolean, { NO_COLOR, TERM }: Environment): CommandWorld["paint"] {
  const isPlain = !isTerminal || Boolean(NO_COLOR) || TERM === "dumb";
  return (style, text) => (isPlain ? text : styleText(style, text, { validateStream: false }));
}

/** A module behind a name on the command line. It is loaded when it is asked for, and what it needs of the AWS SDK, later still. */
export interface Command {
  /** Gives the exit code; a thrown CommandError does so, too. `args` are what stands behind the command's name. */
  run(args: readonly string[], world: CommandWorld): Promise<number>;
}

/** What ends a command with one line, which is its message, and an exit code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Wrong arguments or settings: nothing has been done, and nothing will be until they are mended. */
export const USAGE = 2;
/** A bug of ours, as BSD's sysexits.h has it. */
export const BUG = 70;
