/** A thousand connections without a request use up the descriptors of the process, and the function still gets answers. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Bench, startBench } from "../support/bench.ts";
import { until } from "../support/faults.ts";
import { createLimitedLayer } from "../support/temp-files.ts";
import { SECRET_NAME } from "../support/two-accounts.ts";

/** Lambda's: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const DESCRIPTORS = 1_024;
const CONNECTIONS = 1_000;
/** The number of connections that the layer keeps. */
const MOST_AT_ONCE = 900;
const REQUESTS = 30;
const DRIP_EVERY_MS = 250;
const TURNS = 25;
const BETWEEN_REQUESTS_MS = 20;
/** The limit of a request, or ten times its duration on this machine without the other connections. */
const LIMIT_MS = 100;

/** Starts the layer with Lambda's limit of descriptors. */
async function start(): Promise<Bench> {
  const bench = await startBench({ opt: createLimitedLayer(DESCRIPTORS), runtime: { onInvoke: () => null } });
  await bench.lambda.init();
  return bench;
}

/** Sends the requests of the function: each with every agent. Returns their durations. */
async function ask({ port, environment }: Bench, agents: readonly Agent[]): Promise<number[]> {
  const headers = { "X-Aws-Parameters-Secrets-Token": environment.AWS_SESSION_TOKEN };
  const one = (agent: Agent) =>
    new Promise<number>((resolve, reject) => {
      const startedMs = performance.now();
      const outgoing = request(
        { host: "127.0.0.1", port, path: `/secrets/${SECRET_NAME}`, agent, headers },
        (answer) => {
          expect(answer.statusCode).toBe(200);
          answer.resume().on("end", () => resolve(performance.now() - startedMs));
        },
      );
      outgoing.on("error", reject).end();
    });
  const tookMs: number[] = [];
  for (let count = 0; count < REQUESTS; count += 1) {
    for (const agent of agents) tookMs.push(await one(agent));
    await delay(BETWEEN_REQUESTS_MS);
  }
  return tookMs;
}

/** Keeps CONNECTIONS connections open, and opens another for each that is closed. */
async function flood(port: number, drip: string) {
  /** The number of bytes that each has sent. */
  const sockets = new Map<Socket, number>();
  let isOn = true;
  let opened = 0;
  const open = () => {
    if (!isOn) return;
    const socket = connect(port, "127.0.0.1", () => {
      opened += 1;
    });
    sockets.set(socket, 0);
    socket.on("error", () => {});
    socket.resume().on("close", () => {
      sockets.delete(socket);
      setTimeout(open, DRIP_EVERY_MS);
    });
  };
  // The writes are spread out, because a thousand at once would disturb the measurement in this process.
  let turn = 0;
  const timer = setInterval(() => {
    turn += 1;
    for (const [index, [socket, sent]] of [...sockets].entries()) {
      if (drip.length <= sent || index % TURNS !== turn % TURNS || !socket.writable) continue;
      socket.write(drip.charAt(sent));
      sockets.set(socket, sent + 1);
    }
  }, DRIP_EVERY_MS / TURNS);
  const stop = () => {
    isOn = false;
    clearInterval(timer);
    for (const socket of sockets.keys()) socket.destroy();
  };
  onTestFinished(stop);
  for (let count = 0; count < CONNECTIONS; count += 1) open();
  await until(() => opened >= CONNECTIONS);
  return { stop, countOpened: () => opened };
}

const countDescriptors = (pid: number | undefined): number => readdirSync(`/proc/${pid}/fd`).length;
const worst = (tookMs: readonly number[]): number => Math.max(...tookMs);

describe.each([
  ["idle", ""],
  ["dripping", `GET /${"x".repeat(200)} HTTP/1.1\r\n`],
])("a thousand %s connections", (_, drip) => {
  // Descriptors and limits are read from /proc.
  it.skipIf(!existsSync("/proc/self/fd"))(
    "do not delay the function's requests, and leave no descriptor open afterwards",
    async () => {
      const bench = await start();
      const pid = bench.lambda.extensionPid;
      expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max open files\s+1024\s+1024\s/m);
      const kept = new Agent({ keepAlive: true, maxSockets: 1 });
      onTestFinished(() => kept.destroy());
      const agents = [new Agent({ keepAlive: false }), kept];
      const calmMs = await ask(bench, agents);
      const descriptorsBefore = countDescriptors(pid);

      const storm = await flood(bench.port, drip);
      // A client considers a connection open as soon as the kernel has accepted it.
      await until(() => countDescriptors(pid) >= MOST_AT_ONCE);
      const stormyMs = await ask(bench, agents);
      expect(storm.countOpened()).toBeGreaterThanOrEqual(CONNECTIONS);
      expect(worst(stormyMs)).toBeLessThan(Math.max(LIMIT_MS, 10 * worst(calmMs)));

      storm.stop();
      await until(() => countDescriptors(pid) <= descriptorsBefore);
      const afterMs = await ask(bench, agents);
      expect(worst(afterMs)).toBeLessThan(Math.max(LIMIT_MS, 10 * worst(calmMs)));
      expect(bench.lambda.extensionPid).toBe(pid);
      expect(bench.events("bug")).toEqual([]);
      expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );
});
