import { describe, expect, it } from "vitest";
import { createCounters } from "../../extension/metrics.ts";

describe("counters", () => {
  it("begin at zero, all of them", () => {
    expect(createCounters()).toEqual({
      requests: 0,
      hits: 0,
      misses: 0,
      stale: 0,
      failures: 0,
      slowestMs: 0,
      assumeRoleCalls: 0,
      getSecretValueCalls: 0,
      getParameterCalls: 0,
    });
  });

  it("are the execution environment's own", () => {
    const counters = createCounters();
    counters.requests += 1;
    expect(createCounters().requests).toBe(0);
  });
});
