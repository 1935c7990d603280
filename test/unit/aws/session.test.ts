import { AssumeRoleCommand, type AssumeRoleCommandOutput } from "@aws-sdk/client-sts";
import { describe, expect, it, vi } from "vitest";
import { createConfig } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import {
  CANARY,
  ENDPOINTS,
  expectAbort,
  resetForEachTest,
  START_EPOCH_MS,
  TIMEOUT_MS,
  toSdkError,
} from "../../support/sdk-clients.ts";
import {
  assumeRoleInputs,
  clientOfOnlyCall,
  countStsCalls,
  HOUR_MS,
  issueSessions,
  setUpSession,
  stsClient,
  toAssumeRoleAnswer,
} from "../../support/sts.ts";
import { TARGET_ROLE_ARN } from "../../support/values.ts";

resetForEachTest(stsClient);

describe("AssumeRole", () => {
  it("asks for a session of the target role, named after the function, for one hour", async () => {
    issueSessions();
    const { get } = setUpSession();
    expect(await get()).toEqual({
      accessKeyId: "ASIA-1",
      secretAccessKey: `${CANARY}-key-1`,
      sessionToken: `${CANARY}-token-1`,
    });
    expect(assumeRoleInputs()).toEqual([
      {
        RoleArn: TARGET_ROLE_ARN,
        RoleSessionName: "my-function-00000000",
        DurationSeconds: 3_600,
      },
    ]);
  });

  it("sends the configured external ID, session name and duration", async () => {
    issueSessions();
    const { get } = setUpSession({ source: { externalId: "an-id" }, roleSessionName: "a-name", durationSeconds: 900 });
    await get();
    expect(assumeRoleInputs()).toMatchObject([
      { ExternalId: "an-id", RoleSessionName: "a-name", DurationSeconds: 900 },
    ]);
  });

  it("sends the source identity and the session tags only if they are configured", async () => {
    issueSessions();
    const sessionTags = [
      { Key: "team", Value: "payments" },
      { Key: "empty", Value: "" },
    ];
    const { get } = setUpSession({ sourceIdentity: "somebody", sessionTags });
    await get();
    expect(assumeRoleInputs()).toMatchObject([{ SourceIdentity: "somebody", Tags: sessionTags }]);
    stsClient.resetHistory();
    await setUpSession().get();
    expect(Object.keys(assumeRoleInputs().at(0) ?? {}).sort()).toEqual([
      "DurationSeconds",
      "RoleArn",
      "RoleSessionName",
    ]);
  });

  it.each([1, 54, 55, 56, 64, 140])(
    "sends a session name that STS accepts for a function name of %d characters",
    async (length) => {
      issueSessions();
      const { get } = setUpSession({ functionName: "f".repeat(length) });
      await get();
      const name = assumeRoleInputs().at(0)?.RoleSessionName ?? "";
      expect(name).toMatch(/^f+-[0-9a-f]{8}$/);
      expect(name).toMatch(/^[\w+=,.@-]{2,64}$/);
    },
  );

  it("sends the same session name at each renewal, so that CloudTrail shows one consumer", async () => {
    issueSessions();
    const { get } = setUpSession();
    await get();
    vi.setSystemTime(Date.now() + HOUR_MS);
    await get();
    expect(new Set(assumeRoleInputs().map((input) => input.RoleSessionName)).size).toBe(1);
    expect(countStsCalls()).toBe(2);
  });

  it("goes to the function's region with the function's credentials, even if the secrets are in another region", async () => {
    issueSessions();
    const { get } = setUpSession({ source: { region: "us-east-1" } });
    await get();
    const { region, credentials, useFipsEndpoint, useDualstackEndpoint } = clientOfOnlyCall().config;
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
    const { get } = setUpSession(ENDPOINTS);
    await get();
    const { endpoint, useFipsEndpoint, useDualstackEndpoint } = clientOfOnlyCall().config;
    expect((await endpoint?.())?.hostname).toBe("sts.example.com");
    expect([await useFipsEndpoint(), await useDualstackEndpoint()]).toEqual([true, true]);
  });

  it("is not called if the function has no credentials", async () => {
    const { aws } = createConfig();
    const { get, counters } = setUpSession({ aws: { ...aws, credentials: undefined } });
    await expect(get()).rejects.toMatchObject({ code: "credentials-missing" });
    expect(countStsCalls()).toBe(0);
    expect(counters.assumeRoleCalls).toBe(0);
  });

  it("is logged each time without the credentials, and the load of the SDK once", async () => {
    issueSessions();
    const { get, lines } = setUpSession();
    await get();
    vi.setSystemTime(Date.now() + HOUR_MS);
    await get();
    const assumed = {
      level: "info",
      event: "role-assumed",
      roleArn: TARGET_ROLE_ARN,
      requestId: "11111111-2222-3333-4444-555555555555",
      ms: 0,
    };
    expect(lines).toEqual([{ level: "debug", event: "aws-sdk-loaded" }, assumed, assumed]);
  });
});

