/**
 * The extension's parts behind their real server, as a process of its own that a test steers by messages: time passes when it
 * is told so, and it tells what it holds.
 */
import { existsSync, readdirSync } from "node:fs";
import { env } from "node:process";
import { createVirtualEnvironment, installVirtualClock } from "./virtual-environment.ts";

/** What the test says. */
export type SoakOrder = { readonly passMs: number } | "measure";

/** What the process holds, when all garbage is collected. */
export interface SoakMeasure {
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Processor time spent so far. */
  readonly cpuMs: number;
  readonly sockets: number;
  /** Of files and sockets together; 0 where there is no /proc. */
  readonly descriptors: number;
}

const DESCRIPTORS = "/proc/self/fd";

const clock = installVirtualClock();
const environment = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? ""]));
const { server, settled } = createVirtualEnvironment({ environment, now: clock.now });

async function measure(): Promise<SoakMeasure> {
  await settled();
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1_000;
  // What a finalizer lets go of is garbage for the next one.
  for (let times = 0; times < 4; times += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    cpuMs,
    sockets: process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length,
    descriptors: existsSync(DESCRIPTORS) ? readdirSync(DESCRIPTORS).length : 0,
  };
}

process.on("message", async (order: SoakOrder) => {
  if (order === "measure") process.send?.(await measure());
  else {
    clock.pass(order.passMs);
    process.send?.("passed");
  }
});
await server.listen();
process.send?.("listening");
