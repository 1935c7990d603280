/**
 * Why a request can fail: one code for each cause, and one table that says what follows from it.
 *
 * We word every message ourselves, from fields that are known to be public. A Failure does not keep the error that led to
 * it: an SDK error holds AWS's whole response, and with it the session token.
 */

/** How long a failure is remembered, and so how long AWS is not asked again. The pause doubles with each failure. */
export interface BackOff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** Cuts each pause by up to a half at random, so that a fleet does not come back at once. */
  readonly isJittered: boolean;
}

/** What a failure is about, which decides how it is treated. */
interface Category {
  readonly category: "caller" | "absent" | "denied" | "credentials" | "unavailable" | "internal";
  /** Whether a value past its TTL may be served instead. A denial or a missing secret always ends a value. */
  readonly mayServeStale: boolean;
  /** Undefined: the failure is not remembered. */
  readonly backOff: BackOff | undefined;
}

interface FailureRow extends Category {
  /** The HTTP status of the reply. */
  readonly status: number;
  /** The `__type` of the reply: AWS's own name for the error, if AWS has one. */
  readonly type: string;
  /** How often a call to AWS is made before it fails for good; default: once. */
  readonly tries?: number;
  /** Upper limit of the first pause; it doubles with each try. A pause is random, up to that limit. */
  readonly pauseMs?: number;
}

const UNTIL_CHANGED: BackOff = { firstMs: 10_000, mostMs: 60_000, isJittered: false };
const UNTIL_BACK: BackOff = { firstMs: 500, mostMs: 15_000, isJittered: true };

/** The local request itself is wrong. */
const caller = { category: "caller", mayServeStale: false, backOff: undefined } as const satisfies Category;
/** AWS says that it does not exist. */
const absent = { category: "absent", mayServeStale: false, backOff: UNTIL_CHANGED } as const satisfies Category;
/** A policy in one of the two accounts forbids it. */
const denied = { category: "denied", mayServeStale: false, backOff: UNTIL_CHANGED } as const satisfies Category;
/** AWS does not accept the credentials. */
const credentials = { category: "credentials", mayServeStale: true, backOff: UNTIL_BACK } as const satisfies Category;
/** AWS cannot be reached, or not now. */
const unavailable = { category: "unavailable", mayServeStale: true, backOff: UNTIL_BACK } as const satisfies Category;
/** A bug in the extension. */
const internal = { category: "internal", mayServeStale: true, backOff: undefined } as const satisfies Category;

/**
 * An unsteady network is asked again at once; a throttled fleet must spread out and ask less:
 * https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
const NETWORK_TRIES = { tries: 3, pauseMs: 100 };
const THROTTLING_TRIES = { tries: 2, pauseMs: 1_000 };
/** After a wrong signature, the SDK's client has set its clock by AWS's. */
const SIGNATURE_TRIES = { tries: 3, pauseMs: 0 };

