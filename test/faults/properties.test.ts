/** The promises of the cache in random sequences of look-ups, answers, failures, freezes and clocks that step back. */
import fc from "fast-check";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { createValueCache } from "../../extension/cache/cache.ts";
import { createCounters } from "../../extension/metrics.ts";
import { secretRules } from "../../extension/values/secret.ts";
import { findBroken, type Promised, spellings, toSequence, toValue } from "../support/cache-sequences.ts";
import { createConfig } from "../support/config.ts";
import { createFaultRows } from "../support/faults.ts";

/** A fixed seed, so that only a change of the code can make a test fail. Without it, each run tries other sequences. */
const runs = { numRuns: 400, seed: 20_261_123, interruptAfterTimeLimit: 20_000 };
const row = createFaultRows("properties", "virtual clock", 60_000);
const MB = 1_048_576;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
});
afterEach(() => {
  vi.useRealTimers();
});

const promises: readonly (readonly [Promised, name: string, expected: string])[] = [
  ["one flight at a time", "flights for one key", "never more than one, or two with refreshNow"],
  ["not too old", "the age of what is served", "never TTL + MAX_STALE or more"],
  ["not after a denial", "a value after a denial", "never served"],
  ["not older than before", "an older answer after a newer one", "never served"],
  ["the secret that was asked for", "two secrets in six spellings", "never mistaken for each other"],
  ["an answer in time", "a wait", "always ends, with a value or a Failure"],
];

for (const [promised, name, expected] of promises) {
  row(name, expected, async (see) => {
    let [sequences, steps, broken] = [0, 0, 0];
    // Each spelling of a secret may have its own flight.
    const sets = promised === "one flight at a time" ? [spellings.one] : [spellings.one, spellings.six];
    try {
      for (const ids of sets) {
        const property = fc.asyncProperty(toSequence(ids), async (sequence) => {
          const complaints = await findBroken(promised, sequence, ids === spellings.one);
          sequences += 1;
          steps += sequence.length;
          broken += complaints.length > 0 ? 1 : 0;
          expect(complaints).toEqual([]);
        });
        await fc.assert(property, runs);
      }
    } finally {
      see(`${broken} of ${sequences} sequences with ${steps} steps break it`);
    }
    expect(sequences).toBeGreaterThanOrEqual(100);
  });
}

row("cached entries and bytes", "never more than CACHE_SIZE, nor more than 8 MB", async (see) => {
  let [sequences, mostEntries, mostBytes] = [0, 0, 0];
  const { sources } = createConfig();
  const read = fc.record({ name: fc.nat({ max: 30 }), bytes: fc.constantFrom(1, 1_000, 65_536, MB, 3 * MB) });
  const property = fc.asyncProperty(
    fc.nat({ max: 20 }),
    fc.array(read, { maxLength: 50, size: "max" }),
    async (cacheSize, reads) => {
      const sizes = new Map<string, number>();
      let isAnswering = true;
      const cache = createValueCache({
        rules: secretRules,
        source: sources[0],
        config: { sources, ttlMs: 60_000, maxStaleMs: 0, cacheSize, timeoutMs: 2_500 },
        counters: createCounters(),
        now: Date.now,
        random: () => 0.5,
        fetch: async ({ secretId }) => {
          if (!isAnswering) return new Promise(() => {});
          return toValue("1", secretId, "x".repeat(sizes.get(secretId) ?? 0));
        },
      });
      const get = (secretId: string) => cache.get({ secretId }, { deadlineEpochMs: Date.now() + 2_500 });
      for (const { name, bytes } of reads) {
        sizes.set(`secret/${name}`, sizes.get(`secret/${name}`) ?? bytes);
        await get(`secret/${name}`);
      }
      isAnswering = false;
      const held: number[] = [];
      for (const [name, bytes] of sizes)
        void get(name).then(
          ({ from }) => from === "memory" && held.push(bytes),
          () => {},
        );
      await vi.advanceTimersByTimeAsync(0);
      const heldBytes = held.reduce((sum, bytes) => sum + bytes, 0);
      sequences += 1;
      mostEntries = Math.max(mostEntries, held.length);
      mostBytes = Math.max(mostBytes, heldBytes);
      vi.clearAllTimers();
      expect(held.length).toBeLessThanOrEqual(cacheSize);
      expect(heldBytes).toBeLessThanOrEqual(8 * MB);
      // The cache must not meet the bounds by keeping nothing.
      if (cacheSize > 0 && reads.length > 0) expect(held.length).toBeGreaterThan(0);
    },
  );
  await fc.assert(property, { ...runs, numRuns: 120 });
  see(`${sequences} sequences: at most ${mostEntries} entries with ${(mostBytes / MB).toFixed(1)} MB`);
  expect(mostEntries).toBeGreaterThan(10);
});
