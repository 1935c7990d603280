import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The program as a layer with V8's coverage: which branches run, from its start to its exit. */
export interface CoveredLayer {
  /** The image of /opt for a fake Lambda. Each process adds to the coverage when it ends. */
  readonly opt: string;
  /** Returns the branches of these files of `extension/` that no process ran, as `file:line: the line`. */
  findUntaken(files: readonly string[]): string[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Builds the layer in an empty folder, not minified, because minifying merges branches. */
export async function buildCoveredLayer(folder: string): Promise<CoveredLayer> {
  const program = join(folder, "main.cjs");
  await build({
    absWorkingDir: root,
    entryPoints: ["extension/main.ts"],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    sourcemap: true,
    logLevel: "error",
  });
  const reports = join(folder, "coverage");
  for (const name of ["extensions", "coverage"]) mkdirSync(join(folder, name));
  const extension = join(folder, "extensions/cross-account-secrets");
  writeFileSync(extension, `#!/bin/sh\nNODE_V8_COVERAGE='${reports}' exec '${execPath}' '${program}'\n`);
  chmodSync(extension, 0o755);
  return {
    opt: folder,
    findUntaken(files) {
      const text = readFileSync(program, "utf8");
      const wasRun = new Uint8Array(text.length);
      for (const report of readdirSync(reports)) markRun(wasRun, readFileSync(join(reports, report), "utf8"));
      const map = new SourceMap(JSON.parse(readFileSync(`${program}.map`, "utf8")));
      const uncovered = findGaps(wasRun, text).map((at) => toPlace(map, text, at, files));
      return [...new Set(uncovered.filter((place) => place !== undefined))];
    },
  };
}

interface V8Report {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
    }[];
  }[];
}

/** V8's ranges are nested, and an outer one comes before those in it: https://v8.dev/blog/javascript-code-coverage */
function markRun(wasRun: Uint8Array, report: string): void {
  const counts = new Uint8Array(wasRun.length);
  const { result }: V8Report = JSON.parse(report);
  for (const { url, functions } of result) {
    if (!url.endsWith("/main.cjs")) continue;
    const ranges = functions.flatMap((one) => one.ranges);
    ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
    for (const { startOffset, endOffset, count } of ranges) counts.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  }
  counts.forEach((count, at) => {
    if (count > 0) wasRun[at] = 1;
  });
}

/** Finds the first character of each piece of code that did not run. */
function findGaps(wasRun: Uint8Array, text: string): number[] {
  const gaps: number[] = [];
  for (let at = 0; at < wasRun.length; at += 1) {
    if (wasRun[at] === 1) continue;
    const end = wasRun.indexOf(1, at);
    const code = /[^\s{}();]/.exec(text.slice(at, end < 0 ? undefined : end));
    if (code !== null) gaps.push(at + code.index);
    if (end < 0) break;
    at = end;
  }
  return gaps;
}

function toPlace(map: SourceMap, text: string, at: number, files: readonly string[]): string | undefined {
  const before = text.slice(0, at).split("\n");
  const entry = map.findEntry(before.length - 1, before.at(-1)?.length ?? 0);
  if (!("originalSource" in entry)) return undefined;
  const [, file = ""] = /(?:^|\/)extension\/(.*)/.exec(entry.originalSource) ?? [];
  if (!files.includes(file)) return undefined;
  const source = readFileSync(join(root, "extension", file), "utf8").split("\n");
  return `${file}:${entry.originalLine + 1}: ${source[entry.originalLine]?.trim()}`;
}
