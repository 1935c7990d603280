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
import { createLog } from "../../support/log.ts";
import { refusalOf } from "../../support/refusal-of.ts";

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

/** What STS answers; the session is named after its place in the row. */
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

/** STS issues a session of an hour at every call. */
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
  it("asks for the target role, in the function's name, for an hour", async () => {
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

  it("sends what is configured", async () => {
    issueSessions();
    const { get } = setUp({ source: { externalId: "an-id" }, roleSessionName: "a-name", durationSeconds: 900 });
    await get();
    expect(inputs()).toMatchObject([{ ExternalId: "an-id", RoleSessionName: "a-name", DurationSeconds: 900 }]);
  });

  it("sends source identity and session tags where they are configured, and neither where they are not", async () => {
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

  it.each([1, 54, 55, 56, 64, 140])("names its session as STS allows it, for a function name of %d", async (length) => {
    issueSessions();
    const { get } = setUp({ functionName: "f".repeat(length) });
    await get();
    const name = inputs().at(0)?.RoleSessionName ?? "";
    expect(name).toMatch(/^f+-[0-9a-f]{8}$/);
    expect(name).toMatch(/^[\w+=,.@-]{2,64}$/);
  });

  it("keeps the session's name when it renews it, so that CloudTrail shows one consumer", async () => {
    issueSessions();
    const { get } = setUp();
    await get();
    vi.setSystemTime(Date.now() + HOUR_MS);
    await get();
    expect(new Set(inputs().map((input) => input.RoleSessionName)).size).toBe(1);
    expect(countCalls()).toBe(2);
  });

  it("is called in the function's own region, wherever the secrets are, with the function's credentials", async () => {
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

  it("is called where STS is configured to be, and as", async () => {
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

  it("is not tried without credentials to try it with", async () => {
    const { aws } = createConfig();
    const { get, counters } = setUp({ aws: { ...aws, credentials: undefined } });
    await expect(get()).rejects.toMatchObject({ code: "credentials-missing" });
    expect(countCalls()).toBe(0);
    expect(counters.assumeRoleCalls).toBe(0);
  });

  it("is logged without its credentials", async () => {
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
  it("is asked for once by a thousand concurrent look-ups", async () => {
    issueSessions();
    const { get, counters } = setUp();
    const all = await Promise.all(Array.from({ length: 1_000 }, () => get()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-1"]));
    expect(countCalls()).toBe(1);
    expect(counters.assumeRoleCalls).toBe(1);
  });

  it("is asked for once, at whatever moment around the answer the others come", async () => {
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

  it("is renewed after nine tenths of its life, to the millisecond, behind the request", async () => {
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

  it("is at hand from STS's answer to its end", async () => {
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

  it("has the life that STS gives it, not the one that was asked for", async () => {
    sts.on(AssumeRoleCommand).resolvesOnce(toAnswer(1, 900_000)).resolvesOnce(toAnswer(2));
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 900_000);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is renewed by no timer, but when it is needed after a freeze", async () => {
    issueSessions();
    const { get } = setUp();
    await get();
    expect(vi.getTimerCount()).toBe(0);
    vi.setSystemTime(START_EPOCH_MS + 24 * HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is not eternal after the clock has stepped back", async () => {
    issueSessions();
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS - HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("outlasts an STS that fails, while it lives", async () => {
    sts.on(AssumeRoleCommand).resolvesOnce(toAnswer(1)).rejects(toRefusal("InternalFailure", 500));
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 0.95 * HOUR_MS);
    const renewal = Promise.allSettled([get()]);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await renewal).toMatchObject([{ status: "fulfilled", value: { accessKeyId: "ASIA-1" } }]);
  });

  it("is over when it is over, whatever STS says", async () => {
    sts.on(AssumeRoleCommand).resolvesOnce(toAnswer(1)).rejects(toRefusal("InternalFailure", 500));
    const { get } = setUp();
    await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const refused = refusalOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-error" });
  });
});

describe("the session policy", () => {
  const CONFIGURED = {
    allow: "configured",
    source: { secretIds: ["app/database"], parameterNames: ["/app/flag"] },
  } as const;
  const TOO_LARGE = toRefusal("PackedPolicyTooLargeException", 400);

  const policies = () => inputs().map(({ Policy }) => Policy);
  const warningsOf = (lines: readonly Readonly<Record<string, unknown>>[]) =>
    lines.filter(({ event }) => event === "session-policy-left-out");

  it("is sent with every AssumeRole, and names what is configured", async () => {
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

  it("names the replica of FAILOVER_REGION too", async () => {
    issueSessions();
    await setUp({ ...CONFIGURED, failoverRegion: "eu-central-1" }).get();
    expect(policies()[0]).toContain("arn:aws:secretsmanager:eu-central-1:111111111111:secret:app/database-??????");
  });

  it.each<[string, ConfigOverrides]>([
    ["nobody wants it", { ...CONFIGURED, sessionPolicy: "none" }],
    ["anything may be asked for", { ...CONFIGURED, allow: "any" }],
  ])("is not sent where %s, of which there is nothing to say", async (_, overrides) => {
    issueSessions();
    const { get, lines } = setUp(overrides);
    await get();
    expect(Object.keys(inputs()[0] ?? {})).not.toContain("Policy");
    expect(warningsOf(lines)).toEqual([]);
  });

  it("is not sent where it would be too long, and one warning says so, however many sessions there are", async () => {
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

  it("is left out at once, and from then on, where STS cannot pack it; one warning says so", async () => {
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

  it("is not what is too large where there is none: session tags are packed too, and it is not tried again", async () => {
    sts.on(AssumeRoleCommand).rejects(TOO_LARGE);
    const { get, lines } = setUp();
    expect(await refusalOf(get())).toMatchObject({ code: "assume-role-rejected" });
    expect(countCalls()).toBe(1);
    expect(warningsOf(lines)).toEqual([]);
  });

  it("is tried without once, and what STS says then is told", async () => {
    sts.on(AssumeRoleCommand).rejects(TOO_LARGE);
    const { get } = setUp(CONFIGURED);
    expect(await refusalOf(get())).toMatchObject({ code: "assume-role-rejected" });
    expect(countCalls()).toBe(2);
  });

  it.each(["AccessDenied", "MalformedPolicyDocumentException", "ValidationError"])(
    "is kept where STS refuses for another reason: %s",
    async (name) => {
      sts.on(AssumeRoleCommand).rejectsOnce(toRefusal(name, 403)).resolves(toAnswer(2));
      const { get, lines } = setUp(CONFIGURED);
      expect(await refusalOf(get())).toBeInstanceOf(Failure);
      expect(countCalls()).toBe(1);
      vi.setSystemTime(START_EPOCH_MS + 1_000);
      await get();
      expect(policies()).toEqual([expect.any(String), expect.any(String)]);
      expect(warningsOf(lines)).toEqual([]);
    },
  );
});

describe("a session that is refused", () => {
  it("is refused to all who wait for it, and asked for anew by the next", async () => {
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
  ])("with %s is asked for once in a while, however many secrets want it", async (name, status, pauseMs) => {
    sts.on(AssumeRoleCommand).rejects(toRefusal(name, status));
    const { get } = setUp();
    await refusalOf(get());
    const calls = countCalls();
    for (let nth = 0; nth < 20; nth += 1) await refusalOf(get());
    vi.setSystemTime(START_EPOCH_MS + pauseMs - 1);
    await refusalOf(get());
    expect(countCalls()).toBe(calls);
    vi.setSystemTime(START_EPOCH_MS + pauseMs);
    await refusalOf(get());
    expect(countCalls()).toBe(calls + 1);
  });

  it("leaves nothing of what AWS said on the failure or in the log", async () => {
    sts.on(AssumeRoleCommand).rejects(toRefusal("AccessDenied", 403));
    const { get, lines } = setUp();
    const failure = await refusalOf(get());
    expect(failure).toMatchObject({ code: "assume-role-denied", details: { requestId: "the-request-id" } });
    const outputs = new Map([
      ["the failure", inspect(failure, { depth: null, showHidden: true })],
      ["the log", JSON.stringify(lines)],
    ]);
    expect(findLeaks(outputs, [CANARY])).toEqual([]);
    expect(lines).toHaveLength(2);
  });

  it("counts every try, and each is a call of its own", async () => {
    sts.on(AssumeRoleCommand).rejectsOnce(toRefusal("Throttling", 400)).resolves(toAnswer(2));
    const { get, counters } = setUp();
    const wait = get();
    await vi.advanceTimersByTimeAsync(0);
    expect((await wait).accessKeyId).toBe("ASIA-2");
    expect(counters.assumeRoleCalls).toBe(2);
    expect(new Set(sts.calls().map(({ thisValue }) => thisValue)).size).toBe(2);
  });
});

describe("another session than the refused one", () => {
  it("is asked for where the refused one is a minute old, once however many want it", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + 60_000);
    const others = await Promise.all(Array.from({ length: 100 }, () => getInstead(refused)));
    expect(new Set(others.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-2"]));
    expect(countCalls()).toBe(2);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is asked for ever more rarely where others are refused too, up to once in four minutes", async () => {
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

  it("is the same where it is new: the refusal must be meant", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + 59_999);
    expect(await getInstead(refused)).toBe(refused);
    expect(countCalls()).toBe(1);
  });

  it("is the one at hand where somebody has renewed it since", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const renewed = await get();
    expect(await getInstead(refused)).toBe(renewed);
    expect(countCalls()).toBe(2);
  });

  it("is asked for where the clock has stepped back, which says nothing about an age", async () => {
    issueSessions();
    const { get, getInstead } = setUp();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS - 1);
    expect((await getInstead(refused)).accessKeyId).toBe("ASIA-2");
  });
});

describe("an answer that is not AWS's", () => {
  const { Credentials, $metadata } = toAnswer(1);
  it.each([
    ["no credentials", { $metadata }],
    ["no key id", { $metadata, Credentials: { ...Credentials, AccessKeyId: undefined } }],
    ["an empty key id", { $metadata, Credentials: { ...Credentials, AccessKeyId: "" } }],
    ["no key", { $metadata, Credentials: { ...Credentials, SecretAccessKey: undefined } }],
    ["no token", { $metadata, Credentials: { ...Credentials, SessionToken: undefined } }],
    ["no end", { $metadata, Credentials: { ...Credentials, Expiration: undefined } }],
  ])("gives no session: %s", async (_, answer) => {
    sts.on(AssumeRoleCommand).resolves(answer as AssumeRoleCommandOutput);
    const { get } = setUp();
    const refused = refusalOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-response-invalid" });
  });
});

describe("an STS that does not answer", () => {
  it("is waited for until the deadline, and then left", async () => {
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

  it("is asked anew after a freeze: a call older than its deadline is abandoned, never joined", async () => {
    sts
      .on(AssumeRoleCommand)
      .callsFakeOnce(() => new Promise(() => {}))
      .resolves(toAnswer(2, 24 * HOUR_MS));
    const { get } = setUp();
    const frozen = refusalOf(get());
    await vi.advanceTimersByTimeAsync(0);
    // Time passes, and no timer has run yet.
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const thawed = Promise.allSettled([get()]);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await thawed).toMatchObject([{ status: "fulfilled", value: { accessKeyId: "ASIA-2" } }]);
    expect(await frozen).toMatchObject({ code: "timeout" });
  });
});

describe("base credentials that may change, as under SnapStart", () => {
  /** Others each time, and as many as were asked for. */
  function createChanging(mayChange = true) {
    let asked = 0;
    const get = vi.fn<BaseCredentials["get"]>(async () => {
      asked += 1;
      return { accessKeyId: `ASIABASE${asked}`, secretAccessKey: "key", sessionToken: "token" };
    });
    return { get, mayChange };
  }

  /** With whose key each call was signed. */
  const signers = () =>
    Promise.all(
      sts.calls().map(async ({ thisValue }: { thisValue: unknown }) => {
        if (!(thisValue instanceof STSClient)) throw new Error("a call was made by another client");
        return (await thisValue.config.credentials()).accessKeyId;
      }),
    );

  it("are asked for at every AssumeRole, and only then", async () => {
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

  it("are asked for at every try: the pause before it may have made others of them", async () => {
    sts.on(AssumeRoleCommand).rejectsOnce(toRefusal("InternalFailure", 500)).resolves(toAnswer(2));
    const { get } = setUp({}, createChanging());
    const wait = get();
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect((await wait).accessKeyId).toBe("ASIA-2");
    expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
  });

  it.each(["ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException"])(
    "are asked for once more where AWS refuses them: %s",
    async (name) => {
      sts.on(AssumeRoleCommand).rejectsOnce(toRefusal(name, 403)).resolves(toAnswer(2));
      const { get, counters } = setUp({}, createChanging());
      expect((await get()).accessKeyId).toBe("ASIA-2");
      expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
      expect(counters.assumeRoleCalls).toBe(2);
    },
  );

  it("that are refused twice are refused", async () => {
    sts.on(AssumeRoleCommand).rejects(toRefusal("ExpiredTokenException", 403));
    const { get } = setUp({}, createChanging());
    expect(await refusalOf(get())).toMatchObject({ code: "credentials-expired" });
    expect(countCalls()).toBe(2);
  });

  it.each(["AccessDenied", "ValidationError", "RegionDisabledException"])(
    "are not asked for again where it is the role that is refused: %s",
    async (name) => {
      sts.on(AssumeRoleCommand).rejects(toRefusal(name, 403));
      const { get } = setUp({}, createChanging());
      await refusalOf(get());
      expect(countCalls()).toBe(1);
    },
  );

  it("are not tried twice where they cannot be others", async () => {
    sts.on(AssumeRoleCommand).rejects(toRefusal("ExpiredTokenException", 403));
    const { get } = setUp({}, createChanging(false));
    expect(await refusalOf(get())).toMatchObject({ code: "credentials-expired" });
    expect(countCalls()).toBe(1);
  });

  it("that cannot be had are a failure as they tell it, which no call to STS follows", async () => {
    const missing = new Failure("credentials-missing", "none");
    const base = { mayChange: true, get: () => Promise.reject(missing) };
    const { get, counters } = setUp({}, base);
    expect(await refusalOf(get())).toBe(missing);
    expect(countCalls()).toBe(0);
    expect(counters.assumeRoleCalls).toBe(0);
  });

  it("that do not come are waited for until the deadline", async () => {
    const { get } = setUp({}, { mayChange: true, get: () => new Promise(() => {}) });
    const refused = refusalOf(get(800));
    await vi.advanceTimersByTimeAsync(800);
    expect(await refused).toMatchObject({ code: "timeout" });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("two sources", () => {
  it("have sessions of their own, of their own roles", async () => {
    issueSessions();
    const roleArn = "arn:aws:iam::333333333333:role/Other";
    const [one, other] = [setUp(), setUp({ source: { roleArn, externalId: "theirs" } })];
    expect((await one.get()).accessKeyId).toBe("ASIA-1");
    expect((await other.get()).accessKeyId).toBe("ASIA-2");
    expect(inputs()[0]).not.toHaveProperty("ExternalId");
    expect(inputs()[1]).toMatchObject({ RoleArn: roleArn, ExternalId: "theirs" });
  });
});
