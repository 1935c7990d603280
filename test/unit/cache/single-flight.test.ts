import { describe, expect, it, vi } from "vitest";
import { createSingleFlight } from "../../../extension/cache/single-flight.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, useFakeClock } from "../../support/unit-clock.ts";

const TIMEOUT_MS = 2_500;

useFakeClock();

const tooLate = () => new Failure("timeout", "AWS got no answer in time");

const late = () => new Failure("timeout", "no answer in time");

/** Each work is under way until the test ends it. */
function setUp() {
  const fly = createSingleFlight<string>(Date.now);
  const works: { readonly startedBy: string; end(result: string): void; fail(error: unknown): void }[] = [];
  const work = (nth: number) => {
    const found = works[nth - 1];
    if (found === undefined) throw new Error(`there were ${works.length} works, and no number ${nth}`);
    return found;
  };
  /** Joins the flight of `key`, or starts work if there is none. */
  const want = ({ name = "a caller", key = "a", timeoutMs = TIMEOUT_MS, alone = false } = {}) =>
    fly({
      key,
      deadlineEpochMs: Date.now() + timeoutMs,
      late,
      start: () =>
        new Promise((resolve, reject) => {
          works.push({ startedBy: name, end: resolve, fail: reject });
        }),
      ...(alone ? { alone } : {}),
    });
  return { fly, works, work, want };
}

