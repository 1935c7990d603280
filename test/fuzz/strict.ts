/**
 * Requests as the strictest reading of RFC 9112 has them, written without a look at what the layer does. What is not
 * plainly one request is none.
 */
import type { World } from "./world.ts";

export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** By lower-case name, all values in their order. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Of its head. */
  readonly length: number;
}

export interface StrictReading {
  readonly requests: readonly StrictRequest[];
  /** All bytes are part of one of them. */
  readonly isWhole: boolean;
}

/** Others may be none to a parser. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "M-SEARCH", "PURGE"];
/** A head that may be longer than can be read. */
const MOST = 16_000;

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
    // Which white space may stand beside a length is not beyond doubt.
    if (/^(content-length|transfer-encoding)$/i.test(name) && line !== `${name}: ${value}`) return undefined;
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value]);
  }
  return { method, target, version, headers, length: head.length };
}

/** Where the body ends; undefined where that is not beyond doubt. */
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

/** After it, the connection may be closed, or, where Node ignores an Upgrade, what came with it be dropped. */
export const mayClose = ({ method, version, headers, length }: StrictRequest): boolean =>
  !METHODS.includes(method) ||
  length > MOST ||
  version === "1.0" ||
  headers.has("upgrade") ||
  /close/i.test(headers.get("connection")?.join() ?? "") ||
  headers.has("transfer-encoding") ||
  Number(headers.get("content-length")?.[0] ?? 0) > 1_024;

/** Whether it shows what has to be shown for an answer that is not a refusal: one right token, one allowed Host, no proxy. */
export function mayBeGranted({ method, target, headers }: StrictRequest, { port, token }: World): boolean {
  const [host, ...otherHosts] = headers.get("host") ?? [];
  if (otherHosts.length > 0 || ![`127.0.0.1:${port}`, `localhost:${port}`].includes(host?.toLowerCase() ?? ""))
    return false;
  if (headers.has("x-forwarded-for") || headers.has("forwarded")) return false;
  if (target === "/ping" || target.startsWith("/ping?")) return method === "GET";
  if (method !== "GET" && !(method === "POST" && /^\/secrets\/.+\/invalid\?/.test(target))) return false;
  return ["x-aws-parameters-secrets-token", "x-vault-token"].some((name) => {
    const values = headers.get(name) ?? [];
    return values.length === 1 && values[0] === token;
  });
}
