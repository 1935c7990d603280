import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface NameServer {
  /** For /etc/resolv.conf. The port is 53, because that file cannot name another. */
  readonly address: string;
  /** The requested names, in order. */
  readonly asked: readonly string[];
  close(): void;
}

/** https://www.rfc-editor.org/rfc/rfc1035, 3.2.2 and 4.1.1 */
const TYPE_A = 1;
const NXDOMAIN = 3;
const HEADER_BYTES = 12;

/** Starts a server that resolves these names to 127.0.0.1, and answers NXDOMAIN for others. The port needs root. */
export async function startNameServer(names: readonly string[]): Promise<NameServer> {
  const address = "127.53.53.53"; // all of 127.0.0.0/8 is this machine, and systemd may use 127.0.0.53
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, sender) => {
    const labels: string[] = [];
    let at = HEADER_BYTES;
    for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const name = labels.join(".").toLowerCase();
    asked.push(name);
    const question = query.subarray(HEADER_BYTES, at + 5);
    const isKnown = names.includes(name);
    const answers = isKnown && query.readUInt16BE(at + 1) === TYPE_A ? 1 : 0;
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2); // its id
    header.writeUInt16BE(0x8580 | (isKnown ? 0 : NXDOMAIN), 2); // response, authoritative, recursion desired and available
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers, 6);
    // The name is at offset 12; type A, class IN, TTL 0, four bytes.
    const answer = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    socket.send(Buffer.concat([header, question, ...(answers > 0 ? [answer] : [])]), sender.port, sender.address);
  });
  socket.bind(53, address);
  await once(socket, "listening");
  return { address, asked, close: () => void socket.close() };
}
