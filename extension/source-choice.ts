/** Which source a request is for, and whether it may have what it asks for. Pure. */
import type { Config } from "./config.ts";
import { Failure } from "./errors.ts";
import { isCalled, mayBeSameSecret, type SecretIdentity, toAccountId } from "./secret-id.ts";
import type { SecretRequest } from "./secret-request.ts";
import type { Source } from "./sources.ts";

export interface Choice<S> {
  readonly source: S;
  /** Two spellings that may call one secret may also call two: what AWS answered settles it. Throws `not-allowed`. */
  expectAllowed(answered: SecretIdentity): void;
}

/** Throws `not-allowed`, or `invalid-request` where more than one role may be meant. */
export function chooseSource<S extends { readonly source: Source }>(
  { query, roleArn }: SecretRequest,
  allow: Config["allow"],
  sources: readonly S[],
): Choice<S> {
  const { secretId } = query;
  const ofRole = sources.filter(({ source }) => roleArn === undefined || source.roleArn === roleArn);
  if (ofRole.length === 0) throw new Failure("not-allowed", "roleArn is not a configured target role");
  const allowing = ofRole.filter(({ source }) => allow === "any" || findAllowed(secretId, source).length > 0);
  if (allowing.length === 0) throw secretNotAllowed();
  const accountId = toAccountId(secretId);
  const ofAccount = allowing.filter(({ source }) => source.home.accountId === accountId);
  const [chosen, ...others] = ofAccount.length > 0 ? ofAccount : allowing;
  if (chosen === undefined || others.length > 0) {
    throw new Failure("invalid-request", "more than one target role may be meant: say which one with roleArn");
  }
  return {
    source: chosen,
    expectAllowed(answered) {
      if (allow === "any" || findAllowed(secretId, chosen.source).some((id) => isCalled(answered, id))) return;
      throw secretNotAllowed();
    },
  };
}

/** The configured ids that may call the same secret. */
const findAllowed = (secretId: string, { secretIds, home }: Source): readonly string[] =>
  secretIds.filter((id) => mayBeSameSecret(secretId, id, home));

const secretNotAllowed = () =>
  new Failure("not-allowed", "the secret is not among the configured ones", {
    remedy:
      "add it to CROSS_ACCOUNT_SECRETS_SECRET_IDS, or to the secretIds of CROSS_ACCOUNT_SECRETS_CONFIG, or set CROSS_ACCOUNT_SECRETS_ALLOW to any",
  });
