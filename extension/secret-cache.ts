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
import type { Config } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { Failure, toFailure } from "./errors.ts";
import { type BackOff, createFailureMemory } from "./failure-memory.ts";
import { isCalled, toPlace } from "./secret-id.ts";
import { createSecretStore, type StoredSecret, toKey } from "./secret-store.ts";
import type { SecretQuery, SecretValue } from "./secrets-manager.ts";
import { createSingleFlight } from "./single-flight.ts";

export interface CachedSecret {
  readonly value: SecretValue;
  /** Where it is from: memory; a fetch; or memory, because the fetch failed. */
  readonly from: "memory" | "fetch" | { readonly failed: Failure };
  readonly ageMs: number;
  /** How much longer it is kept; below 0 for how long it should have been refreshed. */
  readonly ttlMs: number;
}

export interface SecretCache {
  /**
   * The value that `query` asks for. With `refreshNow` it is fetched after this call, whatever is at hand or under way.
   * Fails with the fetch's Failure, or with `timeout` at the deadline.
   */
  get(query: SecretQuery, options: { deadlineEpochMs: DeadlineEpochMs; refreshNow?: boolean }): Promise<CachedSecret>;
  /**
   * "This version was refused by what the secret opens": fetches anew if it is still the one at hand. Fails with
   * `asked-too-often` when it has only just been fetched.
   */
  invalidate(query: SecretQuery, versionId: string, deadlineEpochMs: DeadlineEpochMs): Promise<void>;
}

/** Between the end of a fetch and the answer that tells about it. */
const REPLY_MARGIN_MS = 20;
/** The part of the TTL after which a value is refreshed behind a reply, and how much of the TTL that may vary. */
const FRESH_PART = { least: 0.75, jitter: 0.1 };
/** What is known of ended fetches matters as long as an older one is under way: seconds. */
const MAX_NEWS = 1_000;
/** A fetch that fails so long after its deadline was not late, but frozen. */
const FROZEN_MS = 1_000;
/** Between two tries that callers insist on, and between two reports that one version was refused. */
const INSISTENCE_PAUSE_MS = 1_000;
const INVALIDATION_PAUSE_MS = 5_000;

