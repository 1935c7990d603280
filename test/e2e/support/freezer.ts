import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kill } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { ifAlive } from "./process.ts";

/** Stops processes without their knowledge, and continues them. */
export interface Freezer {
  /** Settles when all of them are stopped, with the name of the method. Call it once before each `thaw`. */
  freeze(pids: readonly number[]): Promise<string>;
  /** Continues them. Does nothing if nothing is frozen. */
  thaw(): Promise<void>;
  /** Call it when the processes have ended. */
  remove(): void;
}

/** One of the kernel's two freezers: its mount, and its files and words. */
interface CgroupHierarchy {
  readonly name: string;
  readonly mount: string;
  readonly file: string;
  readonly words: { readonly freeze: string; readonly thaw: string };
  readonly state: { readonly file: string; readonly frozen: RegExp };
}

const v2 = {
  name: "cgroup v2",
  file: "cgroup.freeze",
  words: { freeze: "1", thaw: "0" },
  state: { file: "cgroup.events", frozen: /^frozen 1$/m },
};
const hierarchies: readonly CgroupHierarchy[] = [
  {
    name: "cgroup v1",
    mount: "/sys/fs/cgroup/freezer",
    file: "freezer.state",
    words: { freeze: "FROZEN", thaw: "THAWED" },
    state: { file: "freezer.state", frozen: /^FROZEN$/m },
  },
  { mount: "/sys/fs/cgroup", ...v2 },
  { mount: "/sys/fs/cgroup/unified", ...v2 },
];

/** Uses the kernel's freezer, because Lambda also stops its micro-VMs from outside. Without a freezer it uses SIGSTOP. */
export function createFreezer(): Freezer {
  let group: FreezerGroup | undefined;
  let stopped: readonly number[] = [];
  const set = async (word: "freeze" | "thaw") => {
    if (group === undefined) {
      for (const pid of stopped) ifAlive(() => kill(pid, word === "freeze" ? "SIGSTOP" : "SIGCONT"));
      return;
    }
    const { folder, hierarchy } = group;
    const { file, words, state } = hierarchy;
    writeFileSync(join(folder, file), words[word]);
    while (state.frozen.test(readFileSync(join(folder, state.file), "utf8")) !== (word === "freeze")) await delay(1);
  };
  return {
    async freeze(pids) {
      stopped = pids;
      group ??= makeGroup();
      if (group !== undefined) {
        const members = join(group.folder, "cgroup.procs");
        for (const pid of pids) ifAlive(() => writeFileSync(members, String(pid)));
      }
      await set("freeze");
      return group?.hierarchy.name ?? "SIGSTOP";
    },
    async thaw() {
      if (stopped.length > 0) await set("thaw");
      stopped = [];
    },
    remove() {
      if (group !== undefined) rmdirSync(group.folder);
      group = undefined;
    },
  };
}

interface FreezerGroup {
  readonly folder: string;
  readonly hierarchy: CgroupHierarchy;
}

function makeGroup(): FreezerGroup | undefined {
  for (const hierarchy of hierarchies) {
    let folder: string;
    try {
      folder = mkdtempSync(join(hierarchy.mount, "sandbox-"));
    } catch {
      continue; // not mounted, or read-only
    }
    if (existsSync(join(folder, hierarchy.file))) return { folder, hierarchy };
    rmdirSync(folder);
  }
  return undefined;
}
