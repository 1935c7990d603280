/** What V8 makes of a layer's files, made by the Node that the layer carries, so that it need not compile them at each start. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { arch, platform } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Architecture } from "./elf.ts";

const program = fileURLToPath(new URL("compile.mjs", import.meta.url));

/** Whether this machine can run what a layer for this processor carries. */
export const canRun = (architecture: Architecture): boolean =>
  platform === "linux" && arch === { x86_64: "x64", arm64: "arm64" }[architecture];

/** Writes `<name>.code` beside each file of the layer's folder. Started as launcher.c does it. */
export async function writeCode(folder: string): Promise<void> {
  const [loader, libraries, node] = [join(folder, "lib/ld.so"), join(folder, "lib"), join(folder, "bin/node")];
  const [file, ...args] = existsSync(loader) ? ([loader, "--library-path", libraries, node] as const) : [node];
  // The same order in V8's tables, and so the same bytes, in each build.
  await promisify(execFile)(file, [...args, "--hash-seed=1", program, folder], { env: {} });
}
