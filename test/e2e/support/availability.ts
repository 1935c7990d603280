import { spawnSync } from "node:child_process";
import { getuid, platform } from "node:process";
import { findCounterparts, setUpCounterparts } from "../../../scripts/setup/end-to-end.ts";

/**
 * Why the end-to-end tests cannot run here, in one sentence, or `undefined` if they can:
 *
 *     describe.skipIf(unavailable)(…)
 *
 * On a CI machine, `npm test` fails if they cannot run.
 */
export const unavailable: string | undefined = findMachineObstacle() ?? findSetUpObstacle();

/** A reason that no set-up can remove. */
function findMachineObstacle(): string | undefined {
  if (platform !== "linux") return `they need Linux's namespaces, and this is ${platform}`;
  if (getuid?.() !== 0) return "they need root, to make namespaces and mounts";
  for (const command of ["unshare", "setpriv", "chroot", "mount"]) {
    if (spawnSync(command, ["--version"]).error) return `they need ${command} (from util-linux and coreutils)`;
  }
  if (spawnSync("unshare", ["--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]).status !== 0) {
    return "this machine does not let root make namespaces and mounts, as in a container without --privileged";
  }
  return undefined;
}

/** Installs what they need. Returns why they cannot run here, or `undefined` if they can. */
export async function findObstacle(say: (line: string) => void): Promise<string | undefined> {
  const machineObstacle = findMachineObstacle();
  if (machineObstacle !== undefined) return machineObstacle;
  try {
    await setUpCounterparts(say);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function findSetUpObstacle(): string | undefined {
  if (findCounterparts() !== undefined) return undefined;
  return "the emulators are missing, or not the pinned ones: run npx tsx scripts/setup/end-to-end.ts";
}
