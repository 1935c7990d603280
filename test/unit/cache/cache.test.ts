import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type Cached, createValueCache } from "../../../extension/cache/cache.ts";
import { toKey } from "../../../extension/cache/store.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import { type ParameterQuery, parameterRules } from "../../../extension/values/parameter.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../../extension/values/secret.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, START_EPOCH_MS, settle, useFakeClock } from "../../support/unit-clock.ts";
import { HOME, toParameterValue, toPartialArn, toSecretArn, toSecretValue } from "../../support/values.ts";

const TTL_MS = 60_000;
const MAX_STALE_MS = 600_000;
const TIMEOUT_MS = 2_500;
const SOURCE = { home: HOME };

const APP = { secretId: "app/database" };
/** All queries for the same version. */
const IDS: readonly SecretQuery[] = [
  APP,
  { secretId: toSecretArn("app/database") },
  { secretId: toPartialArn("app/database") },
  { ...APP, versionStage: "AWSCURRENT" },
];

const throttled = () => new Failure("throttled", "not now");
const denied = () => new Failure("get-secret-value-denied", "may not");

/** All ARNs have the same random characters, unless a test says otherwise. */
const toName = (secretId: string) => secretId.replace(toPartialArn(""), "").replace(/-AbCdEf$/, "");

const toValue = (versionId: string, name = "app/database", arn = toSecretArn(name)) =>
  toSecretValue({ versionId, name, arn });

interface Fetch {
  readonly query: SecretQuery;
  readonly deadlineEpochMs: number;
  /** With the name and ARN of the query, or with others. */
  answer(versionId: string, name?: string, arn?: string): void;
  fail(failure: Failure): void;
}

/** Each fetch is under way until the test answers it. */
function setUp({
  ttlMs = TTL_MS,
  maxStaleMs = MAX_STALE_MS,
  cacheSize = 1_000,
  random = 0,
  sources = 1,
  secretString = "s3cret",
} = {}) {
  const counters = createCounters();
  const fetches: Fetch[] = [];
  const cache = createValueCache({
    rules: secretRules,
    source: SOURCE,
    config: { sources: Array.from({ length: sources }), ttlMs, maxStaleMs, cacheSize, timeoutMs: TIMEOUT_MS },
    counters,
    now: Date.now,
    random: () => random,
    fetch: (query, deadlineEpochMs) =>
      new Promise((resolve, reject) => {
        fetches.push({
          query,
          deadlineEpochMs,
          answer: (versionId, name = toName(query.secretId), arn = toSecretArn(name)) =>
            resolve({ ...toValue(versionId, name, arn), secretString }),
          fail: reject,
        });
      }),
  });
  const get = (query: SecretQuery = APP, options: { refreshNow?: boolean; timeoutMs?: number } = {}) => {
    const { timeoutMs = TIMEOUT_MS, ...rest } = options;
    return cache.get(query, { deadlineEpochMs: Date.now() + timeoutMs, ...rest });
  };
  const invalidate = (versionId: string, query: SecretQuery = APP) =>
    cache.invalidate(query, versionId, Date.now() + TIMEOUT_MS);
  const fetched = (nth: number): Fetch => {
    const fetch = fetches[nth - 1];
    if (fetch === undefined) throw new Error(`there were ${fetches.length} fetches, and no number ${nth}`);
    return fetch;
  };
  /** Reads, with an immediate answer to a fetch, and returns the version. */
  async function read(versionId: string, query: SecretQuery = APP): Promise<string> {
    const before = fetches.length;
    const wait = get(query);
    for (const fetch of fetches.slice(before)) fetch.answer(versionId);
    return (await wait).value.versionId;
  }
  /** Reads, while all fetches fail, and returns the value or the failure. */
  async function failing(failure: Failure, query: SecretQuery = APP): Promise<Cached<SecretValue> | unknown> {
    const before = fetches.length;
    const wait = get(query).catch((thrown: unknown) => thrown);
    for (let next = before; next < fetches.length; next += 1) {
      fetches[next]?.fail(failure);
      await settle();
    }
    return wait;
  }
  return { counters, fetches, fetched, get, read, failing, invalidate };
}

/** Reads every 50 ms for ten seconds, while AWS does not answer: each fetch fails at its deadline. */
async function readWithoutAnswers({ fetches, get }: Pick<ReturnType<typeof setUp>, "fetches" | "get">): Promise<void> {
  const failLater = (known: number) => {
    for (const { deadlineEpochMs, fail } of fetches.slice(known)) {
      setTimeout(() => fail(new Failure("timeout", "too late")), deadlineEpochMs - Date.now());
    }
  };
  for (let ms = 0; ms < 10_000; ms += 50) {
    const before = fetches.length;
    void get().catch(() => {});
    failLater(before);
    for (let passedMs = 0; passedMs < 50; passedMs += 10) {
      const known = fetches.length;
      await vi.advanceTimersByTimeAsync(10);
      failLater(known);
    }
  }
}

useFakeClock();

