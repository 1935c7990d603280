/**
 * A fleet of execution environments. Each starts, fetches, is invoked now and then, reads the secret once in each
 * invocation, and ends after some two hours; the next invocation starts another in its place.
 *
 * The freeze between invocations is not simulated: background work goes on as if there were no freeze. That does not make
 * fewer calls than a real fleet makes.
 */
import type { Config } from "../../extension/config/config.ts";
import type { Extension } from "../../extension/extension.ts";
import { Failure } from "../../extension/failure/failure.ts";
import { SECRET_NAME, type SimulatedAws } from "./aws.ts";
import type { Clock } from "./clock.ts";
import { createSimulatedExtension } from "./extension.ts";
import type { ReadOutcome } from "./tally.ts";

export interface SimulatedEnvironment {
  readonly number: number;
  readonly bornAtS: number;
}

/** What one invocation read. */
export interface Reading {
  readonly environment: SimulatedEnvironment;
  readonly outcome: ReadOutcome;
  readonly versionId: string | undefined;
  /** The age of the value. */
  readonly ageMs: number;
  /** Whether the first version that it read was no longer accepted. */
  readonly wasRefused: boolean;
}

export interface FleetOptions {
  /** The number of environments at the same time. */
  readonly environments: number;
  readonly startWithinMs: number;
  /** Whether the first environments have just started. Those of an old fleet may end at any time. */
  readonly areNew: boolean;
  /** From the end of one invocation to the next. */
  readonly meanIntervalMs: number;
}

/** Environments of a busy function were seen to live this long: https://xebia.com/blog/til-that-aws-lambda-terminates-instances-preemptively/ */
const LIFE_MS = { least: 105 * 60_000, most: 145 * 60_000 };
/** The time from the start of the extension to the first line of the handler. */
const INIT_MS = { least: 200, most: 600 };

/** The time to the next event, if events are independent of each other. */
const toInterval = (mean: number, random: () => number): number => -mean * Math.log(1 - random());

export function startFleet(parts: {
  readonly options: FleetOptions;
  readonly config: Config;
  readonly aws: SimulatedAws;
  readonly clock: Clock;
  /** The random numbers of the fleet, and of the extensions. */
  readonly random: () => number;
  readonly extensionRandom: () => number;
  readonly onStart: () => void;
  readonly onInvocation: () => void;
  readonly onReading: (reading: Reading) => void;
}): void {
  const { options, config, aws, clock, random } = parts;
  const query = { secretId: SECRET_NAME };
  const between = ({ least, most }: { least: number; most: number }) => least + (most - least) * random();
  const deadline = () => clock.now() + config.timeoutMs;
  let started = 0;

  function start(endsAtEpochMs: number): void {
    started += 1;
    const environment = { number: started, bornAtS: clock.atS() };
    const extension = createSimulatedExtension({ ...parts, random: parts.extensionRandom });
    parts.onStart();
    // As in init. What fails is asked for again by the invocations.
    extension.prefetch().catch(() => {});
    clock.schedule(between(INIT_MS), () => void live(environment, extension, endsAtEpochMs));
  }

  async function live(environment: SimulatedEnvironment, extension: Extension, endsAtEpochMs: number): Promise<void> {
    parts.onInvocation();
    parts.onReading({ environment, ...(await read(extension)) });
    const intervalMs = toInterval(options.meanIntervalMs, random);
    const hasEnded = clock.now() + intervalMs >= endsAtEpochMs;
    const next = hasEnded
      ? () => start(clock.now() + between(LIFE_MS))
      : () => void live(environment, extension, endsAtEpochMs);
    clock.schedule(intervalMs, next);
  }

  /** Reports a version that is no longer accepted, and reads again. */
  async function read({ readers }: Extension): Promise<Omit<Reading, "environment">> {
    let wasRefused = false;
    try {
      const [{ secrets: cache }] = readers();
      let secret = await cache.get(query, { deadlineEpochMs: deadline() });
      if (secret.value.versionId !== aws.versionId) {
        wasRefused = true;
        await cache.invalidate(query, secret.value.versionId, deadline());
        secret = await cache.get(query, { deadlineEpochMs: deadline() });
      }
      const { ageMs, value } = secret;
      const isAccepted = value.versionId === aws.versionId;
      const served = ageMs < config.ttlMs ? "served" : "stale";
      return { outcome: isAccepted ? served : "failed", versionId: value.versionId, ageMs, wasRefused };
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      return { outcome: "failed", versionId: undefined, ageMs: 0, wasRefused };
    }
  }

  for (let index = 0; index < options.environments; index += 1) {
    const startMs = random() * options.startWithinMs;
    const lifeMs = between(LIFE_MS) * (options.areNew ? 1 : random());
    clock.schedule(startMs, () => start(clock.now() + lifeMs));
  }
}
