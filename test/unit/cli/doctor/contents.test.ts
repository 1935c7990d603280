import { describe, expect, it } from "vitest";
import { toContents, toContentsText } from "../../../../scripts/cli/doctor/contents.ts";

const tell = (value: string | Uint8Array) => toContentsText(toContents(value));

describe("doctor shows of a secret", () => {
  it.each([
    ["the names of a JSON object's fields, sorted", '{"username":"u","password":"p"}', "password, username"],
    ["that a JSON object has no fields", "{}", "a JSON object without fields"],
    ["the length of a text", "hunter2", "a text of 7 characters"],
    ["the length in characters, not in the units that JavaScript counts", "🔑", "a text of 1 character"],
    ["that a text is empty", "", "a text of 0 characters"],
    ["only the length of a JSON array", '["p"]', "a text of 5 characters"],
    ["only the length of a JSON text", '"p"', "a text of 3 characters"],
    ["only the length of a JSON null", "null", "a text of 4 characters"],
    ["only the length of a text that only looks like JSON", '{"password":"p"', "a text of 15 characters"],
  ])("%s", (_, secret, told) => {
    expect(tell(secret)).toBe(told);
  });

  it.each([
    [512, "binary, 512 bytes"],
    [1, "binary, 1 byte"],
  ])("the size of a binary secret: %i", (size, told) => {
    expect(tell(Buffer.alloc(size, "{"))).toBe(told);
  });

  it("escaped names of fields, so that one cannot look like two or move a terminal's cursor", () => {
    const keys = ["a, b", "\u001b[2J", "\u009b2J", "\u202ex", "ä"];
    expect(tell(JSON.stringify(Object.fromEntries(keys.map((key) => [key, 1]))))).toBe(
      String.raw`"\u001b[2J", "a, b", "\u{9b}2J", "ä", "\u{202e}x"`,
    );
  });
});
