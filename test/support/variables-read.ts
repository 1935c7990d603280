import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseConfig } from "../../extension/config/config.ts";
import { type Environment, PREFIX } from "../../extension/config/setting-rules.ts";

const extension = fileURLToPath(new URL("../../extension", import.meta.url));

/** The names of all variables that the extension reads, with `CROSS_ACCOUNT_SECRETS_*` for all of ours. */
export function listVariablesRead(): string[] {
  const names = new Set<string>();
  // Some variables are read only if others are set, and some only if others are not.
  for (const value of [undefined, "1"]) {
    const get = (_: object, name: string) => {
      names.add(name);
      return value;
    };
    parseConfig(new Proxy<Environment>({}, { get }), () => "");
  }
  for (const file of readdirSync(extension, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const code = readFileSync(join(extension, file), "utf8");
    for (const [, name = ""] of code.matchAll(/\benvironment\.([A-Z_]+)/g)) names.add(name);
  }
  return [...new Set([...names].map((name) => (name.startsWith(PREFIX) ? `${PREFIX}*` : name)))].sort();
}
