import { describe, expect, it, vi } from "vitest";
import { type Held, Kept } from "../../../extension/cache/kept.ts";
import { type BackOff, Failure } from "../../../extension/failure/failure.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, settle, useFakeClock } from "../../support/unit-clock.ts";

const TIMEOUT_MS = 2_500;
const AGES = { freshMs: 100, ttlMs: 200, keepMs: 300 };
const UNTIL_CHANGED: BackOff = { firstMs: 10_000, mostMs: 60_000, isJittered: false };
const UNTIL_BACK: BackOff = { firstMs: 500, mostMs: 15_000, isJittered: true };

useFakeClock();

const denied = () => new Failure("kms-denied", "may not", { remedy: "change it" });
const throttled = () => new Failure("throttled", "not now");
const late = () => new Failure("timeout", "no answer in time");
const tooLate = () => new Failure("timeout", "AWS got no answer in time");

const toHeld = (value: string, order = 1): Held<string> => ({ value, order, askedAtEpochMs: Date.now(), ...AGES });

/** Each fetch is under way until the test ends it. A call of `want` returns the fetched value. */
function setUpFetches() {
  const kept = new Kept<string>(Date.now);
  const fetches: { end(value: string): void; fail(error: unknown): void }[] = [];
  const fetched = (nth: number) => {
    const found = fetches[nth - 1];
    if (found === undefined) throw new Error(`there were ${fetches.length} fetches, and no number ${nth}`);
    return found;
  };
  const want = async ({ timeoutMs = TIMEOUT_MS, isNew = false } = {}) => {
    const outcome = await kept.fetch({
      deadlineEpochMs: Date.now() + timeoutMs,
      late,
      start: () =>
        new Promise((resolve, reject) => {
          fetches.push({ end: (value) => resolve({ id: "a", held: toHeld(value) }), fail: reject });
        }),
      ...(isNew ? { isNew } : {}),
    });
    return "held" in outcome ? outcome.held.value : outcome.failure;
  };
  return { kept, fetches, fetched, want, wantNew: () => want({ isNew: true }) };
}

/** Remembers failures with a random number that the test sets. Each fetch is later than the one before. */
function setUpFailures() {
  const kept = new Kept<string>(Date.now);
  const draw = { next: 0 };
  let order = 0;
  const fail = (failure: Failure, backOff: BackOff | undefined) => {
    order += 1;
    return kept.fail(failure, order, backOff, () => draw.next);
  };
  return {
    kept,
    draw,
    fail,
    deny: () => fail(denied(), UNTIL_CHANGED).details.retryAfterMs,
    throttle: () => fail(throttled(), UNTIL_BACK).details.retryAfterMs,
    leftMs: (mostMs?: number) => kept.recall(mostMs)?.details.retryAfterMs,
  };
}

describe("a held value", () => {
  it.each([
    [0, "fresh"],
    [99, "fresh"],
    [100, "ageing"],
    [199, "ageing"],
    [200, "expired"],
    [299, "expired"],
    [300, "too old"],
    [3_600_000, "too old"],
    [-1, "too old"],
  ])("%d ms after its fetch began is %s", (ageMs, state) => {
    const kept = new Kept<string>(Date.now);
    const held = kept.hold(toHeld("v1"));
    moveClock(ageMs);
    expect([kept.isFresh(held), kept.isExpired(held)]).toEqual([state === "fresh", /expired|too old/.test(state)]);
    expect(kept.toAgeMs(held)).toBe(ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs);
    expect(kept.isHolding).toBe(true);
    expect(kept.find()).toBe(state === "too old" ? undefined : held);
    expect(kept.isHolding).toBe(state !== "too old");
  });

  it("that is too old because the clock stepped back does not return with the clock", () => {
    const kept = new Kept<string>(Date.now);
    kept.hold(toHeld("v1"));
    moveClock(-1);
    expect(kept.find()).toBeUndefined();
    moveClock(1);
    expect(kept.find()).toBeUndefined();
  });

  it("is replaced by that of a later fetch, but never by that of an earlier one", () => {
    const kept = new Kept<string>(Date.now);
    const [first, second, third] = [toHeld("v1", 1), toHeld("v2", 2), toHeld("v3", 3)];
    expect(kept.find()).toBeUndefined();
    expect(kept.hold(second)).toBe(second);
    expect(kept.hold(first)).toBe(second);
    expect(kept.find()).toBe(second);
    expect(kept.hold(third)).toBe(third);
    expect(kept.find()).toBe(third);
    const same = toHeld("v3 again", 3);
    expect(kept.hold(same)).toBe(same);
  });

  it.each([
    [1, true],
    [2, true],
    [3, false],
    [undefined, false],
  ])("of fetch 2 that is dropped by fetch %s stays: %s", (order, stays) => {
    const kept = new Kept<string>(Date.now);
    kept.hold(toHeld("v2", 2));
    kept.drop(order);
    expect([kept.isHolding, kept.find() !== undefined]).toEqual([stays, stays]);
  });

  it("that was dropped is not followed by that of an earlier fetch, whose own caller still gets it", () => {
    const kept = new Kept<string>(Date.now);
    kept.drop();
    kept.hold(toHeld("v3", 3));
    kept.drop();
    const earlier = toHeld("v2", 2);
    expect(kept.hold(earlier)).toBe(earlier);
    expect(kept.find()).toBeUndefined();
  });
});

