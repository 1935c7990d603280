import { inspect } from "node:util";
import { AssumeRoleCommand, type AssumeRoleCommandOutput, STSClient } from "@aws-sdk/client-sts";
import { mockClient } from "aws-sdk-client-mock";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BaseCredentials, createBaseCredentials } from "../../../extension/aws/base-credentials.ts";
import { createAwsCaller } from "../../../extension/aws/call.ts";
import * as awsSdk from "../../../extension/aws/sdk.ts";
import { createRoleCredentials } from "../../../extension/aws/session.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import { findLeaks } from "../../support/canary.ts";
import { type ConfigOverrides, createConfig } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import { createLog } from "../../support/log.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const TIMEOUT_MS = 2_500;
const HOUR_MS = 3_600_000;
const CANARY = "CANARY-what-AWS-says-is-not-repeated";

const sts = mockClient(STSClient);

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
  sts.reset();
  sts.onAnyCommand().rejects(new Error("no such call was expected"));
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(overrides: ConfigOverrides = {}, baseCredentials?: BaseCredentials) {
  const config = createConfig(overrides);
  const loadAwsSdk = async () => awsSdk;
  const counters = createCounters();
  const { logger, lines } = createLog();
  const shared = { logger, now: Date.now, random: () => 0 };
  const credentials = createRoleCredentials({
    ...shared,
    config,
    source: config.sources[0],
    baseCredentials: baseCredentials ?? createBaseCredentials({ config, loadAwsSdk }),
    counters,
    version: "1.2.3",
    loadAwsSdk,
    callAws: createAwsCaller(shared),
  });
  const get = (timeoutMs = TIMEOUT_MS) => credentials.get(Date.now() + timeoutMs);
  const getInstead = (refused: AwsCredentials) => credentials.getInstead(refused, Date.now() + TIMEOUT_MS);
  return { config, counters, get, getInstead, isAtHand: credentials.isAtHand, lines };
}

/** STS's answer with the nth session. */
function toAnswer(nth: number, lifeMs = HOUR_MS): AssumeRoleCommandOutput {
  return {
    Credentials: {
      AccessKeyId: `ASIA-${nth}`,
      SecretAccessKey: `${CANARY}-key-${nth}`,
      SessionToken: `${CANARY}-token-${nth}`,
      Expiration: new Date(Date.now() + lifeMs),
    },
    $metadata: { requestId: "11111111-2222-3333-4444-555555555555" },
  };
}

/** STS answers each call with a new session of one hour. */
function issueSessions(): void {
  let nth = 0;
  sts.on(AssumeRoleCommand).callsFake(async () => {
    nth += 1;
    return toAnswer(nth);
  });
}

function toRefusal(name: string, status: number): Error {
  return Object.assign(new Error(CANARY), {
    name,
    $fault: status < 500 ? "client" : "server",
    $metadata: { httpStatusCode: status, requestId: "the-request-id" },
    $response: { headers: { "x-amz-security-token": CANARY } },
  });
}

const inputs = () => sts.commandCalls(AssumeRoleCommand).map(({ args }) => args[0].input);
const countCalls = () => sts.calls().length;

/** The client that made the only call. */
function clientOfTheCall(): STSClient {
  expect(countCalls()).toBe(1);
  const client: unknown = sts.call(0).thisValue;
  if (!(client instanceof STSClient)) throw new Error("the call was not made by a client of STS");
  return client;
}

