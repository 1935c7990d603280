import { type Row, type See, testRow } from "./rows.ts";

/** A row of the table that `npm run faults` prints. */
interface FaultRow extends Omit<Row, "table" | "seen"> {
  /**
   * `layer`: the built layer as a process, between a fake Lambda and a fake AWS. `virtual clock`: the same code in the test
   * or in another process, where an hour passes at once. `emulator`: the layer in AWS's Runtime Interface Emulator.
   */
  readonly on: "layer" | "virtual clock" | "emulator";
  /** Default: the time limit of the test project. */
  readonly timeoutMs?: number;
}

export function fault({ timeoutMs, ...row }: FaultRow, run: (see: See) => Promise<void>): void {
  testRow({ table: "fault", ...row }, timeoutMs, run);
}

type DefineRow = (name: string, expected: string, run: (see: See) => Promise<void>) => void;

/** Defines the rows of one group. */
export function createFaultRows(group: string, on: FaultRow["on"], timeoutMs?: number): DefineRow {
  return (name, expected, run) => fault({ group, on, name, expected, ...(timeoutMs && { timeoutMs }) }, run);
}

/** Resolves when the condition holds, and fails if it does not hold within the limit. */
export async function until(isSo: () => boolean, limitMs = 10_000): Promise<void> {
  const overMs = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > overMs) throw new Error(`the condition did not hold within ${limitMs} ms: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
