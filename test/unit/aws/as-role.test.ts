import { describe, expect, it, vi } from "vitest";
import { asRole, type RoleCredentials } from "../../../extension/aws/session.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { failureOf } from "../../support/failure-of.ts";

const DEADLINE_EPOCH_MS = 2_500;
const HELD = { accessKeyId: "ASIAHELD", secretAccessKey: "held-key", sessionToken: "held-token" };
const OTHERS = { accessKeyId: "ASIAOTHER", secretAccessKey: "other-key", sessionToken: "other-token" };

/** Credentials of a session; `getInstead` returns `others`, or the same credentials, as for a new session. */
const toCredentials = (others: AwsCredentials = HELD) => ({
  isAtHand: () => true,
  get: vi.fn<RoleCredentials["get"]>(async () => HELD),
  getInstead: vi.fn<RoleCredentials["getInstead"]>(async () => others),
});

/** Throws each failure in turn, then returns the ID of the access key that it was called with. */
function toAsk(...failures: unknown[]) {
  return vi.fn(async ({ accessKeyId }: AwsCredentials) => {
    if (failures.length > 0) throw failures.shift();
    return `asked with ${accessKeyId}`;
  });
}

describe("a request as the target role", () => {
  it("is made once, with the current session, if it succeeds", async () => {
    const [credentials, ask] = [toCredentials(OTHERS), toAsk()];
    expect(await asRole(credentials, DEADLINE_EPOCH_MS, ask)).toBe("asked with ASIAHELD");
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
    const [credentials, ask] = [toCredentials(OTHERS), toAsk(new Failure(code, "no"))];
    expect(await asRole(credentials, DEADLINE_EPOCH_MS, ask)).toBe("asked with ASIAOTHER");
    expect(credentials.getInstead.mock.calls).toEqual([[HELD, DEADLINE_EPOCH_MS]]);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("is not repeated if the session is new", async () => {
    const denied = new Failure("get-parameter-denied", "no");
    const ask = toAsk(denied);
    expect(await failureOf(asRole(toCredentials(), DEADLINE_EPOCH_MS, ask))).toBe(denied);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("is not repeated twice, and the second failure is returned", async () => {
    const [first, second] = [new Failure("get-parameter-denied", "1"), new Failure("credentials-expired", "2")];
    const [credentials, ask] = [toCredentials(OTHERS), toAsk(first, second)];
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
    const credentials = toCredentials(OTHERS);
    expect(await failureOf(asRole(credentials, DEADLINE_EPOCH_MS, toAsk(failure)))).toBe(failure);
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it("is not repeated after a bug", async () => {
    const bug = new TypeError("undefined is not a function");
    const credentials = toCredentials(OTHERS);
    expect(await failureOf(asRole(credentials, DEADLINE_EPOCH_MS, toAsk(bug)))).toBe(bug);
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it("is not made without credentials, and their failure is returned", async () => {
    const failure = new Failure("assume-role-denied", "no");
    const [without, ask] = [toCredentials(OTHERS), toAsk()];
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
    const ended = toCredentials(OTHERS);
    ended.getInstead.mockRejectedValue(throttled);
    const refused = toAsk(refusal);
    expect(await failureOf(asRole(ended, DEADLINE_EPOCH_MS, refused))).toBe(isFinal ? refusal : throttled);
    expect(refused).toHaveBeenCalledTimes(1);
  });
});