describe("a flight", () => {
  it("is started once for a thousand callers, and all get its result", async () => {
    const { works, work, want } = setUp();
    const waits = Array.from({ length: 1_000 }, () => want());
    expect(works).toHaveLength(1);
    work(1).end("result");
    expect(new Set(await Promise.all(waits))).toEqual(new Set(["result"]));
    expect(works).toHaveLength(1);
  });

  it("is joined by every caller while it is under way, and by none after it has ended", async () => {
    const { works, work, want } = setUp();
    const first = want();
    await vi.advanceTimersByTimeAsync(1_000);
    const second = want();
    work(1).end("result");
    expect(await Promise.all([first, second])).toEqual(["result", "result"]);
    const third = want();
    expect(works).toHaveLength(2);
    work(2).end("another");
    expect(await third).toBe("another");
  });

  it("is separate for each key", async () => {
    const { work, want } = setUp();
    const waits = [want({ key: "a" }), want({ key: "b" }), want({ key: "a" })];
    work(2).end("of b");
    work(1).end("of a");
    expect(await Promise.all(waits)).toEqual(["of a", "of b", "of a"]);
  });

  it("that fails, fails for all callers and is not kept", async () => {
    const { works, work, want } = setUp();
    const refusals = [failureOf(want()), failureOf(want())];
    const failure = new Failure("throttled", "not now");
    work(1).fail(failure);
    expect(await Promise.all(refusals)).toEqual([failure, failure]);
    expect(works).toHaveLength(1);
    const next = want();
    work(2).end("result");
    expect(await next).toBe("result");
  });

  it("that fails is not started again by the callers that joined it, with any error", async () => {
    const { works, work, want } = setUp();
    for (const error of [new Failure("aws-error", "broken"), new Error("a bug"), { code: "timeout" }, undefined]) {
      const nth = works.length + 1;
      const refusals = [failureOf(want()), failureOf(want())];
      work(nth).fail(error);
      for (const refusal of await Promise.all(refusals)) expect(refusal).toBe(error);
      expect(works).toHaveLength(nth);
    }
  });

  it("whose work throws at once fails for its caller and is not kept", async () => {
    const { fly, work, want } = setUp();
    const start = () => {
      throw new Failure("internal", "no work");
    };
    const refusal = failureOf(fly({ key: "a", deadlineEpochMs: Date.now() + TIMEOUT_MS, start, late }));
    expect(await refusal).toMatchObject({ code: "internal" });
    const next = want();
    work(1).end("result");
    expect(await next).toBe("result");
  });

  it("leaves no timer behind", async () => {
    const { work, want } = setUp();
    const wait = want();
    const refusals = [failureOf(want({ key: "b" })), failureOf(want({ key: "c", timeoutMs: 100 }))];
    work(1).end("result");
    work(2).fail(new Failure("throttled", "not now"));
    await vi.advanceTimersByTimeAsync(100);
    await Promise.all([wait, ...refusals]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a caller", () => {
  it("waits until its own deadline, and not a millisecond longer, even if another caller started the work", async () => {
    const { works, work, want } = setUp();
    const patient = want({ timeoutMs: 2_000 });
    const settled = vi.fn();
    const hasty = failureOf(want({ timeoutMs: 500 }));
    void hasty.then(settled);
    await vi.advanceTimersByTimeAsync(499);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toHaveBeenCalledOnce();
    expect(await hasty).toMatchObject({ code: "timeout" });
    work(1).end("result");
    expect(await patient).toBe("result");
    expect(works).toHaveLength(1);
  });

  it("that started the work does not start it again at the deadline", async () => {
    const { works, work, want } = setUp();
    const refusal = failureOf(want());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 20);
    work(1).fail(tooLate());
    expect(await refusal).toMatchObject({ code: "timeout", message: "AWS got no answer in time" });
    expect(works).toHaveLength(1);
  });

  it.each([0, -1, -3_600_000])("whose deadline is %i ms away fails with a timeout", async (timeoutMs) => {
    const { works, work, want } = setUp();
    const refusal = failureOf(want({ timeoutMs }));
    expect(await refusal).toMatchObject({ code: "timeout" });
    const next = want();
    work(works.length).end("result");
    expect(await next).toBe("result");
  });

  it("that has timed out leaves no unhandled rejection if the work fails later", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const { work, want } = setUp();
    const refusals = [failureOf(want({ timeoutMs: 100 })), failureOf(want({ timeoutMs: 100 }))];
    await vi.advanceTimersByTimeAsync(100);
    await Promise.all(refusals);
    work(1).fail(new Error("much later"));
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("work that ends at another caller's deadline", () => {
  it("fails for all callers that joined it, even with time left, so that they do not retry one by one", async () => {
    const { works, work, want } = setUp();
    const hasty = failureOf(want({ name: "hasty", timeoutMs: 100 }));
    await vi.advanceTimersByTimeAsync(50);
    const patient = failureOf(want({ name: "patient" }));
    await vi.advanceTimersByTimeAsync(50);
    work(1).fail(late());
    expect(await hasty).toMatchObject({ code: "timeout" });
    expect(await patient).toMatchObject({ code: "timeout" });
    expect(works).toHaveLength(1);
  });
});

describe("a flight near its deadline", () => {
  it.each([0, 1, 3_600_000])(
    "is abandoned and not joined %i ms after the deadline, because it was frozen",
    async (lateMs) => {
      const { works, work, want } = setUp();
      const frozen = failureOf(want());
      moveClock(TIMEOUT_MS + lateMs);
      const thawed = want();
      expect(works).toHaveLength(2);
      work(2).end("result");
      expect(await thawed).toBe("result");
      work(1).fail(tooLate());
      expect(await frozen).toMatchObject({ code: "timeout" });
    },
  );

  it("is still joined a millisecond before the deadline", async () => {
    const { works, work, want } = setUp();
    const waits = [want()];
    moveClock(TIMEOUT_MS - 1);
    waits.push(want());
    expect(works).toHaveLength(1);
    work(1).end("result");
    expect(await Promise.all(waits)).toEqual(["result", "result"]);
  });

  it.each(["end", "fail"] as const)("does not replace the next flight if its work ends late: %s", async (how) => {
    const { works, work, want } = setUp();
    const frozen = want().catch(() => "failed");
    moveClock(TIMEOUT_MS);
    const thawed = want();
    if (how === "end") work(1).end("old");
    else work(1).fail(tooLate());
    expect(await frozen).toBe(how === "end" ? "old" : "failed");
    const later = want();
    expect(works).toHaveLength(2);
    work(2).end("new");
    expect(await Promise.all([thawed, later])).toEqual(["new", "new"]);
  });
});

describe("a caller that must not join", () => {
  it("starts its own work, which later callers join", async () => {
    const { works, work, want } = setUp();
    const before = want();
    const alone = want({ alone: true });
    const after = want();
    expect(works).toHaveLength(2);
    work(2).end("new");
    work(1).end("old");
    expect(await Promise.all([before, alone, after])).toEqual(["old", "new", "new"]);
  });

  it("leaves its work to later callers, even if the older work ends first", async () => {
    const { works, work, want } = setUp();
    const before = want();
    const alone = want({ alone: true });
    work(1).end("old");
    expect(await before).toBe("old");
    const after = want();
    expect(works).toHaveLength(2);
    work(2).end("new");
    expect(await Promise.all([alone, after])).toEqual(["new", "new"]);
  });

  it("starts no work after its deadline, and does not disturb the work of later callers", async () => {
    const { works, work, want } = setUp();
    const frozen = [failureOf(want({ alone: true })), failureOf(want({ alone: true }))];
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    for (const refused of frozen) expect(await refused).toMatchObject({ code: "timeout" });
    const after = want();
    expect(works).toHaveLength(2);
    work(1).fail(tooLate());
    await vi.advanceTimersByTimeAsync(0);
    const joined = want();
    expect(works).toHaveLength(2);
    work(2).end("result");
    expect(await Promise.all([after, joined])).toEqual(["result", "result"]);
  });

  it("also starts work if none is under way", async () => {
    const { works, work, want } = setUp();
    const alone = want({ alone: true });
    work(1).end("result");
    expect(await alone).toBe("result");
    expect(works).toHaveLength(1);
  });

  it("fails if its own work fails, and does not start it again", async () => {
    const { works, work, want } = setUp();
    const before = want();
    const alone = failureOf(want({ alone: true }));
    work(2).fail(tooLate());
    expect(await alone).toMatchObject({ code: "timeout", message: "AWS got no answer in time" });
    expect(works).toHaveLength(2);
    work(1).end("result");
    expect(await before).toBe("result");
  });
});
