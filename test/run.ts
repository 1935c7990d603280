/** `npm test`: see HELP. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { argv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { build, buildCli } from "../scripts/build/build.ts";
import { layerNames } from "../scripts/build/layers.ts";
import { parseOptions } from "../scripts/cli/options.ts";
import { CommandError, USAGE } from "../scripts/cli/world.ts";
import { setUpPolicyEngine } from "../scripts/setup/policy-engine.ts";
import { findObstacle } from "./e2e/support/availability.ts";
import { runCommand } from "./support/command-line.ts";
import { toResultTables } from "./support/result-tables.ts";
import type { Row } from "./support/rows.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const REPORT = ".cache/tests.json";
const DEFAULT_PROJECTS = ["unit", "integration", "layer", "conformance", "faults", "e2e"];
const PROJECTS = [...DEFAULT_PROJECTS, "release"];

const HELP = `Builds the layers, and runs every test that this machine can run.

  npm test -- [${PROJECTS.join("] [")}]

  unit          single modules: seconds
  integration   modules together, on fakes of Lambda and AWS
  layer         the built layers as processes, on a fake Lambda and a fake AWS
  conformance   asks the built layers everything that the README documents
  faults        what a request gets when things go wrong; if named alone, also the faults that need the end-to-end tests
  e2e           the Runtime Interface Emulator, moto, and real runtimes: needs Linux, root and Python
  release       minutes of waiting, once per release; only if named
  --help        prints this text

Without names, also checks format and types. Prints what it leaves out. The last line counts the tests. Ends with 1 if a test
fails, and with 2 for wrong arguments. With CI=true, what is left out fails.`;

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
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

await runCommand("test", async () => {
  const { values, positionals } = parseOptions(argv.slice(2), { help: { type: "boolean" } }, true);
  if (values.help === true) return console.log(HELP);
  const unknown = positionals.find((name) => !PROJECTS.includes(name));
  if (unknown !== undefined) {
    throw new CommandError(USAGE, `no tests are called ${JSON.stringify(unknown)}; expected ${PROJECTS.join(", ")}`);
  }
  await runTests(positionals);
});

async function runTests(asked: readonly string[]): Promise<void> {
  // Some faults need the end-to-end tests: vitest's filter selects the files there that are called faults, too.
  const isFaultsOnly = asked.join() === "faults";
  const projects = isFaultsOnly ? ["faults", "e2e"] : asked.length > 0 ? asked : DEFAULT_PROJECTS;
  const leftOut: string[] = [];
  const obstacle = projects.includes("e2e") ? await findObstacle(console.log) : undefined;
  if (obstacle !== undefined) leftOut.push(`end-to-end tests: ${obstacle}`);
  if (projects.some((project) => ["integration", "layer", "e2e"].includes(project))) {
    await setUpPolicyEngine(console.log).catch(({ message }: Error) => console.error(message));
  }
  const available = projects.filter((project) => project !== "e2e" || obstacle === undefined);
  let isGood = true;
  if (asked.length === 0) {
    isGood = run("@biomejs/biome/bin/biome", ["check", "."]);
    isGood = run("typescript/bin/tsc", []) && isGood;
  }
  if (available.some((project) => project !== "unit")) {
    await buildCli();
    const built = await build(layerNames, console.log, { isLenient: true });
    const missing = layerNames.filter((name) => !built.includes(name));
    if (missing.length > 0) leftOut.push(`what runs on the layer ${missing.join(" or ")}, which cannot be built here`);
  }
  mkdirSync(`${root}/.cache`, { recursive: true });
  const selection = [...(isFaultsOnly ? ["faults"] : []), ...available.flatMap((project) => ["--project", project])];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`];
  if (available.length > 0)
    isGood =
      run("vitest/vitest.mjs", [
        "run",
        "--config",
        "test/vitest.config.ts",
        "--root",
        ".",
        ...selection,
        ...reporters,
      ]) && isGood;

  const none: VitestReport = { numPassedTests: 0, numFailedTests: 0, testResults: [] };
  const report: VitestReport = available.length > 0 ? JSON.parse(readFileSync(`${root}/${REPORT}`, "utf8")) : none;
  const files = report.testResults.toSorted((a, b) => a.name.localeCompare(b.name));
  const results = files.flatMap(({ assertionResults }) => assertionResults);
  leftOut.push(...results.filter(({ status }) => /pending|skipped/.test(status)).map(({ fullName }) => fullName));
  // A test file that cannot be loaded has no test that fails, and neither has the formatter. CI must leave nothing out.
  const unloaded = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  const missing = process.env.CI === "true" ? leftOut.length : 0;
  const failed = Math.max(report.numFailedTests + unloaded.length + missing, isGood ? 0 : 1);
  const rows = results.flatMap(({ status, meta }) => (meta.row === undefined ? [] : [{ ...meta.row, status }]));
  console.log();
  for (const line of toResultTables(rows)) console.log(line);
  for (const line of leftOut) console.log(`left out: ${line}`);
  console.log(`${report.numPassedTests} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

function run(bin: string, args: readonly string[]): boolean {
  return spawnSync(execPath, [`node_modules/${bin}`, ...args], { cwd: root, stdio: "inherit" }).status === 0;
}
