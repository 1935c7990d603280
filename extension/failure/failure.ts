/**
 * Why a request can fail. One class with a stable code for each cause: `error-reply.ts` has the one table from code to
 * status, and the type checker sees to it that every code is in it.
 *
 * A message is worded by us, from fields known to be public. The error that led here is not kept: an SDK error holds
 * AWS's whole response, and with it the session token.
 */
export type FailureCode =
  // caller: the request itself is at fault
  | "bad-token"
  | "not-allowed"
  | "forwarded"
  | "foreign-host"
  | "invalid-request"
  | "unknown-path"
  | "method-not-allowed"
  | "request-too-slow"
  | "headers-too-large"
  | "target-too-long"
  | "body-too-large"
  | "too-many-connections"
  | "asked-too-often"
  | "key-not-found"
  // or there is nothing that it could ask
  | "disabled"
  // absent: AWS says that it is not there
  | "secret-not-found"
  | "secret-version-not-found"
  | "secret-deleted"
  | "secret-id-rejected"
  | "parameter-not-found"
  | "parameter-rejected"
  // denied: one of the policies in the two accounts forbids it
  | "assume-role-denied"
  | "tag-session-denied"
  | "source-identity-denied"
  | "assume-role-rejected"
  | "region-disabled"
  | "get-secret-value-denied"
  | "get-parameter-denied"
  | "kms-denied"
  | "kms-key-unusable"
  | "kms-default-key"
  | "explicit-deny"
  // credentials: AWS does not accept who we say we are
  | "credentials-missing"
  | "credentials-unavailable"
  | "credentials-expired"
  | "credentials-invalid"
  | "signature-invalid"
  | "clock-skewed"
  // unavailable: AWS cannot be reached, or not now
  | "throttled"
  | "aws-error"
  | "aws-response-invalid"
  | "unreachable"
  | "timeout"
  // ours: a bug
  | "internal";

/** An error whose message we worded, so that it may be logged. Any other's may quote a secret. */
export class PublicError extends Error {}

/** What may be said of anything thrown. */
export function toPublicText(thrown: unknown): string {
  if (thrown instanceof PublicError) return thrown.message;
  return `unexpected ${thrown instanceof Error ? thrown.constructor.name : typeof thrown}`;
}

export interface FailureDetails {
  /** What to change so that it works, where we know. */
  readonly remedy?: string | undefined;
  /** What has to stand in which policy for it to work. */
  readonly statements?: readonly object[] | undefined;
  /** AWS's own id of the refused request, to be found in CloudTrail. */
  readonly requestId?: string | undefined;
  /** AWS's own error code, such as `AccessDenied`. */
  readonly awsCode?: string | undefined;
  /** The methods that are known where another was used, as HTTP's `Allow` lists them. */
  readonly allow?: string | undefined;
  /** When to ask again at the earliest, in milliseconds from now. */
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

/** Anything thrown, as a Failure. What is not ours is a bug of ours, and its text may quote a secret: it is dropped. */
export function toFailure(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : new Failure("internal", "the extension failed at this request");
}
