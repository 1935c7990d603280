/**
 * From the target of a local HTTP request to what it asks for, or to a Failure that says what is wrong with it. Pure.
 *
 * The target is split by hand: `URL` would resolve `..`, but an id is used as it is, percent-decoded once.
 */
import { ROLE_ARN_PATTERN } from "../config/settings.ts";
import { Failure } from "../failure/failure.ts";
import { isParameterId, type ParameterQuery, parameterIdRule } from "../values/parameter.ts";
import { isSecretId, type SecretQuery, secretIdRule, toReferencedField } from "../values/secret.ts";

export interface Target {
  readonly path: string;
  /** As they were sent: in order, perhaps with repetitions. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** From the parameters of a request to those that its route knows. */
export type Selection = (parameters: Target["parameters"], names: readonly string[]) => ReadonlyMap<string, string>;

/** What every request for a value may ask for. */
export interface ReadOptions {
  readonly refreshNow: boolean;
  /** The target role that the caller chose, if it did. */
  readonly roleArn: string | undefined;
}

const READ_OPTIONS = ["refreshNow", "roleArn"];

export interface SecretRequest extends ReadOptions {
  readonly query: SecretQuery;
  /** The field that the caller wants: a name, or a JSON Pointer (RFC 6901). */
  readonly key: string | undefined;
}

export interface ParameterRequest extends ReadOptions {
  readonly query: ParameterQuery;
}

export function parseTarget(target: string): Target {
  if (!target.startsWith("/")) throw invalid("the request target must be a path, such as /secretsmanager/get");
  const [path = "", ...queries] = target.split("?");
  const pairs = queries.join("?").split("&");
  const parameters = pairs.flatMap((pair) => {
    const [name = "", ...values] = pair.split("=").map((part) => decode(part.replaceAll("+", " ")));
    return pair === "" ? [] : [[name, values.join("=")] as const];
  });
  return { path, parameters };
}

/** On our own routes, a mistake is never silent: an unknown parameter is refused. */
export const selectStrictly: Selection = (parameters, names) => {
  const unknown = parameters.find(([name]) => !names.includes(name));
  if (unknown !== undefined) {
    const known = names.length > 0 ? `known are ${names.join(", ")}` : "none is known here";
    throw invalid(`unknown parameter ${quote(unknown[0])}; ${known}`);
  }
  return toUnique(parameters);
};

/**
 * On the routes of AWS's extension and agent, published clients must work: some send `withDecryption=true` for a secret, or
 * `versionId=&versionStage=`. An unknown parameter is ignored and reported, and an empty one counts as unset.
 */
export const selectLeniently =
  (reportIgnored: (name: string) => void): Selection =>
  (parameters, names) => {
    for (const [name] of parameters) if (!names.includes(name)) reportIgnored(name);
    const known = toUnique(parameters.filter(([name]) => names.includes(name)));
    return new Map([...known].filter(([, value]) => value !== ""));
  };

function toUnique(parameters: Target["parameters"]): ReadonlyMap<string, string> {
  const unique = new Map<string, string>();
  for (const [name, value] of parameters) {
    if (unique.has(name)) throw invalid(`parameter ${quote(name)} is given more than once`);
    unique.set(name, value);
  }
  return unique;
}

/** `/secretsmanager/get?secretId=…` */
export function parseQueryRequest(target: Target, select: Selection): SecretRequest {
  const parameters = select(target.parameters, ["secretId", ...VERSION_PARAMETERS, ...READ_OPTIONS]);
  return toSecretRequest(parameters.get("secretId"), parameters);
}

/** `/secrets/<secretId>?…`. Slashes in the id may be percent-encoded. */
export function parsePathRequest(
  target: Target,
  prefix: string,
  select: Selection,
  others: readonly string[] = [],
): SecretRequest {
  const parameters = select(target.parameters, [...VERSION_PARAMETERS, ...others, ...READ_OPTIONS]);
  return toSecretRequest(decode(target.path.slice(prefix.length)), parameters);
}

/** `POST /secrets/<secretId>/invalid?versionId=…` */
export function parseInvalidation(target: Target, prefix: string, suffix: string): SecretRequest {
  // There is no refreshNow: a report is acted on now, or not at all.
  const parameters = selectStrictly(target.parameters, ["versionId", "roleArn"]);
  if (!parameters.has("versionId")) throw invalid("versionId must say which version was refused");
  return toSecretRequest(decode(target.path.slice(prefix.length, -suffix.length)), parameters);
}

/**
 * `/systemsmanager/parameters/get?name=…`. If there is both a version and a label, AWS's extension uses the first. AWS
 * itself also accepts either at the end of the name, after a colon.
 */
export function parseParameterRequest(target: Target, select: Selection): ParameterRequest {
  const names = ["name", "version", "label", "withDecryption", ...READ_OPTIONS];
  const parameters = select(target.parameters, names);
  const given = parameters.get("name") ?? "";
  if (given === "") throw invalid("the parameter's name is missing");
  const [, name = given, suffix] = isParameterId(given) ? [] : (/^(.+):([^:]*)$/.exec(given) ?? []);
  if (!isParameterId(name)) throw invalid(`a parameter's id must be ${parameterIdRule}`);
  const [, selector = suffix] = [...parameters].find(([key]) => key === "version" || key === "label") ?? [];
  if ([suffix, selector].some((text) => text !== undefined && !SELECTOR.test(text))) {
    throw invalid("a version or label must be 1 to 100 letters, digits and ._-");
  }
  return {
    ...parseReadOptions(parameters),
    query: {
      parameterId: name,
      ...(selector === undefined ? {} : { selector }),
      withDecryption: parseBoolean("withDecryption", parameters.get("withDecryption")),
    },
  };
}

/** AWS's characters for a label, which are also those of a version's number. */
const SELECTOR = /^[A-Za-z0-9._-]{1,100}$/;

function toSecretRequest(secretId: string | undefined, parameters: ReadonlyMap<string, string>): SecretRequest {
  const options = parseReadOptions(parameters);
  if (secretId === undefined || secretId === "") throw invalid("the secret's id is missing");
  if (/\s/.test(secretId)) throw invalid("a secret's id holds no space; a plus in it must be sent as %2B");
  if (!isSecretId(secretId)) throw notSecretId(secretId);
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
    ...options,
    key,
  };
}