describe("a session", () => {
  it("takes one AssumeRole call for a thousand concurrent look-ups", async () => {
    issueSessions();
    const { get, counters } = setUpSession();
    const all = await Promise.all(Array.from({ length: 1_000 }, () => get()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-1"]));
    expect(countStsCalls()).toBe(1);
    expect(counters.assumeRoleCalls).toBe(1);
  });

  it("takes one AssumeRole call even if more look-ups arrive just before or after the answer", async () => {
    issueSessions();
    const { get } = setUpSession();
    const waits = [get()];
    for (let turn = 0; turn < 100; turn += 1) {
      await Promise.resolve();
      waits.push(get());
    }
    await Promise.all(waits);
    expect(countStsCalls()).toBe(1);
  });

  it("is renewed in the background after exactly nine tenths of its life", async () => {
    issueSessions();
    const { get } = setUpSession();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 0.9 * HOUR_MS - 1);
    expect((await get()).accessKeyId).toBe("ASIA-1");
    await vi.advanceTimersByTimeAsync(0);
    expect(countStsCalls()).toBe(1);
    vi.setSystemTime(START_EPOCH_MS + 0.9 * HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-1");
    await vi.advanceTimersByTimeAsync(0);
    expect(countStsCalls()).toBe(2);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is available from STS's answer until it expires", async () => {
    issueSessions();
    const { get, isAtHand } = setUpSession();
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
    stsClient.on(AssumeRoleCommand).resolvesOnce(toAssumeRoleAnswer(1, 900_000)).resolvesOnce(toAssumeRoleAnswer(2));
    const { get } = setUpSession();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 900_000);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is renewed by the first look-up after a freeze, without a timer", async () => {
    issueSessions();
    const { get } = setUpSession();
    await get();
    expect(vi.getTimerCount()).toBe(0);
    vi.setSystemTime(START_EPOCH_MS + 24 * HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it.each([
    [-HOUR_MS, 2, "the clock has stepped back by an hour"],
    [-1, 2, "the clock has stepped back behind its start"],
    [0, 1, "it has just started"],
    [HOUR_MS - 1, 1, "it has one millisecond left"],
    [HOUR_MS, 2, "it has expired"],
  ])("is replaced or kept %d ms after its start: look-ups get session %d, because %s", async (ageMs, nth) => {
    issueSessions();
    const { get, isAtHand } = setUpSession();
    await get();
    vi.setSystemTime(START_EPOCH_MS + ageMs);
    expect(isAtHand()).toBe(nth === 1);
    expect((await get()).accessKeyId).toBe(`ASIA-${nth}`);
  });

  it("stays in use if its renewal fails before it expires", async () => {
    stsClient.on(AssumeRoleCommand).resolvesOnce(toAssumeRoleAnswer(1)).rejects(toSdkError("InternalFailure", 500));
    const { get } = setUpSession();
    await get();
    vi.setSystemTime(START_EPOCH_MS + 0.95 * HOUR_MS);
    const renewal = Promise.allSettled([get()]);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await renewal).toMatchObject([{ status: "fulfilled", value: { accessKeyId: "ASIA-1" } }]);
  });

  it("is not used after it has expired, even if its renewal fails", async () => {
    stsClient.on(AssumeRoleCommand).resolvesOnce(toAssumeRoleAnswer(1)).rejects(toSdkError("InternalFailure", 500));
    const { get } = setUpSession();
    await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-error" });
  });
});

describe("an invalid answer to AssumeRole", () => {
  const { Credentials, $metadata } = toAssumeRoleAnswer(1);
  it.each([
    ["no credentials", { $metadata }],
    ["no key id", { $metadata, Credentials: { ...Credentials, AccessKeyId: undefined } }],
    ["an empty key id", { $metadata, Credentials: { ...Credentials, AccessKeyId: "" } }],
    ["no secret key", { $metadata, Credentials: { ...Credentials, SecretAccessKey: undefined } }],
    ["no token", { $metadata, Credentials: { ...Credentials, SessionToken: undefined } }],
    ["no expiration", { $metadata, Credentials: { ...Credentials, Expiration: undefined } }],
  ])("with %s gives no session", async (_, answer) => {
    stsClient.on(AssumeRoleCommand).resolves(answer as AssumeRoleCommandOutput);
    const { get } = setUpSession();
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-response-invalid" });
  });
});

describe("an STS that does not answer", () => {
  it("is awaited until the deadline, then the call is aborted", async () => {
    stsClient.on(AssumeRoleCommand).callsFake(() => new Promise(() => {}));
    const { get } = setUpSession();
    const wait = get(800);
    await expectAbort(wait, 800, stsClient);
    await expect(wait).rejects.toMatchObject({
      message: expect.stringContaining(`AssumeRole of ${TARGET_ROLE_ARN}`),
      details: { remedy: expect.stringContaining("VPC") },
    });
  });

  it("is called again after a freeze: a look-up does not join a call that is past its deadline", async () => {
    stsClient
      .on(AssumeRoleCommand)
      .callsFakeOnce(() => new Promise(() => {}))
      .resolves(toAssumeRoleAnswer(2, 24 * HOUR_MS));
    const { get } = setUpSession();
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

describe("two sources", () => {
  it("have separate sessions, each of its own role", async () => {
    issueSessions();
    const roleArn = "arn:aws:iam::333333333333:role/Other";
    const [one, other] = [setUpSession(), setUpSession({ source: { roleArn, externalId: "theirs" } })];
    expect((await one.get()).accessKeyId).toBe("ASIA-1");
    expect((await other.get()).accessKeyId).toBe("ASIA-2");
    expect(assumeRoleInputs()[0]).not.toHaveProperty("ExternalId");
    expect(assumeRoleInputs()[1]).toMatchObject({ RoleArn: roleArn, ExternalId: "theirs" });
  });
});
