/** What happens to the fleet in each scenario, and what the report says about it besides the number of calls. */
import type { Config } from "../../extension/config/config.ts";
import { toQuantile } from "../support/statistics.ts";
import { formatNumber } from "../support/text-table.ts";
import type { SimulatedAws } from "./aws.ts";
import type { Reading } from "./fleet.ts";
import { type Seconds, type Tally, toPeak, toTotal } from "./tally.ts";

/** A change of AWS in the course of a scenario. */
export interface AwsChange {
  readonly atS: number;
  readonly to: Partial<Pick<SimulatedAws, "condition" | "versionId">>;
}

/** Receives every reading of a run, and summarizes them at the end. */
export interface Observer {
  readonly add: (reading: Reading, atS: number) => void;
  readonly toFindings: (tally: Tally) => readonly string[];
}

export interface Scenario {
  readonly name: string;
  /** `environments` is their number at the same time. */
  readonly toTitle: (environments: string) => string;
  /** The part of the environments that this scenario has at the same time. */
  readonly share: number;
  readonly areNew: boolean;
  readonly startWithinS: number;
  readonly meanIntervalS: number;
  readonly durationS: number;
  readonly changes: readonly AwsChange[];
  readonly observe: (config: Config) => Observer;
}

/** Keeps the first number of each environment. */
function createFirsts() {
  const firsts = new Map<number, number>();
  return {
    add(environment: number, value: number): void {
      if (!firsts.has(environment)) firsts.set(environment, value);
    },
    all: () => [...firsts.values()],
  };
}

function describeDelays(seconds: readonly number[]): string {
  const at = (part: number) => formatNumber(seconds.length === 0 ? 0 : toQuantile(seconds, part));
  return `${at(0.5)} s (median), ${at(0.99)} s (99 %), ${at(1)} s (last)`;
}

function describeRate(seconds: Seconds, fromS: number, toS: number): string {
  return `${formatNumber(toTotal(seconds, fromS, toS) / (toS - fromS))} (peak ${formatNumber(toPeak(seconds, fromS, toS))})`;
}

const MINUTE_S = 60;
const HOUR_S = 3_600;

/** Lambda starts up to 1,000 environments of each function in 10 s: https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html */
const burst: Scenario = {
  name: "burst",
  toTitle: (environments) =>
    `Cold-start burst: ${environments} environments start within 10 s, 1,000 of each function, and are invoked every 30 s`,
  share: 1,
  areNew: true,
  startWithinS: 10,
  meanIntervalS: 30,
  durationS: 6 * MINUTE_S,
  changes: [],
  observe: () => {
    const hadAfterS = createFirsts();
    return {
      add({ environment, outcome }, atS) {
        if (outcome !== "failed") hadAfterS.add(environment.number, atS - environment.bornAtS);
      },
      toFindings: ({ calls }) => [
        `an environment's first good read comes ${describeDelays(hadAfterS.all())} after its start`,
        `the refreshes of the burst, four minutes later, peak at ${formatNumber(toPeak(calls.GetSecretValue, 2 * MINUTE_S))} GetSecretValue/s`,
      ],
    };
  },
};

const day: Scenario = {
  name: "day",
  toTitle: (environments) => `Steady day: ${environments} environments at once, each invoked once a minute, for 24 h`,
  share: 0.025,
  areNew: false,
  startWithinS: 5 * MINUTE_S,
  meanIntervalS: MINUTE_S,
  durationS: 24 * HOUR_S,
  changes: [],
  observe: () => ({
    add: () => {},
    toFindings: ({ environments, calls, invocations }) => [
      `${formatNumber(environments)} environments in all; for each, ${formatNumber(toTotal(calls.AssumeRole) / environments)} AssumeRole and ` +
        `${formatNumber(toTotal(calls.GetSecretValue) / environments)} GetSecretValue for ${formatNumber(toTotal(invocations) / environments)} invocations`,
    ],
  }),
};

const ROTATION_S = 105;
const rotation: Scenario = {
  name: "rotation",
  toTitle: (environments) =>
    `Rotation: ${environments} environments, each invoked every 5 s; AWSCURRENT moves, and the old version is refused at once`,
  share: 1,
  areNew: false,
  startWithinS: 1.5 * MINUTE_S,
  meanIntervalS: 5,
  durationS: 3 * MINUTE_S,
  changes: [{ atS: ROTATION_S, to: { versionId: "version-2" } }],
  observe: () => {
    const hadAfterS = createFirsts();
    let refused = 0;
    return {
      add({ environment, outcome, versionId, wasRefused }, atS) {
        if (wasRefused) refused += 1;
        const isOld = environment.bornAtS < ROTATION_S;
        if (isOld && outcome === "served" && versionId === "version-2")
          hadAfterS.add(environment.number, atS - ROTATION_S);
      },
      toFindings: ({ calls }) => [
        `an environment has the new version ${describeDelays(hadAfterS.all())} after the rotation, at its first invocation or the next`,
        `${formatNumber(refused)} invocations were given the old version and reported it as invalid; peak after the rotation: ` +
          `${formatNumber(toPeak(calls.GetSecretValue, ROTATION_S))} GetSecretValue/s`,
      ],
    };
  },
};

