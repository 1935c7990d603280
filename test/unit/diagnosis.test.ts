import { describe, expect, it } from "vitest";
import { type AwsCall, diagnose, toTimeout } from "../../extension/diagnosis.ts";
import { Failure, type FailureCode } from "../../extension/errors.ts";

const ROLE = "arn:aws:iam::111111111111:role/SecretReader";
const REQUEST_ID = "8a1f0e6c-0000-4000-8000-5d3a1b2c3d4e";
/** Stands in every text that is the SDK's, AWS's or Node's, and so may stand in none of ours. */
const CANARY = "CANARY-3e7f";

const assumeRole: AwsCall = { operation: "AssumeRole", roleArn: ROLE, region: "eu-west-1" };
const getSecretValue: AwsCall = { operation: "GetSecretValue", roleArn: ROLE, region: "eu-west-1", secretId: "app/db" };

const ASSUME_ROLE = `AssumeRole of ${ROLE} in eu-west-1`;
const GET_SECRET_VALUE = `GetSecretValue of app/db in eu-west-1 as ${ROLE}`;

/** AWS's refusal, with what SDK 3.1173 was seen to throw for it. */
function refusal(awsCode: string, status: number, text = "no"): Error {
  return Object.assign(new Error(`${text} ${CANARY}`), {
    name: awsCode,
    $fault: status < 500 ? "client" : "server",
    $retryable: undefined,
    $metadata: { httpStatusCode: status, requestId: REQUEST_ID, attempts: 1, totalRetryDelay: 0 },
    $response: { headers: { authorization: CANARY }, body: CANARY },
    __type: CANARY,
    Error: { Code: awsCode, Message: CANARY },
  });
}

/** What a socket, the resolver or TLS says; the SDK adds its count of attempts, and renames some to TimeoutError. */
function networkError(code: string, more: object = {}): Error {
  const metadata = { $metadata: { attempts: 3, totalRetryDelay: 66 } };
  return Object.assign(new Error(`${code} ${CANARY}`), {
    code,
    syscall: "connect",
    hostname: CANARY,
    ...metadata,
    ...more,
  });
}

/** An answer that could not be read: V8's and the SDK's own words, with the status that it came with. */
function parseError(status: number, error: Error = new SyntaxError(`Unexpected token '<', "<${CANARY}"`)): Error {
  return Object.assign(error, {
    $metadata: { httpStatusCode: status, requestId: REQUEST_ID, attempts: 1, totalRetryDelay: 0 },
    $response: { body: CANARY },
  });
}

function expectNoCanary(failure: Failure): void {
  expect(`${failure.message} ${JSON.stringify(failure)} ${failure.stack}`).not.toContain("CANARY");
  expect(failure.cause).toBeUndefined();
}

describe("AWS's refusal of AssumeRole", () => {
  it.each<[string, number, FailureCode]>([
    ["AccessDenied", 403, "assume-role-denied"],
    ["AccessDeniedException", 400, "assume-role-denied"],
    ["ExpiredToken", 403, "credentials-expired"],
    ["ExpiredTokenException", 400, "credentials-expired"],
    ["InvalidClientTokenId", 403, "credentials-invalid"],
    ["UnrecognizedClientException", 400, "credentials-invalid"],
    ["MissingAuthenticationToken", 403, "credentials-invalid"],
    ["SignatureDoesNotMatch", 403, "signature-invalid"],
    ["IncompleteSignature", 400, "signature-invalid"],
    ["RequestExpired", 400, "signature-invalid"],
    ["Throttling", 400, "throttled"],
    ["ThrottlingException", 400, "throttled"],
    ["ValidationError", 400, "assume-role-rejected"],
    ["PackedPolicyTooLargeException", 400, "assume-role-rejected"],
    ["MalformedPolicyDocumentException", 400, "assume-role-rejected"],
    ["RegionDisabledException", 403, "assume-role-rejected"],
    ["OptInRequired", 403, "assume-role-rejected"],
  ])("with %s and status %i is %s", (awsCode, status, code) => {
    const failure = diagnose(refusal(awsCode, status), assumeRole);
    expect(failure).toMatchObject({ code, details: { awsCode, requestId: REQUEST_ID } });
    expect(failure.message).toMatch(new RegExp(`^${ASSUME_ROLE} was (refused \\(${awsCode}\\)|throttled)$`));
    expectNoCanary(failure);
  });

  it("names both sides that must agree, and the role", () => {
    const { message, details } = diagnose(refusal("AccessDenied", 403), assumeRole);
    expect(message).toBe(`${ASSUME_ROLE} was refused (AccessDenied)`);
    for (const part of ["trust policy", "external ID", "execution role", "sts:AssumeRole", ROLE]) {
      expect(details.remedy).toContain(part);
    }
  });

  it("is no matter of KMS, whatever the role is called", () => {
    const failure = diagnose(refusal("AccessDenied", 403, "User: KMS is not authorized"), assumeRole);
    expect(failure.code).toBe("assume-role-denied");
  });
});

