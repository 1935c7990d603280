/** What the running layer is set up with, as far as a generator of requests has to know it. */
import { REGION, SECRET_NAME, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

/**
 * `configured`: two roles, and only what is configured may be asked for. `any`: one role, and anything may. `disabled`: the
 * kill switch is thrown.
 */
export type Mode = "configured" | "any" | "disabled";

export interface World {
  readonly mode: Mode;
  readonly port: number;
  readonly token: string;
  /** Of SECRET_NAME. */
  readonly secretArn: string;
  /** Of PARAMETER_NAME. */
  readonly parameterArn: string;
  readonly versionId: string;
}

export const OTHER_ROLE_ARN = "arn:aws:iam::333333333333:role/readers/OtherReader";
export const OTHER_REGION = "eu-central-1";
/** What role reads what. `shared` is in both accounts. */
export const NAMES = [SECRET_NAME, "text-secret", "binary/secret", "shared", "pair-abcdef"];
export const OTHER_NAMES = ["app/database", "shared"];
/** Two secrets that the ARN of the second, without its random characters, may call both. */
export const PAIR = "pair";
export const PAIR_ARN = `arn:aws:secretsmanager:${REGION}:111111111111:secret:pair-abcdef`;
export const PARAMETER_NAME = "/app/database/host";
export const DENIED = "denied-secret";
export const DELETED = "deleted-secret";

/** Not a secret of AWS's, so that a run's requests are the same bytes each time. */
export const TOKEN = "T0k/9Qx+7Lw=4.z~KpV2mR8sJd";

export { REGION, SECRET_NAME, TARGET_ROLE_ARN };

/** What differs from run to run, under a name: so that bytes can be kept. */
const names = (world: World): readonly (readonly [string, string])[] => [
  ["<arn>", world.secretArn],
  ["<version>", world.versionId],
  ["<token>", world.token],
  ["<port>", String(world.port)],
];

export const toKept = (bytes: string, world: World): string =>
  names(world).reduce((text, [name, value]) => text.replaceAll(value, name), bytes);

export const fromKept = (bytes: string, world: World): string =>
  names(world).reduce((text, [name, value]) => text.replaceAll(name, value), bytes);
