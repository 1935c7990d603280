/**
 * Keeps values for their TTL, and asks once however many wait. Knows nothing of AWS: it is handed a way to fetch.
 *
 * Nothing is due by a timer, because a frozen process has none: whether a value is still good is decided when it is
 * asked for, by the wall clock. A clock that steps back makes a value expired, never eternal.
 */
import type { Config } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { Failure } from "./errors.ts";
import type { SecretQuery, SecretValue } from "./secrets-manager.ts";
import { createSingleFlight } from "./single-flight.ts";

export interface CachedSecret {
  readonly value: SecretValue;
  /** Whether it was at hand: no call to AWS was made or waited for. */
  readonly isHit: boolean;
  readonly ageMs: number;
  /** How much longer it is kept; 0 where nothing is kept. */
  readonly ttlMs: number;
}

export interface SecretCache {
  /**
   * The value that `query` asks for. With `refreshNow` it is fetched after this call, whatever is at hand or under way.
   * Fails with the fetch's Failure, or with `timeout` at the deadline.
   */
  get(query: SecretQuery, options: { deadlineEpochMs: DeadlineEpochMs; refreshNow?: boolean }): Promise<CachedSecret>;
}

interface Entry {
  readonly value: SecretValue;
  /** When the call that brought it began: what AWS changed after that, it does not know. */
  readonly askedAtEpochMs: number;
  /** The how-manieth fetch brought it. */
  readonly order: number;
}

/** Between the end of a fetch and the answer that tells about it. */
const REPLY_MARGIN_MS = 20;

export function createSecretCache(parts: {
  readonly fetch: (query: SecretQuery, deadlineEpochMs: DeadlineEpochMs) => Promise<SecretValue>;
  /** A TTL of 0, or a size of 0: nothing is kept, but flights are still shared. */
  readonly config: Pick<Config, "ttlMs" | "cacheSize">;
  readonly counters: Counters;
  readonly now: () => number;
}): SecretCache {
  const { counters, now } = parts;
  const { ttlMs, cacheSize } = parts.config;
  /** In order of last use: a Map keeps the order of insertion, and a hit inserts anew. */
  const entries = new Map<string, Entry>();
  const fly = createSingleFlight<Entry>(now);
  let order = 0;

  function find(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    entries.delete(key);
    const ageMs = now() - entry.askedAtEpochMs;
    if (ageMs < 0 || ageMs >= ttlMs) return undefined;
    entries.set(key, entry);
    return entry;
  }

  function keep(key: string, entry: Entry): void {
    const held = entries.get(key);
    if (held !== undefined && held.order > entry.order) return;
    entries.delete(key);
    if (ttlMs > 0) entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= cacheSize) return;
      entries.delete(oldest);
    }
  }

  async function fetch(key: string, query: SecretQuery, deadlineEpochMs: DeadlineEpochMs): Promise<Entry> {
    order += 1;
    const begun = { askedAtEpochMs: now(), order };
    const entry = { value: await parts.fetch(query, deadlineEpochMs - REPLY_MARGIN_MS), ...begun };
    keep(key, entry);
    return entry;
  }

  function toCached({ value, askedAtEpochMs }: Entry, isHit: boolean): CachedSecret {
    const ageMs = Math.max(0, now() - askedAtEpochMs);
    return { value, isHit, ageMs, ttlMs: cacheSize === 0 ? 0 : Math.max(0, ttlMs - ageMs) };
  }

  return {
    async get(query, { deadlineEpochMs, refreshNow = false }) {
      const key = toKey(query);
      const entry = refreshNow ? undefined : find(key);
      if (entry !== undefined) {
        counters.hits += 1;
        return toCached(entry, true);
      }
      counters.misses += 1;
      const start = () => fetch(key, query, deadlineEpochMs);
      const late = () => new Failure("timeout", `${query.secretId} was not fetched in time`);
      const fetched = await fly({ key, deadlineEpochMs, start, late, alone: refreshNow });
      return toCached(fetched, false);
    },
  };
}

/** Asking for AWSCURRENT is asking for nothing in particular. No part may hold a space, so that keys are unambiguous. */
function toKey({ secretId, versionId = "", versionStage = "" }: SecretQuery): string {
  const stage = versionId === "" && versionStage === "AWSCURRENT" ? "" : versionStage;
  return `${secretId} ${versionId} ${stage}`;
}
