import { describe, expect, it, vi } from "vitest";
import type { Cached, ValueCache } from "../../../extension/cache/cache.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { createDisabledHandler, createHttpHandler, type LocalRequest } from "../../../extension/http/handler.ts";
import type { CachedSecret } from "../../../extension/http/replies.ts";
import { createCounters } from "../../../extension/metrics.ts";
import type { ParameterQuery, ParameterValue } from "../../../extension/values/parameter.ts";
import type { SecretQuery, SecretValue } from "../../../extension/values/secret.ts";
import type { Source } from "../../../extension/values/source.ts";
import { type ConfigOverrides, createConfig } from "../../support/config.ts";
import { createLog } from "../../support/log.ts";

const NOW_EPOCH_MS = Date.UTC(2026, 0, 1);
const CANARY = "CANARY-not-to-be-repeated";
const TOKEN = "the-token-of-the-function";
const ROLE_ARN = "arn:aws:iam::111111111111:role/SecretReader";
const APP_ARN = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/database-AbCdEf";
const GET_APP = "/secretsmanager/get?secretId=app/database";
const FLAG_ARN = "arn:aws:ssm:eu-west-1:111111111111:parameter/app/flag";
const GET_FLAG = "/systemsmanager/parameters/get?name=/app/flag";

const toSecret = (name: string, arn = APP_ARN): CachedSecret => ({
  value: {
    arn,
    name,
    versionId: "11111111-2222-3333-4444-555555555555",
    versionStages: ["AWSCURRENT"],
    createdDate: new Date("2022-11-16T08:22:40.499Z"),
    secretString: '{"password":"s3cret"}',
    secretBinary: undefined,
  },
  from: "memory",
  ageMs: 88_400,
  ttlMs: 211_600,
});

const toParameter = (name: string, arn = FLAG_ARN): Cached<ParameterValue> => ({
  value: {
    arn,
    name,
    versionId: "3",
    type: "String",
    dataType: "text",
    lastModifiedDate: new Date("2022-11-16T08:22:40.362Z"),
    selector: undefined,
    sourceResult: undefined,
    value: "p4rameter",
  },
  from: "fetch",
  ageMs: 0,
  ttlMs: 300_000,
});

type Secrets = ValueCache<SecretQuery, SecretValue>;

const isToken = (header: unknown) => header === TOKEN;

type Parameters = ValueCache<ParameterQuery, ParameterValue>;

/** A cache that nothing is to be asked of. */
const parameters: Parameters = {
  get: async ({ parameterId }) => {
    throw new Error(`no look-up was expected, but ${parameterId} was looked up`);
  },
  invalidate: async ({ parameterId }) => {
    throw new Error(`nothing was expected to be invalid, but ${parameterId} was said to be`);
  },
};

/** A handler over a cache that answers as it is told, and complains when it was not told. */
function setUp(overrides: ConfigOverrides = {}) {
  const counters = createCounters();
  const { logger, lines } = createLog();
  const get = vi.fn<Secrets["get"]>(async ({ secretId }) => {
    throw new Error(`no look-up was expected, but ${secretId} was looked up`);
  });
  const invalidate = vi.fn<Secrets["invalidate"]>(async ({ secretId }) => {
    throw new Error(`nothing was expected to be invalid, but ${secretId} was said to be`);
  });
  const getParameter = vi.fn<Parameters["get"]>(parameters.get);
  const report = vi.fn();
  const config = createConfig({ token: { text: TOKEN, path: undefined }, ...overrides });
  const [source] = config.sources;
  const handler = createHttpHandler({
    config,
    isToken,
    readers: () => [{ source, secrets: { get, invalidate }, parameters: { ...parameters, get: getParameter } }],
    counters,
    metrics: { report, finish() {} },
    logger,
    now: () => NOW_EPOCH_MS,
    version: "1.2.3",
  });
  const headers = { host: "127.0.0.1:2773", "x-aws-parameters-secrets-token": TOKEN };
  const ask = (target: string, request: Partial<LocalRequest> = {}) =>
    handler({ method: "GET", target, ...request, headers: { ...headers, ...request.headers } });
  /** Status and `__type`, which is all that most refusals differ in. */
  async function outcomeOf(target: string, request: Partial<LocalRequest> = {}): Promise<string> {
    const { status, body } = await ask(target, request);
    return status === 200 ? "200" : `${status} ${JSON.parse(String(body)).__type}`;
  }
  return { ask, counters, get, getParameter, invalidate, lines, outcomeOf, report };
}

