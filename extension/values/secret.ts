/**
 * A secret's id, the query for it, and its value. Pure.
 *
 * An id is the secret's name, its ARN, or its ARN without the six random characters that Secrets Manager appends:
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
 */
import type { Home, Location, Named, ValueRules } from "./source.ts";

/** Which version of a secret is asked for. Without version and stage it is AWSCURRENT. */
export interface SecretQuery {
  readonly secretId: string;
  readonly versionId?: string;
  readonly versionStage?: string;
}

/** One version of a secret. It has either a string or a binary value. */
export interface SecretValue {
  readonly arn: string;
  readonly name: string;
  readonly versionId: string;
  readonly versionStages: readonly string[];
  readonly createdDate: Date;
  readonly secretString: string | undefined;
  readonly secretBinary: Uint8Array | undefined;
}

/** AWS's characters for a name, `!` for the secrets that AWS services own, and `:` for an ARN. The API's limit is 2,048. */
const SECRET_ID = /^[A-Za-z0-9/_+=.@!:-]{1,2048}$/;
const SECRET_ARN = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):(\d{12}):secret:([^:]+)$/;
const RANDOM_SUFFIX = /-[A-Za-z0-9]{6}$/;

export const secretIdRule =
  "a secret's name (letters, digits and /_+=.@!-) or its ARN, arn:<partition>:secretsmanager:<region>:<account>:secret:<name>, up to 2048 characters, and no field, stage or version after it";

export function isSecretId(text: string): boolean {
  return SECRET_ID.test(text) && (SECRET_ARN.test(text) || !text.includes(":"));
}

/**
 * The field in a reference of Amazon ECS, `<secret>:<field>:<stage>:<version>`, or of our exec wrapper, `<secret>#<field>`.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
 */
export const toReferencedField = (text: string): string | undefined =>
  /^(?:arn:aws[a-z-]*:secretsmanager:[^:]*:[^:]*:secret:|(?!arn:))[\w/+=.@!-]+[:#]([^:]*)/.exec(text)?.[1];

/** The region in an ARN; undefined for a name. */
export function toRegion(secretId: string): string | undefined {
  return SECRET_ARN.exec(secretId)?.[1];
}

/** The account in an ARN; undefined for a name. */
export function toAccountId(secretId: string): string | undefined {
  return SECRET_ARN.exec(secretId)?.[2];
}

/**
 * The id of the same secret in another region. A replica has the name and the six characters of its original
 * (https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html). A name is the same in all regions.
 */
export function inRegion(secretId: string, region: string): string {
  return SECRET_ARN.test(secretId) ? secretId.replace(/^((?:[^:]*:){3})[^:]*/, `$1${region}`) : secretId;
}

const toIds = ({ arn, name }: Named) => [name, arn, arn.replace(RANDOM_SUFFIX, "")];

/** An ARN's name may be all of its last part, or the part before what may be the random characters. */
function toLocation(secretId: string, home: Home): Location {
  const arn = SECRET_ARN.exec(secretId);
  const [region, accountId, resource = ""] = arn ? arn.slice(1) : [home.region, home.accountId, secretId];
  const names: [string, ...string[]] = [resource];
  if (arn && RANDOM_SUFFIX.test(resource)) names.push(resource.replace(RANDOM_SUFFIX, ""));
  return { place: `${region}:${accountId}`, names };
}

/**
 * A query for AWSCURRENT has the same value as one without a stage, but a policy may allow only one of them by the condition
 * key `secretsmanager:VersionStage`. Neither part can hold a space.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples.html
 */
const toVariant = ({ versionId = "", versionStage = "" }: SecretQuery): string => `${versionId} ${versionStage}`;

export const secretRules: ValueRules<SecretQuery, SecretValue> = {
  word: "secret",
  setting: "SECRET_IDS",
  toConfiguredIds: ({ secretIds }) => secretIds,
  toId: ({ secretId }) => secretId,
  toVariant,
  toLocation,
  toAccountId,
  toIds,
  toBytes: ({ secretString, secretBinary }) => secretBinary?.length ?? Buffer.byteLength(secretString ?? ""),
};
