import { describe, expect, it } from "vitest";
import type { AwsCall } from "../../../extension/failure/aws-error.ts";
import { diagnose, toTimeout } from "../../../extension/failure/diagnosis.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { AWS_CALLS } from "../../support/aws-calls.ts";
import { TARGET_ROLE_ARN as ROLE } from "../../support/values.ts";

const REQUEST_ID = "8a1f0e6c-0000-4000-8000-5d3a1b2c3d4e";
/** Every text of the SDK, AWS and Node contains it, so that no text of a failure may contain it. */
const CANARY = "CANARY-3e7f";

const { AssumeRole: assumeRole, GetSecretValue: getSecretValue, GetParameter: getParameter } = AWS_CALLS;

const ASSUME_ROLE = `AssumeRole of ${ROLE} in eu-west-1`;
const GET_SECRET_VALUE = `GetSecretValue of app/db in eu-west-1 as ${ROLE}`;
const GET_PARAMETER = `GetParameter of /app/flag in eu-west-1 as ${ROLE}`;

/** A refusal of AWS, as SDK 3.1173 throws it. */
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

/** What a socket, the resolver or TLS throws; the SDK adds its count of attempts, and renames some to TimeoutError. */
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

/** The error for an answer that could not be parsed: in the words of V8 or the SDK, with the answer's status. */
function parseError(status: number, error: Error = new SyntaxError(`Unexpected token '<', "<${CANARY}"`)): Error {
  return Object.assign(error, {
    $metadata: { httpStatusCode: status, requestId: REQUEST_ID, attempts: 1, totalRetryDelay: 0 },
    $response: { body: CANARY },
  });
}

/** Node's codes for a certificate that it does not trust. */
const CERTIFICATE_CODES = [
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CRL_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "ERR_TLS_CERT_ALTNAME_INVALID",
];

function expectNoCanary(failure: Failure): void {
  expect(`${failure.message} ${JSON.stringify(failure)} ${failure.stack}`).not.toContain("CANARY");
  expect(failure.cause).toBeUndefined();
}

describe("AWS's refusal of AssumeRole", () => {
  it.each<[string, number, FailureCode]>([
    ["AccessDenied", 403, "assume-role-denied"],
    ["AccessDeniedException", 400, "assume-role-denied"],
    ["NotAuthorized", 400, "assume-role-denied"],
    ["ExpiredToken", 403, "credentials-expired"],
    ["ExpiredTokenException", 400, "credentials-expired"],
    ["InvalidClientTokenId", 403, "credentials-invalid"],
    ["UnrecognizedClientException", 400, "credentials-invalid"],
    ["MissingAuthenticationToken", 403, "credentials-invalid"],
    ["SignatureDoesNotMatch", 403, "signature-invalid"],
    ["IncompleteSignature", 400, "signature-invalid"],
    ["Throttling", 400, "throttled"],
    ["ThrottlingException", 400, "throttled"],
    ["TooManyRequestsException", 429, "throttled"],
    ["RequestLimitExceeded", 503, "throttled"],
    ["ValidationError", 400, "assume-role-rejected"],
    ["ValidationException", 400, "assume-role-rejected"],
    ["PackedPolicyTooLargeException", 400, "assume-role-rejected"],
    ["MalformedPolicyDocumentException", 400, "assume-role-rejected"],
    ["RegionDisabledException", 403, "region-disabled"],
    // These codes have a meaning for a secret only.
    ["DecryptionFailure", 400, "assume-role-rejected"],
    ["ResourceNotFoundException", 400, "assume-role-rejected"],
    ["InvalidRequestException", 400, "assume-role-rejected"],
    ["InvalidParameterException", 400, "assume-role-rejected"],
  ])("with %s and status %i is %s", (awsCode, status, code) => {
    const failure = diagnose(refusal(awsCode, status), assumeRole);
    expect(failure).toMatchObject({ code, details: { awsCode, requestId: REQUEST_ID } });
    expect(failure.message).toMatch(new RegExp(`^${ASSUME_ROLE} was (refused \\(${awsCode}\\)|throttled)$`));
    expectNoCanary(failure);
  });

  it("has a remedy that names the role and both sides that must agree", () => {
    const { message, details } = diagnose(refusal("AccessDenied", 403), assumeRole);
    expect(message).toBe(`${ASSUME_ROLE} was refused (AccessDenied)`);
    for (const part of ["trust policy", "external ID", "execution role", "sts:AssumeRole", ROLE]) {
      expect(details.remedy).toContain(part);
    }
  });

  it.each(["User: KMS is not authorized", "Access to KMS is not allowed"])("is never attributed to KMS: %s", (text) => {
    expect(diagnose(refusal("AccessDenied", 403, text), assumeRole).code).toBe("assume-role-denied");
  });
});

