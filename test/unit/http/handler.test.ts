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
import {
  OTHER_ROLE_ARN,
  PARAMETER_ARN,
  PARTIAL_SECRET_ARN,
  SECRET_ARN,
  TARGET_ROLE_ARN,
  toParameterValue,
  toSecretArn,
  toSecretValue,
} from "../../support/values.ts";

const NOW_EPOCH_MS = Date.UTC(2026, 0, 1);
const CANARY = "CANARY-not-to-be-repeated";
const TOKEN = "the-token-of-the-function";
const VERSION_ID = "11111111-2222-3333-4444-555555555555";
const GET_APP = "/secretsmanager/get?secretId=app/database";
const GET_FLAG = "/systemsmanager/parameters/get?name=/app/flag";

const toSecret = (name: string, arn = SECRET_ARN): CachedSecret => ({
  value: toSecretValue({ arn, name, versionId: VERSION_ID, secretString: '{"password":"s3cret"}' }),
  from: "memory",
  ageMs: 88_400,
  ttlMs: 211_600,
});

const toParameter = (name: string, arn = PARAMETER_ARN): Cached<ParameterValue> => ({
  value: toParameterValue({ arn, name }),
  from: "fetch",
  ageMs: 0,
  ttlMs: 300_000,
});

type SecretCache = ValueCache<SecretQuery, SecretValue>;

type ParameterCache = ValueCache<ParameterQuery, ParameterValue>;

/** A cache that the test does not expect to be used. */
const parameters: ParameterCache = {
  get: async ({ parameterId }) => {
    throw new Error(`no read was expected, but ${parameterId} was read`);
  },
  invalidate: async ({ parameterId }) => {
    throw new Error(`no invalidation was expected, but ${parameterId} was invalidated`);
  },
};

type Deps = Parameters<typeof createHttpHandler>[0];

/** A handler, as a function of what is sent with the right host and token. */
function createAsk(deps: Pick<Deps, "readers"> & Partial<Deps>) {
  const handler = createHttpHandler({
    config: createConfig(),
    isTrusted: (headers) => headers.includes(TOKEN),
    counters: createCounters(),
    metrics: { report() {}, finish() {} },
    logger: createLog().logger,
    now: () => NOW_EPOCH_MS,
    version: "1.2.3",
    ...deps,
  });
  const headers = { host: "127.0.0.1:2773", "x-aws-parameters-secrets-token": TOKEN };
  return (target: string, request: Partial<LocalRequest> = {}) =>
    handler({ method: "GET", target, ...request, headers: { ...headers, ...request.headers } });
}

/** A handler with a cache of mocks, which throw unless the test gives them an answer. */
function setUp(overrides: ConfigOverrides = {}) {
  const counters = createCounters();
  const { logger, lines } = createLog();
  const get = vi.fn<SecretCache["get"]>(async ({ secretId }) => {
    throw new Error(`no read was expected, but ${secretId} was read`);
  });
  const invalidate = vi.fn<SecretCache["invalidate"]>(async ({ secretId }) => {
    throw new Error(`no invalidation was expected, but ${secretId} was invalidated`);
  });
  const getParameter = vi.fn<ParameterCache["get"]>(parameters.get);
  const report = vi.fn();
  const config = createConfig(overrides);
  const [source] = config.sources;
  const ask = createAsk({
    config,
    readers: () => [{ source, secrets: { get, invalidate }, parameters: { ...parameters, get: getParameter } }],
    counters,
    metrics: { report, finish() {} },
    logger,
  });
  /** The status, and the `__type` of an error. */
  async function outcomeOf(target: string, request: Partial<LocalRequest> = {}): Promise<string> {
    const { status, body } = await ask(target, request);
    return status === 200 ? "200" : `${status} ${JSON.parse(String(body)).__type}`;
  }
  return { ask, counters, get, getParameter, invalidate, lines, outcomeOf, report };
}

