/**
 * What a whole fleet asks of AWS, simulated: `npm run simulate -- --help`.
 *
 *   arguments ─► for each scenario: clock ─► fleet ─► the extension's own code ─► AWS, as a fleet sees it ─► tables, plot
 */
import { writeFile } from "node:fs/promises";
import { argv } from "node:process";
import { HELP, parseArguments } from "./arguments.ts";
import { toText } from "./figures.ts";
import { toPlot } from "./plot.ts";
import { Refusal } from "./refusal.ts";
import { LEGEND, toReport } from "./report.ts";
import { simulateAll } from "./side-by-side.ts";

try {
  const wishes = parseArguments(argv.slice(2));
  if (wishes === "help") console.log(HELP);
  else {
    await writePlot(wishes.plot, "");
    const results = await simulateAll(wishes.scenarios, wishes);
    for (const result of results) console.log(`${toReport(result)}\n`);
    console.log(LEGEND);
    await writePlot(wishes.plot, toPlot(results));
    // Not among the figures, which are the same for the same seed.
    const times = results.map(({ name, tookS }) => `${name} ${toText(tookS)} s`);
    console.error(`\n${wishes.plot} is written; took ${times.join(", ")}`);
  }
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(`simulate: ${error.message}`);
  process.exitCode = 2;
}

/** Tried once before anything else, so that nobody waits for what cannot be kept. */
async function writePlot(file: string, plot: string): Promise<void> {
  try {
    await writeFile(file, plot);
  } catch (error) {
    throw new Refusal(`--plot: ${JSON.stringify(file)} cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}
