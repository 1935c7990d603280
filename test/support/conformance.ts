/** Rows of the conformance table: a request in bytes to the built layer, the answer that is expected, and the one that came. */
import { connect } from "node:net";
import { afterAll, beforeAll, expect } from "vitest";
import { type Bench, type BenchOptions, startBench } from "./bench.ts";
import { findLeaks } from "./canary.ts";
import { type See, testRow } from "./rows.ts";

/** One bench for all tests of the file, which fails if a secret got out anywhere. */
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
    if (bench === undefined) throw new Error("the bench is there when the tests run, and not before");
    return bench;
  };
}

export interface Conformance {
  readonly group: string;
  readonly name: string;
  readonly expected: string;
}

export function conform(row: Conformance, run: (see: See) => Promise<void>): void {
  testRow({ table: "conformance", ...row }, undefined, run);
}

export interface Asked {
  readonly method?: string;
  readonly target: string;
  /** Beside the token and the host, or in their place; undefined: without that one. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Lines as they are, after all others. */
  readonly lines?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends a request as it stands, and gives the one answer to it. */
export function ask({ port, environment }: Bench, asked: Asked): Promise<Answer> {
  const { method = "GET", target, lines = [] } = asked;
  const headers = {
    Host: `127.0.0.1:${port}`,
    "X-Aws-Parameters-Secrets-Token": environment.AWS_SESSION_TOKEN,
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
    socket.on("error", reject).on("close", () => reject(new Error(`no whole answer: ${bytes}`)));
    socket.write([`${method} ${target} HTTP/1.1`, ...all, ...lines, "", ""].join("\r\n"));
  });
}

/** Undefined while it is not whole. Every answer of ours tells its length. */
function parseAnswer(bytes: Buffer, isHeadAlone: boolean): Answer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const body = bytes.subarray(end + 4);
  const length = isHeadAlone ? 0 : Number(headers["content-length"] ?? 0);
  if (body.length < length) return undefined;
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]), headers, body: body.toString() };
}

/** What has to be in the answer. */
export interface Expected {
  readonly status: number;
  /** `__type` of a failure. */
  readonly type?: string;
  /** A piece of a failure's message. */
  readonly tells?: string;
  /** The whole body, where it is text. */
  readonly text?: string;
  /** Some of the body's properties; `{ pattern }` of what is not the same twice. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Some of its headers, in lower case; a pattern where a part of it is time. */
  readonly headers?: Readonly<Record<string, string | RegExp>>;
}

export function toExpectedText({ status, type, tells, text, body = {}, headers = {} }: Expected): string {
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

/** As much of a value as a table has room for. */
const toShown = (_: string, value: unknown): unknown => {
  if (isPattern(value)) return value.pattern.source.replace(/^\^|\$$|\\/g, "");
  return typeof value === "string" ? value.replace(/^(.{60}).{20,}$/s, "$1…") : value;
};

const isPattern = (value: unknown): value is { readonly pattern: RegExp } =>
  typeof value === "object" && value !== null && "pattern" in value && value.pattern instanceof RegExp;

/** What the body is compared with. */
function toMatcher(value: unknown): unknown {
  if (isPattern(value)) return expect.stringMatching(value.pattern);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toMatcher(member)]));
}

/** Of what came, the members that are a matter of what was expected. */
function pick(value: unknown, expected: unknown): unknown {
  const isObject = (other: unknown): other is Readonly<Record<string, unknown>> =>
    typeof other === "object" && other !== null && !Array.isArray(other);
  if (!isObject(value) || !isObject(expected) || isPattern(expected) || Object.keys(expected).length === 0)
    return value;
  return Object.fromEntries(Object.keys(expected).map((name) => [name, pick(value[name], expected[name])]));
}

/** What came, as far as it is a matter of what was expected; all of a failure. */
export function toSeenText(answer: Answer, expected: Expected): string {
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

const toSeenHeaders = (answer: Answer, { headers = {} }: Expected): string[] =>
  Object.keys(headers).map((name) => `${name}: ${answer.headers[name]}`);

function toFailure({ status, headers, body }: Answer): Readonly<Record<string, unknown>> | undefined {
  return status >= 400 && headers["content-type"] === "application/json" && body !== "" ? JSON.parse(body) : undefined;
}

/** Of every answer: what was expected is there, and a failure has the form that the README tells. */
export function judge(answer: Answer, expected: Expected): void {
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

/** No secret is in a refusal. */
export function judgeLeaks(answer: Answer, { canaries, environment }: Bench): void {
  const secrets = [...canaries, environment.AWS_SESSION_TOKEN ?? ""];
  if (answer.status >= 400) expect(findLeaks(new Map([["refusal", JSON.stringify(answer)]]), secrets)).toEqual([]);
}
