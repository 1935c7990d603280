import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Cached, createValueCache } from "../../../extension/cache/cache.ts";
import { toKey } from "../../../extension/cache/store.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import { type ParameterQuery, type ParameterValue, parameterRules } from "../../../extension/values/parameter.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../../extension/values/secret.ts";
import { failureOf } from "../../support/failure-of.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const TTL_MS = 60_000;
const MAX_STALE_MS = 600_000;
const TIMEOUT_MS = 2_500;
const SOURCE = { home: { region: "eu-west-1", accountId: "111111111111" } };

const toPartialArn = (name: string) => `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${name}`;
const toArn = (name: string, suffix = "AbCdEf") => `${toPartialArn(name)}-${suffix}`;

const APP = { secretId: "app/database" };
/** Every way to ask for the same. */
const SPELLINGS: readonly SecretQuery[] = [
  APP,
  { secretId: toArn("app/database") },
  { secretId: toPartialArn("app/database") },
  { ...APP, versionStage: "AWSCURRENT" },
];

const throttled = () => new Failure("throttled", "not now");
const denied = () => new Failure("get-secret-value-denied", "may not");

/** A secret's ARN is its name with the same random characters, unless a test says otherwise. */
const toName = (secretId: string) => secretId.replace(toPartialArn(""), "").replace(/-AbCdEf$/, "");

const toValue = (versionId: string, name = "app/database", arn = toArn(name)): SecretValue => ({
  arn,
  name,
  versionId,
  versionStages: ["AWSCURRENT"],
  createdDate: new Date(0),
  secretString: "s3cret",
  secretBinary: undefined,
});

interface Fetch {
  readonly query: SecretQuery;
  readonly deadlineEpochMs: number;
  /** With what the query means, or with another name and ARN. */
  answer(versionId: string, name?: string, arn?: string): void;
  fail(failure: Failure): void;
}

/** The clock goes on, or back, and no timer runs: as over a freeze. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

/** Whatever is ready to run runs, and the clock stands still. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** An AWS that does not answer: the fetch fails when its time is over. */
const failInTime = ({ deadlineEpochMs, fail }: Fetch) =>
  setTimeout(() => fail(new Failure("timeout", "too late")), deadlineEpochMs - Date.now());

