import { describe, expect, it, vi } from "vitest";
import { memoizeObjects, memoizeTexts } from "../../../extension/cache/memoize.ts";

describe("what is remembered of a text", () => {
  it("is worked out once, undefined among it", () => {
    const workOut = vi.fn((text: string) => (text === "" ? undefined : text.length));
    const remembered = memoizeTexts(workOut, 10);
    expect(["one", "three", "", "one", ""].map(remembered)).toEqual([3, 5, undefined, 3, undefined]);
    expect(workOut.mock.calls).toEqual([["one"], ["three"], [""]]);
  });

  it("is forgotten, the oldest first, when there is too much of it", () => {
    const workOut = vi.fn((text: string) => text);
    const remembered = memoizeTexts(workOut, 2);
    for (const text of ["a", "b", "c", "c", "b", "a"]) remembered(text);
    expect(workOut.mock.calls.flat()).toEqual(["a", "b", "c", "a"]);
  });

  it("is no failure: that is worked out again", () => {
    let isBroken = true;
    const remembered = memoizeTexts((text) => {
      if (isBroken) throw new Error("not yet");
      return text;
    }, 2);
    expect(() => remembered("a")).toThrow("not yet");
    isBroken = false;
    expect(remembered("a")).toBe("a");
  });
});

describe("what is remembered of an object", () => {
  it("is worked out once for each, however alike they are", () => {
    const workOut = vi.fn(({ name }: { name: string }) => name);
    const remembered = memoizeObjects(workOut);
    const [one, other] = [{ name: "a" }, { name: "a" }];
    expect([one, other, one, other].map(remembered)).toEqual(["a", "a", "a", "a"]);
    expect(workOut).toHaveBeenCalledTimes(2);
  });

  it("is worked out once where it is nothing", () => {
    const workOut = vi.fn();
    const remembered = memoizeObjects(workOut);
    const object = {};
    remembered(object);
    remembered(object);
    expect(workOut).toHaveBeenCalledTimes(1);
  });

  it("is no failure: that is worked out again", () => {
    const workOut = vi.fn(() => {
      throw new Error("no");
    });
    const remembered = memoizeObjects(workOut);
    const object = {};
    for (const _ of [1, 2]) expect(() => remembered(object)).toThrow("no");
    expect(workOut).toHaveBeenCalledTimes(2);
  });
});
