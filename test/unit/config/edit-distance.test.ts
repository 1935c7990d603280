import { describe, expect, it } from "vitest";
import { editDistance } from "../../../extension/config/config.ts";

describe("the edit distance", () => {
  it.each([
    ["", "", 0],
    ["doctor", "doctor", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["doctr", "doctor", 1],
    ["doctorr", "doctor", 1],
    ["doktor", "doctor", 1],
    ["dcotor", "doctor", 2],
    ["kitten", "sitting", 3],
  ])("from %j to %j is %i, in both directions", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});
