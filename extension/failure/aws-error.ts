/**
 * A call to AWS in public terms, and what AWS's error says about it, as public facts. No other text of an error is used:
 * we cannot vouch for what it contains. Pure.
 *
 * How AWS words a denial: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
import type { AssumeRoleOptions, Caller } from "./statements.ts";

/** What AWS was asked. */
export interface AwsCall extends AssumeRoleOptions {
  readonly operation: "AssumeRole" | "GetCallerIdentity" | "GetSecretValue" | "GetParameter";
  /** The target role: the one to assume, or the one that makes the call. */
  readonly roleArn: string;
  readonly region: string;
  /** The id of the secret or parameter. */
  readonly id?: string;
}

/** What may be told about an error that is not ours. */
export interface AwsErrorFacts {
  readonly awsCode: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly networkCode: string | undefined;
  readonly isAboutCertificate: boolean;
  readonly isServerFault: boolean;
  readonly denial: Denial;
  readonly isAbort: boolean;
}

/** The types of policies that AWS names in a denial. */
export const policyTypes = [
  "identity-based policy",
  "resource-based policy",
  "role trust policy",
  "permissions boundary",
  "service control policy",
  "resource control policy",
  "session policy",
  "VPC endpoint policy",
] as const;
export type PolicyType = (typeof policyTypes)[number];

/** What the text of AWS's error says. */
export interface Denial {
  /** Undefined if AWS does not name the caller, or names neither a role's session nor a user. */
  readonly caller: Caller | undefined;
  /** The action that was denied, such as `sts:TagSession`. */
  readonly action: string | undefined;
  /** A policy denies it explicitly. Otherwise, no policy allows it. */
  readonly isExplicit: boolean;
  /** Undefined across accounts, where AWS does not name it. */
  readonly policyType: PolicyType | undefined;
  /** Secrets Manager says no more than this if KMS denies; Parameter Store passes on KMS's own text. */
  readonly isAboutKms: boolean;
  /** The key exists, but cannot be used by any caller. */
  readonly isKeyUnusable: boolean;
  /** The key is the account's default key for Secrets Manager, which other accounts cannot use. */
  readonly isDefaultKey: boolean;
  /** The secret exists, but the version or stage does not. */
  readonly isAboutVersion: boolean;
  readonly isAboutClock: boolean;
}

/** Codes of Node's sockets, resolver and TLS: https://nodejs.org/api/errors.html#common-system-errors */
const NETWORK_CODE = /^(E(?!RR_)[A-Z_]{3,30}|ERR_(SSL|TLS|OSSL|SOCKET)_[A-Z0-9_]{1,60})$/;
/** Node's copy of OpenSSL's codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_CODE =
  /^(((CERT|CRL|DEPTH|SELF_SIGNED|UNABLE_TO|HOSTNAME|INVALID)_[A-Z_]{1,60})|ERR_TLS_CERT_[A-Z_]{1,60})$/;

export function parseAwsError(thrown: unknown): AwsErrorFacts {
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
  // The SDK says "Unknown" about an answer without a code, such as a proxy's.
  const isCode = error.$fault !== undefined && typeof name === "string" && /^[A-Za-z]{1,64}$/.test(name);
  return {
    awsCode: isCode && name !== "Unknown" ? name : undefined,
    status,
    requestId: typeof requestId === "string" && /^[\w-]{1,64}$/.test(requestId) ? requestId : undefined,
    networkCode,
    isAboutCertificate: networkCode !== undefined && CERTIFICATE_CODE.test(networkCode),
    isServerFault: error.$fault === "server" || (status ?? 0) >= 500,
    denial: parseDenial(typeof message === "string" ? message : ""),
    isAbort: name === "AbortError" || name === "TimeoutError",
  };
}

/** Matches the whole ARN or nothing: a user's path may hold other characters, and half a path names another user. */
const CALLER = /\bUser: arn:(aws[a-z-]{0,20}):(?:sts|iam)::(\d{12}):(assumed-role|user)\/([\w+=,.@/-]{1,600})(?=\s|$)/;
const ACTION = /\bnot authorized to perform: ((?:sts|secretsmanager|ssm|kms):[A-Za-z]{1,64})\b/;
const EXPLICIT = /\bwith an explicit deny\b/;
const KMS = /\bAccess to KMS\b|\bperform: kms:|\(Service: (AWSKMS|Kms)\b/;
/** KMS's words for the state of a key: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html */
const KEY_STATE = /:key\/\S+ is (disabled|pending)\b|\bError Code: (Disabled|KMSInvalidState)Exception\b/;
const DEFAULT_KEY = /\bdefault KMS service key\b/;
const VERSION = /\bsecret value for\b/;
const CLOCK = /\bSignature (expired|not yet current)\b/;

export function parseDenial(text: string): Denial {
  return {
    caller: toCaller(text),
    action: ACTION.exec(text)?.[1],
    isExplicit: EXPLICIT.test(text),
    policyType: policyTypes.find(
      (type) => text.includes(` no ${type} allows`) || /deny in (?:an?|the) (.*)/.exec(text)?.[1]?.startsWith(type),
    ),
    isAboutKms: KMS.test(text),
    isKeyUnusable: KEY_STATE.test(text),
    isDefaultKey: DEFAULT_KEY.test(text),
    isAboutVersion: VERSION.test(text),
    isAboutClock: CLOCK.test(text),
  };
}

/** A session's ARN has the role's name without its path. A user's ARN has the path. */
export function toCaller(text: string): Caller | undefined {
  const [, partition, accountId, type, rest] = CALLER.exec(text) ?? [];
  if (partition === undefined || accountId === undefined || rest === undefined) return undefined;
  if (type === "assumed-role") {
    return { partition, accountId, type: "role", name: rest.split("/")[0] ?? "", path: undefined };
  }
  const slash = rest.lastIndexOf("/") + 1;
  return { partition, accountId, type: "user", name: rest.slice(slash), path: `/${rest.slice(0, slash)}` };
}