describe("AssumeRole", () => {
  it("asks for a session of the target role, named after the function, for one hour", async () => {
    issueSessions();
    const { get } = setUp();
    expect(await get()).toEqual({
      accessKeyId: "ASIA-1",
      secretAccessKey: `${CANARY}-key-1`,
      sessionToken: `${CANARY}-token-1`,
    });
    expect(inputs()).toEqual([
      {
        RoleArn: "arn:aws:iam::111111111111:role/SecretReader",
        RoleSessionName: "my-function-00000000",
        DurationSeconds: 3_600,
      },
    ]);
  });

  it("sends the configured external ID, session name and duration", async () => {
    issueSessions();
    const { get } = setUp({ source: { externalId: "an-id" }, roleSessionName: "a-name", durationSeconds: 900 });
    await get();
    expect(inputs()).toMatchObject([{ ExternalId: "an-id", RoleSessionName: "a-name", DurationSeconds: 900 }]);
  });

  it("sends the source identity and the session tags only if they are configured", async () => {
    issueSessions();
    const sessionTags = [
      { Key: "team", Value: "payments" },
      { Key: "empty", Value: "" },
    ];
    const { get } = setUp({ sourceIdentity: "somebody", sessionTags });
    await get();
    expect(inputs()).toMatchObject([{ SourceIdentity: "somebody", Tags: sessionTags }]);
    sts.resetHistory();
    await setUp().get();
    expect(Object.keys(inputs().at(0) ?? {}).sort()).toEqual(["DurationSeconds", "RoleArn", "RoleSessionName"]);
  });

  it.each([1, 54, 55, 56, 64, 140])(
    "sends a session name that STS accepts for a function name of %d characters",
    async (length) => {
      issueSessions();
      const { get } = setUp({ functionName: "f".repeat(length) });
      await get();
      const name = inputs().at(0)?.RoleSessionName ?? "";
      expect(name).toMatch(/^f+-[0-9a-f]{8}$/);
      expect(name).toMatch(/^[\w+=,.@-]{2,64}$/);
    },
  );

  it("sends the same session name at each renewal, so that CloudTrail shows one consumer", async () => {
    issueSessions();
    const { get } = setUp();
    await get();
    vi.setSystemTime(Date.now() + HOUR_MS);
    await get();
    expect(new Set(inputs().map((input) => input.RoleSessionName)).size).toBe(1);
    expect(countCalls()).toBe(2);
  });

  it("goes to the function's region with the function's credentials, even if the secrets are in another region", async () => {
    issueSessions();
    const { get } = setUp({ source: { region: "us-east-1" } });
    await get();
    const { region, credentials, useFipsEndpoint, useDualstackEndpoint } = clientOfTheCall().config;
    expect(await region()).toBe("eu-west-1");
    expect(await credentials()).toMatchObject({
      accessKeyId: "ASIAFUNCTION",
      secretAccessKey: "secret-key-of-the-function",
      sessionToken: "session-token-of-the-function",
    });
    expect([await useFipsEndpoint(), await useDualstackEndpoint()]).toEqual([false, false]);
  });

  it("uses the configured STS endpoint, FIPS and dual-stack options", async () => {
    issueSessions();
    const { aws } = createConfig();
    const { get } = setUp({
      aws: {
        ...aws,
        endpoints: { sts: "https://sts.example.com", secretsManager: "https://secrets.example.com", ssm: undefined },
        clientOptions: { useFipsEndpoint: true, useDualstackEndpoint: true },
      },
    });
    await get();
    const { endpoint, useFipsEndpoint, useDualstackEndpoint } = clientOfTheCall().config;
    expect((await endpoint?.())?.hostname).toBe("sts.example.com");
    expect([await useFipsEndpoint(), await useDualstackEndpoint()]).toEqual([true, true]);
  });

  it("is not called if the function has no credentials", async () => {
    const { aws } = createConfig();
    const { get, counters } = setUp({ aws: { ...aws, credentials: undefined } });
    await expect(get()).rejects.toMatchObject({ code: "credentials-missing" });
    expect(countCalls()).toBe(0);
    expect(counters.assumeRoleCalls).toBe(0);
  });

  it("is logged without the credentials", async () => {
    issueSessions();
    const { get, lines } = setUp();
    await get();
    expect(lines).toEqual([
      { level: "debug", event: "aws-sdk-loaded" },
      {
        level: "info",
        event: "role-assumed",
        roleArn: "arn:aws:iam::111111111111:role/SecretReader",
        requestId: "11111111-2222-3333-4444-555555555555",
        ms: 0,
      },
    ]);
  });
});

