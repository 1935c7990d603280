import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const EXTENSION = new URL("../../extension/", import.meta.url);
/** What is handed to its neighbour, by main.ts or, where it stands behind one source, by source-parts.ts. */
const HANDED_ON_BY = {
  "http-server.ts": "main.ts",
  "http-handler.ts": "main.ts",
  "secret-cache.ts": "source-parts.ts",
  "secrets-manager.ts": "source-parts.ts",
  "parameter-store.ts": "source-parts.ts",
  "role-credentials.ts": "source-parts.ts",
  "source-parts.ts": "main.ts",
} as const;
/** The AWS SDK, and what it is loaded for. */
const SDK_FILES = ["aws-sdk.ts", "aws-ssm.ts"];
const NO_IMPORTS = ["errors.ts", "logger.ts"];

const files = readdirSync(EXTENSION);
const textOf = (file: string) => readFileSync(new URL(file, EXTENSION), "utf8");
const codeOf = (file: string) => textOf(file).replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, "");

/** What is imported, with "./x.ts" as "x.ts". */
const find = (file: string, pattern: RegExp) =>
  [...codeOf(file).matchAll(pattern)].map((match) => (match.at(-1) ?? "").replace(/^\.\//, ""));
const valueImports = (file: string) => find(file, /^(?:import|export)\b(?! type\b)(?:[^;"]*?\bfrom)? "([^"]+)";/gm);
const typeImports = (file: string) => find(file, /^(?:import|export) type\b[^;"]*? from "([^"]+)";/gm);
const dynamicImports = (file: string) => find(file, /\bimport\(\s*"([^"]+)"\s*\)/g);
const allImports = (file: string) => [...valueImports(file), ...typeImports(file), ...dynamicImports(file)];
const importersOf = (wanted: string, importsOf: (file: string) => string[]) =>
  files.filter((file) => importsOf(file).some((name) => name === wanted || name.startsWith(`${wanted}/`)));

describe("the shape of the code", () => {
  it.each(Object.entries(HANDED_ON_BY))("%s is handed to its neighbour by %s, which alone imports it", (part, by) => {
    expect(importersOf(part, valueImports)).toEqual([by]);
    expect(importersOf(part, dynamicImports)).toEqual([]);
  });

  it.each(NO_IMPORTS)("%s imports nothing of ours", (file) => {
    expect(allImports(file).filter((name) => files.includes(name))).toEqual([]);
  });

  it("has no import cycle, and nobody imports main.ts", () => {
    const walk = (file: string, route: readonly string[]): void => {
      expect(route, `cycle: ${[...route, file].join(" → ")}`).not.toContain(file);
      for (const next of valueImports(file).filter((name) => files.includes(name))) walk(next, [...route, file]);
    };
    for (const file of files) walk(file, []);
    expect(importersOf("main.ts", allImports)).toEqual([]);
  });

  it("touches `process` in main.ts alone", () => {
    const isToucher = (file: string) => /\bprocess\b/.test(codeOf(file).replace(/"[^"\n]*"/g, '""'));
    expect(files.filter(isToucher)).toEqual(["main.ts"]);
    expect([...importersOf("process", allImports), ...importersOf("node:process", allImports)]).toEqual([]);
  });

  it("has the AWS SDK in two files alone, each of which main.ts loads when it is needed", () => {
    expect([...importersOf("@aws-sdk", valueImports), ...importersOf("@smithy", valueImports)]).toEqual(SDK_FILES);
    expect([...importersOf("@aws-sdk", dynamicImports), ...importersOf("@aws-sdk", typeImports)]).toEqual([]);
    for (const file of SDK_FILES) {
      expect(importersOf(file, valueImports)).toEqual([]);
      expect(importersOf(file, dynamicImports)).toEqual(["main.ts"]);
    }
  });

  it("has nothing of the scripts, and so no fake", () => {
    const foreign = files.flatMap(allImports).filter((name) => name.startsWith("../"));
    expect(foreign).toEqual(["../package.json"]);
  });

  it("loads nothing of Parameter Store's with what every secret needs", () => {
    expect(valueImports("aws-sdk.ts")).not.toContain("@aws-sdk/client-ssm");
    expect(valueImports("aws-ssm.ts").filter((name) => name.startsWith("@aws-sdk/"))).toEqual(["@aws-sdk/client-ssm"]);
  });

  it.each(files)("%s is short", (file) => {
    expect(textOf(file).split("\n").length - 1).toBeLessThanOrEqual(file === "main.ts" ? 60 : 200);
  });

  // The tests of the layer run main.ts, as a process.
  it.each(files.filter((file) => file !== "main.ts"))("%s has a unit test of its own", (file) => {
    expect(existsSync(new URL(file.replace(".ts", ".test.ts"), import.meta.url))).toBe(true);
  });
});
