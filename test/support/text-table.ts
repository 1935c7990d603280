/** The one printer of tables as plain text. Pure. */
import { stripVTControlCharacters } from "node:util";

export interface TableColumn {
  readonly title?: string;
  /** Longer cells are wrapped. Default: the width of the widest cell. */
  readonly maxWidth?: number;
  readonly isRightAligned?: boolean;
}

const GAP = "  ";
const widthOf = (cell: string): number => stripVTControlCharacters(cell).length;

/** Lines without a line feed. There is a line of titles if a column has one. Rows may be shorter than the table is wide. */
export function toTableLines(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  { indent = "", isTitleUnderlined = false }: { readonly indent?: string; readonly isTitleUnderlined?: boolean } = {},
): string[] {
  const titles = columns.map(({ title = "" }) => title);
  const body = rows.map((row) => columns.map(({ maxWidth }, index) => wrap(row[index] ?? "", maxWidth)));
  const widths = columns.map((_, index) =>
    Math.max(...[[titles[index] ?? ""], ...body.map((cells) => cells[index] ?? [])].flat().map(widthOf)),
  );
  const toLine = (cells: readonly string[]) => {
    const padded = cells.map((cell, index) => {
      const padding = " ".repeat((widths[index] ?? 0) - widthOf(cell));
      return columns[index]?.isRightAligned ? padding + cell : cell + padding;
    });
    return `${indent}${padded.join(GAP)}`.trimEnd();
  };
  return [
    ...(titles.some((title) => title !== "") ? [toLine(titles)] : []),
    ...(isTitleUnderlined ? [toLine(widths.map((width) => "-".repeat(width)))] : []),
    ...body.flatMap((cells) => {
      const height = Math.max(...cells.map(({ length }) => length));
      return Array.from({ length: height }, (_, nth) => toLine(cells.map((lines) => lines[nth] ?? "")));
    }),
  ];
}

/** Breaks a text at its spaces, and a word that is longer than the line. */
function wrap(text: string, maxWidth = Number.POSITIVE_INFINITY): string[] {
  if (widthOf(text) <= maxWidth) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).flatMap((long) => long.match(new RegExp(`.{1,${maxWidth}}`, "g")) ?? [])) {
    if (line !== "" && line.length + 1 + word.length > maxWidth) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** Three significant digits, and a comma between thousands. */
export function formatNumber(number: number): string {
  if (number >= 100) return Math.round(number).toLocaleString("en-US");
  return number === 0 ? "0" : number.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}
