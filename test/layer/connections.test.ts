/** A thousand connections that ask for nothing, where a process has descriptors for no more: the function is answered. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { type Bench, startBench } from "../support/bench.ts";
import { SECRET_NAME } from "../support/two-accounts.ts";

/** Lambda's: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const DESCRIPTORS = 1_024;
const CONNECTIONS = 1_000;
/** What the layer keeps of them. */
const MOST_AT_ONCE = 900;
const REQUESTS = 30;
const DRIP_EVERY_MS = 250;
const TURNS = 25;
const BETWEEN_REQUESTS_MS = 20;
/** Beside it, ten times what the same request takes on this machine when nobody disturbs it. */
const LIMIT_MS = 100;

/** The layer, started as Lambda starts it, with its limit. */
async function start(): Promise<Bench> {
  const opt = mkdtempSync(join(tmpdir(), "limited-layer-"));
  onTestFinished(() => rmSync(opt, { recursive: true, force: true }));
  mkdirSync(join(opt, "extensions"));
  const extension = join(opt, "extensions/cross-account-secrets");
  const layer = join(toOpt("nodejs"), "extensions/cross-account-secrets");
  writeFileSync(extension, `#!/bin/sh\nulimit -n ${DESCRIPTORS}\nexec '${layer}'\n`);
  chmodSync(extension, 0o755);
  const bench = await startBench({ opt, runtime: { onInvoke: () => null } });
  await bench.lambda.init();
  return bench;
}

/** The function's own requests: each on a new connection, and each on the same one. */
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

/** Holds so many connections open, and opens another for each that is closed. */
async function flood(port: number, drip: string) {
  /** With how many bytes each has sent. */
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
  // Spread out: a thousand writes at once would keep this process from measuring.
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
  await until(`${CONNECTIONS} connections`, () => opened >= CONNECTIONS);
  return { stop, countOpened: () => opened };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let left = 1_000; !isSo(); left -= 1) {
    if (left === 0) throw new Error(`never: ${what}`);
    await delay(10);
  }
}

const countDescriptors = (pid: number | undefined): number => readdirSync(`/proc/${pid}/fd`).length;
const worst = (tookMs: readonly number[]): number => Math.max(...tookMs);

describe.each([
  ["idle", ""],
  ["dripping", `GET /${"x".repeat(200)} HTTP/1.1\r\n`],
])("a thousand %s connections", (_, drip) => {
  // Descriptors and limits are read from there.
  it.skipIf(!existsSync("/proc/self/fd"))(
    "keep no request of the function waiting, and leave nothing behind",
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
      // To the clients, a connection is there as soon as the kernel has it.
      await until(`${MOST_AT_ONCE} descriptors`, () => countDescriptors(pid) >= MOST_AT_ONCE);
      const stormyMs = await ask(bench, agents);
      expect(storm.countOpened()).toBeGreaterThanOrEqual(CONNECTIONS);
      expect(worst(stormyMs)).toBeLessThan(Math.max(LIMIT_MS, 10 * worst(calmMs)));

      storm.stop();
      await until(`${descriptorsBefore} descriptors`, () => countDescriptors(pid) <= descriptorsBefore);
      const afterMs = await ask(bench, agents);
      expect(worst(afterMs)).toBeLessThan(Math.max(LIMIT_MS, 10 * worst(calmMs)));
      expect(bench.lambda.extensionPid).toBe(pid);
      expect(bench.events("bug")).toEqual([]);
      expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );
});
