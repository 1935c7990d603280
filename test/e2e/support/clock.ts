import { renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findCounterparts } from "../../../scripts/setup/end-to-end.ts";
import type { Runtime } from "./runtimes.ts";
import type { Sandbox } from "./sandbox.ts";

/**
 * Which clocks a test sets: the wall clock alone, as somebody sets it and as it has gone on over a restore from a snapshot;
 * or the monotonic one with it, as after a freeze.
 */
export type Clocks = "wall" | "wall and monotonic";

const FOLDER = "/var/clock";
const FILE = "clock";

/**
 * Makes every program of an execution environment load libfaketime, but for the emulator and the launcher, which load no
 * library. The loader is told by its own file, since the launcher drops LD_PRELOAD.
 */
export function withClock(runtime: Runtime): Runtime {
  const library = findCounterparts()?.clock ?? "";
  const preload = join(dirname(library), "ld.so.preload");
  writeFileSync(preload, `${FOLDER}/libfaketime.so.1\n`);
  return { ...runtime, files: { ...runtime.files, [FOLDER]: dirname(library), "/etc/ld.so.preload": preload } };
}

/** The function's variables that go with it; the launcher leaves them in. */
export const clockEnvironment = (clocks: Clocks): Record<string, string> => ({
  FAKETIME_TIMESTAMP_FILE: `/tmp/${FILE}`,
  FAKETIME_NO_CACHE: "1",
  ...(clocks === "wall" ? { FAKETIME_DONT_FAKE_MONOTONIC: "1" } : {}),
});

/** From now on the environment is so far ahead of this machine. Without it, not at all. */
export function setClock({ tmp }: Sandbox, aheadMs: number): void {
  // Renamed, because it is read at every look at the clock, and must not be found half written.
  const part = join(tmp, `${FILE}.part`);
  const seconds = Math.round(aheadMs / 1_000);
  writeFileSync(part, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  renameSync(part, join(tmp, FILE));
}
