import * as crypto from "node:crypto";
import * as fs from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createRestorable, random } from "../../../extension/lambda/snapshot.ts";

vi.mock("node:fs", { spy: true });
vi.mock("node:crypto", { spy: true });

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

afterEach(() => {
  vi.restoreAllMocks();
  // The call above does not restore the mocked functions of a module.
  vi.resetAllMocks();
});

/** Numbers the values that are created, and has two clocks that a test advances. */
function setUp({ isSnapStart = true } = {}) {
  const clocks = { wallMs: Date.UTC(2026, 0, 1), monotonicMs: 1_234.5 };
  let created = 0;
  const get = createRestorable({
    create: () => {
      created += 1;
      return { nth: created };
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
  it("is created once, before its first use, and stays the same", () => {
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
  ])("is created again after a restore %s, which only the wall clock shows", (_, wallMs) => {
    const { nth, pass } = setUp();
    expect(nth()).toBe(1);
    pass(wallMs, 10);
    expect(nth()).toBe(2);
  });

  it("is created again if the monotonic clock restarts with the machine", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, -1_000);
    expect(nth()).toBe(2);
  });

  it("is created again if it was not used before the snapshot", () => {
    const { nth, pass } = setUp();
    pass(HOUR_MS, 0);
    expect(nth()).toBe(2);
  });

  it("is created again once for each restore", () => {
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

const hasDevice = fs.existsSync("/dev/urandom");
const refuse = (name: string) => {
  throw Object.assign(new Error(`${name} is not there`), { code: "ENOENT" });
};

/** Checks that many draws are in range, distinct and evenly spread. */
function expectLots(draws: readonly number[]): void {
  expect(draws.every((draw) => draw >= 0 && draw < 1)).toBe(true);
  // Two of a thousand draws of 32 bits are the same once in 8,600 times, three once in a hundred million.
  expect(new Set(draws).size).toBeGreaterThanOrEqual(draws.length - 1);
  // Each tenth of the range is hit by a hundred of a thousand, give or take ten at a time.
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const hits = draws.filter((draw) => Math.floor(draw * 10) === tenth).length;
    expect(hits).toBeGreaterThan(30);
  }
}

const draw = (count: number) => Array.from({ length: count }, random);

describe("a random number", () => {
  it("is at least 0, below 1 and different each time", () => {
    expectLots(draw(1_000));
  });

  it.runIf(hasDevice)("comes from the kernel, and from nothing that a snapshot holds", () => {
    vi.spyOn(Math, "random").mockImplementation(() => refuse("Math.random"));
    vi.mocked(crypto.randomBytes).mockImplementation(() => refuse("randomBytes"));
    expectLots(draw(1_000));
    expect(vi.mocked(fs.openSync)).toHaveBeenCalledWith("/dev/urandom", "r");
    expect(vi.mocked(fs.openSync)).toHaveBeenCalledTimes(1_000);
  });

  it.runIf(hasDevice)("leaves no file open, even if the device cannot be read", () => {
    draw(10);
    vi.mocked(fs.readSync).mockImplementation(() => refuse("a byte"));
    expect(draw(1)).toHaveLength(1);
    const opened = vi.mocked(fs.openSync).mock.results.map(({ value }) => value);
    const closed = vi.mocked(fs.closeSync).mock.calls.map(([file]) => file);
    expect(opened).toHaveLength(11);
    expect(closed).toEqual(opened);
  });

  it("is available without the device too", () => {
    vi.mocked(fs.openSync).mockImplementation(() => refuse("/dev/urandom"));
    expectLots(draw(1_000));
  });

  it.each([
    [0, 0],
    [0xff, (2 ** 32 - 1) / 2 ** 32],
  ])("is at an end of the range for bytes of %d", (byte, expected) => {
    vi.mocked(fs.openSync).mockImplementation(() => refuse("/dev/urandom"));
    vi.mocked(crypto.randomBytes).mockImplementation(() => Buffer.alloc(4, byte));
    expect(random()).toBe(expected);
  });
});
