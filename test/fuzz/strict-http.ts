/**
 * Reads requests as strictly as RFC 9112 allows. It is written without regard to what the layer does. What is not plainly
 * a request is not read as one.
 */
import type { LayerUnderTest } from "./layer.ts";

export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** All values of each lower-case name, in their order. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** The length of the head. */
  readonly headLength: number;
}

export interface StrictReading {
  readonly requests: readonly StrictRequest[];
  /** Whether every byte belongs to one of them. */
  readonly isWhole: boolean;
}

/** A parser may reject other methods. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "M-SEARCH", "PURGE"];
/** Longer heads may be rejected. */
const MAX_HEAD = 16_000;

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\/[\x21-\x7e]*|\*) HTTP\/(1\.[01])$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/;
const CHUNK = /^([0-9a-fA-F]{1,8})\r\n/;

export function readStrictly(bytes: string): StrictReading {
  const requests: StrictRequest[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf("\r\n\r\n", at);
    const request = end < 0 ? undefined : readHead(bytes.slice(at, end));
    const next = request === undefined ? undefined : findBodyEnd(bytes, end + 4, request);
    if (request === undefined || next === undefined) return { requests, isWhole: false };
    requests.push(request);
    at = next;
  }
  return { requests, isWhole: true };
}

function readHead(head: string): StrictRequest | undefined {
  const [first = "", ...lines] = head.split("\r\n");
  const [, method = "", target = "", version] = REQUEST_LINE.exec(first) ?? [];
  if (version !== "1.0" && version !== "1.1") return undefined;
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, value = ""] = HEADER.exec(line) ?? [];
    if (name === undefined) return undefined;
    // Parsers differ about the white space beside a length.
    if (/^(content-length|transfer-encoding)$/i.test(name) && line !== `${name}: ${value}`) return undefined;
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value]);
  }
  return { method, target, version, headers, headLength: head.length };
}

/** Where the body ends; undefined if that is not certain. */
function findBodyEnd(bytes: string, from: number, { headers, version }: StrictRequest): number | undefined {
  const lengths = headers.get("content-length");
  const codings = headers.get("transfer-encoding");
  if (codings === undefined) {
    const [length = "0"] = lengths ?? [];
    if ((lengths?.length ?? 1) !== 1 || !/^\d{1,9}$/.test(length)) return undefined;
    return from + Number(length) <= bytes.length ? from + Number(length) : undefined;
  }
  if (lengths !== undefined || version === "1.0" || codings.join().toLowerCase() !== "chunked") return undefined;
  for (let at = from; ; ) {
    const size = CHUNK.exec(bytes.slice(at, at + 10));
    if (size === null) return undefined;
    const length = Number.parseInt(size[1] ?? "", 16);
    const end = at + size[0].length + length;
    if (bytes.slice(end, end + 2) !== "\r\n") return undefined;
    if (length === 0) return end + 2;
    at = end + 2;
  }
}

/** Whether the connection may be closed after this request, or the bytes behind it dropped, as Node does if it ignores an Upgrade. */
export const mayClose = ({ method, version, headers, headLength }: StrictRequest): boolean =>
  !METHODS.includes(method) ||
  headLength > MAX_HEAD ||
  version === "1.0" ||
  headers.has("upgrade") ||
  /close/i.test(headers.get("connection")?.join() ?? "") ||
  headers.has("transfer-encoding") ||
  Number(headers.get("content-length")?.[0] ?? 0) > 1_024;

/** Whether the request may get an answer that is not a refusal: it has one right token and one allowed Host, and came through no proxy. */
export function mayBeGranted({ method, target, headers }: StrictRequest, { port, token }: LayerUnderTest): boolean {
  const [host, ...otherHosts] = headers.get("host") ?? [];
  if (otherHosts.length > 0 || ![`127.0.0.1:${port}`, `localhost:${port}`].includes(host?.toLowerCase() ?? ""))
    return false;
  if (["x-forwarded-for", "forwarded", "via"].some((name) => headers.has(name))) return false;
  if (/^\/{1,2}ping(\?|$)/.test(target)) return method === "GET" || method === "HEAD";
  if (method !== "GET" && !(method === "POST" && /^\/secrets\/.+\/invalid\?/.test(target))) return false;
  return ["x-aws-parameters-secrets-token", "x-vault-token"].some((name) => {
    const values = headers.get(name) ?? [];
    return values.length === 1 && values[0] === token;
  });
}
