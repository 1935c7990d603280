/**
 * A bounded map of kept values: one for each secret and version that AWS tells apart, however callers spell its id.
 *
 * Two ids may name one secret, and only AWS's answer tells. So ids that presumably name the same share a fetch, and each
 * caller checks the answer. If it is another secret, or a refusal that may be about the other id, the caller makes a fetch
 * of its own. A value is kept under the name that AWS answered with.
 */
import type { Config } from "../config/config.ts";
import { Failure, toFailure, toFailureRow } from "../failure/failure.ts";
import { toRouteRemedy } from "../failure/remedies.ts";
import type { Counters } from "../metrics.ts";
import { memoizeObjects } from "../values/memoize.ts";
import { isCalled, type Source, type ValueRules, type Versioned } from "../values/source.ts";
import { type DeadlineEpochMs, overFreeze, watchForFreeze, within } from "./deadline.ts";
import { type Fetched, type Held, Kept } from "./kept.ts";

export interface Cached<V> {
  readonly value: V;
  /** From memory, from a fetch, or from memory because the fetch failed. */
  readonly from: "memory" | "fetch" | { readonly failed: Failure };
  readonly ageMs: number;
  /** How much longer it is kept. Below 0: how long ago it should have been refreshed. */
  readonly ttlMs: number;
}

export interface ValueCache<Q, V> {
  /**
   * Returns the value that `query` asks for. With `refreshNow` it is fetched after this call. Fails with the fetch's
   * Failure, or with `timeout` at the deadline.
   */
  get(query: Q, options: { deadlineEpochMs: DeadlineEpochMs; refreshNow?: boolean }): Promise<Cached<V>>;
  /**
   * A caller reports that this version was refused. Fetches again if it is still the one that is held. Reports that come
   * during that fetch join it. Fails with `asked-too-often` if the same version was reported only just before.
   */
  invalidate(query: Q, versionId: string, deadlineEpochMs: DeadlineEpochMs): Promise<void>;
}

/** The pause between two reports about one version. */
const INVALIDATION_PAUSE_MS = 5_000;
/** The pause between two fetches that callers insist on. */
const INSISTENCE_PAUSE_MS = 1_000;
/** The time between the end of a fetch and the reply. */
const REPLY_MARGIN_MS = 20;
/** The part of the TTL after which a value is refreshed. The jitter spreads a fleet that started together. */
const FRESH_PART = { least: 0.75, jitter: 0.1 };
/**
 * For all secrets together, and for all parameters: function and extension share the function's memory, at least 128 MB.
 * Replies, which are kept as long as their values, may take as much again in each form that is asked for.
 */
const MAX_BYTES = 8_388_608;
/** Failures matter for a minute at most. */
const MAX_WITHOUT_VALUE = 1_000;

/** What a query is to the cache. */
interface Keys extends Record<"id" | "variant" | "place" | "shared" | "own", string> {
  /** For each name that the id may mean. The last is `shared` by all ids that presumably name the same; `own` is this id's. */
  readonly byName: readonly string[];
}

interface Found<V> {
  readonly kept: Kept<V>;
  readonly held: Held<V>;
}