describe("a fetch", () => {
  it("is started once for a thousand callers, and all get its result", async () => {
    const { fetches, fetched, want } = setUpFetches();
    const waits = Array.from({ length: 1_000 }, () => want());
    expect(fetches).toHaveLength(1);
    fetched(1).end("v1");
    expect(new Set(await Promise.all(waits))).toEqual(new Set(["v1"]));
    expect(fetches).toHaveLength(1);
  });

  it("is joined by every caller while it is under way, and by none after it has ended", async () => {
    const { kept, fetches, fetched, want } = setUpFetches();
    expect(kept.isFetching).toBe(false);
    const first = want();
    await vi.advanceTimersByTimeAsync(1_000);
    const second = want();
    expect(kept.isFetching).toBe(true);
    fetched(1).end("v1");
    expect(await Promise.all([first, second])).toEqual(["v1", "v1"]);
    expect(kept.isFetching).toBe(false);
    const third = want();
    expect(fetches).toHaveLength(2);
    fetched(2).end("v2");
    expect(await third).toBe("v2");
  });

  it.each([new Failure("aws-error", "broken"), new Error("a bug"), { code: "timeout" }, undefined])(
    "that fails, fails for all callers, which do not start it again, and is not kept: %s",
    async (error) => {
      const { fetches, fetched, want } = setUpFetches();
      const refusals = [failureOf(want()), failureOf(want())];
      fetched(1).fail(error);
      for (const refusal of await Promise.all(refusals)) expect(refusal).toBe(error);
      expect(fetches).toHaveLength(1);
      const next = want();
      fetched(2).end("v1");
      expect(await next).toBe("v1");
    },
  );

  it("that throws at once fails for its caller and is not kept", async () => {
    const { kept, fetched, want } = setUpFetches();
    const start = () => {
      throw new Failure("internal", "no fetch");
    };
    const refusal = await failureOf(kept.fetch({ deadlineEpochMs: Date.now() + TIMEOUT_MS, start, late }));
    expect(refusal).toMatchObject({ code: "internal" });
    const next = want();
    fetched(1).end("v1");
    expect(await next).toBe("v1");
  });

  it.each(["end", "fail", "time out"] as const)("leaves no timer behind: %s", async (how) => {
    const { fetched, want } = setUpFetches();
    const wait = failureOf(want({ timeoutMs: 100 }));
    if (how === "end") fetched(1).end("v1");
    if (how === "fail") fetched(1).fail(throttled());
    if (how === "time out") await vi.advanceTimersByTimeAsync(100);
    await wait;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that ends at another caller's deadline fails for all callers, so that they do not retry one by one", async () => {
    const { fetches, fetched, want } = setUpFetches();
    const hasty = failureOf(want({ timeoutMs: 100 }));
    await vi.advanceTimersByTimeAsync(50);
    const patient = failureOf(want());
    await vi.advanceTimersByTimeAsync(50);
    fetched(1).fail(late());
    for (const refusal of [hasty, patient]) expect(await refusal).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(1);
  });

  it.each([0, 1, 3_600_000])("is abandoned, and not joined, %i ms after its deadline", async (lateMs) => {
    const { kept, fetches, fetched, want } = setUpFetches();
    const frozen = failureOf(want());
    moveClock(TIMEOUT_MS + lateMs);
    expect(kept.isFetching).toBe(false);
    const thawed = want();
    expect(fetches).toHaveLength(2);
    fetched(2).end("v2");
    expect(await thawed).toBe("v2");
    fetched(1).fail(tooLate());
    expect(await frozen).toMatchObject({ code: "timeout" });
  });

  it("is still joined a millisecond before its deadline", async () => {
    const { fetches, fetched, want } = setUpFetches();
    const waits = [want()];
    moveClock(TIMEOUT_MS - 1);
    waits.push(want());
    expect(fetches).toHaveLength(1);
    fetched(1).end("v1");
    expect(await Promise.all(waits)).toEqual(["v1", "v1"]);
  });

  it.each(["end", "fail"] as const)("that was abandoned does not replace the next one: %s", async (how) => {
    const { fetches, fetched, want } = setUpFetches();
    const frozen = want().catch(() => "failed");
    moveClock(TIMEOUT_MS);
    const thawed = want();
    if (how === "end") fetched(1).end("old");
    else fetched(1).fail(tooLate());
    expect(await frozen).toBe(how === "end" ? "old" : "failed");
    const joined = want();
    expect(fetches).toHaveLength(2);
    fetched(2).end("new");
    expect(await Promise.all([thawed, joined])).toEqual(["new", "new"]);
  });
});

