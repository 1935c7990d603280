import { describe, expect, it } from "vitest";
import { Failure, type FailureCode, failureTable, toFailureRow } from "../../../extension/failure/failure.ts";
import { toErrorReply } from "../../../extension/http/replies.ts";

type FailureCategory = (typeof failureTable)[FailureCode]["category"];

/** The whole table: category, status and `__type` of each code. */
const expected: Record<FailureCode, readonly [FailureCategory, number, string]> = {
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
  "account-not-active": ["denied", 403, "AccessDeniedException"],
  "get-secret-value-denied": ["denied", 403, "AccessDeniedException"],
  "get-parameter-denied": ["denied", 403, "AccessDeniedException"],
  "kms-denied": ["denied", 403, "AccessDeniedException"],
  "kms-key-unusable": ["denied", 403, "AccessDeniedException"],
  "kms-key-not-found": ["denied", 403, "AccessDeniedException"],
  "kms-default-key": ["denied", 403, "AccessDeniedException"],
  "explicit-deny": ["denied", 403, "AccessDeniedException"],
  "credentials-missing": ["credentials", 502, "UnrecognizedClientException"],
  "credentials-unavailable": ["credentials", 502, "UnrecognizedClientException"],
  "credentials-expired": ["credentials", 502, "ExpiredTokenException"],
  "credentials-invalid": ["credentials", 502, "UnrecognizedClientException"],
  "signature-invalid": ["credentials", 502, "InvalidSignatureException"],
  "clock-skewed": ["credentials", 502, "InvalidSignatureException"],
  "endpoint-mismatch": ["credentials", 502, "InvalidSignatureException"],
  throttled: ["unavailable", 429, "ThrottlingException"],
  "aws-error": ["unavailable", 502, "InternalServiceError"],
  "aws-response-invalid": ["unavailable", 502, "ConnectionError"],
  unreachable: ["unavailable", 503, "ConnectionError"],
  timeout: ["unavailable", 504, "TimeoutError"],
  internal: ["internal", 500, "InternalFailure"],
};
const rows = (Object.keys(expected) as FailureCode[]).map((code) => [code, ...expected[code]] as const);

describe("the reply to a failure", () => {
  it("is listed here for every code", () => {
    expect(Object.keys(failureTable).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(rows)("of code %s, which is of category %s, has status %i and type %s", (code, category, status, type) => {
    expect(failureTable[code].category).toBe(category);
    const reply = toErrorReply(new Failure(code, "what happened"));
    expect(reply.status).toBe(status);
    expect(reply.body).toBe(`{"__type":"${type}","message":"what happened","cause":"${code}"}`);
  });

  it.each(rows)("of code %s is JSON that HTTP caches must not store", (code) => {
    expect(toErrorReply(new Failure(code, "what happened")).headers).toMatchObject({
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
    });
  });

  it("has the remedy, its statements and AWS's request id if they are known, and never AWS's error code", () => {
    const statements = [{ policy: "key-policy" }];
    const details = { remedy: "change the policy", statements, requestId: "6f3e", awsCode: "AccessDenied" };
    const { body } = toErrorReply(new Failure("kms-denied", 'key "k"\n', details));
    expect(body).toBe(
      '{"__type":"AccessDeniedException","message":"key \\"k\\"\\n","cause":"kms-denied","remedy":"change the policy","statements":[{"policy":"key-policy"}],"requestId":"6f3e"}',
    );
  });

  it("names the allowed methods if they are known", () => {
    expect(rows.filter(([code]) => "Allow" in toErrorReply(new Failure(code, "")).headers)).toEqual([]);
    const failure = new Failure("method-not-allowed", "", { allow: "GET, POST" });
    expect(toErrorReply(failure).headers).toMatchObject({ Allow: "GET, POST" });
  });

  it("says in a header when to ask again, if that is known, and not in the body", () => {
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
  ])("rounds %d ms up to whole seconds: %s", (retryAfterMs, seconds) => {
    expect(toErrorReply(new Failure("throttled", "", { retryAfterMs })).headers).toMatchObject({
      "Retry-After": seconds,
    });
  });
});

describe("what follows from a failure", () => {
  const untilChanged = { firstMs: 10_000, mostMs: 60_000, isJittered: false };
  const untilBack = { firstMs: 500, mostMs: 15_000, isJittered: true };
  const consequences: Record<FailureCategory, object> = {
    caller: { mayServeStale: false, backOff: undefined },
    absent: { mayServeStale: false, backOff: untilChanged },
    denied: { mayServeStale: false, backOff: untilChanged },
    credentials: { mayServeStale: true, backOff: untilBack },
    unavailable: { mayServeStale: true, backOff: untilBack },
    internal: { mayServeStale: true, backOff: undefined },
  };

  it.each(rows)("of code %s is what follows from its category, %s", (code, category) => {
    expect(toFailureRow(new Failure(code, ""))).toMatchObject(consequences[category]);
  });

  it.each(rows)("of code %s includes the status of its reply", (code, _category, status) => {
    expect(toFailureRow(new Failure(code, "")).status).toBe(status);
  });
});
