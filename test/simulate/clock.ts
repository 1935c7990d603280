import { nextTick } from "node:process";

/**
 * A virtual clock: it stands still while code runs, and jumps to the next callback that is due. Callbacks of the same
 * millisecond run in the order in which they were scheduled, so that two runs are the same.
 */
export interface Clock {
  /** Milliseconds since 1970, as Date.now gives them. */
  readonly now: () => number;
  /** Seconds since the start. */
  readonly atS: () => number;
  readonly schedule: (inMs: number, run: () => void) => Scheduled;
  readonly pause: (ms: number) => Promise<void>;
  /** Runs all callbacks that are due until then. Before each jump of the clock, no promise has anything left to do. */
  readonly runUntil: (atS: number) => Promise<void>;
}

export interface Scheduled {
  readonly atEpochMs: number;
  readonly order: number;
  /** Undefined once it is cancelled. */
  run: (() => void) | undefined;
}

export function createClock(startEpochMs: number): Clock {
  let nowEpochMs = startEpochMs;
  let order = 0;
  const queue = createQueue();

  function schedule(inMs: number, run: () => void): Scheduled {
    order += 1;
    const scheduled = { atEpochMs: nowEpochMs + Math.max(0, Math.round(inMs)), order, run };
    queue.push(scheduled);
    return scheduled;
  }

  /** Runs all callbacks of the next point in time. */
  function jump(untilEpochMs: number): boolean {
    const first = queue.first();
    if (first === undefined || first.atEpochMs > untilEpochMs) return false;
    nowEpochMs = first.atEpochMs;
    while (queue.first()?.atEpochMs === nowEpochMs) queue.shift()?.run?.();
    return true;
  }

  return {
    now: () => nowEpochMs,
    atS: () => (nowEpochMs - startEpochMs) / 1_000,
    schedule,
    pause: (ms) => new Promise((resolve) => void schedule(ms, resolve)),
    runUntil: (atS) =>
      new Promise((resolve, reject) => {
        const untilEpochMs = startEpochMs + atS * 1_000;
        let jumps = 0;
        const step = () => {
          try {
            if (!jump(untilEpochMs)) {
              nowEpochMs = Math.max(nowEpochMs, untilEpochMs);
              return resolve();
            }
          } catch (error) {
            return reject(error);
          }
          jumps += 1;
          // A nextTick that a microtask schedules runs when no microtask is left, so that no promise can go on. A turn of
          // the event loop would do the same, but takes longer. One in a thousand jumps makes one, for other callbacks.
          if (jumps % 1_000 === 0) setImmediate(step);
          else queueMicrotask(() => nextTick(step));
        };
        setImmediate(step);
      }),
  };
}

/**
 * While `work` runs, the global timers are those of the clock: aws/call.ts and cache/deadline.ts use the global timers for
 * pauses, deadlines and the detection of a freeze. A real timer would fire when this machine is slow, and not when AWS is.
 */
export async function withTimersOf<T>(clock: Pick<Clock, "schedule">, work: () => Promise<T>): Promise<T> {
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  const once = (run: () => void, ms = 0): Timer => ({ scheduled: clock.schedule(Math.max(1, ms), run) });
  const again = (run: () => void, ms = 0): Timer => {
    const turn = () => {
      timer.scheduled = clock.schedule(Math.max(1, ms), turn);
      run();
    };
    const timer = once(turn, ms);
    return timer;
  };
  const cancel = (timer: Timer | undefined) => {
    if (timer !== undefined) timer.scheduled.run = undefined;
  };
  const timers = { setTimeout: once, clearTimeout: cancel, setInterval: again, clearInterval: cancel };
  Object.assign(globalThis, timers);
  try {
    return await work();
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
  }
}

interface Timer {
  scheduled: Scheduled;
}

/** A binary heap with the earliest callback first. */
function createQueue() {
  const heap: Scheduled[] = [];
  const isBefore = (a: Scheduled, b: Scheduled) =>
    a.atEpochMs < b.atEpochMs || (a.atEpochMs === b.atEpochMs && a.order < b.order);

  return {
    first: (): Scheduled | undefined => heap[0],
    push(scheduled: Scheduled): void {
      let index = heap.push(scheduled) - 1;
      while (index > 0) {
        const parentIndex = (index - 1) >> 1;
        const parent = heap[parentIndex];
        if (parent === undefined || isBefore(parent, scheduled)) break;
        heap[index] = parent;
        index = parentIndex;
      }
      heap[index] = scheduled;
    },
    shift(): Scheduled | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return first;
      let index = 0;
      for (;;) {
        let childIndex = 2 * index + 1;
        let child = heap[childIndex];
        if (child === undefined) break;
        const right = heap[childIndex + 1];
        if (right !== undefined && isBefore(right, child)) {
          child = right;
          childIndex += 1;
        }
        if (isBefore(last, child)) break;
        heap[index] = child;
        index = childIndex;
      }
      heap[index] = last;
      return first;
    },
  };
}