describe("the guards", () => {
  it("stand in a column, cheapest first: each is reached when those before it are content", async () => {
    const { get, outcomeOf } = setUp({ source: { secretIds: ["app/database"] }, allow: "configured" });
    get.mockResolvedValue(toSecret("app/database"));
    const everythingWrong = {
      method: "POST",
      headers: {
        "x-forwarded-for": "10.0.0.1",
        host: "evil.example.com",
        "x-aws-parameters-secrets-token": "wrong",
      },
    };
    const role = (account: string) => `roleArn=arn:aws:iam::${account}:role/SecretReader`;
    const notForwarded = { ...everythingWrong, headers: { ...everythingWrong.headers, "x-forwarded-for": undefined } };
    const ourHost = { ...notForwarded, headers: { ...notForwarded.headers, host: "127.0.0.1:2773" } };
    const trusted = { ...ourHost, headers: { ...ourHost.headers, "x-aws-parameters-secrets-token": TOKEN } };
    const steps: [string, Partial<LocalRequest>][] = [
      ["/nowhere?secretId=other&colour=red", everythingWrong],
      ["/nowhere?secretId=other&colour=red", notForwarded],
      ["/nowhere?secretId=other&colour=red", ourHost],
      ["/nowhere?secretId=other&colour=red", trusted],
      ["/nowhere?secretId=other&colour=red", { ...trusted, method: "GET" }],
      [`/secretsmanager/get?secretId=other&colour=red&${role("999999999999")}`, { ...trusted, method: "GET" }],
      [`/secretsmanager/get?secretId=other&${role("999999999999")}`, { ...trusted, method: "GET" }],
      [`/secretsmanager/get?secretId=other&${role("111111111111")}`, { ...trusted, method: "GET" }],
      [`/secretsmanager/get?secretId=app/database&${role("111111111111")}`, { ...trusted, method: "GET" }],
    ];
    const outcomes: string[] = [];
    for (const [target, request] of steps) outcomes.push(await outcomeOf(target, request));
    expect(outcomes).toEqual([
      "400 ValidationException",
      "400 ValidationException",
      "403 BadToken",
      "405 MethodNotAllowedException",
      "404 UnknownOperationException",
      "400 ValidationException",
      "403 AccessDeniedException",
      "403 AccessDeniedException",
      "200",
    ]);
    expect(get).toHaveBeenCalledTimes(1);
  });

  it("tell what is wrong, and never what was sent as token", async () => {
    const { ask } = setUp({ source: { secretIds: ["app/database"] }, allow: "configured" });
    const requests: [string, Partial<LocalRequest>, RegExp][] = [
      [GET_APP, { headers: { "x-forwarded-for": "10.0.0.1" } }, /X-Forwarded-For/],
      [GET_APP, { headers: { host: CANARY } }, /127\.0\.0\.1:2773 or localhost:2773/],
      [GET_APP, { headers: { "x-aws-parameters-secrets-token": CANARY } }, /X-Aws-Parameters-Secrets-Token/],
      [GET_APP, { method: "DELETE" }, /GET/],
      ["/nowhere", {}, /\/secretsmanager\/get/],
      ["/secretsmanager/get", {}, /missing/],
      ["/secretsmanager/get?secretId=other", {}, /CROSS_ACCOUNT_SECRETS_SECRET_IDS/],
    ];
    for (const [target, request, telling] of requests) {
      const { status, headers, body } = await ask(target, request);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(headers).toMatchObject({ "Content-Type": "application/json", "Cache-Control": "no-store" });
      expect(Object.keys(JSON.parse(String(body)))).toEqual(expect.arrayContaining(["__type", "message"]));
      expect(body).toMatch(telling);
      expect(body).not.toContain(CANARY);
      expect(body).not.toContain(TOKEN);
    }
  });

  it("count requests and failures, and log nothing", async () => {
    const { ask, counters, lines } = setUp();
    await ask("/ping");
    await ask("/nowhere");
    await ask(GET_APP, { headers: { "x-aws-parameters-secrets-token": "wrong" } });
    expect(counters).toEqual({ ...createCounters(), requests: 3, failures: 2 });
    expect(lines).toEqual([]);
  });
});

describe("what a proxy adds", () => {
  it.each([
    ["x-forwarded-for", "10.0.0.1"],
    ["x-forwarded-for", "127.0.0.1"],
    ["x-forwarded-for", ""],
    ["forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43"],
    ["forwarded", ""],
  ])("is refused whatever it says, at every path, before the token is looked at: %s: %j", async (name, value) => {
    const { ask, outcomeOf } = setUp();
    for (const target of [GET_APP, GET_FLAG, "/ping", "/stats", "/nowhere"]) {
      expect(await outcomeOf(target, { headers: { [name]: value } })).toBe("400 ValidationException");
    }
    const { body } = await ask(GET_APP, { headers: { [name]: value, "x-aws-parameters-secrets-token": "wrong" } });
    expect(body).toMatch(/X-Forwarded-For or Forwarded/);
  });

  it.each(["x-forwarded-host", "x-forwarded-proto", "via"])("is not %s, which proves nothing", async (name) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf("/ping", { headers: { [name]: "10.0.0.1" } })).toBe("200");
  });
});

describe("Host", () => {
  it.each(["127.0.0.1:2773", "localhost:2773", "LOCALHOST:2773"])("may be %s", async (host) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf("/ping", { headers: { host } })).toBe("200");
  });

  it.each([
    undefined,
    "",
    "localhost",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.0.0.1:27730",
    "127.0.0.2:2773",
    "0.0.0.0:2773",
    "[::1]:2773",
    "localhost.example.com:2773",
    "localhost:2773.example.com",
    "user@localhost:2773",
  ])("may not be %s: DNS rebinding brings a foreign one", async (host) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf("/ping", { headers: { host } })).toBe("400 ValidationException");
  });

  it.each([
    ["127.0.0.1", 80, "200"],
    ["localhost:80", 80, "200"],
    ["localhost:2773", 80, "400 ValidationException"],
    ["localhost:8080", 8_080, "200"],
  ])("%s is right for a port of %d: %s", async (host, httpPort, outcome) => {
    const { outcomeOf } = setUp({ httpPort });
    expect(await outcomeOf("/ping", { headers: { host } })).toBe(outcome);
  });
});