describe("a cached value", () => {
  it("is served until its TTL is over, to the millisecond", async () => {
    const { fetches, get, read } = setUp();
    expect(await read("v1")).toBe("v1");
    moveClock(TTL_MS - 1);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory", ttlMs: 1 });
    const behind = fetches.length;
    moveClock(1);
    const waits = vi.fn();
    get().then(waits, waits);
    await settle();
    expect(waits).not.toHaveBeenCalled();
    for (const fetch of fetches.slice(behind - 1)) fetch.answer("v2");
    await settle();
    expect(waits).toHaveBeenCalledWith(expect.objectContaining({ value: toValue("v2"), from: "fetch" }));
  });

  it("has the age of the call that fetched it", async () => {
    const { fetched, get } = setUp();
    const wait = get();
    moveClock(400);
    fetched(1).answer("v1");
    expect(await wait).toEqual({ value: toValue("v1"), from: "fetch", ageMs: 400, ttlMs: TTL_MS - 400 });
    moveClock(600);
    expect(await get()).toEqual({ value: toValue("v1"), from: "memory", ageMs: 1_000, ttlMs: TTL_MS - 1_000 });
  });

  it("does not live longer because it is read", async () => {
    const { read } = setUp();
    await read("v1");
    for (let reads = 0; reads < 7; reads += 1) {
      moveClock(TTL_MS / 10);
      expect(await read("v2")).toBe("v1");
    }
    moveClock((3 * TTL_MS) / 10);
    expect(await read("v2")).toBe("v2");
  });

  it("is expired after the clock has stepped back", async () => {
    const { read } = setUp();
    await read("v1");
    moveClock(-1);
    expect(await read("v2")).toBe("v2");
    expect(await read("v3")).toBe("v2");
  });

  it("is expired after a freeze longer than its TTL, without a timer", async () => {
    const { read } = setUp();
    await read("v1");
    expect(vi.getTimerCount()).toBe(0);
    moveClock(24 * 3_600_000);
    expect(await read("v2")).toBe("v2");
  });

  it("of AWSCURRENT is served with and without that stage in the query", async () => {
    const { fetches, read } = setUp();
    await read("v1", APP);
    expect(await read("v2", { ...APP, versionStage: "AWSCURRENT" })).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it("belongs to one secret, one version and one stage", async () => {
    const { read } = setUp();
    const queries: SecretQuery[] = [
      APP,
      { secretId: "app/other" },
      { ...APP, versionId: "AWSPREVIOUS" },
      { ...APP, versionStage: "AWSPREVIOUS" },
      { ...APP, versionId: "1" },
      { ...APP, versionId: "2" },
      { ...APP, versionId: "1", versionStage: "AWSCURRENT" },
      { ...APP, versionId: "1", versionStage: "AWSPREVIOUS" },
    ];
    for (const [index, query] of queries.entries()) await read(`v${index}`, query);
    for (const [index, query] of queries.entries()) expect(await read("none", query)).toBe(`v${index}`);
  });

  it("is fetched with the caller's own query", async () => {
    const { fetched, read } = setUp();
    const query = { ...APP, versionId: "1", versionStage: "AWSPREVIOUS" };
    await read("v1", query);
    expect(fetched(1).query).toEqual(query);
  });
});

describe("a cache that keeps nothing", () => {
  it.each([{ ttlMs: 0 }, { cacheSize: 0 }])("fetches every time: %o", async (settings) => {
    const { fetches, read } = setUp(settings);
    expect(await read("v1")).toBe("v1");
    expect(await read("v2")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it.each([{ ttlMs: 0 }, { cacheSize: 0 }])("still fetches once for concurrent reads: %o", async (settings) => {
    const { fetches, fetched, get } = setUp(settings);
    const waits = [get(), get(), get()];
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    for (const { value, from, ttlMs } of await Promise.all(waits)) {
      expect({ version: value.versionId, from, ttlMs }).toEqual({ version: "v1", from: "fetch", ttlMs: 0 });
    }
  });
});

describe("a full cache", () => {
  const A = { secretId: "a" };
  const B = { secretId: "b" };
  const C = { secretId: "c" };

  it("with room for one value keeps the last one", async () => {
    const { read } = setUp({ cacheSize: 1 });
    await read("a1", A);
    await read("b1", B);
    expect(await read("b2", B)).toBe("b1");
    expect(await read("a2", A)).toBe("a2");
  });

  it("evicts the least recently used value, and a hit is a use", async () => {
    const { fetches, read } = setUp({ cacheSize: 2 });
    await read("a1", A);
    await read("b1", B);
    await read("a2", A);
    await read("c1", C);
    expect(await read("a3", A)).toBe("a1");
    expect(await read("c2", C)).toBe("c1");
    expect(fetches).toHaveLength(3);
    expect(await read("b2", B)).toBe("b2");
  });

  it("evicts nothing for a new version of a cached secret", async () => {
    const { fetched, get, read } = setUp({ cacheSize: 2 });
    await read("a1", A);
    await read("b1", B);
    const refresh = get(B, { refreshNow: true });
    await settle();
    fetched(3).answer("b2");
    await refresh;
    expect(await read("none", A)).toBe("a1");
    expect(await read("none", B)).toBe("b2");
  });
});

describe("the caches of several sources", () => {
  /** Fetches this many secrets one after the other, and returns how many are still cached. */
  async function countKept(settings: Parameters<typeof setUp>[0], secrets: number): Promise<number> {
    const { read } = setUp(settings);
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

describe("a fetch", () => {
  it("is made once for a thousand concurrent reads", async () => {
    const { counters, fetches, fetched, get } = setUp();
    const waits = Array.from({ length: 1_000 }, () => get());
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    const versions = (await Promise.all(waits)).map(({ value }) => value.versionId);
    expect(new Set(versions)).toEqual(new Set(["v1"]));
    expect(counters).toMatchObject({ hits: 0, misses: 1_000 });
  });

  it("is made once, even if other reads come at any moment around its answer", async () => {
    const { fetches, fetched, get } = setUp();
    const waits = [get()];
    fetched(1).answer("v1");
    for (let turn = 0; turn < 50; turn += 1) {
      await Promise.resolve();
      waits.push(get());
    }
    await Promise.all(waits);
    expect(fetches).toHaveLength(1);
  });

  it("is made for each secret separately", async () => {
    const { fetches, get } = setUp();
    void get({ secretId: "a" });
    void get({ secretId: "b" });
    expect(fetches.map(({ query }) => query.secretId)).toEqual(["a", "b"]);
  });

  it("that fails, fails for all callers, and is not repeated while the failure is remembered", async () => {
    const { fetches, fetched, get, read } = setUp();
    const waits = [get(), get()];
    fetched(1).fail(throttled());
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: "throttled" });
    await expect(get()).rejects.toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(1);
    moveClock(500);
    expect(await read("v2")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("must end a moment before the deadline of the caller that started it", async () => {
    const { fetched, get } = setUp();
    void get();
    expect(fetched(1).deadlineEpochMs).toBeLessThan(START_EPOCH_MS + TIMEOUT_MS);
    expect(fetched(1).deadlineEpochMs).toBeGreaterThan(START_EPOCH_MS + TIMEOUT_MS - 100);
  });

  it("is waited for until each caller's own deadline, and no longer", async () => {
    const { fetched, get } = setUp();
    const patient = get(APP, { timeoutMs: 2_000 });
    const hasty = get(APP, { timeoutMs: 500 });
    const refused = failureOf(hasty);
    await vi.advanceTimersByTimeAsync(500);
    expect(await refused).toMatchObject({ code: "timeout" });
    fetched(1).answer("v1");
    expect((await patient).value.versionId).toBe("v1");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that is answered too late for its caller still saves the next caller a call", async () => {
    const { fetched, get, read } = setUp();
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "timeout" });
    fetched(1).answer("v1");
    await settle();
    expect(await read("v2")).toBe("v1");
  });

  it("is not started after the deadline", async () => {
    const { fetches, get } = setUp();
    expect(await failureOf(get(APP, { timeoutMs: 0 }))).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(0);
  });

  it("is not waited for longer if the clock steps back meanwhile", async () => {
    const { get } = setUp();
    const refusals = [failureOf(get()), failureOf(get())];
    const settled = vi.fn();
    void Promise.all(refusals).then(settled);
    await vi.advanceTimersByTimeAsync(100);
    moveClock(-3_600_000);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(settled).toHaveBeenCalledWith([
      expect.objectContaining({ code: "timeout" }),
      expect.objectContaining({ code: "timeout" }),
    ]);
  });

  it("is not waited for longer if the clock steps back before the caller's own id is fetched", async () => {
    const { fetched, fetches, get } = setUp();
    const short = get({ secretId: "my" });
    const settled = vi.fn();
    failureOf(get({ secretId: toPartialArn("my-abcdef") })).then(settled);
    moveClock(-3_600_000);
    fetched(1).answer("v1");
    await short;
    await settle();
    expect(fetches).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ code: "timeout" }));
  });

  it("that ends at an earlier deadline is not repeated, so that waiting callers do not ask one by one", async () => {
    const { fetches, fetched, get } = setUp();
    const refusals = [failureOf(get(APP, { timeoutMs: 500 })), failureOf(get(APP, { timeoutMs: 2_000 }))];
    await vi.advanceTimersByTimeAsync(480);
    fetched(1).fail(new Failure("timeout", "too late"));
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(1);
  });

  it("during which the clock steps back brings a value that is served with a valid age", async () => {
    const { fetched, get, read } = setUp();
    const wait = get();
    moveClock(-1);
    fetched(1).answer("v1");
    const { value, ageMs, ttlMs } = await wait;
    expect(value.versionId).toBe("v1");
    expect([Number.isFinite(ageMs), Number.isFinite(ttlMs), ageMs >= 0]).toEqual([true, true, true]);
    expect(await read("v2")).toBe("v2");
  });

  it("past its deadline was frozen: it is abandoned, and never joined", async () => {
    const { fetches, fetched, get } = setUp();
    const frozen = get();
    moveClock(10 * 60_000);
    const thawed = get();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await thawed).value.versionId).toBe("v2");
    fetched(1).answer("v1");
    // The frozen caller gets a new fetch, because the old answer may be as old as the freeze was long.
    await settle();
    fetched(3).answer("v3");
    expect((await frozen).value.versionId).toBe("v3");
    expect((await get()).value.versionId).toBe("v3");
    expect(fetches).toHaveLength(3);
  });
});

describe("refreshNow", () => {
  it("fetches even if a value is cached, and caches the new one", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    const wait = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({ value: { versionId: "v2" }, from: "fetch" });
    expect(await read("v3")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("returns a value that was fetched after the request, even if a fetch is under way", async () => {
    const { fetched, get } = setUp();
    const before = get();
    moveClock(100);
    const refreshed = get(APP, { refreshNow: true });
    await settle();
    fetched(1).answer("v1");
    expect((await before).value.versionId).toBe("v1");
    fetched(2).answer("v2");
    expect(await refreshed).toMatchObject({ value: { versionId: "v2" }, ageMs: 0 });
  });

  it("starts a fetch that later reads join", async () => {
    const { fetches, fetched, get } = setUp();
    void get();
    const refreshed = get(APP, { refreshNow: true });
    const later = get();
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await refreshed).value.versionId).toBe("v2");
    expect((await later).value.versionId).toBe("v2");
  });

  it("is not undone by an older answer that comes later", async () => {
    const { fetched, get, read } = setUp();
    const before = get();
    const refreshed = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    await refreshed;
    fetched(1).answer("v1");
    await before;
    expect(await read("v3")).toBe("v2");
  });

  it("can still be joined after an older fetch has failed", async () => {
    const { fetches, fetched, get } = setUp();
    const before = get();
    void get(APP, { refreshNow: true });
    await settle();
    fetched(1).fail(throttled());
    await expect(before).rejects.toMatchObject({ code: "throttled" });
    moveClock(500);
    const later = get();
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await later).value.versionId).toBe("v2");
  });

  it("keeps the cached value if it fails", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    const refused = get(APP, { refreshNow: true });
    await settle();
    fetched(2).fail(throttled());
    await expect(refused).rejects.toMatchObject({ code: "throttled" });
    expect(await read("v2")).toBe("v1");
  });

  it("by a hundred callers at once costs at most two fetches", async () => {
    const { fetches, get } = setUp();
    const waits = Array.from({ length: 100 }, () => get(APP, { refreshNow: true }));
    for (let answered = 0; answered < fetches.length; answered += 1) {
      fetches[answered]?.answer(`v${answered + 1}`);
      await settle();
    }
    await Promise.all(waits);
    expect(fetches.length).toBeLessThanOrEqual(2);
  });
});

