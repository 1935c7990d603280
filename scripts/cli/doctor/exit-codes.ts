/** The table of exit codes. The type checker makes sure that it has every cause, and no other. Pure. */

import type { FailureCode, failureTable } from "../../../extension/failure/failure.ts";
import { BUG } from "../world.ts";

/** All failures except mistakes in local requests, and bugs. */
type Cause = {
  [C in FailureCode]: (typeof failureTable)[C]["category"] extends "caller" | "internal" ? never : C;
}[FailureCode];

/** Each group of ten has one place to look. Scripts rely on the numbers, so a number never changes its meaning. */
export const exitCodes = {
  // the caller's own credentials
  "credentials-missing": 10,
  "credentials-unavailable": 11,
  "credentials-expired": 12,
  "credentials-invalid": 13,
  "signature-invalid": 14,
  "clock-skewed": 15,
  "endpoint-mismatch": 16,
  // the two sides of AssumeRole
  "assume-role-denied": 20,
  "tag-session-denied": 21,
  "source-identity-denied": 22,
  "assume-role-rejected": 23,
  "region-disabled": 24,
  "explicit-deny": 25,
  "account-not-active": 26,
  // the permissions of the role and of the key
  "get-secret-value-denied": 30,
  "get-parameter-denied": 31,
  "kms-denied": 32,
  "kms-key-unusable": 33,
  "kms-default-key": 34,
  "kms-key-not-found": 35,
  // the secret or parameter
  "secret-not-found": 40,
  "secret-version-not-found": 41,
  "secret-deleted": 42,
  "secret-id-rejected": 43,
  "parameter-not-found": 44,
  "parameter-rejected": 45,
  // the network and AWS
  unreachable: 50,
  timeout: 51,
  throttled: 52,
  "aws-error": 53,
  "aws-response-invalid": 54,
} as const satisfies Record<Cause, number>;

const codes: Partial<Record<FailureCode, number>> = exitCodes;

export const toExitCode = (code: FailureCode): number => codes[code] ?? BUG;
