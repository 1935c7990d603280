/**
 * How a secret is called: by its name, by its ARN, or by its ARN without the six random characters that Secrets
 * Manager appends (https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen).
 * Pure.
 */

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

/** What AWS said the secret is. */
export interface SecretIdentity {
  readonly arn: string;
  readonly name: string;
}

/** Does `secretId` call the secret that AWS answered with? */
export function isCalled({ arn, name }: SecretIdentity, secretId: string): boolean {
  return secretId === name || secretId === arn || secretId === arn.replace(RANDOM_SUFFIX, "");
}

/**
 * May `asked` and `configured` be two spellings of one secret? "May", because only AWS knows whether the last six
 * characters of an ARN are random ones or part of the name: whoever relies on it checks the answer with `isCalled`.
 * A bare name is in `home`: where the target role is, and where secrets are asked for.
 */
export function mayBeSameSecret(asked: string, configured: string, home: Home): boolean {
  const [a, b] = [toPlace(asked, home), toPlace(configured, home)];
  return a.place === b.place && (a.names.includes(b.names[0]) || b.names.includes(a.names[0]));
}

/**
 * Where the secret is, and what its name may be: as it stands and, of an ARN, without what may be its random characters,
 * in this order.
 */
export function toPlace(
  secretId: string,
  home: Home,
): { readonly place: string; readonly names: readonly [string, ...string[]] } {
  const arn = SECRET_ARN.exec(secretId);
  const [region, accountId, resource = ""] = arn ? arn.slice(1) : [home.region, home.accountId, secretId];
  const names: [string, ...string[]] = [resource];
  if (arn && RANDOM_SUFFIX.test(resource)) names.push(resource.replace(RANDOM_SUFFIX, ""));
  return { place: `${region}:${accountId}`, names };
}
