import { describe, expect, it } from "vitest";
import { createRestorable } from "../../../extension/lambda/snapshot.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Numbers the values that are made, and has two clocks that a test advances. */
function setUp({ isSnapStart = true } = {}) {
  const clocks = { wallMs: Date.UTC(2026, 0, 1), monotonicMs: 1_234.5 };
  let made = 0;
  const get = createRestorable({
    make: () => {
      made += 1;
      return { nth: made };
    },
    config: { isSnapStart },
    now: () => clocks.wallMs,
    monotonicNow: () => clocks.monotonicMs,
  });
  /** Advances the wall clock and the monotonic clock, each by its own time. */
  const pass = (wallMs: number, monotonicMs = wallMs) => {
    clocks.wallMs += wallMs;
    clocks.monotonicMs += monotonicMs;
  };
  const nth = () => get().nth;
  return { get, nth, pass };
}

describe("a value that must not outlive a restore", () => {
  it("is made once, before its first use, and stays the same", () => {
    const { get, pass } = setUp();
    const first = get();
    expect(first).toEqual({ nth: 1 });
    pass(MINUTE_MS);
    expect(get()).toBe(first);
  });

  it.each([
    ["a minute", MINUTE_MS],
    ["a fortnight", 14 * 24 * HOUR_MS],
  ])("stays the same after a freeze of %s, in which both clocks advance", (_, ms) => {
    for (const isSnapStart of [true, false]) {
      const { nth, pass } = setUp({ isSnapStart });
      expect(nth()).toBe(1);
      pass(ms);
      expect(nth()).toBe(1);
    }
  });

  it.each([
    ["three seconds later", 3_000],
    ["an hour later", HOUR_MS],
    ["a fortnight later", 14 * 24 * HOUR_MS],
    ["on a machine whose clock is behind", -3_000],
    ["on a machine whose clock is far behind", -24 * HOUR_MS],
  ])("is made again after a restore %s, which only the wall clock shows", (_, wallMs) => {
    const { nth, pass } = setUp();
    expect(nth()).toBe(1);
    pass(wallMs, 10);
    expect(nth()).toBe(2);
  });

  it("is made again if the monotonic clock restarts with the machine", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, -1_000);
    expect(nth()).toBe(2);
  });

  it("is made again if it was not used before the snapshot", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, 0);
    expect(nth()).toBe(2);
  });

  it("is made again once for each restore", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, 0);
    expect([nth(), nth()]).toEqual([2, 2]);
    pass(HOUR_MS);
    expect(nth()).toBe(2);
    pass(HOUR_MS, 0);
    expect([nth(), nth()]).toEqual([3, 3]);
  });

  it("stays the same while the wall clock is slewed in either direction, however far it drifts", () => {
    for (const slewMs of [30, -30]) {
      const { nth, pass } = setUp();
      for (let minute = 0; minute < 24 * 60; minute += 1) {
        pass(MINUTE_MS + slewMs, MINUTE_MS);
        expect(nth()).toBe(1);
      }
    }
  });

  it("stays the same if the wall clock is set, except under SnapStart", () => {
    const { nth, pass } = setUp({ isSnapStart: false });
    for (const wallMs of [HOUR_MS, -HOUR_MS, 14 * 24 * HOUR_MS]) {
      pass(wallMs, 0);
      expect(nth()).toBe(1);
    }
  });
});
