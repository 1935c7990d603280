/** The way from a request to the value that it asks for. What is the same for all who ask so is worked out once. */
import type { Config } from "./config.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import type { Kind, Named } from "./kind.ts";
import { rememberObjects } from "./memory.ts";
import type { Wishes } from "./request-target.ts";
import type { Cached, SecretCache } from "./secret-cache.ts";
import { chooseSource } from "./source-choice.ts";
import type { Source } from "./sources.ts";

/** Fails as the cache does, and with `not-allowed` or `invalid-request` where the source cannot be told. */
export type Finder<V> = (deadlineEpochMs: DeadlineEpochMs) => Promise<Cached<V>>;

export function createFinder<S extends { readonly source: Source }, Q, V extends Named>(parts: {
  readonly kind: Kind<Q, V>;
  readonly request: Wishes & { readonly query: Q };
  readonly allow: Config["allow"];
  /** Others after a restore. */
  readonly sources: () => readonly S[];
  readonly toCache: (source: S) => Pick<SecretCache<Q, V>, "get">;
}): Finder<V> {
  const { kind, request, allow, sources, toCache } = parts;
  const { query, roleArn, refreshNow } = request;

  const toChoice = rememberObjects((all: readonly S[]) => {
    const { source, expectAllowed } = chooseSource({ kind, query, roleArn }, allow, all);
    return { cache: toCache(source), expectAllowed: rememberObjects<V, void>(expectAllowed) };
  });

  return async (deadlineEpochMs) => {
    const { cache, expectAllowed } = toChoice(sources());
    const cached = await cache.get(query, { deadlineEpochMs, refreshNow });
    expectAllowed(cached.value);
    return cached;
  };
}
