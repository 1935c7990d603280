import type { AssumeRoleWishes, Caller } from "./statements.ts";

/**
 * What AWS's own text tells of a refusal, as public facts: who was refused what, and by which policy. Nothing else of the
 * text goes on from here. Pure.
 *
 * The form of these texts: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */

/** The kinds of policies that AWS names. */
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

export interface Denial {
  /** Undefined where AWS does not say, or says it of something that is neither a role's session nor a user. */
  readonly caller: Caller | undefined;
  /** What was to be allowed, such as `sts:TagSession`. */
  readonly action: string | undefined;
  /** A policy forbids it, rather than that none allows it. */
  readonly isExplicit: boolean;
  /** Across accounts AWS does not say. */
  readonly policyType: PolicyType | undefined;
  /** Secrets Manager says nothing but this where KMS refuses; Parameter Store hands on KMS's own refusal. */
  readonly isAboutKms: boolean;
  /** The key is there, and cannot be used by anybody. */
  readonly isKeyUnusable: boolean;
  /** It is the account's own key for Secrets Manager, which other accounts may not use. */
  readonly isDefaultKey: boolean;
  /** The secret is there, and the version or stage is not. */
  readonly isAboutVersion: boolean;
  readonly isAboutClock: boolean;
}

/** Whole or not at all: a user's path may hold other characters, and half of it is another user. */
const CALLER = /\bUser: arn:(aws[a-z-]{0,20}):(?:sts|iam)::(\d{12}):(assumed-role|user)\/([\w+=,.@/-]{1,600})(?=\s|$)/;
const ACTION = /\bnot authorized to perform: ((?:sts|secretsmanager|ssm|kms):[A-Za-z]{1,64})\b/;
const EXPLICIT = /\bwith an explicit deny\b/;
const KMS = /\bAccess to KMS\b|\bperform: kms:|\(Service: (AWSKMS|Kms)\b/;
/** What KMS says of a key, and what it calls that: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html */
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

/** A session's ARN has the role's name, without its path, and the session's. A user's has all of it. */
export function toCaller(text: string): Caller | undefined {
  const [, partition, accountId, kind, rest] = CALLER.exec(text) ?? [];
  if (partition === undefined || accountId === undefined || rest === undefined) return undefined;
  if (kind === "assumed-role") {
    return { partition, accountId, kind: "role", name: rest.split("/")[0] ?? "", path: undefined };
  }
  const slash = rest.lastIndexOf("/") + 1;
  return { partition, accountId, kind: "user", name: rest.slice(slash), path: `/${rest.slice(0, slash)}` };
}

/** What an error of the SDK, of a socket or of TLS tells, as public facts: codes, a status, an id, and what denial.ts finds. Pure. */

/** What Node's sockets, resolver and TLS say: https://nodejs.org/api/errors.html#common-system-errors */
const NETWORK_CODE = /^(E(?!RR_)[A-Z_]{3,30}|ERR_(SSL|TLS|OSSL|SOCKET)_[A-Z0-9_]{1,60})$/;
/** And Node's copy of OpenSSL's: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_CODE =
  /^(((CERT|CRL|DEPTH|SELF_SIGNED|UNABLE_TO|HOSTNAME|INVALID)_[A-Z_]{1,60})|ERR_TLS_CERT_[A-Z_]{1,60})$/;

/** What may be told of an error that is not ours. */
export interface Refusal {
  readonly awsCode: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly networkCode: string | undefined;
  readonly isAboutCertificate: boolean;
  readonly isServerFault: boolean;
  readonly denial: Denial;
  readonly isAbort: boolean;
}

export function parseRefusal(thrown: unknown): Refusal {
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
    isAboutCertificate: networkCode !== undefined && CERTIFICATE_CODE.test(networkCode),
    isServerFault: error.$fault === "server" || (status ?? 0) >= 500,
    denial: parseDenial(typeof message === "string" ? message : ""),
    isAbort: name === "AbortError" || name === "TimeoutError",
  };
}

/** What was asked of AWS, in public terms. */
export interface AwsCall extends AssumeRoleWishes {
  readonly operation: "AssumeRole" | "GetCallerIdentity" | "GetSecretValue" | "GetParameter";
  /** The target role: the one that is assumed, or that asks. */
  readonly roleArn: string;
  readonly region: string;
  /** Of the secret or parameter. */
  readonly id?: string;
}
