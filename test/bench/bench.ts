/**
 * How fast, how large, how cheap: `npm run bench -- --help`.
 *
 *   arguments ─► AWS of no latency ─► for each section: layers and limits, in turn ─► table, plot, file
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { cpus, release, type as systemType } from "node:os";
import { resolve } from "node:path";
import { argv } from "node:process";
import { readManifest } from "../../scripts/build/layers.ts";
import { Refusal } from "../simulate/refusal.ts";
import { HELP, parseArguments, type SectionName, type Wishes } from "./arguments.ts";
import { startAws } from "./aws.ts";
import { measureCalls } from "./calls.ts";
import { type Section, toResult } from "./figure.ts";
import { measureInit } from "./init.ts";
import { findLayers } from "./layers.ts";
import { measureMemory } from "./memory.ts";
import { toPlot } from "./plot.ts";
import { measureRead } from "./read.ts";
import { measureSecret } from "./secret.ts";
import { measureShare } from "./share.ts";
import { measureSize } from "./size.ts";
import { measureStart } from "./start.ts";
import { LEGEND, toTable } from "./table.ts";

const sections: Record<SectionName, Section> = {
  size: measureSize,
  calls: measureCalls,
  start: measureStart,
  init: measureInit,
  secret: measureSecret,
  memory: measureMemory,
  read: measureRead,
  share: measureShare,
};

try {
  const wishes = parseArguments(argv.slice(2));
  if (wishes === "help") console.log(HELP);
  else await run(wishes);
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = 2;
}

async function run({ sections: names, isQuick, agent: wanted, json, plot }: Wishes): Promise<void> {
  const layers = findLayers();
  if (layers.length === 0) throw new Refusal("no layer that this machine can run is built: npm run build");
  const agent = wanted === undefined ? undefined : resolve(wanted);
  if (agent !== undefined && !existsSync(agent)) throw new Refusal(`--wcp: there is no ${JSON.stringify(agent)}`);
  if (json !== undefined) await write("--json", json, "");
  if (plot !== undefined) await write("--plot", plot, "");
  const machine = await describeMachine();
  console.log(`${machine}\n${LEGEND}`);
  const aws = await startAws();
  const found = [];
  for (const name of names) {
    const { figures, notes = [] } = await sections[name]({ layers, aws, isQuick, agent });
    const results = figures.map(toResult);
    found.push({ title: name, results, notes });
    const lines = [name, ...(results.length > 0 ? [toTable(results)] : []), ...notes.map((note) => `  - ${note}`)];
    console.log(`\n${lines.join("\n")}`);
  }
  aws.close();
  if (json !== undefined) {
    await write("--json", json, `${JSON.stringify({ machine, isQuick, sections: found }, null, 2)}\n`);
  }
  if (plot !== undefined) await write("--plot", plot, toPlot(found, machine));
}

/** Tried once before anything is measured, so that nobody waits for what cannot be kept. */
async function write(option: string, file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Refusal(`${option}: ${JSON.stringify(file)} cannot be written (${code})`);
  }
}

/** Without its name. */
async function describeMachine(): Promise<string> {
  const [processor] = cpus();
  const carried = (await readManifest("dist")).find(({ nodeVersion }) => nodeVersion !== null)?.nodeVersion;
  const nodes = `Node.js ${process.version.slice(1)}${carried ? ` (the layers carry ${carried})` : ""}`;
  // What follows the numbers is the builder's own.
  const [version] = /^[\d.]+/.exec(release()) ?? [release()];
  return `${cpus().length} × ${processor?.model.trim()}, ${systemType()} ${version}, ${nodes}`;
}
