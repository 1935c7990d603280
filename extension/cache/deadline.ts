/** Limits of a wait, and what a freeze does to one. */
import type { Failure } from "../failure/failure.ts";

/** When an answer is due, as wall-clock time: a process that wakes up after a freeze finds its deadlines over. */
export type DeadlineEpochMs = number;

export interface Wait<T> {
  readonly deadlineEpochMs: DeadlineEpochMs;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** Starts the work. The signal fires at the deadline. Work that ignores it is left behind. */
  readonly start: (signal: AbortSignal) => Promise<T>;
  /** What the wait fails with at the deadline. */
  readonly late: () => Failure;
}

/** The highest value of TIMEOUT_MS. */
export const LONGEST_WAIT_MS = 60_000;

/** Waits for `start` until the deadline, even if the work ignores its signal, as the SDK does between two tries. */
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
      // After a clock has stepped back, the deadline seems hours away. No wait is longer than the longest setting.
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
/** A look that is later than this, or than half of the wait, means that the process was frozen, not busy. */
const FROZEN_MS = 1_500;

/** Runs `work`, which gets a function that tells whether the process has been frozen since `work` began. */
export async function watchForFreeze<T>(
  timeoutMs: number,
  now: () => number,
  work: (wasFrozen: () => boolean) => Promise<T>,
): Promise<T> {
  const frozenMs = LOOK_EVERY_MS + Math.min(FROZEN_MS, timeoutMs / 2);
  let lookedAtEpochMs = now();
  let isFrozen = false;
  const look = () => {
    isFrozen ||= now() - lookedAtEpochMs > frozenMs;
    lookedAtEpochMs = now();
    return isFrozen;
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  try {
    return await work(look);
  } finally {
    clearInterval(timer);
  }
}

/**
 * Makes the attempt. If it fails and the process was frozen meanwhile, makes it once more, with a deadline as long as the
 * first: the freeze, and not AWS, let time run out, a signature grow old or a connection die. A refusal is final.
 */
export async function overFreeze<T>(deps: {
  readonly deadlineEpochMs: DeadlineEpochMs;
  readonly now: () => number;
  readonly attempt: (deadlineEpochMs: DeadlineEpochMs) => Promise<T>;
  readonly isRefusal: (thrown: unknown) => boolean;
}): Promise<T> {
  const { deadlineEpochMs, now, attempt, isRefusal } = deps;
  const timeoutMs = deadlineEpochMs - now();
  return watchForFreeze(timeoutMs, now, async (wasFrozen) => {
    try {
      return await attempt(deadlineEpochMs);
    } catch (thrown) {
      if (isRefusal(thrown) || !wasFrozen()) throw thrown;
    }
    return attempt(now() + timeoutMs);
  });
}
