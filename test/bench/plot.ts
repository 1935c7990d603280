/** The ratios as SVG: a row for each key figure, a logarithmic axis, and a line at the ratio 1. Pure. */

import type { Spread } from "../support/statistics.ts";
import { formatNumber } from "../support/text-table.ts";
import { AGENT, type FigureSummary } from "./figure.ts";
import { describeMeasured } from "./report.ts";

const PLOT = { left: 330, width: 420, top: 96 };
const WIDTH = 1_000;
const ROW = 18;
const HEADING = 30;
const FOOT = 40;
/** Smaller ratios are drawn here: a logarithm has no zero, and a layer may add nothing to a start. */
const LEAST = 0.01;

const STYLE = `
  text { font: 11px sans-serif; fill: #444 }
  .title { font-size: 17px; font-weight: bold; fill: #111 }
  .heading { font-weight: bold; fill: #111 }
  .grid { stroke: #e4e4e4 }
  .same { stroke: #777; stroke-dasharray: 4 3 }
  .win { stroke: #1565c0; fill: #1565c0; stroke-width: 2 }
  .loss { stroke: #ef6c00; fill: #ef6c00; stroke-width: 2 }`;

export interface SectionReport {
  readonly title: string;
  readonly results: readonly FigureSummary[];
}

interface PlotRow {
  readonly label: string;
  readonly measured: string;
  readonly ratio: Spread;
  readonly isWin: boolean;
}
interface Group {
  readonly heading: string;
  readonly rows: readonly PlotRow[];
}

export function toPlot(sections: readonly SectionReport[], machine: string): string {
  const groups = sections.flatMap(toGroups);
  const ratios = groups.flatMap(({ rows }) => rows.flatMap(({ ratio: { lower, upper } }) => [lower, upper]));
  const toX = toScale(Math.max(LEAST, Math.min(0.5, ...ratios)), Math.max(2, ...ratios));
  const heights = groups.map(({ rows }) => HEADING + rows.length * ROW);
  const bottom = PLOT.top + heights.reduce((sum, height) => sum + height, 0);
  const title = "The layers, beside the least that could do the same";
  const height = bottom + FOOT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${title}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(20, 28, title, "title"),
    text(20, 48, machine),
    text(
      20,
      66,
      "Ratios of one run: medians, and lines from quartile to quartile. Left of 1 a time or a size is smaller;",
    ),
    text(20, 80, "requests per second are the better the further right. Blue: no worse than what it stands beside."),
    ...toAxis(toX, bottom),
    ...groups.flatMap((group, index) => {
      const above = heights.slice(0, index).reduce((sum, height) => sum + height, PLOT.top);
      return toGroupLines(group, above, toX);
    }),
    "</svg>",
    "",
  ].join("\n");
}

/** A group for each pair in a section: the layer beside the first in the figure's `against`, and beside AWS's agent. */
function toGroups({ title, results }: SectionReport): Group[] {
  const groups = new Map<string, PlotRow[]>();
  for (const { what, who, unit, spread, against, isKey } of results) {
    if (isKey !== true) continue;
    for (const other of against.filter((each, index) => index === 0 || each.who === AGENT)) {
      const heading = `${title}: ${who} / ${other.who}`;
      const isWin = unit === "per s" ? other.ratio.median >= 1 : other.ratio.median <= 1;
      const row = { label: what, measured: describeMeasured(spread, unit), ratio: other.ratio, isWin };
      groups.set(heading, [...(groups.get(heading) ?? []), row]);
    }
  }
  return [...groups].map(([heading, rows]) => ({ heading, rows }));
}

type Scale = (ratio: number) => number;

function toScale(least: number, most: number): Scale & { readonly ticks: readonly number[] } {
  const [low, high] = [Math.log10(least * 0.9), Math.log10(most * 1.1)];
  const ticks = Array.from({ length: 13 }, (_, index) => index - 6)
    .flatMap((decade) => [1, 2, 5].map((digit) => digit * 10 ** decade))
    .filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high);
  return Object.assign(
    (ratio: number) => PLOT.left + (PLOT.width * (Math.log10(Math.max(ratio, LEAST)) - low)) / (high - low),
    {
      ticks,
    },
  );
}

const toAxis = (toX: ReturnType<typeof toScale>, bottom: number): string[] =>
  toX.ticks.flatMap((tick) => [
    line(tick === 1 ? "same" : "grid", [toX(tick), PLOT.top], [toX(tick), bottom]),
    text(toX(tick), bottom + 16, formatNumber(tick), "", "middle"),
  ]);

function toGroupLines({ heading, rows }: Group, y: number, toX: Scale): string[] {
  return [
    text(20, y + 20, heading, "heading"),
    ...rows.flatMap(({ label, measured, ratio, isWin }, index) => {
      const middle = y + HEADING + index * ROW + ROW / 2;
      const kind = isWin ? "win" : "loss";
      return [
        text(PLOT.left - 10, middle + 4, label, "", "end"),
        line(kind, [toX(ratio.lower), middle], [toX(ratio.upper), middle]),
        `<circle class="${kind}" cx="${round(toX(ratio.median))}" cy="${round(middle)}" r="3"/>`,
        text(PLOT.left + PLOT.width + 12, middle + 4, `${formatNumber(ratio.median)}x: ${measured}`),
      ];
    }),
  ];
}

type Point = readonly [x: number, y: number];
const line = (kind: string, [x1, y1]: Point, [x2, y2]: Point): string =>
  `<line class="${kind}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;

/** A tenth of a pixel is enough. */
const round = (number: number): number => Math.round(number * 10) / 10;

function text(x: number, y: number, content: string, cssClass = "", anchor = "start"): string {
  const escaped = content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<text x="${round(x)}" y="${round(y)}" class="${cssClass}" text-anchor="${anchor}">${escaped}</text>`;
}
