/** Requests that once broke a rule. Each run sends them again. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { LayerUnderTest } from "./layer.ts";

export interface KeptCase {
  /** The rule that was broken. */
  readonly why: string;
  /** Latin-1, with placeholders for what differs from run to run. */
  readonly pieces: readonly string[];
}

const FOLDER = fileURLToPath(new URL("../fixtures/fuzz/", import.meta.url));

export function readKeptCases(): readonly KeptCase[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json"));
  return files.sort().map((file) => JSON.parse(readFileSync(FOLDER + file, "utf8")));
}

export function keepCase(name: string, { why, pieces }: KeptCase): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}${name}.json`, `${JSON.stringify({ why, pieces }, null, 2)}\n`);
}

/** What differs from run to run, each with its placeholder. */
const placeholders = (layer: LayerUnderTest): readonly (readonly [string, string])[] => [
  ["<arn>", layer.secretArn],
  ["<version>", layer.versionId],
  ["<token>", layer.token],
  ["<port>", String(layer.port)],
];

export const withPlaceholders = (bytes: string, layer: LayerUnderTest): string =>
  placeholders(layer).reduce((text, [name, value]) => text.replaceAll(value, name), bytes);

export const withoutPlaceholders = (bytes: string, layer: LayerUnderTest): string =>
  placeholders(layer).reduce((text, [name, value]) => text.replaceAll(name, value), bytes);
