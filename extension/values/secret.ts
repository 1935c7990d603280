/**
 * How a secret is called: by its name, by its ARN, or by its ARN without the six random characters that Secrets
 * Manager appends (https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen).
 * Pure.
 */

import type { SecretQuery, SecretValue } from "../aws/secrets.ts";
import type { Identity, Kind } from "./source.ts";

/** What AWS allows in a name, with `!` of the secrets that AWS services own and `:` of an ARN; 2,048 is the API's limit. */
const SECRET_ID = /^[A-Za-z0-9/_+=.@!:-]{1,2048}$/;
const SECRET_ARN = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):(\d{12}):secret:(.+)$/;
const RANDOM_SUFFIX = /-[A-Za-z0-9]{6}$/;

export const secretIdRule =
  "a secret's name (letters, digits and /_+=.@!-) or its ARN, arn:<partition>:secretsmanager:<region>:<account>:secret:<name>, up to 2048 characters";

export function isSecretId(text: string): boolean {
  return SECRET_ID.test(text) && (SECRET_ARN.test(text) || !text.includes(":"));
}

/** The region in an ARN; undefined for a name. */
export function toRegion(secretId: string): string | undefined {
  return SECRET_ARN.exec(secretId)?.[1];
}

/** The account in an ARN; undefined for a name. */
export function toAccountId(secretId: string): string | undefined {
  return SECRET_ARN.exec(secretId)?.[2];
}

/**
 * The same secret in another region: a replica has the name and the six characters of its original
 * (https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html). A name is the same everywhere.
 */
export function inRegion(secretId: string, region: string): string {
  return SECRET_ARN.test(secretId) ? secretId.replace(/^((?:[^:]*:){3})[^:]*/, `$1${region}`) : secretId;
}

/** Where a secret is that is called by a bare name. */
export interface Home {
  readonly region: string;
  readonly accountId: string;
}

export interface Place {
  /** Region and account. */
  readonly place: string;
  /** What the name may be, the likelier first. */
  readonly names: readonly [string, ...string[]];
}

function isCalled({ arn, name }: Identity, secretId: string): boolean {
  return secretId === name || secretId === arn || secretId === arn.replace(RANDOM_SUFFIX, "");
}

/**
 * Where the secret is, and what its name may be: as it stands and, of an ARN, without what may be its random characters,
 * in this order.
 */
function toPlace(secretId: string, home: Home): Place {
  const arn = SECRET_ARN.exec(secretId);
  const [region, accountId, resource = ""] = arn ? arn.slice(1) : [home.region, home.accountId, secretId];
  const names: [string, ...string[]] = [resource];
  if (arn && RANDOM_SUFFIX.test(resource)) names.push(resource.replace(RANDOM_SUFFIX, ""));
  return { place: `${region}:${accountId}`, names };
}

/** Asking for AWSCURRENT is asking for nothing in particular. Neither part may hold a space. */
function toVariant({ versionId = "", versionStage = "" }: SecretQuery): string {
  return `${versionId} ${versionId === "" && versionStage === "AWSCURRENT" ? "" : versionStage}`;
}

export const secretKind: Kind<SecretQuery, SecretValue> = {
  word: "secret",
  setting: "SECRET_IDS",
  toConfigured: ({ secretIds }) => secretIds,
  toId: ({ secretId }) => secretId,
  toVariant,
  toPlace,
  toAccountId,
  isCalled,
  toBytes: ({ secretString, secretBinary }) => secretBinary?.length ?? Buffer.byteLength(secretString ?? ""),
};
