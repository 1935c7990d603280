import { describe, expect, it } from "vitest";
import { list, matching, oneOf, wholeNumber } from "../../../extension/config/rules.ts";

describe("a text that has to match", () => {
  it("is taken as it is, or not at all", () => {
    const parse = matching(/^[a-z]+$/);
    expect(["abc", "ABC", "", "abc "].map(parse)).toEqual(["abc", undefined, undefined, undefined]);
  });
});

describe("a whole number", () => {
  const parse = wholeNumber(5, 500);

  it("is taken from the least to the most, both included", () => {
    expect(["4", "5", "500", "501"].map(parse)).toEqual([undefined, 5, 500, undefined]);
    expect(wholeNumber(0, 0)("0")).toBe(0);
  });

  it("is given back in the unit that is asked for, its bounds being as written", () => {
    expect(["1", "60", "61"].map(wholeNumber(1, 60, 1_000))).toEqual([1_000, 60_000, undefined]);
  });

  it("may have zeros before it, and is decimal all the same", () => {
    expect(parse("010")).toBe(10);
  });

  it.each(["", " ", "-5", "+5", "5.0", "5e1", "0x10", "5 ", "1_0", "Infinity", "NaN", "five", "٥"])(
    "is not %j",
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );

  it("is not one that JavaScript would round", () => {
    expect(wholeNumber(0, Number.POSITIVE_INFINITY)("9007199254740993")).toBeUndefined();
  });
});

describe("one of several words", () => {
  const parse = oneOf("true", "none");

  it("is taken in any case, and given back in ours", () => {
    expect(["true", "TRUE", "None"].map(parse)).toEqual(["true", "true", "none"]);
  });

  it.each(["", "tru", "true ", "truenone", "constructor"])("is not %j", (text) => {
    expect(parse(text)).toBeUndefined();
  });
});

describe("a list", () => {
  const parse = list((text) => /^[a-z]$/.test(text));

  it("is separated by commas, by spaces of any kind, or by both, as often as one likes", () => {
    expect(parse("a,b c\td\ne , f,,  g")).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });

  it("has each member once, where it stood first", () => {
    expect(parse("b,a,b,a")).toEqual(["b", "a"]);
  });

  it.each(["", ",", " , "])("is none without a member: %j", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  it("is none where any member is wrong, rather than a shorter one", () => {
    expect(parse("a,B,c")).toBeUndefined();
  });
});
