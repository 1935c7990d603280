import { describe, expect, it, vi } from "vitest";
import { overFreeze, within } from "../../../extension/cache/deadline.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { moveClock, START_EPOCH_MS, settle, useFakeClock } from "../../support/unit-clock.ts";

const late = () => new Failure("timeout", "too late");
const never = () => new Promise<never>(() => {});

useFakeClock();

/** A wait with a deadline in one second. `settled` is called when it ends. */
function waitASecond<T>(start: (signal: AbortSignal) => Promise<T>, deadlineEpochMs = START_EPOCH_MS + 1_000) {
  const settled = vi.fn();
  const wait = within({ deadlineEpochMs, now: Date.now, start, late });
  wait.then(settled, settled);
  return { wait, settled };
}

describe("a wait with a deadline", () => {
  it("ends with the work, and leaves no timer behind", async () => {
    const { wait } = waitASecond(async () => "done");
    await expect(wait).resolves.toBe("done");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fails if the work fails, and leaves no timer behind", async () => {
    const { wait } = waitASecond(() => Promise.reject(new Failure("throttled", "slow down")));
    await expect(wait).rejects.toMatchObject({ code: "throttled" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fails if the work throws at once, and leaves no timer behind", async () => {
    const { wait } = waitASecond(() => {
      throw new Failure("internal", "no work");
    });
    await expect(wait).rejects.toMatchObject({ code: "internal" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends at the deadline, and not a millisecond before, even if the work ignores its signal", async () => {
    const { wait, settled } = waitASecond(never);
    await vi.advanceTimersByTimeAsync(999);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await expect(wait).rejects.toMatchObject({ code: "timeout", message: "too late" });
  });

  it("is measured by the given clock", async () => {
    const { settled } = waitASecond(never, START_EPOCH_MS + 10);
    await vi.advanceTimersByTimeAsync(10);
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ code: "timeout" }));
  });

  it.each([0, -1, -86_400_000])("in %i ms starts no work, sets no timer and fails at once", async (leftMs) => {
    const start = vi.fn(never);
    const { wait } = waitASecond(start, START_EPOCH_MS + leftMs);
    await expect(wait).rejects.toMatchObject({ code: "timeout", message: "too late" });
    expect(start).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fires the signal at the deadline, and fails with `late`, not with the error of the aborted work", async () => {
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

  it("never fires the signal of work that ended in time", async () => {
    const signals: AbortSignal[] = [];
    const { wait } = waitASecond(async (signal) => signals.push(signal));
    await wait;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  });

  it("leaves no unhandled rejection if the work fails after the deadline", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const { wait } = waitASecond(
      () => new Promise<never>((_, reject) => setTimeout(() => reject(new Error("much later")), 5_000)),
    );
    const outcome = expect(wait).rejects.toMatchObject({ code: "timeout" });
    await vi.advanceTimersByTimeAsync(5_000);
    await outcome;
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("an attempt that may be frozen", () => {
  interface Attempt {
    readonly begunAtEpochMs: number;
    readonly deadlineEpochMs: number;
    end(result: string): void;
    fail(failure: Failure): void;
  }

  /** Attempts with a deadline in one second. Each is under way until the test ends it. */
  function attemptASecond() {
    const attempts: Attempt[] = [];
    const wait = overFreeze({
      deadlineEpochMs: Date.now() + 1_000,
      now: Date.now,
      attempt: (deadlineEpochMs) =>
        new Promise<string>((end, fail) => {
          attempts.push({ begunAtEpochMs: Date.now(), deadlineEpochMs, end, fail });
        }),
      isRefusal: (thrown) => thrown instanceof Failure && thrown.code === "get-secret-value-denied",
    });
    const outcome = wait.catch((thrown: Failure) => thrown.message);
    const last = () => {
      const attempt = attempts.at(-1);
      if (attempt === undefined) throw new Error("there was no attempt");
      return attempt;
    };
    return { attempts, last, outcome };
  }
  const failure = (message: string) => new Failure("unreachable", message);

  it("is not repeated if AWS refused it", async () => {
    const { attempts, last, outcome } = attemptASecond();
    moveClock(3_600_000);
    last().fail(new Failure("get-secret-value-denied", "no"));
    expect(await outcome).toBe("no");
    expect(attempts).toHaveLength(1);
  });

  it("is repeated if it fails after a freeze, with a deadline as long as the first", async () => {
    const { attempts, last, outcome } = attemptASecond();
    await vi.advanceTimersByTimeAsync(300);
    moveClock(3_600_000);
    last().fail(failure("the connection died"));
    await settle();
    expect(attempts.map(({ begunAtEpochMs, deadlineEpochMs }) => deadlineEpochMs - begunAtEpochMs)).toEqual([
      1_000, 1_000,
    ]);
    expect(last().begunAtEpochMs).toBe(START_EPOCH_MS + 3_600_300);
    last().end("done");
    expect(await outcome).toBe("done");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is repeated even if other work ran between the thaw and the failure", async () => {
    const { attempts, last, outcome } = attemptASecond();
    moveClock(3_600_000);
    await vi.advanceTimersByTimeAsync(700);
    last().fail(failure("the connection died"));
    await settle();
    expect(attempts).toHaveLength(2);
    last().end("done");
    expect(await outcome).toBe("done");
  });

  it("is made at most twice, even if the second is frozen too", async () => {
    const { attempts, last, outcome } = attemptASecond();
    moveClock(3_600_000);
    last().fail(failure("first"));
    await settle();
    moveClock(3_600_000);
    last().fail(failure("second"));
    expect(await outcome).toBe("second");
    expect(attempts).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not repeated without a freeze, even if it fails late", async () => {
    const { attempts, last, outcome } = attemptASecond();
    await vi.advanceTimersByTimeAsync(10_000);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not repeated if it succeeds after the freeze", async () => {
    const { attempts, last, outcome } = attemptASecond();
    moveClock(3_600_000);
    last().end("done");
    expect(await outcome).toBe("done");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not repeated if the process was only busy, even several times", async () => {
    const { attempts, last, outcome } = attemptASecond();
    for (let times = 0; times < 5; times += 1) {
      moveClock(400);
      await vi.advanceTimersByTimeAsync(100);
    }
    moveClock(500);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
  });

  it("is repeated if no timer ran for more than half of its time", async () => {
    const { attempts, last } = attemptASecond();
    moveClock(601);
    last().fail(failure("first"));
    await settle();
    expect(attempts).toHaveLength(2);
  });

  it("is not repeated if the processor was busy for a while", async () => {
    const { attempts, last, outcome } = attemptASecond();
    moveClock(600);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
  });

  it("is not repeated if the clock steps back, which is not a freeze", async () => {
    const { attempts, last, outcome } = attemptASecond();
    await vi.advanceTimersByTimeAsync(250);
    moveClock(-3_600_000);
    await vi.advanceTimersByTimeAsync(250);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
  });

  it("leaves no timer behind if it throws at once", async () => {
    const attempt = () => {
      throw failure("no work");
    };
    const wait = overFreeze({ deadlineEpochMs: Date.now() + 1_000, now: Date.now, attempt, isRefusal: () => false });
    await expect(wait).rejects.toMatchObject({ code: "unreachable" });
    expect(vi.getTimerCount()).toBe(0);
  });
});
