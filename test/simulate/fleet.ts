/**
 * A fleet of execution environments. Each starts, fetches, is invoked now and then, reads the secret once in each
 * invocation, and ends after some two hours; the next invocation starts another in its place.
 *
 * Not simulated is the freeze between invocations: what goes on behind a reply goes on here as if there were none, which
 * makes no fewer calls than there would be.
 */
import type { Config } from "../../extension/config/config.ts";
import { Failure } from "../../extension/failure/failure.ts";
import { type Aws, SECRET_NAME } from "./aws.ts";
import type { Clock } from "./clock.ts";
import type { Extension } from "../../extension/extension.ts";
import { createSimulatedExtension } from "./extension.ts";
import { toInterval } from "./random.ts";
import type { Outcome } from "./tally.ts";

export interface Environment {
  readonly number: number;
  readonly bornAtS: number;
}

/** What one invocation got. */
export interface Reading {
  readonly environment: Environment;
  readonly outcome: Outcome;
  readonly versionId: string | undefined;
  /** How old the value was. */
  readonly ageMs: number;
  /** The first version that it was given was no longer accepted by what the secret opens. */
  readonly wasRefused: boolean;
}

export interface Habits {
  /** At once. */
  readonly environments: number;
  readonly startWithinMs: number;
  /** Whether the first environments are to live their whole lives, or to end at any time, as those of an old fleet do. */
  readonly areNew: boolean;
  /** From the end of one invocation to the next. */
  readonly meanIntervalMs: number;
}

/** Environments of a busy function were seen to live so long: https://xebia.com/blog/til-that-aws-lambda-terminates-instances-preemptively/ */
const LIFE_MS = { least: 105 * 60_000, most: 145 * 60_000 };
/** From the start of the extension to the handler's first line. */
const INIT_MS = { least: 200, most: 600 };

export function startFleet(parts: {
  readonly habits: Habits;
  readonly config: Config;
  readonly aws: Aws;
  readonly clock: Clock;
  /** The fleet's own, and the extensions'. */
  readonly random: () => number;
  readonly extensionRandom: () => number;
  readonly onStart: () => void;
  readonly onInvocation: () => void;
  readonly onReading: (reading: Reading) => void;
}): void {
  const { habits, config, aws, clock, random } = parts;
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

  async function live(environment: Environment, extension: Extension, endsAtEpochMs: number): Promise<void> {
    parts.onInvocation();
    parts.onReading({ environment, ...(await read(extension)) });
    const intervalMs = toInterval(habits.meanIntervalMs, random);
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

  for (let index = 0; index < habits.environments; index += 1) {
    const startMs = random() * habits.startWithinMs;
    const lifeMs = between(LIFE_MS) * (habits.areNew ? 1 : random());
    clock.schedule(startMs, () => start(clock.now() + lifeMs));
  }
}
