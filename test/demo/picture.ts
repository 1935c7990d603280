/** What the demo shows of one function, in lines of at most 78 columns. Pure. */
import { type TableColumn, toTableLines } from "../support/text-table.ts";

export interface Span {
  readonly label: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** At most 18 characters. */
  readonly remark: string;
}

export interface DemoRun {
  /** The language and version of the interpreter that ran. */
  readonly title: string;
  readonly spans: readonly Span[];
  readonly invocations: readonly {
    readonly ms: number;
    readonly answer: Readonly<Record<string, readonly string[]>>;
  }[];
  readonly shutdown: { readonly ms: number; readonly exitCode: number | null };
  readonly hits: number;
  /** Operation → number of calls. */
  readonly calls: Readonly<Record<string, number>>;
}

type Paint = (style: "bold" | "cyan" | "green", text: string) => string;

const BAR_COLUMNS = 28;
const RIGHT: TableColumn = { isRightAligned: true };

export function toPicture({ title, spans, invocations, shutdown, hits, calls }: DemoRun, paint: Paint): string[] {
  const toMs = (ms: number) => `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
  const rows = invocations.map(({ ms, answer }, index) => {
    const keys = Object.entries(answer).map(([when, names]) => `${when}: ${names.join(", ")}`);
    return [`invocation ${index + 1}`, toMs(ms), keys.join("; ")];
  });
  rows.push(["shutdown", toMs(shutdown.ms), `exit code ${shutdown.exitCode}`]);
  const counts = Object.entries(calls).map(([operation, count]) => `${count} × ${operation}`);
  return [
    paint("bold", title),
    "",
    ...toTimeline(spans, paint),
    "",
    ...toTableLines([{}, RIGHT, {}], rows, { indent: "  " }),
    "",
    `  ${invocations.length + 1} reads, ${hits} of them from memory; ${paint("green", `${counts.join(" and ")} at AWS`)}`,
  ];
}

/** Bars over one time axis, one line for each span. */
function toTimeline(spans: readonly Span[], paint: Paint): string[] {
  const endMs = Math.max(1, ...spans.map(({ toMs }) => toMs));
  const toColumn = (ms: number) => Math.min(BAR_COLUMNS, Math.max(0, Math.round((ms / endMs) * BAR_COLUMNS)));
  const axis = `0${`${Math.round(endMs)} ms`.padStart(BAR_COLUMNS - 1)}`;
  const rows = spans.map(({ label, fromMs, toMs, remark }) => {
    const from = Math.min(toColumn(fromMs), BAR_COLUMNS - 1);
    const bar = " ".repeat(from) + paint("cyan", "━".repeat(Math.max(1, toColumn(toMs) - from)));
    return [label, bar, `${Math.round(toMs - fromMs)} ms`, remark];
  });
  return toTableLines([{}, {}, RIGHT, {}], [["", axis], ...rows], { indent: "  " });
}
