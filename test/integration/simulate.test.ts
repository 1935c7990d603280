import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseArguments } from "../simulate/arguments.ts";
import { createClock, withTimersOf } from "../simulate/clock.ts";
import { createConfig } from "../simulate/extension.ts";
import type { Reading } from "../simulate/fleet.ts";
import { toPlot } from "../simulate/plot.ts";
import type { Refusal } from "../simulate/refusal.ts";
import { toReport } from "../simulate/report.ts";
import { simulate } from "../simulate/run.ts";
import { type Scenario, scenarios } from "../simulate/scenarios.ts";
import { outcomes, toGuideCalls, toTotal } from "../simulate/tally.ts";

type Seen = Reading & { readonly atS: number };

/** A small fleet through a scenario, and each of its invocations. */
async function run(
  name: string,
  environments: number,
  { seed = 1, ...changes }: Partial<Scenario> & { seed?: number } = {},
) {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(name);
  const readings: Seen[] = [];
  const watch: Scenario["watch"] = (config) => {
    const { see, toFindings } = scenario.watch(config);
    return {
      see(reading, atS) {
        readings.push({ ...reading, atS });
        see(reading, atS);
      },
      toFindings,
    };
  };
  const result = await simulate({ ...scenario, share: 1, ...changes, watch }, { environments, seed });
  const turns = scenario.turns.map(({ atS }) => atS);
  return { result, readings, turns };
}

const totalsOf = ({ result: { tally } }: Awaited<ReturnType<typeof run>>) => ({
  assumeRole: toTotal(tally.calls.AssumeRole),
  getSecretValue: toTotal(tally.calls.GetSecretValue),
});

