import { describe, expect, it } from "vitest";
import { type TestedRow, toResultTables } from "../../support/result-tables.ts";
import { formatNumber, toTableLines } from "../../support/text-table.ts";

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
  it("has no line without faults", () => {
    expect(toResultTables([])).toEqual([]);
  });

  it("has a line for each fault, below the name of its group", () => {
    const lines = toResultTables([
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
    "puts rows of %s in a table of their own below, which has no column `on`",
    (table) => {
      const lines = toResultTables([toFault({ table, name: "a request" }), toFault()]);
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

  it("says `nothing yet` for a fault whose test was skipped", () => {
    const { seen: _, ...unseen } = toFault({ status: "pending" });
    expect(toResultTables([unseen]).at(-1)).toMatch(/nothing yet {2,}-$/);
  });

  it("wraps long cells, and breaks a word that is longer than its column, without losing a character", () => {
    const seen = `${"word ".repeat(30)}${"x".repeat(100)}`;
    const lines = toResultTables([toFault({ seen })]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(150);
    expect(lines.join("").match(/word/g)).toHaveLength(30);
    expect(lines.slice(2).join("").match(/x/g)).toHaveLength(100);
  });
});

describe("a table of plain text", () => {
  it("makes each column as wide as its widest cell, and aligns cells to the right if asked to", () => {
    const columns = [{ title: "name" }, { title: "ms", isRightAligned: true }];
    expect(toTableLines(columns, [["a", "1,000"], ["longer", "2"], ["none"]], { indent: "  " })).toEqual([
      "  name       ms",
      "  a       1,000",
      "  longer      2",
      "  none",
    ]);
  });

  it("does not count the control characters of colours", () => {
    expect(
      toTableLines(
        [{}, {}],
        [
          ["\u001b[36mab\u001b[39m", "x"],
          ["abc", "y"],
        ],
      ),
    ).toEqual(["\u001b[36mab\u001b[39m   x", "abc  y"]);
  });

  it.each([
    [0, "0"],
    [0.012345, "0.0123"],
    [99.95, "100"],
    [12_345.6, "12,346"],
  ])("shows the number %d as %s", (number, text) => expect(formatNumber(number)).toBe(text));
});
