import { type Row, type See, testRow } from "./rows.ts";

/** A row of the table that `npm run faults` prints. */
interface Fault extends Omit<Row, "table" | "seen"> {
  /**
   * `layer`: the built layer as a process, between a fake Lambda and a fake AWS. `virtual clock`: the same code inside the
   * test or in a process of its own, where an hour passes at once. `emulator`: the layer on the code that Lambda runs.
   */
  readonly on: "layer" | "virtual clock" | "emulator";
  /** Default: the project's. */
  readonly timeoutMs?: number;
}

export function fault({ timeoutMs, ...row }: Fault, run: (see: See) => Promise<void>): void {
  testRow({ table: "fault", ...row }, timeoutMs, run);
}

/** Whether it becomes so before the time is over. */
export async function until(isSo: () => boolean, limitMs = 10_000): Promise<void> {
  const overMs = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > overMs) throw new Error(`it did not become so within ${limitMs} ms: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
