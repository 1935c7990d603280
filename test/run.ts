/** `npm test`: see HELP. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { arch, argv, execPath, platform } from "node:process";
import { fileURLToPath } from "node:url";
import { build, buildCli } from "../scripts/build/build.ts";
import { layerNames } from "../scripts/build/layers.ts";
import { parseOptions } from "../scripts/cli/options.ts";
import { CommandError, USAGE } from "../scripts/cli/world.ts";
import { setUpPolicyEngine } from "../scripts/setup/policy-engine.ts";
import { findObstacle } from "./e2e/support/availability.ts";
import { runCommand } from "./support/command-line.ts";
import { fetchNodeOf, nodeRuntimes } from "./support/node-runtimes.ts";
import { toResultTables } from "./support/result-tables.ts";
import type { Row } from "./support/rows.ts";
import { PROJECTS, toTestPlan } from "./support/test-plan.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const HELP = `Builds the layers, and runs every test that this machine can run.

  npm test -- [${PROJECTS.join("] [")}]

  unit          single modules: seconds
  integration   modules together, on fakes of Lambda and AWS
  layer         the built layers as processes, on a fake Lambda and a fake AWS
  conformance   asks the built layers everything that the README documents
  faults        what a request gets when things go wrong. If named alone, also runs the faults that need e2e.
  e2e           the Runtime Interface Emulator, moto, and real runtimes: needs Linux, root and Python
  versions      unit and integration on the other Node.js versions of Lambda, from npm; only in CI, or if named
  release       minutes of waiting, once per release; only if named
  --help        prints this text

Without names, also checks format and types. Prints what it leaves out. The last line counts the tests. Ends with 1 if a test
fails, and with 2 for wrong arguments. With CI=true, what is left out fails.`;

interface VitestReport {
  readonly success: boolean;
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
  const isCi = process.env.CI === "true";
  const { projects, filters, steps, minutes } = toTestPlan(asked, { isCi });
  console.log(
    `This takes about ${minutes} min on two processors; the first time longer, because it downloads what it needs.`,
  );
  const began = performance.now();
  const startStep = (step: (typeof steps)[number]) => {
    const after = Math.round((performance.now() - began) / 1_000);
    const place = `step ${steps.indexOf(step) + 1} of ${steps.length}, after ${Math.floor(after / 60)} min ${after % 60} s`;
    console.log(`\n${step} (${place})`);
  };

  let isGood = true;
  const leftOut: string[] = [];
  if (steps.includes("format and types")) {
    startStep("format and types");
    isGood = run("@biomejs/biome/bin/biome", ["check", "."]);
    isGood = run("typescript/bin/tsc", []) && isGood;
  }
  if (steps.includes("build")) startStep("build");
  const obstacle = projects.includes("e2e") ? await findObstacle(console.log) : undefined;
  if (obstacle !== undefined) leftOut.push(`end-to-end tests: ${obstacle}`);
  if (projects.some((project) => ["integration", "layer", "e2e"].includes(project))) {
    await setUpPolicyEngine(console.log).catch(({ message }: Error) => console.error(message));
  }
  const available = projects.filter((project) => project !== "e2e" || obstacle === undefined);
  if (steps.includes("build")) {
    await buildCli();
    const built = await build(layerNames, console.log, { isLenient: true });
    const missing = layerNames.filter((name) => !built.includes(name));
    if (missing.length > 0) leftOut.push(`what runs on the layer ${missing.join(" or ")}, which cannot be built here`);
  }
  mkdirSync(`${root}/.cache`, { recursive: true });
  const reports: VitestReport[] = [];
  if (available.length > 0) {
    startStep("tests");
    reports.push(runVitest(available, filters));
  }
  if (steps.includes("tests on other versions of Node.js")) {
    startStep("tests on other versions of Node.js");
    reports.push(...(await runVersions(leftOut)));
  }
  const files = reports.flatMap(({ testResults }) => testResults);
  const results = files.flatMap(({ assertionResults }) => assertionResults);
  const skipped = results.filter(({ status }) => /pending|skipped/.test(status)).map(({ fullName }) => fullName);
  leftOut.push(...new Set(skipped));
  // Not only failed tests count: also a file that cannot be loaded, in CI what is left out, and the checks, such as the format.
  const unloaded = files.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  const missing = isCi ? leftOut.length : 0;
  const count = (of: "numPassedTests" | "numFailedTests") => reports.reduce((sum, report) => sum + report[of], 0);
  isGood &&= reports.every(({ success }) => success);
  const failed = Math.max(count("numFailedTests") + unloaded.length + missing, isGood ? 0 : 1);
  const [onThisNode] = reports;
  const rows = (onThisNode?.testResults ?? [])
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .flatMap(({ assertionResults }) => assertionResults)
    .flatMap(({ status, meta }) => (meta.row === undefined ? [] : [{ ...meta.row, status }]));
  console.log();
  for (const line of toResultTables(rows)) console.log(line);
  for (const line of leftOut) console.log(`left out: ${line}`);
  console.log(`${count("numPassedTests")} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Runs the tests of these projects, on this Node.js or on `node`, and returns the report. */
function runVitest(projects: readonly string[], filters: readonly string[], node = execPath): VitestReport {
  const report = join(root, ".cache/tests.json");
  const config = ["--config", "test/vitest.config.ts", "--root", "."];
  const selection = [...filters, ...projects.flatMap((project) => ["--project", project])];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const isGood = run("vitest/vitest.mjs", ["run", ...config, ...selection, ...reporters], node);
  const parsed: VitestReport = JSON.parse(readFileSync(report, "utf8"));
  return { ...parsed, success: isGood };
}

/** Runs what can depend on the Node.js that runs it: the layers' own tests run on the layers' Node.js. */
async function runVersions(leftOut: string[]): Promise<VitestReport[]> {
  const reports: VitestReport[] = [];
  const [own] = process.versions.node.split(".");
  for (const runtime of nodeRuntimes.filter((name) => name !== `nodejs${own}.x`)) {
    try {
      if (platform !== "linux" || arch !== "x64") throw new Error("only Linux on x86_64 has them");
      const node = join(await fetchNodeOf(runtime), "bin/node");
      console.log(`\non the Node.js of ${runtime}:`);
      reports.push(runVitest(["unit", "integration"], [], node));
    } catch (error) {
      leftOut.push(`the tests on the Node.js of ${runtime}: ${(error as Error).message}`);
    }
  }
  return reports;
}

/** Runs a program of a package on `node`, which its own processes find in PATH. */
function run(bin: string, args: readonly string[], node = execPath): boolean {
  const isOwn = node === execPath;
  // In CI, a test builds the self-contained layers twice. Once is enough.
  const env = isOwn ? process.env : { ...process.env, CI: "", PATH: `${dirname(node)}:${process.env.PATH}` };
  return spawnSync(node, [`node_modules/${bin}`, ...args], { cwd: root, env, stdio: "inherit" }).status === 0;
}
