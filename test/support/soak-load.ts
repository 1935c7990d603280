/**
 * Asks a server as fast as it answers, over connections that stay and connections that come and go, in a process of its own
 * that a test steers by messages.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { argv } from "node:process";

/** What the test says: so many requests. */
export interface SoakRound {
  readonly requests: number;
}

export interface SoakResult {
  /** Of answers, by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Of each batch that was sent at once, from its first byte sent to its last received. */
  readonly batchMs: readonly number[];
}

const STAYING = 24;
const PASSING = 8;
const BATCH = 16;

const [port = "", path = "", token = ""] = argv.slice(2);
const bytes = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Aws-Parameters-Secrets-Token: ${token}\r\n\r\n`;

async function open(): Promise<Socket> {
  const socket = connect(Number(port), "127.0.0.1").setEncoding("latin1").setNoDelay();
  await once(socket, "connect");
  return socket;
}

/** Sends all at once, and reads the answers. */
function ask(socket: Socket, requests: number, statuses: Record<string, number>): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = "";
    let left = requests;
    const onData = (text: string) => {
      received += text;
      let at = 0;
      for (let head = received.indexOf("\r\n\r\n", at); head >= 0; head = received.indexOf("\r\n\r\n", at)) {
        const length = /\r\nContent-Length: (\d+)/.exec(received.slice(at, head))?.[1];
        const end = head + 4 + Number(length);
        if (received.length < end) break;
        const status = received.slice(at + 9, at + 12);
        statuses[status] = (statuses[status] ?? 0) + 1;
        at = end;
        left -= 1;
      }
      received = received.slice(at);
      if (left === 0) settle();
    };
    const settle = (error?: Error) => {
      socket.off("data", onData).off("error", settle).off("close", onClose);
      error === undefined ? resolve() : reject(error);
    };
    const onClose = () => settle(new Error("the server closed the connection"));
    socket.on("data", onData).on("error", settle).on("close", onClose);
    socket.write(bytes.repeat(requests));
  });
}

let staying: readonly Socket[] = [];

async function run({ requests }: SoakRound): Promise<SoakResult> {
  if (staying.length === 0) staying = await Promise.all(Array.from({ length: STAYING }, open));
  const passing = await Promise.all(Array.from({ length: PASSING }, open));
  const statuses: Record<string, number> = {};
  const batchMs: number[] = [];
  let left = requests;
  const work = async (socket: Socket) => {
    while (left > 0) {
      const batch = Math.min(BATCH, left);
      left -= batch;
      const startedMs = performance.now();
      await ask(socket, batch, statuses);
      batchMs.push(performance.now() - startedMs);
    }
  };
  await Promise.all([...staying, ...passing].map(work));
  for (const socket of passing) socket.destroy();
  return { statuses, batchMs };
}

process.on("message", async (round: SoakRound | "leave") => {
  if (round === "leave") {
    for (const socket of staying) socket.destroy();
    process.disconnect();
  } else process.send?.(await run(round));
});
process.send?.("ready");