describe("a caller", () => {
  it("waits until its own deadline, and not a millisecond longer, even if another caller started the fetch", async () => {
    const { fetches, fetched, want } = setUpFetches();
    const patient = want({ timeoutMs: 2_000 });
    const settled = vi.fn();
    const hasty = failureOf(want({ timeoutMs: 500 }));
    void hasty.then(settled);
    await vi.advanceTimersByTimeAsync(499);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toHaveBeenCalledOnce();
    expect(await hasty).toMatchObject({ code: "timeout", message: "no answer in time" });
    fetched(1).end("v1");
    expect(await patient).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it("that started the fetch does not start it again near the deadline", async () => {
    const { fetches, fetched, want } = setUpFetches();
    const refusal = failureOf(want());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 20);
    fetched(1).fail(tooLate());
    expect(await refusal).toMatchObject({ code: "timeout", message: "AWS got no answer in time" });
    expect(fetches).toHaveLength(1);
  });

  it.each([0, -1, -3_600_000])(
    "whose deadline is %i ms away starts no fetch and fails with a timeout",
    async (timeoutMs) => {
      const { fetches, fetched, want } = setUpFetches();
      expect(await failureOf(want({ timeoutMs }))).toMatchObject({ code: "timeout" });
      expect(fetches).toHaveLength(0);
      const next = want();
      fetched(1).end("v1");
      expect(await next).toBe("v1");
    },
  );

  it("that has timed out leaves no unhandled rejection if the fetch fails later", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const { kept, fetched, want, wantNew } = setUpFetches();
    const start = () => {
      moveClock(TIMEOUT_MS);
      return Promise.reject(new Error("after a freeze"));
    };
    const refusal = await failureOf(kept.fetch({ deadlineEpochMs: Date.now() + TIMEOUT_MS, start, late }));
    expect(refusal).toMatchObject({ code: "timeout" });
    const refusals = [want({ timeoutMs: 100 }), want({ timeoutMs: 100 })].map(failureOf);
    await vi.advanceTimersByTimeAsync(100);
    fetched(1).fail(new Error("much later"));
    refusals.push(failureOf(wantNew()), failureOf(wantNew()));
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    await Promise.all(refusals);
    fetched(2).fail(new Error("much later"));
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("a caller that insists on a new fetch", () => {
  it("starts its own, which later callers join", async () => {
    const { fetches, fetched, want, wantNew } = setUpFetches();
    const waits = [want(), wantNew(), want()];
    expect(fetches).toHaveLength(2);
    fetched(2).end("new");
    fetched(1).end("old");
    expect(await Promise.all(waits)).toEqual(["old", "new", "new"]);
  });

  it("leaves its fetch to later callers, even if the older one ends first", async () => {
    const { fetches, fetched, want, wantNew } = setUpFetches();
    const before = want();
    const insisting = wantNew();
    fetched(1).end("old");
    expect(await before).toBe("old");
    const after = want();
    expect(fetches).toHaveLength(2);
    fetched(2).end("new");
    expect(await Promise.all([insisting, after])).toEqual(["new", "new"]);
  });

  it("also starts one if none is under way", async () => {
    const { fetches, fetched, wantNew } = setUpFetches();
    const insisting = wantNew();
    fetched(1).end("v1");
    expect(await insisting).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it("fails if its own fetch fails, and does not start it again", async () => {
    const { fetches, fetched, want, wantNew } = setUpFetches();
    const before = want();
    const insisting = failureOf(wantNew());
    fetched(2).fail(tooLate());
    expect(await insisting).toMatchObject({ code: "timeout", message: "AWS got no answer in time" });
    expect(fetches).toHaveLength(2);
    fetched(1).end("v1");
    expect(await before).toBe("v1");
  });

  it.each(["end", "fail"] as const)("shares the next fetch with all who insist during the first: %s", async (how) => {
    const { fetches, fetched, want, wantNew } = setUpFetches();
    const first = failureOf(wantNew());
    const crowd = [wantNew(), wantNew(), wantNew()];
    await settle();
    expect(fetches).toHaveLength(1);
    if (how === "end") fetched(1).end("v1");
    else fetched(1).fail(throttled());
    await first;
    await settle();
    expect(fetches).toHaveLength(2);
    const joined = want();
    fetched(2).end("v2");
    expect(await Promise.all([...crowd, joined])).toEqual(["v2", "v2", "v2", "v2"]);
    expect(fetches).toHaveLength(2);
  });

  it("starts a third fetch if it comes during the second", async () => {
    const { fetches, fetched, wantNew } = setUpFetches();
    const waits = [wantNew(), wantNew()];
    fetched(1).end("v1");
    await settle();
    waits.push(wantNew());
    fetched(2).end("v2");
    await settle();
    fetched(3).end("v3");
    expect(await Promise.all(waits)).toEqual(["v1", "v2", "v3"]);
    expect(fetches).toHaveLength(3);
  });

  it("starts no next fetch after its deadline, and does not disturb the fetch of later callers", async () => {
    const { fetches, fetched, want, wantNew } = setUpFetches();
    const frozen = [failureOf(wantNew()), failureOf(wantNew())];
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    for (const refused of frozen) expect(await refused).toMatchObject({ code: "timeout" });
    const after = want();
    expect(fetches).toHaveLength(2);
    fetched(1).fail(tooLate());
    await settle();
    const joined = want();
    expect(fetches).toHaveLength(2);
    fetched(2).end("v1");
    expect(await Promise.all([after, joined])).toEqual(["v1", "v1"]);
  });
});

describe("a failure", () => {
  it("is remembered until its pause is over, to the millisecond, and says how much of it is left", () => {
    const { kept, deny } = setUpFailures();
    expect(deny()).toBe(10_000);
    moveClock(9_999);
    const failure = kept.recall();
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({
      code: "kms-denied",
      message: "may not",
      details: { remedy: "change it", retryAfterMs: 1 },
    });
    moveClock(1);
    expect(kept.recall()).toBeUndefined();
  });

  it("is not remembered if it has no pause, and does not replace one that has", () => {
    const { kept, fail, deny, throttle } = setUpFailures();
    const bug = new Failure("internal", "a bug");
    expect(fail(bug, undefined)).toBe(bug);
    expect(kept.recall()).toBeUndefined();
    deny();
    throttle();
    expect(kept.recall()).toMatchObject({ code: "throttled" });
    expect(fail(bug, undefined)).toBe(bug);
    expect(kept.recall()).toMatchObject({ code: "throttled" });
  });

  it.each([-1, 24 * 3_600_000])("is no longer recalled if the clock steps by %i ms, without a timer", (ms) => {
    const { kept, deny } = setUpFailures();
    deny();
    moveClock(ms);
    expect(kept.recall()).toBeUndefined();
  });

  it("is not remembered longer if it is recalled often", () => {
    const { kept, deny } = setUpFailures();
    deny();
    for (let second = 0; second < 9; second += 1) {
      moveClock(1_000);
      expect(kept.recall()).toBeDefined();
    }
    moveClock(1_000);
    expect(kept.recall()).toBeUndefined();
  });

  it("of an earlier fetch is ignored after the value or the failure of a later one", () => {
    for (const isValue of [true, false]) {
      const kept = new Kept<string>(Date.now);
      if (isValue) kept.hold(toHeld("v2", 2));
      else kept.fail(denied(), 2, UNTIL_CHANGED, () => 0);
      const [earlier, same] = [throttled(), throttled()];
      expect(kept.fail(earlier, 1, UNTIL_BACK, () => 0)).toBe(earlier);
      expect(kept.recall()?.code).toBe(isValue ? undefined : "kms-denied");
      expect(kept.fail(same, 2, UNTIL_BACK, () => 0)).toMatchObject({ details: { retryAfterMs: 500 } });
      expect(kept.recall()).toMatchObject({ code: "throttled" });
    }
  });

  it("is forgotten after a later value, but not after an earlier one, and the next has the first pause again", () => {
    const { kept, deny, leftMs } = setUpFailures();
    for (let times = 0; times < 5; times += 1) deny();
    for (const order of [4, 5]) {
      kept.forgetFailure(order);
      kept.hold(toHeld("v1", order));
      expect(leftMs()).toBe(60_000);
    }
    kept.hold(toHeld("v2", 6));
    expect(kept.recall()).toBeUndefined();
    kept.fail(throttled(), 6, UNTIL_BACK, () => 0);
    kept.forgetFailure(7);
    expect(kept.recall()).toBeUndefined();
    kept.forgetFailure(8);
    expect(kept.fail(denied(), 8, UNTIL_CHANGED, () => 0)).toMatchObject({ details: { retryAfterMs: 10_000 } });
  });

  it("is found by earlier fetches only, even after its pause", () => {
    const kept = new Kept<string>(Date.now);
    expect(kept.findFailureAfter(0)).toBeUndefined();
    kept.fail(denied(), 2, UNTIL_CHANGED, () => 0);
    moveClock(3_600_000);
    expect(kept.findFailureAfter(1)).toMatchObject({ code: "kms-denied" });
    expect(kept.findFailureAfter(2)).toBeUndefined();
  });
});

describe("a pause", () => {
  it("doubles up to its maximum, and starts when the failure comes", () => {
    const { deny, leftMs } = setUpFailures();
    const pausesMs: (number | undefined)[] = [];
    for (let times = 0; times < 6; times += 1) {
      deny();
      pausesMs.push(leftMs());
      moveClock(100_000);
    }
    expect(pausesMs).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it("with jitter doubles too", () => {
    const { throttle } = setUpFailures();
    const pausesMs = Array.from({ length: 8 }, throttle);
    expect(pausesMs).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  });

  it("stays at its maximum after any number of failures", () => {
    const { throttle, leftMs } = setUpFailures();
    for (let times = 0; times < 2_000; times += 1) throttle();
    expect(leftMs()).toBe(15_000);
  });

  it("doubles for another failure that is treated alike, and is the first for one that is treated differently", () => {
    const { fail, throttle } = setUpFailures();
    for (let times = 1; times <= 6; times += 1) throttle();
    expect(fail(late(), UNTIL_BACK).details.retryAfterMs).toBe(15_000);
    expect(fail(throttled(), { ...UNTIL_CHANGED }).details.retryAfterMs).toBe(10_000);
    expect(throttle()).toBe(500);
    expect(fail(late(), UNTIL_BACK).details.retryAfterMs).toBe(1_000);
  });

  it.each([
    [0, 500],
    [0.5, 375],
    [1 - Number.EPSILON, 250],
  ])("is shortened by up to a half at random: %d leaves %d ms", (random, pauseMs) => {
    const { kept, draw, throttle } = setUpFailures();
    draw.next = random;
    expect(throttle()).toBeCloseTo(pauseMs, 6);
    moveClock(pauseMs - 1);
    expect(kept.recall()).toBeDefined();
    moveClock(2);
    expect(kept.recall()).toBeUndefined();
  });

  it("is drawn once, and not at each recall", () => {
    const { draw, throttle, leftMs } = setUpFailures();
    throttle();
    draw.next = 0.9;
    expect(leftMs()).toBe(500);
  });

  it("without jitter is not shortened", () => {
    const { draw, deny } = setUpFailures();
    draw.next = 0.9;
    expect(deny()).toBe(10_000);
  });

  it("is at most as long as a caller that insists will wait, and not longer than for the others", () => {
    const { deny, throttle, leftMs } = setUpFailures();
    deny();
    expect(leftMs(1_000)).toBe(1_000);
    moveClock(999);
    expect(leftMs(1_000)).toBe(1);
    moveClock(1);
    expect(leftMs(1_000)).toBeUndefined();
    expect(leftMs()).toBe(9_000);
    throttle();
    expect(leftMs(1_000)).toBe(500);
    moveClock(500);
    expect(leftMs(1_000)).toBeUndefined();
  });
});

describe("a kept value", () => {
  it("is empty if nothing is under way and no failure is remembered, until a fetch has brought a value", async () => {
    const { kept, fetched, want } = setUpFetches();
    expect(kept.isEmpty).toBe(true);
    const wait = want();
    expect(kept.isEmpty).toBe(false);
    fetched(1).end("v1");
    await wait;
    expect(kept.isEmpty).toBe(true);
    kept.fail(denied(), 1, UNTIL_CHANGED, () => 0);
    expect(kept.isEmpty).toBe(false);
    kept.forgetFailure(2);
    expect(kept.isEmpty).toBe(true);
    kept.hold(toHeld("v1"));
    expect(kept.isEmpty).toBe(false);
  });

  it("is not empty after its value was dropped, because an earlier fetch may still be under way", () => {
    const kept = new Kept<string>(Date.now);
    kept.hold(toHeld("v1"));
    kept.drop();
    expect([kept.isHolding, kept.isEmpty]).toEqual([false, false]);
  });
});
