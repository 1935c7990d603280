/**
 * The clock of a random life. It stands still while code runs. Timers follow a clock that is never set, and the wall clock
 * can be set both ways, as on a real machine.
 */
import { nextTick } from "node:process";
import type { Scheduled } from "../../simulate/clock.ts";

export interface LifeClock {
  /** The wall clock. */
  readonly now: () => number;
  readonly monotonicNow: () => number;
  readonly schedule: (inMs: number, run: () => void) => Scheduled;
  /** Time goes by, and each timer runs when it is due. */
  pass(ms: number): Promise<void>;
  /** Time goes by, and nothing runs. The timers that are due then run, late, when time passes again. */
  freeze(ms: number): void;
  /** Sets the wall clock. */
  step(ms: number): void;
}

export function createLifeClock(startEpochMs: number): LifeClock {
  let [monotonicMs, offsetMs, order] = [0, startEpochMs, 0];
  let timers: Scheduled[] = [];

  function findNext(untilMs: number): Scheduled | undefined {
    timers = timers.filter(({ run }) => run !== undefined);
    let next: Scheduled | undefined;
    for (const timer of timers) {
      if (timer.atEpochMs <= untilMs && (next === undefined || timer.atEpochMs < next.atEpochMs)) next = timer;
    }
    return next;
  }

  return {
    now: () => monotonicMs + offsetMs,
    monotonicNow: () => monotonicMs,
    schedule(inMs, run) {
      order += 1;
      const scheduled = { atEpochMs: monotonicMs + inMs, order, run };
      timers.push(scheduled);
      return scheduled;
    },
    async pass(ms) {
      const untilMs = monotonicMs + ms;
      for (let next = findNext(untilMs); next !== undefined; next = findNext(untilMs)) {
        monotonicMs = Math.max(monotonicMs, next.atEpochMs);
        const { run } = next;
        next.run = undefined;
        run?.();
        await settle();
      }
      monotonicMs = untilMs;
      await settle();
    },
    freeze(ms) {
      monotonicMs += ms;
    },
    step(ms) {
      offsetMs += ms;
    },
  };
}

/** Runs everything that is ready to run. A nextTick that a microtask schedules runs when no microtask is left. */
export const settle = (): Promise<void> => new Promise((resolve) => queueMicrotask(() => nextTick(resolve)));