describe("an ageing value", () => {
  it.each([
    [0, 0.75],
    [0.5, 0.8],
    [1 - Number.EPSILON, 0.85],
  ])("is fresh for a random part of its TTL: %d gives %d", async (random, part) => {
    const { fetches, get, read } = setUp({ random });
    await read("v1");
    moveClock(TTL_MS * part - 1);
    await get();
    expect(fetches).toHaveLength(1);
    moveClock(1);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory" });
    expect(fetches).toHaveLength(2);
  });

  it("gets a new random part at each fetch", async () => {
    const draws = [0, 0.9];
    const random = vi.fn(() => draws.shift() ?? 0.5);
    const fetch = vi.fn(async () => toValue("v1"));
    const cache = createValueCache({
      rules: secretRules,
      source: SOURCE,
      config: { sources: [SOURCE], ttlMs: TTL_MS, maxStaleMs: 0, cacheSize: 1, timeoutMs: TIMEOUT_MS },
      counters: createCounters(),
      now: Date.now,
      random,
      fetch,
    });
    const get = () => cache.get(APP, { deadlineEpochMs: Date.now() + TIMEOUT_MS });
    await get();
    moveClock(0.75 * TTL_MS);
    await get();
    await settle();
    expect(fetch).toHaveBeenCalledTimes(2);
    moveClock(0.75 * TTL_MS);
    await get();
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it("is refreshed in the background, and the reply does not wait", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory", ttlMs: 0.25 * TTL_MS });
    fetched(2).answer("v2");
    await settle();
    expect(await get()).toMatchObject({ value: { versionId: "v2" }, from: "memory", ttlMs: TTL_MS });
  });

  it("is refreshed once for a thousand reads under all its ids", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    const waits = Array.from({ length: 1_000 }, (_, index) => get(IDS[index % IDS.length]));
    for (const { from } of await Promise.all(waits)) expect(from).toBe("memory");
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    await settle();
    expect((await get()).value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("is refreshed within the time of a whole request, even if the caller has less left", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get(APP, { timeoutMs: 1 });
    expect(fetched(2).deadlineEpochMs - Date.now()).toBeGreaterThan(TIMEOUT_MS - 100);
  });

  it("that expires during its refresh makes callers wait for that refresh, and AWS is not asked again", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS - 1);
    await get();
    moveClock(1);
    const wait = get();
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({ value: { versionId: "v2" }, from: "fetch" });
    expect(fetches).toHaveLength(2);
  });

  it("is still served if its refresh fails, and is not refreshed while the failure is remembered", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get();
    fetched(2).fail(throttled());
    await settle();
    moveClock(499);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory" });
    expect(fetches).toHaveLength(2);
    moveClock(1);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory" });
    expect(fetches).toHaveLength(3);
  });

  it("is gone at once if its refresh is denied", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get();
    fetched(2).fail(denied());
    await settle();
    expect(await failureOf(get())).toMatchObject({
      code: "get-secret-value-denied",
      details: { retryAfterMs: 10_000 },
    });
    expect(await failureOf(get({ ...APP, versionStage: "AWSCURRENT" }))).toBeInstanceOf(Failure);
    expect(fetches).toHaveLength(2);
  });

  it("costs at most one call for each pause while AWS does not answer", async () => {
    const { fetches, get, read } = setUp();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await readWithoutAnswers({ fetches, get });
    expect(fetches.length - 1).toBeLessThanOrEqual(4);
  });
});