/** A cache with a clock that stands still. Each fetch is under way until the test answers it. */
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
          answer: (versionId, name = toName(query.secretId), arn = toArn(name)) =>
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
  /** A look-up that is answered at once if it fetches, and the version that it got. */
  async function read(versionId: string, query: SecretQuery = APP): Promise<string> {
    const before = fetches.length;
    const wait = get(query);
    for (const fetch of fetches.slice(before)) fetch.answer(versionId);
    return (await wait).value.versionId;
  }
  /** A look-up whose fetches all fail, and what became of it. */
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

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a value at hand", () => {
  it("is served until its TTL is over, to the millisecond", async () => {
    const { fetches, get, read } = setUp();
    expect(await read("v1")).toBe("v1");
    pass(TTL_MS - 1);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory", ttlMs: 1 });
    const behind = fetches.length;
    pass(1);
    const waits = vi.fn();
    get().then(waits, waits);
    await settle();
    expect(waits).not.toHaveBeenCalled();
    for (const fetch of fetches.slice(behind - 1)) fetch.answer("v2");
    await settle();
    expect(waits).toHaveBeenCalledWith(expect.objectContaining({ value: toValue("v2"), from: "fetch" }));
  });

  it("is as old as the call that brought it", async () => {
    const { fetched, get } = setUp();
    const wait = get();
    pass(400);
    fetched(1).answer("v1");
    expect(await wait).toEqual({ value: toValue("v1"), from: "fetch", ageMs: 400, ttlMs: TTL_MS - 400 });
    pass(600);
    expect(await get()).toEqual({ value: toValue("v1"), from: "memory", ageMs: 1_000, ttlMs: TTL_MS - 1_000 });
  });

  it("does not live longer for being read", async () => {
    const { read } = setUp();
    await read("v1");
    for (let reads = 0; reads < 7; reads += 1) {
      pass(TTL_MS / 10);
      expect(await read("v2")).toBe("v1");
    }
    pass((3 * TTL_MS) / 10);
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
    for (const { value, from, ttlMs } of await Promise.all(waits)) {
      expect({ version: value.versionId, from, ttlMs }).toEqual({ version: "v1", from: "fetch", ttlMs: 0 });
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

describe("the caches of several sources", () => {
  /** How many of these many secrets, fetched one after the other, are still at hand. */
  async function countKept(settings: Parameters<typeof setUp>[0], secrets: number): Promise<number> {
    const { read } = setUp(settings);
    for (let nth = 0; nth < secrets; nth += 1) await read("v1", { secretId: `secret/${nth}` });
    let kept = 0;
    // The last ones first, so that what is fetched anew takes the place of nothing that is still to be looked for.
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
  ])("share its size: %d of them, with CACHE_SIZE %d, keep %d each", async (sources, cacheSize, kept) => {
    expect(await countKept({ sources, cacheSize }, 12)).toBe(kept);
  });

  it.each([
    [1, 8],
    [2, 4],
    [8, 1],
  ])("share 8 MiB: %d of them keep %d MiB each", async (sources, kept) => {
    expect(await countKept({ sources, secretString: "x".repeat(1_048_576) }, 12)).toBe(kept);
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

  it("fails for all who wait for it, and is not made anew while that is remembered", async () => {
    const { fetches, fetched, get, read } = setUp();
    const waits = [get(), get()];
    fetched(1).fail(throttled());
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: "throttled" });
    await expect(get()).rejects.toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(1);
    pass(500);
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
    const refused = failureOf(hasty);
    await vi.advanceTimersByTimeAsync(500);
    expect(await refused).toMatchObject({ code: "timeout" });
    fetched(1).answer("v1");
    expect((await patient).value.versionId).toBe("v1");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that answers too late for whoever asked still spares the next one a call", async () => {
    const { fetched, get, read } = setUp();
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "timeout" });
    fetched(1).answer("v1");
    await settle();
    expect(await read("v2")).toBe("v1");
  });

  it("is not begun for a request that is too late already", async () => {
    const { fetches, get } = setUp();
    expect(await failureOf(get(APP, { timeoutMs: 0 }))).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(0);
  });

  it("is waited for no longer when the clock steps back meanwhile", async () => {
    const { get } = setUp();
    const refusals = [failureOf(get()), failureOf(get())];
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

  it("is waited for no longer when the clock steps back before one's own spelling is asked for", async () => {
    const { fetched, fetches, get } = setUp();
    const short = get({ secretId: "my" });
    const settled = vi.fn();
    failureOf(get({ secretId: toPartialArn("my-abcdef") })).then(settled);
    pass(-3_600_000);
    fetched(1).answer("v1");
    await short;
    await settle();
    expect(fetches).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ code: "timeout" }));
  });

  it("that is cut short by an earlier deadline is not made anew: a crowd must not ask one by one", async () => {
    const { fetches, fetched, get } = setUp();
    const refusals = [failureOf(get(APP, { timeoutMs: 500 })), failureOf(get(APP, { timeoutMs: 2_000 }))];
    await vi.advanceTimersByTimeAsync(480);
    fetched(1).fail(new Failure("timeout", "too late"));
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "timeout" });
    expect(fetches).toHaveLength(1);
  });

  it("over which the clock steps back brings a value that is served, with an age that can be told", async () => {
    const { fetched, get, read } = setUp();
    const wait = get();
    pass(-1);
    fetched(1).answer("v1");
    const { value, ageMs, ttlMs } = await wait;
    expect(value.versionId).toBe("v1");
    expect([Number.isFinite(ageMs), Number.isFinite(ttlMs), ageMs >= 0]).toEqual([true, true, true]);
    expect(await read("v2")).toBe("v2");
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
    // Whoever was frozen with it is asked for anew, since what it brought may be as old as the freeze was long.
    await settle();
    fetched(3).answer("v3");
    expect((await frozen).value.versionId).toBe("v3");
    expect((await get()).value.versionId).toBe("v3");
    expect(fetches).toHaveLength(3);
  });
});