describe("the token", () => {
  const none = { "x-aws-parameters-secrets-token": undefined };

  it.each(["x-aws-parameters-secrets-token", "x-vault-token"])("may come in %s", async (name) => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(GET_APP, { headers: { ...none, [name]: TOKEN } })).toBe("200");
  });

  it("is enough in one of the headers", async () => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(GET_APP, { headers: { "x-vault-token": "another" } })).toBe("200");
  });

  it.each([
    undefined,
    "",
    "wrong",
    TOKEN.slice(0, -1),
    `${TOKEN}x`,
    ` ${TOKEN}`,
    `${TOKEN}, ${TOKEN}`,
    TOKEN.toUpperCase(),
    "x".repeat(10_000),
    "\u00fc".repeat(TOKEN.length),
  ])("of any other length or text is refused: %s", async (token) => {
    const { outcomeOf } = setUp();
    const headers = { "x-aws-parameters-secrets-token": token, "x-vault-token": token };
    expect(await outcomeOf(GET_APP, { headers })).toBe("403 BadToken");
  });

  it.each([
    [
      "the variables that may hold it",
      undefined,
      "CROSS_ACCOUNT_SECRETS_TOKEN or, in a Lambda function where that is not set, of AWS_SESSION_TOKEN",
    ],
    ["the file that it stands in", "/run/token", "what stands in the file /run/token"],
  ])("that is refused is answered with %s", async (_, path, remedy) => {
    const { ask } = setUp({ token: { text: TOKEN, path } });
    const { body } = await ask(GET_APP, { headers: none });
    expect(JSON.parse(String(body)).remedy).toMatch(new RegExp(`${remedy}$`));
  });

  it("is asked for on paths that there are not, too", async () => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf("/nowhere", { headers: none })).toBe("403 BadToken");
    expect(await outcomeOf("/pinging", { headers: none })).toBe("403 BadToken");
    expect(await outcomeOf("/ping/", { headers: none })).toBe("403 BadToken");
    expect(await outcomeOf("http://127.0.0.1:2773/ping", { headers: none })).toBe("403 BadToken");
  });
});

describe("/ping", () => {
  const headers = { "x-aws-parameters-secrets-token": undefined };

  it("is healthy, without a token", async () => {
    const { ask } = setUp();
    expect(await ask("/ping", { headers })).toEqual({
      status: 200,
      headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
      body: "healthy",
    });
  });

  it.each([
    ["a forwarded one", "/ping", { headers: { ...headers, "x-forwarded-for": "10.0.0.1" } }, "400 ValidationException"],
    ["a foreign host", "/ping", { headers: { ...headers, host: "example.com" } }, "400 ValidationException"],
    ["another method", "/ping", { headers, method: "POST" }, "405 MethodNotAllowedException"],
    ["a parameter", "/ping?a=b", { headers }, "400 ValidationException"],
  ])("is exempt from no other guard: %s", async (_, target, request, outcome) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target, request)).toBe(outcome);
  });
});

describe("method and path", () => {
  it.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get"])(
    "%s is refused, with what is allowed",
    async (method) => {
      const { ask } = setUp();
      const { status, headers } = await ask(GET_APP, { method });
      expect(status).toBe(405);
      expect(headers).toMatchObject({ Allow: "GET" });
    },
  );

  it.each([
    "/",
    "/secretsmanager",
    "/secretsmanager/get//",
    "/SecretsManager/get?secretId=a",
    "//secretsmanager/get?secretId=a",
    "/x/../secretsmanager/get?secretId=a",
    "/secretsmanager/./get?secretId=a",
    "/secretsmanager%2Fget?secretId=a",
    "/secrets",
  ])("%s is no path that is known, and is not made into one", async (target) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target)).toBe("404 UnknownOperationException");
  });

  it.each(["http://127.0.0.1:2773/secretsmanager/get?secretId=a", "*", ""])("%j is no path at all", async (target) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target)).toBe("400 ValidationException");
  });
});

describe("a look-up", () => {
  it("is what the request says, within the time that one request may take", async () => {
    const { ask, get } = setUp({ timeoutMs: 700 });
    get.mockResolvedValue(toSecret("app/database"));
    await ask(`${GET_APP}&versionId=1&versionStage=AWSPREVIOUS&refreshNow=true&roleArn=${ROLE_ARN}`);
    await ask("/secrets/app/database");
    expect(get.mock.calls).toEqual([
      [
        { secretId: "app/database", versionId: "1", versionStage: "AWSPREVIOUS" },
        { deadlineEpochMs: NOW_EPOCH_MS + 700, refreshNow: true },
      ],
      [{ secretId: "app/database" }, { deadlineEpochMs: NOW_EPOCH_MS + 700, refreshNow: false }],
    ]);
  });

  it("is answered in the form of AWS's extension at its path", async () => {
    const { ask, get } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    const { status, headers, body } = await ask(GET_APP);
    expect(status).toBe(200);
    expect(headers).toEqual({
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
      ETag: '"11111111-2222-3333-4444-555555555555"',
      Age: "88",
      "Cache-Status": "cross-account-secrets; hit; ttl=211",
    });
    expect(JSON.parse(String(body))).toMatchObject({ Name: "app/database", SecretString: '{"password":"s3cret"}' });
  });

  it("is answered with the bare value, or a field of it, at /secrets/", async () => {
    const { ask, get } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await ask("/secrets/app%2Fdatabase")).toMatchObject({ status: 200, body: '{"password":"s3cret"}' });
    expect(await ask("/secrets/app/database?key=password")).toMatchObject({ status: 200, body: "s3cret" });
    expect(await ask("/secrets/app/database?key=user")).toMatchObject({ status: 404 });
  });

  it("says when it was served stale, and for which failure", async () => {
    const { ask, get } = setUp();
    const failed = new Failure("timeout", CANARY);
    get.mockResolvedValue({ ...toSecret("app/database"), from: { failed }, ageMs: 330_000, ttlMs: -30_000 });
    const { status, headers, body } = await ask(GET_APP);
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "Cache-Status": "cross-account-secrets; fwd=stale; fwd-status=504", Age: "330" });
    expect(body).not.toContain(CANARY);
  });

  it("that failed before says when to ask again", async () => {
    const { ask, get } = setUp();
    get.mockRejectedValue(new Failure("get-secret-value-denied", "no", { retryAfterMs: 9_500 }));
    const { status, headers } = await ask(GET_APP);
    expect(status).toBe(403);
    expect(headers).toMatchObject({ "Retry-After": "10" });
  });

  it("that fails is answered with its cause, remedy and AWS's request id, and is no news for the log", async () => {
    const { ask, get, lines } = setUp();
    get.mockRejectedValue(
      new Failure("kms-denied", "the key may not be used", {
        remedy: "allow kms:Decrypt",
        requestId: "the-request-id",
        awsCode: "AccessDeniedException",
      }),
    );
    const { status, body } = await ask(GET_APP);
    expect(status).toBe(403);
    expect(JSON.parse(String(body))).toEqual({
      __type: "AccessDeniedException",
      message: "the key may not be used",
      cause: "kms-denied",
      remedy: "allow kms:Decrypt",
      requestId: "the-request-id",
    });
    expect(lines).toEqual([]);
  });

  it.each([new TypeError(CANARY), CANARY, undefined, null, { message: CANARY }])(
    "that meets a bug of ours is answered 500, without the bug's text (%#)",
    async (thrown) => {
      const { ask, get, lines } = setUp();
      get.mockRejectedValue(thrown);
      const { status, headers, body } = await ask(GET_APP);
      expect(status).toBe(500);
      expect(headers).toMatchObject({ "Content-Type": "application/json", "Cache-Control": "no-store" });
      expect(JSON.parse(String(body))).toEqual({
        __type: "InternalFailure",
        message: expect.any(String),
        cause: "internal",
      });
      expect(body).not.toContain(CANARY);
      expect(lines).toMatchObject([{ level: "error" }]);
      expect(JSON.stringify(lines)).not.toContain(CANARY);
    },
  );
});