describe("a session", () => {
  it("takes one AssumeRole call for a thousand concurrent look-ups", async () => {
    issueSessions();
    const { get, counters } = setUp();
    const all = await Promise.all(Array.from({ length: 1_000 }, () => get()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-1"]));
    expect(countCalls()).toBe(1);
    expect(counters.assumeRoleCalls).toBe(1);
  });

  it("takes one AssumeRole call even if more look-ups arrive just before or after the answer", async () => {
    issueSessions();
    const { get } = setUp();
    const waits = [get()];
    for (let turn = 0; turn < 100; turn += 1) {
      await Promise.resolve();
      waits.push(get());
    }
    await Promise.all(waits);
    expect(countCalls()).toBe(1);
  });

  it("is renewed in the background after exactly nine tenths of its life", async () => {
    issueSessions();
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 0.9 * HOUR_MS - 1);
    expect((await get()).accessKeyId).toBe("ASIA-1");
    await vi.advanceTimersByTimeAsync(0);
    expect(countCalls()).toBe(1);
    vi.setSystemTime(START_EPOCH_MS + 0.9 * HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-1");
    await vi.advanceTimersByTimeAsync(0);
    expect(countCalls()).toBe(2);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is available from STS's answer until it expires", async () => {
    issueSessions();
    const { get, isAtHand } = setUp();
    expect(isAtHand()).toBe(false);
    const asked = get();
    expect(isAtHand()).toBe(false);
    await asked;
    expect(isAtHand()).toBe(true);
    vi.advanceTimersByTime(HOUR_MS - 1);
    expect(isAtHand()).toBe(true);
    vi.advanceTimersByTime(1);
    expect(isAtHand()).toBe(false);
  });

  it("lives as long as STS says, not as long as was requested", async () => {
    sts.on(AssumeRoleCommand).resolvesOnce(toAnswer(1, 900_000)).resolvesOnce(toAnswer(2));
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 900_000);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is renewed by the first look-up after a freeze, without a timer", async () => {
    issueSessions();
    const { get } = setUp();
    await get();
    expect(vi.getTimerCount()).toBe(0);
    vi.setSystemTime(START_EPOCH_MS + 24 * HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is replaced if the clock has stepped back behind its start", async () => {
    issueSessions();
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS - HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("stays in use if its renewal fails before it expires", async () => {
    sts.on(AssumeRoleCommand).resolvesOnce(toAnswer(1)).rejects(toRefusal("InternalFailure", 500));
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 0.95 * HOUR_MS);
    const renewal = Promise.allSettled([get()]);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await renewal).toMatchObject([{ status: "fulfilled", value: { accessKeyId: "ASIA-1" } }]);
  });

  it("is not used after it has expired, even if its renewal fails", async () => {
    sts.on(AssumeRoleCommand).resolvesOnce(toAnswer(1)).rejects(toRefusal("InternalFailure", 500));
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-error" });
  });
});

describe("the session policy of AssumeRole", () => {
  const CONFIGURED = {
    allow: "configured",
    source: { secretIds: ["app/database"], parameterNames: ["/app/flag"] },
  } as const;
  const TOO_LARGE = toRefusal("PackedPolicyTooLargeException", 400);

  const policies = () => inputs().map(({ Policy }) => Policy);
  const warningsOf = (lines: readonly Readonly<Record<string, unknown>>[]) =>
    lines.filter(({ event }) => event === "session-policy-left-out");

  it("is sent with every call and names the configured secrets and parameters", async () => {
    issueSessions();
    const { get, lines } = setUp(CONFIGURED);
    await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    await get();
    expect(policies()).toHaveLength(2);
    for (const policy of policies()) {
      expect(JSON.parse(policy ?? "").Statement).toMatchObject([
        { Resource: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/database-??????" },
        { Resource: "arn:aws:ssm:eu-west-1:111111111111:parameter/app/flag" },
        { Action: "kms:Decrypt" },
      ]);
    }
    expect(warningsOf(lines)).toEqual([]);
  });

  it("also names the replica in FAILOVER_REGION", async () => {
    issueSessions();
    await setUp({ ...CONFIGURED, failoverRegion: "eu-central-1" }).get();
    expect(policies()[0]).toContain("arn:aws:secretsmanager:eu-central-1:111111111111:secret:app/database-??????");
  });

  it.each<[string, ConfigOverrides]>([
    ["SESSION_POLICY is none", { ...CONFIGURED, sessionPolicy: "none" }],
    ["ALLOW is any", { ...CONFIGURED, allow: "any" }],
  ])("is not sent if %s, and no warning is logged", async (_, overrides) => {
    issueSessions();
    const { get, lines } = setUp(overrides);
    await get();
    expect(Object.keys(inputs()[0] ?? {})).not.toContain("Policy");
    expect(warningsOf(lines)).toEqual([]);
  });

  it("is not sent if it is longer than STS allows, and one warning is logged for all sessions", async () => {
    issueSessions();
    const secretIds = Array.from({ length: 60 }, (_, nth) => `app/database-${nth}`);
    const { get, lines } = setUp({ ...CONFIGURED, source: { secretIds } });
    await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    await get();
    expect(policies()).toEqual([undefined, undefined]);
    expect(warningsOf(lines)).toEqual([
      {
        level: "warn",
        event: "session-policy-left-out",
        roleArn: "arn:aws:iam::111111111111:role/SecretReader",
        reason: "it would be longer than STS allows",
      },
    ]);
  });

  it("is left out of a second call and of later calls if STS cannot pack it, and one warning is logged", async () => {
    sts
      .on(AssumeRoleCommand)
      .rejectsOnce(TOO_LARGE)
      .resolvesOnce(toAnswer(1))
      .resolves(toAnswer(2, 2 * HOUR_MS));
    const { get, lines } = setUp(CONFIGURED);
    const all = await Promise.all([get(), get(), get()]);
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-1"]));
    expect(policies()).toEqual([expect.any(String), undefined]);
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-2");
    expect(policies()).toEqual([expect.any(String), undefined, undefined]);
    expect(warningsOf(lines)).toEqual([
      {
        level: "warn",
        event: "session-policy-left-out",
        roleArn: "arn:aws:iam::111111111111:role/SecretReader",
        reason: "STS cannot pack it",
      },
    ]);
  });

  it("causes no second call if none was sent, because the session tags are too large then", async () => {
    sts.on(AssumeRoleCommand).rejects(TOO_LARGE);
    const { get, lines } = setUp();
    expect(await failureOf(get())).toMatchObject({ code: "assume-role-rejected" });
    expect(countCalls()).toBe(1);
    expect(warningsOf(lines)).toEqual([]);
  });

  it("is left out of one second call only, and the failure of that call is returned", async () => {
    sts.on(AssumeRoleCommand).rejects(TOO_LARGE);
    const { get } = setUp(CONFIGURED);
    expect(await failureOf(get())).toMatchObject({ code: "assume-role-rejected" });
    expect(countCalls()).toBe(2);
  });

  it.each(["AccessDenied", "MalformedPolicyDocumentException", "ValidationError"])(
    "is still sent after STS has refused a call with %s",
    async (name) => {
      sts.on(AssumeRoleCommand).rejectsOnce(toRefusal(name, 403)).resolves(toAnswer(2));
      const { get, lines } = setUp(CONFIGURED);
      expect(await failureOf(get())).toBeInstanceOf(Failure);
      expect(countCalls()).toBe(1);
      vi.setSystemTime(START_EPOCH_MS + 1_000);
      await get();
      expect(policies()).toEqual([expect.any(String), expect.any(String)]);
      expect(warningsOf(lines)).toEqual([]);
    },
  );
});

describe("a refused AssumeRole", () => {
  it("fails all waiting look-ups, and a later look-up calls STS again", async () => {
    sts.on(AssumeRoleCommand).rejectsOnce(toRefusal("AccessDenied", 403)).resolves(toAnswer(2));
    const { get } = setUp();
    const [first, second] = await Promise.allSettled([get(), get()]);
    expect(first).toMatchObject({ status: "rejected", reason: { code: "assume-role-denied" } });
    expect(second).toEqual(first);
    expect(countCalls()).toBe(1);
    vi.setSystemTime(START_EPOCH_MS + 1_000);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it.each([
    ["AccessDenied", 403, 1_000],
    ["ExpiredToken", 403, 200],
  ])(
    "with %s and status %i is repeated after %i ms at the earliest, for any number of look-ups",
    async (name, status, pauseMs) => {
      sts.on(AssumeRoleCommand).rejects(toRefusal(name, status));
      const { get } = setUp();
      await failureOf(get());
      const calls = countCalls();
      for (let nth = 0; nth < 20; nth += 1) await failureOf(get());
      vi.setSystemTime(START_EPOCH_MS + pauseMs - 1);
      await failureOf(get());
      expect(countCalls()).toBe(calls);
      vi.setSystemTime(START_EPOCH_MS + pauseMs);
      await failureOf(get());
      expect(countCalls()).toBe(calls + 1);
    },
  );

  it("leaves no text of AWS in the failure or in the log", async () => {
    sts.on(AssumeRoleCommand).rejects(toRefusal("AccessDenied", 403));
    const { get, lines } = setUp();
    const failure = await failureOf(get());
    expect(failure).toMatchObject({ code: "assume-role-denied", details: { requestId: "the-request-id" } });
    const outputs = new Map([
      ["the failure", inspect(failure, { depth: null, showHidden: true })],
      ["the log", JSON.stringify(lines)],
    ]);
    expect(findLeaks(outputs, [CANARY])).toEqual([]);
    expect(lines).toHaveLength(2);
  });

  it("is counted once for each try, and each try uses its own client", async () => {
    sts.on(AssumeRoleCommand).rejectsOnce(toRefusal("Throttling", 400)).resolves(toAnswer(2));
    const { get, counters } = setUp();
    const wait = get();
    await vi.advanceTimersByTimeAsync(0);
    expect((await wait).accessKeyId).toBe("ASIA-2");
    expect(counters.assumeRoleCalls).toBe(2);
    expect(new Set(sts.calls().map(({ thisValue }) => thisValue)).size).toBe(2);
  });
});

describe("a new session in place of one that AWS refused", () => {
  it("is requested once for concurrent callers if the refused session is a minute old", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + 60_000);
    const others = await Promise.all(Array.from({ length: 100 }, () => getInstead(refused)));
    expect(new Set(others.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-2"]));
    expect(countCalls()).toBe(2);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is requested at growing intervals, of at most four minutes, if each new session is refused too", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    let held = await get();
    const renewedAtSeconds: number[] = [];
    for (let seconds = 10; seconds <= 1_000; seconds += 10) {
      vi.setSystemTime(START_EPOCH_MS + seconds * 1_000);
      const instead = await getInstead(held);
      if (instead !== held) renewedAtSeconds.push(seconds);
      held = instead;
    }
    expect(renewedAtSeconds).toEqual([60, 180, 420, 660, 900]);
  });

  it("is not requested if the refused session is less than a minute old, because the refusal is real then", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + 59_999);
    expect(await getInstead(refused)).toBe(refused);
    expect(countCalls()).toBe(1);
  });

  it("is the current session if another caller has renewed it meanwhile", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const renewed = await get();
    expect(await getInstead(refused)).toBe(renewed);
    expect(countCalls()).toBe(2);
  });

  it("is requested if the clock has stepped back, because the age is unknown then", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS - 1);
    expect((await getInstead(refused)).accessKeyId).toBe("ASIA-2");
  });
});

