/**
 * CloudWatch metrics in the embedded metric format: lines of the function's log, of which CloudWatch makes metrics.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import type { Config } from "./config.ts";
import type { Counters } from "./counters.ts";

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
