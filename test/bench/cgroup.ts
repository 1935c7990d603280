/** A share of a processor and a limit of memory, by Linux's control groups, of either version. */
import { existsSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { Command } from "./extension.ts";

export interface Group {
  /** The same command, inside. */
  toCommand(command: Command): Command;
  /** What it prints when it is inside, which takes its time, and becomes the command. */
  readonly sign: string;
  close(): Promise<void>;
}

const ROOT = "/sys/fs/cgroup";
const SIGN = "inside";
/** The kernel's own default; a quota below 1 ms is refused. */
const PERIOD_US = 100_000;

/** Folder → file → content. */
function toFolders(cores: number, bytes: number): Record<string, Record<string, string>> {
  const name = `cross-account-secrets-bench-${process.pid}`;
  const quotaUs = String(Math.round(PERIOD_US * cores));
  if (existsSync(join(ROOT, "cgroup.controllers"))) {
    return { [join(ROOT, name)]: { "cpu.max": `${quotaUs} ${PERIOD_US}`, "memory.max": String(bytes) } };
  }
  return {
    [join(ROOT, "cpu", name)]: { "cpu.cfs_period_us": String(PERIOD_US), "cpu.cfs_quota_us": quotaUs },
    [join(ROOT, "memory", name)]: { "memory.limit_in_bytes": String(bytes) },
  };
}

/** Rejects where that is not allowed, or not there. */
export async function makeGroup({ cores, bytes }: { cores: number; bytes: number }): Promise<Group> {
  const folders = toFolders(cores, bytes);
  const close = async () => {
    for (const folder of Object.keys(folders)) await rmdir(folder).catch(() => {}); // may never have been made
  };
  try {
    for (const [folder, files] of Object.entries(folders)) {
      await mkdir(folder);
      for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const enter = Object.keys(folders).map((folder) => `echo $$ >${folder}/cgroup.procs`);
  return {
    toCommand: (command) => ["/bin/sh", "-c", [...enter, `echo ${SIGN}`, 'exec "$@"'].join(" && "), "sh", ...command],
    sign: SIGN,
    close,
  };
}
