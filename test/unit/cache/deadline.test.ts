import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { overFreeze, within } from "../../../extension/cache/deadline.ts";
import { Failure } from "../../../extension/failure/failure.ts";

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

describe("an attempt over a freeze", () => {
  /** The clock goes on, and no timer runs: as over a freeze. */
  const freeze = (ms: number) => vi.setSystemTime(Date.now() + ms);

  interface Attempt {
    readonly begunAtEpochMs: number;
    readonly deadlineEpochMs: number;
    end(result: string): void;
    fail(failure: Failure): void;
  }

  /** Attempts within a second, each under way until the test ends it. */
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
  const settle = () => vi.advanceTimersByTimeAsync(0);

  it("is not made once more where it was refused: that is no matter of time", async () => {
    const { attempts, last, outcome } = attemptASecond();
    freeze(3_600_000);
    last().fail(new Failure("get-secret-value-denied", "no"));
    expect(await outcome).toBe("no");
    expect(attempts).toHaveLength(1);
  });

  it("is made once more where it fails, under a deadline as long as the first", async () => {
    const { attempts, last, outcome } = attemptASecond();
    await vi.advanceTimersByTimeAsync(300);
    freeze(3_600_000);
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

  it("is made once more, too, where other work ran between the thaw and the failure", async () => {
    const { attempts, last, outcome } = attemptASecond();
    freeze(3_600_000);
    await vi.advanceTimersByTimeAsync(700);
    last().fail(failure("the connection died"));
    await settle();
    expect(attempts).toHaveLength(2);
    last().end("done");
    expect(await outcome).toBe("done");
  });

  it("is made twice at the most, though the second is frozen too", async () => {
    const { attempts, last, outcome } = attemptASecond();
    freeze(3_600_000);
    last().fail(failure("first"));
    await settle();
    freeze(3_600_000);
    last().fail(failure("second"));
    expect(await outcome).toBe("second");
    expect(attempts).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not made again where there was no freeze, however late it fails", async () => {
    const { attempts, last, outcome } = attemptASecond();
    await vi.advanceTimersByTimeAsync(10_000);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not made again where it succeeds after all", async () => {
    const { attempts, last, outcome } = attemptASecond();
    freeze(3_600_000);
    last().end("done");
    expect(await outcome).toBe("done");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not made again for a process that was merely busy, as often as that may be", async () => {
    const { attempts, last, outcome } = attemptASecond();
    for (let times = 0; times < 5; times += 1) {
      freeze(400);
      await vi.advanceTimersByTimeAsync(100);
    }
    freeze(500);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
  });

  it("is made again where no timer ran for more than half of its time", async () => {
    const { attempts, last } = attemptASecond();
    freeze(601);
    last().fail(failure("first"));
    await settle();
    expect(attempts).toHaveLength(2);
  });

  it("is not made again where a processor was busy for a while", async () => {
    const { attempts, last, outcome } = attemptASecond();
    freeze(600);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
  });

  it("is not made again for a clock that steps back, which is no freeze", async () => {
    const { attempts, last, outcome } = attemptASecond();
    await vi.advanceTimersByTimeAsync(250);
    freeze(-3_600_000);
    await vi.advanceTimersByTimeAsync(250);
    last().fail(failure("first"));
    expect(await outcome).toBe("first");
    expect(attempts).toHaveLength(1);
  });

  it("leaves no timer behind where it cannot even begin", async () => {
    const attempt = () => {
      throw failure("no work");
    };
    const wait = overFreeze({ deadlineEpochMs: Date.now() + 1_000, now: Date.now, attempt, isRefusal: () => false });
    await expect(wait).rejects.toMatchObject({ code: "unreachable" });
    expect(vi.getTimerCount()).toBe(0);
  });
});
