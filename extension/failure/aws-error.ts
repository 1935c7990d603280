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

/**
 * What a text is about, where AWS's code does not tell. The first topic that matches counts. KMS's words reach us in the texts
 * of Secrets Manager and SSM. test/unit/failure/aws-texts.test.ts has the whole texts, and where each was seen.
 */
const TOPICS = [
  ["clock", /\bSignature (expired|not yet current)\b/],
  // The endpoint is for another region or service than the request was signed for.
  ["endpoint", /\bscoped to (a valid region|correct service)\b/],
  ["root user", /\bassumed by root accounts\b/],
  // States of a key: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
  ["key disabled", /:key\/\S+ is disabled\b|\bError Code: DisabledException\b/],
  ["key pending deletion", /:key\/\S+ is pending (replica )?deletion\b/],
  ["key pending import", /:key\/\S+ is pending import\b/],
  ["key in another state", /:key\/\S+ is (unavailable|creating|updating)\b|\bError Code: KMSInvalidStateException\b/],
  ["key absent", /\bKey '?arn:\S+ does not exist\b|\bAlias arn:\S+ is not found\b|\bInvalid keyId\b/],
  ["key throttled", /\brate at which you may call KMS\b/],
  ["key of an old version", /\bversion of secret is not encrypted with the current KMS key\b/],
  ["default key", /\bdefault KMS service key\b/],
  // Secrets Manager says no more than this if KMS denies.
  ["key", /\bAccess to KMS\b|\bperform: kms:|\(Service: (AWSKMS|Kms)\b/],
  // The secret exists, but the version or stage does not.
  ["version", /\bsecret value for\b/],
  ["stage of another version", /\bVersionStage that is not associated\b/],
  // What AssumeRole was sent, and STS does not accept.
  ["role ARN", /\bRequest ARN is invalid\b|(^|: )\S+ is invalid\b|\bat 'roleArn'/],
  ["external ID", /\bat 'externalId'/],
  ["session name", /\bat 'roleSessionName'/],
  ["source identity", /\bat 'sourceIdentity'/],
  ["duration", /\bat 'durationSeconds'|\brequested DurationSeconds exceeds\b/],
  ["tags", /\btag keys?\b|\bsize of session tags\b|\bat 'tags\b/i],
  ["session policy", /^(PackedPolicyTooLarge|MalformedPolicyDocument)|\bat 'policy'/],
] as const satisfies readonly (readonly [string, RegExp])[];
export type Topic = (typeof TOPICS)[number][0];

/** What the text of AWS's error says, with the code before it. */
export interface Denial {
  /** Undefined if AWS does not name the caller, or names neither a role's session nor a user. */
  readonly caller: Caller | undefined;
  /** The action that was denied, such as `sts:TagSession`. */
  readonly action: string | undefined;
  /** A policy denies it explicitly. Otherwise, no policy allows it. */
  readonly isExplicit: boolean;
  /** Undefined across accounts, where AWS does not name it. */
  readonly policyType: PolicyType | undefined;
  /** What else the text is about. */
  readonly topic: Topic | undefined;
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
    denial: parseDenial(`${isCode ? `${name}: ` : ""}${typeof message === "string" ? message : ""}`),
    isAbort: name === "AbortError" || name === "TimeoutError",
  };
}

/** Matches the whole ARN or nothing: a user's path may hold other characters, and half a path names another user. */
const CALLER = /\bUser: arn:(aws[a-z-]{0,20}):(?:sts|iam)::(\d{12}):(assumed-role|user)\/([\w+=,.@/-]{1,600})(?=\s|$)/;
const ACTION = /\bnot authorized to perform: ((?:sts|secretsmanager|ssm|kms):[A-Za-z]{1,64})\b/;
const EXPLICIT = /\bwith an explicit deny\b/;

export function parseDenial(text: string): Denial {
  return {
    caller: toCaller(text),
    action: ACTION.exec(text)?.[1],
    isExplicit: EXPLICIT.test(text),
    policyType: policyTypes.find(
      (type) => text.includes(` no ${type} allows`) || /deny in (?:an?|the) (.*)/.exec(text)?.[1]?.startsWith(type),
    ),
    topic: TOPICS.find(([, words]) => words.test(text))?.[0],
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