const OUTAGE_S = 15 * MINUTE_S;
const outage: Scenario = {
  name: "outage",
  toTitle: (environments) =>
    `Outage: ${environments} environments, each invoked every 30 s; for an hour both services answer 5xx, refuse to connect, or hang`,
  share: 0.1,
  areNew: false,
  startWithinS: 10 * MINUTE_S,
  meanIntervalS: 30,
  durationS: OUTAGE_S + HOUR_S + 10 * MINUTE_S,
  changes: [
    { atS: OUTAGE_S, to: { condition: "outage" } },
    { atS: OUTAGE_S + HOUR_S, to: { condition: "well" } },
  ],
  observe: ({ ttlMs, maxStaleMs }) => {
    const overS = OUTAGE_S + HOUR_S;
    const readableAfterS = createFirsts();
    const askedAtS = new Map<number, number>();
    let [unborn, tooOld, tooEarly] = [0, 0, 0];
    return {
      add({ environment, outcome, ageMs }, atS) {
        const { number, bornAtS } = environment;
        const heldAtS = askedAtS.get(number);
        if (outcome !== "failed") askedAtS.set(number, atS - ageMs / 1_000);
        else if (heldAtS === undefined) unborn += 1;
        else if ((atS - heldAtS) * 1_000 >= ttlMs + maxStaleMs) tooOld += 1;
        else tooEarly += 1;
        if (atS >= overS && bornAtS < overS && outcome === "served") readableAfterS.add(number, atS - overS);
      },
      toFindings: ({ calls: { AssumeRole, GetSecretValue } }) => [
        `during the outage ${describeRate(AssumeRole, OUTAGE_S, overS)} AssumeRole/s and ${describeRate(GetSecretValue, OUTAGE_S, overS)} GetSecretValue/s`,
        `in the first minute after it ${describeRate(AssumeRole, overS, overS + MINUTE_S)} AssumeRole/s and ${describeRate(GetSecretValue, overS, overS + MINUTE_S)} GetSecretValue/s`,
        `failed reads: ${formatNumber(unborn)} in environments born in the outage, ${formatNumber(tooOld)} of values older than TTL and MAX_STALE, ${formatNumber(tooEarly)} of younger ones`,
        `an environment has a fresh value ${describeDelays(readableAfterS.all())} after the end`,
      ],
    };
  },
};

const DENIAL_S = 8 * MINUTE_S;
const ALLOWED_S = DENIAL_S + 10 * MINUTE_S;
const denial: Scenario = {
  name: "denial",
  toTitle: (environments) =>
    `Bad deployment: ${environments} environments, each invoked every 30 s; the role may not read the secret for 10 minutes`,
  share: 0.4,
  areNew: false,
  startWithinS: 5 * MINUTE_S,
  meanIntervalS: 30,
  durationS: ALLOWED_S + 5 * MINUTE_S,
  changes: [
    { atS: DENIAL_S, to: { condition: "denying" } },
    { atS: ALLOWED_S, to: { condition: "well" } },
  ],
  observe: () => {
    const readableAfterS = createFirsts();
    const denied = new Set<number>();
    let servedAfterDenial = 0;
    return {
      add({ environment, outcome }, atS) {
        const { number, bornAtS } = environment;
        const isDenying = atS >= DENIAL_S && atS < ALLOWED_S;
        if (isDenying && outcome === "failed") denied.add(number);
        if (isDenying && outcome !== "failed" && denied.has(number)) servedAfterDenial += 1;
        const isOld = bornAtS < ALLOWED_S;
        if (atS >= ALLOWED_S && isOld && outcome === "served") readableAfterS.add(number, atS - ALLOWED_S);
      },
      toFindings: ({ calls: { AssumeRole, GetSecretValue } }) => [
        `while denied ${describeRate(AssumeRole, DENIAL_S, ALLOWED_S)} AssumeRole/s and ${describeRate(GetSecretValue, DENIAL_S, ALLOWED_S)} GetSecretValue/s`,
        `reads served by environments that had been denied: ${formatNumber(servedAfterDenial)}`,
        `an environment can read again ${describeDelays(readableAfterS.all())} after the permission is back`,
      ],
    };
  },
};

export const scenarios: readonly Scenario[] = [burst, day, rotation, outage, denial];
