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
