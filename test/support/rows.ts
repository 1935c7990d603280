import { it } from "vitest";

/** A row of a table that is printed after the tests: a request or a fault, what is expected then, and what was seen. */
export interface Row {
  readonly table: "fault" | "conformance" | "misconfiguration";
  readonly group: string;
  readonly name: string;
  readonly expected: string;
  /** The test environment, in a table that has a column for it. */
  readonly on?: string;
  readonly seen?: string;
}

declare module "vitest" {
  interface TaskMeta {
    row?: Row;
  }
}

export type See = (seen: string) => void;

/** Defines a test that is a row. `run` reports what it sees before it asserts anything, so that a failed row shows it too. */
export function testRow(row: Omit<Row, "seen">, timeoutMs: number | undefined, run: (see: See) => Promise<void>): void {
  const options = { meta: { row }, ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) };
  it(`${row.group}: ${row.name} → ${row.expected}`, options, ({ task }) =>
    run((seen) => {
      task.meta.row = { ...row, seen };
    }),
  );
}
