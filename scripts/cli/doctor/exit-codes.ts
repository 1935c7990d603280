/** The one table from cause to exit code. Which causes there are, and that none is left out, the type checker knows. Pure. */

import type { FailureCode, failureTable } from "../../../extension/failure/failure.ts";
import { BUG } from "../world.ts";

/** What AWS, or the way to it, may be the cause of: all but the mistakes of a layer's callers, and our own. */
type Cause = {
  [C in FailureCode]: (typeof failureTable)[C]["category"] extends "caller" | "internal" ? never : C;
}[FailureCode];

/** In tens by where one has to look. Scripts rely on them: a number, once given, keeps its meaning. */
export const exitCodes = {
  // one's own credentials
  "credentials-missing": 10,
  "credentials-unavailable": 11,
  "credentials-expired": 12,
  "credentials-invalid": 13,
  "signature-invalid": 14,
  "clock-skewed": 15,
  // the two sides of AssumeRole
  "assume-role-denied": 20,
  "tag-session-denied": 21,
  "source-identity-denied": 22,
  "assume-role-rejected": 23,
  "region-disabled": 24,
  "explicit-deny": 25,
  // what the role, or its key, may do
  "get-secret-value-denied": 30,
  "get-parameter-denied": 31,
  "kms-denied": 32,
  "kms-key-unusable": 33,
  "kms-default-key": 34,
  // what is there
  "secret-not-found": 40,
  "secret-version-not-found": 41,
  "secret-deleted": 42,
  "secret-id-rejected": 43,
  "parameter-not-found": 44,
  "parameter-rejected": 45,
  // the way to AWS
  unreachable: 50,
  timeout: 51,
  throttled: 52,
  "aws-error": 53,
  "aws-response-invalid": 54,
} as const satisfies Record<Cause, number>;

const codes: Partial<Record<FailureCode, number>> = exitCodes;

export const toExitCode = (code: FailureCode): number => codes[code] ?? BUG;
