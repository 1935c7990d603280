import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createCounters } from "../../extension/counters.ts";
import { Failure } from "../../extension/errors.ts";
import { createSecretCache } from "../../extension/secret-cache.ts";
import type { SecretQuery, SecretValue } from "../../extension/secrets-manager.ts";
import { refusalOf } from "../support/refusal-of.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const TTL_MS = 60_000;
const TIMEOUT_MS = 2_500;

const APP = { secretId: "app/database" };

const throttled = () => new Failure("throttled", "not now");

const toValue = (versionId: string): SecretValue => ({
  arn: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/database-AbCdEf",
  name: "app/database",
  versionId,
  versionStages: ["AWSCURRENT"],
  createdDate: new Date(0),
  secretString: "s3cret",
  secretBinary: undefined,
});

interface Fetch {
  readonly query: SecretQuery;
  readonly deadlineEpochMs: number;
  answer(versionId: string): void;
  fail(failure: Failure): void;
}

/** The clock goes on, or back, and no timer runs: as over a freeze. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

/** Whatever is ready to run runs, and the clock stands still. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** A cache with a clock that stands still. Each fetch is under way until the test answers it. */
function setUp({ ttlMs = TTL_MS, cacheSize = 1_000 } = {}) {
  const counters = createCounters();
  const fetches: Fetch[] = [];
  const cache = createSecretCache({
    config: { ttlMs, cacheSize },
    counters,
    now: Date.now,
    fetch: (query, deadlineEpochMs) =>
      new Promise((resolve, reject) => {
        fetches.push({ query, deadlineEpochMs, answer: (versionId) => resolve(toValue(versionId)), fail: reject });
      }),
  });
  const get = (query: SecretQuery = APP, options: { refreshNow?: boolean; timeoutMs?: number } = {}) => {
    const { timeoutMs = TIMEOUT_MS, ...rest } = options;
    return cache.get(query, { deadlineEpochMs: Date.now() + timeoutMs, ...rest });
  };
  const fetched = (nth: number): Fetch => {
    const fetch = fetches[nth - 1];
    if (fetch === undefined) throw new Error(`there were ${fetches.length} fetches, and no number ${nth}`);
    return fetch;
  };
  /** A look-up that is answered at once if it fetches, and the version that it got. */
  async function read(versionId: string, query: SecretQuery = APP): Promise<string> {
    const before = fetches.length;
    const wait = get(query);
    for (const fetch of fetches.slice(before)) fetch.answer(versionId);
    return (await wait).value.versionId;
  }
  return { counters, fetches, fetched, get, read };
}

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a value at hand", () => {
  it("is served until its TTL is over, to the millisecond", async () => {
    const { fetches, read } = setUp();
    expect(await read("v1")).toBe("v1");
    pass(TTL_MS - 1);
    expect(await read("v2")).toBe("v1");
    expect(fetches).toHaveLength(1);
    pass(1);
    expect(await read("v2")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("is as old as the call that brought it", async () => {
    const { fetched, get } = setUp();
    const wait = get();
    pass(400);
    fetched(1).answer("v1");
    expect(await wait).toEqual({ value: toValue("v1"), isHit: false, ageMs: 400, ttlMs: TTL_MS - 400 });
    pass(600);
    expect(await get()).toEqual({ value: toValue("v1"), isHit: true, ageMs: 1_000, ttlMs: TTL_MS - 1_000 });
  });

  it("does not live longer for being read", async () => {
    const { read } = setUp();
    await read("v1");
    for (let reads = 0; reads < 4; reads += 1) {
      pass(TTL_MS / 5);
      expect(await read("v2")).toBe("v1");
    }
    pass(TTL_MS / 5);
    expect(await read("v2")).toBe("v2");
  });

  it("is expired, and not eternal, after the clock has stepped back", async () => {
    const { read } = setUp();
    await read("v1");
    pass(-1);
    expect(await read("v2")).toBe("v2");
    expect(await read("v3")).toBe("v2");
  });

  it("is expired after a freeze longer than its TTL, with no timer having run", async () => {
    const { read } = setUp();
    await read("v1");
    expect(vi.getTimerCount()).toBe(0);
    pass(24 * 3_600_000);
    expect(await read("v2")).toBe("v2");
  });

  it("is AWSCURRENT's, whether the caller says so or not", async () => {
    const { fetches, read } = setUp();
    await read("v1", APP);
    expect(await read("v2", { ...APP, versionStage: "AWSCURRENT" })).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it("is of one secret, one version and one stage", async () => {
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

  it("is fetched as the caller asked for it", async () => {
    const { fetched, read } = setUp();
    const query = { ...APP, versionId: "1", versionStage: "AWSPREVIOUS" };
    await read("v1", query);
    expect(fetched(1).query).toEqual(query);
  });
});

describe("a cache that keeps nothing", () => {
  it.each([{ ttlMs: 0 }, { cacheSize: 0 }])("asks every time: %o", async (settings) => {
    const { fetches, read } = setUp(settings);
    expect(await read("v1")).toBe("v1");
    expect(await read("v2")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it.each([{ ttlMs: 0 }, { cacheSize: 0 }])("still asks once however many wait: %o", async (settings) => {
    const { fetches, fetched, get } = setUp(settings);
    const waits = [get(), get(), get()];
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    for (const { value, isHit, ttlMs } of await Promise.all(waits)) {
      expect({ version: value.versionId, isHit, ttlMs }).toEqual({ version: "v1", isHit: false, ttlMs: 0 });
    }
  });
});

describe("a cache with room for some", () => {
  const A = { secretId: "a" };
  const B = { secretId: "b" };
  const C = { secretId: "c" };

  it("keeps the last one, where there is room for one", async () => {
    const { read } = setUp({ cacheSize: 1 });
    await read("a1", A);
    await read("b1", B);
    expect(await read("b2", B)).toBe("b1");
    expect(await read("a2", A)).toBe("a2");
  });

  it("gives up the one that was used least recently, and a hit is a use", async () => {
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

  it("gives up nothing for a new value of what it has", async () => {
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

describe("a fetch", () => {
  it("is made once for a thousand concurrent look-ups", async () => {
    const { counters, fetches, fetched, get } = setUp();
    const waits = Array.from({ length: 1_000 }, () => get());
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    const versions = (await Promise.all(waits)).map(({ value }) => value.versionId);
    expect(new Set(versions)).toEqual(new Set(["v1"]));
    expect(counters).toMatchObject({ hits: 0, misses: 1_000 });
  });

  it("is made once, at whatever moment around its answer the others ask", async () => {
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

  it("is made for each secret on its own", async () => {
    const { fetches, get } = setUp();
    void get({ secretId: "a" });
    void get({ secretId: "b" });
    expect(fetches.map(({ query }) => query.secretId)).toEqual(["a", "b"]);
  });

  it("fails for all who wait for it, and is not remembered", async () => {
    const { fetches, fetched, get, read } = setUp();
    const waits = [get(), get()];
    fetched(1).fail(throttled());
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: "throttled" });
    expect(await read("v2")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("has to be over a moment before whoever started it has to answer", async () => {
    const { fetched, get } = setUp();
    void get();
    expect(fetched(1).deadlineEpochMs).toBeLessThan(START_EPOCH_MS + TIMEOUT_MS);
    expect(fetched(1).deadlineEpochMs).toBeGreaterThan(START_EPOCH_MS + TIMEOUT_MS - 100);
  });

  it("is waited for until each one's own deadline, and no longer", async () => {
    const { fetched, get } = setUp();
    const patient = get(APP, { timeoutMs: 2_000 });
    const hasty = get(APP, { timeoutMs: 500 });
    const refused = refusalOf(hasty);
    await vi.advanceTimersByTimeAsync(500);
    expect(await refused).toMatchObject({ code: "timeout" });
    fetched(1).answer("v1");
    expect((await patient).value.versionId).toBe("v1");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that answers too late for whoever asked still spares the next one a call", async () => {
    const { fetched, get, read } = setUp();
    const refused = refusalOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "timeout" });
    fetched(1).answer("v1");
    await settle();
    expect(await read("v2")).toBe("v1");
  });

  it("is not begun for a request that is too late already", async () => {
    const { fetches, get } = setUp();
    expect(await refusalOf(get(APP, { timeoutMs: 0 }))).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(0);
  });

  it("is waited for no longer when the clock steps back meanwhile", async () => {
    const { get } = setUp();
    const refusals = [refusalOf(get()), refusalOf(get())];
    const settled = vi.fn();
    void Promise.all(refusals).then(settled);
    await vi.advanceTimersByTimeAsync(100);
    pass(-3_600_000);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(settled).toHaveBeenCalledWith([
      expect.objectContaining({ code: "timeout" }),
      expect.objectContaining({ code: "timeout" }),
    ]);
  });

  it("that is cut short by an earlier deadline is made anew for who has time left", async () => {
    const { fetches, fetched, get } = setUp();
    const hasty = refusalOf(get(APP, { timeoutMs: 500 }));
    const patient = get(APP, { timeoutMs: 2_000 });
    expect(fetches).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(480);
    fetched(1).fail(new Failure("timeout", "too late"));
    expect(await hasty).toMatchObject({ code: "timeout" });
    fetched(2).answer("v2");
    expect((await patient).value.versionId).toBe("v2");
  });

  it("older than its deadline was frozen: it is abandoned, never joined", async () => {
    const { fetches, fetched, get } = setUp();
    const frozen = get();
    pass(10 * 60_000);
    const thawed = get();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await thawed).value.versionId).toBe("v2");
    fetched(1).answer("v1");
    await Promise.allSettled([frozen]);
    expect((await get()).value.versionId).toBe("v2");
  });
});

describe("refreshNow", () => {
  it("fetches although a value is at hand, and leaves the new one there", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    const wait = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({ value: { versionId: "v2" }, isHit: false });
    expect(await read("v3")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("leads to a value fetched after the request, even while a fetch is under way", async () => {
    const { fetched, get } = setUp();
    const before = get();
    pass(100);
    const refreshed = get(APP, { refreshNow: true });
    await settle();
    fetched(1).answer("v1");
    expect((await before).value.versionId).toBe("v1");
    fetched(2).answer("v2");
    expect(await refreshed).toMatchObject({ value: { versionId: "v2" }, ageMs: 0 });
  });

  it("is what later look-ups wait for", async () => {
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

  it("is not forgotten by an older fetch that ends", async () => {
    const { fetches, fetched, get } = setUp();
    const before = get();
    void get(APP, { refreshNow: true });
    await settle();
    fetched(1).fail(throttled());
    await expect(before).rejects.toMatchObject({ code: "throttled" });
    const later = get();
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await later).value.versionId).toBe("v2");
  });

  it("leaves what is at hand where it is, when it fails", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    const refused = get(APP, { refreshNow: true });
    await settle();
    fetched(2).fail(throttled());
    await expect(refused).rejects.toMatchObject({ code: "throttled" });
    expect(await read("v2")).toBe("v1");
  });

  it("asked for by a hundred at once costs at most the fetch under way and one that all others share", async () => {
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

describe("the counters", () => {
  it("tell what was at hand from what was not", async () => {
    const { counters, fetched, get, read } = setUp();
    await read("v1");
    await read("v1");
    await read("v1");
    const refresh = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    await refresh;
    pass(TTL_MS);
    const refused = get();
    fetched(3).fail(throttled());
    await expect(refused).rejects.toThrow();
    expect(counters).toEqual({ ...createCounters(), hits: 2, misses: 3 });
  });
});