describe("a simulation", () => {
  test("gives the same figures for the same seed, and others for another", async () => {
    const [once, again, other] = [
      await run("rotation", 50),
      await run("rotation", 50),
      await run("rotation", 50, { seed: 2 }),
    ];
    expect(again).toEqual(once);
    expect(toReport(again.result) + toPlot([again.result])).toBe(toReport(once.result) + toPlot([once.result]));
    expect(other.result.tally).not.toEqual(once.result.tally);
  });

  test("sees two calls of the guide's code in each invocation, and each invocation read once", async () => {
    const { result, readings } = await run("burst", 40);
    const invocations = toTotal(result.tally.invocations);
    expect(invocations).toBeGreaterThan(40 * 10);
    expect(readings).toHaveLength(invocations);
    expect(outcomes.map((outcome) => toTotal(result.tally.reads[outcome]))).toEqual([invocations, 0, 0]);
    const { AssumeRole, GetSecretValue } = toGuideCalls(result.tally);
    expect(toTotal(AssumeRole) + toTotal(GetSecretValue)).toBe(2 * invocations);
  });

  test("leaves the timers as they were", async () => {
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

  test("is throttled where a burst exceeds AWS's quota, and all get the secret in the end", async () => {
    const { result, readings } = await run("burst", 1_500, { startWithinS: 1, meanIntervalS: 5, durationS: 90 });
    expect(result.tally.throttled).toEqual({ AssumeRole: expect.any(Number), GetSecretValue: 0 });
    expect(result.tally.throttled.AssumeRole).toBeGreaterThan(300);
    const served = readings.filter(({ outcome }) => outcome === "served");
    expect(new Set(served.map(({ environment }) => environment.number)).size).toBe(1_500);
  });

  test("has the new version at the first invocation after a rotation, or at the second", async () => {
    const { readings, turns, result } = await run("rotation", 100);
    const [rotationS = 0] = turns;
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
    // One each, and not one for each invocation that there is.
    expect(toTotal(result.tally.calls.GetSecretValue, rotationS)).toBeLessThan(100 * 1.2);
  });

  test("asks no more than the back-off lets it in an outage, and fails no read that a stale value could answer", async () => {
    const environments = 8;
    const { result, readings, turns } = await run("outage", environments, { meanIntervalS: 2 });
    const [outageS = 0, overS = 0] = turns;
    const calls =
      toTotal(result.tally.calls.AssumeRole, outageS, overS) +
      toTotal(result.tally.calls.GetSecretValue, outageS, overS);
    // After a few short pauses, three tries every 7.5 s at the most; and a session that ends is asked for beside them.
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
    const { readings, turns } = await run("denial", 30);
    const [deniedS = 0, allowedS = 0] = turns;
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

describe("the clock", () => {
  test("stands still while promises settle, and runs what is due in order", async () => {
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
    clock.schedule(10, () => note("of the same time"));
    await clock.runUntil(1);
    expect(log).toEqual([
      ["of the same time", 10],
      ["after many promises", 10],
      ["after a pause", 15],
      ["last", 20],
    ]);
    expect(clock.now()).toBe(1_000);
  });

  test("has the timers of the code that runs by it", async () => {
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

describe("the plot", () => {
  test("is well-formed XML, with a panel for each service in each scenario", async () => {
    const { result } = await run("rotation", 5);
    const plot = toPlot([{ ...result, title: "<&>" }, result]);
    expect(findXmlFault(plot)).toBeUndefined();
    expect(plot.match(/<g /g)).toHaveLength(4);
    expect(plot).not.toMatch(/NaN|Infinity|undefined/);
  });

  test.each(["<a><b></a></b>", "<a>", "<a>1 & 2</a>", "<a b=c></a>", "<a>1 < 2</a>", "<a></a><b></b>"])(
    "%j would be found out",
    (xml) => expect(findXmlFault(xml)).toEqual(expect.any(String)),
  );
});

describe("the command", () => {
  test.each([
    [["--environments", "many"], '--environments must be a whole number from 1 to 200000; got "many"'],
    [["--environments", "0"], '--environments must be a whole number from 1 to 200000; got "0"'],
    [["--seed", "1.5"], '--seed must be a whole number from 0 to 4294967295; got "1.5"'],
    [["--scenario", "flood"], 'there is no scenario "flood"; expected burst, day, rotation, outage, denial'],
    [["--scenario", ","], 'there is no scenario ""; expected burst, day, rotation, outage, denial'],
    [["--plot="], "--plot names no file"],
    [["--sede", "1"], "unknown option '--sede'; --help says what there is"],
    [["burst"], "unexpected argument 'burst'; --help says what there is"],
  ])("refuses %j", (args, message) => {
    expect(() => parseArguments(args)).toThrow(expect.objectContaining<Partial<Refusal>>({ name: "Refusal", message }));
  });

  test("explains itself", () => expect(parseArguments(["--help", "--seed=1"])).toBe("help"));

  test("takes scenarios in any number and order", () => {
    const { scenarios: chosen } = parse(["--scenario", "denial,burst", "--scenario=burst"]);
    expect(chosen.map(({ name }) => name)).toEqual(["burst", "denial"]);
    expect(parse([])).toEqual({ environments: 20_000, seed: 1, plot: "simulation.svg", scenarios });
  });

  test("prints the figures and writes the plot", async () => {
    const folder = await mkdtemp(join(tmpdir(), "simulate-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const plot = join(folder, "plot.svg");
    const { exitCode, stdout } = await runScript(["--scenario=rotation,burst", "--environments=20", "--plot", plot]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Cold-start burst: 20 environments.*^Rotation: 20 environments/ms);
    expect(stdout).toContain("https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html");
    expect(findXmlFault(await readFile(plot, "utf8"))).toBeUndefined();
  });

  test.each([
    [["--scenario=flood"], "simulate: there is no scenario"],
    [["--plot=/nowhere/plot.svg"], 'simulate: --plot: "/nowhere/plot.svg" cannot be written (ENOENT)'],
  ])("ends with 2 for %j, before it simulates", async (args, message) => {
    const { exitCode, stdout, stderr } = await runScript(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});

function parse(args: readonly string[]) {
  const wishes = parseArguments(args);
  if (wishes === "help") throw new Error("not asked for");
  return wishes;
}

function runScript(args: readonly string[]) {
  const script = ["--import", "tsx", "test/simulate/simulate.ts", ...args];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  return new Promise<{ exitCode: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(execPath, script, { cwd }, (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode, stdout, stderr }),
    );
  });
}

/** Of XML as far as we write it: elements with quoted attributes, character references, one root. */
function findXmlFault(xml: string): string | undefined {
  const open: string[] = [];
  let roots = 0;
  for (const [, tag, words] of xml.matchAll(/<([^>]*)>|([^<]+)/g)) {
    if (words !== undefined) {
      if (/[>]|&(?!#\d+;)/.test(words)) return `stray sign in ${words}`;
      if (open.length === 0 && words.trim() !== "") return `text outside: ${words}`;
      continue;
    }
    const parts = /^(\/?)([a-z]+)((?:\s+[A-Za-z][\w-]*="[^"<]*")*)\s*(\/?)$/.exec(tag ?? "");
    if (parts === null) return `no tag: ${tag}`;
    const [, end, name = "", , empty] = parts;
    if (end !== "") {
      if (open.pop() !== name) return `${name} was not open`;
      continue;
    }
    if (open.length === 0) roots += 1;
    if (empty === "") open.push(name);
  }
  if (open.length > 0) return `${open.join()} is open`;
  return roots === 1 ? undefined : `${roots} roots`;
}
