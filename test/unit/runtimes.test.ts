/** The runtimes that documents and templates name are in the table of layers.ts, which an end-to-end test compares with Lambda's. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { currentRuntimes, layers, RUNTIMES_LIMIT } from "../../scripts/build/layers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" })
  .filter((file) => /\.(md|yaml|tf|ts|mjs)$/.test(file))
  .map((file) => `examples/${file}`);
const files = ["README.md", "SUPPORT.md", "SECURITY.md", "layer/README.md", "template.yaml", ...examples];
const current: readonly string[] = [...currentRuntimes.nodejs, ...currentRuntimes.others];

/** Returns the runtimes that a text names, in the spelling of Lambda or of the CDK: `Runtime.PYTHON_3_13`. */
function findRuntimes(text: string): string[] {
  const names = text.match(
    /\b(?:nodejs\d+\.x|(?:python|ruby)\d\.\d+|(?:dotnet|java)\d+(?:\.al\w+)?|provided\.al\w+)\b/g,
  );
  const constants = [...text.matchAll(/\bRuntime\.(NODEJS|PYTHON|RUBY|JAVA|DOTNET)_(\d\w*)/g)];
  const toName = (language = "", version = "") =>
    `${language.toLowerCase()}${version.replaceAll("_", ".").toLowerCase()}`;
  return [...(names ?? []), ...constants.map(([, language, version]) => toName(language, version))];
}

describe("Lambda's runtimes", () => {
  it.each(files)("%s names none that is deprecated or unknown", (file) => {
    const named = findRuntimes(readFileSync(join(root, file), "utf8"));
    expect(named.filter((name) => !current.includes(name))).toEqual([]);
  });

  it.each(["README.md", "layer/README.md"])("%s says for which the nodejs layer is", (file) => {
    const text = readFileSync(join(root, file), "utf8");
    for (const name of currentRuntimes.nodejs) expect(text).toContain(`\`${name}\``);
  });

  it.each(Object.entries(layers))("the %s layer names as many as Lambda takes", (_name, { carries, runtimes }) => {
    const all = carries === undefined ? currentRuntimes.nodejs : currentRuntimes.others;
    expect(runtimes).toEqual(all.slice(0, RUNTIMES_LIMIT));
  });
});
