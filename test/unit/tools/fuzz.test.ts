/** The fuzzer's own rules: that what must not be would be seen. */
import { describe, expect, it } from "vitest";
import { createAnswerReader } from "../../fuzz/answers.ts";
import { createRaw } from "../../fuzz/bytes.ts";
import { judge } from "../../fuzz/judge.ts";
import { createRandom } from "../../fuzz/random.ts";
import { readStrictly } from "../../fuzz/strict.ts";
import { createStructured } from "../../fuzz/structured.ts";
import { fromKept, TOKEN, toKept, type World } from "../../fuzz/world.ts";

const world: World = {
  mode: "configured",
  port: 2_773,
  token: TOKEN,
  secretArn: "arn:x",
  parameterArn: "arn:p",
  versionId: "version-1",
};
const HEAD = "GET /secrets/a HTTP/1.1\r\nHost: 127.0.0.1:2773\r\n";
const RIGHT = `${HEAD}X-Vault-Token: ${TOKEN}\r\n\r\n`;
const secret = { status: 200, head: "", body: "the secret" };
const refusal = { status: 403, head: "", body: "{}" };

function judged(sent: string, answers: readonly { status: number; head: string; body: string }[]) {
  const conversation = { pieces: [sent], end: "half-close", isHead: () => false } as const;
  return judge(conversation, { answers, problem: undefined, ended: "closed", ms: 1 }, world);
}

describe("the judge", () => {
  it.each([
    ["a token that is right", RIGHT],
    ["the other header, in other letters", RIGHT.replace("X-Vault-Token:", "x-aws-parameters-secrets-TOKEN:\t")],
    ["a body beside it", RIGHT.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nab")],
  ])("grants a secret to %s", (_, sent) => expect(judged(sent, [secret])).toBeUndefined());

  it.each([
    ["no token", `${HEAD}\r\n`],
    ["a token in the target", `GET /secrets/a?t=${TOKEN} HTTP/1.1\r\nHost: 127.0.0.1:2773\r\n\r\n`],
    ["a token twice", RIGHT.replace("X-Vault", `X-Vault-Token: ${TOKEN}\r\nX-Vault`)],
    ["a token in a body", `${HEAD}Content-Length: ${RIGHT.length}\r\n\r\n${RIGHT}`],
    ["another host", RIGHT.replace("127.0.0.1", "evil.example")],
    ["two hosts", RIGHT.replace("Host", "Host: localhost:2773\r\nHost")],
    ["a proxy", RIGHT.replace("X-Vault", "Forwarded:\r\nX-Vault")],
    ["another method", RIGHT.replace("GET", "PUT")],
    ["no HTTP, and no token", `${HEAD.replaceAll("\r\n", "\n")}\n`],
  ])("grants no secret to %s", (_, sent) => expect(judged(sent, [secret])).toMatch(/grant/));

  it("notices a missing answer, one too many, a fault of ours, a secret in a refusal, and a refusal before its turn", () => {
    expect(judged(RIGHT.repeat(2), [secret])).toBe("2 requests have 1 answers");
    expect(judged(RIGHT, [refusal, refusal])).toBe("1 requests have 2 answers");
    expect(judged(RIGHT, [{ ...refusal, status: 500 }])).toMatch(/^answer 1 has status 500/);
    expect(judged(RIGHT, [{ ...refusal, body: "CANARY-" }])).toMatch(/holds a secret/);
    const early = { status: 400, head: "", body: "not acceptable HTTP" };
    expect(judged(`${RIGHT}RUBBISH\r\n\r\n`, [early])).toMatch(/before its turn/);
    expect(judged(`${RIGHT}RUBBISH\r\n\r\n`, [secret, early])).toBeUndefined();
  });
});

describe("the strict reading", () => {
  it.each([
    ["a bare line feed", RIGHT.replace("\r\n", "\n")],
    ["folding", RIGHT.replace("Host: ", "Host:\r\n ")],
    ["a name with a space", RIGHT.replace("Host:", "Host :")],
    ["two lengths", RIGHT.replace("Host", "Content-Length: 0\r\nContent-Length: 0\r\nHost")],
    [
      "a length and chunks",
      RIGHT.replace("Host", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost").concat("0\r\n\r\n"),
    ],
    ["half a body", RIGHT.replace("Host", "Content-Length: 5\r\nHost").concat("abc")],
    ["a null byte", RIGHT.replace("Host", "X: \0\r\nHost")],
  ])("has no request of %s", (_, bytes) => expect(readStrictly(bytes)).toEqual({ requests: [], isWhole: false }));

  it("has each of several requests, with chunks or a body between them", () => {
    const chunked = RIGHT.replace("Host", "Transfer-Encoding: chunked\r\nHost").concat("3\r\nabc\r\n0\r\n\r\n");
    const { requests, isWhole } = readStrictly(RIGHT + chunked + RIGHT);
    expect([requests.length, isWhole]).toEqual([3, true]);
  });
});

describe("the reader of answers", () => {
  const read = (text: string) => {
    const reader = createAnswerReader(() => undefined);
    for (const byte of Buffer.from(text, "latin1")) reader.push(Buffer.of(byte));
    return { bodies: reader.answers.map(({ body }) => body), problem: reader.finish() };
  };
  const answer = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok";

  it("has them byte by byte, past a 100", () => {
    expect(read(`${answer}HTTP/1.1 100 Continue\r\n\r\n${answer}`)).toEqual({
      bodies: ["ok", "ok"],
      problem: undefined,
    });
  });

  it.each([
    ["is cut short", answer.slice(0, -1)],
    ["has two lengths", answer.replace("Content", "Content-Length: 2\r\nContent")],
    ["is longer than it says", `${answer}k`],
    ["may be kept", answer.replace("no-store", "public")],
    ["is a refusal that is no JSON", answer.replace("200", "400")],
  ])("notices one that %s", (_, text) => expect(read(text).problem).toBeDefined());
});

describe("the generators", () => {
  const sentBy = (seed: number, other = world) => {
    const structured = createStructured(other);
    const raw = createRaw(other, structured);
    return Array.from({ length: 300 }, (_, number) => [
      structured(createRandom(seed, number)).bytes,
      raw(createRandom(seed, number)).pieces,
    ]);
  };

  it("make the same bytes of the same seed, and others of another", () => {
    expect(sentBy(1)).toEqual(sentBy(1));
    expect(sentBy(1)).not.toEqual(sentBy(2));
  });

  it("keep bytes for a run in which ports and ids are others", () => {
    const other: World = { ...world, port: 40_000, secretArn: "arn:other", versionId: "v-other" };
    const bytes = `GET /v1/arn:x?versionId=version-1 HTTP/1.1\r\nHost: localhost:2773\r\nX-Vault-Token: ${TOKEN}\r\n\r\n`;
    expect(fromKept(toKept(bytes, world), other)).toBe(
      `GET /v1/arn:other?versionId=v-other HTTP/1.1\r\nHost: localhost:40000\r\nX-Vault-Token: ${TOKEN}\r\n\r\n`,
    );
  });
});
