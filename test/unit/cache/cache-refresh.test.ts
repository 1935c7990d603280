import { describe, expect, it, vi } from "vitest";
import { Failure } from "../../../extension/failure/failure.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, settle, useFakeClock } from "../../support/unit-clock.ts";
import { APP, denied, IDS, setUpCache, TIMEOUT_MS, TTL_MS, throttled } from "../../support/value-cache.ts";
import { toPartialArn } from "../../support/values.ts";

/** Reads every 50 ms for ten seconds, while AWS does not answer: each fetch fails at its deadline. */
async function readWithoutAnswers({
  fetches,
  get,
}: Pick<ReturnType<typeof setUpCache>, "fetches" | "get">): Promise<void> {
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

describe("refreshNow", () => {
  it("fetches even if a value is cached, and caches the new one", async () => {
    const { fetched, fetches, read, refreshNow } = setUpCache();
    await read("v1");
    const wait = refreshNow();
    await settle();
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({ value: { versionId: "v2" }, from: "fetch" });
    expect(await read("v3")).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("returns a value that was fetched after the request, even if a fetch is under way", async () => {
    const { fetched, get, refreshNow } = setUpCache();
    const before = get();
    moveClock(100);
    const refreshed = refreshNow();
    await settle();
    fetched(1).answer("v1");
    expect((await before).value.versionId).toBe("v1");
    fetched(2).answer("v2");
    expect(await refreshed).toMatchObject({ value: { versionId: "v2" }, ageMs: 0 });
  });

  it("starts a fetch that later reads join", async () => {
    const { fetched, fetches, get, refreshNow } = setUpCache();
    void get();
    const refreshed = refreshNow();
    const later = get();
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await refreshed).value.versionId).toBe("v2");
    expect((await later).value.versionId).toBe("v2");
  });

  it("is not undone by an older answer that comes later", async () => {
    const { fetched, get, read, refreshNow } = setUpCache();
    const before = get();
    const refreshed = refreshNow();
    await settle();
    fetched(2).answer("v2");
    await refreshed;
    fetched(1).answer("v1");
    await before;
    expect(await read("v3")).toBe("v2");
  });

  it("can still be joined after an older fetch has failed", async () => {
    const { fetched, fetches, get, refreshNow } = setUpCache();
    const before = get();
    void refreshNow();
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
    const { fetched, read, refreshNow } = setUpCache();
    await read("v1");
    const refused = refreshNow();
    await settle();
    fetched(2).fail(throttled());
    await expect(refused).rejects.toMatchObject({ code: "throttled" });
    expect(await read("v2")).toBe("v1");
  });

  it("by a hundred callers at once costs at most two fetches", async () => {
    const { fetches, refreshNow } = setUpCache();
    const waits = Array.from({ length: 100 }, () => refreshNow());
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
    const { fetches, get, read } = setUpCache({ random: () => random });
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
    const { fetches, read, get } = setUpCache({ random: () => draws.shift() ?? 0.5 });
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get();
    fetches[1]?.answer("v2");
    await settle();
    moveClock(0.75 * TTL_MS);
    expect((await get()).value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("is refreshed in the background, and the reply does not wait", async () => {
    const { fetched, get, read } = setUpCache();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory", ttlMs: 0.25 * TTL_MS });
    fetched(2).answer("v2");
    await settle();
    expect(await get()).toMatchObject({ value: { versionId: "v2" }, from: "memory", ttlMs: TTL_MS });
  });

  it("is refreshed once for a thousand reads under all its ids", async () => {
    const { fetches, fetched, get, read } = setUpCache();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    const waits = Array.from({ length: 1_000 }, (_, index) => get(IDS[index % IDS.length]));
    for (const { from } of await Promise.all(waits)) expect(from).toBe("memory");
    expect(fetches).toHaveLength(2);
    // Two limits of a wait, for this fetch and for all that the request needs, and two watches for a freeze.
    expect(vi.getTimerCount()).toBe(4);
    fetched(2).answer("v2");
    await settle();
    expect((await get()).value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("is refreshed also for an ARN that was never read, and may name another secret", async () => {
    const { fetches, get, read } = setUpCache();
    await read("v1", { secretId: "my-abcdef" });
    moveClock(0.75 * TTL_MS);
    expect((await get({ secretId: toPartialArn("my-abcdef") })).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(2);
  });

  it("is refreshed within the time of a whole request, even if the caller has less left", async () => {
    const { fetched, get, read } = setUpCache();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get(APP, { timeoutMs: 1 });
    expect(fetched(2).deadlineEpochMs - Date.now()).toBeGreaterThan(TIMEOUT_MS - 100);
  });

  it("that expires during its refresh makes callers wait for that refresh, and AWS is not asked again", async () => {
    const { fetches, fetched, get, read } = setUpCache();
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
    const { fetches, fetched, get, read } = setUpCache();
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
    const { fetches, fetched, get, read } = setUpCache();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get();
    fetched(2).fail(denied());
    await settle();
    expect(await failureOf(get())).toMatchObject({
      code: "get-secret-value-denied",
      details: { retryAfterMs: 10_000 },
    });
    expect(await failureOf(get(APP))).toBeInstanceOf(Failure);
    expect(fetches).toHaveLength(2);
  });

  it("costs at most one call for each pause while AWS does not answer", async () => {
    const { fetches, get, read } = setUpCache();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await readWithoutAnswers({ fetches, get });
    expect(fetches.length - 1).toBeLessThanOrEqual(4);
  });
});

describe("an expired value", () => {
  it("costs at most one call for each pause while AWS does not answer", async () => {
    const { fetches, get, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    await readWithoutAnswers({ fetches, get });
    expect(fetches.length - 1).toBeLessThanOrEqual(4);
  });
});

describe("an invalidated version", () => {
  it("is fetched again, once for a thousand reports under all ids", async () => {
    const { fetched, fetches, get, invalidate, read } = setUpCache();
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
    const { fetches, invalidate, read } = setUpCache();
    await read("v2");
    moveClock(5_000);
    await invalidate("v1");
    expect(fetches).toHaveLength(1);
  });

  it("is ignored if nothing is cached, because the next read fetches anyway", async () => {
    const { fetches, invalidate } = setUpCache();
    await invalidate("v1");
    expect(fetches).toHaveLength(0);
  });

  it("is fetched again at the first report, however young it is; a second report is refused for five seconds", async () => {
    const { fetches, fetched, invalidate, read } = setUpCache();
    await read("v1");
    const settled = invalidate("v1");
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v1");
    await settled;
    expect(await failureOf(invalidate("v1"))).toMatchObject({
      code: "asked-too-often",
      message: "v1 was reported a moment ago",
      details: { retryAfterMs: 5_000 },
    });
    moveClock(4_999);
    expect(await failureOf(invalidate("v1"))).toMatchObject({ code: "asked-too-often", details: { retryAfterMs: 1 } });
    expect(fetches).toHaveLength(2);
    moveClock(1);
    const again = invalidate("v1");
    expect(fetches).toHaveLength(3);
    fetched(3).answer("v2");
    await again;
    const other = invalidate("v2");
    expect(fetches).toHaveLength(4);
    fetched(4).answer("v3");
    await other;
  });

  it("is served until another version is fetched, and also if that fails", async () => {
    const { fetched, get, invalidate, read } = setUpCache();
    await read("v1");
    moveClock(5_000);
    const refused = failureOf(invalidate("v1"));
    expect((await get()).value.versionId).toBe("v1");
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
    expect((await get()).value.versionId).toBe("v1");
  });

  it.each(["v1", "v2"])("does not join a fetch that began before the report and brings %s", async (versionId) => {
    const { fetched, fetches, get, invalidate, read } = setUpCache();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get();
    const settled = invalidate("v1");
    expect(fetches).toHaveLength(3);
    fetched(3).answer("v3");
    await settled;
    fetched(2).answer(versionId);
    await settle();
    expect((await get()).value.versionId).toBe("v3");
  });

  it("is fetched at most once a second while AWS is unavailable", async () => {
    const { fetched, fetches, invalidate, read } = setUpCache();
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
    const { fetched, get, invalidate, read } = setUpCache();
    await read("v1");
    moveClock(5_000);
    const refused = failureOf(invalidate("v1"));
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
  });

  it("is expired after the clock has stepped back", async () => {
    const { fetches, invalidate, read } = setUpCache();
    await read("v1");
    moveClock(-10_000);
    const settled = invalidate("v1");
    for (const fetch of fetches) fetch.answer("v2");
    await settled;
    expect(await read("v2")).toBe("v2");
  });

  it("fails with a timeout if its refresh takes too long", async () => {
    const { invalidate, read } = setUpCache();
    await read("v1");
    moveClock(5_000);
    const refused = failureOf(invalidate("v1"));
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "timeout" });
  });

  it("makes the caller wait no longer if the clock steps back before the second fetch", async () => {
    const { fetched, fetches, get, invalidate, read } = setUpCache();
    await read("v1");
    moveClock(0.75 * TTL_MS);
    await get();
    moveClock(1);
    const settled = vi.fn();
    failureOf(invalidate("v1")).then(settled);
    await vi.advanceTimersByTimeAsync(1_000);
    moveClock(-10_000);
    fetched(2).answer("v1");
    await settle();
    expect(fetches).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1_000);
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ code: "timeout" }));
  });
});
