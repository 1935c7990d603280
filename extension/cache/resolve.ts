/** From a request to the source that it is for, and to the value that it asks for. */
import type { Config } from "../config/config.ts";
import { Failure } from "../failure/failure.ts";
import { memoizeObjects } from "../values/memoize.ts";
import { isCalled, mayBeSame, type Named, type Source, type ValueRules, type Versioned } from "../values/source.ts";
import type { Cached, ValueCache } from "./cache.ts";
import type { DeadlineEpochMs } from "./deadline.ts";

export interface ResolvedSource<S> {
  readonly source: S;
  /**
   * Throws `not-allowed` if what AWS answered with is not configured. Two ids that may name one secret may also name two,
   * so only the answer tells.
   */
  expectAllowed(answered: Named): void;
}

/** Throws `not-allowed`, or `invalid-request` if the request may be for more than one role. */
export function resolveSource<S extends { readonly source: Source }, Q, V extends Versioned>(
  request: { readonly rules: ValueRules<Q, V>; readonly query: Q; readonly roleArn: string | undefined },
  allow: Config["allow"],
  sources: readonly S[],
): ResolvedSource<S> {
  const { rules, query, roleArn } = request;
  const id = rules.toId(query);
  /** The configured ids that may name the same secret or parameter. */
  const findAllowed = (source: Source) =>
    rules.toConfiguredIds(source).filter((configured) => mayBeSame(rules, id, configured, source.home));

  const withRole = sources.filter(({ source }) => roleArn === undefined || source.roleArn === roleArn);
  if (withRole.length === 0) throw new Failure("not-allowed", "roleArn is not a configured target role");
  const allowing = withRole.filter(({ source }) => allow === "any" || findAllowed(source).length > 0);
  if (allowing.length === 0) throw notAllowed(rules);
  const accountId = rules.toAccountId(id);
  const inAccount = allowing.filter(({ source }) => source.home.accountId === accountId);
  const [chosen, ...others] = inAccount.length > 0 ? inAccount : allowing;
  if (chosen === undefined || others.length > 0) {
    throw new Failure("invalid-request", "several target roles are possible: choose one with roleArn");
  }
  return {
    source: chosen,
    expectAllowed(answered) {
      const isAllowed = findAllowed(chosen.source).some((configured) => isCalled(rules, answered, configured));
      if (allow !== "any" && !isAllowed) throw notAllowed(rules);
    },
  };
}

const notAllowed = ({ word, setting }: Pick<ValueRules<never, Versioned>, "word" | "setting">) =>
  new Failure("not-allowed", `the ${word} is not among the configured ones`, {
    remedy: `add it to CROSS_ACCOUNT_SECRETS_${setting}, or to its source in CROSS_ACCOUNT_SECRETS_CONFIG, or set CROSS_ACCOUNT_SECRETS_ALLOW to any`,
  });

/** Reads one value. Fails as the cache does, and as `resolveSource` does. */
export type Read<V> = (deadlineEpochMs: DeadlineEpochMs) => Promise<Cached<V>>;

/** Resolves the request once for these sources, which are others after a restore from a snapshot. */
export function createRead<S extends { readonly source: Source }, Q, V extends Versioned>(deps: {
  readonly rules: ValueRules<Q, V>;
  readonly request: { readonly query: Q; readonly refreshNow: boolean; readonly roleArn: string | undefined };
  readonly allow: Config["allow"];
  readonly readers: () => readonly S[];
  readonly toCache: (reader: S) => Pick<ValueCache<Q, V>, "get">;
}): Read<V> {
  const { rules, request, allow, readers, toCache } = deps;
  const { query, refreshNow } = request;
  const resolve = memoizeObjects((sources: readonly S[]) => {
    const { source, expectAllowed } = resolveSource({ rules, ...request }, allow, sources);
    return { cache: toCache(source), expectAllowed: memoizeObjects<V, void>(expectAllowed) };
  });
  return async (deadlineEpochMs) => {
    const { cache, expectAllowed } = resolve(readers());
    const cached = await cache.get(query, { deadlineEpochMs, refreshNow });
    expectAllowed(cached.value);
    return cached;
  };
}
