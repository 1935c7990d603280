/**
 * The values at hand: one entry for each secret, version and stage, however it is spelled, found by what AWS answered.
 * Bounded in number and bytes; the least recently used goes first.
 */
import type { Failure } from "../failure/failure.ts";
import type { Home, ValueRules, Versioned } from "../values/source.ts";
import { memoizeObjects } from "./memoize.ts";

export interface Stored<V> {
  readonly value: V;
  /** When the call that brought it began: what AWS changed after that, it does not know. */
  readonly askedAtEpochMs: number;
  /** How long it is fresh; jittered, so that a fleet that started together does not refresh together. */
  readonly freshMs: number;
  /** The how-manieth fetch brought it. */
  readonly order: number;
}

export interface SecretStore<Q, V> {
  /** The value that the query calls, whatever its age. */
  find(query: Q): Stored<V> | undefined;
  /** Never instead of one that a later fetch brought. Where a later fetch was refused, gives that refusal instead. */
  keep(query: Q, secret: Stored<V>): Failure | undefined;
  drop(query: Q): void;
  /** A fetch, the how-manieth, was refused: drops what an older one brought, and what an older one may yet bring. */
  refuse(query: Q, order: number, failure: Failure): void;
}

interface Refusal {
  readonly order: number;
  readonly failure: Failure;
  readonly id: string;
  readonly variant: string;
  readonly place: string;
}

/** How a fetch ended matters as long as an older one is under way: for seconds. */
const MAX_ENDED = 1_000;

function setNewest<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MAX_ENDED) break;
    map.delete(oldest);
  }
}

export function createSecretStore<Q extends object, V extends Versioned>(parts: {
  readonly rules: ValueRules<Q, V>;
  readonly home: Home;
  readonly maxEntries: number;
  readonly maxBytes: number;
}): SecretStore<Q, V> {
  const { rules, home, maxEntries, maxBytes } = parts;
  /** In order of last use: a Map keeps the order of insertion, and a look-up inserts anew. */
  const secrets = new Map<string, Stored<V>>();

  /** By key, the last fetch that brought an answer, whether that is still at hand or not. */
  const answered = new Map<string, number>();
  /** By spelling, the last fetch that was refused. */
  const refused = new Map<string, Refusal>();

  /** What a later fetch was refused that asked for this secret, by whatever it is called. */
  function findRefusal(query: Q, { value, order }: Stored<V>): Failure | undefined {
    const { place } = rules.toLocation(rules.toId(query), home);
    for (const refusal of refused.values()) {
      const isSame = refusal.place === place && refusal.variant === rules.toVariant(query);
      if (isSame && refusal.order > order && rules.isCalled(value, refusal.id)) return refusal.failure;
    }
    return undefined;
  }

  const toKeys = memoizeObjects((query: Q): readonly string[] => {
    const { place, names } = rules.toLocation(rules.toId(query), home);
    return names.map((name) => toKey(`${place}:${name}`, rules.toVariant(query)));
  });

  function toBytes(): number {
    let bytes = 0;
    for (const { value } of secrets.values()) bytes += rules.toBytes(value);
    return bytes;
  }

  function findKey(query: Q): string | undefined {
    return toKeys(query).find((key) => {
      const secret = secrets.get(key);
      return secret !== undefined && rules.isCalled(secret.value, rules.toId(query));
    });
  }

  return {
    find(query) {
      const key = findKey(query);
      const secret = key === undefined ? undefined : secrets.get(key);
      if (key === undefined || secret === undefined) return undefined;
      secrets.delete(key);
      secrets.set(key, secret);
      return secret;
    },
    keep(query, secret) {
      const { place } = rules.toLocation(rules.toId(query), home);
      const name = `${place}:${secret.value.name}`;
      const key = toKey(name, rules.toVariant(query));
      const refusal = findRefusal(query, secret);
      if (refusal !== undefined || (answered.get(key) ?? 0) > secret.order) return refusal;
      setNewest(answered, key, secret.order);
      secrets.delete(key);
      // A secret that was created anew under its old name takes the old one's versions with it.
      for (const [other, { value }] of secrets) {
        if (other.startsWith(`${name} `) && value.arn !== secret.value.arn) secrets.delete(other);
      }
      secrets.set(key, secret);
      for (const oldest of secrets.keys()) {
        if (secrets.size <= maxEntries && toBytes() <= maxBytes) break;
        secrets.delete(oldest);
      }
      return undefined;
    },
    drop(query) {
      const key = findKey(query);
      if (key !== undefined) secrets.delete(key);
    },
    refuse(query, order, failure) {
      const key = findKey(query);
      if (key !== undefined && (secrets.get(key)?.order ?? 0) < order) secrets.delete(key);
      const [id, variant] = [rules.toId(query), rules.toVariant(query)];
      const { place } = rules.toLocation(id, home);
      const last = refused.get(toKey(id, variant));
      if ((last?.order ?? 0) < order) setNewest(refused, toKey(id, variant), { order, failure, id, variant, place });
    },
  };
}

/** No name holds a space, so that keys are unambiguous. */
export const toKey = (name: string, variant: string): string => `${name} ${variant}`;