describe("the guards", () => {
  it("check a request in a fixed order, the cheapest first", async () => {
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
      [`/secretsmanager/get?secretId=other&refreshNow=maybe&${role("999999999999")}`, { ...trusted, method: "GET" }],
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

  it("say what is wrong, and never quote the token that was sent", async () => {
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

  it("count requests and failures, and write no log line", async () => {
    const { ask, counters, lines } = setUp();
    await ask("/ping");
    await ask("/nowhere");
    await ask(GET_APP, { headers: { "x-aws-parameters-secrets-token": "wrong" } });
    expect(counters).toEqual({ ...createCounters(), requests: 3, failures: 2 });
    expect(lines).toEqual([]);
  });
});

describe("the size of a request", () => {
  const longTarget = (length: number) => GET_APP.padEnd(length, "&");

  it("may be a target of 10,240 characters, and a body of 1,024 bytes", async () => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(longTarget(10_240), { headers: { "content-length": "1024" } })).toBe("200");
  });

  it.each<[string, string, Partial<LocalRequest>, number, object]>([
    [
      "a longer target",
      longTarget(10_241),
      {},
      414,
      { __type: "UriTooLongException", message: "the request target must have at most 10240 characters" },
    ],
    [
      "a longer body",
      GET_APP,
      { headers: { "content-length": "1025" } },
      413,
      { __type: "PayloadTooLargeException", message: "a body must have at most 1024 bytes" },
    ],
    [
      "a body in chunks, whose length is not known",
      GET_APP,
      { headers: { "transfer-encoding": "chunked", "content-length": "1" } },
      413,
      { __type: "PayloadTooLargeException", message: "a body must have at most 1024 bytes" },
    ],
  ])("is refused if it has %s", async (_, target, request, status, error) => {
    const { ask } = setUp();
    const reply = await ask(target, request);
    expect(reply.status).toBe(status);
    expect(JSON.parse(String(reply.body))).toMatchObject(error);
  });
});

describe("a target that is requested again", () => {
  /** Returns how many times the handler resolved the targets, and then how many times it read their secrets. */
  async function countResolved(...requests: readonly [string, Partial<LocalRequest>?][]) {
    const [source] = createConfig().sources;
    const get = vi.fn<SecretCache["get"]>(async () => toSecret("app/database"));
    let resolved = 0;
    const reader = {
      source,
      parameters,
      get secrets(): SecretCache {
        resolved += 1;
        return { get, invalidate: async () => {} };
      },
    };
    const readers = [reader];
    const ask = createAsk({ readers: () => readers });
    for (const [target, request] of requests) await ask(target, request);
    return { resolved, read: get.mock.calls.length };
  }

  it("is resolved once, and read from the cache each time", async () => {
    expect(await countResolved([GET_APP], [GET_APP], [GET_APP])).toEqual({ resolved: 1, read: 3 });
  });

  it("is resolved again if it has more than 512 characters", async () => {
    const [short, long] = [GET_APP.padEnd(512, "&"), GET_APP.padEnd(513, "&")];
    expect(await countResolved([short], [short])).toEqual({ resolved: 1, read: 2 });
    expect(await countResolved([long], [long])).toEqual({ resolved: 2, read: 2 });
  });

  it("is resolved again if a thousand others were requested since", async () => {
    const others = Array.from({ length: 1_000 }, (_, index) => [`${GET_APP}${index}`] as [string]);
    expect(await countResolved([GET_APP], ...others.slice(1), [GET_APP])).toMatchObject({ resolved: 1_000 });
    expect(await countResolved([GET_APP], ...others, [GET_APP])).toMatchObject({ resolved: 1_002 });
  });

  it("has its token checked each time", async () => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(GET_APP)).toBe("200");
    expect(await outcomeOf(GET_APP, { headers: { "x-aws-parameters-secrets-token": "wrong" } })).toBe("403 BadToken");
  });

  it("by another method is not the same request", async () => {
    const { get, invalidate, ask } = setUp();
    get.mockResolvedValue(toSecret("a/invalid"));
    invalidate.mockResolvedValue();
    const target = "/secrets/a/invalid?versionId=v1";
    const statuses: number[] = [];
    for (const method of ["GET", "POST", "GET", "POST"]) statuses.push((await ask(target, { method })).status);
    expect(statuses).toEqual([200, 204, 200, 204]);
  });
});

describe("a header that a proxy adds", () => {
  it.each([
    ["x-forwarded-for", "10.0.0.1"],
    ["x-forwarded-for", "127.0.0.1"],
    ["x-forwarded-for", ""],
    ["forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43"],
    ["forwarded", ""],
    ["via", "1.1 proxy"],
    ["via", ""],
  ])("is refused at every path, before the token is checked: %s: %j", async (name, value) => {
    const { ask, outcomeOf } = setUp();
    for (const target of [GET_APP, GET_FLAG, "/ping", "/stats", "/nowhere"]) {
      expect(await outcomeOf(target, { headers: { [name]: value } })).toBe("400 ValidationException");
    }
    const { body } = await ask(GET_APP, { headers: { [name]: value, "x-aws-parameters-secrets-token": "wrong" } });
    expect(body).toMatch(/X-Forwarded-For, Forwarded or Via/);
  });

  it.each(["x-forwarded-host", "x-forwarded-proto"])(
    "is accepted if it is %s, which does not prove that a request was forwarded",
    async (name) => {
      const { outcomeOf } = setUp();
      expect(await outcomeOf("/ping", { headers: { [name]: "10.0.0.1" } })).toBe("200");
    },
  );
});

describe("the header Host", () => {
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
  ])("is refused if it is %s, as DNS rebinding sends a foreign host", async (host) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf("/ping", { headers: { host } })).toBe("400 ValidationException");
  });

  it.each([
    ["127.0.0.1", 80, "200"],
    ["localhost", 80, "200"],
    ["localhost:80", 80, "200"],
    ["localhost:2773", 80, "400 ValidationException"],
    ["localhost:8080", 8_080, "200"],
  ])("as %s, on the port %d, is answered with %s", async (host, httpPort, outcome) => {
    const { outcomeOf } = setUp({ httpPort });
    expect(await outcomeOf("/ping", { headers: { host } })).toBe(outcome);
  });
});

