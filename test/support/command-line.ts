/** What the commands of this folder share: `npm run fuzz`, `bench` and `simulate`. */
import { CommandError, USAGE } from "../../scripts/cli/world.ts";

/** Runs a command. A CommandError ends it with one line on stderr, and its exit code. */
export async function runCommand(name: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    console.error(`${name}: ${error.message}`);
    process.exitCode = error.exitCode;
  }
}

export function parseWholeNumber(option: string, text: string, min = 0, max = 999_999_999): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new CommandError(USAGE, `${option} must be a whole number from ${min} to ${max}; got ${JSON.stringify(text)}`);
}
