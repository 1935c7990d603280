import { describe, expect, it } from "vitest";
import { type Counters, createCounters, createMetrics } from "../../extension/metrics.ts";
import { START_EPOCH_MS } from "../support/unit-clock.ts";

const MINUTE_MS = 60_000;

function setUp({ metrics = "emf" as "emf" | "none", counted = {} as Partial<Counters> } = {}) {
  const counters = { ...createCounters(), ...counted };
  const lines: string[] = [];
  const clock = { epochMs: START_EPOCH_MS };
  const { report, finish } = createMetrics({
    config: { metrics, functionName: "my-function" },
    counters,
    now: () => clock.epochMs,
    write: (line) => void lines.push(line),
  });
  const pass = (ms: number) => {
    clock.epochMs += ms;
  };
  const parse = () => lines.map((line): Record<string, unknown> => JSON.parse(line));
  /** The number of requests in each line. */
  const requests = () => parse().map(({ Requests }) => Requests);
  return { counters, lines, pass, parse, report, finish, requests };
}

/** Expects one line with one request after a minute, and none a millisecond earlier. */
function expectLineAfterMinute({ pass, report, requests }: ReturnType<typeof setUp>): void {
  pass(MINUTE_MS - 1);
  report();
  expect(requests()).toEqual([]);
  pass(1);
  report();
  expect(requests()).toEqual([1]);
}

describe("metrics", () => {
  it("are a line of the embedded metric format, with all counters", () => {
    const { counters, finish, lines, parse, pass } = setUp();
    Object.assign(counters, {
      requests: 7,
      hits: 4,
      misses: 2,
      stale: 1,
      failures: 3,
      assumeRoleCalls: 5,
      getSecretValueCalls: 6,
      getParameterCalls: 8,
      slowestMs: 2_500,
    });
    pass(1_000);
    finish();
    const toMetric = (Name: string) => ({ Name, Unit: "Count" });
    expect(parse()).toEqual([
      {
        _aws: {
          Timestamp: START_EPOCH_MS + 1_000,
          CloudWatchMetrics: [
            {
              Namespace: "CrossAccountSecrets",
              Dimensions: [["FunctionName"]],
              Metrics: [
                "Requests",
                "Hits",
                "Misses",
                "Stale",
                "Failures",
                "AssumeRoleCalls",
                "GetSecretValueCalls",
                "GetParameterCalls",
              ].map(toMetric),
            },
          ],
        },
        FunctionName: "my-function",
        Requests: 7,
        Hits: 4,
        Misses: 2,
        Stale: 1,
        Failures: 3,
        AssumeRoleCalls: 5,
        GetSecretValueCalls: 6,
        GetParameterCalls: 8,
      },
    ]);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
  });

  // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
  it("refer only to members of their line: each metric to a number, each dimension to a text", () => {
    const { counters, finish, parse } = setUp();
    counters.requests = 1;
    finish();
    for (const { _aws, ...members } of parse()) {
      const { CloudWatchMetrics } = _aws as {
        CloudWatchMetrics: { Metrics: { Name: string }[]; Dimensions: string[][] }[];
      };
      const names = CloudWatchMetrics.flatMap(({ Metrics }) => Metrics.map(({ Name }) => Name));
      const dimensions = CloudWatchMetrics.flatMap(({ Dimensions }) => Dimensions.flat());
      expect(names.map((name) => typeof members[name])).toEqual(names.map(() => "number"));
      expect(dimensions.map((name) => typeof members[name])).toEqual(dimensions.map(() => "string"));
      expect(Object.keys(members).sort()).toEqual([...names, ...dimensions].sort());
    }
  });

  it("have only what was counted since the line before, or since they were created", () => {
    const { counters, finish, requests } = setUp({ counted: { requests: 100 } });
    counters.requests += 5;
    finish();
    counters.requests += 2;
    finish();
    expect(requests()).toEqual([5, 2]);
  });

  it("are printed after a request, at most once a minute, and no request is lost between", () => {
    const { counters, pass, report, requests } = setUp();
    const ask = () => {
      counters.requests += 1;
      report();
    };
    for (let second = 0; second < 180; second += 1) {
      ask();
      pass(1_000);
    }
    // The first line has the requests at seconds 0 to 60.
    expect(requests()).toEqual([61, 60]);
  });

  it("are printed after a minute, and not a millisecond earlier", () => {
    const parts = setUp();
    parts.counters.requests += 1;
    expectLineAfterMinute(parts);
  });

  it("are printed once at SHUTDOWN, even before a minute is over", () => {
    const { counters, pass, finish, report, requests } = setUp();
    counters.requests += 1;
    pass(1);
    finish();
    finish();
    pass(MINUTE_MS - 1);
    report();
    expect(requests()).toEqual([1]);
  });

  it("are not printed if nothing was counted", () => {
    const { counters, pass, finish, report, lines } = setUp({ counted: { hits: 3 } });
    for (let minute = 0; minute < 3; minute += 1) {
      pass(MINUTE_MS);
      report();
    }
    finish();
    // The slowest request is not a count.
    counters.slowestMs = 2_500;
    finish();
    expect(lines).toEqual([]);
  });

  it("wait for another minute after one in which nothing was counted", () => {
    const parts = setUp();
    parts.pass(MINUTE_MS);
    parts.report();
    parts.counters.requests += 1;
    expectLineAfterMinute(parts);
  });

  it("are printed as usual after the clock has stepped back", () => {
    const { counters, pass, report, requests, parse } = setUp();
    counters.requests += 1;
    pass(-24 * 60 * MINUTE_MS);
    report();
    expect(requests()).toEqual([1]);
    expect(parse()).toMatchObject([{ _aws: { Timestamp: START_EPOCH_MS - 24 * 60 * MINUTE_MS } }]);
    counters.requests += 2;
    pass(MINUTE_MS);
    report();
    expect(requests()).toEqual([1, 2]);
  });

  it("are never printed with METRICS=none", () => {
    const { counters, pass, report, finish, lines } = setUp({ metrics: "none" });
    counters.requests += 1;
    pass(MINUTE_MS);
    report();
    finish();
    expect(lines).toEqual([]);
  });
});

describe("counters", () => {
  it("all start at zero", () => {
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

  it("are separate in each execution environment", () => {
    const counters = createCounters();
    counters.requests += 1;
    expect(createCounters().requests).toBe(0);
  });
});
