/** From the target of a local HTTP request for a secret to what it asks for. Pure. */
import { decode, expectOnly, invalid, parseWishes, type Target, type Wishes } from "./request-target.ts";
import { isSecretId, secretIdRule } from "./secret-id.ts";
import type { SecretQuery } from "./secrets-manager.ts";

export interface SecretRequest extends Wishes {
  readonly query: SecretQuery;
  /** The field that the caller wants: a name, or a JSON Pointer (RFC 6901). */
  readonly key: string | undefined;
}

const VERSION_PARAMETERS = ["versionId", "versionStage"];
/** VersionId and VersionStage are shorter still, but AWS says that better than we would. */
const VERSION = /^[\x21-\x7e]{1,256}$/;

/** `/secretsmanager/get?secretId=…` */
export function parseQueryRequest({ parameters }: Target): SecretRequest {
  const wishes = parseWishes(parameters, ["secretId", ...VERSION_PARAMETERS]);
  return toSecretRequest(parameters.get("secretId"), parameters, wishes);
}

/** `/secrets/<secretId>?…`; slashes in the id may be encoded or not. */
export function parsePathRequest(
  { path, parameters }: Target,
  prefix: string,
  others: readonly string[],
): SecretRequest {
  const wishes = parseWishes(parameters, [...VERSION_PARAMETERS, ...others]);
  return toSecretRequest(decode(path.slice(prefix.length)), parameters, wishes);
}

/** `POST /secrets/<secretId>/invalid?versionId=…` */
export function parseInvalidation({ path, parameters }: Target, prefix: string, suffix: string): SecretRequest {
  // A report of a version is heeded now, or not at all.
  expectOnly(parameters, ["versionId", "roleArn"]);
  const wishes = parseWishes(parameters, ["versionId"]);
  if (!parameters.has("versionId")) throw invalid("versionId must say which version was refused");
  return toSecretRequest(decode(path.slice(prefix.length, -suffix.length)), parameters, wishes);
}

function toSecretRequest(
  secretId: string | undefined,
  parameters: ReadonlyMap<string, string>,
  wishes: Wishes,
): SecretRequest {
  if (secretId === undefined || secretId === "") throw invalid("the secret's id is missing");
  if (/\s/.test(secretId)) throw invalid("a secret's id holds no space; a plus in it must be sent as %2B");
  if (!isSecretId(secretId)) throw invalid(`the secret's id must be ${secretIdRule}`);
  const versionId = toVersion(parameters, "versionId");
  const versionStage = toVersion(parameters, "versionStage");
  const key = parameters.get("key");
  if (key === "") throw invalid("key must name a field, or be a JSON Pointer such as /database/password");
  return {
    query: {
      secretId,
      ...(versionId === undefined ? {} : { versionId }),
      ...(versionStage === undefined ? {} : { versionStage }),
    },
    ...wishes,
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
