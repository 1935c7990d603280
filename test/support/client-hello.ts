/** The first message of a TLS client, in which it says what it can do: RFC 8446, 4.1.2. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { onTestFinished } from "vitest";

/** The key exchanges that a client offers, by their numbers: https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml#tls-parameters-8 */
export interface OfferedGroups {
  readonly supported: readonly number[];
  /** Those for which it has sent a key already, so that the server needs no second round trip. */
  readonly withKey: readonly number[];
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SUPPORTED_GROUPS = 10;
const KEY_SHARE = 51;

/** Returns undefined while the message is incomplete. */
export function parseClientHello(bytes: Buffer): OfferedGroups | undefined {
  const read = createReader(bytes);
  // The record, then the message, the version of TLS and a random number.
  if (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) return undefined;
  if (read.number(1) !== HANDSHAKE) throw new Error("no TLS handshake");
  read.bytes(4);
  if (read.number(1) !== CLIENT_HELLO) throw new Error("no ClientHello");
  read.bytes(3 + 2 + 32);
  // The session ID, the cipher suites and the compression methods.
  for (const lengthBytes of [1, 2, 1]) read.bytes(read.number(lengthBytes));
  const extensions = createReader(read.bytes(read.number(2)));
  const found = new Map<number, Buffer>();
  while (extensions.isLeft()) found.set(extensions.number(2), extensions.bytes(extensions.number(2)));
  return {
    supported: readList(found.get(SUPPORTED_GROUPS), (list) => list.number(2)),
    withKey: readList(found.get(KEY_SHARE), (list) => {
      const group = list.number(2);
      list.bytes(list.number(2));
      return group;
    }),
  };
}

function readList(extension: Buffer | undefined, readOne: (list: ReturnType<typeof createReader>) => number): number[] {
  if (extension === undefined) return [];
  const list = createReader(extension.subarray(2));
  const groups: number[] = [];
  while (list.isLeft()) groups.push(readOne(list));
  return groups;
}

function createReader(bytes: Buffer) {
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error("the ClientHello ends too early");
    at += length;
    return bytes.subarray(at - length, at);
  };
  return {
    number: (length: number) => take(length).readUIntBE(0, length),
    bytes: take,
    isLeft: () => at < bytes.length,
  };
}

/** Starts a TCP proxy in front of a TLS server, which records what each client offers. It ends with the test. */
export async function startHelloRecorder(toUrl: () => string) {
  const offers: OfferedGroups[] = [];
  const server = createServer((outside) => {
    const inside = connect(Number(new URL(toUrl()).port), "127.0.0.1");
    let start: Buffer | undefined = Buffer.alloc(0);
    outside.on("data", (chunk: Buffer) => {
      if (start === undefined) return;
      start = Buffer.concat([start, chunk]);
      const offered = parseClientHello(start);
      if (offered === undefined) return;
      offers.push(offered);
      start = undefined;
    });
    outside.pipe(inside).pipe(outside);
    for (const socket of [outside, inside]) socket.on("error", () => socket.destroy());
    onEnd.push(
      () => outside.destroy(),
      () => inside.destroy(),
    );
  });
  const onEnd: (() => void)[] = [() => server.close()];
  onTestFinished(() => {
    for (const end of onEnd) end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, offers };
}
