/**
 * From AWS's refusal to a cause, a message and a remedy. Pure.
 *
 * Only AWS's error code, HTTP status, request id and the network's error code are read. AWS's own text is read by
 * nobody but this file, and is not repeated: it is not ours to vouch for what stands in it.
 */
import { Failure, type FailureCode } from "./errors.ts";

/** What was asked of AWS, in public terms. */
export interface AwsCall {
  readonly operation: "AssumeRole" | "GetSecretValue";
  readonly roleArn: string;
  readonly region: string;
  /** With GetSecretValue. */
  readonly secretId?: string;
}

/** AWS's codes; those of STS and Secrets Manager differ for the same thing. Both services' "Common Errors" pages list them. */
const codes: Readonly<Record<string, FailureCode>> = {
  AccessDenied: "get-secret-value-denied",
  AccessDeniedException: "get-secret-value-denied",
  DecryptionFailure: "kms-denied",
  ResourceNotFoundException: "secret-not-found",
  InvalidRequestException: "secret-deleted",
  InvalidParameterException: "secret-id-rejected",
  ValidationException: "secret-id-rejected",
  ExpiredToken: "credentials-expired",
  ExpiredTokenException: "credentials-expired",
  InvalidClientTokenId: "credentials-invalid",
  UnrecognizedClientException: "credentials-invalid",
  MissingAuthenticationToken: "credentials-invalid",
  MissingAuthenticationTokenException: "credentials-invalid",
  SignatureDoesNotMatch: "signature-invalid",
  InvalidSignatureException: "signature-invalid",
  IncompleteSignature: "signature-invalid",
  RequestExpired: "signature-invalid",
  Throttling: "throttled",
  ThrottlingException: "throttled",
  ThrottledException: "throttled",
  TooManyRequestsException: "throttled",
  RequestLimitExceeded: "throttled",
};

/** What Node's sockets, resolver and TLS say: https://nodejs.org/api/errors.html#common-system-errors */
const NETWORK_CODE =
  /^(E(CONN|HOST|NET|PIPE|TIMEDOUT|NOTFOUND|AI_|PROTO|ADDRNOTAVAIL)|ERR_(SSL|TLS)|CERT_|UNABLE_TO|DEPTH_|SELF_SIGNED)/;

export function diagnose(thrown: unknown, call: AwsCall): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = toPublicParts(thrown);
  const code = toFailureCode(error, call);
  return new Failure(code, toMessage(code, error, call), {
    remedy: toRemedy(code, call),
    requestId: error.requestId,
    awsCode: error.awsCode,
  });
}

interface PublicParts {
  readonly awsCode: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly networkCode: string | undefined;
  readonly isAboutKms: boolean;
}

function toPublicParts(thrown: unknown): PublicParts {
  const error = (thrown ?? {}) as {
    name?: unknown;
    message?: unknown;
    code?: unknown;
    cause?: { code?: unknown };
    $fault?: unknown;
    $metadata?: { httpStatusCode?: number; requestId?: string };
  };
  const networkCode = [error.code, error.cause?.code, error.name].find(
    (code): code is string => typeof code === "string" && NETWORK_CODE.test(code),
  );
  const name = typeof error.name === "string" && /^[A-Za-z]{1,64}$/.test(error.name) ? error.name : undefined;
  return {
    awsCode: error.$fault === undefined ? undefined : name,
    status: error.$metadata?.httpStatusCode,
    requestId: error.$metadata?.requestId,
    networkCode,
    isAboutKms: typeof error.message === "string" && /\bKMS\b/.test(error.message),
  };
}

function toFailureCode({ awsCode, status, networkCode, isAboutKms }: PublicParts, { operation }: AwsCall): FailureCode {
  if (networkCode !== undefined) return "unreachable";
  if (status !== undefined && status >= 500) return "aws-error";
  const code = awsCode === undefined ? undefined : codes[awsCode];
  if (code === undefined) {
    if (awsCode === undefined || status === undefined || status < 400) return "aws-response-invalid";
    return operation === "AssumeRole" ? "assume-role-rejected" : "secret-id-rejected";
  }
  if (code === "get-secret-value-denied") {
    if (operation === "AssumeRole") return "assume-role-denied";
    return isAboutKms ? "kms-denied" : code;
  }
  return code;
}

function toMessage(code: FailureCode, error: PublicParts, call: AwsCall): string {
  const what =
    call.operation === "AssumeRole"
      ? `AssumeRole of ${call.roleArn} in ${call.region}`
      : `GetSecretValue of ${call.secretId} in ${call.region} as ${call.roleArn}`;
  const aws = error.awsCode ?? (error.status === undefined ? "no usable answer" : `status ${error.status}`);
  switch (code) {
    case "kms-denied":
      return `${what} was refused because the secret's KMS key may not be used`;
    case "secret-not-found":
      return `${what} found no such secret, version or stage`;
    case "secret-deleted":
      return `${what} was refused: the secret is marked for deletion, or has no value`;
    case "throttled":
      return `${what} was throttled`;
    case "unreachable":
      return `${what} could not reach AWS (${error.networkCode})`;
    case "aws-response-invalid":
      return `${what} got an answer that is not AWS's`;
    default:
      return `${what} was refused (${aws})`;
  }
}

function toRemedy(code: FailureCode, { operation, roleArn, region, secretId }: AwsCall): string | undefined {
  switch (code) {
    case "assume-role-denied":
      return `both sides must agree: the trust policy of ${roleArn} must name the function's execution role (and match its external ID or organization condition, if it has one), and the execution role's own policy must allow sts:AssumeRole on ${roleArn}`;
    case "assume-role-rejected":
      return `check what is sent with AssumeRole: the role's ARN, the external ID, the session name and the duration`;
    case "get-secret-value-denied":
      return `allow ${roleArn} secretsmanager:GetSecretValue on the secret's ARN, ending in -?????? for the six characters that AWS appends; AWS says the same when no secret of that name is in that account and region, so check ${secretId} and ${region} too`;
    case "kms-denied":
      return `allow ${roleArn} kms:Decrypt and kms:DescribeKey in the key's policy and in its own, and see that the key is enabled`;
    case "secret-not-found":
      return `check the name, the version and the region ${region}; the secret must be in the account of ${roleArn}`;
    case "secret-deleted":
      return "restore the secret with aws secretsmanager restore-secret, or put a value into it";
    case "unreachable":
    case "timeout":
      return `a function in a VPC needs a NAT gateway, or interface endpoints for ${operation === "AssumeRole" ? "sts" : "secretsmanager"} in ${region}, and a security group that lets it reach them`;
    case "signature-invalid":
      return "check the clock of this machine";
    default:
      return undefined;
  }
}

/** What a call that outlives its deadline fails with. */
export function toTimeout(call: AwsCall): Failure {
  const what = call.operation === "AssumeRole" ? `AssumeRole of ${call.roleArn}` : `GetSecretValue of ${call.secretId}`;
  return new Failure("timeout", `${what} in ${call.region} got no answer in time`, {
    remedy: toRemedy("timeout", call),
  });
}
