/** Bytes that have broken a rule once. They are sent again by each run. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Kept {
  readonly why: string;
  /** Latin-1, with names for what differs from run to run. */
  readonly pieces: readonly string[];
}

const FOLDER = fileURLToPath(new URL("../fixtures/fuzz/", import.meta.url));

export function readKept(): readonly Kept[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json"));
  return files.sort().map((file) => JSON.parse(readFileSync(FOLDER + file, "utf8")));
}

export function keep(name: string, { why, pieces }: Kept): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}${name}.json`, `${JSON.stringify({ why, pieces }, null, 2)}\n`);
}
