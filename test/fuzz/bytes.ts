/** Mutations of raw bytes: of requests that are good, and of shapes that have broken other servers. */
import type { Conversation } from "./conversation.ts";
import { createCorpus } from "./corpus.ts";
import type { Random } from "./random.ts";
import { mayClose, readStrictly } from "./strict.ts";
import type { Structured } from "./structured.ts";
import type { World } from "./world.ts";

export interface RawConversation extends Conversation {
  readonly requests: number;
}

type Mutate = (bytes: string, random: Random) => string;

const splice = (bytes: string, at: number, count: number, inserted: string): string =>
  bytes.slice(0, at) + inserted + bytes.slice(at + count);
const somewhere = (bytes: string, random: Random): number => random.int(0, bytes.length);
/** A place that means something to a parser. */
const atDelimiter = (bytes: string, random: Random): number => {
  const places = [...bytes.slice(0, 4_000).matchAll(/[\r\n :,;?&=%/]/g)].map(({ index }) => index);
  return places.length === 0 ? 0 : random.pick(places);
};

const INSERTIONS: readonly string[] = [
  ...[
    "\r",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "\n\n",
    "\0",
    " ",
    "\t",
    "\x0b",
    "\x7f",
    "\xa0",
    "\xff",
    ":",
    ",",
    ";",
    "%",
    "%00",
    "%0d%0a",
    "?",
    "&",
    "=",
  ],
  ...[
    "\r\n ",
    "\r\n\t",
    "..",
    "/../",
    "#",
    "@",
    "\\",
    "HTTP/1.1",
    " HTTP/1.1\r\n",
    "\r\nContent-Length: 3",
    "\r\nTransfer-Encoding: chunked",
  ],
  ...[
    "\r\nHost: evil.example",
    "\r\nX-Forwarded-For: x",
    "\r\nConnection: close",
    "\r\nExpect: 100-continue",
    "\r\nUpgrade: x",
    "0\r\n\r\n",
  ],
];

const mutations: readonly Mutate[] = [
  // A bit, a byte.
  (bytes, random) => {
    const at = random.int(0, Math.max(0, bytes.length - 1));
    return splice(bytes, at, 1, String.fromCharCode((bytes.charCodeAt(at) ^ (1 << random.int(0, 7))) & 0xff));
  },
  (bytes, random) => splice(bytes, somewhere(bytes, random), 1, String.fromCharCode(random.int(0, 255))),
  // What is there, less of it, or more.
  (bytes, random) => splice(bytes, somewhere(bytes, random), random.int(1, 8), ""),
  (bytes, random) => splice(bytes, atDelimiter(bytes, random), 1, ""),
  (bytes, random) => bytes.slice(0, somewhere(bytes, random)),
  (bytes, random) => bytes.slice(random.int(0, Math.min(bytes.length, 40))),
  (bytes, random) => {
    const at = somewhere(bytes, random);
    return splice(bytes, at, 0, bytes.slice(at, at + random.int(1, 60)).repeat(random.int(1, 3)));
  },
  (bytes, random) => {
    const lines = bytes.split("\r\n");
    lines.splice(random.int(0, lines.length), 0, random.pick(lines));
    return lines.join("\r\n");
  },
  (bytes, random) => {
    const lines = bytes.split("\r\n");
    const [line = ""] = lines.splice(random.int(0, lines.length - 1), 1);
    if (random.chance(0.5)) lines.splice(random.int(0, lines.length), 0, line);
    return lines.join("\r\n");
  },
  // What does not belong there.
  (bytes, random) => splice(bytes, atDelimiter(bytes, random), random.int(0, 1), random.pick(INSERTIONS)),
  (bytes, random) => splice(bytes, somewhere(bytes, random), 0, random.pick(INSERTIONS)),
  (bytes, random) => splice(bytes, somewhere(bytes, random), 0, random.pick(INSERTIONS).repeat(random.int(1, 200))),
  (bytes, random) => bytes.replace("\r\n", random.pick(["\n", "\r", "\n\r", "\r\r\n", "\r\n ", "\v\n", "\x85"])),
  (bytes, random) =>
    bytes.replace(/HTTP\/1\.1/, random.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1", ""])),
  (bytes, random) => bytes.replace(/\d+/, random.pick(["0", "-1", "4294967296", "18446744073709551616", "1e9", "00"])),
  (bytes, random) =>
    bytes.replace(/^\S+/, random.pick(["HEAD", "POST", "CONNECT", "TRACE", "PRI", "QUERY", "get", "G\0T", ""])),
];

/** The conversation of that chance: one to six messages, some of them changed, in one piece or many. */
export function createRaw(world: World, structured: Structured): (random: Random) => RawConversation {
  const corpus = createCorpus(world);
  return (random) => {
    if (random.chance(0.000_5)) return toHalfAHead(structured(random).bytes, random);
    const messages: string[] = [];
    do {
      let bytes = random.chance(0.5) ? structured(random).bytes : random.pick(corpus);
      if (random.chance(0.6)) {
        do bytes = random.pick(mutations)(bytes, random);
        while (random.chance(0.4));
      }
      messages.push(bytes);
    } while (messages.length < 6 && random.chance(0.6));
    const all = messages.join(random.chance(0.95) ? "" : random.pick(["\r\n", "\n", " ", "\0", "x", "\r\n\r\n"]));
    return toConversation(cut(all, random), messages.length, random);
  };
}

/** Which never becomes a whole one: the server's patience has to end. */
function toHalfAHead(bytes: string, random: Random): RawConversation {
  const piece = bytes.slice(0, random.int(1, bytes.indexOf("\r\n\r\n")));
  return { pieces: [piece], requests: 1, end: "wait", isHead: () => undefined };
}

/** By fate whole, at any place, or, as a drip, everywhere. */
function cut(bytes: string, random: Random): readonly string[] {
  if (random.chance(0.8)) return [bytes];
  if (bytes.length < 600 && random.chance(0.1)) return [...bytes];
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = random.int(1, Math.max(1, Math.ceil(bytes.length / 3)));
    pieces.push(bytes.slice(at, at + length));
    at += length;
  }
  return pieces;
}

export function toConversation(pieces: readonly string[], requests: number, random: Random): RawConversation {
  const reading = readStrictly(pieces.join(""));
  const isCertain = reading.isWhole && !reading.requests.some(mayClose);
  const isHead = (number: number) => (isCertain ? reading.requests[number]?.method === "HEAD" : undefined);
  const ending = isCertain ? { answers: reading.requests.length } : "half-close";
  const end: Conversation["end"] = random.chance(0.05) ? "reset" : ending;
  return { pieces, requests, end, isHead };
}
