import { describe, expect, it } from "vitest";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import {
  errorTable,
  type FailureKind,
  type Policy,
  toErrorReply,
  toPolicy,
  toStatusCode,
} from "../../../extension/http/replies.ts";

/** The table of design.md, section 3, in full: whose fault, which status, which `__type`. */
const expected: Record<FailureCode, readonly [FailureKind, number, string]> = {
  "bad-token": ["caller", 403, "BadToken"],
  "not-allowed": ["caller", 403, "AccessDeniedException"],
  forwarded: ["caller", 400, "ValidationException"],
  "foreign-host": ["caller", 400, "ValidationException"],
  "invalid-request": ["caller", 400, "ValidationException"],
  "unknown-path": ["caller", 404, "UnknownOperationException"],
  "method-not-allowed": ["caller", 405, "MethodNotAllowedException"],
  "request-too-slow": ["caller", 408, "RequestTimeoutException"],
  "headers-too-large": ["caller", 431, "HeadersTooLargeException"],
  "target-too-long": ["caller", 414, "UriTooLongException"],
  "body-too-large": ["caller", 413, "PayloadTooLargeException"],
  "too-many-connections": ["caller", 429, "TooManyRequestsException"],
  "asked-too-often": ["caller", 429, "TooManyRequestsException"],
  "key-not-found": ["caller", 404, "ResourceNotFoundException"],
  disabled: ["caller", 503, "Disabled"],
  "secret-not-found": ["absent", 404, "ResourceNotFoundException"],
  "secret-version-not-found": ["absent", 404, "ResourceNotFoundException"],
  "secret-deleted": ["absent", 400, "InvalidRequestException"],
  "parameter-not-found": ["absent", 404, "ResourceNotFoundException"],
  "parameter-rejected": ["absent", 400, "InvalidParameterException"],
  "secret-id-rejected": ["absent", 400, "InvalidParameterException"],
  "assume-role-denied": ["denied", 403, "AccessDeniedException"],
  "tag-session-denied": ["denied", 403, "AccessDeniedException"],
  "source-identity-denied": ["denied", 403, "AccessDeniedException"],
  "assume-role-rejected": ["denied", 403, "AccessDeniedException"],
  "region-disabled": ["denied", 403, "AccessDeniedException"],
  "get-secret-value-denied": ["denied", 403, "AccessDeniedException"],
  "get-parameter-denied": ["denied", 403, "AccessDeniedException"],
  "kms-denied": ["denied", 403, "AccessDeniedException"],
  "kms-key-unusable": ["denied", 403, "AccessDeniedException"],
  "kms-default-key": ["denied", 403, "AccessDeniedException"],
  "explicit-deny": ["denied", 403, "AccessDeniedException"],
  "credentials-missing": ["credentials", 502, "UnrecognizedClientException"],
  "credentials-unavailable": ["credentials", 502, "UnrecognizedClientException"],
  "credentials-expired": ["credentials", 502, "ExpiredTokenException"],
  "credentials-invalid": ["credentials", 502, "UnrecognizedClientException"],
  "signature-invalid": ["credentials", 502, "InvalidSignatureException"],
  "clock-skewed": ["credentials", 502, "InvalidSignatureException"],
  throttled: ["unavailable", 429, "ThrottlingException"],
  "aws-error": ["unavailable", 502, "InternalServiceError"],
  "aws-response-invalid": ["unavailable", 502, "ConnectionError"],
  unreachable: ["unavailable", 503, "ConnectionError"],
  timeout: ["unavailable", 504, "TimeoutError"],
  internal: ["ours", 500, "InternalFailure"],
};
const rows = (Object.keys(expected) as FailureCode[]).map((code) => [code, ...expected[code]] as const);

describe("the reply to a failure", () => {
  it("is there for every code, and for no other", () => {
    expect(Object.keys(errorTable).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(rows)("%s is the fault of: %s; and is answered with %i %s", (code, kind, status, type) => {
    expect(errorTable[code].kind).toBe(kind);
    const reply = toErrorReply(new Failure(code, "what happened"));
    expect(reply.status).toBe(status);
    expect(reply.body).toBe(`{"__type":"${type}","message":"what happened","cause":"${code}"}`);
  });

  it.each(rows)("%s is JSON that nobody may keep", (code) => {
    expect(toErrorReply(new Failure(code, "what happened")).headers).toMatchObject({
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
    });
  });

  it("carries the remedy, its statements and AWS's request id where there are, and AWS's code never", () => {
    const statements = [{ policy: "key-policy" }];
    const details = { remedy: "mend the policy", statements, requestId: "6f3e", awsCode: "AccessDenied" };
    const { body } = toErrorReply(new Failure("kms-denied", 'key "k"\n', details));
    expect(body).toBe(
      '{"__type":"AccessDeniedException","message":"key \\"k\\"\\n","cause":"kms-denied","remedy":"mend the policy","statements":[{"policy":"key-policy"}],"requestId":"6f3e"}',
    );
  });

  it("names the methods that are allowed, where they are known", () => {
    expect(rows.filter(([code]) => "Allow" in toErrorReply(new Failure(code, "")).headers)).toEqual([]);
    const failure = new Failure("method-not-allowed", "", { allow: "GET, POST" });
    expect(toErrorReply(failure).headers).toMatchObject({ Allow: "GET, POST" });
  });

  it("says when to ask again, where that is known, and in the body nothing of it", () => {
    expect(rows.filter(([code]) => "Retry-After" in toErrorReply(new Failure(code, "")).headers)).toEqual([]);
    const { headers, body } = toErrorReply(new Failure("throttled", "not now", { retryAfterMs: 1_500 }));
    expect(headers).toMatchObject({ "Retry-After": "2" });
    expect(body).toBe('{"__type":"ThrottlingException","message":"not now","cause":"throttled"}');
  });

  it.each([
    [1, "1"],
    [250, "1"],
    [999.5, "1"],
    [1_000, "1"],
    [1_000.1, "2"],
    [10_000, "10"],
    [59_001, "60"],
  ])("says of %d ms the whole seconds after which it is certainly over: %s", (retryAfterMs, seconds) => {
    expect(toErrorReply(new Failure("throttled", "", { retryAfterMs })).headers).toMatchObject({
      "Retry-After": seconds,
    });
  });
});

describe("what a failure allows", () => {
  const untilMended = { firstMs: 10_000, mostMs: 60_000, isJittered: false };
  const untilBack = { firstMs: 500, mostMs: 15_000, isJittered: true };
  const policies: Record<FailureKind, Policy> = {
    caller: { mayServeStale: false, backOff: undefined },
    absent: { mayServeStale: false, backOff: untilMended },
    denied: { mayServeStale: false, backOff: untilMended },
    credentials: { mayServeStale: true, backOff: untilBack },
    unavailable: { mayServeStale: true, backOff: untilBack },
    ours: { mayServeStale: true, backOff: undefined },
  };

  it.each(rows)("%s allows what its kind does: %s", (code, kind) => {
    expect(toPolicy(new Failure(code, ""))).toEqual(policies[kind]);
  });

  it.each(rows)("%s has the status of its reply", (code, _kind, status) => {
    expect(toStatusCode(new Failure(code, ""))).toBe(status);
  });
});
