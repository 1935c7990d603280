import { describe, expect, it } from "vitest";
import { createRestorable } from "../../../extension/lambda/snapshot.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What is made is numbered; the two clocks go as the test says. */
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
  /** Time passes for whom it passes. */
  const pass = (wallMs: number, monotonicMs = wallMs) => {
    clocks.wallMs += wallMs;
    clocks.monotonicMs += monotonicMs;
  };
  const nth = () => get().nth;
  return { get, nth, pass };
}

describe("what must not outlive a restore", () => {
  it("is made once, before it is asked for, and is then the same", () => {
    const { get, pass } = setUp();
    const first = get();
    expect(first).toEqual({ nth: 1 });
    pass(MINUTE_MS);
    expect(get()).toBe(first);
  });

  it.each([
    ["a minute", MINUTE_MS],
    ["a fortnight", 14 * 24 * HOUR_MS],
  ])("is the same after a freeze of %s, over which both clocks go on", (_, ms) => {
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
  ])("is made anew after a restore %s, which only the wall clock sees", (_, wallMs) => {
    const { nth, pass } = setUp();
    expect(nth()).toBe(1);
    pass(wallMs, 10);
    expect(nth()).toBe(2);
  });

  it("is made anew where the monotonic clock begins anew with the machine", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, -1_000);
    expect(nth()).toBe(2);
  });

  it("is made anew where it was not asked for before the snapshot", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, 0);
    expect(nth()).toBe(2);
  });

  it("is made anew once for each restore", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, 0);
    expect([nth(), nth()]).toEqual([2, 2]);
    pass(HOUR_MS);
    expect(nth()).toBe(2);
    pass(HOUR_MS, 0);
    expect([nth(), nth()]).toEqual([3, 3]);
  });

  it("is the same over a clock that is slewed, however far it comes with time, in either direction", () => {
    for (const slewMs of [30, -30]) {
      const { nth, pass } = setUp();
      for (let minute = 0; minute < 24 * 60; minute += 1) {
        pass(MINUTE_MS + slewMs, MINUTE_MS);
        expect(nth()).toBe(1);
      }
    }
  });

  it("is the same over a clock that is set, anywhere but under SnapStart", () => {
    const { nth, pass } = setUp({ isSnapStart: false });
    for (const wallMs of [HOUR_MS, -HOUR_MS, 14 * 24 * HOUR_MS]) {
      pass(wallMs, 0);
      expect(nth()).toBe(1);
    }
  });
});
