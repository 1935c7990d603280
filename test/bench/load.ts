/** Load on a port, seen from here: a process beside the measured ones. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Load {
  readonly port: number;
  /** Sent one after the other, over and over. */
  readonly requests: readonly string[];
  /** What a good answer begins with, and what it ends with. */
  readonly head: string;
  readonly tail: string;
  /** At the same time, each of which waits for its answer before it asks again. */
  readonly connections: number;
  /** Or a new connection for each request. */
  readonly isKeepAlive: boolean;
  readonly until: { readonly count: number } | { readonly ms: number };
}

export interface Loaded {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly perSecond: number;
}

export interface Loader {
  run(load: Load): Promise<Loaded>;
  close(): void;
}

export function startLoader(): Loader {
  const child = fork(fileURLToPath(new URL("load-process.ts", import.meta.url)));
  return {
    async run(load) {
      child.send(load);
      const [answer] = (await once(child, "message")) as [Loaded | { readonly problem: string }];
      if ("problem" in answer) throw new Error(`port ${load.port}: ${answer.problem}`);
      return answer;
    },
    close: () => child.disconnect(),
  };
}