describe("a version that was refused", () => {
  const POST = { method: "POST" };
  const INVALID = "/secrets/app/database/invalid?versionId=v1";

  it("is reported by POST, and settled with 204 and an empty body", async () => {
    const { ask, get, invalidate } = setUp({ timeoutMs: 700 });
    invalidate.mockResolvedValue();
    expect(await ask(INVALID, POST)).toEqual({ status: 204, headers: { "Cache-Control": "no-store" }, body: "" });
    expect(invalidate.mock.calls).toEqual([[{ secretId: "app/database" }, "v1", NOW_EPOCH_MS + 700]]);
    expect(get).not.toHaveBeenCalled();
  });

  it.each([
    ["/secrets/app%2Fdatabase/invalid?versionId=v1", "app/database"],
    [`/secrets/${encodeURIComponent(APP_ARN)}/invalid?versionId=v1`, APP_ARN],
    [`/secrets/app/database/invalid?versionId=v1&roleArn=${ROLE_ARN}`, "app/database"],
    ["/secrets/app/invalid/invalid?versionId=v1", "app/invalid"],
    ["/secrets/invalid/invalid?versionId=v1", "invalid"],
  ])("by %s is of the secret %s", async (target, secretId) => {
    const { ask, invalidate } = setUp();
    invalidate.mockResolvedValue();
    expect((await ask(target, POST)).status).toBe(204);
    expect(invalidate).toHaveBeenCalledWith({ secretId }, "v1", expect.any(Number));
  });

  it("too often is answered 429, with when to ask again", async () => {
    const { ask, invalidate } = setUp();
    invalidate.mockRejectedValue(new Failure("asked-too-often", "a moment ago", { retryAfterMs: 4_001 }));
    const { status, headers, body } = await ask(INVALID, POST);
    expect(status).toBe(429);
    expect(headers).toMatchObject({ "Retry-After": "5" });
    expect(JSON.parse(String(body))).toEqual({
      __type: "TooManyRequestsException",
      message: "a moment ago",
      cause: "asked-too-often",
    });
  });

  it("by GET is a look-up of a secret whose name ends so", async () => {
    const { ask, get } = setUp();
    get.mockResolvedValue(toSecret("app/database/invalid"));
    expect((await ask("/secrets/app/database/invalid")).status).toBe(200);
    expect(get).toHaveBeenCalledWith({ secretId: "app/database/invalid" }, expect.anything());
  });

  it.each([
    ["no version", "/secrets/app/database/invalid", "400 ValidationException"],
    ["an empty version", "/secrets/app/database/invalid?versionId=", "400 ValidationException"],
    ["a stage", `${INVALID}&versionStage=AWSCURRENT`, "400 ValidationException"],
    ["refreshNow", `${INVALID}&refreshNow=true`, "400 ValidationException"],
    ["a key", `${INVALID}&key=password`, "400 ValidationException"],
    ["two versions", `${INVALID}&versionId=v2`, "400 ValidationException"],
    ["another role", `${INVALID}&roleArn=${ROLE_ARN}2`, "403 AccessDeniedException"],
    ["another secret", "/secrets/other/invalid?versionId=v1", "403 AccessDeniedException"],
    ["no secret", "/secrets//invalid?versionId=v1", "405 MethodNotAllowedException"],
    ["no id at all", "/secrets/invalid?versionId=v1", "405 MethodNotAllowedException"],
    ["another path", "/secretsmanager/get/invalid?versionId=v1", "405 MethodNotAllowedException"],
    ["a longer path", "/secrets/app/database/invalid/?versionId=v1", "405 MethodNotAllowedException"],
    ["the path in the query", "/secrets/app/database?x=/invalid", "405 MethodNotAllowedException"],
  ])("is not reported with %s", async (_, target, outcome) => {
    const { invalidate, outcomeOf } = setUp({ source: { secretIds: ["app/database"] }, allow: "configured" });
    expect(await outcomeOf(target, POST)).toBe(outcome);
    expect(invalidate).not.toHaveBeenCalled();
  });

  it.each([
    ["a forwarded one", { "x-forwarded-for": "10.0.0.1" }, "400 ValidationException"],
    ["a foreign host", { host: "example.com" }, "400 ValidationException"],
    ["no token", { "x-aws-parameters-secrets-token": undefined }, "403 BadToken"],
  ])("passes the same guards: %s", async (_, headers, outcome) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(INVALID, { ...POST, headers })).toBe(outcome);
  });

  it.each(["PUT", "DELETE", "PATCH", "HEAD", "post"])(
    "is not reported by %s, and both that are known are named",
    async (method) => {
      const { ask } = setUp();
      const { status, headers, body } = await ask(INVALID, { method });
      expect({ status, headers }).toMatchObject({ status: 405, headers: { Allow: "GET, POST" } });
      expect(body).toContain("known here: GET, POST");
    },
  );
});

