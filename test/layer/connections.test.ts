/** A thousand connections that ask for nothing, where a process has descriptors for no more: the function is answered. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build.ts";
import { type Bench, startBench } from "../support/bench.ts";
import { SECRET_NAME } from "../support/two-accounts.ts";

/** Lambda's: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const DESCRIPTORS = 1_024;
const CONNECTIONS = 1_000;
const REQUESTS = 30;
const DRIP_EVERY_MS = 250;
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
  const sockets = new Set<Socket>();
  let isOn = true;
  let opened = 0;
  const open = () => {
    if (!isOn) return;
    const socket = connect(port, "127.0.0.1", () => {
      opened += 1;
    });
    sockets.add(socket);
    socket.on("error", () => {});
    socket.resume().on("close", () => {
      sockets.delete(socket);
      setTimeout(open, DRIP_EVERY_MS);
    });
  };
  let at = 0;
  const timer = setInterval(() => {
    if (drip === "") return;
    for (const socket of sockets) if (socket.writable) socket.write(drip.charAt(at % drip.length));
    at += 1;
  }, DRIP_EVERY_MS);
  const stop = () => {
    isOn = false;
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(stop);
  for (let count = 0; count < CONNECTIONS; count += 1) open();
  while (opened < CONNECTIONS) await delay(10);
  return { stop, countOpened: () => opened };
}

const countDescriptors = (pid: number | undefined): number => readdirSync(`/proc/${pid}/fd`).length;
const worst = (tookMs: readonly number[]): number => Math.max(...tookMs);

describe.each([
  ["idle", ""],
  ["dripping", `GET /${"x".repeat(200)} HTTP/1.1\r\n`],
])("a thousand %s connections", (_, drip) => {
  it("keep no request of the function waiting, and leave nothing behind", async () => {
    const bench = await start();
    const pid = bench.lambda.extensionPid;
    expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max open files\s+1024\s+1024\s/m);
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => kept.destroy());
    const agents = [new Agent({ keepAlive: false }), kept];
    const calmMs = await ask(bench, agents);
    const descriptorsBefore = countDescriptors(pid);

    const storm = await flood(bench.port, drip);
    const stormyMs = await ask(bench, agents);
    expect(countDescriptors(pid)).toBeGreaterThan(800);
    expect(storm.countOpened()).toBeGreaterThanOrEqual(CONNECTIONS);
    expect(worst(stormyMs)).toBeLessThan(Math.max(LIMIT_MS, 10 * worst(calmMs)));

    storm.stop();
    while (countDescriptors(pid) > descriptorsBefore) await delay(50);
    const afterMs = await ask(bench, agents);
    expect(worst(afterMs)).toBeLessThan(Math.max(LIMIT_MS, 10 * worst(calmMs)));
    expect(bench.lambda.extensionPid).toBe(pid);
    expect(bench.events("bug")).toEqual([]);
    expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
    console.log({ calm: worst(calmMs), stormy: worst(stormyMs), after: worst(afterMs), opened: storm.countOpened() });
  });
});
