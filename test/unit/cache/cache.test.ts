import { describe, expect, it, vi } from "vitest";
import { Failure } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import type { SecretQuery } from "../../../extension/values/secret.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, START_EPOCH_MS, settle, useFakeClock } from "../../support/unit-clock.ts";
import { APP, denied, setUpCache, TIMEOUT_MS, TTL_MS, throttled } from "../../support/value-cache.ts";
import { toPartialArn, toSecretValue } from "../../support/values.ts";

useFakeClock();

describe("a cached value", () => {
  it("is served until its TTL is over, to the millisecond", async () => {
    const { fetches, get, read } = setUpCache();
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
    expect(waits).toHaveBeenCalledWith(
      expect.objectContaining({ value: toSecretValue({ versionId: "v2" }), from: "fetch" }),
    );
  });

  it("has the age of the call that fetched it", async () => {
    const { fetched, get } = setUpCache();
    const wait = get();
    moveClock(400);
    fetched(1).answer("v1");
    expect(await wait).toEqual({
      value: toSecretValue({ versionId: "v1" }),
      from: "fetch",
      ageMs: 400,
      ttlMs: TTL_MS - 400,
    });
    moveClock(600);
    expect(await get()).toEqual({
      value: toSecretValue({ versionId: "v1" }),
      from: "memory",
      ageMs: 1_000,
      ttlMs: TTL_MS - 1_000,
    });
  });

  it("does not live longer because it is read", async () => {
    const { read } = setUpCache();
    await read("v1");
    for (let reads = 0; reads < 7; reads += 1) {
      moveClock(TTL_MS / 10);
      expect(await read("v2")).toBe("v1");
    }
    moveClock((3 * TTL_MS) / 10);
    expect(await read("v2")).toBe("v2");
  });

  it("is expired after the clock has stepped back", async () => {
    const { read } = setUpCache();
    await read("v1");
    moveClock(-1);
    expect(await read("v2")).toBe("v2");
    expect(await read("v3")).toBe("v2");
  });

  it("is expired after a freeze longer than its TTL, without a timer", async () => {
    const { read } = setUpCache();
    await read("v1");
    expect(vi.getTimerCount()).toBe(0);
    moveClock(24 * 3_600_000);
    expect(await read("v2")).toBe("v2");
  });

  it("belongs to one secret, one version and one stage", async () => {
    const { read } = setUpCache();
    const queries: SecretQuery[] = [
      APP,
      { secretId: "app/other" },
      { ...APP, versionId: "AWSPREVIOUS" },
      { ...APP, versionStage: "AWSCURRENT" },
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
    const { fetched, read } = setUpCache();
    const query = { ...APP, versionId: "1", versionStage: "AWSPREVIOUS" };
    await read("v1", query);
    expect(fetched(1).query).toEqual(query);
  });
});

describe("a cache that keeps nothing", () => {
  it.each([{ ttlMs: 0 }, { cacheSize: 0 }])("fetches every time: %o", async (settings) => {
    const { fetches, read } = setUpCache(settings);
    expect(await read("v1")).toBe("v1");
    expect(await read("v2")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it.each([{ ttlMs: 0 }, { cacheSize: 0 }])("still fetches once for concurrent reads: %o", async (settings) => {
    const { fetches, fetched, get } = setUpCache(settings);
    const waits = [get(), get(), get()];
    expect(fetches).toHaveLength(1);
    moveClock(100);
    fetched(1).answer("v1");
    for (const cached of await Promise.all(waits)) {
      expect(cached).toEqual({ value: toSecretValue({ versionId: "v1" }), from: "fetch", ageMs: 100, ttlMs: 0 });
    }
  });

  it.each([{ ttlMs: 0 }, { cacheSize: 0 }])("serves no stale value: %o", async (settings) => {
    const { failing, read } = setUpCache(settings);
    await read("v1");
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });
});

describe("a fetch", () => {
  it("is made once for a thousand concurrent reads", async () => {
    const { counters, fetches, fetched, get } = setUpCache();
    const waits = Array.from({ length: 1_000 }, () => get());
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    const versions = (await Promise.all(waits)).map(({ value }) => value.versionId);
    expect(new Set(versions)).toEqual(new Set(["v1"]));
    expect(counters).toMatchObject({ hits: 0, misses: 1_000 });
  });

  it("is made once, even if other reads come at any moment around its answer", async () => {
    const { fetches, fetched, get } = setUpCache();
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
    const { fetches, get } = setUpCache();
    void get({ secretId: "a" });
    void get({ secretId: "b" });
    expect(fetches.map(({ query }) => query.secretId)).toEqual(["a", "b"]);
  });

  it("that fails, fails for all callers, and is not repeated while the failure is remembered", async () => {
    const { fetches, fetched, get, read } = setUpCache();
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
    const { fetched, get } = setUpCache();
    void get();
    expect(fetched(1).deadlineEpochMs).toBeLessThan(START_EPOCH_MS + TIMEOUT_MS);
    expect(fetched(1).deadlineEpochMs).toBeGreaterThan(START_EPOCH_MS + TIMEOUT_MS - 100);
  });

  it("is waited for until each caller's own deadline, and no longer", async () => {
    const { fetched, get } = setUpCache();
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
    const { fetched, get, read } = setUpCache();
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "timeout" });
    fetched(1).answer("v1");
    await settle();
    expect(await read("v2")).toBe("v1");
  });

  it("is not started after the deadline", async () => {
    const { fetches, get } = setUpCache();
    expect(await failureOf(get(APP, { timeoutMs: 0 }))).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(0);
  });

  it("is not waited for longer if the clock steps back meanwhile", async () => {
    const { get } = setUpCache();
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
    const { fetched, fetches, get } = setUpCache();
    const short = get({ secretId: "my" });
    const settled = vi.fn();
    failureOf(get({ secretId: toPartialArn("my-abcdef") })).then(settled);
    await vi.advanceTimersByTimeAsync(1_000);
    moveClock(-3_600_000);
    fetched(1).answer("v1");
    await short;
    await settle();
    expect(fetches).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1_000);
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ code: "timeout" }));
  });

  it("that ends at an earlier deadline is not repeated, so that waiting callers do not ask one by one", async () => {
    const { fetches, fetched, get } = setUpCache();
    const refusals = [failureOf(get(APP, { timeoutMs: 500 })), failureOf(get(APP, { timeoutMs: 2_000 }))];
    await vi.advanceTimersByTimeAsync(480);
    fetched(1).fail(new Failure("timeout", "too late"));
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(1);
  });

  it("during which the clock steps back brings a value that is served with a valid age", async () => {
    const { fetched, get, read } = setUpCache();
    const wait = get();
    moveClock(-1);
    fetched(1).answer("v1");
    const { value, ageMs, ttlMs } = await wait;
    expect(value.versionId).toBe("v1");
    expect([Number.isFinite(ageMs), Number.isFinite(ttlMs), ageMs >= 0]).toEqual([true, true, true]);
    expect(await read("v2")).toBe("v2");
  });

  it("past its deadline was frozen: it is abandoned, and never joined", async () => {
    const { fetches, fetched, get } = setUpCache();
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

describe("the counters", () => {
  it("count hits, misses and stale values", async () => {
    const { counters, failing, fetched, get, read, refreshNow } = setUpCache();
    await read("v1");
    await read("v1");
    await read("v1");
    const refresh = refreshNow();
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