describe("AWS's refusal of GetSecretValue", () => {
  it.each<[string, number, FailureCode, string]>([
    ["AccessDeniedException", 400, "get-secret-value-denied", "was refused (AccessDeniedException)"],
    ["AccessDenied", 403, "get-secret-value-denied", "was refused (AccessDenied)"],
    ["DecryptionFailure", 400, "kms-denied", "was refused because the secret's KMS key may not be used"],
    ["ResourceNotFoundException", 400, "secret-not-found", "found no such secret, version or stage"],
    [
      "InvalidRequestException",
      400,
      "secret-deleted",
      "was refused: the secret is marked for deletion, or has no value",
    ],
    ["InvalidParameterException", 400, "secret-id-rejected", "was refused (InvalidParameterException)"],
    ["ValidationException", 400, "secret-id-rejected", "was refused (ValidationException)"],
    ["SomethingOfTomorrow", 400, "secret-id-rejected", "was refused (SomethingOfTomorrow)"],
    ["ExpiredTokenException", 400, "credentials-expired", "was refused (ExpiredTokenException)"],
    ["UnrecognizedClientException", 400, "credentials-invalid", "was refused (UnrecognizedClientException)"],
    [
      "MissingAuthenticationTokenException",
      400,
      "credentials-invalid",
      "was refused (MissingAuthenticationTokenException)",
    ],
    ["InvalidSignatureException", 400, "signature-invalid", "was refused (InvalidSignatureException)"],
    ["ThrottlingException", 400, "throttled", "was throttled"],
    ["ThrottledException", 400, "throttled", "was throttled"],
    ["TooManyRequestsException", 429, "throttled", "was throttled"],
  ])("with %s and status %i is %s", (awsCode, status, code, message) => {
    const failure = diagnose(refusal(awsCode, status), getSecretValue);
    expect(failure).toMatchObject({ code, details: { awsCode, requestId: REQUEST_ID } });
    expect(failure.message).toBe(`${GET_SECRET_VALUE} ${message}`);
    expectNoCanary(failure);
  });

  it("is the key's, where AWS says that access to KMS is not allowed", () => {
    const failure = diagnose(refusal("AccessDeniedException", 400, "Access to KMS is not allowed"), getSecretValue);
    expect(failure).toMatchObject({
      code: "kms-denied",
      message: `${GET_SECRET_VALUE} was refused because the secret's KMS key may not be used`,
    });
    for (const part of ["kms:Decrypt", "key's policy", ROLE]) expect(failure.details.remedy).toContain(part);
    expectNoCanary(failure);
  });

  it("names the permission, and that AWS says the same of a secret that is not there", () => {
    const { details } = diagnose(refusal("AccessDeniedException", 400), getSecretValue);
    for (const part of [ROLE, "secretsmanager:GetSecretValue", "-??????", "app/db", "eu-west-1"]) {
      expect(details.remedy).toContain(part);
    }
  });

  it.each<[string, readonly string[]]>([
    ["ResourceNotFoundException", ["name", "version", "eu-west-1", ROLE]],
    ["InvalidRequestException", ["restore-secret"]],
    ["DecryptionFailure", ["kms:Decrypt", ROLE]],
    ["InvalidSignatureException", ["clock"]],
  ])("with %s has a remedy", (awsCode, parts) => {
    const { details } = diagnose(refusal(awsCode, 400), getSecretValue);
    for (const part of parts) expect(details.remedy).toContain(part);
  });
});

describe("AWS's own trouble", () => {
  it.each([
    ["InternalFailure", 500],
    ["InternalServiceError", 500],
    ["ServiceUnavailable", 503],
    ["RequestLimitExceeded", 503],
    ["AccessDeniedException", 503],
    ["ResourceNotFoundException", 599],
    ["Unknown", 502], // what the SDK calls a refusal without a code
  ])("is what any 5xx is, whatever the code: %s with status %i", (awsCode, status) => {
    for (const [call, what] of [
      [assumeRole, ASSUME_ROLE],
      [getSecretValue, GET_SECRET_VALUE],
    ] as const) {
      const failure = diagnose(refusal(awsCode, status), call);
      expect(failure).toMatchObject({ code: "aws-error", details: { requestId: REQUEST_ID } });
      expect(failure.message.startsWith(`${what} `)).toBe(true);
      expectNoCanary(failure);
    }
  });
});

