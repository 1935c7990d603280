/** The fake clock of unit tests. */
import { afterEach, beforeEach, vi } from "vitest";

export const START_EPOCH_MS = Date.UTC(2026, 0, 1);

/** Sets a fake clock to START_EPOCH_MS before each test of the file. */
export function useFakeClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START_EPOCH_MS });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Moves the clock forward or back without running a timer, as a freeze or a correction of the clock does. */
export const moveClock = (ms: number) => vi.setSystemTime(Date.now() + ms);

/** Runs what is ready to run, while the clock stands still. */
export const settle = () => vi.advanceTimersByTimeAsync(0);
