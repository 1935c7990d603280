/** What befalls the fleet, and what is to be known of it beyond the calls that it makes. */
import type { Config } from "../../extension/config/config.ts";
import type { Aws } from "./aws.ts";
import { createFirsts, toRate, toSpread, toText } from "./figures.ts";
import type { Reading } from "./fleet.ts";
import { type Tally, toPeak, toTotal } from "./tally.ts";

export interface Turn {
  readonly atS: number;
  readonly label: string;
  readonly becomes: Partial<Pick<Aws, "condition" | "versionId">>;
}

/** Sees every invocation of a run, and then has something to say. */
export interface Watch {
  readonly see: (reading: Reading, atS: number) => void;
  readonly toFindings: (tally: Tally) => readonly string[];
}

export interface Scenario {
  readonly name: string;
  /** What is told of it; `environments` are those at once. */
  readonly toTitle: (environments: string) => string;
  /** Of the environments that are asked for, how many there are at once. */
  readonly share: number;
  readonly areNew: boolean;
  readonly startWithinS: number;
  readonly meanIntervalS: number;
  readonly durationS: number;
  readonly turns: readonly Turn[];
  readonly watch: (config: Config) => Watch;
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
  turns: [],
  watch: () => {
    const hadAfterS = createFirsts();
    return {
      see({ environment, outcome }, atS) {
        if (outcome !== "failed") hadAfterS.add(environment.number, atS - environment.bornAtS);
      },
      toFindings: ({ calls }) => [
        `an environment's first good read comes ${toSpread(hadAfterS.all())} after its start`,
        `the refreshes of the burst, four minutes later, peak at ${toText(toPeak(calls.GetSecretValue, 2 * MINUTE_S))} GetSecretValue/s`,
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
  turns: [],
  watch: () => ({
    see: () => {},
    toFindings: ({ environments, calls, invocations }) => [
      `${toText(environments)} environments in all; for each, ${toText(toTotal(calls.AssumeRole) / environments)} AssumeRole and ` +
        `${toText(toTotal(calls.GetSecretValue) / environments)} GetSecretValue for ${toText(toTotal(invocations) / environments)} invocations`,
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
  turns: [{ atS: ROTATION_S, label: "rotation", becomes: { versionId: "version-2" } }],
  watch: () => {
    const hadAfterS = createFirsts();
    let refused = 0;
    return {
      see({ environment, outcome, versionId, wasRefused }, atS) {
        if (wasRefused) refused += 1;
        const isOld = environment.bornAtS < ROTATION_S;
        if (isOld && outcome === "served" && versionId === "version-2")
          hadAfterS.add(environment.number, atS - ROTATION_S);
      },
      toFindings: ({ calls }) => [
        `an environment has the new version ${toSpread(hadAfterS.all())} after the rotation, at its first invocation or the next`,
        `${toText(refused)} invocations were given the old version and reported it as invalid; peak after the rotation: ` +
          `${toText(toPeak(calls.GetSecretValue, ROTATION_S))} GetSecretValue/s`,
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
  turns: [
    { atS: OUTAGE_S, label: "outage", becomes: { condition: "out of order" } },
    { atS: OUTAGE_S + HOUR_S, label: "over", becomes: { condition: "well" } },
  ],
  watch: ({ ttlMs, maxStaleMs }) => {
    const overS = OUTAGE_S + HOUR_S;
    const wellAfterS = createFirsts();
    const askedAtS = new Map<number, number>();
    let [unborn, tooOld, tooEarly] = [0, 0, 0];
    return {
      see({ environment, outcome, ageMs }, atS) {
        const { number, bornAtS } = environment;
        const heldAtS = askedAtS.get(number);
        if (outcome !== "failed") askedAtS.set(number, atS - ageMs / 1_000);
        else if (heldAtS === undefined) unborn += 1;
        else if ((atS - heldAtS) * 1_000 >= ttlMs + maxStaleMs) tooOld += 1;
        else tooEarly += 1;
        if (atS >= overS && bornAtS < overS && outcome === "served") wellAfterS.add(number, atS - overS);
      },
      toFindings: ({ calls: { AssumeRole, GetSecretValue } }) => [
        `during the outage ${toRate(AssumeRole, OUTAGE_S, overS)} AssumeRole/s and ${toRate(GetSecretValue, OUTAGE_S, overS)} GetSecretValue/s`,
        `in the first minute after it ${toRate(AssumeRole, overS, overS + MINUTE_S)} AssumeRole/s and ${toRate(GetSecretValue, overS, overS + MINUTE_S)} GetSecretValue/s`,
        `failed reads: ${toText(unborn)} in environments born in the outage, ${toText(tooOld)} of values older than TTL and MAX_STALE, ${toText(tooEarly)} of younger ones`,
        `an environment has a fresh value ${toSpread(wellAfterS.all())} after the end`,
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
  turns: [
    { atS: DENIAL_S, label: "denied", becomes: { condition: "denying" } },
    { atS: ALLOWED_S, label: "allowed", becomes: { condition: "well" } },
  ],
  watch: () => {
    const wellAfterS = createFirsts();
    const denied = new Set<number>();
    let servedAfterDenial = 0;
    return {
      see({ environment, outcome }, atS) {
        const { number, bornAtS } = environment;
        const isDenying = atS >= DENIAL_S && atS < ALLOWED_S;
        if (isDenying && outcome === "failed") denied.add(number);
        if (isDenying && outcome !== "failed" && denied.has(number)) servedAfterDenial += 1;
        const isOld = bornAtS < ALLOWED_S;
        if (atS >= ALLOWED_S && isOld && outcome === "served") wellAfterS.add(number, atS - ALLOWED_S);
      },
      toFindings: ({ calls: { AssumeRole, GetSecretValue } }) => [
        `while denied ${toRate(AssumeRole, DENIAL_S, ALLOWED_S)} AssumeRole/s and ${toRate(GetSecretValue, DENIAL_S, ALLOWED_S)} GetSecretValue/s`,
        `reads served by environments that had been denied: ${toText(servedAfterDenial)}`,
        `an environment is well again ${toSpread(wellAfterS.all())} after the permission is back`,
      ],
    };
  },
};

export const scenarios: readonly Scenario[] = [burst, day, rotation, outage, denial];
