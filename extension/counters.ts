/** What is counted over the life of an execution environment, for the line printed at SHUTDOWN. */
export interface Counters {
  requests: number;
  hits: number;
  misses: number;
  stale: number;
  assumeRoleCalls: number;
  getSecretValueCalls: number;
}

export function createCounters(): Counters {
  return { requests: 0, hits: 0, misses: 0, stale: 0, assumeRoleCalls: 0, getSecretValueCalls: 0 };
}
