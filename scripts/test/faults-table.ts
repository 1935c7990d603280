/** The table of the fault suite, out of vitest's report. Pure. */
import type { FaultRow } from "../../test/support/faults.ts";

export interface TestedFault extends FaultRow {
  readonly status: string;
}

const COLUMNS = [
  { title: "fault", width: 44, toCell: ({ name }: TestedFault) => name },
  { title: "on", width: 13, toCell: ({ on }: TestedFault) => on },
  { title: "expected", width: 38, toCell: ({ expected }: TestedFault) => expected },
  { title: "seen", width: 38, toCell: ({ seen = "nothing yet" }: TestedFault) => seen },
  { title: "", width: 7, toCell: ({ status }: TestedFault) => WORDS[status] ?? status },
];
const WORDS: Readonly<Record<string, string>> = { passed: "passed", failed: "FAILED", pending: "-", skipped: "-" };
const GAP = "  ";

/** Lines of plain text, grouped, groups and rows in the order in which they came. */
export function drawFaults(faults: readonly TestedFault[]): string[] {
  if (faults.length === 0) return [];
  const groups = new Set(faults.map(({ group }) => group));
  const lines = [toLine(COLUMNS.map(({ title }) => title)), toLine(COLUMNS.map(({ width }) => "-".repeat(width)))];
  for (const group of groups) {
    lines.push(group.toUpperCase());
    for (const row of faults.filter((fault) => fault.group === group)) {
      const cells = COLUMNS.map(({ toCell, width }) => wrap(toCell(row), width));
      const height = Math.max(...cells.map((cell) => cell.length));
      for (let nth = 0; nth < height; nth += 1) lines.push(toLine(cells.map((cell) => cell[nth] ?? "")));
    }
  }
  return lines;
}

const toLine = (cells: readonly string[]): string =>
  cells
    .map((cell, nth) => cell.padEnd(COLUMNS[nth]?.width ?? 0))
    .join(GAP)
    .trimEnd();

/** At spaces; a word that is longer than the line is cut. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).flatMap((long) => long.match(new RegExp(`.{1,${width}}`, "g")) ?? [])) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}
