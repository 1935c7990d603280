import type { Failure, FailureCode } from "./errors.ts";
import type { BackOff } from "./failure-memory.ts";
import { type Reply, toJsonReply } from "./reply.ts";

/** Whose fault a failure is, which decides what may be done about it. */
export type FailureKind = "caller" | "absent" | "denied" | "credentials" | "unavailable" | "ours";

interface Row {
  readonly kind: FailureKind;
  readonly status: number;
  /** The `__type` of the reply: AWS's own name for it where AWS has one. */
  readonly type: string;
}

/** The one table from cause to reply. `satisfies` makes a code without a row a type error. */
export const errorTable = {
  "bad-token": { kind: "caller", status: 403, type: "BadToken" },
  "not-allowed": { kind: "caller", status: 403, type: "AccessDeniedException" },
  forwarded: { kind: "caller", status: 400, type: "ValidationException" },
  "foreign-host": { kind: "caller", status: 400, type: "ValidationException" },
  "invalid-request": { kind: "caller", status: 400, type: "ValidationException" },
  "unknown-path": { kind: "caller", status: 404, type: "UnknownOperationException" },
  "method-not-allowed": { kind: "caller", status: 405, type: "MethodNotAllowedException" },
  "request-too-slow": { kind: "caller", status: 408, type: "RequestTimeoutException" },
  "headers-too-large": { kind: "caller", status: 431, type: "HeadersTooLargeException" },
  "target-too-long": { kind: "caller", status: 414, type: "UriTooLongException" },
  "body-too-large": { kind: "caller", status: 413, type: "PayloadTooLargeException" },
  "too-many-connections": { kind: "caller", status: 429, type: "TooManyRequestsException" },
  "asked-too-often": { kind: "caller", status: 429, type: "TooManyRequestsException" },
  "key-not-found": { kind: "caller", status: 404, type: "ResourceNotFoundException" },
  disabled: { kind: "caller", status: 503, type: "Disabled" },

  "secret-not-found": { kind: "absent", status: 404, type: "ResourceNotFoundException" },
  "secret-version-not-found": { kind: "absent", status: 404, type: "ResourceNotFoundException" },
  "secret-deleted": { kind: "absent", status: 400, type: "InvalidRequestException" },
  "parameter-not-found": { kind: "absent", status: 404, type: "ResourceNotFoundException" },
  "parameter-rejected": { kind: "absent", status: 400, type: "InvalidParameterException" },
  "secret-id-rejected": { kind: "absent", status: 400, type: "InvalidParameterException" },

  "assume-role-denied": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "tag-session-denied": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "source-identity-denied": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "assume-role-rejected": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "region-disabled": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "get-secret-value-denied": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "get-parameter-denied": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "kms-denied": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "kms-key-unusable": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "kms-default-key": { kind: "denied", status: 403, type: "AccessDeniedException" },
  "explicit-deny": { kind: "denied", status: 403, type: "AccessDeniedException" },

  "credentials-missing": { kind: "credentials", status: 502, type: "UnrecognizedClientException" },
  "credentials-unavailable": { kind: "credentials", status: 502, type: "UnrecognizedClientException" },
  "credentials-expired": { kind: "credentials", status: 502, type: "ExpiredTokenException" },
  "credentials-invalid": { kind: "credentials", status: 502, type: "UnrecognizedClientException" },
  "signature-invalid": { kind: "credentials", status: 502, type: "InvalidSignatureException" },
  "clock-skewed": { kind: "credentials", status: 502, type: "InvalidSignatureException" },

  throttled: { kind: "unavailable", status: 429, type: "ThrottlingException" },
  "aws-error": { kind: "unavailable", status: 502, type: "InternalServiceError" },
  "aws-response-invalid": { kind: "unavailable", status: 502, type: "ConnectionError" },
  unreachable: { kind: "unavailable", status: 503, type: "ConnectionError" },
  timeout: { kind: "unavailable", status: 504, type: "TimeoutError" },

  internal: { kind: "ours", status: 500, type: "InternalFailure" },
} as const satisfies Record<FailureCode, Row>;

/** What a kind of failure allows. */
export interface Policy {
  /** May a value past its TTL be served instead? Never to paper over a denial, or over a secret that is gone. */
  readonly mayServeStale: boolean;
  /** How long it is remembered; undefined: not at all. */
  readonly backOff: BackOff | undefined;
}

const untilMended: BackOff = { firstMs: 10_000, mostMs: 60_000, isJittered: false };
const untilBack: BackOff = { firstMs: 500, mostMs: 15_000, isJittered: true };

const policies: Record<FailureKind, Policy> = {
  caller: { mayServeStale: false, backOff: undefined },
  absent: { mayServeStale: false, backOff: untilMended },
  denied: { mayServeStale: false, backOff: untilMended },
  credentials: { mayServeStale: true, backOff: untilBack },
  unavailable: { mayServeStale: true, backOff: untilBack },
  ours: { mayServeStale: true, backOff: undefined },
};

export const toStatusCode = ({ code }: Failure): number => errorTable[code].status;

export const toPolicy = ({ code }: Failure): Policy => policies[errorTable[code].kind];

/** The answer that a failure becomes: `{"__type","message","cause"[,"remedy"][,"statements"][,"requestId"]}`. */
export function toErrorReply({ code, message, details }: Failure): Reply {
  const { status, type } = errorTable[code];
  const { remedy, statements, requestId, allow, retryAfterMs } = details;
  const headers = {
    ...(allow === undefined ? {} : { Allow: allow }),
    ...(retryAfterMs === undefined ? {} : { "Retry-After": String(Math.ceil(retryAfterMs / 1_000)) }),
  };
  return toJsonReply(status, { __type: type, message, cause: code, remedy, statements, requestId }, headers);
}