function notSecretId(text: string): Failure {
  const field = toReferencedField(text);
  const example = field && /^[\w./-]{1,64}$/.test(field) ? field : "<field>";
  const remedy = `ask for /secrets/<secretId>?key=${example}; in an environment variable, write cross-account-secret:<secretId>#${example}`;
  return new Failure(
    "invalid-request",
    `the secret's id must be ${secretIdRule}`,
    field === undefined ? {} : { remedy },
  );
}

const VERSION_PARAMETERS = ["versionId", "versionStage"];
/** AWS allows fewer characters, and its own error for that is better than ours would be. */
const VERSION = /^[\x21-\x7e]{1,256}$/;

function toVersion(parameters: ReadonlyMap<string, string>, name: string): string | undefined {
  const value = parameters.get(name);
  if (value !== undefined && !VERSION.test(value)) {
    throw invalid(`${name} must be 1 to 256 printable ASCII characters without a space`);
  }
  return value;
}

function parseReadOptions(parameters: ReadonlyMap<string, string>): ReadOptions {
  const roleArn = parameters.get("roleArn");
  if (roleArn !== undefined && !ROLE_ARN_PATTERN.test(roleArn)) {
    throw invalid("roleArn must be arn:<partition>:iam::<12 digits>:role/<path/name>");
  }
  return { refreshNow: parseBoolean("refreshNow", parameters.get("refreshNow")), roleArn };
}

function parseBoolean(name: string, text = "false"): boolean {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  throw invalid(`${name} must be true, false, 1 or 0`);
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
