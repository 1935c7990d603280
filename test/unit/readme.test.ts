/** What the documents say of the repository and of the interface is so. Tables of settings and causes have tests of their own. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { errorTable } from "../../extension/error-reply.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENTS = [
  ...["README.md", "SUPPORT.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...["layer/README.md", "examples/README.md"],
];
const textOf = (document: string) => readFileSync(join(root, document), "utf8");
const blocksOf = (document: string, language: string) =>
  [...textOf(document).matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, of]) => of === language)
    .map(([, , text = ""]) => text);

describe.each(DOCUMENTS)("%s", (document) => {
  it("links to files that are there", () => {
    const links = [...textOf(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = ""]) => path);
    expect(links.filter((path) => !existsSync(join(root, dirname(document), path)))).toEqual([]);
  });

  it("names scripts of npm that there are", () => {
    const { scripts } = JSON.parse(textOf("package.json"));
    const named = [...textOf(document).matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("has commands that a shell can read, and JSON that is JSON", () => {
    for (const block of blocksOf(document, "sh")) execFileSync("sh", ["-n"], { input: block });
    for (const block of blocksOf(document, "json")) JSON.parse(block);
  });
});

describe("README.md", () => {
  const readme = textOf("README.md");

  it("is read in ten minutes", () => {
    expect(readme.split("\n").length).toBeLessThan(300);
  });

  it("has every status with its __type, and no other", () => {
    const section = readme.split(/^## HTTP interface$/m)[1]?.split(/^## /m)[0] ?? "";
    const rows = [...section.matchAll(/^\| ([\d, ]+) \| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(
      ([, statuses = "", types = ""]) => {
        const [some, all] = [statuses.split(", "), types.replaceAll("`", "").split(", ")];
        // As many statuses as types go in pairs; one status has them all.
        return all.map((type, index) => `${some[some.length === 1 ? 0 : index]} ${type}`);
      },
    );
    const pairs = Object.values(errorTable).map(({ status, type }) => `${status} ${type}`);
    expect([...new Set(rows)].sort()).toEqual([...new Set(pairs)].sort());
  });
});