describe("AWS's refusal of GetCallerIdentity", () => {
  it.each<[string, number, FailureCode]>([
    ["InvalidClientTokenId", 403, "credentials-invalid"],
    ["ExpiredToken", 403, "credentials-expired"],
    ["SignatureDoesNotMatch", 403, "signature-invalid"],
    // It needs no permission: only the policy of a VPC endpoint can deny it.
    ["AccessDenied", 403, "credentials-invalid"],
  ])("with %s and status %i is %s, and its message does not name the role", (awsCode, status, code) => {
    const failure = diagnose(refusal(awsCode, status), AWS_CALLS.GetCallerIdentity);
    expect(failure).toMatchObject({ code, message: `GetCallerIdentity in eu-west-1 was refused (${awsCode})` });
    expectNoCanary(failure);
  });
});

describe("AWS's refusal of GetSecretValue", () => {
  it.each<[string, number, FailureCode, string]>([
    ["AccessDeniedException", 400, "get-secret-value-denied", "was refused (AccessDeniedException)"],
    ["AccessDenied", 403, "get-secret-value-denied", "was refused (AccessDenied)"],
    ["NotAuthorized", 400, "get-secret-value-denied", "was refused (NotAuthorized)"],
    ["DecryptionFailure", 400, "kms-denied", "was refused because its KMS key may not be used"],
    ["ResourceNotFoundException", 400, "secret-not-found", "found no such secret"],
    [
      "InvalidRequestException",
      400,
      "secret-deleted",
      "was refused: the secret is scheduled for deletion, or has no value",
    ],
    ["InvalidParameterException", 400, "secret-id-rejected", "was refused (InvalidParameterException)"],
    // This code has a meaning for STS only.
    ["RegionDisabledException", 403, "secret-id-rejected", "was refused (RegionDisabledException)"],
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

  it.each([
    "Access to KMS is not allowed",
    `User: ${ROLE} is not authorized to perform: kms:Decrypt on this resource because the resource does not exist`,
  ])("is attributed to the KMS key if AWS's text says so: %s", (text) => {
    const failure = diagnose(refusal("AccessDeniedException", 400, text), getSecretValue);
    expect(failure).toMatchObject({
      code: "kms-denied",
      message: `${GET_SECRET_VALUE} was refused because its KMS key may not be used`,
    });
    for (const part of ["kms:Decrypt", "policy of the KMS key", ROLE]) expect(failure.details.remedy).toContain(part);
    expectNoCanary(failure);
  });

  it.each([
    "User: arn:aws:sts::111111111111:assumed-role/KMS-reader/x is not authorized to perform: secretsmanager:GetSecretValue on resource: prod/KMS/key because no identity-based policy allows it",
    "User: arn:aws:sts::111111111111:assumed-role/r/kms is not authorized to perform: secretsmanager:GetSecretValue on resource: kms:Decrypt",
  ])("is not attributed to KMS because a name contains it: %s", (text) => {
    expect(diagnose(refusal("AccessDeniedException", 400, text), getSecretValue).code).toBe("get-secret-value-denied");
  });
});

describe("a refusal whose cause is in AWS's text only", () => {
  const KEY = "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
  const USER = "User: arn:aws:sts::222222222222:assumed-role/my-lambda-role/fn is not authorized to perform:";
  it.each<[AwsCall["operation"], string, string, FailureCode, string]>([
    [
      "AssumeRole",
      "AccessDenied",
      `${USER} sts:TagSession on resource: ${ROLE}`,
      "tag-session-denied",
      "was refused (AccessDenied): sts:TagSession is not allowed",
    ],
    [
      "AssumeRole",
      "AccessDenied",
      `${USER} sts:SetSourceIdentity on resource: ${ROLE}`,
      "source-identity-denied",
      "was refused (AccessDenied): sts:SetSourceIdentity is not allowed",
    ],
    [
      "AssumeRole",
      "AccessDenied",
      `${USER} sts:AssumeRole on resource: ${ROLE} because no identity-based policy allows the sts:AssumeRole action`,
      "assume-role-denied",
      "was refused (AccessDenied): no identity-based policy allows sts:AssumeRole",
    ],
    [
      "AssumeRole",
      "AccessDenied",
      `${USER} sts:AssumeRole on resource: ${ROLE} with an explicit deny in a service control policy`,
      "explicit-deny",
      "was refused (AccessDenied) by an explicit deny in the service control policy",
    ],
    [
      "AssumeRole",
      "AccessDenied",
      `${USER} sts:AssumeRole on resource: ${ROLE} with an explicit deny`,
      "explicit-deny",
      "was refused (AccessDenied) by an explicit deny",
    ],
    [
      "AssumeRole",
      "SignatureDoesNotMatch",
      "Signature expired: 20261125T000000Z is now earlier than 20261125T001000Z",
      "clock-skewed",
      "was refused (SignatureDoesNotMatch): this machine's clock differs from AWS's clock",
    ],
    [
      "GetSecretValue",
      "InvalidSignatureException",
      "Signature not yet current: 20261125T001000Z is still later than …",
      "clock-skewed",
      "was refused (InvalidSignatureException): this machine's clock differs from AWS's clock",
    ],
    [
      "GetSecretValue",
      "AccessDeniedException",
      "… with an explicit deny in an identity-based policy",
      "explicit-deny",
      "was refused (AccessDeniedException) by an explicit deny in the identity-based policy",
    ],
    [
      "GetSecretValue",
      "AccessDeniedException",
      "… because no session policy allows the secretsmanager:GetSecretValue action",
      "get-secret-value-denied",
      "was refused (AccessDeniedException): no session policy allows it",
    ],
    [
      "GetSecretValue",
      "ExpiredTokenException",
      "Signature expired: 20261125T000000Z is now earlier than 20261125T001000Z",
      "credentials-expired",
      "was refused (ExpiredTokenException)",
    ],
    [
      "GetSecretValue",
      "AccessDeniedException",
      `${KEY} is pending deletion.`,
      "kms-key-unusable",
      "was refused because its KMS key is scheduled for deletion",
    ],
    [
      "GetSecretValue",
      "InvalidRequestException",
      `${KEY} is disabled.`,
      "kms-key-unusable",
      "was refused because its KMS key is disabled",
    ],
    [
      "GetSecretValue",
      "InvalidRequestException",
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
      "kms-default-key",
      "was refused: its KMS key is the default key of Secrets Manager, which other accounts cannot use",
    ],
    [
      "GetSecretValue",
      "ResourceNotFoundException",
      "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
      "secret-version-not-found",
      "found the secret, but no such version or stage",
    ],
    [
      "GetParameter",
      "InvalidKeyId",
      `${KEY} is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException; …)`,
      "kms-key-unusable",
      "was refused because its KMS key is disabled",
    ],
    [
      "GetSecretValue",
      "DecryptionFailure",
      "Secrets Manager can't decrypt the secret value: arn:aws:kms:eu-west-1:111111111111:key/k is pending import.",
      "kms-key-unusable",
      "was refused because its KMS key has no key material",
    ],
    [
      "GetSecretValue",
      "DecryptionFailure",
      "Secrets Manager can't decrypt the secret value: arn:aws:kms:eu-west-1:111111111111:key/k is unavailable.",
      "kms-key-unusable",
      "was refused because its KMS key is in a state in which it cannot be used",
    ],
    [
      "GetParameter",
      "InvalidKeyId",
      "Key 'arn:aws:kms:eu-west-1:111111111111:key/k' does not exist",
      "kms-key-not-found",
      "was refused because its KMS key does not exist",
    ],
    [
      "AssumeRole",
      "RequestExpired",
      "Request has expired.",
      "clock-skewed",
      "was refused (RequestExpired): this machine's clock differs from AWS's clock",
    ],
    [
      "AssumeRole",
      "SignatureDoesNotMatch",
      "Credential should be scoped to a valid region. ",
      "endpoint-mismatch",
      "was refused (SignatureDoesNotMatch): the endpoint is not for this region, or not for this service",
    ],
    [
      "AssumeRole",
      "OptInRequired",
      "The AWS Access Key Id needs a subscription for the service",
      "account-not-active",
      "was refused (OptInRequired): the account is not active, or not signed up for this service",
    ],
  ])("of %s with %s and the text %j is %s", (operation, awsCode, text, code, message) => {
    const failure = diagnose(refusal(awsCode, 400, text), AWS_CALLS[operation]);
    expect(failure.code).toBe(code);
    expect(failure.message.endsWith(message)).toBe(true);
    expectNoCanary(failure);
  });
});

describe("AWS's refusal of GetParameter", () => {
  // https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html#API_GetParameter_Errors
  it.each<[string, number, FailureCode, string]>([
    ["AccessDeniedException", 400, "get-parameter-denied", "was refused (AccessDeniedException)"],
    ["AccessDenied", 403, "get-parameter-denied", "was refused (AccessDenied)"],
    ["NotAuthorized", 400, "get-parameter-denied", "was refused (NotAuthorized)"],
    ["InvalidKeyId", 400, "kms-denied", "was refused because its KMS key may not be used"],
    ["ParameterNotFound", 400, "parameter-not-found", "found no such parameter, version or label"],
    ["ParameterVersionNotFound", 400, "parameter-not-found", "found no such parameter, version or label"],
    ["ValidationException", 400, "parameter-rejected", "was refused (ValidationException)"],
    ["SomethingOfTomorrow", 400, "parameter-rejected", "was refused (SomethingOfTomorrow)"],
    // These codes have a meaning for a secret or for STS only.
    ["ResourceNotFoundException", 400, "parameter-rejected", "was refused (ResourceNotFoundException)"],
    ["InvalidRequestException", 400, "parameter-rejected", "was refused (InvalidRequestException)"],
    ["RegionDisabledException", 403, "parameter-rejected", "was refused (RegionDisabledException)"],
    ["InternalServerError", 500, "aws-error", "failed at AWS (InternalServerError)"],
    ["ExpiredTokenException", 400, "credentials-expired", "was refused (ExpiredTokenException)"],
    ["UnrecognizedClientException", 400, "credentials-invalid", "was refused (UnrecognizedClientException)"],
    ["ThrottlingException", 400, "throttled", "was throttled"],
  ])("with %s and status %i is %s", (awsCode, status, code, message) => {
    const failure = diagnose(refusal(awsCode, status), getParameter);
    expect(failure).toMatchObject({ code, details: { awsCode, requestId: REQUEST_ID } });
    expect(failure.message).toBe(`${GET_PARAMETER} ${message}`);
    expectNoCanary(failure);
  });

  it.each(["ParameterNotFound", "ParameterVersionNotFound", "InvalidKeyId"])(
    "has codes without a special meaning for the other operations: %s",
    (awsCode) => {
      expect(diagnose(refusal(awsCode, 400), getSecretValue).code).toBe("secret-id-rejected");
      expect(diagnose(refusal(awsCode, 400), assumeRole).code).toBe("assume-role-rejected");
    },
  );

  it.each([
    `User: ${ROLE} is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111111111111:key/k`,
    // Parameter Store passes on the text of KMS: https://github.com/tryolabs/aws-workshop/issues/6
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access. (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException; Request ID: 5f642215-959a-11e8-bfd1-81a81941d54a)",
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access. (Service: Kms, Status Code: 400, Request ID: 5f642215-959a-11e8-bfd1-81a81941d54a)",
  ])("is attributed to the KMS key if AWS's text says so: %s", (text) => {
    const failure = diagnose(refusal("AccessDeniedException", 400, text), getParameter);
    expect(failure).toMatchObject({ code: "kms-denied" });
    expect(failure.message).toBe(`${GET_PARAMETER} was refused because its KMS key may not be used`);
    expect(failure.details.remedy).toContain("kms:Decrypt");
    expectNoCanary(failure);
  });

  it.each([
    "User: arn:aws:sts::111111111111:assumed-role/KMS-reader/x is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:eu-west-1:111111111111:parameter/KMS/AWSKMS because no identity-based policy allows it",
    "User: arn:aws:sts::111111111111:assumed-role/r/kms is not authorized to perform: ssm:GetParameter on resource: kms:Decrypt",
  ])("is not attributed to KMS because a name contains it: %s", (text) => {
    expect(diagnose(refusal("AccessDeniedException", 400, text), getParameter).code).toBe("get-parameter-denied");
  });
});

const calls = [
  [ASSUME_ROLE, assumeRole, "sts"],
  [GET_SECRET_VALUE, getSecretValue, "secretsmanager"],
  [GET_PARAMETER, getParameter, "ssm"],
] as const;

describe("a refusal", () => {
  it.each(calls)("with status 429 is a throttle, with a code or without one: %s", (what, call) => {
    for (const awsCode of ["Unknown", "SomethingOfTomorrow"]) {
      const failure = diagnose(refusal(awsCode, 429), call);
      expect(failure).toMatchObject({ code: "throttled", message: `${what} was throttled` });
      expectNoCanary(failure);
    }
  });

  it.each([`${CANARY} secret text <html>`, "a b", "", "r".repeat(65), 7, { id: CANARY }])(
    "drops a request ID that cannot be AWS's: %j",
    (requestId) => {
      const thrown = Object.assign(refusal("AccessDenied", 403), { $metadata: { httpStatusCode: 403, requestId } });
      const failure = diagnose(thrown, getSecretValue);
      expect(failure).toMatchObject({ code: "get-secret-value-denied", details: { requestId: undefined } });
      expectNoCanary(failure);
    },
  );
});

describe("an error code that every object has as a name", () => {
  it.each(["constructor", "toString", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable"])(
    "is a refusal like any other unknown code: %s",
    (awsCode) => {
      for (const [call, code] of [
        [assumeRole, "assume-role-rejected"],
        [AWS_CALLS.GetCallerIdentity, "credentials-invalid"],
        [getSecretValue, "secret-id-rejected"],
        [getParameter, "parameter-rejected"],
      ] as const) {
        const failure = diagnose(refusal(awsCode, 400), call);
        expect(failure).toMatchObject({ code, details: { awsCode } });
        expect(failure.message).toContain(`was refused (${awsCode})`);
        expectNoCanary(failure);
      }
    },
  );
});

describe("a fault of AWS", () => {
  it.each([
    ["InternalFailure", 500, "InternalFailure"],
    ["InternalServiceError", 500, "InternalServiceError"],
    ["ServiceUnavailable", 503, "ServiceUnavailable"],
    ["AccessDeniedException", 503, "AccessDeniedException"],
    ["ResourceNotFoundException", 599, "ResourceNotFoundException"],
    ["Unknown", 502, "status 502"], // what the SDK calls a refusal without a code
  ])("is any refusal with a 5xx status: %s with status %i", (awsCode, status, cause) => {
    for (const [what, call] of calls) {
      const failure = diagnose(refusal(awsCode, status), call);
      expect(failure).toMatchObject({
        code: "aws-error",
        message: `${what} failed at AWS (${cause})`,
        details: { requestId: REQUEST_ID },
      });
      expectNoCanary(failure);
    }
  });

  it.each([
    ["RequestAbortedException", 400],
    ["RequestTimeoutException", 408],
  ])("is a request that AWS did not read to its end: %s with status %i", (awsCode, status) => {
    expect(diagnose(refusal(awsCode, status), getSecretValue)).toMatchObject({
      code: "aws-error",
      message: `${GET_SECRET_VALUE} failed at AWS (${awsCode})`,
    });
  });

  it("is any error that AWS marks as its own fault, even with a 4xx status", () => {
    const thrown = Object.assign(refusal("InternalServiceError", 400), { $fault: "server" });
    expect(diagnose(thrown, getSecretValue).code).toBe("aws-error");
  });
});

describe("a network failure", () => {
  it.each(calls)("is described by Node's code only, with a remedy about VPC endpoints: %s", (what, call, service) => {
    const failure = diagnose(networkError("ECONNREFUSED"), call);
    expect(failure).toMatchObject({ code: "unreachable", message: `${what} could not reach AWS (ECONNREFUSED)` });
    expect(failure.details.remedy).toMatch(new RegExp(`two interface endpoints .*${service}.* in eu-west-1`));
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
    "EACCES",
    "EPERM",
    "EMFILE",
    "ENFILE",
    "ENOBUFS",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "ERR_OSSL_EVP_UNSUPPORTED",
    "ERR_SOCKET_CLOSED",
    ...CERTIFICATE_CODES,
  ])("with %s is unreachable", (code) => {
    const failure = diagnose(networkError(code), getSecretValue);
    expect(failure).toMatchObject({
      code: "unreachable",
      message: `${GET_SECRET_VALUE} could not reach AWS (${code})`,
    });
    expectNoCanary(failure);
  });

  it.each(CERTIFICATE_CODES)("with %s has a remedy about certificates, not about a VPC", (code) => {
    const { remedy } = diagnose(networkError(code), getSecretValue).details;
    for (const part of ["certificate", "NODE_EXTRA_CA_CERTS", "clock"]) expect(remedy).toContain(part);
    expect(remedy).not.toMatch(/NAT|VPC/);
  });

  it.each([`ECONNRESET ${CANARY}`, `${CANARY} ECONNRESET`, `CERT_HAS_EXPIRED\n${CANARY}`, `ERR_SSL_${CANARY}`])(
    "with the malformed code %j is not quoted",
    (code) => {
      const failure = diagnose(networkError(code), getSecretValue);
      expect(failure.code).toBe("aws-response-invalid");
      expectNoCanary(failure);
    },
  );

  it.each<[string, unknown]>([
    ["that the SDK calls a TimeoutError", networkError("ECONNRESET", { name: "TimeoutError" })],
    [
      "wrapped in another error",
      Object.assign(new Error(CANARY, { cause: networkError("ECONNRESET") }), { name: "Error" }),
    ],
    [
      "of all addresses at once",
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

describe("an answer that does not come from AWS", () => {
  it.each<[string, unknown, string]>([
    ["JSON cut short, with status 200", parseError(200), " (status 200)"],
    ["HTML, with status 200", parseError(200), " (status 200)"],
    ["HTML of a proxy, with status 403", parseError(403), " (status 403)"],
    ["a refusal of a proxy, with status 403 and no code", refusal("Unknown", 403), " (status 403)"],
    ["a refusal of a proxy, with status 407 and no code", refusal("Unknown", 407), " (status 407)"],
    ["a redirection", parseError(302), " (status 302)"],
    ["a redirection without a body", refusal("Unknown", 302), " (status 302)"],
    ["XML cut short", parseError(200, new Error(`XML parse error: ${CANARY}`)), " (status 200)"],
    ["an invalid date", parseError(200, new TypeError(`Expected real number, got ${CANARY}`)), " (status 200)"],
    ["bytes that are not HTTP", networkError("HPE_INVALID_CONSTANT", { rawPacket: Buffer.from(CANARY) }), ""],
    ["a sentence for a code", refusal(`${CANARY} is a secret`, 400), " (status 400)"],
    ["AWS's code with a status of success", refusal("AccessDenied", 200), " (status 200)"],
    ["AWS's code without a status", { name: "AccessDenied", $fault: "client" }, ""],
    ["undefined", undefined, ""],
    ["null", null, ""],
    ["a text", CANARY, ""],
    ["a number", 7, ""],
    ["an error without a name", Object.assign(new Error(CANARY), { name: undefined }), ""],
    ["an error whose metadata is null", Object.assign(new Error(CANARY), { $metadata: null }), ""],
    ["an error with fields of other types", { name: 7, code: {}, cause: null, message: [CANARY], $metadata: {} }, ""],
  ])("is distinguished from a refusal: %s", (_, thrown, status) => {
    for (const [what, call] of calls) {
      const failure = diagnose(thrown, call);
      expect(failure).toMatchObject({
        code: "aws-response-invalid",
        message: `${what} got an answer that does not come from AWS${status}`,
      });
      expectNoCanary(failure);
    }
  });

  it("with a 5xx status is a fault of AWS or of its load balancer", () => {
    const failure = diagnose(parseError(503), getSecretValue);
    expect(failure).toMatchObject({ code: "aws-error", message: expect.stringContaining("status 503") });
    expectNoCanary(failure);
  });

  it("keeps its request ID, so that it can be found in CloudTrail", () => {
    expect(diagnose(parseError(200), getSecretValue).details).toMatchObject({
      requestId: REQUEST_ID,
      awsCode: undefined,
    });
  });
});

describe("a failure of the extension", () => {
  it("is returned unchanged", () => {
    const failure = new Failure("credentials-missing", "none");
    expect(diagnose(failure, getSecretValue)).toBe(failure);
  });

  it.each(calls)("at the deadline names the call, with a remedy about VPC endpoints: %s", (what, call, service) => {
    const failure = toTimeout(call);
    expect(failure).toMatchObject({ code: "timeout", message: `${what} got no answer in time` });
    expect(failure.details.remedy).toMatch(new RegExp(`two interface endpoints .*${service}.* in eu-west-1`));
  });

  it.each(["AbortError", "TimeoutError"])("at the deadline is also what an %s of the SDK becomes", (name) => {
    const thrown = Object.assign(new Error(`Request aborted ${CANARY}`), { name });
    for (const [, call] of calls) {
      const failure = diagnose(thrown, call);
      expect(failure).toEqual(toTimeout(call));
      expectNoCanary(failure);
    }
  });
});
