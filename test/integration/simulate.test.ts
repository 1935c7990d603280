import { execFile } from "node:child_process";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CommandError } from "../../scripts/cli/world.ts";
import { parseArguments } from "../simulate/arguments.ts";
import { createClock, withTimersOf } from "../simulate/clock.ts";
import { createConfig } from "../simulate/extension.ts";
import type { Reading } from "../simulate/fleet.ts";
import { toReport } from "../simulate/report.ts";
import { simulate } from "../simulate/run.ts";
import { type Scenario, scenarios } from "../simulate/scenarios.ts";
import { outcomes, toGuideCalls, toTotal } from "../simulate/tally.ts";

type TimedReading = Reading & { readonly atS: number };

/** Runs a small fleet through a scenario, and keeps each of its readings. */
async function run(
  name: string,
  environments: number,
  { seed = 1, ...overrides }: Partial<Scenario> & { seed?: number } = {},
) {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(name);
  const readings: TimedReading[] = [];
  const observe: Scenario["observe"] = (config) => {
    const { add, toFindings } = scenario.observe(config);
    return {
      add(reading, atS) {
        readings.push({ ...reading, atS });
        add(reading, atS);
      },
      toFindings,
    };
  };
  const result = await simulate({ ...scenario, share: 1, ...overrides, observe }, { environments, seed });
  const changesAtS = scenario.changes.map(({ atS }) => atS);
  return { result, readings, changesAtS };
}

const totalsOf = ({ result: { tally } }: Awaited<ReturnType<typeof run>>) => ({
  assumeRole: toTotal(tally.calls.AssumeRole),
  getSecretValue: toTotal(tally.calls.GetSecretValue),
});

describe("a simulation", () => {
  test("gives the same numbers for the same seed, and others for another seed", async () => {
    const [once, again, other] = [
      await run("rotation", 50),
      await run("rotation", 50),
      await run("rotation", 50, { seed: 2 }),
    ];
    expect(again).toEqual(once);
    expect(toReport(again.result)).toBe(toReport(once.result));
    expect(other.result.tally).not.toEqual(once.result.tally);
  });

  test("counts two calls of the guide's code and one reading in each invocation", async () => {
    const { result, readings } = await run("burst", 40);
    const invocations = toTotal(result.tally.invocations);
    expect(invocations).toBeGreaterThan(40 * 10);
    expect(readings).toHaveLength(invocations);
    expect(outcomes.map((outcome) => toTotal(result.tally.reads[outcome]))).toEqual([invocations, 0, 0]);
    const { AssumeRole, GetSecretValue } = toGuideCalls(result.tally);
    expect(toTotal(AssumeRole) + toTotal(GetSecretValue)).toBe(2 * invocations);
  });

  test("restores the global timers", async () => {
    const timers = [setTimeout, clearTimeout, setInterval, clearInterval];
    await run("burst", 1);
    expect([setTimeout, clearTimeout, setInterval, clearInterval]).toEqual(timers);
  });
});

describe("the fleet", () => {
  test("makes one AssumeRole and one GetSecretValue for each environment of a burst", async () => {
    const burst = await run("burst", 300, { durationS: 60 });
    expect(totalsOf(burst)).toEqual({ assumeRole: 300, getSecretValue: 300 });
  });

  test("is throttled if a burst exceeds AWS's quota, and every environment gets the secret in the end", async () => {
    const { result, readings } = await run("burst", 1_500, { startWithinS: 1, meanIntervalS: 5, durationS: 90 });
    expect(result.tally.throttled).toEqual({ AssumeRole: expect.any(Number), GetSecretValue: 0 });
    expect(result.tally.throttled.AssumeRole).toBeGreaterThan(300);
    const served = readings.filter(({ outcome }) => outcome === "served");
    expect(new Set(served.map(({ environment }) => environment.number)).size).toBe(1_500);
  });

  test("has the new version at the first invocation after a rotation, or at the second", async () => {
    const { readings, changesAtS, result } = await run("rotation", 100);
    const [rotationS = 0] = changesAtS;
    const after = readings.filter(({ atS, environment }) => atS > rotationS + 1 && environment.bornAtS < rotationS);
    const firsts = after.filter(
      ({ environment }, index) => after.findIndex((other) => other.environment === environment) === index,
    );
    const seconds = after.filter(
      (reading) => after.filter(({ environment }) => environment === reading.environment).indexOf(reading) === 1,
    );
    expect(firsts.length).toBeGreaterThan(80);
    expect(firsts.filter(({ outcome }) => outcome === "served").length).toBeGreaterThan(0.9 * firsts.length);
    expect(seconds.every(({ outcome, versionId }) => outcome === "served" && versionId === "version-2")).toBe(true);
    // One call for each environment, and not one for each invocation.
    expect(toTotal(result.tally.calls.GetSecretValue, rotationS)).toBeLessThan(100 * 1.2);
  });

  test("makes no more calls in an outage than the back-off allows, and fails no read that a stale value can answer", async () => {
    const environments = 8;
    const { result, readings, changesAtS } = await run("outage", environments, { meanIntervalS: 2 });
    const [outageS = 0, overS = 0] = changesAtS;
    const calls =
      toTotal(result.tally.calls.AssumeRole, outageS, overS) +
      toTotal(result.tally.calls.GetSecretValue, outageS, overS);
    // After a few short pauses, at most three tries every 7.5 s, and further ones for sessions that end.
    const startings = result.tally.environments * 6;
    const most = 3 * (startings + (environments * (overS - outageS)) / 7.5) * 1.1;
    expect(calls).toBeGreaterThan(most / 10);
    expect(calls).toBeLessThan(most);

    const { ttlMs, maxStaleMs } = createConfig();
    const askedAtS = new Map<number, number>();
    const early = readings.filter(({ environment: { number }, outcome, ageMs, atS }) => {
      if (outcome !== "failed") askedAtS.set(number, atS - ageMs / 1_000);
      const heldAtS = askedAtS.get(number) ?? Number.NEGATIVE_INFINITY;
      return outcome === "failed" && (atS - heldAtS) * 1_000 < ttlMs + maxStaleMs;
    });
    expect(early).toEqual([]);
    expect(toTotal(result.tally.reads.stale)).toBeGreaterThan(1_000);
    expect(readings.filter(({ atS, outcome }) => atS > overS + 60 && outcome !== "served")).toEqual([]);
  });

  test("serves nothing after a denial, until the permission is back", async () => {
    const { readings, changesAtS } = await run("denial", 30);
    const [deniedS = 0, allowedS = 0] = changesAtS;
    const { ttlMs } = createConfig();
    const denied = new Set<number>();
    const served = readings.filter(({ atS, outcome, environment: { number } }) => {
      if (atS < deniedS || atS >= allowedS) return false;
      if (outcome === "failed") denied.add(number);
      return outcome !== "failed" && (denied.has(number) || atS > deniedS + ttlMs / 1_000);
    });
    expect(denied.size).toBeGreaterThanOrEqual(30);
    expect(served).toEqual([]);
    const last = readings.filter(({ atS }) => atS > allowedS + 240);
    expect(last.length).toBeGreaterThan(0);
    expect(last.filter(({ outcome }) => outcome !== "served")).toEqual([]);
  });
});