describe("the token", () => {
  const none = { "x-aws-parameters-secrets-token": undefined };

  it.each(["x-aws-parameters-secrets-token", "x-vault-token"])("may be sent in %s", async (name) => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(GET_APP, { headers: { ...none, [name]: TOKEN } })).toBe("200");
  });

  it("is accepted if one of the two headers has it", async () => {
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
  ])("is refused if it differs in length or text: %s", async (token) => {
    const { outcomeOf } = setUp();
    const headers = { "x-aws-parameters-secrets-token": token, "x-vault-token": token };
    expect(await outcomeOf(GET_APP, { headers })).toBe("403 BadToken");
  });

  it("that is missing or wrong is refused with a remedy that says where to find it, without the path of its file", async () => {
    const { ask } = setUp({ token: { text: TOKEN, path: "/run/token", phrase: "the text in the file that X names" } });
    for (const token of [undefined, "wrong"]) {
      const { body } = await ask(GET_APP, { headers: { "x-aws-parameters-secrets-token": token } });
      expect(body).not.toContain("/run/token");
      expect(JSON.parse(String(body)).remedy).toMatch(/with the text in the file that X names$/);
    }
  });

  it("is required for unknown paths too", async () => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf("/nowhere", { headers: none })).toBe("403 BadToken");
    expect(await outcomeOf("/pinging", { headers: none })).toBe("403 BadToken");
    expect(await outcomeOf("/ping/", { headers: none })).toBe("403 BadToken");
    expect(await outcomeOf("http://127.0.0.1:2773/ping", { headers: none })).toBe("403 BadToken");
  });
});

describe("/ping", () => {
  const headers = { "x-aws-parameters-secrets-token": undefined };

  it("answers healthy without a token", async () => {
    const { ask } = setUp();
    expect(await ask("/ping", { headers })).toEqual({
      status: 200,
      headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
      body: "healthy",
    });
  });

  it("answers HEAD, as health checks send it, and a doubled leading slash", async () => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf("/ping", { headers, method: "HEAD" })).toBe("200");
    expect(await outcomeOf("//ping", { headers })).toBe("200");
  });

  it.each([
    [
      "a forwarded request",
      "/ping",
      { headers: { ...headers, "x-forwarded-for": "10.0.0.1" } },
      "400 ValidationException",
    ],
    ["a foreign host", "/ping", { headers: { ...headers, host: "example.com" } }, "400 ValidationException"],
    ["another method", "/ping", { headers, method: "POST" }, "405 MethodNotAllowedException"],
    ["a parameter", "/ping?a=b", { headers }, "400 ValidationException"],
  ])("is refused by every other guard: %s", async (_, target, request, outcome) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target, request)).toBe(outcome);
  });
});

describe("a request", () => {
  it.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get"])(
    "by %s is refused, and the reply lists the allowed methods",
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
    "///secretsmanager/get?secretId=a",
    "//secrets/a",
    "//stats",
    "/x/../secretsmanager/get?secretId=a",
    "/secretsmanager/./get?secretId=a",
    "/secretsmanager%2Fget?secretId=a",
    "/secrets",
    "/x/secrets/a",
    "/x/v1/a",
    "/x/stats",
  ])("to %s is refused with 404: a path is not normalized to a known one", async (target) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target)).toBe("404 UnknownOperationException");
  });

  it.each(["/ping", "/stats"])("to %s is refused if it has a parameter, because none is known there", async (path) => {
    const { ask } = setUp();
    const { body } = await ask(`${path}?a=b`);
    expect(JSON.parse(String(body)).message).toBe('unknown parameter "a"; none is known here');
  });

  it("to an unknown path is refused with a list of the paths that can be read", async () => {
    const { ask } = setUp();
    const { body } = await ask("/nowhere");
    expect(JSON.parse(String(body)).message).toBe(
      "known paths are /secretsmanager/get, /systemsmanager/parameters/get, /v1/<secretId>, /secrets/<secretId>, /stats and /ping",
    );
  });

  it.each(["http://127.0.0.1:2773/secretsmanager/get?secretId=a", "*", ""])(
    "to %j is refused because that is not a path",
    async (target) => {
      const { outcomeOf } = setUp();
      expect(await outcomeOf(target)).toBe("400 ValidationException");
    },
  );
});