describe("roleArn", () => {
  it("may be the configured one", async () => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(`${GET_APP}&roleArn=${ROLE_ARN}`)).toBe("200");
    expect(await outcomeOf(`/secrets/app/database?roleArn=${encodeURIComponent(ROLE_ARN)}`)).toBe("200");
  });

  it.each([
    `${ROLE_ARN}2`,
    "arn:aws:iam::222222222222:role/SecretReader",
    "arn:aws:iam::111111111111:role/x/SecretReader",
  ])("may be no other, though any secret may be asked for: %s", async (roleArn) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(`${GET_APP}&roleArn=${roleArn}`)).toBe("403 AccessDeniedException");
  });

  it("has to be one", async () => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(`${GET_APP}&roleArn=SecretReader`)).toBe("400 ValidationException");
  });
});

describe("the allow-list", () => {
  const PARTIAL_ARN = APP_ARN.replace("-AbCdEf", "");
  const OTHER_ACCOUNT = APP_ARN.replace("111111111111", "333333333333");
  const OTHER_REGION = APP_ARN.replace("eu-west-1", "us-east-1");
  const DENIED = "403 AccessDeniedException";

  it.each(["app/database", APP_ARN, PARTIAL_ARN])(
    "of %s lets its secret through by each of its names",
    async (configured) => {
      const { get, outcomeOf } = setUp({ source: { secretIds: [configured] }, allow: "configured" });
      get.mockResolvedValue(toSecret("app/database"));
      for (const secretId of ["app/database", APP_ARN, PARTIAL_ARN]) {
        expect(await outcomeOf(`/secretsmanager/get?secretId=${secretId}`)).toBe("200");
        expect(await outcomeOf(`/secrets/${encodeURIComponent(secretId)}`)).toBe("200");
      }
    },
  );

  it.each(["app/database", APP_ARN, PARTIAL_ARN])(
    "of %s lets nothing else through, and AWS is not asked",
    async (configured) => {
      const { get, outcomeOf } = setUp({ source: { secretIds: [configured] }, allow: "configured" });
      for (const secretId of [
        "app",
        "app/database2",
        "app/databas",
        "APP/DATABASE",
        "app/database/prod",
        OTHER_ACCOUNT,
        OTHER_REGION,
        `${PARTIAL_ARN}-prod-AbCdEf`,
      ]) {
        expect(await outcomeOf(`/secretsmanager/get?secretId=${secretId}`)).toBe(DENIED);
      }
      expect(get).not.toHaveBeenCalled();
    },
  );

  it.each([
    { configured: "app/database", asked: `${PARTIAL_ARN}-secret`, name: "app/database-secret" },
    { configured: `${PARTIAL_ARN}-secret`, asked: "app/database", name: "app/database" },
    { configured: APP_ARN, asked: APP_ARN.replace("AbCdEf", "XyZ123"), name: "app/database" },
  ])("believes what AWS answers: $asked is not $configured", async ({ configured, asked, name }) => {
    const { get, outcomeOf } = setUp({ source: { secretIds: [configured] }, allow: "configured" });
    const arn = `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${name}-XyZ123`;
    get.mockResolvedValue(toSecret(name, arn));
    expect(await outcomeOf(`/secretsmanager/get?secretId=${asked}`)).toBe(DENIED);
  });

  it("does not show what AWS answered, when it is refused", async () => {
    const { ask, get } = setUp({ source: { secretIds: ["app/database"] }, allow: "configured" });
    get.mockResolvedValue(toSecret("app/database-secret", `${PARTIAL_ARN}-secret-XyZ123`));
    const { headers, body } = await ask(`/secretsmanager/get?secretId=${PARTIAL_ARN}-secret`);
    expect(JSON.stringify({ headers, body })).not.toMatch(/s3cret|11111111-2222/);
  });

  it("is not fooled by two configured secrets, one of which may be called like the other", async () => {
    const ambiguous = `${PARTIAL_ARN}-secret`;
    const { get, outcomeOf } = setUp({ source: { secretIds: ["app/database", "app/other"] }, allow: "configured" });
    get.mockResolvedValue(toSecret("app/other", APP_ARN.replace("database", "other")));
    expect(await outcomeOf(`/secretsmanager/get?secretId=${ambiguous}`)).toBe(DENIED);
  });

  it("takes a bare name for one of the target role's account and of the region that is asked", async () => {
    const home = { region: "us-east-1", accountId: "111111111111" };
    const { get, outcomeOf } = setUp({ source: { secretIds: ["app/database"], home }, allow: "configured" });
    get.mockResolvedValue(toSecret("app/database", OTHER_REGION));
    expect(await outcomeOf(`/secretsmanager/get?secretId=${OTHER_REGION}`)).toBe("200");
    expect(await outcomeOf(`/secretsmanager/get?secretId=${APP_ARN}`)).toBe(DENIED);
  });

  it("may be any secret of the target role", async () => {
    const { get, outcomeOf } = setUp({ source: { secretIds: ["app/database"] }, allow: "any" });
    get.mockResolvedValue(toSecret("other", OTHER_REGION));
    expect(await outcomeOf("/secretsmanager/get?secretId=other")).toBe("200");
    expect(await outcomeOf(`/secretsmanager/get?secretId=${OTHER_REGION}`)).toBe("200");
  });

  it("of nothing lets nothing through", async () => {
    const { outcomeOf } = setUp({ source: { secretIds: [] }, allow: "configured" });
    expect(await outcomeOf(GET_APP)).toBe(DENIED);
  });
});