describe("refreshNow", () => {
  it("fetches although a value is at hand, and leaves the new one there", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    const wait = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({ value: { versionId: "v2" }, from: "fetch" });
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
    pass(500);
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

describe("a value that ages", () => {
  it.each([
    [0, 0.75],
    [0.5, 0.8],
    [1 - Number.EPSILON, 0.85],
  ])("is fresh until a part of its TTL that is drawn by lot: a draw of %d makes it %d", async (random, part) => {
    const { fetches, get, read } = setUp({ random });
    await read("v1");
    pass(TTL_MS * part - 1);
    await get();
    expect(fetches).toHaveLength(1);
    pass(1);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory" });
    expect(fetches).toHaveLength(2);
  });

  it("is drawn by lot at each fetch, and not once for all", async () => {
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
    pass(0.75 * TTL_MS);
    await get();
    await settle();
    expect(fetch).toHaveBeenCalledTimes(2);
    pass(0.75 * TTL_MS);
    await get();
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it("is refreshed behind the reply, which does not wait", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    pass(0.75 * TTL_MS);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory", ttlMs: 0.25 * TTL_MS });
    fetched(2).answer("v2");
    await settle();
    expect(await get()).toMatchObject({ value: { versionId: "v2" }, from: "memory", ttlMs: TTL_MS });
  });

  it("is refreshed once, however many ask for it and however it is spelled", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    pass(0.75 * TTL_MS);
    const waits = Array.from({ length: 1_000 }, (_, index) => get(SPELLINGS[index % SPELLINGS.length]));
    for (const { from } of await Promise.all(waits)) expect(from).toBe("memory");
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    await settle();
    expect((await get()).value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("is refreshed within the time that one request may take, and not within what is left to the asker", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    pass(0.75 * TTL_MS);
    await get(APP, { timeoutMs: 1 });
    expect(fetched(2).deadlineEpochMs - Date.now()).toBeGreaterThan(TIMEOUT_MS - 100);
  });

  it("is waited for by whoever comes when it has expired meanwhile, and AWS is not asked again", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    pass(TTL_MS - 1);
    await get();
    pass(1);
    const wait = get();
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({ value: { versionId: "v2" }, from: "fetch" });
    expect(fetches).toHaveLength(2);
  });

  it("is served on when its refresh fails, and not refreshed while that is remembered", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    pass(0.75 * TTL_MS);
    await get();
    fetched(2).fail(throttled());
    await settle();
    pass(499);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory" });
    expect(fetches).toHaveLength(2);
    pass(1);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory" });
    expect(fetches).toHaveLength(3);
  });

  it("is gone at once when its refresh is denied", async () => {
    const { fetches, fetched, get, read } = setUp();
    await read("v1");
    pass(0.75 * TTL_MS);
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

  it("costs an AWS that does not answer no more than one call for each pause, however many ask", async () => {
    const { fetches, get, read } = setUp();
    await read("v1");
    pass(0.75 * TTL_MS);
    for (let ms = 0; ms < 10_000; ms += 50) {
      const before = fetches.length;
      void get().catch(() => {});
      for (const fetch of fetches.slice(before)) failInTime(fetch);
      for (let passedMs = 0; passedMs < 50; passedMs += 10) {
        const known = fetches.length;
        await vi.advanceTimersByTimeAsync(10);
        for (const fetch of fetches.slice(known)) failInTime(fetch);
      }
    }
    expect(fetches.length - 1).toBeLessThanOrEqual(4);
  });
});

describe("an expired value", () => {
  it("costs an AWS that does not answer no more than one call for each pause, however many wait", async () => {
    const { fetches, get, read } = setUp();
    await read("v1");
    pass(TTL_MS);
    for (let ms = 0; ms < 10_000; ms += 50) {
      const before = fetches.length;
      void get().catch(() => {});
      for (const fetch of fetches.slice(before)) failInTime(fetch);
      for (let passedMs = 0; passedMs < 50; passedMs += 10) {
        const known = fetches.length;
        await vi.advanceTimersByTimeAsync(10);
        for (const fetch of fetches.slice(known)) failInTime(fetch);
      }
    }
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

  it.each(staleCodes)("is served after %s, which it names", async (code) => {
    const { failing, read } = setUp();
    await read("v1");
    pass(TTL_MS);
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
    pass(TTL_MS);
    expect(await failing(new Failure(code, "no"))).toMatchObject({ code });
    expect(await failureOf(get())).toMatchObject({ code });
    pass(10_000);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(3);
  });

  it("is served until TTL and MAX_STALE are over, to the millisecond", async () => {
    const { failing, read } = setUp();
    await read("v1");
    pass(TTL_MS + MAX_STALE_MS - 1);
    expect(await failing(throttled())).toMatchObject({ value: toValue("v1"), ttlMs: 1 - MAX_STALE_MS });
    pass(1);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is not served by who began to wait in time and is told too late", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    pass(TTL_MS + MAX_STALE_MS - 1);
    const refused = failureOf(get());
    pass(1);
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
  });

  it("is not there where MAX_STALE is 0", async () => {
    const { failing, read } = setUp({ maxStaleMs: 0 });
    await read("v1");
    pass(TTL_MS);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is not served after the clock has stepped back: how old it is, nobody knows", async () => {
    const { failing, read } = setUp();
    await read("v1");
    pass(-1);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
    pass(1_000);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is served from memory until the next try, and then fetched", async () => {
    const { counters, failing, fetches, get, read } = setUp();
    await read("v1");
    pass(TTL_MS);
    await failing(throttled());
    pass(499);
    expect(await get()).toMatchObject({ value: toValue("v1"), from: "memory", ttlMs: -499 });
    expect(fetches).toHaveLength(2);
    pass(1);
    expect(await read("v2")).toBe("v2");
    expect(counters).toMatchObject({ hits: 0, misses: 3, stale: 2 });
  });

  it("is not what refreshNow asks for", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    pass(TTL_MS);
    const refused = failureOf(get(APP, { refreshNow: true }));
    await settle();
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
    expect(await get()).toMatchObject({ value: toValue("v1"), from: "memory" });
  });

  it("is not served by who waited while it was denied to another", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    pass(TTL_MS);
    const before = failureOf(get());
    const refused = failureOf(get(APP, { refreshNow: true }));
    await settle();
    fetched(3).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    fetched(2).fail(throttled());
    expect(await before).toBeInstanceOf(Failure);
  });

  it("is not served by who waited while another got a newer one", async () => {
    const { fetched, get, read } = setUp();
    await read("v1");
    pass(TTL_MS);
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
  ])("that is %s is remembered for a time that doubles: %j", async (code, pausesMs) => {
    const { failing, fetches, get } = setUp();
    for (const [index, pauseMs] of pausesMs.entries()) {
      expect(await failing(new Failure(code, "no"))).toMatchObject({ code, details: { retryAfterMs: pauseMs } });
      pass(pauseMs - 1);
      expect(await failureOf(get())).toMatchObject({ code, details: { retryAfterMs: 1 } });
      pass(1);
      expect(fetches).toHaveLength(index + 1);
    }
  });

  it("is remembered for a time that is drawn by lot, where AWS is not there", async () => {
    const { failing } = setUp({ random: 0.5 });
    expect(await failing(throttled())).toMatchObject({ details: { retryAfterMs: 375 } });
    pass(375);
    expect(await failing(throttled())).toMatchObject({ details: { retryAfterMs: 750 } });
  });

  it("that is a bug of ours is not remembered", async () => {
    const { failing, read } = setUp();
    expect(await failing(new Failure("internal", "a bug"))).toMatchObject({ code: "internal", details: {} });
    expect(await read("v1")).toBe("v1");
  });

  it("is forgotten at a success, and the next one is the first again", async () => {
    const { failing, read } = setUp();
    for (const pauseMs of [500, 1_000, 2_000]) {
      await failing(throttled());
      pass(pauseMs);
    }
    expect(await read("v1")).toBe("v1");
    pass(TTL_MS);
    await failing(throttled());
    pass(499);
    expect(await read("v2")).toBe("v1");
    pass(1);
    expect(await read("v2")).toBe("v2");
  });

  it("of one secret, version or stage is none of another", async () => {
    const { failing, read } = setUp();
    await failing(denied());
    expect(await read("v1", { ...APP, versionStage: "AWSPREVIOUS" })).toBe("v1");
    expect(await read("v2", { secretId: "app/other" })).toBe("v2");
  });

  it("is recovered from within the remembered time: once mended, a secret is served again", async () => {
    const { failing, read } = setUp();
    await read("v1");
    pass(TTL_MS);
    await failing(denied());
    pass(10_000);
    expect(await read("v2")).toBe("v2");
    expect(await read("v3")).toBe("v2");
  });

  it("is not remembered where nothing is kept longer than it: a cache of nothing spares AWS all the same", async () => {
    const { failing, fetches, get } = setUp({ ttlMs: 0 });
    await failing(denied());
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
    expect(fetches).toHaveLength(1);
  });

  it("of a frozen fetch is not remembered: whoever comes after the thaw has AWS asked", async () => {
    const { fetched, fetches, get } = setUp();
    const frozen = get();
    pass(3_600_000);
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

  it("has AWS asked at once, and then once a second", async () => {
    const { failing, fetched, fetches, get } = setUp();
    await failing(denied());
    expect(await failureOf(get(APP, refreshNow))).toMatchObject({ details: { retryAfterMs: 1_000 } });
    pass(999);
    expect(await failureOf(get(APP, refreshNow))).toMatchObject({ details: { retryAfterMs: 1 } });
    expect(fetches).toHaveLength(1);
    pass(1);
    const wait = get(APP, refreshNow);
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await wait).value.versionId).toBe("v2");
    expect((await get()).value.versionId).toBe("v2");
  });

  it("makes it remembered longer, when it fails again", async () => {
    const { failing, fetched, get } = setUp();
    await failing(denied());
    pass(1_000);
    const refused = failureOf(get(APP, refreshNow));
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ details: { retryAfterMs: 20_000 } });
    expect(await failureOf(get())).toMatchObject({ details: { retryAfterMs: 20_000 } });
  });
});

describe("the spellings of one secret", () => {
  it("cost one fetch, asked for one after the other", async () => {
    const { fetches, read } = setUp();
    for (const query of SPELLINGS) expect(await read("v1", query)).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it.each(SPELLINGS)("cost one fetch, asked for at once, a hundred times each, %o first", async (first) => {
    const { fetches, fetched, get } = setUp();
    const waits = [get(first)];
    for (let nth = 0; nth < 400; nth += 1) waits.push(get(SPELLINGS[nth % SPELLINGS.length]));
    await settle();
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    for (const { value } of await Promise.all(waits)) expect(value).toEqual(toValue("v1"));
    expect(fetches).toHaveLength(1);
  });

  it("are all hits of what init has fetched by name", async () => {
    const { counters, read } = setUp();
    await read("v1");
    for (const query of SPELLINGS) expect(await read("v2", query)).toBe("v1");
    expect(counters).toMatchObject({ hits: 4, misses: 1 });
  });

  it("are refreshed by the asker's", async () => {
    const { fetched, read } = setUp();
    await read("v1");
    pass(TTL_MS);
    expect(await read("v2", { secretId: toArn("app/database") })).toBe("v2");
    expect(fetched(2).query).toEqual({ secretId: toArn("app/database") });
    expect(await read("v3")).toBe("v2");
  });

  it("are each refused for themselves: what one is denied, another may have", async () => {
    const { fetched, fetches, get } = setUp();
    const byName = failureOf(get());
    const byArn = get({ secretId: toArn("app/database") });
    fetched(1).fail(denied());
    expect(await byName).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    expect(fetched(2).query).toEqual({ secretId: toArn("app/database") });
    fetched(2).answer("v1");
    expect((await byArn).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(2);
  });

  it("fail together where AWS is not there", async () => {
    const { fetched, fetches, get } = setUp();
    const refusals = SPELLINGS.map((query) => failureOf(get(query)));
    fetched(1).fail(throttled());
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(1);
  });

  it("are all denied when one is: none is served what was at hand", async () => {
    const { failing, fetched, get, read } = setUp();
    await read("v1");
    pass(TTL_MS);
    await failing(denied(), { secretId: toArn("app/database") });
    const byName = failureOf(get());
    fetched(3).fail(throttled());
    expect(await byName).toMatchObject({ code: "throttled" });
  });

  it("of versions and stages cost one fetch each", async () => {
    const { fetches, read } = setUp();
    for (const rest of [{ versionId: "x" }, { versionStage: "AWSPREVIOUS" }]) {
      for (const { secretId } of SPELLINGS) await read("v1", { secretId, ...rest });
    }
    expect(fetches).toHaveLength(2);
  });

  it("in another region or account are other secrets'", async () => {
    const { fetches, read } = setUp();
    await read("v1");
    const abroad = toArn("app/database").replace("eu-west-1", "us-east-1");
    const before = fetches.length;
    void read("v2", { secretId: abroad }).catch(() => {});
    void read("v2", { secretId: toArn("app/database").replace("111111111111", "333333333333") }).catch(() => {});
    expect(fetches).toHaveLength(before + 2);
  });
});

describe("a name that ends like an ARN", () => {
  const all = ["my", "my-abcdef", "my-abcdef-ghijkl"].flatMap((name) =>
    [name, toArn(name), toPartialArn(name)].map((secretId) => ({ secretId, name })),
  );
  const pairs = all.flatMap((first) => all.map((second) => [first, second] as const));
  /** What AWS answers: its own reading of the id, which knows where a name ends. */
  const answer = ({ query, answer: reply }: Fetch) => {
    const found = all.find(({ secretId }) => secretId === query.secretId);
    reply(`version of ${found?.name}`, found?.name);
  };

  it.each(pairs)("never brings another secret: $secretId, then %o", async (first, second) => {
    const { fetches, get } = setUp();
    for (const { secretId, name } of [first, second, first]) {
      const before = fetches.length;
      const wait = get({ secretId });
      fetches.slice(before).forEach(answer);
      expect((await wait).value).toMatchObject({ name, versionId: `version of ${name}` });
    }
    expect(fetches).toHaveLength(first.name === second.name ? 1 : 2);
  });

  it.each(pairs)("never brings another secret: $secretId and %o at once", async (first, second) => {
    const { fetches, get } = setUp();
    const waits = [first, second, first].map(({ secretId }) => get({ secretId }));
    for (let nth = 0; nth < fetches.length; nth += 1) {
      fetches.slice(nth, nth + 1).forEach(answer);
      await settle();
    }
    expect((await Promise.all(waits)).map(({ value }) => value.name)).toEqual([first.name, second.name, first.name]);
    expect(fetches.length).toBeLessThanOrEqual(2);
  });

  it("never brings another secret, in nine spellings at once, whichever comes first", async () => {
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

  it("is not denied with the other", async () => {
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

describe("a secret that was created anew", () => {
  const OLD_ARN = toArn("app/database");
  const NEW_ARN = toArn("app/database", "XyZ123");

  it("replaces the old one, whose ARN is not served any more", async () => {
    const { fetched, fetches, get, read } = setUp();
    await read("v1");
    expect(await read("none", { secretId: OLD_ARN })).toBe("v1");
    pass(TTL_MS);
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

  it("is not mistaken for the old one by who asks for that at the same time", async () => {
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
  it("never takes the place of a newer one, by whatever spelling it was asked for", async () => {
    const { fetched, get, read } = setUp();
    const before = get({ secretId: toArn("app/database") });
    pass(TIMEOUT_MS);
    const after = get();
    fetched(2).answer("v2");
    await after;
    fetched(1).answer("v1");
    // It was frozen, and is asked for once more.
    await settle();
    fetched(3).answer("v3", "app/database");
    expect((await before).value.versionId).toBe("v3");
    expect(await read("none")).toBe("v3");
  });

  it("does not bring back what was denied after it was asked for", async () => {
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

  it("that is a denial does not take away what was answered after it was asked for", async () => {
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

describe("a version that was refused", () => {
  it("is fetched anew, once however many say so, by whatever name", async () => {
    const { fetched, fetches, get, invalidate, read } = setUp();
    await read("v1");
    pass(5_000);
    const settled = Array.from({ length: 1_000 }, (_, nth) => invalidate("v1", SPELLINGS[nth % SPELLINGS.length]));
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    await Promise.all(settled);
    expect(fetches).toHaveLength(2);
    expect((await get()).value.versionId).toBe("v2");
    await invalidate("v1");
    expect(fetches).toHaveLength(2);
  });

  it("is no longer the one at hand: nothing is to be done", async () => {
    const { fetches, invalidate, read } = setUp();
    await read("v2");
    pass(5_000);
    await invalidate("v1");
    expect(fetches).toHaveLength(1);
  });

  it("is not at hand at all: the next look-up fetches anyway", async () => {
    const { fetches, invalidate } = setUp();
    await invalidate("v1");
    expect(fetches).toHaveLength(0);
  });

  it("is what AWS had a moment ago: too soon, to the millisecond", async () => {
    const { fetches, fetched, invalidate, read } = setUp();
    await read("v1");
    expect(await failureOf(invalidate("v1"))).toMatchObject({
      code: "asked-too-often",
      details: { retryAfterMs: 5_000 },
    });
    pass(4_999);
    expect(await failureOf(invalidate("v1"))).toMatchObject({ code: "asked-too-often", details: { retryAfterMs: 1 } });
    expect(fetches).toHaveLength(1);
    pass(1);
    const settled = invalidate("v1");
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v1");
    await settled;
    expect(await failureOf(invalidate("v1"))).toMatchObject({ code: "asked-too-often" });
  });

  it("is served on until another is there, and when there is none", async () => {
    const { fetched, get, invalidate, read } = setUp();
    await read("v1");
    pass(5_000);
    const refused = failureOf(invalidate("v1"));
    expect((await get()).value.versionId).toBe("v1");
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
    expect((await get()).value.versionId).toBe("v1");
  });

  it("is asked about at most once a second while AWS is not there, however many say so", async () => {
    const { fetched, fetches, invalidate, read } = setUp();
    await read("v1");
    pass(5_000);
    for (const [nth, pauseMs] of [500, 1_000, 1_000].entries()) {
      const refused = failureOf(invalidate("v1"));
      fetched(2 + nth).fail(throttled());
      expect(await refused).toMatchObject({ code: "throttled" });
      const again = failureOf(invalidate("v1"));
      expect(fetches).toHaveLength(2 + nth);
      expect(await again).toMatchObject({ code: "throttled", details: { retryAfterMs: pauseMs } });
      pass(pauseMs);
    }
  });

  it("is gone when its refresh is denied", async () => {
    const { fetched, get, invalidate, read } = setUp();
    await read("v1");
    pass(5_000);
    const refused = failureOf(invalidate("v1"));
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
  });

  it("is not at hand any more after the clock has stepped back", async () => {
    const { fetches, invalidate, read } = setUp();
    await read("v1");
    pass(-10_000);
    const settled = invalidate("v1");
    for (const fetch of fetches) fetch.answer("v2");
    await settled;
    expect(await read("v2")).toBe("v2");
  });

  it("is told of in time, or the wait is over", async () => {
    const { invalidate, read } = setUp();
    await read("v1");
    pass(5_000);
    const refused = failureOf(invalidate("v1"));
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "timeout" });
  });
});

describe("the counters", () => {
  it("tell what was at hand from what was not", async () => {
    const { counters, failing, fetched, get, read } = setUp();
    await read("v1");
    await read("v1");
    await read("v1");
    const refresh = get(APP, { refreshNow: true });
    await settle();
    fetched(2).answer("v2");
    await refresh;
    pass(TTL_MS - 1);
    await get();
    await settle();
    fetched(3).answer("v3");
    await settle();
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 2 });
    pass(TTL_MS);
    await failing(throttled());
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 3, stale: 1 });
    await get();
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 3, stale: 2 });
    pass(1_000);
    await failing(denied());
    await failureOf(get());
    expect(counters).toEqual({ ...createCounters(), hits: 3, misses: 4, stale: 2 });
  });
});

describe("a cache of another kind", () => {
  const ARN_PREFIX = "arn:aws:ssm:eu-west-1:111111111111:parameter";
  const FLAG: ParameterQuery = { parameterId: "/app/flag", withDecryption: false };
  const BY_ARN: ParameterQuery = { ...FLAG, parameterId: `${ARN_PREFIX}/app/flag` };

  /** A cache of parameters that are answered at once, each with what it was asked for. */
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
        return {
          arn: `${ARN_PREFIX}/${name.replace(/^\//, "")}`,
          name,
          versionId: selector ?? "9",
          type: "SecureString",
          dataType: "text",
          lastModifiedDate: undefined,
          selector,
          sourceResult: undefined,
          value: withDecryption ? "plain" : "ciphertext",
        } satisfies ParameterValue;
      },
    });
    const get = async (query: ParameterQuery) =>
      (await cache.get(query, { deadlineEpochMs: Date.now() + TIMEOUT_MS })).value;
    return { asked, get };
  }

  it("has one entry for a name and its ARN, one after the other", async () => {
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

  it("has one flight for a name and its ARN that are asked for at once", async () => {
    const { asked, get } = setUpParameters();
    await Promise.all([get(FLAG), get(BY_ARN), get(FLAG)]);
    expect(asked).toHaveLength(1);
  });

  it("has its own entry, and its own flight, for each selector and for each form", async () => {
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

  it("takes two names that one ARN may be for two parameters", async () => {
    const { asked, get } = setUpParameters();
    expect((await get({ ...FLAG, parameterId: "/flag" })).name).toBe("/flag");
    expect((await get({ ...FLAG, parameterId: "flag" })).name).toBe("flag");
    expect(asked).toHaveLength(2);
  });

  it("remembers that there is none, as of a secret", async () => {
    const { asked, get } = setUpParameters({ fails: true });
    for (let nth = 0; nth < 2; nth += 1) {
      expect(await failureOf(get(FLAG))).toMatchObject({ code: "parameter-not-found" });
    }
    expect(asked).toHaveLength(1);
  });

  it("has keys that no secret has, whatever both are called: they could share one memory", () => {
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
