/** From a value or a failure to the reply that a caller gets. Pure. */
import { isUtf8 } from "node:buffer";
import type { Cached } from "../cache/cache.ts";
import { Failure, toFailureRow } from "../failure/failure.ts";
import { memoizeObjects } from "../values/memoize.ts";
import type { ParameterValue } from "../values/parameter.ts";
import type { SecretValue } from "../values/secret.ts";
import type { Versioned } from "../values/source.ts";

/** A reply before it becomes bytes on a socket. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** No reply may be stored by anything between us and the function. */
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

export type CachedSecret = Cached<SecretValue>;

/** The body of AWS's own Parameters and Secrets Lambda extension. It always has every key, in this order. */
const toExtensionBody = memoizeObjects((value: SecretValue) =>
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

/** The body of AWS's agent (Workload Credentials Provider). It has no empty keys, and its date is in seconds. */
const toAgentBody = memoizeObjects((value: SecretValue) =>
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

/** The value as it is stored, or one field of it. */
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

const toBareType = memoizeObjects(({ secretString }: SecretValue) => toTextType(parseJson(secretString ?? "")));

const toTextType = (content: unknown): string =>
  isContainer(content) ? "application/json" : "text/plain; charset=utf-8";

function pick({ name, secretString, secretBinary }: SecretValue, key: string): unknown {
  // A file of JSON that was stored with --secret-binary.
  const text =
    secretString ?? (secretBinary !== undefined && isUtf8(secretBinary) ? String(Buffer.from(secretBinary)) : "");
  const content = parseJson(text);
  if (!isContainer(content)) {
    const why = toObstacle(text, content);
    throw new Failure(
      "invalid-request",
      `key needs a secret that is a JSON object or array, which ${name} is not${why}`,
    );
  }
  let field: unknown = content;
  for (const step of toSteps(key)) {
    if (!hasField(field, step)) {
      // The name of a field may begin with a slash, as the name of a parameter does.
      if (hasField(content, key)) return content[key];
      throw new Failure(
        "key-not-found",
        `${name} has no field ${JSON.stringify(key.slice(0, 64))}${toNearMiss(field, step)}`,
      );
    }
    field = field[step];
  }
  return field;
}

/** What is in the way of a person who sees a field there. */
function toObstacle(text: string, content: unknown): string {
  if (typeof content === "string" && isContainer(parseJson(content)))
    return ": it is JSON in a JSON string, encoded twice";
  return content === undefined && /^\p{Cf}/u.test(text.trim()) ? ": it begins with an invisible character" : "";
}

function toNearMiss(value: unknown, step: string): string {
  if (typeof value === "string") return ": the part before it is a text";
  const toPlain = (name: string) => name.trim().toLowerCase();
  const isNear = isContainer(value) && Object.keys(value).some((name) => toPlain(name) === toPlain(step));
  return isNear ? ": a name differs only in case or white space" : "";
}

const isContainer = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !isRawNumber(value);

/** Own properties only, so that "constructor" is no field. An array has only its members as fields. */
function hasField(value: unknown, step: string): value is Record<string, unknown> {
  return isContainer(value) && Object.hasOwn(value, step) && (!Array.isArray(value) || /^(0|[1-9]\d*)$/.test(step));
}

/** The steps of a JSON Pointer (https://www.rfc-editor.org/rfc/rfc6901#section-4), or the one name. */
function toSteps(key: string): readonly string[] {
  if (!key.startsWith("/")) return [key];
  if (/~([^01]|$)/.test(key)) throw new Failure("invalid-request", "in a JSON Pointer, ~ must be written ~0, and / ~1");
  return key
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * Returns undefined if the text is not JSON: V8's own message would quote the secret. A number that JavaScript would round
 * keeps its digits on Node 22 and newer (https://github.com/tc39/proposal-json-parse-with-source). A byte order mark, which
 * Windows writes, may be ignored (https://www.rfc-editor.org/rfc/rfc8259#section-8.1); `trim` removes it.
 */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.trim(), keepDigits);
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

/** The body of AWS's own Parameters and Secrets Lambda extension. It always has every key, in this order. */
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

/** `ETag` is of RFC 9110, `Age` of RFC 9111, `Cache-Status` of RFC 9211. Times are in whole seconds. */
export function toCacheHeaders({ value, from, ageMs, ttlMs }: Cached<Versioned>): Record<string, string> {
  return {
    ETag: `"${value.versionId}"`,
    Age: String(Math.floor(ageMs / 1_000)),
    "Cache-Status": `cross-account-secrets; ${toStatus(from, Math.floor(ttlMs / 1_000))}`,
  };
}

function toStatus(from: Cached<Versioned>["from"], ttlSeconds: number): string {
  if (from === "memory") return `hit; ttl=${ttlSeconds}`;
  return from === "fetch" ? "fwd=miss" : `fwd=stale; fwd-status=${toFailureRow(from.failed).status}`;
}

/** The reply for a failure: `{"__type","message","cause"[,"remedy"][,"statements"][,"requestId"]}`. */
export function toErrorReply(failure: Failure): Reply {
  const { code, message, details } = failure;
  const { status, type } = toFailureRow(failure);
  const { remedy, statements, requestId, allow, retryAfterMs } = details;
  const headers = {
    ...(allow === undefined ? {} : { Allow: allow }),
    ...(retryAfterMs === undefined ? {} : { "Retry-After": String(Math.ceil(retryAfterMs / 1_000)) }),
  };
  return toJsonReply(status, { __type: type, message, cause: code, remedy, statements, requestId }, headers);
}
