import type { Failure } from "../failure/failure.ts";

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
export const LONGEST_WAIT_MS = 60_000;

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

/** How often a wait looks at the clock. */
const LOOK_EVERY_MS = 100;
/** A look that is later than this, or than half of the whole wait, comes late to a process that was frozen, not a busy one. */
const FROZEN_MS = 1_500;

export interface FreezeWatch {
  /** Whether the process was frozen since the watch began. */
  wasFrozen(): boolean;
  /** Has to be called. */
  end(): void;
}

/** Watches a wait that is to last `timeoutMs` at the most. Its timer only observes: were it not to run, that is what it finds out. */
export function watchForFreeze(timeoutMs: number, now: () => number): FreezeWatch {
  const frozenMs = LOOK_EVERY_MS + Math.min(FROZEN_MS, timeoutMs / 2);
  let lookedAtEpochMs = now();
  let isFrozen = false;
  const look = () => {
    isFrozen ||= now() - lookedAtEpochMs > frozenMs;
    lookedAtEpochMs = now();
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    wasFrozen() {
      look();
      return isFrozen;
    },
    end: () => clearInterval(timer),
  };
}

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
  const watch = watchForFreeze(timeoutMs, now);
  try {
    return await attempt(deadlineEpochMs);
  } catch (thrown) {
    if (isRefusal(thrown) || !watch.wasFrozen()) throw thrown;
  } finally {
    watch.end();
  }
  return attempt(now() + timeoutMs);
}
