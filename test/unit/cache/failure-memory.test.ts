import { describe, expect, it } from "vitest";
import { type BackOff, createFailureMemory } from "../../../extension/cache/failure-memory.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const KEY = "app/database";

const untilMended: BackOff = { firstMs: 10_000, mostMs: 60_000, isJittered: false };
const untilBack: BackOff = { firstMs: 500, mostMs: 15_000, isJittered: true };
const backOffs: Partial<Record<FailureCode, BackOff>> = {
  "kms-denied": untilMended,
  throttled: untilBack,
};

const denied = () => new Failure("kms-denied", "may not", { remedy: "mend it" });
const throttled = () => new Failure("throttled", "not now");
const bug = () => new Failure("internal", "a bug");

/** A memory, with a clock and a die that do as they are told. */
function setUp({ random = 0 } = {}) {
  let atEpochMs = START_EPOCH_MS;
  let thrown = random;
  const memory = createFailureMemory({
    backOffOf: ({ code }) => backOffs[code],
    now: () => atEpochMs,
    random: () => thrown,
  });
  return {
    ...memory,
    pass: (ms: number) => {
      atEpochMs += ms;
    },
    throwNext: (value: number) => {
      thrown = value;
    },
    leftMs: (key = KEY, mostMs?: number) => memory.recall(key, mostMs)?.details.retryAfterMs,
  };
}

describe("a failure", () => {
  it("is remembered until its pause is over, to the millisecond", () => {
    const { remember, recall, pass } = setUp();
    remember(KEY, denied());
    pass(9_999);
    expect(recall(KEY)).toMatchObject({ code: "kms-denied" });
    pass(1);
    expect(recall(KEY)).toBeUndefined();
  });

  it("says what is left of its pause, and is otherwise what it was", () => {
    const { remember, recall, pass } = setUp();
    expect(remember(KEY, denied())).toMatchObject({ details: { retryAfterMs: 10_000 } });
    pass(9_000);
    const failure = recall(KEY);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({
      code: "kms-denied",
      message: "may not",
      details: { remedy: "mend it", retryAfterMs: 1_000 },
    });
  });

  it("is not remembered where it has no pause", () => {
    const { remember, recall } = setUp();
    const failure = bug();
    expect(remember(KEY, failure)).toBe(failure);
    expect(recall(KEY)).toBeUndefined();
  });

  it("is the last one", () => {
    const { remember, recall } = setUp();
    remember(KEY, denied());
    remember(KEY, throttled());
    expect(recall(KEY)).toMatchObject({ code: "throttled" });
    remember(KEY, bug());
    expect(recall(KEY)).toMatchObject({ code: "throttled" });
  });

  it("of another kind begins anew: a first denial is not paid for by the throttling before it", () => {
    const { remember } = setUp();
    for (let times = 1; times <= 6; times += 1) remember(KEY, throttled());
    expect(remember(KEY, denied()).details.retryAfterMs).toBe(10_000);
  });

  it("is remembered of its own key alone", () => {
    const { remember, recall, forget } = setUp();
    remember("a", denied());
    remember("b", throttled());
    expect(recall("a")).toMatchObject({ code: "kms-denied" });
    expect(recall("b")).toMatchObject({ code: "throttled" });
    expect(recall("c")).toBeUndefined();
    forget("a");
    expect(recall("a")).toBeUndefined();
    expect(recall("b")).toBeDefined();
  });

  it("is forgotten at a success, and the next one is the first again", () => {
    const { remember, recall, forget, leftMs } = setUp();
    for (let times = 0; times < 5; times += 1) remember(KEY, denied());
    expect(leftMs()).toBe(60_000);
    forget(KEY);
    expect(recall(KEY)).toBeUndefined();
    remember(KEY, denied());
    expect(leftMs()).toBe(10_000);
  });

  it("is over after the clock has stepped back, which says nothing about how long it still is", () => {
    const { remember, recall, pass } = setUp();
    remember(KEY, denied());
    pass(-1);
    expect(recall(KEY)).toBeUndefined();
  });

  it("is over after a freeze, with no timer having run", () => {
    const { remember, recall, pass } = setUp();
    remember(KEY, denied());
    pass(24 * 3_600_000);
    expect(recall(KEY)).toBeUndefined();
  });

  it("may be asked for as often as one likes: that makes it no longer", () => {
    const { remember, recall, pass } = setUp();
    remember(KEY, denied());
    for (let second = 0; second < 9; second += 1) {
      pass(1_000);
      expect(recall(KEY)).toBeDefined();
    }
    pass(1_000);
    expect(recall(KEY)).toBeUndefined();
  });
});