export function createValueCache<Q extends object, V extends Versioned>(deps: {
  readonly rules: ValueRules<Q, V>;
  /** `held` is the value that the answer would replace. */
  readonly fetch: (query: Q, deadlineEpochMs: DeadlineEpochMs, held: V | undefined) => Promise<V>;
  readonly source: Pick<Source, "home">;
  /** With a TTL or a size of 0 nothing is kept, but fetches are shared. The sources share size and memory. */
  readonly config: Pick<Config, "ttlMs" | "maxStaleMs" | "cacheSize" | "timeoutMs"> & {
    readonly sources: readonly unknown[];
  };
  readonly counters: Counters;
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
}): ValueCache<Q, V> {
  const { rules, counters, now, random } = deps;
  const { home } = deps.source;
  const { maxStaleMs, cacheSize, timeoutMs, sources } = deps.config;
  const ttlMs = cacheSize === 0 ? 0 : deps.config.ttlMs;
  const maxValues = ttlMs > 0 ? Math.ceil(cacheSize / sources.length) : 0;
  const maxBytes = MAX_BYTES / sources.length;
  /** In the order of their last use: a Map keeps the order in which its entries were set. */
  const keptByKey = new Map<string, Kept<V>>();
  let order = 0;

  const toKeys = memoizeObjects((query: Q): Keys => {
    const [id, variant] = [rules.toId(query), rules.toVariant(query)];
    const { place, names } = rules.toLocation(id, home);
    const byName = names.map((name) => toNameKey(place, name, variant));
    return { id, variant, place, byName, shared: byName.at(-1) ?? "", own: toOwnKey(place, id, variant) };
  });

  /** What is kept under this key, which becomes the last used. */
  function use(key: string): Kept<V> {
    const kept = keptByKey.get(key) ?? new Kept<V>(now);
    keptByKey.delete(key);
    keptByKey.set(key, kept);
    return kept;
  }

  /** The kept value that the id names. */
  function find({ id, byName }: Keys): Found<V> | undefined {
    for (const key of byName) {
      const held = keptByKey.get(key)?.find();
      if (held !== undefined && isCalled(rules, held.value, id)) return { kept: use(key), held };
    }
    return undefined;
  }

  function recall({ own, shared }: Keys, isInsisting: boolean): Failure | undefined {
    const mostMs = isInsisting ? INSISTENCE_PAUSE_MS : undefined;
    return keptByKey.get(own)?.recall(mostMs) ?? keptByKey.get(shared)?.recall(mostMs);
  }

  /** Nobody knows yet why the fetch takes so long. Most often there is no route to AWS. */
  const late = ({ id }: Keys) =>
    new Failure("timeout", `${id} was not fetched in time`, { remedy: toRouteRemedy(rules.word, home.region) });

  /**
   * Keeps what AWS answered, unless a later fetch of the same secret was refused. If only another of its ids was refused,
   * nothing is known of this id, and it must be asked for again.
   */
  function keep(keys: Keys, held: Held<V>): Fetched<V> | undefined {
    const { place, variant } = keys;
    const findRefusal = (key: string) => keptByKey.get(key)?.findFailureAfter(held.order);
    const failure = findRefusal(keys.own);
    if (failure !== undefined) return { id: keys.id, failure };
    if (rules.toIds(held.value).some((id) => findRefusal(toOwnKey(place, id, variant)) !== undefined)) return undefined;
    for (const key of [keys.own, keys.shared]) keptByKey.get(key)?.forgetFailure(held.order);
    // A secret that was created again under its old name also replaces the other versions of the old one.
    const name = `${place}:${held.value.name} `;
    for (const [key, kept] of keptByKey) {
      if (key.startsWith(name) && kept.find()?.value.arn !== held.value.arn) kept.drop(held.order);
    }
    const latest = use(toNameKey(place, held.value.name, variant)).hold(held);
    evict();
    // A later answer to a name may be about a secret that was created again. An ARN does not name that.
    return { id: keys.id, held: isCalled(rules, latest.value, keys.id) ? latest : held };
  }

  /** Remembers a failure: of this id if AWS refused it, else of all ids that presumably name the same. */
  function remember(keys: Keys, failure: Failure, fetchOrder: number, wasFrozen: boolean): Failure {
    const { mayServeStale, backOff } = toFailureRow(failure);
    if (!mayServeStale) find(keys)?.kept.drop(fetchOrder);
    // A later fetch has brought the value, even if that is no longer held.
    if (keys.byName.some((key) => keptByKey.get(key)?.wasHeldAfter(fetchOrder))) return failure;
    // A fetch that was frozen and got no answer says nothing about AWS as it is now.
    if (mayServeStale && wasFrozen) return failure;
    const remembered = use(mayServeStale ? keys.shared : keys.own).fail(failure, fetchOrder, backOff, random);
    evict();
    return remembered;
  }

  function fetchOnce(query: Q, keys: Keys, deadlineEpochMs: DeadlineEpochMs): Promise<Fetched<V>> {
    order += 1;
    const freshMs = ttlMs * (FRESH_PART.least + FRESH_PART.jitter * random());
    const begun = { askedAtEpochMs: now(), order, freshMs, ttlMs, keepMs: ttlMs + maxStaleMs };
    return watchForFreeze(deadlineEpochMs - now(), now, async (wasFrozen) => {
      try {
        const value = await deps.fetch(query, deadlineEpochMs - REPLY_MARGIN_MS, find(keys)?.held.value);
        return keep(keys, { value, ...begun }) ?? fetchOnce(query, keys, deadlineEpochMs);
      } catch (thrown) {
        return { id: keys.id, failure: remember(keys, toFailure(thrown), begun.order, wasFrozen()) };
      }
    });
  }

  async function share(query: Q, keys: Keys, deadlineEpochMs: DeadlineEpochMs, isNew: boolean): Promise<Held<V>> {
    const leftMs = deadlineEpochMs - now();
    const start = async (): Promise<Fetched<V>> => {
      // The second fetch of a crowd that insists starts when the first has ended. If that failed, it is too early.
      const failure = isNew ? recall(keys, true) : undefined;
      return failure === undefined ? fetchOnce(query, keys, deadlineEpochMs) : { id: keys.id, failure };
    };
    const options = { start, late: () => late(keys), isNew };
    const first = await use(keys.shared).fetch({ ...options, deadlineEpochMs });
    const isAsAsked = first.id === keys.id;
    if ("held" in first && (isAsAsked || isCalled(rules, first.held.value, keys.id))) return first.held;
    if ("failure" in first && (isAsAsked || toFailureRow(first.failure).mayServeStale)) throw first.failure;
    // After a clock has stepped back, there is no more time than before.
    const leftEpochMs = Math.min(deadlineEpochMs, now() + leftMs);
    const own = await use(keys.own).fetch({ ...options, deadlineEpochMs: leftEpochMs });
    if ("failure" in own) throw own.failure;
    return own.held;
  }

  const fetch = (query: Q, keys: Keys, deadlineEpochMs: DeadlineEpochMs, isNew = false): Promise<Held<V>> =>
    overFreeze({
      deadlineEpochMs,
      now,
      isRefusal: (thrown) => !toFailureRow(toFailure(thrown)).mayServeStale,
      async attempt(atEpochMs) {
        const start = () => share(query, keys, atEpochMs, isNew);
        // Both waits together end at the deadline, even if the clock has stepped back in the first one.
        const held = await within({ deadlineEpochMs: atEpochMs, now, start, late: () => late(keys) });
        // During a freeze the answer waited in the socket, and is as old as the freeze.
        if (now() >= atEpochMs) throw late(keys);
        return held;
      },
    });

  /** Drops what was used longest ago, until all bounds are met. */
  function evict(): void {
    let [values, bytes, others] = [0, 0, 0];
    for (const [key, kept] of [...keptByKey].reverse()) {
      const held = kept.find();
      if (held !== undefined) {
        values += 1;
        bytes += rules.toBytes(held.value);
        if (values > maxValues || bytes > maxBytes) kept.drop();
      }
      if (kept.isHolding || kept.isFetching) continue;
      others += 1;
      if (kept.isEmpty || others > MAX_WITHOUT_VALUE) keptByKey.delete(key);
    }
  }

  return {
    async get(query, { deadlineEpochMs, refreshNow = false }) {
      const keys = toKeys(query);
      const found = refreshNow ? undefined : find(keys);
      const failure = recall(keys, refreshNow);
      if (found !== undefined && !found.kept.isExpired(found.held)) {
        if (!found.kept.isFresh(found.held) && failure === undefined) refresh(query, keys);
        counters.hits += 1;
        return serve(found, "memory");
      }
      if (failure !== undefined) return serveStale(found, failure, "memory");
      counters.misses += 1;
      try {
        const held = await fetch(query, keys, deadlineEpochMs, refreshNow);
        // If the clock stepped back meanwhile, what was fetched just now is still new.
        const ageMs = Math.max(0, now() - held.askedAtEpochMs);
        return { value: held.value, from: "fetch", ageMs, ttlMs: ttlMs === 0 ? 0 : ttlMs - ageMs };
      } catch (thrown) {
        const failed = toFailure(thrown);
        // Looked up again: meanwhile another request may have brought a newer value, or a denial.
        return serveStale(refreshNow ? undefined : find(keys), failed, { failed });
      }
    },

    async invalidate(query, versionId, deadlineEpochMs) {
      const keys = toKeys(query);
      const found = find(keys);
      if (found?.held.value.versionId !== versionId) return;
      const failure = recall(keys, true);
      if (failure !== undefined) throw failure;
      const { kept } = found;
      const retryAfterMs = kept.report(versionId, INVALIDATION_PAUSE_MS);
      if (retryAfterMs !== undefined && retryAfterMs > 0) {
        throw new Failure("asked-too-often", `${versionId} was reported a moment ago`, { retryAfterMs });
      }
      // Later reports join the fetch for the first. A fetch that began before that does not know of the rotation.
      const isFirst = retryAfterMs === undefined;
      let hasFailed = true;
      try {
        await fetch(query, keys, deadlineEpochMs, isFirst);
        hasFailed = false;
      } finally {
        if (isFirst) kept.settleReport(hasFailed);
      }
    },
  };

  function serve({ kept, held }: Found<V>, from: Cached<V>["from"]): Cached<V> {
    const ageMs = kept.toAgeMs(held);
    return { value: held.value, from, ageMs, ttlMs: ttlMs - ageMs };
  }

  function serveStale(found: Found<V> | undefined, failure: Failure, from: Cached<V>["from"]): Cached<V> {
    if (found === undefined || !toFailureRow(failure).mayServeStale) throw failure;
    counters.stale += 1;
    return serve(found, from);
  }

  /** Fetches behind a reply, so not under the reply's deadline. A failure is remembered. */
  function refresh(query: Q, keys: Keys): void {
    if (keptByKey.get(keys.shared)?.isFetching) return;
    fetch(query, keys, now() + timeoutMs).catch(() => {});
  }
}

/** No name and no id holds a space, so keys are unambiguous. */
const toNameKey = (place: string, name: string, variant: string) => `${place}:${name} ${variant}`;
const toOwnKey = (place: string, id: string, variant: string) => `${place} ${id} ${variant}`;
