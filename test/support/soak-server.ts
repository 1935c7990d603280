/**
 * The extension's parts behind their real server, in a process of its own, which a test controls by messages: one lets time
 * pass, the other asks for measurements.
 */
import { existsSync, readdirSync } from "node:fs";
import { env } from "node:process";
import { createVirtualEnvironment, installVirtualClock } from "./virtual-environment.ts";

/** A message of the test. */
export type SoakOrder = { readonly passMs: number } | "measure";

/** Measurements of the process, after garbage collection. */
export interface SoakMeasure {
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Processor time used so far. */
  readonly cpuMs: number;
  readonly sockets: number;
  /** Open files and sockets; 0 if there is no /proc. */
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
  // Objects that a finalizer releases are collected only by the next run.
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