describe("a pause", () => {
  it("doubles up to its most", () => {
    const { remember, leftMs, pass } = setUp();
    const pausesMs: (number | undefined)[] = [];
    for (let times = 0; times < 6; times += 1) {
      remember(KEY, denied());
      pausesMs.push(leftMs());
      pass(100_000);
    }
    expect(pausesMs).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it("that is jittered doubles all the same", () => {
    const { remember } = setUp();
    const pausesMs = Array.from({ length: 8 }, () => remember(KEY, throttled()).details.retryAfterMs);
    expect(pausesMs).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  });

  it("stays at its most however often it fails", () => {
    const { remember, leftMs } = setUp();
    for (let times = 0; times < 2_000; times += 1) remember(KEY, throttled());
    expect(leftMs()).toBe(15_000);
  });

  it.each([
    [0, 500],
    [0.5, 375],
    [1 - Number.EPSILON, 250],
  ])("is cut by up to a half at random: a throw of %d leaves %d ms", (random, pauseMs) => {
    const { remember, recall, pass } = setUp({ random });
    expect(remember(KEY, throttled()).details.retryAfterMs).toBeCloseTo(pauseMs, 6);
    pass(pauseMs - 1);
    expect(recall(KEY)).toBeDefined();
    pass(2);
    expect(recall(KEY)).toBeUndefined();
  });

  it("is thrown for once, and not each time that somebody asks", () => {
    const { remember, leftMs, throwNext } = setUp({ random: 0 });
    remember(KEY, throttled());
    throwNext(0.9);
    expect(leftMs()).toBe(500);
  });

  it("is not cut where it is not jittered", () => {
    const { remember, leftMs } = setUp({ random: 0.9 });
    remember(KEY, denied());
    expect(leftMs()).toBe(10_000);
  });
});

describe("whoever insists", () => {
  it("is kept from the next try for that long at the most", () => {
    const { remember, leftMs, pass } = setUp();
    remember(KEY, denied());
    expect(leftMs(KEY, 1_000)).toBe(1_000);
    pass(999);
    expect(leftMs(KEY, 1_000)).toBe(1);
    pass(1);
    expect(leftMs(KEY, 1_000)).toBeUndefined();
    expect(leftMs()).toBe(9_000);
  });

  it("is not kept longer than all the others", () => {
    const { remember, leftMs, pass } = setUp();
    remember(KEY, throttled());
    expect(leftMs(KEY, 1_000)).toBe(500);
    pass(500);
    expect(leftMs(KEY, 1_000)).toBeUndefined();
  });
});

describe("the memory", () => {
  it("holds a thousand failures, and gives up the one that is longest remembered", () => {
    const { remember, recall } = setUp();
    for (let nth = 0; nth < 1_000; nth += 1) remember(`secret ${nth}`, denied());
    expect(recall("secret 0")).toBeDefined();
    remember("secret 1000", denied());
    expect(recall("secret 0")).toBeUndefined();
    expect(recall("secret 1")).toBeDefined();
    expect(recall("secret 1000")).toBeDefined();
  });

  it("counts a failure that comes again among the latest", () => {
    const { remember, recall } = setUp();
    for (let nth = 0; nth < 1_000; nth += 1) remember(`secret ${nth}`, denied());
    remember("secret 0", denied());
    remember("secret 1000", denied());
    expect(recall("secret 0")).toBeDefined();
    expect(recall("secret 1")).toBeUndefined();
  });
});