describe("a parameter", () => {
  it("is looked up among the parameters, within the time that one of those may take", async () => {
    const { ask, get, getParameter } = setUp({ timeoutMs: 700, parameterTimeoutMs: 900 });
    getParameter.mockResolvedValue(toParameter("/app/flag"));
    await ask(`${GET_FLAG}&version=3&withDecryption=true&refreshNow=true&roleArn=${ROLE_ARN}`);
    await ask(GET_FLAG);
    expect(getParameter.mock.calls).toEqual([
      [
        { parameterId: "/app/flag", selector: "3", withDecryption: true },
        { deadlineEpochMs: NOW_EPOCH_MS + 900, refreshNow: true },
      ],
      [
        { parameterId: "/app/flag", withDecryption: false },
        { deadlineEpochMs: NOW_EPOCH_MS + 900, refreshNow: false },
      ],
    ]);
    expect(get).not.toHaveBeenCalled();
  });

  it("leaves a secret its own time, among the secrets", async () => {
    const { ask, get, getParameter } = setUp({ timeoutMs: 700, parameterTimeoutMs: 900 });
    get.mockResolvedValue(toSecret("app/database"));
    await ask(GET_APP);
    expect(get.mock.calls).toMatchObject([[{}, { deadlineEpochMs: NOW_EPOCH_MS + 700 }]]);
    expect(getParameter).not.toHaveBeenCalled();
  });

  it.each(["/systemsmanager/parameters/get", "/systemsmanager/parameters/get/"])(
    "is answered in the form of AWS's extension at %s",
    async (path) => {
      const { ask, getParameter } = setUp();
      getParameter.mockResolvedValue(toParameter("/app/flag"));
      const { status, headers, body } = await ask(`${path}?name=%2Fapp%2Fflag`);
      expect(status).toBe(200);
      expect(headers).toEqual({
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        ETag: '"3"',
        Age: "0",
        "Cache-Status": "cross-account-secrets; fwd=miss",
      });
      expect(JSON.parse(String(body))).toMatchObject({
        Parameter: { Name: "/app/flag", Value: "p4rameter", Version: 3 },
      });
    },
  );

  it.each([
    "/systemsmanager/parameters/get//?name=a",
    "/systemsmanager/parameters/getx?name=a",
    "/systemsmanager/parameters/?name=a",
    "/systemsmanager/parameters/get/a",
    "/SystemsManager/parameters/get?name=a",
    "/x/systemsmanager/parameters/get?name=a",
    "/systemsmanager%2Fparameters/get?name=a",
  ])("is at no other path: %s", async (target) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target)).toBe("404 UnknownOperationException");
  });

  it.each<[string, string, Partial<LocalRequest>, string]>([
    ["no token", GET_FLAG, { headers: { "x-aws-parameters-secrets-token": undefined } }, "403 BadToken"],
    ["a foreign host", GET_FLAG, { headers: { host: "example.com" } }, "400 ValidationException"],
    ["another method", GET_FLAG, { method: "POST" }, "405 MethodNotAllowedException"],
    ["an unknown parameter", `${GET_FLAG}&secretId=a`, {}, "400 ValidationException"],
    ["no name", "/systemsmanager/parameters/get", {}, "400 ValidationException"],
    ["another role", `${GET_FLAG}&roleArn=${ROLE_ARN}2`, {}, "403 AccessDeniedException"],
  ])("is refused with %s", async (_, target, request, outcome) => {
    const { getParameter, outcomeOf } = setUp();
    expect(await outcomeOf(target, request)).toBe(outcome);
    expect(getParameter).not.toHaveBeenCalled();
  });

  it("that is not there, or denied, is told with its status", async () => {
    const { getParameter, outcomeOf } = setUp();
    getParameter.mockRejectedValueOnce(new Failure("parameter-not-found", "none"));
    expect(await outcomeOf(GET_FLAG)).toBe("404 ResourceNotFoundException");
    getParameter.mockRejectedValueOnce(new Failure("get-parameter-denied", "may not"));
    expect(await outcomeOf(GET_FLAG)).toBe("403 AccessDeniedException");
  });
});

describe("the allow-list of parameters", () => {
  const DENIED = "403 AccessDeniedException";
  const toTarget = (name: string) => `/systemsmanager/parameters/get?name=${encodeURIComponent(name)}`;

  it.each(["/app/flag", FLAG_ARN])("of %s lets it through by each of its names and versions", async (configured) => {
    const { getParameter, outcomeOf } = setUp({ source: { parameterNames: [configured] }, allow: "configured" });
    getParameter.mockResolvedValue(toParameter("/app/flag"));
    for (const name of ["/app/flag", FLAG_ARN, "/app/flag:3", `${FLAG_ARN}:prod`]) {
      expect(await outcomeOf(toTarget(name))).toBe("200");
    }
  });

  it.each(["/app/flag", FLAG_ARN])("of %s lets nothing else through, and AWS is not asked", async (configured) => {
    const { getParameter, outcomeOf } = setUp({ source: { parameterNames: [configured] }, allow: "configured" });
    for (const name of [
      "/app",
      "/app/flag2",
      "/app/fla",
      "/APP/FLAG",
      "/app/flag/x",
      "flag",
      FLAG_ARN.replace("111111111111", "333333333333"),
      FLAG_ARN.replace("eu-west-1", "us-east-1"),
      `${FLAG_ARN}-AbCdEf`,
    ]) {
      expect(await outcomeOf(toTarget(name))).toBe(DENIED);
    }
    expect(getParameter).not.toHaveBeenCalled();
  });

  it("believes what AWS answers: of an ARN of one part, which name it is", async () => {
    const arn = "arn:aws:ssm:eu-west-1:111111111111:parameter/flag";
    const { ask, getParameter, outcomeOf } = setUp({ source: { parameterNames: ["flag"] }, allow: "configured" });
    getParameter.mockResolvedValue(toParameter("flag", arn));
    expect(await outcomeOf(toTarget(arn))).toBe("200");
    getParameter.mockResolvedValue(toParameter("/flag", arn));
    expect(await outcomeOf(toTarget(arn))).toBe(DENIED);
    const { headers, body } = await ask(toTarget(arn));
    expect(JSON.stringify({ headers, body })).not.toContain("p4rameter");
  });

  it("is not that of secrets: neither lets the other's through, called the same or not", async () => {
    const ofParameters = setUp({ source: { parameterNames: ["app"] }, allow: "configured" });
    expect(await ofParameters.outcomeOf("/secretsmanager/get?secretId=app")).toBe(DENIED);
    expect(await ofParameters.outcomeOf("/secrets/app")).toBe(DENIED);
    const ofSecrets = setUp({ source: { secretIds: ["app"] }, allow: "configured" });
    expect(await ofSecrets.outcomeOf(toTarget("app"))).toBe(DENIED);
  });

  it("says what to set", async () => {
    const { ask } = setUp({ source: { secretIds: ["app"] }, allow: "configured" });
    expect((await ask(GET_FLAG)).body).toMatch(/the parameter is not .*CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES/);
  });

  it("may be any parameter of the target role", async () => {
    const { getParameter, outcomeOf } = setUp({ source: { parameterNames: ["/app/flag"] }, allow: "any" });
    getParameter.mockResolvedValue(toParameter("/other", "arn:aws:ssm:eu-west-1:111111111111:parameter/other"));
    expect(await outcomeOf(toTarget("/other"))).toBe("200");
  });
});

