import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSingleFlight } from "../../../extension/cache/single-flight.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { failureOf } from "../../support/failure-of.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const TIMEOUT_MS = 2_500;

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The clock goes on, or back, and no timer runs: as over a freeze. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

const tooLate = () => new Failure("timeout", "AWS got no answer in time");

const late = () => new Failure("timeout", "no answer in time");

/** Work that is under way until the test ends it. */
function setUp() {
  const fly = createSingleFlight<string>(Date.now);
  const works: { readonly startedBy: string; end(result: string): void; fail(error: unknown): void }[] = [];
  const work = (nth: number) => {
    const found = works[nth - 1];
    if (found === undefined) throw new Error(`there were ${works.length} works, and no number ${nth}`);
    return found;
  };
  /** Somebody who wants what `key` calls, and has work to start where there is none to join. */
  const want = ({ name = "somebody", key = "a", timeoutMs = TIMEOUT_MS, alone = false } = {}) =>
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
  it("is started once for a thousand callers, who all get its result", async () => {
    const { works, work, want } = setUp();
    const waits = Array.from({ length: 1_000 }, () => want());
    expect(works).toHaveLength(1);
    work(1).end("result");
    expect(new Set(await Promise.all(waits))).toEqual(new Set(["result"]));
    expect(works).toHaveLength(1);
  });

  it("is joined by whoever comes while it is under way, and by nobody after", async () => {
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

  it("is another's where the key is another", async () => {
    const { work, want } = setUp();
    const waits = [want({ key: "a" }), want({ key: "b" }), want({ key: "a" })];
    work(2).end("of b");
    work(1).end("of a");
    expect(await Promise.all(waits)).toEqual(["of a", "of b", "of a"]);
  });

  it("that fails, fails for all, and is not kept", async () => {
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

  it("that fails is not flown again by those who joined it, whatever it fails with", async () => {
    const { works, work, want } = setUp();
    for (const error of [new Failure("aws-error", "broken"), new Error("a bug"), { code: "timeout" }, undefined]) {
      const nth = works.length + 1;
      const refusals = [failureOf(want()), failureOf(want())];
      work(nth).fail(error);
      for (const refusal of await Promise.all(refusals)) expect(refusal).toBe(error);
      expect(works).toHaveLength(nth);
    }
  });

  it("whose work cannot even be started fails for its starter, and is not kept", async () => {
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
  it("waits until its own deadline, not a millisecond longer, whoever started the work", async () => {
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

  it("that waits for work of its own does not start it again at its deadline", async () => {
    const { works, work, want } = setUp();
    const refusal = failureOf(want());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 20);
    work(1).fail(tooLate());
    expect(await refusal).toMatchObject({ code: "timeout", message: "AWS got no answer in time" });
    expect(works).toHaveLength(1);
  });

  it.each([0, -1, -3_600_000])("whose deadline is %i ms away is too late", async (timeoutMs) => {
    const { works, work, want } = setUp();
    const refusal = failureOf(want({ timeoutMs }));
    expect(await refusal).toMatchObject({ code: "timeout" });
    const next = want();
    work(works.length).end("result");
    expect(await next).toBe("result");
  });

  it("that has gone leaves nothing unheard when the work fails after all", async () => {
    const unheard = vi.fn();
    process.on("unhandledRejection", unheard);
    const { work, want } = setUp();
    const refusals = [failureOf(want({ timeoutMs: 100 })), failureOf(want({ timeoutMs: 100 }))];
    await vi.advanceTimersByTimeAsync(100);
    await Promise.all(refusals);
    work(1).fail(new Error("much later"));
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unheard);
    expect(unheard).not.toHaveBeenCalled();
  });
});

describe("work that is cut short by another's deadline", () => {
  it("fails for all who joined it, however much time they have left: a crowd must not come one by one", async () => {
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

describe("a flight past its deadline", () => {
  it.each([0, 1, 3_600_000])("was frozen: it is abandoned, never joined, %i ms later", async (lateMs) => {
    const { works, work, want } = setUp();
    const frozen = failureOf(want());
    pass(TIMEOUT_MS + lateMs);
    const thawed = want();
    expect(works).toHaveLength(2);
    work(2).end("result");
    expect(await thawed).toBe("result");
    work(1).fail(tooLate());
    expect(await frozen).toMatchObject({ code: "timeout" });
  });

  it("is still joined a millisecond before", async () => {
    const { works, work, want } = setUp();
    const waits = [want()];
    pass(TIMEOUT_MS - 1);
    waits.push(want());
    expect(works).toHaveLength(1);
    work(1).end("result");
    expect(await Promise.all(waits)).toEqual(["result", "result"]);
  });

  it.each(["end", "fail"] as const)("does not take the next one's place when its work comes to an %s", async (how) => {
    const { works, work, want } = setUp();
    const frozen = want().catch(() => "failed");
    pass(TIMEOUT_MS);
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

describe("a caller who is not to join", () => {
  it("starts work of its own, which those after it join", async () => {
    const { works, work, want } = setUp();
    const before = want();
    const alone = want({ alone: true });
    const after = want();
    expect(works).toHaveLength(2);
    work(2).end("new");
    work(1).end("old");
    expect(await Promise.all([before, alone, after])).toEqual(["old", "new", "new"]);
  });

  it("leaves its work to be joined, though the older comes to its end first", async () => {
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

  it("starts no work that nobody waits for any more, nor in the way of work that others wait for", async () => {
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

  it("needs no other work to be under way", async () => {
    const { works, work, want } = setUp();
    const alone = want({ alone: true });
    work(1).end("result");
    expect(await alone).toBe("result");
    expect(works).toHaveLength(1);
  });

  it("fails as its own work fails, and does not start it again", async () => {
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
