/** Calls per second over time, as SVG: a row for each scenario, a panel for each service. Pure. */
import { type Operation, quotas } from "./aws.ts";
import { toText } from "./figures.ts";
import type { Result } from "./run.ts";
import { round, text, toSvg } from "./svg.ts";
import { operations, type Seconds, type Tally, toGuideCalls, toPeak, toTotal } from "./tally.ts";

const PANEL = { width: 440, height: 120 };
const MARGIN = { left: 56, top: 74, between: 104, right: 58 };
const ROW = { heading: 36, height: PANEL.height + 80 };
const SERVICES: Record<Operation, string> = {
  AssumeRole: "STS AssumeRole",
  GetSecretValue: "Secrets Manager GetSecretValue",
};
const BINS = 220;
/** What is below is drawn there: a logarithm has no zero. */
const FLOOR_PER_SECOND = 0.1;

const STYLE = `
  text { font: 11px sans-serif; fill: #444 }
  .title { font-size: 17px; font-weight: bold; fill: #111 }
  .heading { font-size: 12px; font-weight: bold; fill: #111 }
  .grid { stroke: #e4e4e4 }
  .axis { stroke: #999; fill: none }
  .turn { stroke: #777; stroke-dasharray: 2 3 }
  .quota { stroke: #c62828; stroke-dasharray: 7 4; stroke-width: 1.3 }
  .layer { stroke: #1565c0; fill: none; stroke-width: 1.5 }
  .guide { stroke: #ef6c00; fill: none; stroke-width: 1.5 }
  .layer-peaks { fill: #1565c0; opacity: .22 }
  .guide-peaks { fill: #ef6c00; opacity: .22 }
  .quota-text { fill: #c62828 }`;

export function toPlot(results: readonly Result[]): string {
  const width = MARGIN.left + operations.length * (PANEL.width + MARGIN.between) - MARGIN.between + MARGIN.right;
  const height = MARGIN.top + results.length * ROW.height;
  const rows = results.map((result, index) => toRow(result, MARGIN.top + index * ROW.height));
  return toSvg({
    width,
    height,
    title: "Calls to STS and Secrets Manager by a fleet of execution environments",
    style: STYLE,
    content: [
      text(MARGIN.left, 26, "Calls per second of a fleet of execution environments", "title"),
      ...toLegend(),
      ...rows,
    ],
  });
}

function toLegend(): string[] {
  const entry = (x: number, kind: string, label: string) => [
    `<line class="${kind}" x1="${x}" y1="46" x2="${x + 26}" y2="46"/>`,
    text(x + 32, 50, label),
  ];
  return [
    ...entry(MARGIN.left, "layer", "this layer"),
    ...entry(MARGIN.left + 120, "guide", "the guide's code: both calls in every invocation"),
    ...entry(MARGIN.left + 440, "quota", "AWS's default quota"),
    text(MARGIN.left + 620, 50, "lines: means, shades: up to the busiest second"),
  ];
}

function toRow({ title, tally, turns }: Result, y: number): string {
  const guides = toGuideCalls(tally);
  const scale = toScale(tally);
  const panels = operations.map((operation, index) => {
    const [ours, others] = [tally.calls[operation], guides[operation]];
    const peaks = `peak ${toText(toPeak(ours))}/s, the guide's ${toText(toPeak(others))}/s`;
    return [
      `<g transform="translate(${MARGIN.left + index * (PANEL.width + MARGIN.between)} ${y + ROW.heading})">`,
      text(0, -7, `${SERVICES[operation]}: ${peaks}`),
      ...toGrid(scale),
      ...turns.flatMap(({ atS, label }) => toTurn(scale.toX(atS), label)),
      ...toCurve("guide", others, scale),
      ...toCurve("layer", ours, scale),
      ...toQuota(operation, scale),
      `<path class="axis" d="M0 0V${PANEL.height}H${PANEL.width}"/>`,
      "</g>",
    ].join("\n");
  });
  return [text(MARGIN.left, y + 12, title, "heading"), ...panels].join("\n");
}

interface Scale {
  readonly toX: (atS: number) => number;
  readonly toY: (perSecond: number) => number;
  readonly decades: number;
  readonly durationS: number;
}

/** Of whole decades, from the floor to above all that is to be shown. */
function toScale(tally: Tally): Scale {
  const { durationS, calls, invocations } = tally;
  const peaks = [...Object.values(calls), invocations].map((seconds) => toPeak(seconds));
  const decades = Math.floor(Math.log10(Math.max(...peaks, ...Object.values(quotas)) / FLOOR_PER_SECOND)) + 1;
  const toDecade = (perSecond: number) => Math.log10(Math.max(perSecond, FLOOR_PER_SECOND) / FLOOR_PER_SECOND);
  return {
    toX: (atS) => (atS / durationS) * PANEL.width,
    toY: (perSecond) => PANEL.height * (1 - toDecade(perSecond) / decades),
    decades,
    durationS,
  };
}

function toGrid({ toX, toY, decades, durationS }: Scale): string[] {
  const values = Array.from({ length: decades + 1 }, (_, decade) => FLOOR_PER_SECOND * 10 ** decade);
  const [unitS, unit] = durationS > 7_200 ? [3_600, "h"] : durationS > 120 ? [60, "min"] : [1, "s"];
  const stepS = unitS * ([1, 2, 4, 5, 10, 15, 20, 30].find((step) => durationS / unitS / step <= 8) ?? 60);
  const times = Array.from({ length: Math.floor(durationS / stepS) + 1 }, (_, index) => index * stepS);
  return [
    ...values.flatMap((value, index) => [
      `<line class="grid" x1="0" y1="${round(toY(value))}" x2="${PANEL.width}" y2="${round(toY(value))}"/>`,
      index % 2 === 1 || decades < 5 ? text(-6, toY(value) + 4, toText(value), "", "end") : "",
    ]),
    ...times.map((atS) => text(toX(atS), PANEL.height + 15, `${atS / unitS} ${unit}`, "", "middle")),
  ];
}

/** The mean of each stretch of time as a line, and from there to its busiest second a shade. */
function toCurve(kind: string, seconds: Seconds, { toX, toY, durationS }: Scale): string[] {
  const binS = Math.max(1, Math.ceil(durationS / BINS));
  const bins = Array.from({ length: Math.ceil(durationS / binS) }, (_, index) => {
    const [fromS, toS] = [index * binS, Math.min(durationS, (index + 1) * binS)];
    const x = round(toX((fromS + toS) / 2));
    return {
      mean: `${x} ${round(toY(toTotal(seconds, fromS, toS) / (toS - fromS)))}`,
      peak: `${x} ${round(toY(toPeak(seconds, fromS, toS)))}`,
    };
  });
  const means = bins.map(({ mean }) => mean);
  const peaks = bins.map(({ peak }) => peak);
  const shade = binS > 1 ? [`<path class="${kind}-peaks" d="M${[...means, ...peaks.reverse()].join("L")}Z"/>`] : [];
  return [...shade, `<path class="${kind}" d="M${means.join("L")}"/>`];
}

function toTurn(x: number, label: string): string[] {
  return [`<line class="turn" x1="${round(x)}" y1="0" x2="${round(x)}" y2="${PANEL.height}"/>`, text(x + 4, 11, label)];
}

function toQuota(operation: Operation, { toY }: Scale): string[] {
  const y = round(toY(quotas[operation]));
  return [
    `<line class="quota" x1="0" y1="${y}" x2="${PANEL.width}" y2="${y}"/>`,
    text(PANEL.width + 5, y + 4, `${toText(quotas[operation])}/s`, "quota-text"),
  ];
}
