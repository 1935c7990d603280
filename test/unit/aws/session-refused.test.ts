import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { describe, expect, it, vi } from "vitest";
import type { BaseCredentials } from "../../../extension/aws/base-credentials.ts";
import { asRole } from "../../../extension/aws/session.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import { Failure, type FailureCode, toFailure } from "../../../extension/failure/failure.ts";
import type { ConfigOverrides } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import {
  createSession,
  expectNoAwsText,
  OTHER_CREDENTIALS,
  ROLE_CREDENTIALS,
  resetForEachTest,
  START_EPOCH_MS,
  TIMEOUT_MS,
  toSdkError,
} from "../../support/sdk-clients.ts";
import {
  countStsCalls,
  HOUR_MS,
  issueSessions,
  setUpSession,
  stsClient,
  toAssumeRoleAnswer,
} from "../../support/sts.ts";
import { TARGET_ROLE_ARN } from "../../support/values.ts";

resetForEachTest(stsClient);

const DEADLINE_EPOCH_MS = 2_500;
const SESSION_ARN = "arn:aws:sts::222222222222:assumed-role/my-lambda-role/my-function";

/** A session that is not new: AWS's refusal leads to one with other credentials. */
function createOldSession() {
  const session = createSession();
  session.getInstead.mockResolvedValue(OTHER_CREDENTIALS);
  return session;
}

/** Throws each failure in turn, then returns the ID of the access key that it was called with. */
function toAsk(...failures: unknown[]) {
  return vi.fn(async ({ accessKeyId }: AwsCredentials) => {
    if (failures.length > 0) throw failures.shift();
    return `asked with ${accessKeyId}`;
  });
}

