import type { Config } from "../config/config.ts";
import { Failure } from "../failure/failure.ts";
import type { Wishes } from "../http/requests.ts";
import { mayBeSame, type Named, type Source, type ValueRules, type Versioned } from "../values/source.ts";
import type { Cached, SecretCache } from "./cache.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { memoizeObjects } from "./memoize.ts";

/** Which source a request is for, and whether it may have what it asks for. Pure. */

export interface Choice<S> {
  readonly source: S;
  /** Two spellings that may call one secret may also call two: what AWS answered settles it. Throws `not-allowed`. */
  expectAllowed(answered: Named): void;
}

/** Throws `not-allowed`, or `invalid-request` where more than one role may be meant. */
export function chooseSource<S extends { readonly source: Source }, Q, V extends Versioned>(
  request: { readonly rules: ValueRules<Q, V>; readonly query: Q; readonly roleArn: string | undefined },
  allow: Config["allow"],
  sources: readonly S[],
): Choice<S> {
  const { rules, query, roleArn } = request;
  const id = rules.toId(query);
  /** The configured ids that may call the same. */
  const findAllowed = (source: Source) =>
    rules.toConfiguredIds(source).filter((configured) => mayBeSame(rules, id, configured, source.home));

  const ofRole = sources.filter(({ source }) => roleArn === undefined || source.roleArn === roleArn);
  if (ofRole.length === 0) throw new Failure("not-allowed", "roleArn is not a configured target role");
  const allowing = ofRole.filter(({ source }) => allow === "any" || findAllowed(source).length > 0);
  if (allowing.length === 0) throw toNotAllowed(rules);
  const accountId = rules.toAccountId(id);
  const ofAccount = allowing.filter(({ source }) => source.home.accountId === accountId);
  const [chosen, ...others] = ofAccount.length > 0 ? ofAccount : allowing;
  if (chosen === undefined || others.length > 0) {
    throw new Failure("invalid-request", "more than one target role may be meant: say which one with roleArn");
  }
  return {
    source: chosen,
    expectAllowed(answered) {
      if (allow === "any" || findAllowed(chosen.source).some((configured) => rules.isCalled(answered, configured)))
        return;
      throw toNotAllowed(rules);
    },
  };
}

const toNotAllowed = ({ word, setting }: Pick<ValueRules<never, Versioned>, "word" | "setting">) =>
  new Failure("not-allowed", `the ${word} is not among the configured ones`, {
    remedy: `add it to CROSS_ACCOUNT_SECRETS_${setting}, or to its source in CROSS_ACCOUNT_SECRETS_CONFIG, or set CROSS_ACCOUNT_SECRETS_ALLOW to any`,
  });

/** The way from a request to the value that it asks for. What is the same for all who ask so is worked out once. */

/** Fails as the cache does, and with `not-allowed` or `invalid-request` where the source cannot be told. */
export type Finder<V> = (deadlineEpochMs: DeadlineEpochMs) => Promise<Cached<V>>;

export function createFinder<S extends { readonly source: Source }, Q, V extends Versioned>(parts: {
  readonly rules: ValueRules<Q, V>;
  readonly request: Wishes & { readonly query: Q };
  readonly allow: Config["allow"];
  /** Others after a restore. */
  readonly sources: () => readonly S[];
  readonly toCache: (source: S) => Pick<SecretCache<Q, V>, "get">;
}): Finder<V> {
  const { rules, request, allow, sources, toCache } = parts;
  const { query, roleArn, refreshNow } = request;

  const toChoice = memoizeObjects((all: readonly S[]) => {
    const { source, expectAllowed } = chooseSource({ rules, query, roleArn }, allow, all);
    return { cache: toCache(source), expectAllowed: memoizeObjects<V, void>(expectAllowed) };
  });

  return async (deadlineEpochMs) => {
    const { cache, expectAllowed } = toChoice(sources());
    const cached = await cache.get(query, { deadlineEpochMs, refreshNow });
    expectAllowed(cached.value);
    return cached;
  };
}
