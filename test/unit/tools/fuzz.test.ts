/** What the fuzzer itself does: it notices every broken rule, and sends the same requests for the same seed. */
import { describe, expect, it } from "vitest";
import { createAnswerReader } from "../../fuzz/connection.ts";
import { conversationOf } from "../../fuzz/conversations.ts";
import { judge } from "../../fuzz/judge.ts";
import { withoutPlaceholders, withPlaceholders } from "../../fuzz/kept-cases.ts";
import { type LayerUnderTest, TOKEN } from "../../fuzz/layer.ts";
import { predictedRequest } from "../../fuzz/predicted-requests.ts";
import { generate, shrink } from "../../fuzz/run.ts";
import { readStrictly } from "../../fuzz/strict-http.ts";

const layer: LayerUnderTest = {
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
  return judge(conversation, { answers, problem: undefined, ended: "closed", ms: 1 }, layer);
}

describe("the judge", () => {
  it.each([
    ["a right token", RIGHT],
    ["the other token header, in other letters", RIGHT.replace("X-Vault-Token:", "x-aws-parameters-secrets-TOKEN:\t")],
    ["a right token and a body", RIGHT.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nab")],
  ])("accepts a secret in the answer to %s", (_, sent) => expect(judged(sent, [secret])).toBeUndefined());

  it.each([
    ["no token", `${HEAD}\r\n`],
    ["a token in the target", `GET /secrets/a?t=${TOKEN} HTTP/1.1\r\nHost: 127.0.0.1:2773\r\n\r\n`],
    ["a token twice", RIGHT.replace("X-Vault", `X-Vault-Token: ${TOKEN}\r\nX-Vault`)],
    ["a token in a body", `${HEAD}Content-Length: ${RIGHT.length}\r\n\r\n${RIGHT}`],
    ["another host", RIGHT.replace("127.0.0.1", "evil.example")],
    ["two hosts", RIGHT.replace("Host", "Host: localhost:2773\r\nHost")],
    ["a proxy", RIGHT.replace("X-Vault", "Forwarded:\r\nX-Vault")],
    ["another proxy", RIGHT.replace("X-Vault", "Via: 1.1 x\r\nX-Vault")],
    ["another method", RIGHT.replace("GET", "PUT")],
    ["bytes that are not HTTP, without a token", `${HEAD.replaceAll("\r\n", "\n")}\n`],
  ])("reports a secret in the answer to %s", (_, sent) => expect(judged(sent, [secret])).toMatch(/grant/));

  it("reports a missing answer, one answer too many, a 500, a secret in a refusal, and a refusal before its turn", () => {
    expect(judged(RIGHT.repeat(2), [secret])).toBe("2 requests have 1 answers");
    expect(judged(RIGHT, [refusal, refusal])).toBe("1 requests have 2 answers");
    expect(judged(RIGHT, [{ ...refusal, status: 500 }])).toMatch(/^answer 1 has status 500/);
    expect(judged(RIGHT, [{ ...refusal, body: "CANARY-" }])).toMatch(/holds a secret/);
    const early = { status: 400, head: "", body: "not acceptable HTTP" };
    expect(judged(`${RIGHT}RUBBISH\r\n\r\n`, [early])).toMatch(/before its turn/);
    expect(judged(`${RIGHT}RUBBISH\r\n\r\n`, [secret, early])).toBeUndefined();
  });
});

describe("the strict reader of requests", () => {
  it.each([
    ["a line that ends with a line feed alone", RIGHT.replace("\r\n", "\n")],
    ["a folded header", RIGHT.replace("Host: ", "Host:\r\n ")],
    ["a space behind a header name", RIGHT.replace("Host:", "Host :")],
    ["two Content-Lengths", RIGHT.replace("Host", "Content-Length: 0\r\nContent-Length: 0\r\nHost")],
    [
      "a Content-Length and chunks",
      RIGHT.replace("Host", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost").concat("0\r\n\r\n"),
    ],
    ["half a body", RIGHT.replace("Host", "Content-Length: 5\r\nHost").concat("abc")],
    ["a null byte", RIGHT.replace("Host", "X: \0\r\nHost")],
  ])("reads no request from one with %s", (_, bytes) =>
    expect(readStrictly(bytes)).toEqual({ requests: [], isWhole: false }),
  );

  it("reads several requests with chunks between them", () => {
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

  it("reads answers byte by byte, and skips a 100 Continue", () => {
    expect(read(`${answer}HTTP/1.1 100 Continue\r\n\r\n${answer}`)).toEqual({
      bodies: ["ok", "ok"],
      problem: undefined,
    });
  });

  it.each([
    ["is cut short", answer.slice(0, -1)],
    ["has two Content-Lengths", answer.replace("Content", "Content-Length: 2\r\nContent")],
    ["is longer than its Content-Length", `${answer}k`],
    ["may be cached", answer.replace("no-store", "public")],
    ["is a refusal that is not JSON", answer.replace("200", "400")],
  ])("reports an answer that %s", (_, text) => expect(read(text).problem).toBeDefined());
});

describe("the generated conversations", () => {
  const sentBy = (seed: number) => {
    const [request, conversation] = [predictedRequest(layer), conversationOf(layer, ["predicted", "mutated"])];
    return Array.from({ length: 300 }, (_, number) => [
      generate(request, seed, number).bytes,
      generate(conversation, seed, number).pieces,
    ]);
  };

  it("are the same for the same seed, and others for another seed", () => {
    expect(sentBy(1)).toEqual(sentBy(1));
    expect(sentBy(1)).not.toEqual(sentBy(2));
  });

  it("are made smaller as long as they break a rule", async () => {
    const conversation = conversationOf(layer, ["predicted"]);
    const isRight = async ({ pieces }: { readonly pieces: readonly string[] }) => !pieces.join().includes("refreshNow");
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    const wrong = numbers.filter((number) => generate(conversation, 1, number).pieces.join().includes("refreshNow"));
    expect(wrong.length).toBeGreaterThan(3);
    for (const number of wrong) {
      const smallest = await shrink(conversation, { seed: 1, number }, isRight);
      expect(smallest?.requests).toBe(1);
      expect(smallest?.pieces.join()).toContain("refreshNow");
    }
  });

  it("are not made smaller if they break no rule this time", async () => {
    expect(await shrink(conversationOf(layer, ["mutated"]), { seed: 1, number: 1 }, async () => true)).toBeUndefined();
  });

  it("can be kept for a run with another port and other ids", () => {
    const other: LayerUnderTest = { ...layer, port: 40_000, secretArn: "arn:other", versionId: "v-other" };
    const bytes = `GET /v1/arn:x?versionId=version-1 HTTP/1.1\r\nHost: localhost:2773\r\nX-Vault-Token: ${TOKEN}\r\n\r\n`;
    expect(withoutPlaceholders(withPlaceholders(bytes, layer), other)).toBe(
      `GET /v1/arn:other?versionId=v-other HTTP/1.1\r\nHost: localhost:40000\r\nX-Vault-Token: ${TOKEN}\r\n\r\n`,
    );
  });
});
