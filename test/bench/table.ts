/** What the terminal shows. Pure. */
import { toText } from "../simulate/figures.ts";
import type { Result, Unit } from "./figure.ts";
import type { Spread } from "./statistics.ts";

/** What the columns are, once. */
export const LEGEND = `All figures are medians of one run, with the quartiles in brackets. What stands beside a figure was measured in turn with it;
the ratio is the median of the ratios of each turn. MB are of 1,000,000 bytes.`;

const HEADINGS = ["", "", "measured", "beside", "", "ratio"];

export function toTable(results: readonly Result[]): string {
  const body = results.flatMap(toRows);
  const rows = [HEADINGS.slice(0, Math.max(...body.map((row) => row.length))), ...body];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const toLine = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return rows.map((row) => `  ${toLine(row).trimEnd()}`).join("\n");
}

function toRows({ what, who, unit, spread, against }: Result): string[][] {
  const own = [what, who, toMeasured(spread, unit)];
  if (against.length === 0) return [own];
  return against.map((other, index) => [
    ...(index === 0 ? own : ["", "", ""]),
    other.who,
    toMeasured(other.spread, unit),
    toSpreadText(other.ratio),
  ]);
}

export const toMeasured = (spread: Spread, unit: Unit): string => {
  const [median, ...rest] = toSpreadText(spread).split(" ");
  return [median, unit, ...rest].join(" ");
};

/** Without brackets where it was measured once, or comes out the same each time. */
function toSpreadText({ lower, median, upper }: Spread): string {
  const [low, middle, high] = [toText(lower), toText(median), toText(upper)];
  return low === high ? middle : `${middle} (${low}–${high})`;
}
