/**
 * Conversations: predicted requests in a row, and mutated bytes of requests, each as a fast-check arbitrary. fast-check
 * chooses, and shrinks what breaks a rule. It has no mutations of a given text: they are functions of the bytes here, of
 * which fast-check chooses the kind, the place and the order.
 */
import fc from "fast-check";
import type { Conversation } from "./connection.ts";
import { createCorpus } from "./corpus.ts";
import type { LayerUnderTest } from "./layer.ts";
import { type PredictedRequest, predictedRequest, usually } from "./predicted-requests.ts";
import { mayClose, readStrictly } from "./strict-http.ts";

export interface FuzzConversation extends Conversation {
  readonly requests: number;
  /** Undefined if the bytes are mutated. */
  readonly predicted?: readonly PredictedRequest[];
}

export type GeneratorName = "predicted" | "mutated";

const MAX_PREDICTED_REQUESTS = 60;

/** Without fast-check's bias to small values: the weights here are meant. */
export function conversationOf(
  layer: LayerUnderTest,
  generators: readonly GeneratorName[],
): fc.Arbitrary<FuzzConversation> {
  const request = predictedRequest(layer);
  const all = {
    predicted: some(request, MAX_PREDICTED_REQUESTS).map(toPredicted),
    mutated: mutatedConversation(
      layer,
      request.map(({ bytes }) => bytes),
    ),
  };
  return fc.noBias(fc.oneof(...generators.map((name) => all[name])));
}

/** One or more. With a `minLength` of 1, fast-check would not shrink two values to the first of them. */
const some = <T>(value: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> =>
  fc.array(value, { maxLength, size: "max" }).filter(({ length }) => length > 0);

/** The requests up to the first that must be the last. */
function toPredicted(requests: readonly PredictedRequest[]): FuzzConversation {
  const last = requests.findIndex(({ isLast }) => isLast);
  const predicted = last < 0 ? requests : requests.slice(0, last + 1);
  return {
    pieces: [predicted.map(({ bytes }) => bytes).join("")],
    requests: predicted.length,
    predicted,
    end: { answers: predicted.length },
    // If a head is too large, the server does not know its method.
    isHead: (number) =>
      predicted[number]?.statuses.includes(431) ? undefined : predicted[number]?.bytes.startsWith("HEAD ") === true,
  };
}

/** A place in the bytes, as a part of their length: their length is not known yet. */
const place = fc.nat(0xffff).map((number) => number / 0x10000);
const toIndex = (at: number, { length }: string): number => Math.floor(at * (length + 1));

type Mutation = (bytes: string) => string;

const splice = (bytes: string, index: number, count: number, inserted: string): string =>
  bytes.slice(0, index) + inserted + bytes.slice(index + count);
/** The index of a character that means something to a parser. */
const toDelimiterIndex = (at: number, bytes: string): number => {
  const indexes = [...bytes.slice(0, 4_000).matchAll(/[\r\n :,;?&=%/]/g)].map(({ index }) => index);
  return indexes[Math.floor(at * indexes.length)] ?? 0;
};

/** Texts that a request should not have at that place. */
const INSERTIONS = [
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
  "\r\nHost: evil.example",
  "\r\nX-Forwarded-For: x",
  "\r\nConnection: close",
  "\r\nExpect: 100-continue",
  "\r\nUpgrade: x",
  "0\r\n\r\n",
];

const mutate = <T>(chosen: fc.Arbitrary<T>, change: (bytes: string, values: T) => string): fc.Arbitrary<Mutation> =>
  chosen.map((values) => (bytes: string) => change(bytes, values));
/** Replaces the first match. */
const replace = (pattern: string | RegExp, ...texts: readonly string[]): fc.Arbitrary<Mutation> =>
  mutate(fc.constantFrom(...texts), (bytes, text) => bytes.replace(pattern, () => text));
const insertion = fc.constantFrom(...INSERTIONS);
const upTo = (max: number) => fc.integer({ min: 1, max });

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  // Changes a bit or a byte.
  mutate(fc.tuple(place, fc.nat(7)), (bytes, [at, bit]) => {
    const index = Math.floor(at * bytes.length);
    return splice(bytes, index, 1, String.fromCharCode((bytes.charCodeAt(index) ^ (1 << bit)) & 0xff));
  }),
  mutate(fc.tuple(place, fc.nat(255)), (bytes, [at, code]) =>
    splice(bytes, toIndex(at, bytes), 1, String.fromCharCode(code)),
  ),
  // Removes bytes, or repeats them.
  mutate(fc.tuple(place, upTo(8)), (bytes, [at, count]) => splice(bytes, toIndex(at, bytes), count, "")),
  mutate(place, (bytes, at) => splice(bytes, toDelimiterIndex(at, bytes), 1, "")),
  mutate(place, (bytes, at) => bytes.slice(0, toIndex(at, bytes))),
  mutate(fc.nat(40), (bytes, count) => bytes.slice(count)),
  mutate(fc.tuple(place, upTo(60), upTo(3)), (bytes, [at, length, times]) => {
    const index = toIndex(at, bytes);
    return splice(bytes, index, 0, bytes.slice(index, index + length).repeat(times));
  }),
  // Repeats, removes or moves a line.
  mutate(fc.tuple(place, place), (bytes, [from, to]) => {
    const lines = bytes.split("\r\n");
    lines.splice(Math.floor(to * (lines.length + 1)), 0, lines[Math.floor(from * lines.length)] ?? "");
    return lines.join("\r\n");
  }),
  mutate(fc.tuple(place, place, fc.boolean()), (bytes, [from, to, isMoved]) => {
    const lines = bytes.split("\r\n");
    const [line = ""] = lines.splice(Math.floor(from * lines.length), 1);
    if (isMoved) lines.splice(Math.floor(to * (lines.length + 1)), 0, line);
    return lines.join("\r\n");
  }),
  // Adds what does not belong there.
  mutate(fc.tuple(place, fc.nat(1), insertion), (bytes, [at, count, text]) =>
    splice(bytes, toDelimiterIndex(at, bytes), count, text),
  ),
  mutate(fc.tuple(place, insertion), (bytes, [at, text]) => splice(bytes, toIndex(at, bytes), 0, text)),
  mutate(fc.tuple(place, insertion, upTo(200)), (bytes, [at, text, times]) =>
    splice(bytes, toIndex(at, bytes), 0, text.repeat(times)),
  ),
  replace("\r\n", "\n", "\r", "\n\r", "\r\r\n", "\r\n ", "\v\n", "\x85"),
  replace(/HTTP\/1\.1/, "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1", ""),
  replace(/\d+/, "0", "-1", "4294967296", "18446744073709551616", "1e9", "00"),
  replace(/^\S+/, "HEAD", "POST", "CONNECT", "TRACE", "PRI", "QUERY", "get", "G\0T", ""),
);

