/**
 * Fetches a secret once for all who wait for it, however they spell it, and remembers how the last fetch failed. What an
 * older fetch says, for good or bad, never counts against what a newer one said.
 */

import { Failure, toFailure, toRow } from "../failure/failure.ts";
import { toRouteRemedy } from "../failure/remedies.ts";
import type { Home, ValueRules, Versioned } from "../values/source.ts";
import { type DeadlineEpochMs, overFreeze, watchForFreeze } from "./deadline.ts";
import { type BackOff, createFailureMemory } from "./failure-memory.ts";
import { memoizeObjects } from "./memoize.ts";
import { createSingleFlight } from "./single-flight.ts";
import { type SecretStore, type Stored, toKey } from "./store.ts";

export interface SecretFlights<Q, V> {
  /**
   * What AWS has, which is in the store then. Joins a fetch under way, but with `alone`, which is for what is fetched after
   * this call. Fails with the fetch's Failure, or with `timeout` at the deadline.
   */
  fetch(query: Q, deadlineEpochMs: DeadlineEpochMs, options?: { alone: boolean }): Promise<Stored<V>>;
  /** How the last fetch failed, as long as that keeps from another; who insists is kept for a second at the most. */
  recallFailure(query: Q, options?: { isInsisting: boolean }): Failure | undefined;
}

/** What a rules of failure allows. */
export type PolicyOf = (failure: Failure) => {
  readonly mayServeStale: boolean;
  readonly backOff: BackOff | undefined;
};

/** Between the end of a fetch and the answer that tells about it. */
const REPLY_MARGIN_MS = 20;
/** The part of the TTL after which a value is refreshed behind a reply, and how much of the TTL that may vary. */
const FRESH_PART = { least: 0.75, jitter: 0.1 };
/** What is known of ended fetches matters as long as an older one is under way: seconds. */
const MAX_NEWS = 1_000;
/** Between two tries that callers insist on. */
const INSISTENCE_PAUSE_MS = 1_000;

