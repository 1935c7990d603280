/** The tables of the faults, of the conformance suite and of the misconfigurations, out of vitest's report. Pure. */
import type { Row } from "./rows.ts";

export interface TestedRow extends Row {
  readonly status: string;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly toCell: (row: TestedRow) => string;
}

const TABLES: Readonly<Record<Row["table"], readonly Column[]>> = {
  fault: toColumns("fault", 44, 38, [{ title: "on", width: 13, toCell: ({ on = "" }) => on }]),
  conformance: toColumns("conformance", 48, 44, []),
  misconfiguration: toColumns("misconfiguration", 50, 46, []),
};
const WORDS: Readonly<Record<string, string>> = { passed: "passed", failed: "FAILED", pending: "-", skipped: "-" };
const GAP = "  ";

/** Lines of plain text: the tables of which there are rows; groups and rows in the order in which they came. */
export function drawTables(rows: readonly TestedRow[]): string[] {
  const tables = (["fault", "conformance", "misconfiguration"] as const).map((table) =>
    drawTable(
      TABLES[table],
      rows.filter((row) => row.table === table),
    ),
  );
  return tables.filter((lines) => lines.length > 0).flatMap((lines, nth) => (nth === 0 ? lines : ["", ...lines]));
}

function drawTable(columns: readonly Column[], rows: readonly TestedRow[]): string[] {
  if (rows.length === 0) return [];
  const toLine = (cells: readonly string[]): string =>
    cells
      .map((cell, nth) => cell.padEnd(columns[nth]?.width ?? 0))
      .join(GAP)
      .trimEnd();
  const lines = [toLine(columns.map(({ title }) => title)), toLine(columns.map(({ width }) => "-".repeat(width)))];
  for (const group of new Set(rows.map((row) => row.group))) {
    lines.push(group.toUpperCase());
    for (const row of rows.filter((other) => other.group === group)) {
      const cells = columns.map(({ toCell, width }) => wrap(toCell(row), width));
      const height = Math.max(...cells.map((cell) => cell.length));
      for (let nth = 0; nth < height; nth += 1) lines.push(toLine(cells.map((cell) => cell[nth] ?? "")));
    }
  }
  return lines;
}

function toColumns(title: string, nameWidth: number, width: number, others: readonly Column[]): readonly Column[] {
  return [
    { title, width: nameWidth, toCell: ({ name }) => name },
    ...others,
    { title: "expected", width, toCell: ({ expected }) => expected },
    { title: "seen", width, toCell: ({ seen = "nothing yet" }) => seen },
    { title: "", width: 7, toCell: ({ status }) => WORDS[status] ?? status },
  ];
}

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
