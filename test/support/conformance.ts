/** Rows of the conformance table: a raw request to the built layer, the expected answer, and the answer that came. */
import { connect } from "node:net";
import { afterAll, beforeAll, expect } from "vitest";
import { type Bench, type BenchOptions, startBench } from "./bench.ts";
import { findLeaks } from "./canary.ts";
import { type See, testRow } from "./rows.ts";

/** Starts one bench for all tests of the file. The file fails if a secret leaked anywhere. */
export function shareBench(options: BenchOptions): () => Bench {
  const ends: (() => Promise<void>)[] = [];
  let bench: Bench | undefined;
  beforeAll(async () => {
    bench = await startBench({ ...options, onEnd: (end) => void ends.push(end) });
    await bench.lambda.init();
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });
  return () => {
    if (bench === undefined) throw new Error("the bench exists only while the tests run");
    return bench;
  };
}

/** The variables of a function that may ask for any secret, and has none fetched in init. */
export const ANY_SECRET = {
  CROSS_ACCOUNT_SECRETS_ALLOW: "any",
  CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined,
  SECRET_NAME: undefined,
};

export const TOKEN = "X-Aws-Parameters-Secrets-Token";

interface ConformanceRow {
  readonly group: string;
  readonly name: string;
  readonly expected: string;
}

export function conform(row: ConformanceRow, run: (see: See) => Promise<void>): void {
  testRow({ table: "conformance", ...row }, undefined, run);
}

export interface RawRequest {
  readonly method?: string;
  readonly target: string;
  /** Added to the token and the host, or replacing them; undefined removes one. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Raw header lines, after all others. */
  readonly lines?: readonly string[];
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends a request without any normalization, and resolves with the answer. */
export function ask({ port, environment }: Bench, asked: RawRequest): Promise<RawAnswer> {
  const { method = "GET", target, lines = [] } = asked;
  const headers = {
    Host: `127.0.0.1:${port}`,
    [TOKEN]: environment.AWS_SESSION_TOKEN,
    ...asked.headers,
  };
  const all = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const answer = parseAnswer(bytes, method === "HEAD");
      if (answer === undefined) return;
      resolve(answer);
      socket.destroy();
    });
    socket.on("error", reject).on("close", () => reject(new Error(`no complete answer: ${bytes}`)));
    socket.write([`${method} ${target} HTTP/1.1`, ...all, ...lines, "", ""].join("\r\n"));
  });
}

/** Returns undefined while the answer is incomplete. Every answer of the extension has a Content-Length. */
function parseAnswer(bytes: Buffer, isWithoutBody: boolean): RawAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const body = bytes.subarray(end + 4);
  const length = isWithoutBody ? 0 : Number(headers["content-length"] ?? 0);
  if (body.length < length) return undefined;
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]), headers, body: body.toString() };
}

/** What must be in the answer. */
export interface ExpectedAnswer {
  readonly status: number;
  /** `__type` of a failure. */
  readonly type?: string;
  /** A part of the message of a failure. */
  readonly tells?: string;
  /** The whole body, if it is text. */
  readonly text?: string;
  /** Some properties of the body; `{ pattern }` for a value that differs between runs. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Some headers, with names in lower case; a pattern for a value that contains a time. */
  readonly headers?: Readonly<Record<string, string | RegExp>>;
}

/** A failure with this status and type. */
export const refused = (status: number, type: string, tells?: string): ExpectedAnswer => ({
  status,
  type,
  ...(tells === undefined ? {} : { tells }),
});

export function toExpectedText({ status, type, tells, text, body = {}, headers = {} }: ExpectedAnswer): string {
  return [
    `${status}${type === undefined ? "" : ` ${type}`}${tells === undefined ? "" : `: … ${tells} …`}`,
    ...(text === undefined ? [] : [text || "no body"]),
    ...Object.entries(body).map(toPair),
    ...Object.entries(headers).map(
      ([name, value]) => `${name}: ${value instanceof RegExp ? `… ${value.source.replace("$", "")}` : value}`,
    ),
  ].join(", ");
}

