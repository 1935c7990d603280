import { describe, expect, it, vi } from "vitest";
import { asRole, type RoleCredentials } from "../../../extension/aws/session.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { refusalOf } from "../../support/refusal-of.ts";

const DEADLINE_EPOCH_MS = 2_500;
const HELD = { accessKeyId: "ASIAHELD", secretAccessKey: "held-key", sessionToken: "held-token" };
const OTHERS = { accessKeyId: "ASIAOTHER", secretAccessKey: "other-key", sessionToken: "other-token" };

/** A session, which is old where there are `others` to be had instead. */
const toCredentials = (others: AwsCredentials = HELD) => ({
  isAtHand: () => true,
  get: vi.fn<RoleCredentials["get"]>(async () => HELD),
  getInstead: vi.fn<RoleCredentials["getInstead"]>(async () => others),
});

/** Answers the first with each failure in turn, and then with what it was asked with. */
function toAsk(...failures: unknown[]) {
  return vi.fn(async ({ accessKeyId }: AwsCredentials) => {
    if (failures.length > 0) throw failures.shift();
    return `asked with ${accessKeyId}`;
  });
}

describe("what is asked as the target role", () => {
  it("is asked once, with the session at hand, where nothing is wrong", async () => {
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
  ])("is asked once more in another session, within the same time, after %s", async (code) => {
    const [credentials, ask] = [toCredentials(OTHERS), toAsk(new Failure(code, "no"))];
    expect(await asRole(credentials, DEADLINE_EPOCH_MS, ask)).toBe("asked with ASIAOTHER");
    expect(credentials.getInstead.mock.calls).toEqual([[HELD, DEADLINE_EPOCH_MS]]);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("is believed at once of a session that is new", async () => {
    const denied = new Failure("get-parameter-denied", "no");
    const ask = toAsk(denied);
    expect(await refusalOf(asRole(toCredentials(), DEADLINE_EPOCH_MS, ask))).toBe(denied);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("is believed the second time, whatever the second session says", async () => {
    const [first, second] = [new Failure("get-parameter-denied", "1"), new Failure("credentials-expired", "2")];
    const [credentials, ask] = [toCredentials(OTHERS), toAsk(first, second)];
    expect(await refusalOf(asRole(credentials, DEADLINE_EPOCH_MS, ask))).toBe(second);
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
  ])("is no matter of the session after %s: no other is asked for", async (code) => {
    const failure = new Failure(code, "no");
    const credentials = toCredentials(OTHERS);
    expect(await refusalOf(asRole(credentials, DEADLINE_EPOCH_MS, toAsk(failure)))).toBe(failure);
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it("is no matter of the session after a bug, either", async () => {
    const bug = new TypeError("undefined is not a function");
    const credentials = toCredentials(OTHERS);
    expect(await refusalOf(asRole(credentials, DEADLINE_EPOCH_MS, toAsk(bug)))).toBe(bug);
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it("is not asked without credentials, and their failure is told", async () => {
    const failure = new Failure("assume-role-denied", "no");
    const [without, ask] = [toCredentials(OTHERS), toAsk()];
    without.get.mockRejectedValue(failure);
    expect(await refusalOf(asRole(without, DEADLINE_EPOCH_MS, ask))).toBe(failure);
    expect(ask).not.toHaveBeenCalled();
  });

  it.each<[FailureCode, boolean]>([
    ["get-secret-value-denied", true],
    ["get-parameter-denied", true],
    ["kms-denied", true],
    ["credentials-expired", false],
    ["credentials-invalid", false],
  ])("and refused with %s stays refused where no other session is to be had: %s", async (code, isFinal) => {
    const [throttled, refusal] = [new Failure("throttled", "slow down"), new Failure(code, "no")];
    const ended = toCredentials(OTHERS);
    ended.getInstead.mockRejectedValue(throttled);
    const refused = toAsk(refusal);
    expect(await refusalOf(asRole(ended, DEADLINE_EPOCH_MS, refused))).toBe(isFinal ? refusal : throttled);
    expect(refused).toHaveBeenCalledTimes(1);
  });
});
