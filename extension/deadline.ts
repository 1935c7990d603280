import type { Failure } from "./errors.ts";

/** When an answer is due, as wall-clock time: a frozen process wakes up with its deadlines over, not with its timers reset. */
export type DeadlineEpochMs = number;

export interface Wait<T> {
  readonly deadlineEpochMs: DeadlineEpochMs;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** Begins the work. The signal fires at the deadline; work that does not listen to it is left behind. */
  readonly start: (signal: AbortSignal) => Promise<T>;
  /** What the wait fails with when the deadline comes first. */
  readonly late: () => Failure;
}

/** The most that TIMEOUT_MS may be. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Waits for `start`, and never past the deadline, whether the work heeds its signal or not: the SDK, for one, does not
 * look at it between two of its tries.
 */
export async function within<T>({ deadlineEpochMs, now, start, late }: Wait<T>): Promise<T> {
  // A process that was frozen wakes up too late to begin.
  if (now() >= deadlineEpochMs) throw late();
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const lateness = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        reject(late());
        abort.abort();
      },
      // Were the clock to step back, a deadline would seem hours away; no wait of ours is longer than the longest setting.
      Math.min(LONGEST_WAIT_MS, deadlineEpochMs - now()),
    );
  });
  try {
    return await Promise.race([start(abort.signal), lateness]);
  } finally {
    clearTimeout(timer);
  }
}

/** How often a wait looks at the clock, and how late such a look comes only to a process that was frozen. */
const LOOK_EVERY_MS = 100;
const FROZEN_MS = 400;

/**
 * Makes the attempt and, where it fails and the process was frozen meanwhile, once more under a deadline as long as the
 * first: time ran out, a signature grew old or a connection died of the freeze, and not of AWS. A refusal is what it is.
 */
export async function overFreeze<T>(parts: {
  readonly deadlineEpochMs: DeadlineEpochMs;
  readonly now: () => number;
  readonly attempt: (deadlineEpochMs: DeadlineEpochMs) => Promise<T>;
  readonly isRefusal: (thrown: unknown) => boolean;
}): Promise<T> {
  const { deadlineEpochMs, now, attempt, isRefusal } = parts;
  const timeoutMs = deadlineEpochMs - now();
  let lookedAtEpochMs = now();
  let wasFrozen = false;
  // It only observes: were it not to run, as in a freeze, that is what it is there to find out.
  const look = () => {
    wasFrozen ||= now() - lookedAtEpochMs > LOOK_EVERY_MS + FROZEN_MS;
    lookedAtEpochMs = now();
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  try {
    return await attempt(deadlineEpochMs);
  } catch (thrown) {
    look();
    if (!wasFrozen || isRefusal(thrown)) throw thrown;
  } finally {
    clearInterval(timer);
  }
  return attempt(now() + timeoutMs);
}
