import type { ParameterValue } from "../aws/parameters.ts";
import type { SecretValue } from "../aws/secrets.ts";
import type { Cached } from "../cache/cache.ts";
import type { BackOff } from "../cache/failure-memory.ts";
import { rememberObjects } from "../cache/memoize.ts";
import { Failure, type FailureCode } from "../failure/failure.ts";
import type { Named } from "../values/source.ts";

/** From a secret to the answer that holds it, in each of the forms that callers know. Pure. */

export type CachedSecret = Cached<SecretValue>;

/** The body of AWS's own Parameters and Secrets Lambda extension: every key is always there, in its order. */
const toExtensionBody = rememberObjects((value: SecretValue) =>
  JSON.stringify({
    ARN: value.arn,
    CreatedDate: value.createdDate.toISOString(),
    Name: value.name,
    SecretBinary: value.secretBinary === undefined ? null : Buffer.from(value.secretBinary).toString("base64"),
    SecretString: value.secretString ?? null,
    VersionId: value.versionId,
    VersionStages: value.versionStages,
    ResultMetadata: {},
  }),
);

export const toExtensionReply = (secret: CachedSecret): Reply =>
  toReply(200, "application/json", toExtensionBody(secret.value), toCacheHeaders(secret));

/** The body of AWS's agent (Workload Credentials Provider): what is not there is left out, and the date is in seconds. */
const toAgentBody = rememberObjects((value: SecretValue) =>
  JSON.stringify({
    ARN: value.arn,
    Name: value.name,
    VersionId: value.versionId,
    SecretString: value.secretString,
    SecretBinary: value.secretBinary === undefined ? undefined : Buffer.from(value.secretBinary).toString("base64"),
    VersionStages: value.versionStages.length > 0 ? value.versionStages : undefined,
    CreatedDate: String(value.createdDate.getTime() / 1_000),
  }),
);

export const toAgentReply = (secret: CachedSecret): Reply =>
  toReply(200, "application/json", toAgentBody(secret.value), toCacheHeaders(secret));

/** The bare value as stored, or one field of it. */
export function toBareReply(secret: CachedSecret, key: string | undefined): Reply {
  const headers = toCacheHeaders(secret);
  const { secretString, secretBinary } = secret.value;
  if (key !== undefined) {
    const field = pick(secret.value, key);
    const text = typeof field === "string" ? field : JSON.stringify(field);
    return toReply(200, toTextType(field), text, headers);
  }
  if (secretBinary !== undefined) return toReply(200, "application/octet-stream", secretBinary, headers);
  return toReply(200, toBareType(secret.value), secretString ?? "", headers);
}

const toBareType = rememberObjects(({ secretString }: SecretValue) => toTextType(parseJson(secretString ?? "")));

const toTextType = (content: unknown): string =>
  typeof content === "object" && content !== null && !isRawNumber(content)
    ? "application/json"
    : "text/plain; charset=utf-8";

function pick({ name, secretString }: SecretValue, key: string): unknown {
  const content = secretString === undefined ? undefined : parseJson(secretString);
  if (typeof content !== "object" || content === null || isRawNumber(content)) {
    throw new Failure("invalid-request", `key needs a secret that is a JSON object or array, which ${name} is not`);
  }
  let field: unknown = content;
  for (const step of toSteps(key)) {
    if (!hasField(field, step)) {
      throw new Failure("key-not-found", `${name} has no field ${JSON.stringify(key.slice(0, 64))}`);
    }
    field = field[step];
  }
  return field;
}

/** Own properties only: "constructor" is a field of no secret that does not say so; of an array, its members only. */
function hasField(value: unknown, step: string): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || isRawNumber(value)) return false;
  return Object.hasOwn(value, step) && (!Array.isArray(value) || /^(0|[1-9]\d*)$/.test(step));
}

/** A JSON Pointer's steps (https://www.rfc-editor.org/rfc/rfc6901#section-4), or the one name. */
function toSteps(key: string): readonly string[] {
  if (!key.startsWith("/")) return [key];
  if (/~([^01]|$)/.test(key)) throw new Failure("invalid-request", "in a JSON Pointer, ~ must be written ~0, and / ~1");
  return key
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * Undefined for what is not JSON; V8's own message would quote the secret. A number that JavaScript would round keeps its
 * digits where Node can (https://github.com/tc39/proposal-json-parse-with-source, Node 22): a secret's fields are as stored.
 */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, keepDigits);
  } catch {
    return undefined;
  }
}

const { rawJSON: toRawNumber, isRawJSON: isRawNumber = () => false } = JSON as {
  rawJSON?: (text: string) => object;
  isRawJSON?: (value: unknown) => boolean;
};

function keepDigits(_: string, value: unknown, { source }: { source?: string } = {}): unknown {
  const isRounded = typeof value === "number" && source !== undefined && source !== String(value);
  return isRounded && toRawNumber ? toRawNumber(source) : value;
}

/** From a parameter to the answer that holds it. Pure. */

/** The body of AWS's own Parameters and Secrets Lambda extension: every key is always there, in its order. */
export function toParameterReply(parameter: Cached<ParameterValue>): Reply {
  const { value } = parameter;
  const body = {
    Parameter: {
      ARN: value.arn || null,
      DataType: value.dataType ?? null,
      LastModifiedDate: value.lastModifiedDate?.toISOString() ?? null,
      Name: value.name,
      Selector: value.selector ?? null,
      SourceResult: value.sourceResult ?? null,
      Type: value.type,
      Value: value.value ?? null,
      Version: Number(value.versionId),
    },
    ResultMetadata: {},
  };
  return toJsonReply(200, body, toCacheHeaders(parameter));
}

/** What an answer says of how old it is, and where it is from. Pure. */

/** `Age` and `ETag` are HTTP's own (RFC 9110, 9111); `Cache-Status` is RFC 9211. All in whole seconds. */
export function toCacheHeaders({ value, from, ageMs, ttlMs }: Cached<Named>): Record<string, string> {
  return {
    ETag: `"${value.versionId}"`,
    Age: String(Math.floor(ageMs / 1_000)),
    "Cache-Status": `cross-account-secrets; ${toStatus(from, Math.floor(ttlMs / 1_000))}`,
  };
}

function toStatus(from: Cached<Named>["from"], ttlSeconds: number): string {
  if (from === "memory") return `hit; ttl=${ttlSeconds}`;
  return from === "fetch" ? "fwd=miss" : `fwd=stale; fwd-status=${toStatusCode(from.failed)}`;
}

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

/** An answer before it becomes bytes on a socket. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** No answer of ours may be kept by anything between us and the function. */
export function toReply(
  status: number,
  contentType: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return { status, headers: { "Content-Type": contentType, "Cache-Control": "no-store", ...headers }, body };
}

export function toJsonReply(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Reply {
  return toReply(status, "application/json", JSON.stringify(body), headers);
}