/** One to six messages, some of them mutated, in one piece or in many. */
function mutatedConversation(layer: LayerUnderTest, request: fc.Arbitrary<string>): fc.Arbitrary<FuzzConversation> {
  const unchanged = fc.constant<readonly Mutation[]>([]);
  const mutations = usually(40, unchanged, fc.array(mutation, { minLength: 1, maxLength: 3, size: "max" }));
  const message = fc
    .tuple(fc.oneof(request, fc.constantFrom(...createCorpus(layer))), mutations)
    .map(([bytes, changes]) => changes.reduce((text, change) => change(text), bytes));
  const separator = usually(95, fc.constant(""), fc.constantFrom("\r\n", "\n", " ", "\0", "x", "\r\n\r\n"));
  const cuts = fc.array(place, { minLength: 1, maxLength: 8, size: "max" });
  const cut = fc.oneof(
    { weight: 80, arbitrary: fc.constant((bytes: string) => [bytes]) },
    { weight: 18, arbitrary: cuts.map((places) => (bytes: string) => cutAt(places, bytes)) },
    // Byte by byte, if there are not too many.
    { weight: 2, arbitrary: fc.constant((bytes: string) => (bytes.length < 600 ? [...bytes] : [bytes])) },
  );
  const isReset = usually(95, fc.constant(false), fc.constant(true));
  const whole = fc
    .tuple(some(message, 6), separator, cut, isReset)
    .map(([messages, between, toPieces, ends]) =>
      toConversation(toPieces(messages.join(between)), messages.length, ends),
    );
  const half = fc.tuple(request, place).map(([bytes, at]): FuzzConversation => {
    const piece = bytes.slice(0, 1 + Math.floor(at * bytes.indexOf("\r\n\r\n")));
    return { pieces: [piece], requests: 1, end: "wait", isHead: () => undefined };
  });
  // Half a head is rare: the server takes more than ten seconds to close its connection.
  return fc.oneof({ weight: 1_999, arbitrary: whole }, { weight: 1, arbitrary: half });
}

function cutAt(places: readonly number[], bytes: string): string[] {
  const indexes = [0, ...places.map((at) => toIndex(at, bytes)).sort((a, b) => a - b), bytes.length];
  const pieces = indexes.slice(1).map((end, index) => bytes.slice(indexes[index], end));
  return pieces.filter((piece) => piece !== "");
}

export function toConversation(pieces: readonly string[], requests: number, isReset = false): FuzzConversation {
  const reading = readStrictly(pieces.join(""));
  const isCertain = reading.isWhole && !reading.requests.some(mayClose);
  const isHead = (number: number) => (isCertain ? reading.requests[number]?.method === "HEAD" : undefined);
  const ending = isCertain ? { answers: reading.requests.length } : "half-close";
  return { pieces, requests, end: isReset ? "reset" : ending, isHead };
}