describe("several sources", () => {
  const OTHER_ROLE = "arn:aws:iam::333333333333:role/Other";
  const OTHER_ARN = APP_ARN.replace("111111111111", "333333333333");

  /** A role of each of two accounts, whose caches say whose they are. */
  function setUpTwo(secretIds: readonly [readonly string[], readonly string[]], allow: "any" | "configured") {
    const config = createConfig({ token: { text: TOKEN, path: undefined }, allow });
    const [given] = config.sources;
    const sources: readonly Source[] = [
      { ...given, secretIds: secretIds[0] },
      {
        ...given,
        roleArn: OTHER_ROLE,
        home: { ...given.home, accountId: "333333333333" },
        secretIds: secretIds[1],
      },
    ];
    const asked: string[] = [];
    const parts = sources.map((source, nth) => ({
      source,
      parameters,
      secrets: {
        get: async ({ secretId }) => {
          asked.push(`${nth} ${secretId}`);
          return toSecret("app/database", nth === 0 ? APP_ARN : OTHER_ARN);
        },
        invalidate: async ({ secretId }, versionId) => void asked.push(`${nth} ${secretId} is not ${versionId}`),
      } satisfies Secrets,
    }));
    const handler = createHttpHandler({
      config,
      isToken,
      readers: () => parts,
      counters: createCounters(),
      metrics: { report() {}, finish() {} },
      logger: createLog().logger,
      now: () => NOW_EPOCH_MS,
      version: "1.2.3",
    });
    const headers = { host: "127.0.0.1:2773", "x-aws-parameters-secrets-token": TOKEN };
    const outcomeOf = async (target: string, method = "GET") => {
      const { status, body } = await handler({ method, target, headers });
      return status < 300 ? asked.splice(0).join() : `${status} ${JSON.parse(String(body)).__type}`;
    };
    return { asked, outcomeOf };
  }

  it("are told apart by roleArn, at every path", async () => {
    const { outcomeOf } = setUpTwo([[], []], "any");
    const other = `roleArn=${OTHER_ROLE}`;
    expect(await outcomeOf(`${GET_APP}&roleArn=${ROLE_ARN}`)).toBe("0 app/database");
    expect(await outcomeOf(`${GET_APP}&${other}`)).toBe("1 app/database");
    expect(await outcomeOf(`/secrets/app/database?${other}`)).toBe("1 app/database");
    expect(await outcomeOf(`/secrets/app/database/invalid?versionId=v1&${other}`, "POST")).toBe(
      "1 app/database is not v1",
    );
  });

  it("are told apart by the account of an ARN", async () => {
    const { outcomeOf } = setUpTwo([[], []], "any");
    expect(await outcomeOf(`/secretsmanager/get?secretId=${APP_ARN}`)).toBe(`0 ${APP_ARN}`);
    expect(await outcomeOf(`/secrets/${OTHER_ARN}`)).toBe(`1 ${OTHER_ARN}`);
  });

  it("are told apart by what is configured for them", async () => {
    const { outcomeOf } = setUpTwo([["app/cache"], ["app/database"]], "configured");
    expect(await outcomeOf(GET_APP)).toBe("1 app/database");
    expect(await outcomeOf("/secrets/app/database/invalid?versionId=v1", "POST")).toBe("1 app/database is not v1");
  });

  it("of which either may be meant are both left alone, and the caller is asked which", async () => {
    for (const allow of ["any", "configured"] as const) {
      const { asked, outcomeOf } = setUpTwo([["app/database"], ["app/database"]], allow);
      expect(await outcomeOf(GET_APP)).toBe("400 ValidationException");
      expect(await outcomeOf("/secrets/app/database/invalid?versionId=v1", "POST")).toBe("400 ValidationException");
      expect(asked).toEqual([]);
    }
  });

  it("are asked for no other role, and for nothing that the named one has not configured", async () => {
    const { asked, outcomeOf } = setUpTwo([["app/database"], ["app/cache"]], "configured");
    expect(await outcomeOf(`${GET_APP}&roleArn=${OTHER_ROLE}2`)).toBe("403 AccessDeniedException");
    expect(await outcomeOf(`${GET_APP}&roleArn=${OTHER_ROLE}`)).toBe("403 AccessDeniedException");
    expect(await outcomeOf("/secretsmanager/get?secretId=third")).toBe("403 AccessDeniedException");
    expect(asked).toEqual([]);
  });

  it("are those of the moment: after a restore there are others", async () => {
    const config = createConfig({ token: { text: TOKEN, path: undefined } });
    const [source] = config.sources;
    const answered: string[] = [];
    const toCache = (name: string): Secrets => ({
      get: async () => {
        answered.push(name);
        return toSecret("app/database");
      },
      invalidate: async () => {},
    });
    let cache = toCache("before");
    const handler = createHttpHandler({
      config,
      isToken,
      readers: () => [{ source, secrets: cache, parameters }],
      counters: createCounters(),
      metrics: { report() {}, finish() {} },
      logger: createLog().logger,
      now: () => NOW_EPOCH_MS,
      version: "1.2.3",
    });
    const headers = { host: "127.0.0.1:2773", "x-aws-parameters-secrets-token": TOKEN };
    await handler({ method: "GET", target: GET_APP, headers });
    cache = toCache("after");
    await handler({ method: "GET", target: GET_APP, headers });
    expect(answered).toEqual(["before", "after"]);
  });
});

