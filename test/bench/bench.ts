/**
 * How fast, how large and how cheap the layers are: `npm run bench -- --help`.
 *
 *   arguments ─► an AWS without latency ─► for each section: layers and limits, in turn ─► table, plot, file
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { cpus, release, type as systemType } from "node:os";
import { resolve } from "node:path";
import { argv } from "node:process";
import { readManifest } from "../../scripts/build/layers.ts";
import { CommandError, USAGE } from "../../scripts/cli/world.ts";
import { runCommand } from "../support/command-line.ts";
import { type BenchmarkOptions, HELP, parseArguments, type SectionName } from "./arguments.ts";
import { startAws } from "./aws.ts";
import { type MeasureSection, toSummary } from "./figure.ts";
import { toPlot } from "./plot.ts";
import { findLayers } from "./processes.ts";
import { LEGEND, toSectionTable } from "./report.ts";
import { measureCalls } from "./sections/calls.ts";
import { measureInit } from "./sections/init.ts";
import { measureMemory } from "./sections/memory.ts";
import { measureRead } from "./sections/read.ts";
import { measureSecret } from "./sections/secret.ts";
import { measureShare } from "./sections/share.ts";
import { measureSize } from "./sections/size.ts";
import { measureStart } from "./sections/start.ts";

const sections: Record<SectionName, MeasureSection> = {
  size: measureSize,
  calls: measureCalls,
  start: measureStart,
  init: measureInit,
  secret: measureSecret,
  memory: measureMemory,
  read: measureRead,
  share: measureShare,
};

await runCommand("bench", async () => {
  const options = parseArguments(argv.slice(2));
  if (options === "help") console.log(HELP);
  else await run(options);
});

async function run({ sections: names, isQuick, agent: program, json, plot }: BenchmarkOptions): Promise<void> {
  const layers = findLayers();
  if (layers.length === 0) throw new CommandError(USAGE, "no layer that this machine can run is built: npm run build");
  const agent = program === undefined ? undefined : resolve(program);
  if (agent !== undefined && !existsSync(agent))
    throw new CommandError(USAGE, `--wcp: there is no ${JSON.stringify(agent)}`);
  if (json !== undefined) await write("--json", json, "");
  if (plot !== undefined) await write("--plot", plot, "");
  const machine = await describeMachine();
  console.log(`${machine}\n${LEGEND}`);
  const aws = await startAws();
  const reports = [];
  for (const name of names) {
    const { figures, notes = [] } = await sections[name]({ layers, aws, isQuick, agent });
    const results = figures.map(toSummary);
    reports.push({ title: name, results, notes });
    const lines = [
      name,
      ...(results.length > 0 ? [toSectionTable(results)] : []),
      ...notes.map((note) => `  - ${note}`),
    ];
    console.log(`\n${lines.join("\n")}`);
  }
  aws.close();
  if (json !== undefined) {
    await write("--json", json, `${JSON.stringify({ machine, isQuick, sections: reports }, null, 2)}\n`);
  }
  if (plot !== undefined) await write("--plot", plot, toPlot(reports, machine));
}

/** Called once before anything is measured, so that a file that cannot be written ends the run at once. */
async function write(option: string, file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(USAGE, `${option}: ${JSON.stringify(file)} cannot be written (${code})`);
  }
}

/** Does not include the name of the machine. */
async function describeMachine(): Promise<string> {
  const [processor] = cpus();
  const carried = (await readManifest("dist")).find(({ nodeVersion }) => nodeVersion !== null)?.nodeVersion;
  const nodes = `Node.js ${process.version.slice(1)}${carried ? ` (the layers carry ${carried})` : ""}`;
  // The text behind the numbers names the builder of the kernel.
  const [version] = /^[\d.]+/.exec(release()) ?? [release()];
  return `${cpus().length} × ${processor?.model.trim()}, ${systemType()} ${version}, ${nodes}`;
}
