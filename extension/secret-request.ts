/**
 * From the target of a local HTTP request to what it asks for, or to a Failure that says what is wrong with it. Pure.
 *
 * The target is split by hand: `URL` would resolve `..` away, and an id is what stands there, percent-decoded once.
 */
import { Failure } from "./errors.ts";
import { isSecretId, secretIdRule } from "./secret-id.ts";
import type { SecretQuery } from "./secrets-manager.ts";
import { ROLE_ARN } from "./settings.ts";

export interface Target {
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

export interface SecretRequest {
  readonly query: SecretQuery;
  readonly refreshNow: boolean;
  /** The role that the caller wants to be used, if it named one. */
  readonly roleArn: string | undefined;
  /** The field that the caller wants: a name, or a JSON Pointer (RFC 6901). */
  readonly key: string | undefined;
}

const QUERY_PARAMETERS = ["versionId", "versionStage", "refreshNow", "roleArn"];
/** VersionId and VersionStage are shorter still, but AWS says that better than we would. */
const VERSION = /^[\x21-\x7e]{1,256}$/;

export function parseTarget(target: string): Target {
  if (!target.startsWith("/")) throw invalid("the request target must be a path, such as /secretsmanager/get");
  const [path = "", ...queries] = target.split("?");
  const parameters = new Map<string, string>();
  for (const pair of queries.join("?").split("&")) {
    if (pair === "") continue;
    const [name = "", ...values] = pair.split("=").map((part) => decode(part.replaceAll("+", " ")));
    const value = values.join("=");
    if (parameters.has(name)) throw invalid(`parameter ${quote(name)} is given more than once`);
    parameters.set(name, value);
  }
  return { path, parameters };
}

/** `/secretsmanager/get?secretId=…` */
export function parseQueryRequest({ parameters }: Target): SecretRequest {
  expectOnly(parameters, ["secretId", ...QUERY_PARAMETERS]);
  return toSecretRequest(parameters.get("secretId"), parameters);
}

/** `/secrets/<secretId>?…`; slashes in the id may be encoded or not. */
export function parsePathRequest(
  { path, parameters }: Target,
  prefix: string,
  others: readonly string[],
): SecretRequest {
  expectOnly(parameters, [...QUERY_PARAMETERS, ...others]);
  return toSecretRequest(decode(path.slice(prefix.length)), parameters);
}

/** `POST /secrets/<secretId>/invalid?versionId=…` */
export function parseInvalidation({ path, parameters }: Target, prefix: string, suffix: string): SecretRequest {
  expectOnly(parameters, ["versionId", "roleArn"]);
  if (!parameters.has("versionId")) throw invalid("versionId must say which version was refused");
  return toSecretRequest(decode(path.slice(prefix.length, -suffix.length)), parameters);
}

export function expectOnly(parameters: ReadonlyMap<string, string>, names: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (names.includes(name)) continue;
    throw invalid(
      `unknown parameter ${quote(name)}; ${names.length ? `known are ${names.join(", ")}` : "none is known here"}`,
    );
  }
}

function toSecretRequest(secretId: string | undefined, parameters: ReadonlyMap<string, string>): SecretRequest {
  if (secretId === undefined || secretId === "") throw invalid("the secret's id is missing");
  if (/\s/.test(secretId)) throw invalid("a secret's id holds no space; a plus in it must be sent as %2B");
  if (!isSecretId(secretId)) throw invalid(`the secret's id must be ${secretIdRule}`);
  const versionId = toVersion(parameters, "versionId");
  const versionStage = toVersion(parameters, "versionStage");
  const roleArn = parameters.get("roleArn");
  if (roleArn !== undefined && !ROLE_ARN.test(roleArn)) {
    throw invalid("roleArn must be arn:<partition>:iam::<12 digits>:role/<path/name>");
  }
  const key = parameters.get("key");
  if (key === "") throw invalid("key must name a field, or be a JSON Pointer such as /database/password");
  return {
    query: {
      secretId,
      ...(versionId === undefined ? {} : { versionId }),
      ...(versionStage === undefined ? {} : { versionStage }),
    },
    refreshNow: toBoolean(parameters.get("refreshNow")),
    roleArn,
    key,
  };
}

function toVersion(parameters: ReadonlyMap<string, string>, name: string): string | undefined {
  const value = parameters.get(name);
  if (value !== undefined && !VERSION.test(value)) {
    throw invalid(`${name} must be 1 to 256 printable ASCII characters without a space`);
  }
  return value;
}

function toBoolean(text = "false"): boolean {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  throw invalid("refreshNow must be true, false, 1 or 0");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("the request target is not percent-encoded UTF-8");
  }
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 64));

const invalid = (message: string): Failure => new Failure("invalid-request", message);
