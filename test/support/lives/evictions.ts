/**
 * What must be evicted, and what must not: the least recently used value goes first. A value that may be either is neither.
 * An entry is what one value is kept under.
 */
export interface Evictions {
  /** It was served. */
  use(entry: string): void;
  /** It may have been used: a caller asked for it, or its fetch failed. */
  mayUse(entry: string): void;
  /**
   * Its value came. `beganAtMonotonicMs` is undefined if it may not be held. `inUse` are those for which a request waits.
   */
  bring(entry: string, beganAtMonotonicMs: number | undefined, inUse: readonly string[]): void;
  /** It may have been dropped. */
  forget(entry: string): void;
  clear(): void;
  mustBeGone(entry: string): boolean;
  /** When the call that brought it began; undefined if it may be gone. */
  findHeld(entry: string): number | undefined;
}

export function createEvictions(mostValues: number): Evictions {
  /** For each value, those that were brought since it was last used; undefined once it must be gone. */
  const broughtSince = new Map<string, Set<string> | undefined>();
  /** For each value that is held, those that were brought or used since it was last used. */
  const held = new Map<string, { readonly beganAtMonotonicMs: number; readonly usedSince: Set<string> }>();

  const inCacheOf = <T>(entry: string, values: ReadonlyMap<string, T>): (readonly [string, T])[] =>
    [...values].filter(([other]) => other !== entry && toCache(other) === toCache(entry));

  function mayUse(entry: string): void {
    if (broughtSince.get(entry) !== undefined) broughtSince.set(entry, new Set());
    for (const [other, { usedSince }] of inCacheOf(entry, held)) {
      usedSince.add(entry);
      if (usedSince.size >= mostValues) held.delete(other);
    }
  }

  function use(entry: string): void {
    mayUse(entry);
    held.get(entry)?.usedSince.clear();
  }

  function forget(entry: string): void {
    held.delete(entry);
    broughtSince.delete(entry);
    for (const brought of broughtSince.values()) brought?.delete(entry);
  }

  return {
    use,
    mayUse,
    bring(entry, beganAtMonotonicMs, inUse) {
      use(entry);
      forget(entry);
      if (beganAtMonotonicMs === undefined) return;
      if (mostValues > 0) held.set(entry, { beganAtMonotonicMs, usedSince: new Set() });
      broughtSince.set(entry, new Set());
      for (const [other, brought] of inCacheOf(entry, broughtSince)) {
        if (inUse.includes(other)) brought?.clear();
        else brought?.add(entry);
        if (brought !== undefined && brought.size >= mostValues) broughtSince.set(other, undefined);
      }
    },
    forget,
    clear() {
      held.clear();
      broughtSince.clear();
    },
    mustBeGone: (entry) => mostValues === 0 || (broughtSince.has(entry) && broughtSince.get(entry) === undefined),
    findHeld: (entry) => held.get(entry)?.beganAtMonotonicMs,
  };
}

/** Each source has a cache for secrets and one for parameters. */
const toCache = (entry: string) => entry.split(" ", 2).join(" ");
