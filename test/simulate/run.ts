/** Runs one scenario, from its first second to its last. */
import { createAws } from "./aws.ts";
import { createClock, withTimersOf } from "./clock.ts";
import { createConfig } from "./extension.ts";
import { toText } from "./figures.ts";
import { startFleet } from "./fleet.ts";
import { createRandom } from "./random.ts";
import type { Scenario } from "./scenarios.ts";
import { count, createTally, type Tally } from "./tally.ts";

/** Can be sent from one thread to another. */
export interface Result {
  readonly name: string;
  readonly title: string;
  readonly turns: readonly { readonly atS: number; readonly label: string }[];
  readonly tally: Tally;
  readonly findings: readonly string[];
}

const START_EPOCH_MS = Date.UTC(2026, 0, 1);

export async function simulate(scenario: Scenario, wishes: { environments: number; seed: number }): Promise<Result> {
  const environments = Math.max(1, Math.round(wishes.environments * scenario.share));
  const clock = createClock(START_EPOCH_MS);
  const tally = createTally(scenario.durationS);
  const seeds = createRandom(wishes.seed);
  const random = () => createRandom(seeds() * 2 ** 32);
  const aws = createAws({
    clock,
    random: random(),
    onCall(operation, isThrottled) {
      count(tally.calls[operation], clock.atS());
      if (isThrottled) tally.throttled[operation] += 1;
    },
  });
  const config = createConfig();
  const watch = scenario.watch(config);
  for (const { atS, becomes } of scenario.turns) clock.schedule(atS * 1_000, () => Object.assign(aws, becomes));
  startFleet({
    habits: {
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
      watch.see(reading, clock.atS());
    },
  });
  // A Failure is made for each failed or stale read, and nobody reads its stack.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    await withTimersOf(clock, () => clock.runUntil(scenario.durationS));
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return {
    name: scenario.name,
    title: scenario.toTitle(toText(environments)),
    turns: scenario.turns.map(({ atS, label }) => ({ atS, label })),
    tally,
    findings: watch.toFindings(tally),
  };
}
