// Wraps a function of the bench, index.mjs: uses as much of the processor as imports would, and returns the time at which the secret was read.
import { cpuUsage, env } from "node:process";

const importsUs = Number(env.BENCH_IMPORTS_MS ?? 0) * 1_000;
const began = cpuUsage();
for (let usedUs = 0; usedUs < importsUs; ) {
  const { user, system } = cpuUsage(began);
  usedUs = user + system;
}

// The static code of the function reads the secret, unless only its handler does.
const { handler: inner } = /** @type {{ handler(): Promise<unknown> }} */ (await import(String("./index.mjs")));
const staticAtMs = Date.now();

export async function handler() {
  const enteredMs = performance.now();
  const answer = await inner();
  return { staticAtMs, handlerAtMs: Date.now(), handlerMs: performance.now() - enteredMs, answer };
}
