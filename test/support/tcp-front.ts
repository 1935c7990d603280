import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { execPath, platform } from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer, TLSSocket, type TlsOptions } from "node:tls";
import { onTestFinished } from "vitest";
import type { Certificate } from "./certificate.ts";
import { until } from "./faults.ts";

/** A TCP proxy in front of AWS. A test can break its connections. */
export interface TcpFront {
  readonly url: string;
  /** The number of open connections. */
  count(): number;
  /** The number of all connections so far. */
  total(): number;
  /** The host names that the clients of TLS named, in order. */
  readonly servernames: readonly string[];
  /** Ends all connections, as a peer does after an idle time. */
  endConnections(): void;
  /** Silently stops answering on the open connections. Later connections work. */
  swallow(): void;
  /** Uses another certificate from now on. */
  present(certificate: Certificate): void;
}

/** Starts a proxy that ends with the test. With a certificate it serves `https`. */
export async function startFront(
  toUrl: () => string,
  certificate?: Certificate & Pick<TlsOptions, "ecdhCurve">,
  ownPort = 0,
): Promise<TcpFront> {
  const pairs = new Set<readonly [outside: Socket, inside: Socket]>();
  const servernames: string[] = [];
  let total = 0;
  const accept = (outside: Socket) => {
    total += 1;
    if (outside instanceof TLSSocket && outside.servername) servernames.push(outside.servername);
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
  const tls = certificate === undefined ? undefined : createTlsServer(certificate, accept);
  const server = tls ?? createServer(accept);
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
    servernames,
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

/** A TCP proxy with a full queue: new connections are neither accepted nor refused. */
export interface JammedFront {
  readonly url: string;
  /** Settles when a client waits for a connection. */
  untilClientWaits(): Promise<void>;
  /** Connects the waiting clients to the server at this URL. */
  clear(toUrl: string): void;
}

/** A process that is stopped before it accepts a connection. When the kernel's queue for it is full, further connections hang. */
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
  // The last of them is itself a waiting client.
  fillers.pop()?.destroy();
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy();
  });
  return {
    url: `http://127.0.0.1:${port}`,
    untilClientWaits: () => (platform === "linux" ? until(() => isClientWaiting(port)) : delay(500)),
    clear(toUrl) {
      for (const filler of fillers) filler.destroy();
      child.stdin.write(new URL(toUrl).port);
      child.kill("SIGCONT");
    },
  };
}

/** https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html says that 02 is SYN_SENT. */
function isClientWaiting(port: number): boolean {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")} 02`;
  return readFileSync("/proc/net/tcp", "latin1").includes(remote);
}
