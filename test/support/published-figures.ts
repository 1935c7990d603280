/** A figure in the table that `npm run bench` prints. */
export interface PublishedFigure {
  readonly section: string;
  readonly what: string;
  readonly who: string;
  /** The median with its unit, without quartiles. */
  readonly median: string;
  readonly beside: readonly { readonly who: string; readonly ratio: string }[];
}

/** A column is as wide as its widest cell in the section, plus two spaces. In further rows of a figure the first three cells are empty. */
export function parsePublishedFigures(table: string): readonly PublishedFigure[] {
  return table.split(/\n\n/).flatMap((text) => {
    const [section = "", headings = "", ...lines] = text.split("\n");
    const at = ["measured", "beside", "ratio"].map((heading) => headings.indexOf(heading));
    const [measured = -1, beside = -1, ratio = -1] = at;
    if (measured < 0) return [];
    const figures: { -readonly [K in keyof PublishedFigure]: PublishedFigure[K] }[] = [];
    for (const line of lines.filter((candidate) => !candidate.startsWith("  - "))) {
      const [, what = "", who = ""] = /^ {2}(.*?) {2,}(.*?) *$/.exec(line.slice(0, measured)) ?? [];
      if (what !== "") figures.push({ section, what, who, median: toMedian(line.slice(measured, beside)), beside: [] });
      const last = figures.at(-1);
      const [other = ""] = beside < 0 ? [] : line.slice(beside).split(/ {2,}/);
      if (last === undefined || other === "") continue;
      last.beside = [...last.beside, { who: other, ratio: toMedian(line.slice(ratio)) }];
    }
    return figures;
  });
}

const toMedian = (cell: string): string => cell.replace(/\(.*/, "").trim();
