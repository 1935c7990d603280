/**
 * What a whole fleet asks of AWS, simulated: `npm run simulate -- --help`.
 *
 *   arguments ─► for each scenario: clock ─► fleet ─► the extension's own code ─► AWS as the fleet sees it ─► report
 */
import { argv } from "node:process";
import { runCommand } from "../support/command-line.ts";
import { formatNumber } from "../support/text-table.ts";
import { HELP, parseArguments } from "./arguments.ts";
import { LEGEND, toReport } from "./report.ts";
import { simulateAll } from "./run.ts";

await runCommand("simulate", async () => {
  const options = parseArguments(argv.slice(2));
  if (options === "help") return console.log(HELP);
  const results = await simulateAll(options.scenarios, options);
  for (const result of results) console.log(`${toReport(result)}\n`);
  console.log(LEGEND);
  // Not on stdout, which is the same for the same seed.
  console.error(`\ntook ${results.map(({ name, tookS }) => `${name} ${formatNumber(tookS)} s`).join(", ")}`);
});