export function createSecretCache(parts: {
  readonly fetch: (query: SecretQuery, deadlineEpochMs: DeadlineEpochMs) => Promise<SecretValue>;
  readonly policyOf: (failure: Failure) => { readonly mayServeStale: boolean; readonly backOff: BackOff | undefined };
  /** A TTL of 0, or a size of 0: nothing is kept, but flights are still shared. */
  readonly config: Pick<Config, "home" | "ttlMs" | "maxStaleMs" | "cacheSize" | "timeoutMs">;
  readonly counters: Counters;
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
}): SecretCache {
  const { policyOf, counters, now, random } = parts;
  const { home, ttlMs, maxStaleMs, cacheSize, timeoutMs } = parts.config;
  const store = createSecretStore({ home, maxEntries: ttlMs > 0 ? cacheSize : 0 });
  const failures = createFailureMemory({ backOffOf: (failure) => policyOf(failure).backOff, now, random });
  const fly = createSingleFlight<StoredSecret>(now);
  /** How the secret was spelled in the fetch that came to this value, or to this failure. */
  const spellings = new WeakMap<object, string>();
  /** The last fetch that came to an end, of each spelling. */
  const news = new Map<string, number>();
  let order = 0;

  /** A clock that has stepped back says nothing about an age: the value is too old. */
  const toAgeMs = ({ askedAtEpochMs }: StoredSecret): number => {
    const ageMs = now() - askedAtEpochMs;
    return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs;
  };

  /** What is at hand, at whatever age it may still be served. */
  function find(query: SecretQuery): StoredSecret | undefined {
    const secret = store.find(query);
    if (secret === undefined || toAgeMs(secret) < ttlMs + maxStaleMs) return secret;
    store.drop(query);
    return undefined;
  }

  const toFlightKey = (query: SecretQuery): string => {
    const { place, names } = toPlace(query.secretId, home);
    return toKey(`${place}:${names[names.length - 1]}`, query);
  };

  /** Whether no fetch that began later has come to an end: what an older one says is out of date, for good or bad. */
  function isNews(query: SecretQuery, fetchOrder: number): boolean {
    const key = toKey(query.secretId, query);
    if ((news.get(key) ?? 0) > fetchOrder) return false;
    if (news.size >= MAX_NEWS) news.clear();
    news.set(key, fetchOrder);
    return true;
  }

  async function fetch(query: SecretQuery, deadlineEpochMs: DeadlineEpochMs): Promise<StoredSecret> {
    order += 1;
    const freshMs = ttlMs * (FRESH_PART.least + FRESH_PART.jitter * random());
    const begun = { askedAtEpochMs: now(), freshMs, order };
    const failureKey = toKey(query.secretId, query);
    try {
      const secret = { value: await parts.fetch(query, deadlineEpochMs - REPLY_MARGIN_MS), ...begun };
      spellings.set(secret, query.secretId);
      const refusal = store.keep(query, secret);
      if (refusal !== undefined) throw refusal;
      if (isNews(query, begun.order)) failures.forget(failureKey);
      const newest = find(query);
      return newest !== undefined && newest.order > secret.order ? newest : secret;
    } catch (thrown) {
      let failure = toFailure(thrown);
      if (!policyOf(failure).mayServeStale) store.refuse(query, begun.order, failure);
      // A fetch that was frozen says nothing about AWS as it is now.
      const isTimely = now() <= deadlineEpochMs + FROZEN_MS;
      if (isNews(query, begun.order) && isTimely) failure = failures.remember(failureKey, failure);
      spellings.set(failure, query.secretId);
      throw failure;
    }
  }

  /**
   * Whoever joins the flight of another spelling looks whether it brought the secret that was meant, or was refused for
   * its spelling; then one's own spelling is asked for.
   */
  async function share(query: SecretQuery, deadlineEpochMs: DeadlineEpochMs, alone = false): Promise<StoredSecret> {
    const leftMs = deadlineEpochMs - now();
    const start = () => fetch(query, deadlineEpochMs);
    const late = () => new Failure("timeout", `${query.secretId} was not fetched in time`);
    const journey = { deadlineEpochMs, start, late, alone };
    const isAsAsked = (outcome: object) => (spellings.get(outcome) ?? query.secretId) === query.secretId;
    try {
      const secret = await fly({ ...journey, key: toFlightKey(query) });
      if (isAsAsked(secret) || isCalled(secret.value, query.secretId)) return secret;
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (isAsAsked(failure) || policyOf(failure).mayServeStale) throw failure;
    }
    // A clock that stepped back meanwhile gives nobody more time than there was.
    const ownDeadlineEpochMs = Math.min(deadlineEpochMs, now() + leftMs);
    return fly({ ...journey, deadlineEpochMs: ownDeadlineEpochMs, key: toKey(query.secretId, query) });
  }

  const serve = (secret: StoredSecret, from: CachedSecret["from"]): CachedSecret => {
    // Over which the clock stepped back, what was fetched just now is still new.
    const ageMs = from === "fetch" ? Math.max(0, now() - secret.askedAtEpochMs) : toAgeMs(secret);
    return { value: secret.value, from, ageMs, ttlMs: cacheSize === 0 || ttlMs === 0 ? 0 : ttlMs - ageMs };
  };

  return {
    async get(query, { deadlineEpochMs, refreshNow = false }) {
      const secret = refreshNow ? undefined : find(query);
      const failure = failures.recall(toKey(query.secretId, query), refreshNow ? INSISTENCE_PAUSE_MS : undefined);
      if (secret !== undefined && toAgeMs(secret) < ttlMs) {
        // Behind the reply, whose deadline is not its own; what it fails with is remembered.
        const isAgeing = toAgeMs(secret) >= secret.freshMs;
        if (isAgeing && failure === undefined) share(query, now() + timeoutMs).catch(() => {});
        counters.hits += 1;
        return serve(secret, "memory");
      }
      if (failure !== undefined) {
        if (secret === undefined || !policyOf(failure).mayServeStale) throw failure;
        counters.stale += 1;
        return serve(secret, "memory");
      }
      counters.misses += 1;
      try {
        return serve(await share(query, deadlineEpochMs, refreshNow), "fetch");
      } catch (thrown) {
        const failed = toFailure(thrown);
        // What is at hand now: meanwhile another may have got a newer one, or been denied it.
        const held = refreshNow ? undefined : find(query);
        if (held === undefined || !policyOf(failed).mayServeStale) throw failed;
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
      const failure = failures.recall(toKey(query.secretId, query), INSISTENCE_PAUSE_MS);
      if (failure !== undefined) throw failure;
      const fetched = await share(query, deadlineEpochMs);
      // Work that began before the report may have brought the same version: it knew nothing of a rotation since.
      if (fetched.value.versionId !== versionId || fetched.askedAtEpochMs >= reportedAtEpochMs) return;
      await share(query, deadlineEpochMs, true);
    },
  };
}
