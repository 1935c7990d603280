import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { downloadPackage } from "../../../scripts/build/debian.ts";

const NAME = "qemu-aarch64-static";
const folder = fileURLToPath(new URL("../../../.e2e", import.meta.url));

/** Why the kernel cannot start arm64 programs here, or undefined if it can. */
export function findEmulationObstacle(): string | undefined {
  if (process.arch !== "x64") return `they emulate arm64 on x86_64, and this is ${process.arch}`;
  const mount = ["mount", "-t", "binfmt_misc", "binfmt_misc", "/tmp"];
  return spawnSync("unshare", ["--user", "--map-root-user", "--mount", ...mount]).status === 0
    ? undefined
    : "they need binfmt_misc in a user namespace, which Linux has since 6.7";
}

/** Returns the path of a statically linked emulator of arm64. It is unpacked once from Debian's qemu-user-static, not installed. */
export async function findEmulator(): Promise<string> {
  const emulator = join(folder, NAME);
  if (existsSync(emulator)) return emulator;
  await mkdir(folder, { recursive: true });
  const part = await mkdtemp(join(folder, "part-"));
  try {
    execFileSync("dpkg-deb", ["-x", await downloadPackage("qemu-user-static", part), join(part, "unpacked")]);
    await rename(join(part, "unpacked/usr/bin", NAME), emulator);
  } finally {
    await rm(part, { recursive: true });
  }
  return emulator;
}
