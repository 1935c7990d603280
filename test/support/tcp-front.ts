import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { execPath, platform } from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import { onTestFinished } from "vitest";
import type { Certificate } from "./certificate.ts";
import { until } from "./faults.ts";

/** A way to AWS on which things happen to connections. */
export interface TcpFront {
  readonly url: string;
  /** How many connections there are now. */
  count(): number;
  /** How many connections there have been. */
  total(): number;
  /** Ends all connections, as a peer does that was idle for too long. */
  endConnections(): void;
  /** Connections that there are now are never answered any more, without a word; later ones are. */
  swallow(): void;
  /** From now on says that it is somebody else. */
  present(certificate: Certificate): void;
}

/** Dies with the test. With a certificate it is one of `https`. */
export async function startFront(toUrl: () => string, certificate?: Certificate, ownPort = 0): Promise<TcpFront> {
  const pairs = new Set<readonly [outside: Socket, inside: Socket]>();
  let total = 0;
  const join = (outside: Socket) => {
    total += 1;
    const inside = connect(Number(new URL(toUrl()).port), "127.0.0.1");
    outside.pipe(inside).pipe(outside);
    const pair = [outside, inside] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  };
  const tls = certificate === undefined ? undefined : createTlsServer(certificate, join);
  const server = tls ?? createServer(join);
  tls?.on("tlsClientError", () => {});
  server.listen(ownPort, "127.0.0.1");
  await once(server, "listening");
  const endConnections = () => {
    for (const [outside] of pairs) outside.end();
  };
  onTestFinished(() => {
    server.close();
    for (const [outside] of pairs) outside.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    count: () => pairs.size,
    total: () => total,
    endConnections,
    swallow() {
      for (const [outside, inside] of pairs) {
        outside.unpipe(inside).resume();
        inside.unpipe(outside).resume();
      }
    },
    present: (other) => tls?.setSecureContext(other),
  };
}

/** A way to AWS that is jammed: connections to it are neither accepted nor refused. */
export interface JammedFront {
  readonly url: string;
  /** Somebody is trying to connect, and waits. */
  untilSomebodyWaits(): Promise<void>;
  /** Whoever waits gets through to the server at this URL. */
  clear(toUrl: string): void;
}

/** A process, which stops before it accepts anything; the kernel's queue for it is filled, and a further connection hangs. */
const JAMMED = `
  const { connect, createServer } = require("node:net");
  const server = createServer((outside) => {
    const inside = connect(Number(port), "127.0.0.1");
    outside.pipe(inside).pipe(outside);
    for (const socket of [outside, inside]) socket.on("error", () => {});
  });
  let port = "";
  process.stdin.on("data", (text) => { port += text; });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(server.address().port));
`;

export async function startJammedFront(): Promise<JammedFront> {
  const child = spawn(execPath, ["-e", JAMMED], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const port = Number(line);
  child.kill("SIGSTOP");
  const fillers: Socket[] = [];
  for (let isFull = false; !isFull; ) {
    const filler = connect(port, "127.0.0.1").on("error", () => {});
    fillers.push(filler);
    isFull = await Promise.race([once(filler, "connect").then(() => false), delay(200, true)]);
  }
  // The last of them is itself somebody who waits.
  fillers.pop()?.destroy();
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy();
  });
  return {
    url: `http://127.0.0.1:${port}`,
    untilSomebodyWaits: () => (platform === "linux" ? until(() => isSomebodyWaiting(port)) : delay(500)),
    clear(toUrl) {
      for (const filler of fillers) filler.destroy();
      child.stdin.write(new URL(toUrl).port);
      child.kill("SIGCONT");
    },
  };
}

/** https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html; 02 is SYN_SENT. */
function isSomebodyWaiting(port: number): boolean {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")} 02`;
  return readFileSync("/proc/net/tcp", "latin1").includes(remote);
}