describe("a network that fails", () => {
  const calls: readonly (readonly [AwsCall, string, string])[] = [
    [assumeRole, ASSUME_ROLE, "sts"],
    [getSecretValue, GET_SECRET_VALUE, "secretsmanager"],
  ];

  it.each(calls)("is told of by Node's code alone, with the way out of a VPC: %s", (call, what, service) => {
    const failure = diagnose(networkError("ECONNREFUSED"), call);
    expect(failure).toMatchObject({ code: "unreachable", message: `${what} could not reach AWS (ECONNREFUSED)` });
    expect(failure.details.remedy).toContain(`interface endpoints for ${service} in eu-west-1`);
    expectNoCanary(failure);
  });

  it.each([
    "ECONNREFUSED",
    "ECONNRESET",
    "ECONNABORTED",
    "ETIMEDOUT",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENETDOWN",
    "EPIPE",
    "EPROTO",
    "EADDRNOTAVAIL",
    "CERT_HAS_EXPIRED",
    "CERT_NOT_YET_VALID",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "ERR_SSL_WRONG_VERSION_NUMBER",
  ])("with %s is unreachable", (code) => {
    const failure = diagnose(networkError(code), getSecretValue);
    expect(failure).toMatchObject({
      code: "unreachable",
      message: `${GET_SECRET_VALUE} could not reach AWS (${code})`,
    });
    expectNoCanary(failure);
  });

  it.each<[string, unknown]>([
    ["which the SDK calls a TimeoutError", networkError("ECONNRESET", { name: "TimeoutError" })],
    [
      "behind another error",
      Object.assign(new Error(CANARY, { cause: networkError("ECONNRESET") }), { name: "Error" }),
    ],
    [
      "of every address at once",
      Object.assign(new AggregateError([networkError("EX")], CANARY), { code: "ECONNRESET" }),
    ],
    ["in the middle of an answer", networkError("ECONNRESET", { $metadata: { httpStatusCode: 200, attempts: 3 } })],
    ["in the middle of a refusal", networkError("ECONNRESET", { $metadata: { httpStatusCode: 500, attempts: 3 } })],
  ])("%s is unreachable too", (_, thrown) => {
    const failure = diagnose(thrown, getSecretValue);
    expect(failure).toMatchObject({
      code: "unreachable",
      message: `${GET_SECRET_VALUE} could not reach AWS (ECONNRESET)`,
    });
    expectNoCanary(failure);
  });
});

describe("an answer that is not AWS's", () => {
  it.each<[string, unknown]>([
    ["JSON cut short, with status 200", parseError(200)],
    ["HTML, with status 200", parseError(200)],
    ["HTML of a proxy, with status 403", parseError(403)],
    ["a redirection", parseError(302)],
    ["a redirection without a body", refusal("Unknown", 302)],
    ["XML cut short", parseError(200, new Error(`XML parse error: ${CANARY}`))],
    ["a date that is none", parseError(200, new TypeError(`Expected real number, got ${CANARY}`))],
    ["no HTTP at all", networkError("HPE_INVALID_CONSTANT", { rawPacket: Buffer.from(CANARY) })],
    ["a code that is a text", refusal(`${CANARY} is a secret`, 400)],
    ["nothing in it", undefined],
    ["null", null],
    ["a text", CANARY],
    ["a number", 7],
    ["an error without a name", Object.assign(new Error(CANARY), { name: undefined, $metadata: null })],
    ["an error of another make", { name: 7, code: {}, cause: null, message: [CANARY], $metadata: {} }],
  ])("is told from a refusal: %s", (_, thrown) => {
    for (const [call, what] of [
      [assumeRole, ASSUME_ROLE],
      [getSecretValue, GET_SECRET_VALUE],
    ] as const) {
      const failure = diagnose(thrown, call);
      expect(failure).toMatchObject({
        code: "aws-response-invalid",
        message: `${what} got an answer that is not AWS's`,
      });
      expectNoCanary(failure);
    }
  });

  it("with a status of 5xx is AWS's own trouble, or its load balancer's", () => {
    const failure = diagnose(parseError(503), getSecretValue);
    expect(failure).toMatchObject({ code: "aws-error", message: expect.stringContaining("status 503") });
    expectNoCanary(failure);
  });

  it("keeps its request id, to be found in CloudTrail", () => {
    expect(diagnose(parseError(200), getSecretValue).details).toMatchObject({
      requestId: REQUEST_ID,
      awsCode: undefined,
    });
  });
});

describe("a failure of ours", () => {
  it("is not diagnosed again", () => {
    const failure = new Failure("credentials-missing", "none");
    expect(diagnose(failure, getSecretValue)).toBe(failure);
  });

  it.each([
    [assumeRole, `AssumeRole of ${ROLE} in eu-west-1 got no answer in time`, "sts"],
    [getSecretValue, "GetSecretValue of app/db in eu-west-1 got no answer in time", "secretsmanager"],
  ] as const)("at the deadline says what was waited for, and the way out of a VPC: %s", (call, message, service) => {
    const failure = toTimeout(call);
    expect(failure).toMatchObject({ code: "timeout", message });
    expect(failure.details.remedy).toContain(`interface endpoints for ${service} in eu-west-1`);
  });
});