describe("an expired value", () => {
  it("costs at most one call for each pause while AWS does not answer", async () => {
    const { fetches, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    await readWithoutAnswers({ fetches, get });
    expect(fetches.length - 1).toBeLessThanOrEqual(4);
  });
});

describe("a stale value", () => {
  const staleCodes: FailureCode[] = [
    "throttled",
    "aws-error",
    "aws-response-invalid",
    "unreachable",
    "timeout",
    "credentials-expired",
    "credentials-invalid",
    "credentials-missing",
    "signature-invalid",
    "internal",
  ];
  const finalCodes: FailureCode[] = [
    "secret-not-found",
    "secret-deleted",
    "secret-id-rejected",
    "assume-role-denied",
    "assume-role-rejected",
    "region-disabled",
    "get-secret-value-denied",
    "kms-denied",
  ];

  it.each(staleCodes)("is served after %s, and names that failure", async (code) => {
    const { failing, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    expect(await failing(new Failure(code, "no"))).toEqual({
      value: toValue("v1"),
      from: { failed: expect.objectContaining({ code }) },
      ageMs: TTL_MS,
      ttlMs: 0,
    });
  });

  it.each(finalCodes)("is not served after %s, and is gone", async (code) => {
    const { failing, fetches, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    expect(await failing(new Failure(code, "no"))).toMatchObject({ code });
    expect(await failureOf(get())).toMatchObject({ code });
    moveClock(10_000);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(3);
  });

  it("is served until TTL and MAX_STALE are over, to the millisecond", async () => {
    const { failing, read } = setUp();
    await read("v1");
    moveClock(TTL_MS + MAX_STALE_MS - 1);
    expect(await failing(throttled())).toMatchObject({ value: toValue("v1"), ttlMs: 1 - MAX_STALE_MS });
    moveClock(1);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is not served to a caller that waits past its end", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS + MAX_STALE_MS - 1);
    const refused = failureOf(get());
    moveClock(1);
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
  });

  it("is never served if MAX_STALE is 0", async () => {
    const { failing, read } = setUp({ maxStaleMs: 0 });
    await read("v1");
    moveClock(TTL_MS);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is not served after the clock has stepped back, because its age is unknown", async () => {
    const { failing, read } = setUp();
    await read("v1");
    moveClock(-1);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
    moveClock(1_000);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is served from memory until the next try, and then fetched again", async () => {
    const { counters, failing, fetches, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    await failing(throttled());
    moveClock(499);
    expect(await get()).toMatchObject({ value: toValue("v1"), from: "memory", ttlMs: -499 });
    expect(fetches).toHaveLength(2);
    moveClock(1);
    expect(await read("v2")).toBe("v2");
    expect(counters).toMatchObject({ hits: 0, misses: 3, stale: 2 });
  });

  it("is not served to refreshNow", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    const refused = failureOf(get(APP, { refreshNow: true }));
    await settle();
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
    expect(await get()).toMatchObject({ value: toValue("v1"), from: "memory" });
  });

  it("is not served to a waiting caller after another caller was denied", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    const before = failureOf(get());
    const refused = failureOf(get(APP, { refreshNow: true }));
    await settle();
    fetched(3).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    fetched(2).fail(throttled());
    expect(await before).toBeInstanceOf(Failure);
  });

  it("is not served to a waiting caller after another caller got a newer one", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    const before = get();
    const refreshed = get(APP, { refreshNow: true });
    await settle();
    fetched(3).answer("v3");
    await refreshed;
    fetched(2).fail(throttled());
    expect((await before).value.versionId).toBe("v3");
  });
});

describe("a failure", () => {
  it.each<[FailureCode, number[]]>([
    ["get-secret-value-denied", [10_000, 20_000, 40_000, 60_000, 60_000]],
    ["secret-not-found", [10_000, 20_000, 40_000, 60_000, 60_000]],
    ["throttled", [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]],
    ["credentials-expired", [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]],
  ])("with the code %s is remembered for a time that doubles: %j", async (code, pausesMs) => {
    const { failing, fetches, get } = setUp();
    for (const [index, pauseMs] of pausesMs.entries()) {
      expect(await failing(new Failure(code, "no"))).toMatchObject({ code, details: { retryAfterMs: pauseMs } });
      moveClock(pauseMs - 1);
      expect(await failureOf(get())).toMatchObject({ code, details: { retryAfterMs: 1 } });
      moveClock(1);
      expect(fetches).toHaveLength(index + 1);
    }
  });

  it("is remembered for a random time if AWS is unavailable", async () => {
    const { failing } = setUp({ random: 0.5 });
    expect(await failing(throttled())).toMatchObject({ details: { retryAfterMs: 375 } });
    moveClock(375);
    expect(await failing(throttled())).toMatchObject({ details: { retryAfterMs: 750 } });
  });

  it("with the code internal is not remembered", async () => {
    const { failing, read } = setUp();
    expect(await failing(new Failure("internal", "a bug"))).toMatchObject({ code: "internal", details: {} });
    expect(await read("v1")).toBe("v1");
  });

  it("is forgotten after a success, and the next one has the first pause again", async () => {
    const { failing, read } = setUp();
    for (const pauseMs of [500, 1_000, 2_000]) {
      await failing(throttled());
      moveClock(pauseMs);
    }
    expect(await read("v1")).toBe("v1");
    moveClock(TTL_MS);
    await failing(throttled());
    moveClock(499);
    expect(await read("v2")).toBe("v1");
    moveClock(1);
    expect(await read("v2")).toBe("v2");
  });

  it("of one secret, version or stage does not concern another", async () => {
    const { failing, read } = setUp();
    await failing(denied());
    expect(await read("v1", { ...APP, versionStage: "AWSPREVIOUS" })).toBe("v1");
    expect(await read("v2", { secretId: "app/other" })).toBe("v2");
  });

  it("ends with its pause: a secret that can be read again is served", async () => {
    const { failing, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    await failing(denied());
    moveClock(10_000);
    expect(await read("v2")).toBe("v2");
    expect(await read("v3")).toBe("v2");
  });

  it("is remembered even if the TTL is 0, so that AWS is spared", async () => {
    const { failing, fetches, get } = setUp({ ttlMs: 0 });
    await failing(denied());
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
    expect(fetches).toHaveLength(1);
  });

  it("of a frozen fetch is not remembered, and a caller after the thaw starts a new fetch", async () => {
    const { fetched, fetches, get } = setUp();
    const frozen = get();
    moveClock(3_600_000);
    fetched(1).fail(new Failure("timeout", "too late"));
    const thawed = get();
    expect(fetches).toHaveLength(2);
    await settle();
    fetched(2).answer("v2");
    expect((await thawed).value.versionId).toBe("v2");
    expect((await frozen).value.versionId).toBe("v2");
  });
});

describe("refreshNow while a failure is remembered", () => {
  const refreshNow = { refreshNow: true };

  it("asks AWS at most once a second", async () => {
    const { failing, fetched, fetches, get } = setUp();
    await failing(denied());
    expect(await failureOf(get(APP, refreshNow))).toMatchObject({ details: { retryAfterMs: 1_000 } });
    moveClock(999);
    expect(await failureOf(get(APP, refreshNow))).toMatchObject({ details: { retryAfterMs: 1 } });
    expect(fetches).toHaveLength(1);
    moveClock(1);
    const wait = get(APP, refreshNow);
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await wait).value.versionId).toBe("v2");
    expect((await get()).value.versionId).toBe("v2");
  });

  it("doubles the pause if it fails again", async () => {
    const { failing, fetched, get } = setUp();
    await failing(denied());
    moveClock(1_000);
    const refused = failureOf(get(APP, refreshNow));
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ details: { retryAfterMs: 20_000 } });
    expect(await failureOf(get())).toMatchObject({ details: { retryAfterMs: 20_000 } });
  });
});