describe("a request as published clients send it", () => {
  it.each([
    `/${GET_APP}`,
    "//v1/app/database",
    `${GET_APP}&withDecryption=true`,
    `${GET_APP}&versionId=&versionStage=&refreshNow=&roleArn=`,
    "/v1/app/database?versionId=&withDecryption=true",
  ])("is answered: %s", async (target) => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(target)).toBe("200");
    expect(get.mock.calls[0]?.[0]).toEqual({ secretId: "app/database" });
  });

  it("is logged once for each parameter that is ignored, if the name is a short word", async () => {
    const { ask, get, getParameter, lines } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    getParameter.mockResolvedValue(toParameter("/app/flag"));
    for (const target of [GET_APP, GET_APP, "/v1/app/database?a=1"]) {
      await ask(`${target}${target.includes("?") ? "&" : "?"}withDecryption=${CANARY}&${CANARY}=1&${CANARY}2=1`);
    }
    await ask(`${GET_FLAG}&secretId=${CANARY}`);
    const names = ["withDecryption", "a name that is not shown", "a", "secretId"];
    expect(lines).toEqual(names.map((name) => ({ level: "warn", event: "parameter-ignored", name })));
  });

  it("is logged for a limited number of names", async () => {
    const { ask, get, lines } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    for (let nth = 0; nth < 200; nth += 1) await ask(`${GET_APP}&p${nth}=1`);
    expect(lines).toHaveLength(100);
  });
});

describe("a read of a secret", () => {
  it("asks the cache for what the request names, until the deadline of one request", async () => {
    const { ask, get } = setUp({ timeoutMs: 700 });
    get.mockResolvedValue(toSecret("app/database"));
    await ask(`${GET_APP}&versionId=1&versionStage=AWSPREVIOUS&refreshNow=true&roleArn=${TARGET_ROLE_ARN}`);
    await ask("/secrets/app/database");
    expect(get.mock.calls).toEqual([
      [
        { secretId: "app/database", versionId: "1", versionStage: "AWSPREVIOUS" },
        { deadlineEpochMs: NOW_EPOCH_MS + 700, refreshNow: true },
      ],
      [{ secretId: "app/database" }, { deadlineEpochMs: NOW_EPOCH_MS + 700, refreshNow: false }],
    ]);
  });

  it("is answered in the form of AWS's extension at the path of that extension", async () => {
    const { ask, get } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    const { status, headers, body } = await ask(GET_APP);
    expect(status).toBe(200);
    expect(headers).toEqual({
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
      ETag: `"${VERSION_ID}"`,
      Age: "88",
      "Cache-Status": "cross-account-secrets; hit; ttl=211",
    });
    expect(JSON.parse(String(body))).toMatchObject({ Name: "app/database", SecretString: '{"password":"s3cret"}' });
  });

  it("is answered in the form of AWS's agent at /v1/, which ignores key", async () => {
    const { ask, get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    const { status, body } = await ask("/v1/app%2Fdatabase?versionStage=AWSPREVIOUS");
    expect(status).toBe(200);
    expect(JSON.parse(String(body))).toMatchObject({ Name: "app/database", CreatedDate: "1668586960.499" });
    expect(get.mock.calls).toMatchObject([[{ secretId: "app/database", versionStage: "AWSPREVIOUS" }, {}]]);
    expect(await outcomeOf("/v1/app/database?key=password")).toBe("200");
  });

  it("is answered with the bare value or one of its fields at /secrets/", async () => {
    const { ask, get } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await ask("/secrets/app%2Fdatabase")).toMatchObject({ status: 200, body: '{"password":"s3cret"}' });
    expect(await ask("/secrets/app/database?key=password")).toMatchObject({ status: 200, body: "s3cret" });
    expect(await ask("/secrets/app/database?key=user")).toMatchObject({ status: 404 });
  });

  it("is answered with a header that names the failure if the value is stale", async () => {
    const { ask, get } = setUp();
    const failed = new Failure("timeout", CANARY);
    get.mockResolvedValue({ ...toSecret("app/database"), from: { failed }, ageMs: 330_000, ttlMs: -30_000 });
    const { status, headers, body } = await ask(GET_APP);
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "Cache-Status": "cross-account-secrets; fwd=stale; fwd-status=504", Age: "330" });
    expect(body).not.toContain(CANARY);
  });

  it("that fails is answered with a header that says when to ask again", async () => {
    const { ask, get } = setUp();
    get.mockRejectedValue(new Failure("get-secret-value-denied", "no", { retryAfterMs: 9_500 }));
    const { status, headers } = await ask(GET_APP);
    expect(status).toBe(403);
    expect(headers).toMatchObject({ "Retry-After": "10" });
  });

  it("that fails is answered with the cause, the remedy and AWS's request id, and writes no log line", async () => {
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
    "that fails because of a bug is answered with 500 and without the error's text (%#)",
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
      const unexpected = expect.stringMatching(/^unexpected (TypeError|string|undefined|object)$/);
      expect(lines).toMatchObject([{ level: "error", event: "bug", message: unexpected }]);
      expect(JSON.stringify(lines)).not.toContain(CANARY);
    },
  );
});

