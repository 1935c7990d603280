/** The tables of the faults, of the conformance suite and of the misconfigurations, from vitest's report. Pure. */
import type { Row } from "./rows.ts";
import { toTableLines } from "./text-table.ts";

export interface TestedRow extends Row {
  readonly status: string;
}

interface ResultColumn {
  readonly title: string;
  readonly maxWidth: number;
  readonly toCell: (row: TestedRow) => string;
}

const TABLES: Readonly<Record<Row["table"], readonly ResultColumn[]>> = {
  fault: toColumns("fault", 44, 38, [{ title: "on", maxWidth: 13, toCell: ({ on = "" }) => on }]),
  conformance: toColumns("conformance", 48, 44, []),
  misconfiguration: toColumns("misconfiguration", 50, 46, []),
};
const STATUSES: Readonly<Record<string, string>> = { passed: "passed", failed: "FAILED", pending: "-", skipped: "-" };

/** Lines of plain text: each table that has rows; groups and rows in the given order. */
export function toResultTables(rows: readonly TestedRow[]): string[] {
  const tables = (["fault", "conformance", "misconfiguration"] as const).map((table) =>
    toResultTable(
      TABLES[table],
      rows.filter((row) => row.table === table),
    ),
  );
  return tables.filter(({ length }) => length > 0).flatMap((lines, nth) => (nth === 0 ? lines : ["", ...lines]));
}

function toResultTable(columns: readonly ResultColumn[], rows: readonly TestedRow[]): string[] {
  if (rows.length === 0) return [];
  const cells = [...new Set(rows.map(({ group }) => group))].flatMap((group) => [
    [group.toUpperCase()],
    ...rows.filter((row) => row.group === group).map((row) => columns.map(({ toCell }) => toCell(row))),
  ]);
  return toTableLines(columns, cells, { isTitleUnderlined: true });
}

function toColumns(
  title: string,
  nameWidth: number,
  maxWidth: number,
  others: readonly ResultColumn[],
): readonly ResultColumn[] {
  return [
    { title, maxWidth: nameWidth, toCell: ({ name }) => name },
    ...others,
    { title: "expected", maxWidth, toCell: ({ expected }) => expected },
    { title: "seen", maxWidth, toCell: ({ seen = "nothing yet" }) => seen },
    { title: "", maxWidth: 7, toCell: ({ status }) => STATUSES[status] ?? status },
  ];
}