describe("the virtual clock", () => {
  test("stands still while promises settle, and runs callbacks in order", async () => {
    const clock = createClock(0);
    const log: [string, number][] = [];
    const note = (what: string) => log.push([what, clock.now()]);
    clock.schedule(20, () => note("last"));
    clock.schedule(10, async () => {
      for (let turn = 0; turn < 50; turn += 1) await undefined;
      note("after many promises");
      await clock.pause(5);
      note("after a pause");
    });
    clock.schedule(10, () => note("at the same time"));
    await clock.runUntil(1);
    expect(log).toEqual([
      ["at the same time", 10],
      ["after many promises", 10],
      ["after a pause", 15],
      ["last", 20],
    ]);
    expect(clock.now()).toBe(1_000);
  });

  test("replaces the timers of the code that it runs", async () => {
    const clock = createClock(0);
    const fired: number[] = [];
    await withTimersOf(clock, async () => {
      clearTimeout(setTimeout(() => fired.push(-1), 10));
      setTimeout(() => fired.push(clock.atS()), 3_600_000);
      const interval = setInterval(() => fired.push(clock.atS()), 2_000_000);
      await clock.runUntil(7_200);
      clearInterval(interval);
      await clock.runUntil(9_000);
    });
    expect(fired).toEqual([2_000, 3_600, 4_000, 6_000]);
  });
});

describe("the command", () => {
  test.each([
    [["--environments", "many"], '--environments must be a whole number from 1 to 200000; got "many"'],
    [["--environments", "0"], '--environments must be a whole number from 1 to 200000; got "0"'],
    [["--seed", "1.5"], '--seed must be a whole number from 0 to 4294967295; got "1.5"'],
    [["--scenario", "flood"], 'there is no scenario "flood"; expected burst, day, rotation, outage, denial'],
    [["--scenario", ","], 'there is no scenario ""; expected burst, day, rotation, outage, denial'],
    [["--sede", "1"], "unknown option '--sede'; did you mean --seed?"],
    [["--plot=plot.svg"], "unknown option '--plot'; --help lists the options"],
    [["burst"], "unexpected argument 'burst'; --help lists the options"],
  ])("rejects the arguments %j", (args, message) => {
    expect(() => parseArguments(args)).toThrow(new CommandError(2, message));
  });

  test("prints the help text for --help, whatever else is asked", () =>
    expect(parseArguments(["--help", "--seed=1"])).toBe("help"));

  test("takes scenarios in any number and order", () => {
    const chosen = parseArguments(["--scenario", "denial,burst", "--scenario=burst"]);
    expect(chosen).toMatchObject({ scenarios: [{ name: "burst" }, { name: "denial" }] });
    expect(parseArguments([])).toEqual({ environments: 20_000, seed: 1, scenarios });
  });

  test("prints the numbers and AWS's quotas", async () => {
    const { exitCode, stdout } = await runScript(["--scenario=rotation,burst", "--environments=20"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Cold-start burst: 20 environments.*^Rotation: 20 environments/ms);
    expect(stdout).toContain("https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html");
  });

  test("ends with 2 for wrong arguments, before it simulates", async () => {
    const { exitCode, stdout, stderr } = await runScript(["--scenario=flood"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("simulate: there is no scenario");
  });
});

function runScript(args: readonly string[]) {
  const script = ["--import", "tsx", "test/simulate/simulate.ts", ...args];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  return new Promise<{ exitCode: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(execPath, script, { cwd }, (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode, stdout, stderr }),
    );
  });
}
