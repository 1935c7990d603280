/**
 * Requests made of known parts. Each is well-formed HTTP, and each part says what it does to the status, so that the
 * status of every answer is predicted.
 */
import fc from "fast-check";
import type { AccessMode, LayerUnderTest } from "./layer.ts";
import {
  hostHeaders,
  otherHeaders,
  type QueryParameter,
  queryParameters,
  type RequestPart,
  tokenHeaders,
} from "./request-parts.ts";
import { type FuzzRoute, routes, strangePaths } from "./routes.ts";

export interface PredictedRequest {
  /** Latin-1: a character is a byte. */
  readonly bytes: string;
  /** The answer must have one of these. */
  readonly statuses: readonly number[];
  /** No other request may follow on its connection. */
  readonly isLast: boolean;
}

interface Ending extends RequestPart {
  readonly isLast?: boolean;
}

const METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "M-SEARCH", "PURGE"];
const HTTP_1_1: Ending = { text: "HTTP/1.1" };
const HTTP_1_0: Ending = { text: "HTTP/1.0", isLast: true };
/** The end of the head, and the body. */
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
  // Node drops the bytes that came together with it.
  { text: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n\r\n", isLast: true },
  { text: "Connection: close\r\n\r\n", isLast: true },
  { text: `X-Large: ${"h".repeat(20_000)}\r\n\r\n`, refused: [431], isLast: true },
];
const NO_BODY: Ending = { text: "\r\n" };

/** Ways to write a target. The decoded text is the same; an id that is encoded twice is another id. */
const ENCODINGS: readonly ((text: string) => string)[] = [
  encodeURIComponent,
  encodeURIComponent,
  (text) => encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%3A", ":"),
  (text) =>
    // A longer text would make the head too large.
    text.length > 5_000
      ? text
      : [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
];
const BROKEN_PAIRS = ["%", "%2", "%zz", "%ff", "%c0%af", "%ed%a0%80", "%u0041"];

/** `usual` in so many percent of all cases, and else one of `others`. Shrinks to `usual`. */
export const usually = <T>(percent: number, usual: fc.Arbitrary<T>, others: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: percent, arbitrary: usual },
    { weight: 100 - percent, arbitrary: others },
  );
const inPercent = (percent: number) => usually(100 - percent, fc.constant(false), fc.constant(true));

export function predictedRequest(layer: LayerUnderTest): fc.Arbitrary<PredictedRequest> {
  const [hosts, tokens, parameters] = [hostHeaders(layer), tokenHeaders(layer), queryParameters(layer)];
  const toArbitrary = (route: FuzzRoute) =>
    choicesOf(route, layer, parameters, hosts, tokens).map((choices) => toRequest(route, layer.mode, choices));
  return usually(95, fc.oneof(...routes.map(toArbitrary)), fc.oneof(...strangePaths.map(toArbitrary)));
}

function choicesOf(
  route: FuzzRoute,
  layer: LayerUnderTest,
  parameters: readonly QueryParameter[],
  hosts: readonly RequestPart[],
  tokens: readonly RequestPart[],
) {
  const ids = route.ids(layer);
  const known = parameters.filter(({ name, refused }) => refused === undefined && route.parameters.includes(name));
  const required = known.filter(({ name }) => name === route.required);
  const anyParameter = fc.constantFrom(...parameters);
  const parameter = known.length > 0 ? usually(70, fc.constantFrom(...known), anyParameter) : anyParameter;
  const none = fc.constant<readonly QueryParameter[]>([]);
  return fc.record({
    id: ids.length === 0 ? fc.constant(undefined) : fc.constantFrom(...ids),
    isIdMissing: inPercent(3),
    isIdEncodedTwice: inPercent(2),
    required: required.length === 0 ? none : usually(90, fc.constantFrom(...required.map((one) => [one])), none),
    optional: usually(70, none, fc.array(parameter, { minLength: 1, maxLength: 3, size: "max" })),
    brokenPairs: usually(
      98,
      fc.constant<readonly string[]>([]),
      fc.constantFrom(...BROKEN_PAIRS.map((pair) => [pair])),
    ),
    hasEmptyPairs: inPercent(2),
    arePairsReversed: inPercent(30),
    hasEmptyQuery: inPercent(2),
    encode: fc.constantFrom(...ENCODINGS),
    host: usually(90, fc.constantFrom(...hosts.slice(0, 3)), fc.constantFrom(...hosts)),
    token: usually(85, fc.constantFrom(...tokens.slice(0, 6)), fc.constantFrom(...tokens)),
    headers: usually(70, fc.constant<readonly RequestPart[]>([]), fc.constantFrom(...otherHeaders.map((one) => [one]))),
    areHeadersReversed: inPercent(50),
    method: usually(93, fc.constant<string>(route.method), fc.constantFrom(...METHODS)),
    version: usually(98, fc.constant(HTTP_1_1), fc.constant(HTTP_1_0)),
    body: usually(90, fc.constant(NO_BODY), fc.constantFrom(...BODIES)),
  });
}
type Choices = ReturnType<typeof choicesOf> extends fc.Arbitrary<infer C> ? C : never;

