/**
 * From AWS's refusal to a cause, a message and a remedy. Pure.
 *
 * Only AWS's error code, HTTP status, request id and the network's error code are read. AWS's own text is read by
 * nobody but this file, and is not repeated: it is not ours to vouch for what stands in it.
 */
import { Failure, type FailureCode } from "./errors.ts";
import { toRemedy } from "./remedies.ts";

/** What was asked of AWS, in public terms. */
export interface AwsCall {
  readonly operation: "AssumeRole" | "GetSecretValue" | "GetParameter";
  readonly roleArn: string;
  readonly region: string;
  /** Of the secret or parameter. */
  readonly id?: string;
}

/** AWS's codes, as the "Common Errors" pages of both services list them. */
const commonCodes: Readonly<Record<string, FailureCode>> = {
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
  RequestAbortedException: "aws-error",
  RequestTimeoutException: "aws-error",
};

/** What else a service says; anything that is not here is a request that it does not accept. */
const codesOf: Readonly<Record<AwsCall["operation"], Readonly<Record<string, FailureCode>>>> = {
  AssumeRole: {
    AccessDenied: "assume-role-denied",
    AccessDeniedException: "assume-role-denied",
    NotAuthorized: "assume-role-denied",
    RegionDisabledException: "region-disabled",
  },
  GetSecretValue: {
    AccessDenied: "get-secret-value-denied",
    AccessDeniedException: "get-secret-value-denied",
    NotAuthorized: "get-secret-value-denied",
    DecryptionFailure: "kms-denied",
    ResourceNotFoundException: "secret-not-found",
    InvalidRequestException: "secret-deleted",
  },
  GetParameter: {
    AccessDenied: "get-parameter-denied",
    AccessDeniedException: "get-parameter-denied",
    NotAuthorized: "get-parameter-denied",
    InvalidKeyId: "kms-denied",
    ParameterNotFound: "parameter-not-found",
    ParameterVersionNotFound: "parameter-not-found",
  },
};

const rejectedCodes: Readonly<Record<AwsCall["operation"], FailureCode>> = {
  AssumeRole: "assume-role-rejected",
  GetSecretValue: "secret-id-rejected",
  GetParameter: "parameter-rejected",
};

/** What Node's sockets, resolver and TLS say: https://nodejs.org/api/errors.html#common-system-errors */
const NETWORK_CODE = /^(E(?!RR_)[A-Z_]{3,30}|ERR_(SSL|TLS|OSSL|SOCKET)_[A-Z0-9_]{1,60})$/;
/** And Node's copy of OpenSSL's: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_CODE =
  /^(((CERT|CRL|DEPTH|SELF_SIGNED|UNABLE_TO|HOSTNAME|INVALID)_[A-Z_]{1,60})|ERR_TLS_CERT_[A-Z_]{1,60})$/;

/** How AWS says that it is the key: the last as Parameter Store hands on KMS's own refusal. */
const KMS_TEXT = /\bAccess to KMS\b|\bperform: kms:|\(Service: (AWSKMS|Kms)\b/;

export function diagnose(thrown: unknown, call: AwsCall): Failure {
  if (thrown instanceof Failure) return thrown;
  const error = toPublicParts(thrown);
  const code = toFailureCode(error, call);
  return new Failure(code, toMessage(code, error, call), {
    remedy: toRemedy(code, call, error.networkCode !== undefined && CERTIFICATE_CODE.test(error.networkCode)),
    requestId: error.requestId,
    awsCode: error.awsCode,
  });
}

interface PublicParts {
  readonly awsCode: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly networkCode: string | undefined;
  readonly isServerFault: boolean;
  readonly isAboutKms: boolean;
  readonly isAbort: boolean;
}

function toPublicParts(thrown: unknown): PublicParts {
  const error = (thrown ?? {}) as {
    name?: unknown;
    message?: unknown;
    code?: unknown;
    cause?: { code?: unknown };
    $fault?: unknown;
    $metadata?: { httpStatusCode?: number; requestId?: unknown } | null;
  };
  const { name, message } = error;
  const { httpStatusCode: status, requestId } = error.$metadata ?? {};
  const networkCode = [error.code, error.cause?.code, name].find(
    (code): code is string => typeof code === "string" && (NETWORK_CODE.test(code) || CERTIFICATE_CODE.test(code)),
  );
  // "Unknown" is the SDK's word for an answer without a code, as a proxy gives.
  const isCode = error.$fault !== undefined && typeof name === "string" && /^[A-Za-z]{1,64}$/.test(name);
  return {
    awsCode: isCode && name !== "Unknown" ? name : undefined,
    status,
    requestId: typeof requestId === "string" && /^[\w-]{1,64}$/.test(requestId) ? requestId : undefined,
    networkCode,
    isServerFault: error.$fault === "server" || (status ?? 0) >= 500,
    isAboutKms: typeof message === "string" && KMS_TEXT.test(message),
    isAbort: name === "AbortError" || name === "TimeoutError",
  };
}

function toFailureCode(error: PublicParts, { operation }: AwsCall): FailureCode {
  const { awsCode, status } = error;
  if (error.networkCode !== undefined) return "unreachable";
  if (error.isAbort) return "timeout";
  if (awsCode !== undefined && commonCodes[awsCode] !== undefined) return commonCodes[awsCode];
  if (status === 429) return "throttled";
  if (error.isServerFault) return "aws-error";
  if (awsCode === undefined || status === undefined || status < 400) return "aws-response-invalid";
  const code = codesOf[operation][awsCode];
  if ((code === "get-secret-value-denied" || code === "get-parameter-denied") && error.isAboutKms) return "kms-denied";
  return code ?? rejectedCodes[operation];
}

function toMessage(code: FailureCode, error: PublicParts, call: AwsCall): string {
  const what = toPhrase(call);
  switch (code) {
    case "kms-denied":
      return `${what} was refused because its KMS key may not be used`;
    case "secret-not-found":
      return `${what} found no such secret, version or stage`;
    case "parameter-not-found":
      return `${what} found no such parameter, version or label`;
    case "secret-deleted":
      return `${what} was refused: the secret is marked for deletion, or has no such value`;
    case "throttled":
      return `${what} was throttled`;
    case "aws-error":
      return `${what} failed at AWS (${error.awsCode ?? `status ${error.status}`})`;
    case "unreachable":
      return `${what} could not reach AWS (${error.networkCode})`;
    case "timeout":
      return `${what} got no answer in time`;
    case "aws-response-invalid":
      return `${what} got an answer that is not AWS's${error.status === undefined ? "" : ` (status ${error.status})`}`;
    default:
      return `${what} was refused (${error.awsCode})`;
  }
}

function toPhrase({ operation, roleArn, region, id }: AwsCall): string {
  if (operation === "AssumeRole") return `AssumeRole of ${roleArn} in ${region}`;
  return `${operation} of ${id} in ${region} as ${roleArn}`;
}

/** What a call that outlives its deadline fails with. */
export function toTimeout(call: AwsCall): Failure {
  return diagnose({ name: "TimeoutError" }, call);
}
