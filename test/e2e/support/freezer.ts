import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kill } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { ifAlive } from "./process.ts";

/** Stops processes without their noticing, and lets them go on. */
export interface Freezer {
  /** Settles when none of them runs any more, with what it was done by. Once, until they are thawed. */
  freeze(pids: readonly number[]): Promise<string>;
  /** No error where nothing is frozen. */
  thaw(): Promise<void>;
  /** To be called when the processes have ended. */
  remove(): void;
}

/** Of the kernel's two freezers: where it is mounted, and how it is spoken to. */
interface Hierarchy {
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
const hierarchies: readonly Hierarchy[] = [
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

/** The kernel's freezer, as Lambda's micro-VMs are stopped from without; where it cannot be had, SIGSTOP. */
export function createFreezer(): Freezer {
  let group: Group | undefined;
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

interface Group {
  readonly folder: string;
  readonly hierarchy: Hierarchy;
}

function makeGroup(): Group | undefined {
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
