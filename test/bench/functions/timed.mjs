// Wraps a function of the bench, index.mjs: burns as much of the processor as imports would, and tells when the secret was there.
import { cpuUsage, env } from "node:process";

const importsUs = Number(env.BENCH_IMPORTS_MS ?? 0) * 1_000;
const began = cpuUsage();
for (let usedUs = 0; usedUs < importsUs; ) {
  const { user, system } = cpuUsage(began);
  usedUs = user + system;
}

// Its static code reads the secret, if it does.
const { handler: inner } = /** @type {{ handler(): Promise<unknown> }} */ (await import(String("./index.mjs")));
const staticAtMs = Date.now();

export async function handler() {
  const enteredMs = performance.now();
  const answer = await inner();
  return { staticAtMs, handlerAtMs: Date.now(), handlerMs: performance.now() - enteredMs, answer };
}
