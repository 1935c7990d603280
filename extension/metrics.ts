/**
 * What is counted, and CloudWatch metrics of it in the embedded metric format: lines of the function's log that CloudWatch
 * turns into metrics.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import type { Config } from "./config/config.ts";

/** Counted over the life of an execution environment: for `/stats`, the metrics and the line printed at SHUTDOWN. */
export interface Counters {
  /** All local requests. */
  requests: number;
  /** Answered from memory, within the TTL. */
  hits: number;
  /** Fetches that a request or the prefetch waited for. */
  misses: number;
  /** Answered with a value past its TTL, because the fetch failed. */
  stale: number;
  /** Answered with an error. */
  failures: number;
  assumeRoleCalls: number;
  getSecretValueCalls: number;
  getParameterCalls: number;
  /** The longest time that a local request took, by the wall clock, so with any freeze. */
  slowestMs: number;
}

export function createCounters(): Counters {
  return {
    requests: 0,
    hits: 0,
    misses: 0,
    stale: 0,
    failures: 0,
    assumeRoleCalls: 0,
    getSecretValueCalls: 0,
    getParameterCalls: 0,
    slowestMs: 0,
  };
}

export interface Metrics {
  /** Prints what was counted since the last line, at most once a minute. No timer is used: a freeze would stop it. */
  report(): void;
  /** Prints what has not been printed yet. */
  finish(): void;
}

const NAMESPACE = "CrossAccountSecrets";
const EVERY_MS = 60_000;

/** The metrics' names, and what they count. All are counts, so CloudWatch can add up environments and minutes. */
const metricNames = {
  Requests: "requests",
  Hits: "hits",
  Misses: "misses",
  Stale: "stale",
  Failures: "failures",
  AssumeRoleCalls: "assumeRoleCalls",
  GetSecretValueCalls: "getSecretValueCalls",
  GetParameterCalls: "getParameterCalls",
} as const satisfies Record<string, keyof Counters>;

export function createMetrics(deps: {
  readonly config: Pick<Config, "metrics" | "functionName">;
  readonly counters: Counters;
  readonly now: () => number;
  readonly write: (text: string) => void;
}): Metrics {
  const { config, counters, now, write } = deps;
  if (config.metrics === "none") return { report() {}, finish() {} };
  let printed = { ...counters };
  let printedAtEpochMs = now();

  function finish(): void {
    const counts = Object.entries(metricNames).map(([name, key]) => [name, counters[key] - printed[key]] as const);
    printedAtEpochMs = now();
    printed = { ...counters };
    if (counts.every(([, count]) => count === 0)) return;
    const directive = {
      Namespace: NAMESPACE,
      Dimensions: [["FunctionName"]],
      Metrics: Object.keys(metricNames).map((name) => ({ Name: name, Unit: "Count" })),
    };
    const head = { _aws: { Timestamp: printedAtEpochMs, CloudWatchMetrics: [directive] } };
    write(`${JSON.stringify({ ...head, FunctionName: config.functionName, ...Object.fromEntries(counts) })}\n`);
  }

  return {
    report() {
      // A clock that stepped back says nothing about the time since the last line, so the line is printed.
      if (Math.abs(now() - printedAtEpochMs) >= EVERY_MS) finish();
    },
    finish,
  };
}
