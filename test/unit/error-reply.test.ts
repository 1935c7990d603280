import { describe, expect, it } from "vitest";
import { errorTable, type FailureKind, toErrorReply } from "../../extension/error-reply.ts";
import { Failure, type FailureCode } from "../../extension/errors.ts";

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
  "key-not-found": ["caller", 404, "ResourceNotFoundException"],
  "secret-not-found": ["absent", 404, "ResourceNotFoundException"],
  "secret-deleted": ["absent", 400, "InvalidRequestException"],
  "secret-id-rejected": ["absent", 400, "InvalidParameterException"],
  "assume-role-denied": ["denied", 403, "AccessDeniedException"],
  "assume-role-rejected": ["denied", 403, "AccessDeniedException"],
  "region-disabled": ["denied", 403, "AccessDeniedException"],
  "get-secret-value-denied": ["denied", 403, "AccessDeniedException"],
  "kms-denied": ["denied", 403, "AccessDeniedException"],
  "credentials-missing": ["credentials", 502, "UnrecognizedClientException"],
  "credentials-expired": ["credentials", 502, "ExpiredTokenException"],
  "credentials-invalid": ["credentials", 502, "UnrecognizedClientException"],
  "signature-invalid": ["credentials", 502, "InvalidSignatureException"],
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
    expect(reply.body).toBe(`{"__type":"${type}","message":"what happened"}`);
  });

  it.each(rows)("%s is JSON that nobody may keep", (code) => {
    expect(toErrorReply(new Failure(code, "what happened")).headers).toMatchObject({
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
    });
  });

  it("carries the remedy and AWS's request id where there are, and AWS's code never", () => {
    const details = { remedy: "mend the policy", requestId: "6f3e", awsCode: "AccessDenied" };
    const { body } = toErrorReply(new Failure("kms-denied", 'key "k"\n', details));
    expect(body).toBe(
      '{"__type":"AccessDeniedException","message":"key \\"k\\"\\n","remedy":"mend the policy","requestId":"6f3e"}',
    );
  });

  it("names the method that is allowed, with 405 alone", () => {
    const allowing = rows.filter(([code]) => "Allow" in toErrorReply(new Failure(code, "")).headers);
    expect(allowing.map(([code]) => code)).toEqual(["method-not-allowed"]);
    expect(toErrorReply(new Failure("method-not-allowed", "")).headers).toMatchObject({ Allow: "GET" });
  });
});
