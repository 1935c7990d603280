import * as crypto from "node:crypto";
import * as fs from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { random } from "../../../extension/lambda/snapshot.ts";

vi.mock("node:fs", { spy: true });
vi.mock("node:crypto", { spy: true });

const hasDevice = fs.existsSync("/dev/urandom");
const refuse = (name: string) => {
  throw Object.assign(new Error(`${name} is not there`), { code: "ENOENT" });
};

afterEach(() => {
  vi.restoreAllMocks();
  // The call above does not restore the mocked functions of a module.
  vi.resetAllMocks();
});

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