describe("a report of an invalid version", () => {
  const POST = { method: "POST" };
  const INVALID = "/secrets/app/database/invalid?versionId=v1";

  it("by POST is answered with 204 and an empty body", async () => {
    const { ask, get, invalidate } = setUp({ timeoutMs: 700 });
    invalidate.mockResolvedValue();
    expect(await ask(INVALID, POST)).toEqual({ status: 204, headers: { "Cache-Control": "no-store" }, body: "" });
    expect(invalidate.mock.calls).toEqual([[{ secretId: "app/database" }, "v1", NOW_EPOCH_MS + 700]]);
    expect(get).not.toHaveBeenCalled();
  });

  it.each([
    ["/secrets/app%2Fdatabase/invalid?versionId=v1", "app/database"],
    [`/secrets/${encodeURIComponent(SECRET_ARN)}/invalid?versionId=v1`, SECRET_ARN],
    [`/secrets/app/database/invalid?versionId=v1&roleArn=${TARGET_ROLE_ARN}`, "app/database"],
    ["/secrets/app/invalid/invalid?versionId=v1", "app/invalid"],
    ["/secrets/invalid/invalid?versionId=v1", "invalid"],
  ])("to %s is about the secret %s", async (target, secretId) => {
    const { ask, invalidate } = setUp();
    invalidate.mockResolvedValue();
    expect((await ask(target, POST)).status).toBe(204);
    expect(invalidate).toHaveBeenCalledWith({ secretId }, "v1", expect.any(Number));
  });

  it("that comes too often is answered with 429 and says when to ask again", async () => {
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

  it("by GET is a read of a secret whose name ends in /invalid", async () => {
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
    ["another role", `${INVALID}&roleArn=${TARGET_ROLE_ARN}2`, "403 AccessDeniedException"],
    ["another secret", "/secrets/other/invalid?versionId=v1", "403 AccessDeniedException"],
    ["no secret", "/secrets//invalid?versionId=v1", "405 MethodNotAllowedException"],
    ["no id at all", "/secrets/invalid?versionId=v1", "405 MethodNotAllowedException"],
    ["another path", "/secretsmanager/get/invalid?versionId=v1", "405 MethodNotAllowedException"],
    ["something before the path", "/x/secrets/app/database/invalid?versionId=v1", "405 MethodNotAllowedException"],
    ["a longer path", "/secrets/app/database/invalid/?versionId=v1", "405 MethodNotAllowedException"],
    ["the path in the query", "/secrets/app/database?x=/invalid", "405 MethodNotAllowedException"],
  ])("is refused with %s", async (_, target, outcome) => {
    const { invalidate, outcomeOf } = setUp({ source: { secretIds: ["app/database"] }, allow: "configured" });
    expect(await outcomeOf(target, POST)).toBe(outcome);
    expect(invalidate).not.toHaveBeenCalled();
  });

  it.each([
    ["a forwarded request", { "x-forwarded-for": "10.0.0.1" }, "400 ValidationException"],
    ["a foreign host", { host: "example.com" }, "400 ValidationException"],
    ["no token", { "x-aws-parameters-secrets-token": undefined }, "403 BadToken"],
  ])("is refused by the same guards: %s", async (_, headers, outcome) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(INVALID, { ...POST, headers })).toBe(outcome);
  });

  it.each(["PUT", "DELETE", "PATCH", "HEAD", "post"])(
    "by %s is refused, and the reply lists the two allowed methods",
    async (method) => {
      const { ask } = setUp();
      const { status, headers, body } = await ask(INVALID, { method });
      expect({ status, headers }).toMatchObject({ status: 405, headers: { Allow: "GET, POST" } });
      expect(body).toContain("this path has only GET, POST");
    },
  );
});

describe("roleArn", () => {
  it("may be the configured target role", async () => {
    const { get, outcomeOf } = setUp();
    get.mockResolvedValue(toSecret("app/database"));
    expect(await outcomeOf(`${GET_APP}&roleArn=${TARGET_ROLE_ARN}`)).toBe("200");
    expect(await outcomeOf(`/secrets/app/database?roleArn=${encodeURIComponent(TARGET_ROLE_ARN)}`)).toBe("200");
  });

  it.each([
    `${TARGET_ROLE_ARN}2`,
    "arn:aws:iam::222222222222:role/SecretReader",
    "arn:aws:iam::111111111111:role/x/SecretReader",
  ])("is refused for any other role, even if every secret is allowed: %s", async (roleArn) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(`${GET_APP}&roleArn=${roleArn}`)).toBe("403 AccessDeniedException");
  });

  it("is refused if it is not a role's ARN", async () => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(`${GET_APP}&roleArn=SecretReader`)).toBe("400 ValidationException");
  });
});

