/** Runs scenarios side by side, each in a process of its own: none knows of another, and what comes out stays the same. */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import process, { argv, execArgv } from "node:process";
import { fileURLToPath } from "node:url";
import { type Result, simulate } from "./run.ts";
import { type Scenario, scenarios } from "./scenarios.ts";

export type TimedResult = Result & { readonly tookS: number };

const SELF = fileURLToPath(import.meta.url);

export async function simulateAll(
  wanted: readonly Scenario[],
  wishes: { readonly environments: number; readonly seed: number },
): Promise<TimedResult[]> {
  const results: TimedResult[] = [];
  const queue = [...wanted];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      results.push(await simulateApart([next.name, String(wishes.environments), String(wishes.seed)]));
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), wanted.length) }, work));
  const names = wanted.map(({ name }) => name);
  return results.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

function simulateApart(args: readonly string[]): Promise<TimedResult> {
  return new Promise((resolve, reject) => {
    // Much is allocated, and little of it lives long.
    const flags = [...execArgv, "--max-semi-space-size=64"];
    const child = fork(SELF, args, { execArgv: flags, serialization: "advanced" });
    child.once("message", resolve as (message: unknown) => void);
    child.once("error", reject);
    // Comes after the last message; why it ended early, it has said itself.
    child.once("disconnect", () => reject(new Error(`the simulation of ${args[0]} gave no result`)));
  });
}

if (argv[1] === SELF) {
  const [name, environments, seed] = argv.slice(2);
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  process.once("disconnect", () => process.exit());
  const startedAtMs = performance.now();
  const result = await simulate(scenario, { environments: Number(environments), seed: Number(seed) });
  const timed: TimedResult = { ...result, tookS: (performance.now() - startedAtMs) / 1_000 };
  process.send?.(timed, () => process.disconnect());
}
