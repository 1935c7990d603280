/** What is counted of a run, second by second. */
import { type Operation, quotas } from "./aws.ts";

export type Outcome = "served" | "stale" | "failed";

export const operations = Object.keys(quotas) as readonly Operation[];
export const outcomes: readonly Outcome[] = ["served", "stale", "failed"];

/** One count for each second. */
export type Seconds = Uint32Array;

export interface Tally {
  readonly durationS: number;
  readonly calls: Readonly<Record<Operation, Seconds>>;
  readonly throttled: Record<Operation, number>;
  readonly invocations: Seconds;
  readonly reads: Readonly<Record<Outcome, Seconds>>;
  /** Execution environments that were started. */
  environments: number;
}

/** What the common guide's own code calls in the same invocations: both, in each. */
export const toGuideCalls = ({ invocations }: Tally): Tally["calls"] => ({
  AssumeRole: invocations,
  GetSecretValue: invocations,
});

export function createTally(durationS: number): Tally {
  // What is under way at the end may last some seconds more.
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

/** The least number that `part` of all are not above; 0 of none. */
export function toQuantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
}
