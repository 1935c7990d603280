/**
 * The process of `load.ts`: sends requests and measures the time of the answers. It is the same for all servers and takes as
 * little of the processor as possible: it does not parse answers. An answer is complete when its last bytes have arrived.
 */
import { connect } from "node:net";
import process from "node:process";
import { toQuantile } from "../support/statistics.ts";
import type { Load, Loaded } from "./load.ts";

function run({ port, requests, head, tail, connections, isKeepAlive, until }: Load): Promise<Loaded> {
  const raw = requests.map((request) => Buffer.from(request));
  const [start, end] = [Buffer.from(head), Buffer.from(tail)];
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  let asked = 0;
  let running = 0;
  const isOver = (nowMs: number) => ("count" in until ? asked >= until.count : nowMs - startedMs >= until.ms);

  return new Promise((resolve, reject) => {
    const finish = () => {
      running -= 1;
      if (running > 0) return;
      const perSecond = (latenciesMs.length * 1_000) / (performance.now() - startedMs);
      const toMs = (part: number) => toQuantile(latenciesMs, part);
      resolve({ p50Ms: toMs(0.5), p99Ms: toMs(0.99), p999Ms: toMs(0.999), perSecond });
    };
    const open = () => {
      let askedAtMs = performance.now();
      let received: Buffer = Buffer.alloc(0);
      const ask = () => {
        socket.write(raw[asked % raw.length] ?? "");
        asked += 1;
      };
      const socket = connect({ port, host: "127.0.0.1", noDelay: true }, ask);
      socket.on("error", reject);
      // After the last answer, this process has closed the connection itself, and the promise is already settled.
      socket.on("end", () => reject(new Error("a connection was closed before its answer was there")));
      socket.on("data", (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        if (!received.subarray(0, start.length).equals(start)) {
          reject(new Error(`an answer begins with ${JSON.stringify(received.toString("latin1", 0, 40))}`));
          return socket.destroy();
        }
        if (!received.subarray(-end.length).equals(end)) return;
        const nowMs = performance.now();
        latenciesMs.push(nowMs - askedAtMs);
        received = Buffer.alloc(0);
        if (isKeepAlive && !isOver(nowMs)) {
          askedAtMs = performance.now();
          return ask();
        }
        socket.destroy();
        if (isOver(nowMs)) finish();
        else open();
      });
    };
    for (; running < connections; running += 1) open();
  });
}

process.on("message", async (load: Load) => {
  process.send?.(await run(load).catch((error: Error) => ({ problem: error.message })));
});
process.once("disconnect", () => process.exit());
