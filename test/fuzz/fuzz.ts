/** `npm run fuzz`: see HELP. */
import { argv } from "node:process";
import { parseArgs } from "node:util";
import { build, toOpt } from "../../scripts/build/build.ts";
import { keep, readKept } from "./kept.ts";
import { type FuzzReport, fuzz } from "./run.ts";
import type { Mode } from "./world.ts";

const HELP = `Sends mutated requests to the built layer on a fake Lambda and a fake AWS, and checks what must always be so.

  npm run fuzz -- [--requests 1000000] [--seed 1] [--mode configured|any] [--only <conversation>]

  --requests  how many, over both modes
  --seed      another seed sends other requests; the same one sends the same
  --mode      only what is configured may be asked for, or anything; default: one after the other
  --only      one conversation of that seed and mode, by its number

Bytes that break a rule are printed, and kept in test/fixtures/fuzz, from where each later run sends them first.`;

function describe({
  mode,
  requests,
  conversations,
  statuses,
  ms,
  honest,
  warmKb,
  endKb,
  descriptors,
}: FuzzReport): string {
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
  const answered = [...statuses.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${mode}: ${requests} requests in ${conversations} conversations in ${Math.round(ms / 1_000)} s, ${Math.round((requests / ms) * 1_000)} a second`,
    `  ${answered} answers (${counts.join(", ")})`,
    `  ${honest.count} honest requests in between, all answered; the slowest took ${Math.round(honest.slowestMs)} ms`,
    `  memory never below ${warmKb} kB when warm, ${endKb} kB later; ${descriptors} descriptors in the end`,
  ].join("\n");
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: argv.slice(2),
    options: { requests: text, seed: text, mode: text, only: text, help: { type: "boolean" } },
  });
  const seed = toNumber("seed", values.seed ?? "1");
  const requests = toNumber("requests", values.requests ?? "1000000");
  const only = values.only === undefined ? undefined : toNumber("only", values.only);
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const modes = (["configured", "any"] as const).filter((mode) => values.mode === undefined || mode === values.mode);
  if (modes.length === 0) throw new Error("--mode must be configured or any");
  await build(["nodejs"], console.log);
  let failures = 0;
  for (const mode of modes) failures += await run(mode, Math.ceil(requests / modes.length), seed, only);
  return failures > 0 ? 1 : 0;
}

async function run(mode: Mode, requests: number, seed: number, only: number | undefined): Promise<number> {
  const kept = only === undefined ? readKept() : [];
  const report = await fuzz({ opt: toOpt("nodejs"), mode, seed, requests, only, kept, say: console.log });
  console.log(describe(report));
  for (const { why, conversation, pieces } of report.violations) {
    console.error(`\n${why}\n  seed ${seed}, mode ${mode}, conversation ${conversation}: ${JSON.stringify(pieces)}`);
    if (conversation === undefined || pieces === undefined) continue;
    keep(`${mode}-${seed}-${conversation}`, { why, pieces });
  }
  return report.violations.length;
}

function toNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} must be a whole number`);
  return Number(text);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  },
);
