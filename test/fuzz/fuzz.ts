/** `npm run fuzz`: see HELP. */
import { argv } from "node:process";
import { build, toOpt } from "../../scripts/build/build.ts";
import { parseOptions } from "../../scripts/cli/options.ts";
import { CommandError, USAGE } from "../../scripts/cli/world.ts";
import { parseWholeNumber, runCommand } from "../support/command-line.ts";
import { keepCase, readKeptCases } from "./kept-cases.ts";
import type { AccessMode } from "./layer.ts";
import { type FuzzReport, fuzz } from "./run.ts";

const HELP = `Sends mutated requests to the built layer on a fake Lambda and a fake AWS, and checks the rules that every answer must keep.

  npm run fuzz -- [--requests 1000000] [--seed 1] [--mode configured|any] [--only <conversation>]

  --requests  the number of requests, over both modes
  --seed      a whole number; the same seed sends the same requests
  --mode      configured: only the configured ids may be read; any: every id may be read; default: one after the other
  --only      the number of the only conversation of that seed and mode to be sent
  --help      prints this text

A conversation that breaks a rule is made smaller as long as it breaks one, printed, and kept in test/fixtures/fuzz, from
where each later run sends it first. Ends with 1 if a rule is broken, and with 2 for wrong arguments.`;

const MODES = ["configured", "any"] as const satisfies readonly AccessMode[];

await runCommand("fuzz", async () => {
  const text = { type: "string" } as const;
  const { values } = parseOptions(argv.slice(2), {
    requests: text,
    seed: text,
    mode: text,
    only: text,
    help: { type: "boolean" },
  });
  if (values.help === true) return console.log(HELP);
  const seed = parseWholeNumber("--seed", values.seed ?? "1");
  const requests = parseWholeNumber("--requests", values.requests ?? "1000000");
  const only = values.only === undefined ? undefined : parseWholeNumber("--only", values.only);
  const modes = MODES.filter((mode) => values.mode === undefined || mode === values.mode);
  if (modes.length === 0) throw new CommandError(USAGE, `--mode must be ${MODES.join(" or ")}`);
  await build(["nodejs"], console.log);
  let violations = 0;
  for (const mode of modes) violations += await run(mode, Math.ceil(requests / modes.length), seed, only);
  process.exit(violations > 0 ? 1 : 0);
});

async function run(mode: AccessMode, requests: number, seed: number, only: number | undefined): Promise<number> {
  const kept = only === undefined ? readKeptCases() : [];
  const report = await fuzz({ opt: toOpt("nodejs"), mode, seed, requests, only, kept, say: console.log });
  console.log(describe(report));
  for (const { why, conversation, pieces, smallest } of report.violations) {
    console.error(`\n${why}`);
    if (pieces === undefined) continue;
    if (conversation === undefined) {
      console.error(`  mode ${mode}: ${JSON.stringify(pieces)}`);
      continue;
    }
    console.error(`  seed ${seed}, mode ${mode}, conversation ${conversation}: ${JSON.stringify(smallest ?? pieces)}`);
    keepCase(`${mode}-${seed}-${conversation}`, { why, pieces: smallest ?? pieces });
  }
  return report.violations.length;
}

function describe({ mode, requests, conversations, statuses, ms, ...report }: FuzzReport): string {
  const { ordinary, warmKb, endKb, descriptors } = report;
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
  const answered = [...statuses.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${mode}: ${requests} requests in ${conversations} conversations in ${Math.round(ms / 1_000)} s, ${Math.round((requests / ms) * 1_000)} a second`,
    `  ${answered} answers (${counts.join(", ")})`,
    `  ${ordinary.count} ordinary requests in between; the slowest took ${Math.round(ordinary.slowestMs)} ms`,
    `  memory: at least ${warmKb} kB when warm, and at least ${endKb} kB later; ${descriptors} descriptors at the end`,
  ].join("\n");
}
