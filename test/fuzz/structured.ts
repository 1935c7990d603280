/**
 * Requests made of words: each is good HTTP, and each word says what becomes of a request that has it, so that every
 * answer is foretold.
 */
import type { Random } from "./random.ts";
import { type Route, routes, strangePaths } from "./routes.ts";
import { hosts, otherHeaders, parameters, tokens, type Word } from "./words.ts";
import type { Mode, World } from "./world.ts";

export interface FuzzRequest {
  /** Latin-1: a character is a byte. */
  readonly bytes: string;
  /** One of these is the answer's. */
  readonly statuses: readonly number[];
  /** No other may come after it on its connection. */
  readonly isLast: boolean;
}

export type Structured = (random: Random) => FuzzRequest;

interface Ending extends Word {
  readonly isLast?: boolean;
}

/** Of a request line, and of what stands behind the head. */
const METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "M-SEARCH", "PURGE"];
const VERSIONS: readonly Ending[] = [{ text: "HTTP/1.0", isLast: true }];
const BODIES: readonly Ending[] = [
  { text: "Content-Length: 0\r\n\r\n" },
  { text: `Content-Length: 1024\r\n\r\n${"b".repeat(1_024)}` },
  { text: `Content-Length: 31\r\n\r\nGET /stats HTTP/1.1\r\nA: bcdef\r\n\r\n`.slice(0, -2) },
  { text: `Content-Length: 1025\r\n\r\n${"b".repeat(1_025)}`, refused: [413], isLast: true },
  { text: "Content-Length: 999999999\r\n\r\n", refused: [413], isLast: true },
  ...[
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    'Transfer-Encoding: Chunked\r\n\r\n3;a="b"\r\nabc\r\n00002\r\nde\r\n0\r\nTrailer: x\r\n\r\n',
    `Transfer-Encoding: chunked\r\n\r\n${"400\r\n".concat("c".repeat(1_024), "\r\n").repeat(4)}0\r\n\r\n`,
  ].map((text) => ({ text, refused: [413], isLast: true })),
  { text: "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok" },
  { text: "Expect: something\r\n\r\n" },
  // Node drops what came together with it.
  { text: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n\r\n", isLast: true },
  { text: "Connection: close\r\n\r\n", isLast: true },
  { text: `X-Large: ${"h".repeat(20_000)}\r\n\r\n`, refused: [431], isLast: true },
];
const PLAIN: Ending = { text: "\r\n" };

/** How bytes of a target may be written. What decodes to the same is the same; what is encoded twice is another id. */
const ENCODINGS: readonly ((text: string) => string)[] = [
  encodeURIComponent,
  encodeURIComponent,
  (text) => encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%3A", ":"),
  (text) =>
    // Longer, it would be the head that is too large.
    text.length > 5_000
      ? text
      : [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
];
const BROKEN = ["%", "%2", "%zz", "%ff", "%c0%af", "%ed%a0%80", "%u0041"];

export function createStructured(world: World): Structured {
  const words = {
    hosts: hosts(world),
    tokens: tokens(world),
    parameters: parameters(world),
    ids: new Map(routes.map((route) => [route, route.ids(world)])),
  };

  return (random) => {
    const route = random.chance(0.05) ? random.pick(strangePaths) : random.pick(routes);
    const used: Word[] = [route.answer];
    const use = <W extends Word>(word: W): W => {
      used.push(word);
      return word;
    };
    const target = toTarget(route, words.ids.get(route) ?? [], words.parameters, random, use);
    const host = use(random.chance(0.9) ? random.pick(words.hosts.slice(0, 3)) : random.pick(words.hosts));
    const token = random.chance(0.85) ? random.pick(words.tokens.slice(0, 6)) : random.pick(words.tokens);
    if (route.needsToken) use(token);
    const others = random.chance(0.7) ? [] : [use(random.pick(otherHeaders))];
    const method = random.chance(0.93) ? route.method : random.pick(METHODS);
    if (method !== route.method) used.push({ text: "", refused: toRefusals(route, method) });
    const version: Ending = random.chance(0.98) ? { text: "HTTP/1.1" } : random.pick(VERSIONS);
    const body: Ending = random.chance(0.9) ? PLAIN : use(random.pick(BODIES));
    const lines = [host, token, ...others].map(({ text }) => text).filter((text) => text !== "");
    if (random.chance(0.5)) lines.reverse();
    const head = [`${method} ${target} ${version.text}`, ...lines].join("\r\n");
    return {
      bytes: `${head}\r\n${body.text}`,
      statuses: toStatuses(world.mode, used, route.answer.status),
      isLast: version.isLast === true || body.isLast === true,
    };
  };
}

/** Another method of a path may be another route's: then anything may come of it but a success that was not asked for. */
function toRefusals(route: Route, method: string): readonly number[] {
  return route.path[1] === undefined || method !== "GET" ? [405] : [400, 403, 404];
}

function toTarget(
  route: Route,
  ids: readonly Word[],
  all: ReturnType<typeof parameters>,
  random: Random,
  use: <W extends Word>(word: W) => W,
): string {
  const encode = random.pick(ENCODINGS);
  const id = ids.length === 0 ? "" : writeId(use(random.pick(ids)).text);
  const pairs: string[] = [];
  if (route.idParameter !== undefined) {
    if (random.chance(0.97)) pairs.push(`${route.idParameter}=${id}`);
    else use({ text: "", refused: [400] });
  }
  const known = all.filter(({ name, refused }) => refused === undefined && route.parameters.includes(name));
  const required = known.filter(({ name }) => name === route.required);
  if (required.length > 0 && random.chance(0.9)) add(random.pick(required));
  while (random.chance(0.3)) add(known.length > 0 && random.chance(0.7) ? random.pick(known) : random.pick(all));
  if (route.required !== undefined && !names().includes(route.required)) use({ text: "", refused: [400] });
  if (new Set(names()).size < pairs.length) use({ text: "", refused: [400] });
  if (random.chance(0.02)) pairs.push(use({ text: random.pick(BROKEN), refused: [400] }).text);
  if (random.chance(0.02)) pairs.push("", "");
  if (random.chance(0.3)) pairs.reverse();
  const path = route.path.length > 1 || ids.length > 0 ? [route.path[0], route.path[1] ?? ""] : route.path;
  const target = route.idParameter === undefined ? path.join(id) : route.path[0];
  if (pairs.length === 0) return random.chance(0.02) ? `${target}?` : target;
  return `${target}${target.includes("?") ? "&" : "?"}${pairs.join("&")}`;

  function add(parameter: ReturnType<typeof parameters>[number]): void {
    use(route.parameters.includes(parameter.name) ? parameter : { text: "", refused: [400] });
    pairs.push(`${encode(parameter.name)}=${encode(parameter.text)}`);
  }

  function writeId(text: string): string {
    if (!random.chance(0.02)) return encode(text);
    use({ text: "", refused: [400] });
    return encode(encode(`${text}%`));
  }

  function names(): string[] {
    return pairs.map((pair) => decodeURIComponent(pair.slice(0, pair.indexOf("="))));
  }
}

function toStatuses(mode: Mode, used: readonly Word[], success: number): readonly number[] {
  const refused = used.flatMap((word) => word.refused ?? []);
  // Before anybody is asked.
  if (refused.includes(431)) return [431];
  if (mode === "disabled") return [503];
  return [...new Set([...(refused.length > 0 ? refused : [success]), ...used.flatMap((word) => word.maybe ?? [])])];
}