function toRequest(route: FuzzRoute, mode: AccessMode, choices: Choices): PredictedRequest {
  const { host, token, headers, method, version, body } = choices;
  const { target, parts } = toTarget(route, choices);
  const lines = [host, token, ...headers].map(({ text }) => text).filter((text) => text !== "");
  if (choices.areHeadersReversed) lines.reverse();
  const head = [`${method} ${target} ${version.text}`, ...lines].join("\r\n");
  const used = [route.answer, ...parts, host, ...headers, body, ...(route.needsToken ? [token] : [])];
  if (method !== route.method && method !== route.otherMethod)
    used.push({ text: "", refused: toRefusals(route, method) });
  return {
    bytes: `${head}\r\n${body.text}`,
    statuses: toStatuses(mode, used, route.answer.status),
    isLast: version.isLast === true || body.isLast === true,
  };
}

/** With another method, a path may be another route: then any refusal is right, and a success is not. */
function toRefusals(route: FuzzRoute, method: string): readonly number[] {
  return route.path[1] === undefined || method !== "GET" ? [405] : [400, 403, 404];
}

const REFUSED: RequestPart = { text: "", refused: [400] };

function toTarget(
  route: FuzzRoute,
  choices: Choices,
): { readonly target: string; readonly parts: readonly RequestPart[] } {
  const { id, encode, brokenPairs } = choices;
  const parts: RequestPart[] = id === undefined ? [] : [id];
  const isIdEncodedTwice = id !== undefined && choices.isIdEncodedTwice;
  if (isIdEncodedTwice) parts.push(REFUSED);
  const idText = isIdEncodedTwice ? encode(encode(`${id.text}%`)) : encode(id?.text ?? "");
  const parameters = [...choices.required, ...choices.optional];
  const isKnown = ({ name }: QueryParameter) => route.parameters.includes(name);
  const isUnset = (parameter: QueryParameter) => isKnown(parameter) && parameter.text === "";
  const unknown = parameters.filter((parameter) => !isKnown(parameter));
  if (route.isLenient) parts.push(...parameters.filter((parameter) => isKnown(parameter) && !isUnset(parameter)));
  else parts.push(...parameters.filter(isKnown), ...unknown.map(() => REFUSED));
  const names = parameters.filter((parameter) => isKnown(parameter) || !route.isLenient).map(({ name }) => name);
  const pairs = parameters.map(({ name, text }) => `${encode(name)}=${encode(text)}`);
  if (route.idParameter !== undefined && choices.isIdMissing) parts.push(REFUSED);
  else if (route.idParameter !== undefined) {
    names.unshift(route.idParameter);
    pairs.unshift(`${route.idParameter}=${idText}`);
  }
  if (route.required !== undefined && !names.includes(route.required)) parts.push(REFUSED);
  if (new Set(names).size < names.length) parts.push(REFUSED);
  if (brokenPairs.length > 0) parts.push(REFUSED);
  pairs.push(...brokenPairs, ...(choices.hasEmptyPairs ? ["", ""] : []));
  if (choices.arePairsReversed) pairs.reverse();
  const [before, after = ""] = route.path;
  const path = route.idParameter === undefined ? `${before}${idText}${after}` : before;
  const hasQuery = pairs.length > 0 || choices.hasEmptyQuery;
  const target = hasQuery ? `${path}${path.includes("?") ? "&" : "?"}${pairs.join("&")}` : path;
  return { target, parts };
}

function toStatuses(mode: AccessMode, used: readonly RequestPart[], success: number): readonly number[] {
  const refused = used.flatMap((part) => part.refused ?? []);
  // A head that is too large is refused before anything else is checked.
  if (refused.includes(431)) return [431];
  if (mode === "disabled") return [503];
  return [...new Set([...(refused.length > 0 ? refused : [success]), ...used.flatMap((part) => part.maybe ?? [])])];
}