describe("a request as the target role", () => {
  it("is made once, with the current session, if it succeeds", async () => {
    const [credentials, ask] = [createOldSession(), toAsk()];
    expect(await asRole(credentials, DEADLINE_EPOCH_MS, ask)).toBe("asked with ASIAROLE");
    expect(credentials.get.mock.calls).toEqual([[DEADLINE_EPOCH_MS]]);
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it.each<FailureCode>([
    "get-secret-value-denied",
    "get-parameter-denied",
    "kms-denied",
    "explicit-deny",
    "credentials-expired",
    "credentials-invalid",
  ])("is repeated once in another session, before the same deadline, after %s", async (code) => {
    const [credentials, ask] = [createOldSession(), toAsk(new Failure(code, "no"))];
    expect(await asRole(credentials, DEADLINE_EPOCH_MS, ask)).toBe("asked with ASIAOTHER");
    expect(credentials.getInstead.mock.calls).toEqual([[ROLE_CREDENTIALS, DEADLINE_EPOCH_MS]]);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("is not repeated if the session is new", async () => {
    const denied = new Failure("get-parameter-denied", "no");
    const ask = toAsk(denied);
    expect(await failureOf(asRole(createSession(), DEADLINE_EPOCH_MS, ask))).toBe(denied);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("is not repeated twice, and the second failure is returned", async () => {
    const [first, second] = [new Failure("get-parameter-denied", "1"), new Failure("credentials-expired", "2")];
    const [credentials, ask] = [createOldSession(), toAsk(first, second)];
    expect(await failureOf(asRole(credentials, DEADLINE_EPOCH_MS, ask))).toBe(second);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(credentials.getInstead).toHaveBeenCalledTimes(1);
  });

  it.each<FailureCode>([
    "secret-not-found",
    "parameter-not-found",
    "parameter-rejected",
    "secret-deleted",
    "throttled",
    "timeout",
    "unreachable",
    "aws-error",
    "signature-invalid",
  ])("is not repeated after %s, which does not depend on the session", async (code) => {
    const failure = new Failure(code, "no");
    const credentials = createOldSession();
    expect(await failureOf(asRole(credentials, DEADLINE_EPOCH_MS, toAsk(failure)))).toBe(failure);
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it("is not repeated after a bug", async () => {
    const bug = new TypeError("undefined is not a function");
    const credentials = createOldSession();
    expect(await failureOf(asRole(credentials, DEADLINE_EPOCH_MS, toAsk(bug)))).toBe(bug);
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it("is not made without credentials, and their failure is returned", async () => {
    const failure = new Failure("assume-role-denied", "no");
    const [without, ask] = [createOldSession(), toAsk()];
    without.get.mockRejectedValue(failure);
    expect(await failureOf(asRole(without, DEADLINE_EPOCH_MS, ask))).toBe(failure);
    expect(ask).not.toHaveBeenCalled();
  });

  it.each<[FailureCode, boolean]>([
    ["get-secret-value-denied", true],
    ["get-parameter-denied", true],
    ["kms-denied", true],
    ["credentials-expired", false],
    ["credentials-invalid", false],
  ])("that was refused with %s keeps that failure if there is no other session: %s", async (code, isFinal) => {
    const [throttled, refusal] = [new Failure("throttled", "slow down"), new Failure(code, "no")];
    const ended = createOldSession();
    ended.getInstead.mockRejectedValue(throttled);
    const refused = toAsk(refusal);
    expect(await failureOf(asRole(ended, DEADLINE_EPOCH_MS, refused))).toBe(isFinal ? refusal : throttled);
    expect(refused).toHaveBeenCalledTimes(1);
  });
});

describe("a refused AssumeRole", () => {
  it("fails all waiting look-ups, and a later look-up calls STS again", async () => {
    stsClient.on(AssumeRoleCommand).rejectsOnce(toSdkError("AccessDenied", 403)).resolves(toAssumeRoleAnswer(2));
    const { get } = setUpSession();
    const [first, second] = await Promise.allSettled([get(), get()]);
    expect(first).toMatchObject({ status: "rejected", reason: { code: "assume-role-denied" } });
    expect(second).toEqual(first);
    expect(countStsCalls()).toBe(1);
    vi.setSystemTime(START_EPOCH_MS + 1_000);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it.each([
    ["AccessDenied", 403, 1_000],
    ["ExpiredToken", 403, 200],
  ])(
    "with %s and status %i is repeated after %i ms at the earliest, for any number of look-ups",
    async (name, status, pauseMs) => {
      stsClient.on(AssumeRoleCommand).rejects(toSdkError(name, status));
      const { get } = setUpSession({}, undefined, 0.9);
      const { code } = toFailure(await failureOf(get()));
      const calls = countStsCalls();
      for (const leftMs of [pauseMs, 1]) {
        vi.setSystemTime(START_EPOCH_MS + pauseMs - leftMs);
        for (let nth = 0; nth < 20; nth += 1) {
          expect(await failureOf(get())).toMatchObject({ code, details: { retryAfterMs: leftMs } });
        }
      }
      expect(countStsCalls()).toBe(calls);
      vi.setSystemTime(START_EPOCH_MS + pauseMs);
      await failureOf(get());
      expect(countStsCalls()).toBe(calls + 1);
    },
  );

  it.each([
    [1_351, 2],
    [1_350, 1],
  ])("that was frozen for %d ms lets the next look-up call STS: call %d", async (frozenMs, calls) => {
    stsClient.on(AssumeRoleCommand).callsFake(async () => {
      vi.setSystemTime(START_EPOCH_MS + frozenMs);
      throw toSdkError("AccessDenied", 403);
    });
    const { get } = setUpSession();
    await failureOf(get());
    await failureOf(get());
    expect(countStsCalls()).toBe(calls);
  });

  it.each<[string, ConfigOverrides, unknown]>([
    [
      "the external ID",
      { source: { externalId: "an-id" } },
      { Condition: { StringEquals: { "sts:ExternalId": "an-id" } } },
    ],
    ["no tags and no source identity", {}, { Action: "sts:AssumeRole" }],
    ["the tags", { sessionTags: [{ Key: "a", Value: "b" }] }, { Action: ["sts:AssumeRole", "sts:TagSession"] }],
    ["the source identity", { sourceIdentity: "a" }, { Action: ["sts:AssumeRole", "sts:SetSourceIdentity"] }],
  ])("has a remedy that is made for what was sent: %s", async (_, overrides, statement) => {
    const error = toSdkError("AccessDenied", 403);
    error.message = `User: ${SESSION_ARN} is not authorized to perform: sts:AssumeRole on resource: ${TARGET_ROLE_ARN}`;
    stsClient.on(AssumeRoleCommand).rejects(error);
    const failure = toFailure(await failureOf(setUpSession(overrides).get()));
    expect(failure.details.statements?.[0]).toMatchObject({ policy: "trust-policy", statement });
  });

  it("leaves no text of AWS in the failure or in the log", async () => {
    stsClient.on(AssumeRoleCommand).rejects(toSdkError("AccessDenied", 403));
    const { get, lines } = setUpSession();
    const failure = await failureOf(get());
    expect(failure).toMatchObject({ code: "assume-role-denied", details: { requestId: "the-request-id" } });
    expectNoAwsText(failure, lines);
    expect(lines).toHaveLength(2);
  });

  it("is counted once for each try, and each try uses its own client", async () => {
    stsClient.on(AssumeRoleCommand).rejectsOnce(toSdkError("Throttling", 400)).resolves(toAssumeRoleAnswer(2));
    const { get, counters } = setUpSession();
    const wait = get();
    await vi.advanceTimersByTimeAsync(0);
    expect((await wait).accessKeyId).toBe("ASIA-2");
    expect(counters.assumeRoleCalls).toBe(2);
    expect(new Set(stsClient.calls().map(({ thisValue }) => thisValue)).size).toBe(2);
  });
});

describe("a new session in place of one that AWS refused", () => {
  it("is requested once for concurrent callers if the refused session is a minute old", async () => {
    issueSessions();
    const { get, getInstead } = setUpSession();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + 60_000);
    const others = await Promise.all(Array.from({ length: 100 }, () => getInstead(refused)));
    expect(new Set(others.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-2"]));
    expect(countStsCalls()).toBe(2);
    expect((await get()).accessKeyId).toBe("ASIA-2");
  });

  it("is requested at growing intervals, of at most four minutes, if each new session is refused too", async () => {
    issueSessions();
    const { get, getInstead } = setUpSession();
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
    const { get, getInstead } = setUpSession();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + 59_999);
    expect(await getInstead(refused)).toBe(refused);
    expect(countStsCalls()).toBe(1);
  });

  it("is the current session if another caller has renewed it meanwhile", async () => {
    issueSessions();
    const { get, getInstead } = setUpSession();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    const renewed = await get();
    expect(await getInstead(refused)).toBe(renewed);
    expect(countStsCalls()).toBe(2);
  });

  it("is requested if the clock has stepped back, because the age is unknown then", async () => {
    issueSessions();
    const { get, getInstead } = setUpSession();
    const refused = await get();
    vi.setSystemTime(START_EPOCH_MS - 1);
    expect((await getInstead(refused)).accessKeyId).toBe("ASIA-2");
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
      stsClient.calls().map(async ({ thisValue }: { thisValue: unknown }) => {
        if (!(thisValue instanceof STSClient)) throw new Error("a call was made by another client");
        return (await thisValue.config.credentials()).accessKeyId;
      }),
    );

  it("are read at each AssumeRole call and at no other time", async () => {
    issueSessions();
    const base = createChanging();
    const { get } = setUpSession({}, base);
    expect(base.get).not.toHaveBeenCalled();
    await get();
    await get();
    expect(base.get).toHaveBeenCalledTimes(1);
    vi.setSystemTime(Date.now() + HOUR_MS);
    await get();
    expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
  });

  it("are read again at each try, because they may have changed during the pause", async () => {
    stsClient.on(AssumeRoleCommand).rejectsOnce(toSdkError("InternalFailure", 500)).resolves(toAssumeRoleAnswer(2));
    const { get } = setUpSession({}, createChanging());
    const wait = get();
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect((await wait).accessKeyId).toBe("ASIA-2");
    expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
  });

  it.each(["ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException"])(
    "are read once more if AWS refuses them with %s",
    async (name) => {
      stsClient.on(AssumeRoleCommand).rejectsOnce(toSdkError(name, 403)).resolves(toAssumeRoleAnswer(2));
      const { get, counters } = setUpSession({}, createChanging());
      expect((await get()).accessKeyId).toBe("ASIA-2");
      expect(await signers()).toEqual(["ASIABASE1", "ASIABASE2"]);
      expect(counters.assumeRoleCalls).toBe(2);
    },
  );

  it("are not read a third time if AWS refuses them twice", async () => {
    stsClient.on(AssumeRoleCommand).rejects(toSdkError("ExpiredTokenException", 403));
    const { get } = setUpSession({}, createChanging());
    expect(await failureOf(get())).toMatchObject({ code: "credentials-expired" });
    expect(countStsCalls()).toBe(2);
  });

  it.each(["AccessDenied", "ValidationError", "RegionDisabledException"])(
    "are not read again if AWS refuses the role with %s",
    async (name) => {
      stsClient.on(AssumeRoleCommand).rejects(toSdkError(name, 403));
      const { get } = setUpSession({}, createChanging());
      await failureOf(get());
      expect(countStsCalls()).toBe(1);
    },
  );

  it("are not used a second time if they cannot change", async () => {
    stsClient.on(AssumeRoleCommand).rejects(toSdkError("ExpiredTokenException", 403));
    const { get } = setUpSession({}, createChanging(false));
    expect(await failureOf(get())).toMatchObject({ code: "credentials-expired" });
    expect(countStsCalls()).toBe(1);
  });

  it("fail the look-up with their own failure, and without a call to STS, if they are missing", async () => {
    const missing = new Failure("credentials-missing", "none");
    const base = { mayChange: true, get: () => Promise.reject(missing) };
    const { get, counters } = setUpSession({}, base);
    expect(await failureOf(get())).toBe(missing);
    expect(countStsCalls()).toBe(0);
    expect(counters.assumeRoleCalls).toBe(0);
  });

  it("are awaited until the deadline at most", async () => {
    const { get } = setUpSession({}, { mayChange: true, get: () => new Promise(() => {}) });
    const refused = failureOf(get(800));
    await vi.advanceTimersByTimeAsync(800);
    expect(await refused).toMatchObject({ code: "timeout" });
    expect(vi.getTimerCount()).toBe(0);
  });
});