export function createSecretFlights<Q extends object, V extends Versioned>(parts: {
  readonly rules: ValueRules<Q, V>;
  readonly fetch: (query: Q, deadlineEpochMs: DeadlineEpochMs) => Promise<V>;
  readonly store: SecretStore<Q, V>;
  readonly home: Home;
  readonly ttlMs: number;
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
}): SecretFlights<Q, V> {
  const { rules, store, home, ttlMs, now, random } = parts;
  const failures = createFailureMemory({ backOffOf: (failure) => toRow(failure).backOff, now, random });
  const fly = createSingleFlight<Stored<V>>(now);
  /** How the secret was spelled in the fetch that came to this value, or to this failure. */
  const spellings = new WeakMap<object, string>();
  /** The last fetch that came to an end, of each key. */
  const news = new Map<string, number>();
  let order = 0;

  /** Nobody knows yet what keeps the fetch: most often it is that there is no way to AWS. */
  const late = (query: Q) =>
    new Failure("timeout", `${rules.toId(query)} was not fetched in time`, {
      remedy: toRouteRemedy(rules.word, home.region),
    });

  /** Of this spelling alone, and of all spellings of what may be the same secret. */
  const toKeys = memoizeObjects((query: Q): { readonly own: string; readonly shared: string } => {
    const [id, variant] = [rules.toId(query), rules.toVariant(query)];
    const { place, names } = rules.toLocation(id, home);
    return { own: toKey(id, variant), shared: toKey(`${place}:${names[names.length - 1]}`, variant) };
  });

  /** Whether no fetch that began later has come to an end. */
  function isNews(key: string, fetchOrder: number): boolean {
    if ((news.get(key) ?? 0) > fetchOrder) return false;
    news.delete(key);
    news.set(key, fetchOrder);
    for (const oldest of news.keys()) {
      if (news.size <= MAX_NEWS) break;
      news.delete(oldest);
    }
    return true;
  }

  async function fetch(query: Q, deadlineEpochMs: DeadlineEpochMs): Promise<Stored<V>> {
    order += 1;
    const freshMs = ttlMs * (FRESH_PART.least + FRESH_PART.jitter * random());
    const begun = { askedAtEpochMs: now(), freshMs, order };
    const { own, shared } = toKeys(query);
    const watch = watchForFreeze(deadlineEpochMs - now(), now);
    try {
      const secret = { value: await parts.fetch(query, deadlineEpochMs - REPLY_MARGIN_MS), ...begun };
      spellings.set(secret, rules.toId(query));
      const refusal = store.keep(query, secret);
      if (refusal !== undefined) throw refusal;
      for (const key of [own, shared]) if (isNews(key, begun.order)) failures.forget(key);
      const newest = store.find(query);
      return newest !== undefined && newest.order > secret.order ? newest : secret;
    } catch (thrown) {
      let failure = toFailure(thrown);
      // Where AWS cannot be reached, another spelling does not help; a refusal may be of this one only.
      const isOfSpelling = !toRow(failure).mayServeStale;
      if (isOfSpelling) store.refuse(query, begun.order, failure);
      const key = isOfSpelling ? own : shared;
      // That a fetch which was frozen got no answer says nothing about AWS as it is now.
      const isOfFreeze = !isOfSpelling && watch.wasFrozen();
      if (isNews(key, begun.order) && !isOfFreeze) failure = failures.remember(key, failure);
      spellings.set(failure, rules.toId(query));
      throw failure;
    } finally {
      watch.end();
    }
  }

  function recallFailure(query: Q, { isInsisting } = { isInsisting: false }): Failure | undefined {
    const { own, shared } = toKeys(query);
    const mostMs = isInsisting ? INSISTENCE_PAUSE_MS : undefined;
    return failures.recall(own, mostMs) ?? failures.recall(shared, mostMs);
  }

  /**
   * Whoever joins the flight of another spelling looks whether it brought the secret that was meant, or was refused for
   * its spelling; then one's own spelling is asked for.
   */
  async function share(query: Q, deadlineEpochMs: DeadlineEpochMs, alone: boolean): Promise<Stored<V>> {
    const { own, shared } = toKeys(query);
    const leftMs = deadlineEpochMs - now();
    const start = async () => {
      // Of a crowd that insists, the second flight begins when the first has ended: if that failed, it is too soon.
      const failure = alone ? recallFailure(query, { isInsisting: true }) : undefined;
      if (failure === undefined) return fetch(query, deadlineEpochMs);
      spellings.set(failure, rules.toId(query));
      throw failure;
    };
    const journey = { deadlineEpochMs, start, late: () => late(query), alone };
    const id = rules.toId(query);
    const isAsAsked = (outcome: object) => (spellings.get(outcome) ?? id) === id;
    try {
      const secret = await fly({ ...journey, key: shared });
      if (isAsAsked(secret) || rules.isCalled(secret.value, id)) return secret;
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (isAsAsked(failure) || toRow(failure).mayServeStale) throw failure;
    }
    // A clock that stepped back meanwhile gives nobody more time than there was.
    const ownDeadlineEpochMs = Math.min(deadlineEpochMs, now() + leftMs);
    return fly({ ...journey, deadlineEpochMs: ownDeadlineEpochMs, key: own });
  }

  return {
    fetch: (query, deadlineEpochMs, { alone } = { alone: false }) =>
      overFreeze({
        deadlineEpochMs,
        now,
        isRefusal: (thrown) => !toRow(toFailure(thrown)).mayServeStale,
        async attempt(atEpochMs) {
          const secret = await share(query, atEpochMs, alone);
          // The answer lay in the socket over a freeze, and is as old as that.
          if (now() >= atEpochMs) throw late(query);
          return secret;
        },
      }),
    recallFailure,
  };
}
