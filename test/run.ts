/**
 * `npm test`: formats, types, builds the layers, and runs every test that this machine can run; `npm test -- e2e` runs the
 * named projects alone, and `npm run faults` those of the fault suite, wherever they are. Says in one line each what is left
 * out. The last line counts the tests.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { build, buildCli } from "../scripts/build/build.ts";
import { layerNames } from "../scripts/build/layers.ts";
import { setUpPolicyEngine } from "../scripts/setup/policy-engine.ts";
import { findObstacle } from "./e2e/support/availability.ts";
import type { Row } from "./support/rows.ts";
import { drawTables } from "./support/tables.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const REPORT = ".cache/tests.json";
const ALL = ["unit", "integration", "layer", "conformance", "faults", "e2e"];
/** Minutes of waiting: once per release. */
const KNOWN = [...ALL, "release"];

const asked = argv.slice(2);
// Some faults can be brought about only where the end-to-end tests can run: there in a file that is called so, too.
const isFaultsOnly = asked.join() === "faults";
const projects = isFaultsOnly ? ["faults", "e2e"] : asked.length > 0 ? asked : ALL;
const unknown = projects.find((project) => !KNOWN.includes(project));
if (unknown !== undefined) {
  console.error(`no tests are called ${JSON.stringify(unknown)}; expected ${KNOWN.join(", ")}`);
  process.exit(2);
}

const leftOut: string[] = [];
const obstacle = projects.includes("e2e") ? await findObstacle(console.log) : undefined;
if (obstacle !== undefined) leftOut.push(`end-to-end tests: ${obstacle}`);
if (projects.some((project) => ["integration", "layer", "e2e"].includes(project))) {
  await setUpPolicyEngine(console.log).catch(({ message }: Error) => console.error(message));
}
const can = projects.filter((project) => project !== "e2e" || obstacle === undefined);
let isGood = true;
if (asked.length === 0) {
  isGood = run("@biomejs/biome/bin/biome", ["check", "."]);
  isGood = run("typescript/bin/tsc", []) && isGood;
}
if (can.some((project) => project !== "unit")) {
  await buildCli();
  const built = await build(layerNames, console.log, { isLenient: true });
  const missing = layerNames.filter((name) => !built.includes(name));
  if (missing.length > 0) leftOut.push(`what runs on the layer ${missing.join(" or ")}, which cannot be built here`);
}
mkdirSync(`${root}/.cache`, { recursive: true });
const selection = [...(isFaultsOnly ? ["faults"] : []), ...can.flatMap((project) => ["--project", project])];
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`];
if (can.length > 0)
  isGood =
    run("vitest/vitest.mjs", ["run", "--config", "test/vitest.config.ts", "--root", ".", ...selection, ...reporters]) &&
    isGood;

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly meta: { readonly row?: Row };
    }[];
  }[];
}
const none: Report = { numPassedTests: 0, numFailedTests: 0, numFailedTestSuites: 0, testResults: [] };
const report: Report = can.length > 0 ? JSON.parse(readFileSync(`${root}/${REPORT}`, "utf8")) : none;
const files = report.testResults.toSorted((a, b) => a.name.localeCompare(b.name));
const results = files.flatMap(({ assertionResults }) => assertionResults);
leftOut.push(...results.filter(({ status }) => /pending|skipped/.test(status)).map(({ fullName }) => fullName));
// A file that cannot even be loaded has no test that could fail; nor has a formatter. CI must leave nothing out.
const unloaded = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
const missing = process.env.CI === "true" ? leftOut.length : 0;
const failed = Math.max(report.numFailedTests + unloaded.length + missing, isGood ? 0 : 1);
const rows = results.flatMap(({ status, meta }) => (meta.row === undefined ? [] : [{ ...meta.row, status }]));
console.log();
for (const line of drawTables(rows)) console.log(line);
for (const line of leftOut) console.log(`left out: ${line}`);
console.log(`${report.numPassedTests} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function run(bin: string, args: readonly string[]): boolean {
  return spawnSync(execPath, [`node_modules/${bin}`, ...args], { cwd: root, stdio: "inherit" }).status === 0;
}
