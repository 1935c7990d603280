/** The counts of a run, second by second. */
import { type Operation, quotas } from "./aws.ts";

export type ReadOutcome = "served" | "stale" | "failed";

export const operations = Object.keys(quotas) as readonly Operation[];
export const outcomes: readonly ReadOutcome[] = ["served", "stale", "failed"];

/** One count for each second. */
export type Seconds = Uint32Array;

export interface Tally {
  readonly durationS: number;
  readonly calls: Readonly<Record<Operation, Seconds>>;
  readonly throttled: Record<Operation, number>;
  readonly invocations: Seconds;
  readonly reads: Readonly<Record<ReadOutcome, Seconds>>;
  /** Execution environments that were started. */
  environments: number;
}

/** The calls of the guide's code in the same invocations: it makes both calls in each invocation. */
export const toGuideCalls = ({ invocations }: Tally): Tally["calls"] => ({
  AssumeRole: invocations,
  GetSecretValue: invocations,
});

export function createTally(durationS: number): Tally {
  // What has begun before the end may last some seconds more.
  const seconds = () => new Uint32Array(durationS + 1);
  return {
    durationS,
    calls: { AssumeRole: seconds(), GetSecretValue: seconds() },
    throttled: { AssumeRole: 0, GetSecretValue: 0 },
    invocations: seconds(),
    reads: { served: seconds(), stale: seconds(), failed: seconds() },
    environments: 0,
  };
}

export function count(seconds: Seconds, atS: number): void {
  seconds[Math.floor(atS)] = (seconds[Math.floor(atS)] ?? 0) + 1;
}

export function toTotal(seconds: Seconds, fromS = 0, toS = seconds.length): number {
  let total = 0;
  for (let second = fromS; second < Math.min(toS, seconds.length); second += 1) total += seconds[second] ?? 0;
  return total;
}

export function toPeak(seconds: Seconds, fromS = 0, toS = seconds.length): number {
  let peak = 0;
  for (let second = fromS; second < Math.min(toS, seconds.length); second += 1) {
    peak = Math.max(peak, seconds[second] ?? 0);
  }
  return peak;
}
