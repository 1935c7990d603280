import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A file imports only from its own folder and from floors below, type imports included. The lowest floor is first. */
const floors: readonly (readonly string[])[] = [
  ["values", "logger.ts"],
  ["config", "failure"],
  ["lambda", "metrics.ts"],
  ["cache"],
  ["aws"],
  ["http"],
  ["extension.ts"],
  ["lifecycle.ts"],
  ["main.ts"],
];
/** The AWS SDK, and what the file is loaded for. */
const SDK_FILES = ["extension/aws/sdk-ssm.ts", "extension/aws/sdk.ts"];

const listFiles = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file).split(sep).join("/"))
    .filter((file) => /\.(ts|mjs)$/.test(file) && !file.includes("node_modules"))
    .sort();
const files = listFiles("extension");
const textOf = (file: string) => readFileSync(join(root, file), "utf8");
const codeOf = (file: string) => textOf(file).replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, "");

/** What is imported: packages by name, our files by their path in the repository. */
const findImports = (file: string, pattern: RegExp) =>
  [...codeOf(file).matchAll(pattern)].map((match) => {
    const name = match.at(-1) ?? "";
    return name.startsWith(".")
      ? relative(root, join(root, dirname(file), name))
          .split(sep)
          .join("/")
      : name;
  });
const valueImports = (file: string) =>
  findImports(file, /^(?:import|export)\b(?! type\b)(?:[^;"]*?\bfrom)? "([^"]+)";/gm);
const typeImports = (file: string) => findImports(file, /^(?:import|export) type\b[^;"]*? from "([^"]+)";/gm);
const dynamicImports = (file: string) => findImports(file, /\bimport\(\s*"([^"]+)"\s*\)/g);
const staticImports = (file: string) => [...valueImports(file), ...typeImports(file)];
const allImports = (file: string) => [...staticImports(file), ...dynamicImports(file)];
const importersOf = (wanted: string, importsOf: (file: string) => string[]) =>
  files.filter((file) => importsOf(file).some((name) => name === wanted || name.startsWith(`${wanted}/`)));

const toRoom = (file: string): string => file.split("/")[1] ?? "";
const toFloor = (file: string): number => floors.findIndex((rooms) => rooms.includes(toRoom(file)));

describe("extension/", () => {
  it("shows at most a dozen entries, and each has its floor", () => {
    const entries = readdirSync(join(root, "extension"));
    expect(entries.length).toBeLessThanOrEqual(12);
    expect(entries.sort()).toEqual(floors.flat().sort());
  });

  it.each(files)("%s imports only from its own folder and from floors below, types included", (file) => {
    const ours = staticImports(file).filter((name) => name.startsWith("extension/"));
    const others = ours.filter((name) => toRoom(name) !== toRoom(file));
    expect(others.filter((name) => toFloor(name) >= toFloor(file))).toEqual([]);
  });

  it("has no circle of imports, types included", () => {
    const checked = new Set<string>();
    const walk = (file: string, route: readonly string[]): void => {
      expect(route, `circle: ${[...route, file].join(" → ")}`).not.toContain(file);
      if (checked.has(file)) return;
      for (const next of staticImports(file).filter((name) => files.includes(name))) walk(next, [...route, file]);
      checked.add(file);
    };
    for (const file of files) walk(file, []);
  });

  it("touches `process` in main.ts only", () => {
    const touches = (file: string) => /\bprocess\b/.test(codeOf(file).replace(/"[^"\n]*"/g, '""'));
    expect(files.filter(touches)).toEqual(["extension/main.ts"]);
    expect([...importersOf("process", allImports), ...importersOf("node:process", allImports)]).toEqual([]);
  });

  it("imports the AWS SDK in two files only, which main.ts loads when they are needed", () => {
    expect([...importersOf("@aws-sdk", valueImports), ...importersOf("@smithy", valueImports)]).toEqual(SDK_FILES);
    expect([...importersOf("@aws-sdk", dynamicImports), ...importersOf("@aws-sdk", typeImports)]).toEqual([]);
    for (const file of SDK_FILES) {
      expect(importersOf(file, valueImports)).toEqual([]);
      expect(importersOf(file, dynamicImports)).toEqual(["extension/main.ts"]);
    }
  });

  it("loads nothing for Parameter Store with what every secret needs", () => {
    expect(valueImports("extension/aws/sdk.ts")).not.toContain("@aws-sdk/client-ssm");
    const packages = valueImports("extension/aws/sdk-ssm.ts").filter((name) => name.startsWith("@aws-sdk/"));
    expect(packages).toEqual(["@aws-sdk/client-ssm"]);
  });
});

describe("the folders of the repository", () => {
  it("keep tables in a Map if their keys may be any text: every object has a `constructor`", () => {
    const tables = [...files, ...listFiles("scripts/cli")].filter((file) =>
      /\bconst \w+: Readonly<(?:Partial<)?Record<string,/.test(codeOf(file)),
    );
    expect(tables).toEqual([]);
  });

  it("import in one direction: test → scripts → extension", () => {
    const allowed = { extension: ["extension"], scripts: ["scripts", "extension"] };
    for (const [folder, known] of Object.entries(allowed)) {
      const foreign = listFiles(folder).flatMap((file) =>
        allImports(file)
          .filter((name) => /^[\w.-]+\//.test(name) && !name.startsWith("@") && name.endsWith(".ts"))
          .filter((name) => !known.includes(name.split("/")[0] ?? ""))
          .map((name) => `${file} imports ${name}`),
      );
      expect(foreign).toEqual([]);
    }
  });

  it.each([...files, ...listFiles("scripts"), ...listFiles("test").filter((file) => !file.endsWith(".test.ts"))])(
    "%s is short enough to read",
    (file) => {
      expect(textOf(file).split("\n").length - 1).toBeLessThanOrEqual(
        file === "extension/main.ts" ? 60 : file.startsWith("test/") ? 400 : 320,
      );
    },
  );
});
