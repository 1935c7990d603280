/**
 * Keeps values, and asks once however many wait. Knows nothing of AWS: it is handed a way to fetch.
 *
 * A value is *fresh* for some four fifths of its TTL: served. *Ageing* up to the TTL: served, and refreshed behind the reply.
 * *Expired*: the request waits for the refresh. *Stale*: the refresh failed, in a way that allows it: served for `maxStaleMs`
 * more. A denial, or a secret that is gone, ends a value at once.
 *
 * Nothing is due by a timer, because a frozen process has none: a value's age is decided when it is asked for, by the wall
 * clock. A clock that steps back makes a value expired, never eternal.
 */
import type { Config } from "../config/config.ts";
import { Failure, toFailure, toRow } from "../failure/failure.ts";
import type { Counters } from "../metrics.ts";
import type { Source, ValueRules, Versioned } from "../values/source.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { createSecretFlights } from "./flights.ts";
import { createSecretStore, type Stored, toKey } from "./store.ts";

export interface Cached<V> {
  readonly value: V;
  /** Where it is from: memory; a fetch; or memory, because the fetch failed. */
  readonly from: "memory" | "fetch" | { readonly failed: Failure };
  readonly ageMs: number;
  /** How much longer it is kept; below 0 for how long it should have been refreshed. */
  readonly ttlMs: number;
}

export interface ValueCache<Q, V> {
  /**
   * The value that `query` asks for. With `refreshNow` it is fetched after this call, whatever is at hand or under way.
   * Fails with the fetch's Failure, or with `timeout` at the deadline.
   */
  get(query: Q, options: { deadlineEpochMs: DeadlineEpochMs; refreshNow?: boolean }): Promise<Cached<V>>;
  /**
   * "This version was refused by what the secret opens": fetches anew if it is still the one at hand. Fails with
   * `asked-too-often` when it has only just been fetched.
   */
  invalidate(query: Q, versionId: string, deadlineEpochMs: DeadlineEpochMs): Promise<void>;
}

/** Between two reports that one version was refused. */
const INVALIDATION_PAUSE_MS = 5_000;
/**
 * All values of a rules together: function and extension share the function's memory, 128 MB at the least. The bodies of
 * replies, kept as long as their values, may come to as much again for each form that is asked for.
 */
const MAX_BYTES = 8_388_608;

export function createValueCache<Q extends object, V extends Versioned>(parts: {
  readonly rules: ValueRules<Q, V>;
  readonly fetch: (query: Q, deadlineEpochMs: DeadlineEpochMs) => Promise<V>;
  readonly source: Pick<Source, "home">;
  /** A TTL of 0, or a size of 0: nothing is kept, but flights are still shared. The sources share size and memory. */
  readonly config: Pick<Config, "ttlMs" | "maxStaleMs" | "cacheSize" | "timeoutMs"> & {
    readonly sources: readonly unknown[];
  };
  readonly counters: Counters;
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
}): ValueCache<Q, V> {
  const { counters, now, source } = parts;
  const { ttlMs, maxStaleMs, cacheSize, timeoutMs, sources } = parts.config;
  const store = createSecretStore({
    rules: parts.rules,
    home: source.home,
    maxEntries: ttlMs > 0 ? Math.ceil(cacheSize / sources.length) : 0,
    maxBytes: MAX_BYTES / sources.length,
  });
  const refreshing = new Set<string>();
  const flights = createSecretFlights({ ...parts, home: source.home, ttlMs, store });

  /** A clock that has stepped back says nothing about an age: the value is too old. */
  const toAgeMs = ({ askedAtEpochMs }: Stored<V>): number => {
    const ageMs = now() - askedAtEpochMs;
    return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs;
  };

  /** What is at hand, at whatever age it may still be served. */
  function find(query: Q): Stored<V> | undefined {
    const secret = store.find(query);
    if (secret === undefined || toAgeMs(secret) < ttlMs + maxStaleMs) return secret;
    store.drop(query);
    return undefined;
  }

  const serve = (secret: Stored<V>, from: Cached<V>["from"]): Cached<V> => {
    // Over which the clock stepped back, what was fetched just now is still new.
    const ageMs = from === "fetch" ? Math.max(0, now() - secret.askedAtEpochMs) : toAgeMs(secret);
    return { value: secret.value, from, ageMs, ttlMs: cacheSize === 0 || ttlMs === 0 ? 0 : ttlMs - ageMs };
  };

  /** Behind a reply, whose deadline is not its own; what it fails with is remembered. One for all who might want it. */
  function refresh(query: Q): void {
    const key = toKey(parts.rules.toId(query), parts.rules.toVariant(query));
    if (refreshing.has(key)) return;
    refreshing.add(key);
    const done = () => void refreshing.delete(key);
    flights.fetch(query, now() + timeoutMs).then(done, done);
  }

  return {
    async get(query, { deadlineEpochMs, refreshNow = false }) {
      const secret = refreshNow ? undefined : find(query);
      const failure = flights.recallFailure(query, { isInsisting: refreshNow });
      if (secret !== undefined && toAgeMs(secret) < ttlMs) {
        if (toAgeMs(secret) >= secret.freshMs && failure === undefined) refresh(query);
        counters.hits += 1;
        return serve(secret, "memory");
      }
      if (failure !== undefined) {
        if (secret === undefined || !toRow(failure).mayServeStale) throw failure;
        counters.stale += 1;
        return serve(secret, "memory");
      }
      counters.misses += 1;
      try {
        return serve(await flights.fetch(query, deadlineEpochMs, { alone: refreshNow }), "fetch");
      } catch (thrown) {
        const failed = toFailure(thrown);
        // What is at hand now: meanwhile another may have got a newer one, or been denied it.
        const held = refreshNow ? undefined : find(query);
        if (held === undefined || !toRow(failed).mayServeStale) throw failed;
        counters.stale += 1;
        return serve(held, { failed });
      }
    },

    async invalidate(query, versionId, deadlineEpochMs) {
      const secret = find(query);
      if (secret?.value.versionId !== versionId) return;
      const reportedAtEpochMs = now();
      const retryAfterMs = INVALIDATION_PAUSE_MS - (reportedAtEpochMs - secret.askedAtEpochMs);
      if (retryAfterMs > 0) throw new Failure("asked-too-often", `AWS had ${versionId} a moment ago`, { retryAfterMs });
      const failure = flights.recallFailure(query, { isInsisting: true });
      if (failure !== undefined) throw failure;
      const fetched = await flights.fetch(query, deadlineEpochMs);
      // Work that began before the report may have brought the same version: it knew nothing of a rotation since.
      if (fetched.value.versionId !== versionId || fetched.askedAtEpochMs >= reportedAtEpochMs) return;
      await flights.fetch(query, deadlineEpochMs, { alone: true });
    },
  };
}
