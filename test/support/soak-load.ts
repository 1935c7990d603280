/**
 * Sends requests to a server as fast as it answers, over lasting connections and over new ones in each round. It runs in a
 * process of its own, which a test controls by messages.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { argv } from "node:process";

/** The message of the test: send this number of requests. */
export interface SoakRound {
  readonly requests: number;
}

export interface SoakResult {
  /** The number of answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The duration of each batch that was sent at once, from the first byte sent to the last byte received. */
  readonly batchMs: readonly number[];
}

/** What a load is made of. */
export interface SoakShape {
  readonly lastingConnections: number;
  /** In each round. */
  readonly newConnections: number;
  /** The number of requests that a connection sends at once. */
  readonly batchSize: number;
}

const [port = "", path = "", token = "", shape = ""] = argv.slice(2);
const { lastingConnections, newConnections, batchSize }: SoakShape = JSON.parse(shape);
const bytes = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Aws-Parameters-Secrets-Token: ${token}\r\n\r\n`;

async function open(): Promise<Socket> {
  const socket = connect(Number(port), "127.0.0.1").setEncoding("latin1").setNoDelay();
  await once(socket, "connect");
  return socket;
}

/** Sends all requests at once, and reads the answers. */
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

let lasting: readonly Socket[] = [];

async function run({ requests }: SoakRound): Promise<SoakResult> {
  if (lasting.length === 0) lasting = await Promise.all(Array.from({ length: lastingConnections }, open));
  const added = await Promise.all(Array.from({ length: newConnections }, open));
  const statuses: Record<string, number> = {};
  const batchMs: number[] = [];
  let left = requests;
  const work = async (socket: Socket) => {
    while (left > 0) {
      const batch = Math.min(batchSize, left);
      left -= batch;
      const startedMs = performance.now();
      await ask(socket, batch, statuses);
      batchMs.push(performance.now() - startedMs);
    }
  };
  await Promise.all([...lasting, ...added].map(work));
  for (const socket of added) socket.destroy();
  return { statuses, batchMs };
}

process.on("message", async (round: SoakRound | "leave") => {
  if (round === "leave") {
    for (const socket of lasting) socket.destroy();
    process.disconnect();
  } else process.send?.(await run(round));
});
process.send?.("ready");
