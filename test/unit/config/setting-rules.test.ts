import { describe, expect, it } from "vitest";
import { list, matching, oneOf, wholeNumber } from "../../../extension/config/setting-rules.ts";

describe("a text with a pattern", () => {
  it("is returned unchanged if it matches, and is undefined otherwise", () => {
    const parse = matching(/^[a-z]+$/);
    expect(["abc", "ABC", "", "abc "].map(parse)).toEqual(["abc", undefined, undefined, undefined]);
  });
});

describe("a whole number", () => {
  const parse = wholeNumber(5, 500);

  it("is accepted from the minimum to the maximum, both included", () => {
    expect(["4", "5", "500", "501"].map(parse)).toEqual([undefined, 5, 500, undefined]);
    expect(wholeNumber(0, 0)("0")).toBe(0);
  });

  it("is returned in another unit, after its bounds were checked in the unit of the text", () => {
    expect(["1", "60", "61"].map(wholeNumber(1, 60, 1_000))).toEqual([1_000, 60_000, undefined]);
  });

  it("may have leading zeros and is still decimal", () => {
    expect(parse("010")).toBe(10);
  });

  it.each(["", " ", "-5", "+5", "5.0", "5e1", "0x10", "5 ", "1_0", "Infinity", "NaN", "five", "٥"])(
    "is not %j",
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );

  it("is undefined if JavaScript would round it", () => {
    expect(wholeNumber(0, Number.POSITIVE_INFINITY)("9007199254740993")).toBeUndefined();
  });
});

describe("one of several words", () => {
  const parse = oneOf("true", "none");

  it("is accepted in any case and returned as the rule spells it", () => {
    expect(["true", "TRUE", "None"].map(parse)).toEqual(["true", "true", "none"]);
  });

  it.each(["", "tru", "true ", "truenone", "constructor"])("is not %j", (text) => {
    expect(parse(text)).toBeUndefined();
  });
});

describe("a list", () => {
  const parse = list((text) => /^[a-z]$/.test(text));

  it("is separated by any number of commas and white space", () => {
    expect(parse("a,b c\td\ne , f,,  g")).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
  });

  it("has each member once, at its first position", () => {
    expect(parse("b,a,b,a")).toEqual(["b", "a"]);
  });

  it.each(["", ",", " , "])("is undefined without a member: %j", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  it("is undefined if any member is invalid", () => {
    expect(parse("a,B,c")).toBeUndefined();
  });
});