describe("an invalid answer to AssumeRole", () => {
  const { Credentials, $metadata } = toAnswer(1);
  it.each([
    ["no credentials", { $metadata }],
    ["no key id", { $metadata, Credentials: { ...Credentials, AccessKeyId: undefined } }],
    ["an empty key id", { $metadata, Credentials: { ...Credentials, AccessKeyId: "" } }],
    ["no secret key", { $metadata, Credentials: { ...Credentials, SecretAccessKey: undefined } }],
    ["no token", { $metadata, Credentials: { ...Credentials, SessionToken: undefined } }],
    ["no expiration", { $metadata, Credentials: { ...Credentials, Expiration: undefined } }],
  ])("with %s gives no session", async (_, answer) => {
    sts.on(AssumeRoleCommand).resolves(answer as AssumeRoleCommandOutput);
    const { get } = setUp();
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-response-invalid" });
  });
});

describe("an STS that does not answer", () => {
  it("is awaited until the deadline, then the call is aborted", async () => {
    sts.on(AssumeRoleCommand).callsFake(() => new Promise(() => {}));
    const { get } = setUp();
    const settled = vi.fn();
    const wait = get(800);
    wait.then(settled, settled);
    await vi.advanceTimersByTimeAsync(799);
    expect(settled).not.toHaveBeenCalled();
    const [, options] = sts.call(0).args as readonly unknown[];
    const { abortSignal } = options as { readonly abortSignal: AbortSignal };
    expect(abortSignal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await expect(wait).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringContaining("AssumeRole of arn:aws:iam::111111111111:role/SecretReader"),
      details: { remedy: expect.stringContaining("VPC") },
    });
    expect(abortSignal.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is called again after a freeze: a look-up does not join a call that is past its deadline", async () => {
    sts
      .on(AssumeRoleCommand)
      .callsFakeOnce(() => new Promise(() => {}))
      .resolves(toAnswer(2, 24 * HOUR_MS));
    const { get } = setUp();
    const frozen = failureOf(get());
    await vi.advanceTimersByTimeAsync(0);
    // Time passes, and no timer has run yet.
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const thawed = Promise.allSettled([get()]);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await thawed).toMatchObject([{ status: "fulfilled", value: { accessKeyId: "ASIA-2" } }]);
    expect(await frozen).toMatchObject({ code: "timeout" });
  });
});