describe("/stats", () => {
  it("tells version and counters, and nothing else", async () => {
    const { ask, counters } = setUp();
    Object.assign(counters, { requests: 6, hits: 5, slowestMs: 40 });
    const { status, headers, body } = await ask("/stats");
    expect(status).toBe(200);
    expect(headers).toEqual({ "Content-Type": "application/json", "Cache-Control": "no-store" });
    expect(JSON.parse(String(body))).toEqual({
      version: "1.2.3",
      ...createCounters(),
      requests: 7,
      hits: 5,
      slowestMs: 40,
    });
  });

  it.each<[string, string, Partial<LocalRequest>, string]>([
    ["no token", "/stats", { headers: { "x-aws-parameters-secrets-token": undefined } }, "403 BadToken"],
    ["a foreign host", "/stats", { headers: { host: "example.com" } }, "400 ValidationException"],
    ["a forwarded request", "/stats", { headers: { "x-forwarded-for": "10.0.0.1" } }, "400 ValidationException"],
    ["another method", "/stats", { method: "POST" }, "405 MethodNotAllowedException"],
    ["a parameter", "/stats?reset=true", {}, "400 ValidationException"],
    ["a longer path", "/stats/", {}, "404 UnknownOperationException"],
    ["another case", "/Stats", {}, "404 UnknownOperationException"],
  ])("is refused with %s", async (_, target, request, outcome) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target, request)).toBe(outcome);
  });

  it("is a name that a secret may have all the same", async () => {
    const { ask, get } = setUp();
    get.mockResolvedValue(toSecret("stats"));
    expect(await ask("/secrets/stats")).toMatchObject({ status: 200, body: '{"password":"s3cret"}' });
  });
});

describe("after each request, whatever became of it,", () => {
  /** A handler whose look-ups take as long as the test says. */
  function setUpClock(lookUp: () => Promise<CachedSecret>) {
    const clock = { epochMs: NOW_EPOCH_MS };
    const counters = createCounters();
    const reported: number[] = [];
    const config = createConfig({ token: { text: TOKEN, path: undefined } });
    const [source] = config.sources;
    const handler = createHttpHandler({
      config,
      isToken,
      readers: () => [{ source, secrets: { get: lookUp, invalidate: async () => {} }, parameters }],
      counters,
      metrics: { report: () => void reported.push(counters.requests), finish() {} },
      logger: createLog().logger,
      now: () => clock.epochMs,
      version: "1.2.3",
    });
    const headers = { host: "127.0.0.1:2773", "x-aws-parameters-secrets-token": TOKEN };
    const ask = (target: string) => handler({ method: "GET", target, headers });
    return { ask, clock, counters, reported };
  }

  it("the metrics are reported, once, and not before it is counted", async () => {
    let fails = false;
    const { ask, counters, reported } = setUpClock(async () => {
      expect(reported).toHaveLength(counters.requests - 1);
      if (fails) throw new Failure("timeout", "too late");
      return toSecret("app/database");
    });
    await ask(GET_APP);
    await ask("/ping");
    await ask("/nowhere");
    fails = true;
    expect(await ask(GET_APP)).toMatchObject({ status: 504 });
    expect(reported).toEqual([1, 2, 3, 4]);
  });

  it("the slowest is known, by the wall clock, and a clock that steps back makes none faster", async () => {
    const durationsMs = [30, 700, 50, -3_600_000];
    const slowest: number[] = [];
    const { ask, clock, counters } = setUpClock(async () => {
      clock.epochMs += durationsMs.shift() ?? 0;
      if (durationsMs.length === 2) throw new Failure("timeout", "too late");
      return toSecret("app/database");
    });
    while (durationsMs.length > 0) {
      await ask(GET_APP);
      slowest.push(counters.slowestMs);
    }
    expect(slowest).toEqual([30, 700, 700, 700]);
  });
});

describe("an extension that is switched off", () => {
  it.each<[string, Partial<LocalRequest>]>([
    ["/secretsmanager/get?secretId=app/database", {}],
    ["/ping", {}],
    ["/stats", {}],
    ["/nowhere", { method: "DELETE" }],
    ["", { headers: { "x-forwarded-for": "10.0.0.1" } }],
    [CANARY, { headers: { host: CANARY, "x-aws-parameters-secrets-token": CANARY } }],
  ])("says so to %s, whoever asks", async (target, request) => {
    const handler = createDisabledHandler();
    const { status, headers, body } = await handler({ method: "GET", target, headers: {}, ...request });
    expect(status).toBe(503);
    expect(headers).toEqual({ "Content-Type": "application/json", "Cache-Control": "no-store" });
    expect(JSON.parse(String(body))).toEqual({
      __type: "Disabled",
      cause: "disabled",
      message: "the extension is switched off",
      remedy: expect.stringContaining("CROSS_ACCOUNT_SECRETS_ENABLED"),
    });
    expect(body).not.toContain(CANARY);
  });
});
