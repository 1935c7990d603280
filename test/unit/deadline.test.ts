import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { within } from "../../extension/deadline.ts";
import { Failure } from "../../extension/errors.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const late = () => new Failure("timeout", "too late");
const never = () => new Promise<never>(() => {});

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A wait of a second, and how it stands. */
function waitASecond<T>(start: (signal: AbortSignal) => Promise<T>, deadlineEpochMs = START_EPOCH_MS + 1_000) {
  const settled = vi.fn();
  const wait = within({ deadlineEpochMs, now: Date.now, start, late });
  wait.then(settled, settled);
  return { wait, settled };
}

describe("a wait with a deadline", () => {
  it("is over with the work, and leaves no timer behind", async () => {
    const { wait } = waitASecond(async () => "done");
    await expect(wait).resolves.toBe("done");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fails as the work fails, and leaves no timer behind", async () => {
    const { wait } = waitASecond(() => Promise.reject(new Failure("throttled", "slow down")));
    await expect(wait).rejects.toMatchObject({ code: "throttled" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fails, and leaves no timer behind, when the work cannot even begin", async () => {
    const { wait } = waitASecond(() => {
      throw new Failure("internal", "no work");
    });
    await expect(wait).rejects.toMatchObject({ code: "internal" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends at the deadline, not a millisecond before, though the work ignores its signal", async () => {
    const { wait, settled } = waitASecond(never);
    await vi.advanceTimersByTimeAsync(999);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await expect(wait).rejects.toMatchObject({ code: "timeout", message: "too late" });
  });

  it("is counted from the clock that it is handed", async () => {
    const { settled } = waitASecond(never, START_EPOCH_MS + 10);
    await vi.advanceTimersByTimeAsync(10);
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ code: "timeout" }));
  });

  it.each([0, -1, -86_400_000])(
    "that is %i ms away begins no work, sets no timer and fails at once",
    async (leftMs) => {
      const start = vi.fn(never);
      const { wait } = waitASecond(start, START_EPOCH_MS + leftMs);
      await expect(wait).rejects.toMatchObject({ code: "timeout", message: "too late" });
      expect(start).not.toHaveBeenCalled();
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it("fires the signal at the deadline, and says `late`, not what the work says of its abortion", async () => {
    const aborted = vi.fn();
    const { wait } = waitASecond(
      (signal) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => {
            aborted();
            reject(new Error("aborted"));
          });
        }),
    );
    const outcome = expect(wait).rejects.toMatchObject({ code: "timeout" });
    await vi.advanceTimersByTimeAsync(999);
    expect(aborted).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(aborted).toHaveBeenCalledOnce();
    await outcome;
  });

  it("never fires the signal of work that was done in time", async () => {
    const signals: AbortSignal[] = [];
    const { wait } = waitASecond(async (signal) => signals.push(signal));
    await wait;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  });

  it("leaves nothing unheard when the work fails after the deadline", async () => {
    const unheard = vi.fn();
    process.on("unhandledRejection", unheard);
    const { wait } = waitASecond(
      () => new Promise<never>((_, reject) => setTimeout(() => reject(new Error("much later")), 5_000)),
    );
    const outcome = expect(wait).rejects.toMatchObject({ code: "timeout" });
    await vi.advanceTimersByTimeAsync(5_000);
    await outcome;
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unheard);
    expect(unheard).not.toHaveBeenCalled();
  });
});
