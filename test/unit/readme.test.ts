/** Checks what the documents say about the repository and the interface. The tables of settings and causes have their own tests. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { failureTable } from "../../extension/failure/failure.ts";
import { parsePublishedFigures } from "../support/published-figures.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENTS = [".", "docs", "layer", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join(folder, file)),
);
const textOf = (document: string) => readFileSync(join(root, document), "utf8");
const blocksOf = (document: string, language: string) =>
  [...textOf(document).matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, of]) => of === language)
    .map(([, , text = ""]) => text);
/** The words of shell commands, without all that is quoted. */
const toBareWords = (block: string) =>
  block
    .replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"|\\[\s\S]/g, "")
    .split(/\s+/)
    .filter((word) => word !== "");

describe.each(DOCUMENTS)("%s", (document) => {
  it("links only to files that exist", () => {
    const links = [...textOf(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = ""]) => path);
    expect(links.filter((path) => !existsSync(join(root, dirname(document), path)))).toEqual([]);
  });

  it("names only npm scripts that exist", () => {
    const { scripts } = JSON.parse(textOf("package.json"));
    const named = [...textOf(document).matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("has shell commands and JSON that can be parsed", () => {
    for (const block of blocksOf(document, "sh")) execFileSync("sh", ["-n"], { input: block });
    for (const block of blocksOf(document, "json")) JSON.parse(block);
  });

  // zsh, the shell of macOS, takes a typed `#` for an argument, and refuses a pattern that matches no file:
  // https://zsh.sourceforge.io/Doc/Release/Options.html (INTERACTIVE_COMMENTS, NOMATCH).
  it("has shell commands that zsh takes when they are typed: no comments, no bare patterns", () => {
    const words = blocksOf(document, "sh").flatMap(toBareWords);
    expect(words.filter((word) => /^#|[?*[]|^=/.test(word))).toEqual([]);
  });

  it("sends the token past proxies in every command", () => {
    const commands = blocksOf(document, "sh").flatMap((block) =>
      block.replaceAll(/\|?\s*\\?\n\s+|\|\n/g, " ").split("\n"),
    );
    const withToken = commands.filter((command) => /\b(curl|wget)\b.*(2773|Token)/.test(command));
    expect(withToken.filter((command) => !/\bcurl --noproxy '\*' /.test(command))).toEqual([]);
  });
});

describe("README.md", () => {
  const readme = textOf("README.md");

  it("has fewer than 300 lines, so that it is read in ten minutes", () => {
    expect(readme.split("\n").length).toBeLessThan(300);
  });

  it("has every status with its __type, and no other", () => {
    const section = readme.split(/^## HTTP interface$/m)[1]?.split(/^## /m)[0] ?? "";
    const rows = [...section.matchAll(/^\| ([\d, ]+) \| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(
      ([, statuses = "", types = ""]) => {
        const [some, all] = [statuses.split(", "), types.replaceAll("`", "").split(", ")];
        // If there are as many statuses as types, they are pairs; a single status belongs to all types.
        return all.map((type, index) => `${some[some.length === 1 ? 0 : index]} ${type}`);
      },
    );
    const pairs = Object.values(failureTable).map(({ status, type }) => `${status} ${type}`);
    expect([...new Set(rows)].sort()).toEqual([...new Set(pairs)].sort());
  });
});

/** The README's label of each figure, and its place in the table of the run. */
const PUBLISHED: readonly (readonly [label: string, section: string, who: string, what: string])[] = [
  [
    "Python: cold start until the handler has the secret",
    "secret",
    "x86_64 layer",
    "Python, cold start until the handler has it",
  ],
  ["Python: a later invocation's read", "secret", "x86_64 layer", "Python, a warm invocation's read"],
  [
    "Node.js, `nodejs` layer: cold start until the handler has the secret",
    "secret",
    "nodejs layer",
    "Node.js, cold start until the handler has it",
  ],
  ["Node.js, `x86_64` layer: the same", "secret", "x86_64 layer", "Node.js, cold start until the handler has it"],
  ["Node.js, `nodejs` layer: a later invocation's read", "secret", "nodejs layer", "Node.js, a warm invocation's read"],
  [
    "added to a cold start of Python with 200 ms of imports",
    "init",
    "x86_64 layer",
    "added: Python, 200 ms of imports, AWS 10 ms",
  ],
  [
    "added to a cold start of Python without imports",
    "init",
    "x86_64 layer",
    "added: Python, 0 ms of imports, AWS 10 ms",
  ],
  ["start until registered, which Lambda waits for", "start", "x86_64 layer", "start to register"],
  ["start until ready, where AWS takes no time", "start", "x86_64 layer", "start to ready"],
  ["a read, one connection: median", "read", "x86_64 layer", "p50, connections: 1 kept alive"],
  ["99 of 100 are done in", "read", "x86_64 layer", "p99, connections: 1 kept alive"],
  ["reads with eight connections", "read", "x86_64 layer", "requests, connections: 8 kept alive"],
  ["private memory after init", "memory", "x86_64 layer", "private dirty, 1 secret, after init"],
  ["after 100,000 reads", "memory", "x86_64 layer", "private dirty, 1 secret, after 100,000 reads"],
  ["with 1,000 secrets, read once", "memory", "x86_64 layer", "private dirty, 1,000 secrets, read once"],
  ["calls to AWS in a cold start", "calls", "x86_64 layer", "cold start, read at once"],
  [
    "calls to AWS for a thousand readers at once",
    "calls",
    "x86_64 layer",
    "a thousand readers of what is not there yet",
  ],
];
const NAMES: Readonly<Record<string, string>> = {
  "constant node:http": "a constant from `node:http`",
  echo: "an echo",
  "bare, carried Node.js": "Node.js alone",
  "floor, carried Node.js, register": "the floor's registration",
  "floor, carried Node.js": "the floor",
  "ready by itself, less the function's init": "the time from the end of the function's init until the layer is ready",
};

describe("README.md, what it costs", () => {
  const section =
    textOf("README.md")
      .split(/^## What it costs$/m)[1]
      ?.split(/^## /m)[0] ?? "";
  const published = textOf("test/bench/published.txt");
  const figures = parsePublishedFigures(published);

  it("has every figure from one run, with its ratio to all that was measured beside it", () => {
    const rows = PUBLISHED.map(([label, ...where]) => {
      const figure = figures.find(({ section, who, what }) => [section, who, what].join() === where.join());
      const beside = figure?.beside.map(({ who, ratio }) => `${ratio} × ${NAMES[who] ?? who}`).join(", ");
      return `| ${label} | ${figure?.median} | ${beside} |`;
    });
    expect([...section.matchAll(/^\|.*\|$/gm)].slice(2).map(([row]) => row)).toEqual(rows);
  });

  it("names the machine", () => {
    const [machine = ""] = published.split("\n");
    expect(section.replaceAll("\n", " ")).toContain(machine);
  });
});
