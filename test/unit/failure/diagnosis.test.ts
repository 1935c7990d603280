import { describe, expect, it } from "vitest";
import { type AwsCall, diagnose, toTimeout } from "../../../extension/failure/diagnosis.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";

const ROLE = "arn:aws:iam::111111111111:role/SecretReader";
const REQUEST_ID = "8a1f0e6c-0000-4000-8000-5d3a1b2c3d4e";
/** Stands in every text that is the SDK's, AWS's or Node's, and so may stand in none of ours. */
const CANARY = "CANARY-3e7f";

const assumeRole: AwsCall = { operation: "AssumeRole", roleArn: ROLE, region: "eu-west-1" };
const getSecretValue: AwsCall = { operation: "GetSecretValue", roleArn: ROLE, region: "eu-west-1", id: "app/db" };

const getParameter: AwsCall = { operation: "GetParameter", roleArn: ROLE, region: "eu-west-1", id: "/app/flag" };

const ASSUME_ROLE = `AssumeRole of ${ROLE} in eu-west-1`;
const GET_SECRET_VALUE = `GetSecretValue of app/db in eu-west-1 as ${ROLE}`;
const GET_PARAMETER = `GetParameter of /app/flag in eu-west-1 as ${ROLE}`;

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

/** What Node says of a certificate that it does not trust. */
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
    ["TooManyRequestsException", 429, "throttled"],
    ["RequestLimitExceeded", 503, "throttled"],
    ["ValidationError", 400, "assume-role-rejected"],
    ["ValidationException", 400, "assume-role-rejected"],
    ["PackedPolicyTooLargeException", 400, "assume-role-rejected"],
    ["MalformedPolicyDocumentException", 400, "assume-role-rejected"],
    ["RegionDisabledException", 403, "region-disabled"],
    ["OptInRequired", 403, "assume-role-rejected"],
    // Codes that mean something of a secret, and nothing here.
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

  it("names both sides that must agree, and the role", () => {
    const { message, details } = diagnose(refusal("AccessDenied", 403), assumeRole);
    expect(message).toBe(`${ASSUME_ROLE} was refused (AccessDenied)`);
    for (const part of ["trust policy", "external ID", "execution role", "sts:AssumeRole", ROLE]) {
      expect(details.remedy).toContain(part);
    }
  });

  it.each(["User: KMS is not authorized", "Access to KMS is not allowed"])("is no matter of KMS: %s", (text) => {
    expect(diagnose(refusal("AccessDenied", 403, text), assumeRole).code).toBe("assume-role-denied");
  });
});

describe("AWS's refusal of GetCallerIdentity", () => {
  const call: AwsCall = { operation: "GetCallerIdentity", roleArn: ROLE, region: "eu-west-1" };

  it.each<[string, number, FailureCode]>([
    ["InvalidClientTokenId", 403, "credentials-invalid"],
    ["ExpiredToken", 403, "credentials-expired"],
    ["SignatureDoesNotMatch", 403, "signature-invalid"],
    // It takes no permission: only a VPC endpoint's policy may be against it.
    ["AccessDenied", 403, "credentials-invalid"],
  ])("with %s and status %i is %s, and is told without the role", (awsCode, status, code) => {
    const failure = diagnose(refusal(awsCode, status), call);
    expect(failure).toMatchObject({ code, message: `GetCallerIdentity in eu-west-1 was refused (${awsCode})` });
    expectNoCanary(failure);
  });
});

