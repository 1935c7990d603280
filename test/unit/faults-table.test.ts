import { describe, expect, it } from "vitest";
import { drawFaults, type TestedFault } from "../../scripts/test/faults-table.ts";

const toFault = (overrides: Partial<TestedFault> = {}): TestedFault => ({
  group: "freeze",
  name: "a freeze",
  on: "layer",
  expected: "200",
  seen: "200 after 3 ms",
  status: "passed",
  ...overrides,
});

describe("the table of faults", () => {
  it("is empty without faults", () => {
    expect(drawFaults([])).toEqual([]);
  });

  it("has a line for each fault, below its group's name", () => {
    const lines = drawFaults([
      toFault(),
      toFault({ group: "crash", name: "a crash", status: "failed" }),
      toFault({ name: "another" }),
    ]);
    expect(lines.slice(2).map((line) => line.split(/ {2,}/))).toEqual([
      ["FREEZE"],
      ["a freeze", "layer", "200", "200 after 3 ms", "passed"],
      ["another", "layer", "200", "200 after 3 ms", "passed"],
      ["CRASH"],
      ["a crash", "layer", "200", "200 after 3 ms", "FAILED"],
    ]);
  });

  it("says that a fault which was left out was not seen", () => {
    const { seen: _, ...unseen } = toFault({ status: "pending" });
    expect(drawFaults([unseen]).at(-1)).toMatch(/nothing yet {2,}-$/);
  });

  it("wraps what is long, and cuts a word that is longer than its column, without losing a character", () => {
    const seen = `${"word ".repeat(30)}${"x".repeat(100)}`;
    const lines = drawFaults([toFault({ seen })]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(150);
    expect(lines.join("").match(/word/g)).toHaveLength(30);
    expect(lines.slice(2).join("").match(/x/g)).toHaveLength(100);
  });
});