describe("the allow-list", () => {
  const OTHER_ACCOUNT = SECRET_ARN.replace("111111111111", "333333333333");
  const OTHER_REGION = SECRET_ARN.replace("eu-west-1", "us-east-1");
  const DENIED = "403 AccessDeniedException";

  it.each(["app/database", SECRET_ARN, PARTIAL_SECRET_ARN])(
    "of %s allows its secret under each of its ids",
    async (configured) => {
      const { get, outcomeOf } = setUp({ source: { secretIds: [configured] }, allow: "configured" });
      get.mockResolvedValue(toSecret("app/database"));
      for (const secretId of ["app/database", SECRET_ARN, PARTIAL_SECRET_ARN]) {
        expect(await outcomeOf(`/secretsmanager/get?secretId=${secretId}`)).toBe("200");
        expect(await outcomeOf(`/secrets/${encodeURIComponent(secretId)}`)).toBe("200");
      }
    },
  );

  it.each(["app/database", SECRET_ARN, PARTIAL_SECRET_ARN])(
    "of %s allows nothing else, and AWS is not asked",
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
        `${PARTIAL_SECRET_ARN}-prod-AbCdEf`,
      ]) {
        expect(await outcomeOf(`/secretsmanager/get?secretId=${secretId}`)).toBe(DENIED);
      }
      expect(get).not.toHaveBeenCalled();
    },
  );

  it.each([
    { configured: "app/database", asked: `${PARTIAL_SECRET_ARN}-secret`, name: "app/database-secret" },
    { configured: `${PARTIAL_SECRET_ARN}-secret`, asked: "app/database", name: "app/database" },
    { configured: SECRET_ARN, asked: SECRET_ARN.replace("AbCdEf", "XyZ123"), name: "app/database" },
  ])("is checked against AWS's answer: $asked is not $configured", async ({ configured, asked, name }) => {
    const { get, outcomeOf } = setUp({ source: { secretIds: [configured] }, allow: "configured" });
    get.mockResolvedValue(toSecret(name, toSecretArn(name, "XyZ123")));
    expect(await outcomeOf(`/secretsmanager/get?secretId=${asked}`)).toBe(DENIED);
  });

  it("hides AWS's answer if it refuses it", async () => {
    const { ask, get } = setUp({ source: { secretIds: ["app/database"] }, allow: "configured" });
    get.mockResolvedValue(toSecret("app/database-secret", `${PARTIAL_SECRET_ARN}-secret-XyZ123`));
    const { headers, body } = await ask(`/secretsmanager/get?secretId=${PARTIAL_SECRET_ARN}-secret`);
    expect(JSON.stringify({ headers, body })).not.toMatch(/s3cret|11111111-2222/);
  });

  it("does not confuse two configured secrets if the id may name either", async () => {
    const ambiguous = `${PARTIAL_SECRET_ARN}-secret`;
    const { get, outcomeOf } = setUp({ source: { secretIds: ["app/database", "app/other"] }, allow: "configured" });
    get.mockResolvedValue(toSecret("app/other", SECRET_ARN.replace("database", "other")));
    expect(await outcomeOf(`/secretsmanager/get?secretId=${ambiguous}`)).toBe(DENIED);
  });

  it("resolves a bare name in the target role's account and in the source's region", async () => {
    const home = { region: "us-east-1", accountId: "111111111111" };
    const { get, outcomeOf } = setUp({ source: { secretIds: ["app/database"], home }, allow: "configured" });
    get.mockResolvedValue(toSecret("app/database", OTHER_REGION));
    expect(await outcomeOf(`/secretsmanager/get?secretId=${OTHER_REGION}`)).toBe("200");
    expect(await outcomeOf(`/secretsmanager/get?secretId=${SECRET_ARN}`)).toBe(DENIED);
  });

  it("allows every secret of the target role if it is set to any", async () => {
    const { get, outcomeOf } = setUp({ source: { secretIds: ["app/database"] }, allow: "any" });
    get.mockResolvedValue(toSecret("other", OTHER_REGION));
    expect(await outcomeOf("/secretsmanager/get?secretId=other")).toBe("200");
    expect(await outcomeOf(`/secretsmanager/get?secretId=${OTHER_REGION}`)).toBe("200");
  });

  it("allows nothing if it is empty", async () => {
    const { outcomeOf } = setUp({ source: { secretIds: [] }, allow: "configured" });
    expect(await outcomeOf(GET_APP)).toBe(DENIED);
  });
});

