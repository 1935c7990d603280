import { it } from "vitest";

/** A row of the table that `npm run faults` prints: what goes wrong, where, what is to be seen then, and what was. */
export interface FaultRow {
  readonly group: string;
  readonly name: string;
  readonly expected: string;
  /**
   * `layer`: the built layer as a process, between a fake Lambda and a fake AWS. `virtual clock`: the same code inside the
   * test or in a process of its own, where an hour passes at once. `emulator`: the layer on the code that Lambda runs.
   */
  readonly on: "layer" | "virtual clock" | "emulator";
  readonly seen?: string;
}

declare module "vitest" {
  interface TaskMeta {
    fault?: FaultRow;
  }
}

interface Fault extends Omit<FaultRow, "seen"> {
  /** Default: the project's. */
  readonly timeoutMs?: number;
}

/**
 * A test that is a row of the table. `run` says what it sees, out of what it observed and before it judges that, so that a
 * row which does not pass shows it too.
 */
export function fault({ timeoutMs, ...row }: Fault, run: (see: (seen: string) => void) => Promise<void>): void {
  const options = { meta: { fault: row }, ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) };
  it(`${row.group}: ${row.name}`, options, ({ task }) =>
    run((seen) => {
      task.meta.fault = { ...row, seen };
    }),
  );
}

/** Whether it becomes so before the time is over. */
export async function until(isSo: () => boolean, limitMs = 10_000): Promise<void> {
  const overMs = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > overMs) throw new Error(`it did not become so within ${limitMs} ms: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