describe("the base credentials of AssumeRole", () => {
  /** Base credentials that are different at each call, as under SnapStart. */
  function createChanging(mayChange = true) {
    let asked = 0;
    const get = vi.fn<BaseCredentials["get"]>(async () => {
      asked += 1;
      return { accessKeyId: `ASIABASE${asked}`, secretAccessKey: "key", sessionToken: "token" };
    });
    return { get, mayChange };
  }

  /** The ID of the access key that signed each call. */
  const signers = () =>
    Promise.all(
      sts.calls().map(async ({ thisValue }: { thisValue: unknown }) => {
        if (!(thisValue instanceof STSClient)) throw new Error("a call was made by another client");
        return (await thisValue.config.credentials()).accessKeyId;
      }),
    );

  it("are read at each AssumeRole call and at no other time", async () => {
    issueSessions();
    const base = createChanging();
    const { get } = setUp({}, base);
    expect(base.get).not.toHaveBeenCalled();
    await get();
    await get();
    expect(base.get).toHaveBeenCalledTimes(1);
    vi.setSystemTime(Date.now() + HOUR_MS);
    await get();
    expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
  });

  it("are read again at each try, because they may have changed during the pause", async () => {
    sts.on(AssumeRoleCommand).rejectsOnce(toRefusal("InternalFailure", 500)).resolves(toAnswer(2));
    const { get } = setUp({}, createChanging());
    const wait = get();
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect((await wait).accessKeyId).toBe("ASIA-2");
    expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
  });

  it.each(["ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException"])(
    "are read once more if AWS refuses them with %s",
    async (name) => {
      sts.on(AssumeRoleCommand).rejectsOnce(toRefusal(name, 403)).resolves(toAnswer(2));
      const { get, counters } = setUp({}, createChanging());
      expect((await get()).accessKeyId).toBe("ASIA-2");
      expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
      expect(counters.assumeRoleCalls).toBe(2);
    },
  );

  it("are not read a third time if AWS refuses them twice", async () => {
    sts.on(AssumeRoleCommand).rejects(toRefusal("ExpiredTokenException", 403));
    const { get } = setUp({}, createChanging());
    expect(await failureOf(get())).toMatchObject({ code: "credentials-expired" });
    expect(countCalls()).toBe(2);
  });

  it.each(["AccessDenied", "ValidationError", "RegionDisabledException"])(
    "are not read again if AWS refuses the role with %s",
    async (name) => {
      sts.on(AssumeRoleCommand).rejects(toRefusal(name, 403));
      const { get } = setUp({}, createChanging());
      await failureOf(get());
      expect(countCalls()).toBe(1);
    },
  );

  it("are not used a second time if they cannot change", async () => {
    sts.on(AssumeRoleCommand).rejects(toRefusal("ExpiredTokenException", 403));
    const { get } = setUp({}, createChanging(false));
    expect(await failureOf(get())).toMatchObject({ code: "credentials-expired" });
    expect(countCalls()).toBe(1);
  });

  it("fail the look-up with their own failure, and without a call to STS, if they are missing", async () => {
    const missing = new Failure("credentials-missing", "none");
    const base = { mayChange: true, get: () => Promise.reject(missing) };
    const { get, counters } = setUp({}, base);
    expect(await failureOf(get())).toBe(missing);
    expect(countCalls()).toBe(0);
    expect(counters.assumeRoleCalls).toBe(0);
  });

  it("are awaited until the deadline at most", async () => {
    const { get } = setUp({}, { mayChange: true, get: () => new Promise(() => {}) });
    const refused = failureOf(get(800));
    await vi.advanceTimersByTimeAsync(800);
    expect(await refused).toMatchObject({ code: "timeout" });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("two sources", () => {
  it("have separate sessions, each of its own role", async () => {
    issueSessions();
    const roleArn = "arn:aws:iam::333333333333:role/Other";
    const [one, other] = [setUp(), setUp({ source: { roleArn, externalId: "theirs" } })];
    expect((await one.get()).accessKeyId).toBe("ASIA-1");
    expect((await other.get()).accessKeyId).toBe("ASIA-2");
    expect(inputs()[0]).not.toHaveProperty("ExternalId");
    expect(inputs()[1]).toMatchObject({ RoleArn: roleArn, ExternalId: "theirs" });
  });
});