describe("a read of a parameter", () => {
  it("asks the cache of parameters, until the deadline of a parameter", async () => {
    const { ask, get, getParameter } = setUp({ timeoutMs: 700, parameterTimeoutMs: 900 });
    getParameter.mockResolvedValue(toParameter("/app/flag"));
    await ask(`${GET_FLAG}&version=3&withDecryption=true&refreshNow=true&roleArn=${TARGET_ROLE_ARN}`);
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

  it("leaves a secret its own cache and its own deadline", async () => {
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
  ])("is refused with 404 at another path: %s", async (target) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target)).toBe("404 UnknownOperationException");
  });

  it.each<[string, string, Partial<LocalRequest>, string]>([
    ["no token", GET_FLAG, { headers: { "x-aws-parameters-secrets-token": undefined } }, "403 BadToken"],
    ["a foreign host", GET_FLAG, { headers: { host: "example.com" } }, "400 ValidationException"],
    ["another method", GET_FLAG, { method: "POST" }, "405 MethodNotAllowedException"],
    ["no name", "/systemsmanager/parameters/get", {}, "400 ValidationException"],
    ["another role", `${GET_FLAG}&roleArn=${TARGET_ROLE_ARN}2`, {}, "403 AccessDeniedException"],
  ])("is refused with %s", async (_, target, request, outcome) => {
    const { getParameter, outcomeOf } = setUp();
    expect(await outcomeOf(target, request)).toBe(outcome);
    expect(getParameter).not.toHaveBeenCalled();
  });

  it("that fails is answered with the failure's status", async () => {
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

  it.each(["/app/flag", PARAMETER_ARN])(
    "of %s allows its parameter under each of its ids and versions",
    async (configured) => {
      const { getParameter, outcomeOf } = setUp({ source: { parameterNames: [configured] }, allow: "configured" });
      getParameter.mockResolvedValue(toParameter("/app/flag"));
      for (const name of ["/app/flag", PARAMETER_ARN, "/app/flag:3", `${PARAMETER_ARN}:prod`]) {
        expect(await outcomeOf(toTarget(name))).toBe("200");
      }
    },
  );

  it.each(["/app/flag", PARAMETER_ARN])("of %s allows nothing else, and AWS is not asked", async (configured) => {
    const { getParameter, outcomeOf } = setUp({ source: { parameterNames: [configured] }, allow: "configured" });
    for (const name of [
      "/app",
      "/app/flag2",
      "/app/fla",
      "/APP/FLAG",
      "/app/flag/x",
      "flag",
      PARAMETER_ARN.replace("111111111111", "333333333333"),
      PARAMETER_ARN.replace("eu-west-1", "us-east-1"),
      `${PARAMETER_ARN}-AbCdEf`,
    ]) {
      expect(await outcomeOf(toTarget(name))).toBe(DENIED);
    }
    expect(getParameter).not.toHaveBeenCalled();
  });

  it("is checked against AWS's answer, which tells the name of an ARN with one part", async () => {
    const arn = "arn:aws:ssm:eu-west-1:111111111111:parameter/flag";
    const { ask, getParameter, outcomeOf } = setUp({ source: { parameterNames: ["flag"] }, allow: "configured" });
    getParameter.mockResolvedValue(toParameter("flag", arn));
    expect(await outcomeOf(toTarget(arn))).toBe("200");
    getParameter.mockResolvedValue(toParameter("/flag", arn));
    expect(await outcomeOf(toTarget(arn))).toBe(DENIED);
    const { headers, body } = await ask(toTarget(arn));
    expect(JSON.stringify({ headers, body })).not.toContain("p4rameter");
  });

  it("is separate from that of secrets: neither allows what only the other lists", async () => {
    const ofParameters = setUp({ source: { parameterNames: ["app"] }, allow: "configured" });
    expect(await ofParameters.outcomeOf("/secretsmanager/get?secretId=app")).toBe(DENIED);
    expect(await ofParameters.outcomeOf("/secrets/app")).toBe(DENIED);
    const ofSecrets = setUp({ source: { secretIds: ["app"] }, allow: "configured" });
    expect(await ofSecrets.outcomeOf(toTarget("app"))).toBe(DENIED);
  });

  it("refuses with a remedy that names the setting", async () => {
    const { ask } = setUp({ source: { secretIds: ["app"] }, allow: "configured" });
    expect((await ask(GET_FLAG)).body).toMatch(/the parameter is not .*CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES/);
  });

  it("allows every parameter of the target role if it is set to any", async () => {
    const { getParameter, outcomeOf } = setUp({ source: { parameterNames: ["/app/flag"] }, allow: "any" });
    getParameter.mockResolvedValue(toParameter("/other", "arn:aws:ssm:eu-west-1:111111111111:parameter/other"));
    expect(await outcomeOf(toTarget("/other"))).toBe("200");
  });
});

describe("two sources", () => {
  const OTHER_ARN = SECRET_ARN.replace("111111111111", "333333333333");

  /** Two target roles in two accounts, each with a cache that notes its number and the request. */
  function setUpTwo(secretIds: readonly [readonly string[], readonly string[]], allow: "any" | "configured") {
    const config = createConfig({ allow });
    const [given] = config.sources;
    const sources: readonly Source[] = [
      { ...given, secretIds: secretIds[0] },
      {
        ...given,
        roleArn: OTHER_ROLE_ARN,
        home: { ...given.home, accountId: "333333333333" },
        secretIds: secretIds[1],
      },
    ];
    const asked: string[] = [];
    const parts = sources.map((source, index) => ({
      source,
      parameters,
      secrets: {
        get: async ({ secretId }) => {
          asked.push(`${index} ${secretId}`);
          return toSecret("app/database", index === 0 ? SECRET_ARN : OTHER_ARN);
        },
        invalidate: async ({ secretId }, versionId) => void asked.push(`${index} ${secretId} is not ${versionId}`),
      } satisfies SecretCache,
    }));
    const ask = createAsk({ config, readers: () => parts });
    const outcomeOf = async (target: string, method = "GET") => {
      const { status, body } = await ask(target, { method });
      return status < 300 ? asked.splice(0).join() : `${status} ${JSON.parse(String(body)).__type}`;
    };
    return { asked, outcomeOf };
  }

  it("are chosen by roleArn at every path", async () => {
    const { outcomeOf } = setUpTwo([[], []], "any");
    const other = `roleArn=${OTHER_ROLE_ARN}`;
    expect(await outcomeOf(`${GET_APP}&roleArn=${TARGET_ROLE_ARN}`)).toBe("0 app/database");
    expect(await outcomeOf(`${GET_APP}&${other}`)).toBe("1 app/database");
    expect(await outcomeOf(`/secrets/app/database?${other}`)).toBe("1 app/database");
    expect(await outcomeOf(`/secrets/app/database/invalid?versionId=v1&${other}`, "POST")).toBe(
      "1 app/database is not v1",
    );
  });

  it("are chosen by the account of an ARN", async () => {
    const { outcomeOf } = setUpTwo([[], []], "any");
    expect(await outcomeOf(`/secretsmanager/get?secretId=${SECRET_ARN}`)).toBe(`0 ${SECRET_ARN}`);
    expect(await outcomeOf(`/secrets/${OTHER_ARN}`)).toBe(`1 ${OTHER_ARN}`);
  });

  it("are chosen by the secrets that are configured for them", async () => {
    const { outcomeOf } = setUpTwo([["app/cache"], ["app/database"]], "configured");
    expect(await outcomeOf(GET_APP)).toBe("1 app/database");
    expect(await outcomeOf("/secrets/app/database/invalid?versionId=v1", "POST")).toBe("1 app/database is not v1");
  });

  it("are both not asked if either may be meant, and the caller must choose", async () => {
    for (const allow of ["any", "configured"] as const) {
      const { asked, outcomeOf } = setUpTwo([["app/database"], ["app/database"]], allow);
      expect(await outcomeOf(GET_APP)).toBe("400 ValidationException");
      expect(await outcomeOf("/secrets/app/database/invalid?versionId=v1", "POST")).toBe("400 ValidationException");
      expect(asked).toEqual([]);
    }
  });

  it("are not asked for another role, or for a secret that is not configured for the chosen role", async () => {
    const { asked, outcomeOf } = setUpTwo([["app/database"], ["app/cache"]], "configured");
    expect(await outcomeOf(`${GET_APP}&roleArn=${OTHER_ROLE_ARN}2`)).toBe("403 AccessDeniedException");
    expect(await outcomeOf(`${GET_APP}&roleArn=${OTHER_ROLE_ARN}`)).toBe("403 AccessDeniedException");
    expect(await outcomeOf("/secretsmanager/get?secretId=third")).toBe("403 AccessDeniedException");
    expect(asked).toEqual([]);
  });

  it("are replaced by new ones after a restore", async () => {
    const [source] = createConfig().sources;
    const answered: string[] = [];
    const toCache = (name: string): SecretCache => ({
      get: async () => {
        answered.push(name);
        return toSecret("app/database");
      },
      invalidate: async () => {},
    });
    let cache = toCache("before");
    const ask = createAsk({ readers: () => [{ source, secrets: cache, parameters }] });
    await ask(GET_APP);
    cache = toCache("after");
    await ask(GET_APP);
    expect(answered).toEqual(["before", "after"]);
  });
});

describe("/stats", () => {
  it("answers with the version and the counters, and nothing else", async () => {
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
    ["capital letters in the path", "/Stats", {}, "404 UnknownOperationException"],
  ])("is refused with %s", async (_, target, request, outcome) => {
    const { outcomeOf } = setUp();
    expect(await outcomeOf(target, request)).toBe(outcome);
  });

  it("may also be the name of a secret", async () => {
    const { ask, get } = setUp();
    get.mockResolvedValue(toSecret("stats"));
    expect(await ask("/secrets/stats")).toMatchObject({ status: 200, body: '{"password":"s3cret"}' });
  });
});

describe("after every request", () => {
  /** A handler whose reads take as long as the test says. */
  function setUpClock(read: () => Promise<CachedSecret>) {
    const clock = { epochMs: NOW_EPOCH_MS };
    const counters = createCounters();
    const reported: number[] = [];
    const [source] = createConfig().sources;
    const ask = createAsk({
      readers: () => [{ source, secrets: { get: read, invalidate: async () => {} }, parameters }],
      counters,
      metrics: { report: () => void reported.push(counters.requests), finish() {} },
      now: () => clock.epochMs,
    });
    return { ask, clock, counters, reported };
  }

  it("the metrics are reported once, after the request is counted", async () => {
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

  it("the slowest request so far is counted by the wall clock, and a clock that steps back changes nothing", async () => {
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

describe("a disabled extension", () => {
  it.each<[string, Partial<LocalRequest>]>([
    ["/secretsmanager/get?secretId=app/database", {}],
    ["/ping", {}],
    ["/stats", {}],
    ["/nowhere", { method: "DELETE" }],
    ["", { headers: { "x-forwarded-for": "10.0.0.1" } }],
    [CANARY, { headers: { host: CANARY, "x-aws-parameters-secrets-token": CANARY } }],
  ])("answers %s with 503 and the remedy", async (target, request) => {
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
