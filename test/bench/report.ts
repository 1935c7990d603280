/** The report of a section, as text. Pure. */

import type { Spread } from "../support/statistics.ts";
import { formatNumber, toTableLines } from "../support/text-table.ts";
import type { FigureSummary, Unit } from "./figure.ts";

/** Explains the columns. */
export const LEGEND = `All figures are medians of one run, with the quartiles in brackets. What stands beside a figure was measured in turn with it;
the ratio is the median of the ratios of each turn. MB are of 1,000,000 bytes.`;

const TITLES = ["", "", "measured", "beside", "", "ratio"];

export function toSectionTable(summaries: readonly FigureSummary[]): string {
  const rows = summaries.flatMap(toRows);
  const columns = TITLES.slice(0, Math.max(...rows.map(({ length }) => length))).map((title) => ({ title }));
  return toTableLines(columns, rows, { indent: "  " }).join("\n");
}

function toRows({ what, who, unit, spread, against }: FigureSummary): string[][] {
  const own = [what, who, describeMeasured(spread, unit)];
  if (against.length === 0) return [own];
  return against.map((other, index) => [
    ...(index === 0 ? own : ["", "", ""]),
    other.who,
    describeMeasured(other.spread, unit),
    describeSpread(other.ratio),
  ]);
}

export const describeMeasured = (spread: Spread, unit: Unit): string => {
  const [median, ...rest] = describeSpread(spread).split(" ");
  return [median, unit, ...rest].join(" ");
};

/** Without brackets if there is only one measurement, or if all are the same. */
function describeSpread({ lower, median, upper }: Spread): string {
  const [low, middle, high] = [formatNumber(lower), formatNumber(median), formatNumber(upper)];
  return low === high ? middle : `${middle} (${low}–${high})`;
}
