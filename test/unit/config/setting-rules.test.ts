import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  list,
  matching,
  oneOf,
  parseSessionTags,
  sessionTagsRule,
  wholeNumber,
} from "../../../extension/config/setting-rules.ts";

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

describe("session tags", () => {
  it.each([
    ["team=payments", [{ Key: "team", Value: "payments" }]],
    ["team=payments,stage=prod", [{ Key: "team", Value: "payments" }, { Key: "stage", Value: "prod" }]], // biome-ignore format: one row
    [" team = payments , stage= prod ", [{ Key: "team", Value: "payments" }, { Key: "stage", Value: "prod" }]], // biome-ignore format: one row
    ["empty=", [{ Key: "empty", Value: "" }]],
    ["blank= ", [{ Key: "blank", Value: "" }]],
    ["query=a=b=", [{ Key: "query", Value: "a=b=" }]],
    ["two words=more than one", [{ Key: "two words", Value: "more than one" }]],
    ["aZ0_.:/+@-=_.:/=+@-", [{ Key: "aZ0_.:/+@-", Value: "_.:/=+@-" }]],
    ["größe=大", [{ Key: "größe", Value: "大" }]],
    ["awsome=1", [{ Key: "awsome", Value: "1" }]],
    ["team=aws:x", [{ Key: "team", Value: "aws:x" }]],
    ["constructor=1", [{ Key: "constructor", Value: "1" }]],
  ])("are read from %j", (text, tags) => {
    expect(parseSessionTags(text)).toEqual(tags);
  });

  it.each([
    ["nothing", ""],
    ["a key alone", "team"],
    ["a value alone", "=payments"],
    ["a blank key", " =payments"],
    ["a comma too many", "team=payments,"],
    ["a comma too few", "team=payments;stage=prod"],
    ["a key twice", "team=payments,team=billing"],
    ["a key twice, in another case", "team=payments,stage=prod,TEAM=payments"],
    ["a key twice, with space around it", "team=payments, team =billing"],
    ["a reserved key", "aws:team=payments"],
    ["a reserved key, in another case", "AWS:team=payments"],
    ["a reserved key, after a space", " aws:team=payments"],
    ["a wrong pair among right ones", "team=payments,stage,owner=me"],
    ["a line feed", "team=pay\nments"],
    ["a quote", 'team="payments"'],
    ["a star", "team=*"],
    ["an emoji", "team=🦊"],
  ])("are refused for %s", (_, text) => {
    expect(parseSessionTags(text)).toBeUndefined();
  });

  it("are at most 50, with keys of at most 128 characters and values of at most 256", () => {
    const toTags = (count: number) => Array.from({ length: count }, (_, nth) => `k${nth}=v`).join();
    expect(parseSessionTags(`${"k".repeat(128)}=${"v".repeat(256)}`)).toHaveLength(1);
    expect(parseSessionTags(`${"k".repeat(129)}=v`)).toBeUndefined();
    expect(parseSessionTags(`k=${"v".repeat(257)}`)).toBeUndefined();
    expect(parseSessionTags(toTags(50))).toHaveLength(50);
    expect(parseSessionTags(toTags(51))).toBeUndefined();
  });

  it("that are read from any text are valid for STS", () => {
    const letter = fc.constantFrom("a", "A", "w", "s", ":", "=", ",", " ", "\n", "*", "ß", "/", "@");
    const text = fc.oneof(fc.string({ unit: letter, maxLength: 40 }), fc.string({ maxLength: 300 }));
    fc.assert(
      fc.property(text, (given) => {
        const tags = parseSessionTags(given) ?? [];
        const keys = tags.map(({ Key }) => Key.toLowerCase());
        expect(new Set(keys).size).toBe(keys.length);
        for (const { Key, Value } of tags) {
          // https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html
          expect(Key).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u);
          expect(Value).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u);
          expect(Key).not.toMatch(/^\s*aws:|=/i);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("that are written by the rule are read back unchanged", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9_.:/+@-]{1,20}$/);
    const tag = fc.record({ Key: word.filter((key) => !/^aws:/i.test(key)), Value: word });
    const distinct = fc.uniqueArray(tag, {
      minLength: 1,
      maxLength: 50,
      selector: ({ Key }) => Key.toLowerCase(),
    });
    fc.assert(
      fc.property(distinct, fc.constantFrom(",", ", ", " ,"), (tags, comma) => {
        expect(parseSessionTags(tags.map(({ Key, Value }) => `${Key}=${Value}`).join(comma))).toEqual(tags);
      }),
    );
  });

  it("have a rule text that names each limit", () => {
    for (const limit of ["50", "128", "256", "aws:"]) expect(sessionTagsRule).toContain(limit);
  });
});