describe("the ids of one secret", () => {
  it("cost one fetch if they are read one after the other", async () => {
    const { fetches, read } = setUp();
    for (const query of IDS) expect(await read("v1", query)).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it.each(IDS)("cost one fetch if each is read a hundred times at once, with %o first", async (first) => {
    const { fetches, fetched, get } = setUp();
    const waits = [get(first)];
    for (let nth = 0; nth < 400; nth += 1) waits.push(get(IDS[nth % IDS.length]));
    await settle();
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    for (const { value } of await Promise.all(waits)) expect(value).toEqual(toValue("v1"));
    expect(fetches).toHaveLength(1);
  });

  it("are all hits after init has fetched the secret by name", async () => {
    const { counters, read } = setUp();
    await read("v1");
    for (const query of IDS) expect(await read("v2", query)).toBe("v1");
    expect(counters).toMatchObject({ hits: 4, misses: 1 });
  });

  it("are all refreshed by a fetch under one of them", async () => {
    const { fetched, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    expect(await read("v2", { secretId: toSecretArn("app/database") })).toBe("v2");
    expect(fetched(2).query).toEqual({ secretId: toSecretArn("app/database") });
    expect(await read("v3")).toBe("v2");
  });

  it("are denied separately: one may be allowed if another is denied", async () => {
    const { fetched, fetches, get } = setUp();
    const byName = failureOf(get());
    const byArn = get({ secretId: toSecretArn("app/database") });
    fetched(1).fail(denied());
    expect(await byName).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    expect(fetched(2).query).toEqual({ secretId: toSecretArn("app/database") });
    fetched(2).answer("v1");
    expect((await byArn).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(2);
  });

  it("fail together if AWS is unavailable", async () => {
    const { fetched, fetches, get } = setUp();
    const refusals = IDS.map((query) => failureOf(get(query)));
    fetched(1).fail(throttled());
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(1);
  });

  it("all lose the cached value if one is denied", async () => {
    const { failing, fetched, get, read } = setUp();
    await read("v1");
    moveClock(TTL_MS);
    await failing(denied(), { secretId: toSecretArn("app/database") });
    const byName = failureOf(get());
    fetched(3).fail(throttled());
    expect(await byName).toMatchObject({ code: "throttled" });
  });

  it("cost one fetch for each version and stage", async () => {
    const { fetches, read } = setUp();
    for (const rest of [{ versionId: "x" }, { versionStage: "AWSPREVIOUS" }]) {
      for (const { secretId } of IDS) await read("v1", { secretId, ...rest });
    }
    expect(fetches).toHaveLength(2);
  });

  it("name another secret if the region or the account differs", async () => {
    const { fetches, read } = setUp();
    await read("v1");
    const abroad = toSecretArn("app/database").replace("eu-west-1", "us-east-1");
    const before = fetches.length;
    void read("v2", { secretId: abroad }).catch(() => {});
    void read("v2", { secretId: toSecretArn("app/database").replace("111111111111", "333333333333") }).catch(() => {});
    expect(fetches).toHaveLength(before + 2);
  });
});

describe("a name that ends like an ARN", () => {
  const all = ["my", "my-abcdef", "my-abcdef-ghijkl"].flatMap((name) =>
    [name, toSecretArn(name), toPartialArn(name)].map((secretId) => ({ secretId, name })),
  );
  const pairs = all.flatMap((first) => all.map((second) => [first, second] as const));
  /** Answers as AWS does, which knows where a name ends. */
  const answer = ({ query, answer: reply }: Fetch) => {
    const found = all.find(({ secretId }) => secretId === query.secretId);
    reply(`version of ${found?.name}`, found?.name);
  };

  it.each(pairs)("never returns another secret: $secretId, then %o", async (first, second) => {
    const { fetches, get } = setUp();
    for (const { secretId, name } of [first, second, first]) {
      const before = fetches.length;
      const wait = get({ secretId });
      fetches.slice(before).forEach(answer);
      expect((await wait).value).toMatchObject({ name, versionId: `version of ${name}` });
    }
    expect(fetches).toHaveLength(first.name === second.name ? 1 : 2);
  });

  it.each(pairs)("never returns another secret: $secretId and %o at once", async (first, second) => {
    const { fetches, get } = setUp();
    const waits = [first, second, first].map(({ secretId }) => get({ secretId }));
    for (let nth = 0; nth < fetches.length; nth += 1) {
      fetches.slice(nth, nth + 1).forEach(answer);
      await settle();
    }
    expect((await Promise.all(waits)).map(({ value }) => value.name)).toEqual([first.name, second.name, first.name]);
    expect(fetches.length).toBeLessThanOrEqual(2);
  });

  it("never returns another secret, under nine ids at once, in any order", async () => {
    for (let turn = 0; turn < all.length; turn += 1) {
      const { fetches, get } = setUp();
      const asked = [...all.slice(turn), ...all.slice(0, turn)];
      const waits = asked.map(({ secretId }) => get({ secretId }));
      for (let nth = 0; nth < fetches.length; nth += 1) {
        fetches.slice(nth, nth + 1).forEach(answer);
        await settle();
      }
      expect((await Promise.all(waits)).map(({ value }) => value.name)).toEqual(asked.map(({ name }) => name));
    }
  });

  it("is not denied because the other is", async () => {
    const { fetched, get } = setUp();
    const short = failureOf(get({ secretId: "my" }));
    const long = get({ secretId: toPartialArn("my-abcdef") });
    fetched(1).fail(denied());
    expect(await short).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    fetched(2).answer("v1", "my-abcdef");
    expect((await long).value.name).toBe("my-abcdef");
  });
});

describe("a secret that was created again", () => {
  const OLD_ARN = toSecretArn("app/database");
  const NEW_ARN = toSecretArn("app/database", "XyZ123");

  it("replaces the old one, whose ARN is no longer served", async () => {
    const { fetched, fetches, get, read } = setUp();
    await read("v1");
    expect(await read("none", { secretId: OLD_ARN })).toBe("v1");
    moveClock(TTL_MS);
    const wait = get();
    fetched(2).answer("v2", "app/database", NEW_ARN);
    await wait;
    expect((await get({ secretId: NEW_ARN })).value.versionId).toBe("v2");
    expect((await get({ secretId: toPartialArn("app/database") })).value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
    const gone = failureOf(get({ secretId: OLD_ARN }));
    fetched(3).fail(new Failure("secret-not-found", "gone"));
    expect(await gone).toMatchObject({ code: "secret-not-found" });
    expect((await get()).value.versionId).toBe("v2");
  });

  it("is not returned for the old ARN, even if that is read at the same time", async () => {
    const { fetched, get } = setUp();
    const byName = get();
    const byOldArn = failureOf(get({ secretId: OLD_ARN }));
    fetched(1).answer("v2", "app/database", NEW_ARN);
    expect((await byName).value.arn).toBe(NEW_ARN);
    await settle();
    expect(fetched(2).query).toEqual({ secretId: OLD_ARN });
    fetched(2).fail(new Failure("secret-not-found", "gone"));
    expect(await byOldArn).toMatchObject({ code: "secret-not-found" });
    expect((await get()).value.arn).toBe(NEW_ARN);
  });
});

describe("an older answer", () => {
  it("never replaces a newer one, under any id", async () => {
    const { fetched, get, read } = setUp();
    const before = get({ secretId: toSecretArn("app/database") });
    moveClock(TIMEOUT_MS);
    const after = get();
    fetched(2).answer("v2");
    await after;
    fetched(1).answer("v1");
    // The first fetch was frozen, so it is repeated.
    await settle();
    fetched(3).answer("v3", "app/database");
    expect((await before).value.versionId).toBe("v3");
    expect(await read("none")).toBe("v3");
  });

  it("does not bring back a value that was denied after its fetch had started", async () => {
    const { fetched, get } = setUp();
    const before = get();
    const refused = failureOf(get(APP, { refreshNow: true }));
    await settle();
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    fetched(1).answer("v1");
    expect(await failureOf(before)).toMatchObject({ code: "get-secret-value-denied" });
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
  });

  it("that is a denial does not remove a value whose fetch started later", async () => {
    const { fetched, get } = setUp();
    const before = failureOf(get());
    const refreshed = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    await refreshed;
    fetched(1).fail(denied());
    await before;
    expect((await get()).value.versionId).toBe("v2");
  });
});

describe("an invalidated version", () => {
  it("is fetched again, once for a thousand reports under all ids", async () => {
    const { fetched, fetches, get, invalidate, read } = setUp();
    await read("v1");
    moveClock(5_000);
    const settled = Array.from({ length: 1_000 }, (_, nth) => invalidate("v1", IDS[nth % IDS.length]));
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    await Promise.all(settled);
    expect(fetches).toHaveLength(2);
    expect((await get()).value.versionId).toBe("v2");
    await invalidate("v1");
    expect(fetches).toHaveLength(2);
  });

  it("is ignored if another version is cached", async () => {
    const { fetches, invalidate, read } = setUp();
    await read("v2");
    moveClock(5_000);
    await invalidate("v1");
    expect(fetches).toHaveLength(1);
  });

  it("is ignored if nothing is cached, because the next read fetches anyway", async () => {
    const { fetches, invalidate } = setUp();
    await invalidate("v1");
    expect(fetches).toHaveLength(0);
  });

  it("is refused until five seconds after its fetch, to the millisecond", async () => {
    const { fetches, fetched, invalidate, read } = setUp();
    await read("v1");
    expect(await failureOf(invalidate("v1"))).toMatchObject({
      code: "asked-too-often",
      details: { retryAfterMs: 5_000 },
    });
    moveClock(4_999);
    expect(await failureOf(invalidate("v1"))).toMatchObject({ code: "asked-too-often", details: { retryAfterMs: 1 } });
    expect(fetches).toHaveLength(1);
    moveClock(1);
    const settled = invalidate("v1");
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v1");
    await settled;
    expect(await failureOf(invalidate("v1"))).toMatchObject({ code: "asked-too-often" });
  });

  it("is served until another version is fetched, and also if that fails", async () => {
    const { fetched, get, invalidate, read } = setUp();
    await read("v1");
    moveClock(5_000);
    const refused = failureOf(invalidate("v1"));
    expect((await get()).value.versionId).toBe("v1");
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
    expect((await get()).value.versionId).toBe("v1");
  });

  it("is fetched at most once a second while AWS is unavailable", async () => {
    const { fetched, fetches, invalidate, read } = setUp();
    await read("v1");
    moveClock(5_000);
    for (const [nth, pauseMs] of [500, 1_000, 1_000].entries()) {
      const refused = failureOf(invalidate("v1"));
      fetched(2 + nth).fail(throttled());
      expect(await refused).toMatchObject({ code: "throttled" });
      const again = failureOf(invalidate("v1"));
      expect(fetches).toHaveLength(2 + nth);
      expect(await again).toMatchObject({ code: "throttled", details: { retryAfterMs: pauseMs } });
      moveClock(pauseMs);
    }
  });

  it("is gone if its refresh is denied", async () => {
    const { fetched, get, invalidate, read } = setUp();
    await read("v1");
    moveClock(5_000);
    const refused = failureOf(invalidate("v1"));
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
  });

  it("is expired after the clock has stepped back", async () => {
    const { fetches, invalidate, read } = setUp();
    await read("v1");
    moveClock(-10_000);
    const settled = invalidate("v1");
    for (const fetch of fetches) fetch.answer("v2");
    await settled;
    expect(await read("v2")).toBe("v2");
  });

  it("fails with a timeout if its refresh takes too long", async () => {
    const { invalidate, read } = setUp();
    await read("v1");
    moveClock(5_000);
    const refused = failureOf(invalidate("v1"));
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "timeout" });
  });
});

describe("the counters", () => {
  it("count hits, misses and stale values", async () => {
    const { counters, failing, fetched, get, read } = setUp();
    await read("v1");
    await read("v1");
    await read("v1");
    const refresh = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    await refresh;
    moveClock(TTL_MS - 1);
    await get();
    await settle();
    fetched(3).answer("v3");
    await settle();
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 2 });
    moveClock(TTL_MS);
    await failing(throttled());
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 3, stale: 1 });
    await get();
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 3, stale: 2 });
    moveClock(1_000);
    await failing(denied());
    await failureOf(get());
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 4, stale: 2 });
  });
});

