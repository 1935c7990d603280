/** Draws who did what when, as bars over one time axis. Pure. */

export interface Span {
  readonly label: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly remark: string;
}

const LABEL_COLUMNS = 20;
const BAR_COLUMNS = 40;

/** One line a span. `paint` colours a bar; the identity leaves it plain. */
export function drawTimeline(spans: readonly Span[], paint: (bar: string) => string): string[] {
  const endMs = Math.max(1, ...spans.map(({ toMs }) => toMs));
  const toColumn = (ms: number) => Math.min(BAR_COLUMNS, Math.max(0, Math.round((ms / endMs) * BAR_COLUMNS)));
  const axis = `0${`${Math.round(endMs)} ms`.padStart(BAR_COLUMNS - 1)}`;
  const lines = spans.map(({ label, fromMs, toMs, remark }) => {
    const from = Math.min(toColumn(fromMs), BAR_COLUMNS - 1);
    const length = Math.max(1, toColumn(toMs) - from);
    const bar = `${" ".repeat(from)}${paint("━".repeat(length))}${" ".repeat(Math.max(0, BAR_COLUMNS - from - length))}`;
    return `${label.padEnd(LABEL_COLUMNS)}${bar}  ${`${Math.round(toMs - fromMs)} ms`.padStart(6)}  ${remark}`;
  });
  return [`${" ".repeat(LABEL_COLUMNS)}${axis}`, ...lines];
}
