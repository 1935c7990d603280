import type { RequestListener, ServerResponse } from "node:http";
import { describe, expect, it, vi } from "vitest";
import type { ClientOptions } from "../../../extension/aws/client.ts";
import { toClientOptions } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import {
  createHostileHome,
  isClosed,
  mockLookup,
  setHostileEnvironment,
  startLocalAws,
  toClockLeadsMs,
} from "../../support/local-aws.ts";

const PARAMETER = JSON.stringify({
  Parameter: { ARN: "arn", Name: "name", Type: "String", Value: "on", Version: 3, LastModifiedDate: 1.5 },
});

const answer: RequestListener = (_, response) => void response.end(PARAMETER);

/** A fresh copy of the module, which has not learned AWS's clock yet. */
async function loadAwsSsm() {
  vi.resetModules();
  const { getParameter } = await import("../../../extension/aws/sdk-ssm.ts");
  return (options: ClientOptions, signal = AbortSignal.timeout(4_000)) =>
    getParameter({ Name: "name:3", WithDecryption: true }, options, signal);
}

setHostileEnvironment();

describe("GetParameter", () => {
  it("uses only its options, nothing from the environment or ~/.aws", async () => {
    const [hostile, aws] = [await startLocalAws(answer), await startLocalAws(answer)];
    vi.stubEnv("HOME", createHostileHome(hostile.url));
    vi.stubEnv("AWS_ENDPOINT_URL_SSM", hostile.url);
    const getParameter = await loadAwsSsm();
    await getParameter(toClientOptions({ endpoint: aws.url, version: "9.8.7-beta.1" }));
    expect(hostile.seen).toHaveLength(0);
    expect(aws.seen).toHaveLength(1);
    const { headers = {}, body = "" } = aws.seen[0] ?? {};
    expect(headers["x-amz-target"]).toBe("AmazonSSM.GetParameter");
    expect(JSON.parse(body)).toEqual({ Name: "name:3", WithDecryption: true });
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=ASIAOURS\/\d{8}\/eu-west-1\/ssm\/aws4_request, /,
    );
    expect(headers["x-amz-security-token"]).toBe("our-token");
    expect(headers["user-agent"]).toMatch(/(^| )cross-account-secrets\/9\.8\.7-beta\.1( |$)/);
    expect(JSON.stringify({ headers, body })).not.toMatch(/evil|gov-west/i);
  });

  it.each(["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSM", "~/.aws/config"])(
    "goes to AWS itself if it is given no endpoint, even if %s sets one",
    async (where) => {
      const hostile = await startLocalAws(answer);
      if (where === "~/.aws/config") vi.stubEnv("HOME", createHostileHome(hostile.url));
      else vi.stubEnv(where, hostile.url);
      const lookedUp = mockLookup();
      const getParameter = await loadAwsSsm();
      await failureOf(getParameter(toClientOptions()));
      expect(hostile.seen).toHaveLength(0);
      expect(lookedUp()).toEqual(["ssm.eu-west-1.amazonaws.com"]);
    },
  );

  it("returns the parsed answer", async () => {
    const aws = await startLocalAws(answer);
    const getParameter = await loadAwsSsm();
    expect((await getParameter(toClientOptions({ endpoint: aws.url }))).Parameter).toEqual({
      ARN: "arn",
      Name: "name",
      Type: "String",
      Value: "on",
      Version: 3,
      LastModifiedDate: new Date(1_500),
    });
  });

  it.each([500, 429, 503])(
    "is one try: status %d is returned to the caller, which knows the deadline",
    async (status) => {
      const aws = await startLocalAws((_, response) => response.writeHead(status).end("{}"));
      const getParameter = await loadAwsSsm();
      expect(await failureOf(getParameter(toClientOptions({ endpoint: aws.url })))).toMatchObject({
        $metadata: { httpStatusCode: status },
      });
      expect(aws.seen).toHaveLength(1);
    },
  );

  it("throws an error that is named after the code of the refusal", async () => {
    const refusal = '{"__type":"ParameterVersionNotFound","message":"no"}';
    const aws = await startLocalAws((_, response) => response.writeHead(400).end(refusal));
    const getParameter = await loadAwsSsm();
    expect(await failureOf(getParameter(toClientOptions({ endpoint: aws.url })))).toMatchObject({
      name: "ParameterVersionNotFound",
      $fault: "client",
    });
  });
});

describe("a connection", () => {
  it("belongs to one call and is closed after it, answered or refused", async () => {
    let status = 200;
    const aws = await startLocalAws((_, response) => response.writeHead(status).end(PARAMETER));
    const getParameter = await loadAwsSsm();
    const options = toClientOptions({ endpoint: aws.url });
    await Promise.all([getParameter(options), getParameter(options)]);
    status = 400;
    await failureOf(getParameter(options));
    expect(aws.sockets).toHaveLength(3);
    await Promise.all(aws.sockets.map(isClosed));
  });

  it.each<[string, (response: ServerResponse) => unknown]>([
    ["never answers", () => {}],
    [
      "stops in the middle of its answer",
      (response) => response.writeHead(200, { "Content-Length": 1_000 }).write(PARAMETER.slice(0, 20)),
    ],
  ])("to an AWS that %s is closed by the abort signal", async (_, begin) => {
    let tellAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      tellAsked = resolve;
    });
    const aws = await startLocalAws((_request, response) => {
      begin(response);
      tellAsked();
    });
    const getParameter = await loadAwsSsm();
    const abort = new AbortController();
    const refused = failureOf(getParameter(toClientOptions({ endpoint: aws.url }), abort.signal));
    await asked;
    const closed = aws.sockets.map(isClosed);
    abort.abort();
    expect(await refused).toHaveProperty("name", "AbortError");
    await Promise.all(closed);
    expect(aws.seen).toHaveLength(1);
  });

  it("is not opened if the abort signal has already fired", async () => {
    const aws = await startLocalAws(answer);
    const getParameter = await loadAwsSsm();
    expect(await failureOf(getParameter(toClientOptions({ endpoint: aws.url }), AbortSignal.abort()))).toHaveProperty(
      "name",
      "AbortError",
    );
    expect(aws.sockets).toEqual([]);
  });
});

describe("AWS's clock", () => {
  it("is used to sign the next call once an answer has shown it", async () => {
    const hourAheadMs = 3_600_000;
    const aws = await startLocalAws((_, response) => {
      response.setHeader("Date", new Date(Date.now() + hourAheadMs).toUTCString());
      response.end(PARAMETER);
    });
    const getParameter = await loadAwsSsm();
    await getParameter(toClientOptions({ endpoint: aws.url }));
    await getParameter(toClientOptions({ endpoint: aws.url }));
    const aheadMs = toClockLeadsMs(aws.seen);
    expect(aheadMs).toHaveLength(2);
    expect(Math.abs(aheadMs[0] ?? 0)).toBeLessThan(60_000);
    expect(Math.abs((aheadMs[1] ?? 0) - hourAheadMs)).toBeLessThan(60_000);
  });
});