const toPair = ([name, value]: [string, unknown]): string => `${name} ${JSON.stringify(value, toShown)}`;

/** Shortens a value to what the table has room for. */
const toShown = (_: string, value: unknown): unknown => {
  if (isPattern(value)) return value.pattern.source.replace(/^\^|\$$|\\/g, "");
  return typeof value === "string" ? value.replace(/^(.{60}).{20,}$/s, "$1…") : value;
};

const isPattern = (value: unknown): value is { readonly pattern: RegExp } =>
  typeof value === "object" && value !== null && "pattern" in value && value.pattern instanceof RegExp;

/** Makes the value that vitest compares the body with. */
function toMatcher(value: unknown): unknown {
  if (isPattern(value)) return expect.stringMatching(value.pattern);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toMatcher(member)]));
}

/** Keeps those members of a received value that the expected value has too. */
function pick(value: unknown, expected: unknown): unknown {
  const isObject = (other: unknown): other is Readonly<Record<string, unknown>> =>
    typeof other === "object" && other !== null && !Array.isArray(other);
  if (!isObject(value) || !isObject(expected) || isPattern(expected) || Object.keys(expected).length === 0)
    return value;
  return Object.fromEntries(Object.keys(expected).map((name) => [name, pick(value[name], expected[name])]));
}

/** Describes an answer: all of a failure, otherwise only what the row expects something of. */
export function toSeenText(answer: RawAnswer, expected: ExpectedAnswer): string {
  const failure = toFailure(answer);
  if (failure !== undefined) {
    const { __type, message } = failure;
    return [
      `${answer.status} ${__type}: ${String(message).replace(/x{9,}/, "xx…xx")}`,
      ...toSeenHeaders(answer, expected),
    ].join(", ");
  }
  const body = expected.body === undefined ? {} : JSON.parse(answer.body);
  return [
    `${answer.status}`,
    ...(expected.text === undefined ? [] : [answer.body || "no body"]),
    ...Object.entries(expected.body ?? {}).map(([name, value]) => toPair([name, pick(body[name], value)])),
    ...toSeenHeaders(answer, expected),
  ].join(", ");
}

const toSeenHeaders = (answer: RawAnswer, { headers = {} }: ExpectedAnswer): string[] =>
  Object.keys(headers).map((name) => `${name}: ${answer.headers[name]}`);

function toFailure({ status, headers, body }: RawAnswer): Readonly<Record<string, unknown>> | undefined {
  return status >= 400 && headers["content-type"] === "application/json" && body !== "" ? JSON.parse(body) : undefined;
}

/** Asserts that an answer has what is expected, and that a failure has the form that the README describes. */
export function expectAnswer(answer: RawAnswer, expected: ExpectedAnswer): void {
  expect(answer.status).toBe(expected.status);
  expect(answer.headers).toMatchObject({ "cache-control": "no-store" });
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    expect(answer.headers[name]).toEqual(value instanceof RegExp ? expect.stringMatching(value) : value);
  }
  if (expected.text !== undefined) expect(answer.body).toBe(expected.text);
  if (expected.body !== undefined) expect(JSON.parse(answer.body)).toMatchObject(Object(toMatcher(expected.body)));
  const failure = toFailure(answer);
  expect(failure?.__type).toBe(expected.type);
  if (failure === undefined) return;
  const allowed = ["__type", "message", "cause", "remedy", "statements", "requestId"];
  expect(Object.keys(failure)).toEqual(allowed.filter((key) => key in failure));
  const { statements = [], ...texts } = failure;
  for (const value of Object.values(texts)) expect(value).toEqual(expect.any(String));
  expect(statements).toEqual(expect.any(Array));
  expect(failure.message).toEqual(expect.stringContaining(expected.tells ?? ""));
}

/** Asserts that a failure contains no secret. */
export function expectNoLeak(answer: RawAnswer, { canaries, environment }: Bench): void {
  const secrets = [...canaries, environment.AWS_SESSION_TOKEN ?? ""];
  if (answer.status >= 400) expect(findLeaks(new Map([["failure", JSON.stringify(answer)]]), secrets)).toEqual([]);
}
