import { describe, expect, it } from "vitest";
import { drawTables, type TestedRow } from "../support/tables.ts";

const toFault = (overrides: Partial<TestedRow> = {}): TestedRow => ({
  table: "fault",
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
    expect(drawTables([])).toEqual([]);
  });

  it("has a line for each fault, below its group's name", () => {
    const lines = drawTables([
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

  it.each(["conformance", "misconfiguration"] as const)(
    "has rows of %s in a table of its own below, which has no place for where",
    (table) => {
      const lines = drawTables([toFault({ table, name: "a request" }), toFault()]);
      expect(lines.map((line) => line.split(/ {2,}/)).filter(([first]) => !first?.startsWith("-"))).toEqual([
        ["fault", "on", "expected", "seen"],
        ["FREEZE"],
        ["a freeze", "layer", "200", "200 after 3 ms", "passed"],
        [""],
        [table, "expected", "seen"],
        ["FREEZE"],
        ["a request", "200", "200 after 3 ms", "passed"],
      ]);
    },
  );

  it("says that a fault which was left out was not seen", () => {
    const { seen: _, ...unseen } = toFault({ status: "pending" });
    expect(drawTables([unseen]).at(-1)).toMatch(/nothing yet {2,}-$/);
  });

  it("wraps what is long, and cuts a word that is longer than its column, without losing a character", () => {
    const seen = `${"word ".repeat(30)}${"x".repeat(100)}`;
    const lines = drawTables([toFault({ seen })]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(150);
    expect(lines.join("").match(/word/g)).toHaveLength(30);
    expect(lines.slice(2).join("").match(/x/g)).toHaveLength(100);
  });
});
