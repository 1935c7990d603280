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
