import type { Config } from "./config/config.ts";

/**
 * CloudWatch metrics in the embedded metric format: lines of the function's log, of which CloudWatch makes metrics.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */

export interface Metrics {
  /** Prints what was counted since the last line, if that is a minute ago: there is no timer that a freeze would stop. */
  report(): void;
  /** Prints what has not been printed yet. */
  finish(): void;
}

const NAMESPACE = "CrossAccountSecrets";
const EVERY_MS = 60_000;

/** Names of metrics, and what they count. All are counts, so that CloudWatch can add up environments and minutes. */
const metrics = {
  Requests: "requests",
  Hits: "hits",
  Misses: "misses",
  Stale: "stale",
  Failures: "failures",
  AssumeRoleCalls: "assumeRoleCalls",
  GetSecretValueCalls: "getSecretValueCalls",
  GetParameterCalls: "getParameterCalls",
} as const satisfies Record<string, keyof Counters>;

export function createMetrics(parts: {
  readonly config: Pick<Config, "metrics" | "functionName">;
  readonly counters: Counters;
  readonly now: () => number;
  readonly write: (line: string) => void;
}): Metrics {
  const { config, counters, now, write } = parts;
  if (config.metrics === "none") return { report() {}, finish() {} };
  let printed = { ...counters };
  let printedAtEpochMs = now();

  function finish(): void {
    const counts = Object.entries(metrics).map(([name, key]) => [name, counters[key] - printed[key]] as const);
    printedAtEpochMs = now();
    printed = { ...counters };
    if (counts.every(([, count]) => count === 0)) return;
    const directive = {
      Namespace: NAMESPACE,
      Dimensions: [["FunctionName"]],
      Metrics: Object.keys(metrics).map((name) => ({ Name: name, Unit: "Count" })),
    };
    const head = { _aws: { Timestamp: printedAtEpochMs, CloudWatchMetrics: [directive] } };
    write(`${JSON.stringify({ ...head, FunctionName: config.functionName, ...Object.fromEntries(counts) })}\n`);
  }

  return {
    report() {
      // Also when the clock has stepped back, since nobody knows then how long it is.
      if (Math.abs(now() - printedAtEpochMs) >= EVERY_MS) finish();
    },
    finish,
  };
}

/** What is counted over the life of an execution environment: for `/stats`, the metrics and the line printed at SHUTDOWN. */
export interface Counters {
  /** Local requests, whatever became of them. */
  requests: number;
  /** Answered from memory, within the TTL. */
  hits: number;
  /** Fetches that somebody waited for, the init among them. */
  misses: number;
  /** Answered with a value past its TTL, because the fetch failed. */
  stale: number;
  /** Answered with an error. */
  failures: number;
  assumeRoleCalls: number;
  getSecretValueCalls: number;
  getParameterCalls: number;
  /** The longest that a local request took, by the wall clock, and so with any freeze. */
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
