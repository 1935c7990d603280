import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compile, layerFolder } from "../../../scripts/build/launchers.ts";
import { findCounterparts } from "../../../scripts/setup/end-to-end.ts";
import type { Runtime } from "./runtimes.ts";
import type { Sandbox } from "./sandbox.ts";

/**
 * The clocks that a test sets: the wall clock alone, as after a manual change or a restore from a snapshot, or also the
 * monotonic clock, as after a freeze.
 */
export type Clocks = "wall" | "wall and monotonic";

const FOLDER = "/var/clock";
const FILE = "clock";

/**
 * Makes every program of an execution environment load libfaketime, except the emulator and the launcher, which load no
 * library. The loader reads this from its own file, because the launcher does not pass on LD_PRELOAD. libfaketime reads its
 * settings from variables only, so the launcher is one that also passes on these.
 */
export async function withClock(runtime: Runtime): Promise<Runtime> {
  const library = findCounterparts()?.clock ?? "";
  const preload = join(dirname(library), "ld.so.preload");
  writeFileSync(preload, `${FOLDER}/libfaketime.so.1\n`);
  // A test of SnapStart has another program in /opt, which starts this layer.
  const layer = ["/var/layer", "/opt"].find((path) => path === "/opt" || path in runtime.files);
  launcher ??= compileLauncher(dirname(library));
  return {
    ...runtime,
    files: {
      ...runtime.files,
      [FOLDER]: dirname(library),
      "/etc/ld.so.preload": preload,
      [`${layer}/extensions/cross-account-secrets`]: await launcher,
    },
  };
}

let launcher: Promise<string> | undefined;

/** Returns the path of a launcher that also passes on libfaketime's variables. */
async function compileLauncher(folder: string): Promise<string> {
  const [source, program] = [join(folder, "launcher.c"), join(folder, "launcher")];
  const code = readFileSync(join(layerFolder, "launcher.c"), "utf8");
  writeFileSync(source, code.replace("starts[] = {", 'starts[] = { "FAKETIME_",'));
  await compile(source, process.arch === "arm64" ? "arm64" : "x86_64", program, () => {});
  return program;
}

/** The function's variables for libfaketime. */
export const clockEnvironment = (clocks: Clocks): Record<string, string> => ({
  FAKETIME_TIMESTAMP_FILE: `/tmp/${FILE}`,
  FAKETIME_NO_CACHE: "1",
  ...(clocks === "wall" ? { FAKETIME_DONT_FAKE_MONOTONIC: "1" } : {}),
});

/** Sets how far the environment's clock is ahead of this machine's from now on. */
export function setClock({ tmp }: Sandbox, aheadMs: number): void {
  // Renamed, because every reading of the clock reads the file, and must not read a half-written one.
  const part = join(tmp, `${FILE}.part`);
  const seconds = Math.round(aheadMs / 1_000);
  writeFileSync(part, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  renameSync(part, join(tmp, FILE));
}
