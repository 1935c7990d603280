import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createValueCache } from "../../../extension/cache/cache.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import { type SecretValue, secretRules } from "../../../extension/values/secret.ts";
import { moveClock, useFakeClock } from "../../support/unit-clock.ts";
import { APP, denied, setUpCache, TIMEOUT_MS, throttled, toName, unreachable } from "../../support/value-cache.ts";
import { HOME, toPartialArn, toSecretArn, toSecretValue } from "../../support/values.ts";

const MIB = 1_048_576;

useFakeClock();

const binary = (length: number) => ({ secretString: undefined, secretBinary: new Uint8Array(length) });

/** A cache whose fetches end at once. `findKept` returns which of these secrets are served from memory, and their values. */
function setUpBounds({ cacheSize = 1_000 } = {}) {
  let outcome: Partial<SecretValue> | Failure = new Failure("internal", "no fetch was expected");
  const cache = createValueCache({
    rules: secretRules,
    source: { home: HOME },
    config: { sources: [APP], ttlMs: 3_600_000, maxStaleMs: 0, cacheSize, timeoutMs: TIMEOUT_MS },
    counters: createCounters(),
    now: Date.now,
    random: () => 0,
    fetch: async ({ secretId }) => {
      if (outcome instanceof Failure) throw outcome;
      return toSecretValue({ name: toName(secretId), ...outcome });
    },
  });
  const get = (secretId: string, refreshNow = false) =>
    cache.get({ secretId }, { deadlineEpochMs: Date.now() + TIMEOUT_MS, refreshNow }).catch(() => undefined);
  async function end(secretId: string, fetched: Partial<SecretValue> | Failure): Promise<void> {
    const before = outcome;
    outcome = fetched;
    await get(secretId, true);
    outcome = before;
  }
  return {
    get,
    deny: (secretId: string) => end(secretId, denied()),
    async keep(...secrets: readonly (readonly [string, Partial<SecretValue>?])[]) {
      for (const [secretId, value = {}] of secrets) await end(secretId, value);
    },
    async findKept(...secretIds: readonly string[]) {
      const found: [string, SecretValue][] = [];
      for (const secretId of secretIds) {
        const cached = await get(secretId);
        if (cached !== undefined) found.push([secretId, cached.value]);
      }
      return Object.fromEntries(found);
    },
  };
}

/** The names of the secrets that are kept. */
const namesOf = async (kept: Promise<Record<string, unknown>>) => Object.keys(await kept);

describe("a full cache", () => {
  it("with room for one value keeps the last one", async () => {
    const { findKept, keep } = setUpBounds({ cacheSize: 1 });
    await keep(["a"], ["b"]);
    expect(await namesOf(findKept("a", "b"))).toEqual(["b"]);
  });

  it("evicts the least recently used value, and both a hit and a new version are a use", async () => {
    const { findKept, get, keep } = setUpBounds({ cacheSize: 3 });
    await keep(["a"], ["b"], ["c"]);
    await get(toSecretArn("a"));
    await keep(["b", { versionId: "v2" }], ["d"]);
    expect(await namesOf(findKept("a", "b", "c", "d"))).toEqual(["a", "b", "d"]);
  });

  it.each(["a", "my-abcdef", "my-abcdef-ghijkl"])(
    "has one value for all ids of %s, and its versions replace each other",
    async (name) => {
      const { findKept, keep } = setUpBounds({ cacheSize: 2 });
      await keep(["other"]);
      for (const [nth, secretId] of [name, toSecretArn(name), toPartialArn(name)].entries()) {
        await keep([secretId, { name, versionId: `v${nth}` }]);
      }
      expect(await findKept("other", name)).toMatchObject({ other: { versionId: "v1" }, [name]: { versionId: "v2" } });
    },
  );

  it("holds 8 MiB, to the byte", async () => {
    const { findKept, keep } = setUpBounds();
    await keep(["a", binary(4 * MIB)], ["b", binary(4 * MIB - 1)], ["c", binary(1)]);
    expect(await namesOf(findKept("a", "b", "c"))).toEqual(["a", "b", "c"]);
    await keep(["d", binary(1)]);
    expect(await namesOf(findKept("a", "b", "c", "d"))).toEqual(["b", "c", "d"]);
  });

  it("counts the bytes of a text, and not its characters", async () => {
    const { findKept, keep } = setUpBounds();
    const large = { secretString: "é".repeat(2 * MIB) };
    await keep(["a", large], ["b", large]);
    expect(await namesOf(findKept("a", "b"))).toEqual(["a", "b"]);
    await keep(["c", { secretString: "x" }]);
    expect(await namesOf(findKept("a", "b", "c"))).toEqual(["b", "c"]);
  });

  it("counts a value once, even if it is replaced often", async () => {
    const { findKept, keep } = setUpBounds();
    await keep(["a", binary(4 * MIB)]);
    for (let nth = 1; nth <= 10; nth += 1) await keep(["b", { ...binary(4 * MIB), versionId: `v${nth}` }]);
    expect(await findKept("a", "b")).toMatchObject({ a: { versionId: "v1" }, b: { versionId: "v10" } });
  });

  it("evicts as many values as it must, including one that is too large for it", async () => {
    const { findKept, keep } = setUpBounds();
    await keep(["a", binary(MIB)], ["b", binary(MIB)], ["c", binary(MIB)], ["d", binary(8 * MIB)]);
    expect(await namesOf(findKept("a", "b", "c", "d"))).toEqual(["d"]);
    await keep(["e", binary(8 * MIB + 1)]);
    expect(await namesOf(findKept("d", "e"))).toEqual([]);
  });

  it("never exceeds its limits, in any sequence of answers, hits and denials", async () => {
    const names = ["a", "b", "c", "my", "my-abcdef"];
    const step = fc.record({
      kind: fc.constantFrom("keep", "get", "deny"),
      name: fc.constantFrom(...names),
      toId: fc.constantFrom((name: string) => name, toSecretArn, toPartialArn),
      length: fc.constantFrom(1, MIB, 3 * MIB, 8 * MIB, 9 * MIB),
    });
    const lives = fc.asyncProperty(
      fc.integer({ min: 0, max: 4 }),
      fc.array(step, { maxLength: 25 }),
      async (cacheSize, steps) => {
        const { deny, findKept, get, keep } = setUpBounds({ cacheSize });
        for (const { kind, name, toId, length } of steps) {
          moveClock(1_000);
          if (kind === "keep") await keep([toId(name), { name, ...binary(length) }]);
          else await { get, deny }[kind](toId(name));
          const kept = Object.values(await findKept(...names));
          expect(kept.length).toBeLessThanOrEqual(cacheSize);
          expect(kept.reduce((sum, { secretBinary }) => sum + (secretBinary?.length ?? 0), 0)).toBeLessThanOrEqual(
            8 * MIB,
          );
        }
      },
    );
    await fc.assert(lives, { numRuns: 25 });
  });
});

