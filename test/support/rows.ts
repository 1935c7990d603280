import { it } from "vitest";

/** A row of a table that is printed after the tests: what is asked or what goes wrong, what is to be seen then, and what was. */
export interface Row {
  readonly table: "fault" | "conformance" | "misconfiguration";
  readonly group: string;
  readonly name: string;
  readonly expected: string;
  /** Where it was tried, in a table that says so. */
  readonly on?: string;
  readonly seen?: string;
}

declare module "vitest" {
  interface TaskMeta {
    row?: Row;
  }
}

export type See = (seen: string) => void;

/**
 * A test that is a row. `run` says what it sees, out of what it observed and before it judges that, so that a row which does
 * not pass shows it too.
 */
export function testRow(row: Omit<Row, "seen">, timeoutMs: number | undefined, run: (see: See) => Promise<void>): void {
  const options = { meta: { row }, ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) };
  it(`${row.group}: ${row.name}`, options, ({ task }) =>
    run((seen) => {
      task.meta.row = { ...row, seen };
    }),
  );
}
