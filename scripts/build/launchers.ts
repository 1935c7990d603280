/**
 * Compiles `layer/*.c` for both architectures: `npx tsx scripts/build/launchers.ts`. The results are in the repository, because
 * a new contributor's machine has no compiler for both. A test compiles the sources again and compares the bytes.
 *
 * The compiler is Zig from `.e2e/`. Its version is pinned, and with it Clang and musl, so every machine makes the same bytes.
 */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setUpCounterparts, toPython } from "../setup/end-to-end.ts";
import type { Architecture } from "./elf.ts";

export const layerFolder = fileURLToPath(new URL("../../layer", import.meta.url));

/** Lambda's name of an architecture → the compiler's. */
const targets: Readonly<Record<Architecture, string>> = { x86_64: "x86_64-linux-musl", arm64: "aarch64-linux-musl" };
const architectures = ["x86_64", "arm64"] as const;

const FLAGS = ["-static", "-Os", "-s", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wl,--gc-sections"];

/** Compiles each source for each architecture into `folder`. Returns the names of the files. */
export async function compileLaunchers(folder: string, say: (line: string) => void): Promise<string[]> {
  const sources = (await readdir(layerFolder)).filter((name) => name.endsWith(".c"));
  const compilations = sources.flatMap((source) =>
    architectures.map(async (architecture) => {
      const name = `${source.slice(0, -".c".length)}-${architecture}`;
      await compile(join(layerFolder, source), architecture, join(folder, name), say);
      say(name);
      return name;
    }),
  );
  return Promise.all(compilations);
}

/** Compiles one source for one architecture. */
export async function compile(
  source: string,
  architecture: Architecture,
  program: string,
  say: (line: string) => void,
): Promise<void> {
  const { venv } = await setUpCounterparts(say);
  const options = ["-target", targets[architecture], ...FLAGS, "-o", program, basename(source)];
  // Runs in the folder of the source, so that no path of this machine gets into the file.
  await promisify(execFile)(toPython(venv), ["-m", "ziglang", "cc", ...options], { cwd: dirname(source) });
}

if (argv[1] === fileURLToPath(import.meta.url)) await compileLaunchers(layerFolder, console.log);