/** THE table. Its keys are the codes. */
export const failureTable = {
  "bad-token": { ...caller, status: 403, type: "BadToken" },
  "not-allowed": { ...caller, status: 403, type: "AccessDeniedException" },
  forwarded: { ...caller, status: 400, type: "ValidationException" },
  "foreign-host": { ...caller, status: 400, type: "ValidationException" },
  "invalid-request": { ...caller, status: 400, type: "ValidationException" },
  "unknown-path": { ...caller, status: 404, type: "UnknownOperationException" },
  "method-not-allowed": { ...caller, status: 405, type: "MethodNotAllowedException" },
  "request-too-slow": { ...caller, status: 408, type: "RequestTimeoutException" },
  "headers-too-large": { ...caller, status: 431, type: "HeadersTooLargeException" },
  "target-too-long": { ...caller, status: 414, type: "UriTooLongException" },
  "body-too-large": { ...caller, status: 413, type: "PayloadTooLargeException" },
  "too-many-connections": { ...caller, status: 429, type: "TooManyRequestsException" },
  "asked-too-often": { ...caller, status: 429, type: "TooManyRequestsException" },
  "key-not-found": { ...caller, status: 404, type: "ResourceNotFoundException" },
  disabled: { ...caller, status: 503, type: "Disabled" },

  "secret-not-found": { ...absent, status: 404, type: "ResourceNotFoundException" },
  "secret-version-not-found": { ...absent, status: 404, type: "ResourceNotFoundException" },
  "secret-deleted": { ...absent, status: 400, type: "InvalidRequestException" },
  "secret-id-rejected": { ...absent, status: 400, type: "InvalidParameterException" },
  "parameter-not-found": { ...absent, status: 404, type: "ResourceNotFoundException" },
  "parameter-rejected": { ...absent, status: 400, type: "InvalidParameterException" },

  "assume-role-denied": { ...denied, status: 403, type: "AccessDeniedException" },
  "tag-session-denied": { ...denied, status: 403, type: "AccessDeniedException" },
  "source-identity-denied": { ...denied, status: 403, type: "AccessDeniedException" },
  "assume-role-rejected": { ...denied, status: 403, type: "AccessDeniedException" },
  "region-disabled": { ...denied, status: 403, type: "AccessDeniedException" },
  "account-not-active": { ...denied, status: 403, type: "AccessDeniedException" },
  "get-secret-value-denied": { ...denied, status: 403, type: "AccessDeniedException" },
  "get-parameter-denied": { ...denied, status: 403, type: "AccessDeniedException" },
  "kms-denied": { ...denied, status: 403, type: "AccessDeniedException" },
  "kms-key-unusable": { ...denied, status: 403, type: "AccessDeniedException" },
  "kms-key-not-found": { ...denied, status: 403, type: "AccessDeniedException" },
  "kms-default-key": { ...denied, status: 403, type: "AccessDeniedException" },
  "explicit-deny": { ...denied, status: 403, type: "AccessDeniedException" },

  "credentials-missing": { ...credentials, status: 502, type: "UnrecognizedClientException" },
  // Lambda may block its credentials endpoint while it restores a snapshot.
  "credentials-unavailable": { ...credentials, status: 502, type: "UnrecognizedClientException", ...NETWORK_TRIES },
  "credentials-expired": { ...credentials, status: 502, type: "ExpiredTokenException" },
  "credentials-invalid": { ...credentials, status: 502, type: "UnrecognizedClientException" },
  "signature-invalid": { ...credentials, status: 502, type: "InvalidSignatureException", ...SIGNATURE_TRIES },
  "clock-skewed": { ...credentials, status: 502, type: "InvalidSignatureException", ...SIGNATURE_TRIES },
  "endpoint-mismatch": { ...credentials, status: 502, type: "InvalidSignatureException" },

  throttled: { ...unavailable, status: 429, type: "ThrottlingException", ...THROTTLING_TRIES },
  "aws-error": { ...unavailable, status: 502, type: "InternalServiceError", ...NETWORK_TRIES },
  "aws-response-invalid": { ...unavailable, status: 502, type: "ConnectionError", ...NETWORK_TRIES },
  unreachable: { ...unavailable, status: 503, type: "ConnectionError", ...NETWORK_TRIES },
  timeout: { ...unavailable, status: 504, type: "TimeoutError" },

  internal: { ...internal, status: 500, type: "InternalFailure" },
} as const satisfies Record<string, FailureRow>;

export type FailureCode = keyof typeof failureTable;

/** What follows from a failure. */
export const toFailureRow = ({ code }: Failure): FailureRow => failureTable[code];

/** An error whose message we worded ourselves, so that it may be logged. The message of any other may quote a secret. */
export class PublicError extends Error {}

/** What may be logged about anything that was thrown. */
export function toPublicText(thrown: unknown): string {
  if (thrown instanceof PublicError) return thrown.message;
  return `unexpected ${thrown instanceof Error ? thrown.constructor.name : typeof thrown}`;
}

export interface FailureDetails {
  /** What to change so that it works, if we know. */
  readonly remedy?: string | undefined;
  /** The policy statements that are missing. */
  readonly statements?: readonly object[] | undefined;
  /** AWS's own id of the refused request, which CloudTrail also has. */
  readonly requestId?: string | undefined;
  /** AWS's own error code, such as `AccessDenied`. */
  readonly awsCode?: string | undefined;
  /** The methods of a path, as HTTP's `Allow` header lists them. */
  readonly allow?: string | undefined;
  /** When the caller may ask again, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
}

export class Failure extends PublicError {
  readonly code: FailureCode;
  readonly details: FailureDetails;

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }

  withRetryAfter(retryAfterMs: number): Failure {
    return new Failure(this.code, this.message, { ...this.details, retryAfterMs });
  }
}

/** Anything thrown, as a Failure. What is not ours is a bug, and its text is dropped, since it may quote a secret. */
export function toFailure(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : new Failure("internal", "the extension has a bug and could not answer");
}