describe("AWS's refusal of GetSecretValue", () => {
  it.each<[string, number, FailureCode, string]>([
    ["AccessDeniedException", 400, "get-secret-value-denied", "was refused (AccessDeniedException)"],
    ["AccessDenied", 403, "get-secret-value-denied", "was refused (AccessDenied)"],
    ["DecryptionFailure", 400, "kms-denied", "was refused because its KMS key may not be used"],
    ["ResourceNotFoundException", 400, "secret-not-found", "found no such secret"],
    [
      "InvalidRequestException",
      400,
      "secret-deleted",
      "was refused: the secret is marked for deletion, or has no such value",
    ],
    ["InvalidParameterException", 400, "secret-id-rejected", "was refused (InvalidParameterException)"],
    // A code that means something of STS, and nothing here.
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
  ])("is the key's, where AWS says so: %s", (text) => {
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
  ])("is no matter of KMS because a name has it in it: %s", (text) => {
    expect(diagnose(refusal("AccessDeniedException", 400, text), getSecretValue).code).toBe("get-secret-value-denied");
  });
});

describe("what AWS says in its text alone", () => {
  const USER = "User: arn:aws:sts::222222222222:assumed-role/my-lambda-role/fn is not authorized to perform:";
  it.each<[AwsCall, string, string, FailureCode, string]>([
    [
      assumeRole,
      "AccessDenied",
      `${USER} sts:TagSession on resource: ${ROLE}`,
      "tag-session-denied",
      "was refused (AccessDenied): sts:TagSession is not allowed",
    ],
    [
      assumeRole,
      "AccessDenied",
      `${USER} sts:SetSourceIdentity on resource: ${ROLE}`,
      "source-identity-denied",
      "was refused (AccessDenied): sts:SetSourceIdentity is not allowed",
    ],
    [
      assumeRole,
      "AccessDenied",
      `${USER} sts:AssumeRole on resource: ${ROLE} because no identity-based policy allows the sts:AssumeRole action`,
      "assume-role-denied",
      "was refused (AccessDenied): no identity-based policy allows sts:AssumeRole",
    ],
    [
      assumeRole,
      "AccessDenied",
      `${USER} sts:AssumeRole on resource: ${ROLE} with an explicit deny in a service control policy`,
      "explicit-deny",
      "was refused (AccessDenied) by an explicit deny in the service control policy",
    ],
    [
      assumeRole,
      "AccessDenied",
      `${USER} sts:AssumeRole on resource: ${ROLE} with an explicit deny`,
      "explicit-deny",
      "was refused (AccessDenied) by an explicit deny",
    ],
    [
      assumeRole,
      "SignatureDoesNotMatch",
      "Signature expired: 20261125T000000Z is now earlier than 20261125T001000Z",
      "clock-skewed",
      "was refused (SignatureDoesNotMatch): this machine's clock is not AWS's",
    ],
    [
      getSecretValue,
      "InvalidSignatureException",
      "Signature not yet current: 20261125T001000Z is still later than …",
      "clock-skewed",
      "was refused (InvalidSignatureException): this machine's clock is not AWS's",
    ],
    [
      getSecretValue,
      "AccessDeniedException",
      "… with an explicit deny in an identity-based policy",
      "explicit-deny",
      "was refused (AccessDeniedException) by an explicit deny in the identity-based policy",
    ],
    [
      getSecretValue,
      "AccessDeniedException",
      "… because no session policy allows the secretsmanager:GetSecretValue action",
      "get-secret-value-denied",
      "was refused (AccessDeniedException): no session policy allows it",
    ],
    [
      getSecretValue,
      "AccessDeniedException",
      "arn:aws:kms:eu-west-1:111111111111:key/k is pending deletion.",
      "kms-key-unusable",
      "was refused because its KMS key is disabled, or is to be deleted",
    ],
    [
      getSecretValue,
      "InvalidRequestException",
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
      "kms-default-key",
      "was refused: its KMS key is Secrets Manager's own, which other accounts may not use",
    ],
    [
      getSecretValue,
      "ResourceNotFoundException",
      "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
      "secret-version-not-found",
      "found the secret, but no such version or stage",
    ],
    [
      getParameter,
      "InvalidKeyId",
      "arn:aws:kms:eu-west-1:111111111111:key/k is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException; …)",
      "kms-key-unusable",
      "was refused because its KMS key is disabled, or is to be deleted",
    ],
  ])("of %j with %s, %s: %s", (call, awsCode, text, code, told) => {
    const failure = diagnose(refusal(awsCode, 400, text), call);
    expect(failure.code).toBe(code);
    expect(failure.message.endsWith(told)).toBe(true);
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
    // Codes that mean something of a secret or of STS, and nothing here.
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
    "has codes that mean nothing of a secret: %s",
    (awsCode) => {
      expect(diagnose(refusal(awsCode, 400), getSecretValue).code).toBe("secret-id-rejected");
      expect(diagnose(refusal(awsCode, 400), assumeRole).code).toBe("assume-role-rejected");
    },
  );

  it.each([
    `User: ${ROLE} is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111111111111:key/k`,
    // As Parameter Store hands on what KMS says: https://github.com/tryolabs/aws-workshop/issues/6
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access. (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException; Request ID: 5f642215-959a-11e8-bfd1-81a81941d54a)",
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access. (Service: Kms, Status Code: 400, Request ID: 5f642215-959a-11e8-bfd1-81a81941d54a)",
  ])("is the key's, where AWS says so: %s", (text) => {
    const failure = diagnose(refusal("AccessDeniedException", 400, text), getParameter);
    expect(failure).toMatchObject({ code: "kms-denied" });
    expect(failure.message).toBe(`${GET_PARAMETER} was refused because its KMS key may not be used`);
    expect(failure.details.remedy).toContain("kms:Decrypt");
    expectNoCanary(failure);
  });

  it.each([
    "User: arn:aws:sts::111111111111:assumed-role/KMS-reader/x is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:eu-west-1:111111111111:parameter/KMS/AWSKMS because no identity-based policy allows it",
    "User: arn:aws:sts::111111111111:assumed-role/r/kms is not authorized to perform: ssm:GetParameter on resource: kms:Decrypt",
  ])("is no matter of KMS because a name has it in it: %s", (text) => {
    expect(diagnose(refusal("AccessDeniedException", 400, text), getParameter).code).toBe("get-parameter-denied");
  });
});

const calls = [
  [assumeRole, ASSUME_ROLE, "sts"],
  [getSecretValue, GET_SECRET_VALUE, "secretsmanager"],
  [getParameter, GET_PARAMETER, "ssm"],
] as const;

describe("a refusal", () => {
  it.each(calls)("with status 429 is a throttle, whether it has a code or not: %s", (call, what) => {
    for (const awsCode of ["Unknown", "SomethingOfTomorrow"]) {
      const failure = diagnose(refusal(awsCode, 429), call);
      expect(failure).toMatchObject({ code: "throttled", message: `${what} was throttled` });
      expectNoCanary(failure);
    }
  });

  it.each([`${CANARY} secret text <html>`, "a b", "", "r".repeat(65), 7, { id: CANARY }])(
    "has no request id that is none of AWS's: %j",
    (requestId) => {
      const thrown = Object.assign(refusal("AccessDenied", 403), { $metadata: { httpStatusCode: 403, requestId } });
      const failure = diagnose(thrown, getSecretValue);
      expect(failure).toMatchObject({ code: "get-secret-value-denied", details: { requestId: undefined } });
      expectNoCanary(failure);
    },
  );
});

describe("AWS's own trouble", () => {
  it.each([
    ["InternalFailure", 500, "InternalFailure"],
    ["InternalServiceError", 500, "InternalServiceError"],
    ["ServiceUnavailable", 503, "ServiceUnavailable"],
    ["AccessDeniedException", 503, "AccessDeniedException"],
    ["ResourceNotFoundException", 599, "ResourceNotFoundException"],
    ["Unknown", 502, "status 502"], // what the SDK calls a refusal without a code
  ])("is what any 5xx is, whatever the code: %s with status %i", (awsCode, status, told) => {
    for (const [call, what] of calls) {
      const failure = diagnose(refusal(awsCode, status), call);
      expect(failure).toMatchObject({
        code: "aws-error",
        message: `${what} failed at AWS (${told})`,
        details: { requestId: REQUEST_ID },
      });
      expectNoCanary(failure);
    }
  });

  it("is what AWS calls its own fault, whatever the status", () => {
    const thrown = Object.assign(refusal("InternalServiceError", 400), { $fault: "server" });
    expect(diagnose(thrown, getSecretValue).code).toBe("aws-error");
  });
});

describe("a network that fails", () => {
  it.each(calls)("is told of by Node's code alone, with the way out of a VPC: %s", (call, what, service) => {
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

  it.each(CERTIFICATE_CODES)("with %s has a certificate's remedy, and not a VPC's", (code) => {
    const { remedy } = diagnose(networkError(code), getSecretValue).details;
    for (const part of ["certificate", "NODE_EXTRA_CA_CERTS", "clock"]) expect(remedy).toContain(part);
    expect(remedy).not.toMatch(/NAT|VPC/);
  });

  it.each([`ECONNRESET ${CANARY}`, `${CANARY} ECONNRESET`, `CERT_HAS_EXPIRED\n${CANARY}`, `ERR_SSL_${CANARY}`])(
    "has a code that is quoted whole or not at all: %j",
    (code) => {
      const failure = diagnose(networkError(code), getSecretValue);
      expect(failure.code).toBe("aws-response-invalid");
      expectNoCanary(failure);
    },
  );

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
  it.each<[string, unknown, string]>([
    ["JSON cut short, with status 200", parseError(200), " (status 200)"],
    ["HTML, with status 200", parseError(200), " (status 200)"],
    ["HTML of a proxy, with status 403", parseError(403), " (status 403)"],
    ["a refusal of a proxy, with status 403 and no code", refusal("Unknown", 403), " (status 403)"],
    ["a refusal of a proxy, with status 407 and no code", refusal("Unknown", 407), " (status 407)"],
    ["a redirection", parseError(302), " (status 302)"],
    ["a redirection without a body", refusal("Unknown", 302), " (status 302)"],
    ["XML cut short", parseError(200, new Error(`XML parse error: ${CANARY}`)), " (status 200)"],
    ["a date that is none", parseError(200, new TypeError(`Expected real number, got ${CANARY}`)), " (status 200)"],
    ["no HTTP at all", networkError("HPE_INVALID_CONSTANT", { rawPacket: Buffer.from(CANARY) }), ""],
    ["a code that is a text", refusal(`${CANARY} is a secret`, 400), " (status 400)"],
    ["nothing in it", undefined, ""],
    ["null", null, ""],
    ["a text", CANARY, ""],
    ["a number", 7, ""],
    ["an error without a name", Object.assign(new Error(CANARY), { name: undefined }), ""],
    ["an error whose metadata is null", Object.assign(new Error(CANARY), { $metadata: null }), ""],
    ["an error of another make", { name: 7, code: {}, cause: null, message: [CANARY], $metadata: {} }, ""],
  ])("is told from a refusal: %s", (_, thrown, status) => {
    for (const [call, what] of calls) {
      const failure = diagnose(thrown, call);
      expect(failure).toMatchObject({
        code: "aws-response-invalid",
        message: `${what} got an answer that is not AWS's${status}`,
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

  it.each(calls)("at the deadline says what was waited for, and the way out of a VPC: %s", (call, what, service) => {
    const failure = toTimeout(call);
    expect(failure).toMatchObject({ code: "timeout", message: `${what} got no answer in time` });
    expect(failure.details.remedy).toMatch(new RegExp(`two interface endpoints .*${service}.* in eu-west-1`));
  });

  it.each(["AbortError", "TimeoutError"])(
    "is what the SDK's %s is, which it ends a call with that is too late",
    (name) => {
      const thrown = Object.assign(new Error(`Request aborted ${CANARY}`), { name });
      for (const [call] of calls) {
        const failure = diagnose(thrown, call);
        expect(failure).toEqual(toTimeout(call));
        expectNoCanary(failure);
      }
    },
  );
});
