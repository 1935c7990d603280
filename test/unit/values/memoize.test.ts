import { describe, expect, it, vi } from "vitest";
import { memoizeObjects, memoizeTexts } from "../../../extension/values/memoize.ts";

describe("a memoized function of a text", () => {
  it("computes each result once, also if it is undefined", () => {
    const compute = vi.fn((text: string) => (text === "" ? undefined : text.length));
    const memoized = memoizeTexts(compute, 10);
    expect(["one", "three", "", "one", ""].map(memoized)).toEqual([3, 5, undefined, 3, undefined]);
    expect(compute.mock.calls).toEqual([["one"], ["three"], [""]]);
  });

  it("forgets the oldest result if there are too many", () => {
    const compute = vi.fn((text: string) => text);
    const memoized = memoizeTexts(compute, 2);
    for (const text of ["a", "b", "c", "c", "b", "a"]) memoized(text);
    expect(compute.mock.calls.flat()).toEqual(["a", "b", "c", "a"]);
  });

  it("computes again after a failure", () => {
    let isBroken = true;
    const memoized = memoizeTexts((text) => {
      if (isBroken) throw new Error("not yet");
      return text;
    }, 2);
    expect(() => memoized("a")).toThrow("not yet");
    isBroken = false;
    expect(memoized("a")).toBe("a");
  });
});

describe("a memoized function of an object", () => {
  it("computes the result once for each object, even if two are equal", () => {
    const compute = vi.fn(({ name }: { name: string }) => name);
    const memoized = memoizeObjects(compute);
    const [one, other] = [{ name: "a" }, { name: "a" }];
    expect([one, other, one, other].map(memoized)).toEqual(["a", "a", "a", "a"]);
    expect(compute).toHaveBeenCalledTimes(2);
  });

  it("computes a result once, also if it is undefined", () => {
    const compute = vi.fn();
    const memoized = memoizeObjects(compute);
    const object = {};
    memoized(object);
    memoized(object);
    expect(compute).toHaveBeenCalledTimes(1);
  });

  it("computes again after a failure", () => {
    const compute = vi.fn(() => {
      throw new Error("no");
    });
    const memoized = memoizeObjects(compute);
    const object = {};
    for (const _ of [1, 2]) expect(() => memoized(object)).toThrow("no");
    expect(compute).toHaveBeenCalledTimes(2);
  });
});
