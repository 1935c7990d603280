/** Runs scenarios on a virtual clock, each in a process of its own. */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import process, { argv, execArgv } from "node:process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { formatNumber } from "../support/text-table.ts";
import { createAws } from "./aws.ts";
import { createClock, withTimersOf } from "./clock.ts";
import { createConfig } from "./extension.ts";
import { startFleet } from "./fleet.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { count, createTally, type Tally } from "./tally.ts";

/** Plain values, which can be sent from one process to another. */
export interface SimulationResult {
  readonly name: string;
  readonly title: string;
  readonly tally: Tally;
  readonly findings: readonly string[];
}

export interface SimulationOptions {
  readonly environments: number;
  readonly seed: number;
}

const START_EPOCH_MS = Date.UTC(2026, 0, 1);

export async function simulate(scenario: Scenario, options: SimulationOptions): Promise<SimulationResult> {
  const environments = Math.max(1, Math.round(options.environments * scenario.share));
  const clock = createClock(START_EPOCH_MS);
  const tally = createTally(scenario.durationS);
  const seeds = createRandom(options.seed);
  const random = () => createRandom(Math.floor(seeds() * 2 ** 31));
  const aws = createAws({
    clock,
    random: random(),
    onCall(operation, isThrottled) {
      count(tally.calls[operation], clock.atS());
      if (isThrottled) tally.throttled[operation] += 1;
    },
  });
  const config = createConfig();
  const observer = scenario.observe(config);
  for (const { atS, to } of scenario.changes) clock.schedule(atS * 1_000, () => Object.assign(aws, to));
  startFleet({
    options: {
      environments,
      areNew: scenario.areNew,
      startWithinMs: scenario.startWithinS * 1_000,
      meanIntervalMs: scenario.meanIntervalS * 1_000,
    },
    config,
    aws,
    clock,
    random: random(),
    extensionRandom: random(),
    onStart() {
      tally.environments += 1;
    },
    onInvocation: () => count(tally.invocations, clock.atS()),
    onReading(reading) {
      count(tally.reads[reading.outcome], clock.atS());
      observer.add(reading, clock.atS());
    },
  });
  // Each failed or stale read creates a Failure. Its stack is not used, and costs time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    await withTimersOf(clock, () => clock.runUntil(scenario.durationS));
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return {
    name: scenario.name,
    title: scenario.toTitle(formatNumber(environments)),
    tally,
    findings: observer.toFindings(tally),
  };
}

/** Random numbers from 0 to 1, without 1: the same for the same seed. */
function createRandom(seed: number): () => number {
  const [numbers] = fc.sample(fc.noBias(fc.infiniteStream(fc.nat(), { noHistory: true })), { seed, numRuns: 1 });
  return () => numbers?.next().value / 2 ** 31;
}

export type TimedResult = SimulationResult & { readonly tookS: number };

const SELF = fileURLToPath(import.meta.url);

/** As many processes at the same time as there are processors. The results are in the order of the scenarios. */
export async function simulateAll(wanted: readonly Scenario[], options: SimulationOptions): Promise<TimedResult[]> {
  const results: TimedResult[] = [];
  const queue = [...wanted];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      results.push(await simulateInProcess([next.name, String(options.environments), String(options.seed)]));
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), wanted.length) }, work));
  const names = wanted.map(({ name }) => name);
  return results.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

function simulateInProcess(args: readonly string[]): Promise<TimedResult> {
  return new Promise((resolve, reject) => {
    // The simulation allocates much, and little of it lives long.
    const flags = [...execArgv, "--max-semi-space-size=64"];
    const child = fork(SELF, args, { execArgv: flags, serialization: "advanced" });
    child.once("message", resolve as (message: unknown) => void);
    child.once("error", reject);
    // The disconnect comes after the last message. If there was none, the child has printed why.
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