// A thousand fetches take a while on a busy machine.
describe("what is known of secrets without a value", { timeout: 20_000 }, () => {
  const toQuery = (nth: number) => ({ secretId: `secret/${nth}` });

  it("is kept for a thousand secrets besides the one that is fetched, and the oldest is forgotten first", async () => {
    const { failing, fetches } = setUpCache();
    const fail = (nth: number) => failing(unreachable(), toQuery(nth));
    for (let nth = 1; nth <= 1_001; nth += 1) await fail(nth);
    await fail(1);
    expect(fetches).toHaveLength(1_001);
    await fail(1_002);
    await fail(2);
    expect(fetches).toHaveLength(1_002);
    await fail(1);
    expect(fetches).toHaveLength(1_003);
  });

  it("is as new as its last failure", async () => {
    const { failing, fetches } = setUpCache();
    for (let nth = 1; nth <= 1_001; nth += 1) await failing(throttled(), toQuery(nth));
    moveClock(500);
    for (const nth of [1, 1_002, 1]) await failing(throttled(), toQuery(nth));
    expect(fetches).toHaveLength(1_003);
  });

  it("does not count the secrets that have a value, nor those whose fetch is under way", async () => {
    const { failing, fetches, get, read } = setUpCache();
    await failing(throttled(), toQuery(1));
    for (const nth of [2, 3, 4]) await read("v1", toQuery(nth));
    const waits = [5, 6, 7].map((nth) => get(toQuery(nth)));
    for (let nth = 8; nth <= 1_006; nth += 1) await failing(throttled(), toQuery(nth));
    const count = fetches.length;
    await failing(throttled(), toQuery(1));
    for (const nth of [2, 3, 4]) expect(await read("none", toQuery(nth))).toBe("v1");
    waits.push(...[5, 6, 7].map((nth) => get(toQuery(nth))));
    expect(fetches).toHaveLength(count);
    for (const { query, answer } of fetches) if (/\/[567]$/.test(query.secretId)) answer("v1");
    for (const { value } of await Promise.all(waits)) expect(value.versionId).toBe("v1");
  });

  it.each([
    [1_000, "v3"],
    [1_001, "v1"],
  ])(
    "includes the latest fetch: with %d later secrets, a read after the late answer v1 returns %s",
    async (others, version) => {
      const { fetched, get, read, refreshNow } = setUpCache({ cacheSize: 1 });
      const older = get();
      const newer = refreshNow();
      fetched(2).answer("v2");
      await newer;
      for (let nth = 1; nth <= others; nth += 1) await read("v1", toQuery(nth));
      fetched(1).answer("v1");
      await older;
      expect(await read("v3")).toBe(version);
    },
  );
});

describe("the caches of several sources", () => {
  /** Fetches this many secrets one after the other, and returns how many are still cached. */
  async function countKept(settings: Parameters<typeof setUpCache>[0], secrets: number): Promise<number> {
    const { read } = setUpCache(settings);
    for (let nth = 0; nth < secrets; nth += 1) await read("v1", { secretId: `secret/${nth}` });
    let kept = 0;
    // It reads the last ones first, so that a new fetch evicts nothing that is still to be counted.
    for (let nth = secrets - 1; nth >= 0; nth -= 1) {
      if ((await read("v2", { secretId: `secret/${nth}` })) === "v2") break;
      kept += 1;
    }
    return kept;
  }

  it.each([
    [1, 10, 10],
    [2, 10, 5],
    [3, 10, 4],
    [20, 1, 1],
    [20, 0, 0],
  ])("share CACHE_SIZE: %d caches with the size %d keep %d values each", async (sources, cacheSize, kept) => {
    expect(await countKept({ sources, cacheSize }, 12)).toBe(kept);
  });

  it.each([
    [1, 8],
    [2, 4],
    [8, 1],
  ])("share 8 MiB: %d caches keep %d MiB each", async (sources, kept) => {
    expect(await countKept({ sources, secretString: "x".repeat(1_048_576) }, 12)).toBe(kept);
  });
});