describe("a cache of parameters", () => {
  const ARN_PREFIX = "arn:aws:ssm:eu-west-1:111111111111:parameter";
  const FLAG: ParameterQuery = { parameterId: "/app/flag", withDecryption: false };
  const BY_ARN: ParameterQuery = { ...FLAG, parameterId: `${ARN_PREFIX}/app/flag` };

  /** Each fetch is answered at once, with the name and version of its query. */
  function setUpParameters({ fails = false } = {}) {
    const asked: ParameterQuery[] = [];
    const cache = createValueCache({
      rules: parameterRules,
      source: SOURCE,
      config: {
        sources: [undefined],
        ttlMs: TTL_MS,
        maxStaleMs: MAX_STALE_MS,
        cacheSize: 1_000,
        timeoutMs: TIMEOUT_MS,
      },
      counters: createCounters(),
      now: Date.now,
      random: () => 0,
      fetch: async (query) => {
        asked.push(query);
        if (fails) throw new Failure("parameter-not-found", "none");
        const { parameterId, selector, withDecryption } = query;
        const name = parameterId.replace(ARN_PREFIX, "");
        return toParameterValue({
          arn: `${ARN_PREFIX}/${name.replace(/^\//, "")}`,
          name,
          versionId: selector ?? "9",
          selector,
          value: withDecryption ? "plain" : "ciphertext",
        });
      },
    });
    const get = async (query: ParameterQuery) =>
      (await cache.get(query, { deadlineEpochMs: Date.now() + TIMEOUT_MS })).value;
    return { asked, get };
  }

  it("has one entry for a name and its ARN that are read one after the other", async () => {
    for (const [first, second] of [
      [FLAG, BY_ARN],
      [BY_ARN, FLAG],
    ] as const) {
      const { asked, get } = setUpParameters();
      await get(first);
      await get(second);
      expect(asked).toEqual([first]);
    }
  });

  it("makes one fetch for a name and its ARN that are read at once", async () => {
    const { asked, get } = setUpParameters();
    await Promise.all([get(FLAG), get(BY_ARN), get(FLAG)]);
    expect(asked).toHaveLength(1);
  });

  it("has a separate entry and a separate fetch for each selector and each decryption", async () => {
    const { asked, get } = setUpParameters();
    const queries: ParameterQuery[] = [undefined, "1", "2", "true", "false"].flatMap((selector) =>
      [true, false].map((withDecryption) => ({
        parameterId: "/app/flag",
        ...(selector === undefined ? {} : { selector }),
        withDecryption,
      })),
    );
    for (let round = 0; round < 2; round += 1) {
      const values = await Promise.all(queries.map(get));
      expect(values.map(({ versionId, value }) => `${versionId} ${value}`)).toEqual(
        queries.map(({ selector = "9", withDecryption }) => `${selector} ${withDecryption ? "plain" : "ciphertext"}`),
      );
    }
    expect(asked).toHaveLength(queries.length);
  });

  it("treats two names that share one ARN as two parameters", async () => {
    const { asked, get } = setUpParameters();
    expect((await get({ ...FLAG, parameterId: "/flag" })).name).toBe("/flag");
    expect((await get({ ...FLAG, parameterId: "flag" })).name).toBe("flag");
    expect(asked).toHaveLength(2);
  });

  it("remembers that a parameter does not exist", async () => {
    const { asked, get } = setUpParameters({ fails: true });
    for (let nth = 0; nth < 2; nth += 1) {
      expect(await failureOf(get(FLAG))).toMatchObject({ code: "parameter-not-found" });
    }
    expect(asked).toHaveLength(1);
  });

  it("has keys that no secret has, even if both have the same name", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9/_.-]{1,12}$/);
    const version = fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/);
    const { home } = SOURCE;
    fc.assert(
      fc.property(name, name, version, version, fc.boolean(), (secretId, parameterId, versionId, selector, isPlain) => {
        const ofSecret = [{ secretId }, { secretId, versionId }].map((query) =>
          toKey(`${secretRules.toLocation(secretId, home).place}:${secretId}`, secretRules.toVariant(query)),
        );
        const ofParameter = [{ parameterId }, { parameterId, selector }].map((query) =>
          toKey(
            `${parameterRules.toLocation(parameterId, home).place}:${parameterId}`,
            parameterRules.toVariant({ ...query, withDecryption: isPlain }),
          ),
        );
        expect(new Set([...ofSecret, ...ofParameter]).size).toBe(4);
      }),
    );
  });
});
