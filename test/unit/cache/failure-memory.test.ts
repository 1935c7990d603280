import { describe, expect, it } from "vitest";
import { type BackOff, createFailureMemory } from "../../../extension/cache/failure-memory.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { START_EPOCH_MS } from "../../support/unit-clock.ts";

const KEY = "app/database";

const untilChanged: BackOff = { firstMs: 10_000, mostMs: 60_000, isJittered: false };
const untilBack: BackOff = { firstMs: 500, mostMs: 15_000, isJittered: true };
const backOffs: Partial<Record<FailureCode, BackOff>> = {
  "kms-denied": untilChanged,
  throttled: untilBack,
};

const denied = () => new Failure("kms-denied", "may not", { remedy: "change it" });
const throttled = () => new Failure("throttled", "not now");
const bug = () => new Failure("internal", "a bug");

/** A memory with a clock and a random number that the test sets. */
function setUp({ random = 0 } = {}) {
  let atEpochMs = START_EPOCH_MS;
  let drawn = random;
  const memory = createFailureMemory({
    backOffOf: ({ code }) => backOffs[code],
    now: () => atEpochMs,
    random: () => drawn,
  });
  return {
    ...memory,
    pass: (ms: number) => {
      atEpochMs += ms;
    },
    drawNext: (value: number) => {
      drawn = value;
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

  it("says how much of its pause is left, and is otherwise unchanged", () => {
    const { remember, recall, pass } = setUp();
    expect(remember(KEY, denied())).toMatchObject({ details: { retryAfterMs: 10_000 } });
    pass(9_000);
    const failure = recall(KEY);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({
      code: "kms-denied",
      message: "may not",
      details: { remedy: "change it", retryAfterMs: 1_000 },
    });
  });

  it("is not remembered if it has no pause", () => {
    const { remember, recall } = setUp();
    const failure = bug();
    expect(remember(KEY, failure)).toBe(failure);
    expect(recall(KEY)).toBeUndefined();
  });

  it("replaces the one before if it has a pause", () => {
    const { remember, recall } = setUp();
    remember(KEY, denied());
    remember(KEY, throttled());
    expect(recall(KEY)).toMatchObject({ code: "throttled" });
    remember(KEY, bug());
    expect(recall(KEY)).toMatchObject({ code: "throttled" });
  });

  it("of another code starts with its first pause", () => {
    const { remember } = setUp();
    for (let times = 1; times <= 6; times += 1) remember(KEY, throttled());
    expect(remember(KEY, denied()).details.retryAfterMs).toBe(10_000);
  });

  it("is remembered for its own key only", () => {
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

  it("is forgotten after a success, and the next one has the first pause again", () => {
    const { remember, recall, forget, leftMs } = setUp();
    for (let times = 0; times < 5; times += 1) remember(KEY, denied());
    expect(leftMs()).toBe(60_000);
    forget(KEY);
    expect(recall(KEY)).toBeUndefined();
    remember(KEY, denied());
    expect(leftMs()).toBe(10_000);
  });

  it("is forgotten after the clock has stepped back, because the rest of its pause is unknown", () => {
    const { remember, recall, pass } = setUp();
    remember(KEY, denied());
    pass(-1);
    expect(recall(KEY)).toBeUndefined();
  });

  it("is forgotten after a freeze, without a timer", () => {
    const { remember, recall, pass } = setUp();
    remember(KEY, denied());
    pass(24 * 3_600_000);
    expect(recall(KEY)).toBeUndefined();
  });

  it("is not remembered longer if it is recalled often", () => {
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
  it("doubles up to its maximum", () => {
    const { remember, leftMs, pass } = setUp();
    const pausesMs: (number | undefined)[] = [];
    for (let times = 0; times < 6; times += 1) {
      remember(KEY, denied());
      pausesMs.push(leftMs());
      pass(100_000);
    }
    expect(pausesMs).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  it("with jitter doubles too", () => {
    const { remember } = setUp();
    const pausesMs = Array.from({ length: 8 }, () => remember(KEY, throttled()).details.retryAfterMs);
    expect(pausesMs).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  });

  it("stays at its maximum after any number of failures", () => {
    const { remember, leftMs } = setUp();
    for (let times = 0; times < 2_000; times += 1) remember(KEY, throttled());
    expect(leftMs()).toBe(15_000);
  });

  it.each([
    [0, 500],
    [0.5, 375],
    [1 - Number.EPSILON, 250],
  ])("is shortened by up to a half at random: %d leaves %d ms", (random, pauseMs) => {
    const { remember, recall, pass } = setUp({ random });
    expect(remember(KEY, throttled()).details.retryAfterMs).toBeCloseTo(pauseMs, 6);
    pass(pauseMs - 1);
    expect(recall(KEY)).toBeDefined();
    pass(2);
    expect(recall(KEY)).toBeUndefined();
  });

  it("is drawn once, and not at each recall", () => {
    const { remember, leftMs, drawNext } = setUp({ random: 0 });
    remember(KEY, throttled());
    drawNext(0.9);
    expect(leftMs()).toBe(500);
  });

  it("without jitter is not shortened", () => {
    const { remember, leftMs } = setUp({ random: 0.9 });
    remember(KEY, denied());
    expect(leftMs()).toBe(10_000);
  });
});

describe("a caller that insists", () => {
  it("waits at most its own limit for the next try", () => {
    const { remember, leftMs, pass } = setUp();
    remember(KEY, denied());
    expect(leftMs(KEY, 1_000)).toBe(1_000);
    pass(999);
    expect(leftMs(KEY, 1_000)).toBe(1);
    pass(1);
    expect(leftMs(KEY, 1_000)).toBeUndefined();
    expect(leftMs()).toBe(9_000);
  });

  it("does not wait longer than the others", () => {
    const { remember, leftMs, pass } = setUp();
    remember(KEY, throttled());
    expect(leftMs(KEY, 1_000)).toBe(500);
    pass(500);
    expect(leftMs(KEY, 1_000)).toBeUndefined();
  });
});

describe("the memory", () => {
  it("holds a thousand failures, and forgets the oldest first", () => {
    const { remember, recall } = setUp();
    for (let nth = 0; nth < 1_000; nth += 1) remember(`secret ${nth}`, denied());
    expect(recall("secret 0")).toBeDefined();
    remember("secret 1000", denied());
    expect(recall("secret 0")).toBeUndefined();
    expect(recall("secret 1")).toBeDefined();
    expect(recall("secret 1000")).toBeDefined();
  });

  it("treats a repeated failure as new", () => {
    const { remember, recall } = setUp();
    for (let nth = 0; nth < 1_000; nth += 1) remember(`secret ${nth}`, denied());
    remember("secret 0", denied());
    remember("secret 1000", denied());
    expect(recall("secret 0")).toBeDefined();
    expect(recall("secret 1")).toBeUndefined();
  });
});
