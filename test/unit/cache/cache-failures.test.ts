import { describe, expect, it, vi } from "vitest";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, START_EPOCH_MS, settle, useFakeClock } from "../../support/unit-clock.ts";
import {
  APP,
  BY_ARN,
  BY_PARTIAL_ARN,
  denied,
  IDS,
  MAX_STALE_MS,
  setUpCache,
  TIMEOUT_MS,
  TTL_MS,
  throttled,
  unreachable,
} from "../../support/value-cache.ts";
import { toSecretArn, toSecretValue } from "../../support/values.ts";

const HOUR_MS = 3_600_000;

useFakeClock();

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
    const { failing, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    expect(await failing(new Failure(code, "no"))).toEqual({
      value: toSecretValue({ versionId: "v1" }),
      from: { failed: expect.objectContaining({ code }) },
      ageMs: TTL_MS,
      ttlMs: 0,
    });
  });

  it.each(finalCodes)("is not served after %s, and is gone", async (code) => {
    const { failing, fetches, get, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    expect(await failing(new Failure(code, "no"))).toMatchObject({ code });
    expect(await failureOf(get())).toMatchObject({ code });
    moveClock(10_000);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(3);
  });

  it("is served until TTL and MAX_STALE are over, to the millisecond", async () => {
    const { failing, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS + MAX_STALE_MS - 1);
    expect(await failing(throttled())).toMatchObject({
      value: toSecretValue({ versionId: "v1" }),
      ttlMs: 1 - MAX_STALE_MS,
    });
    moveClock(1);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is not served to a caller that waits past its end", async () => {
    const { fetched, get, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS + MAX_STALE_MS - 1);
    const refused = failureOf(get());
    moveClock(1);
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
  });

  it("is never served if MAX_STALE is 0", async () => {
    const { failing, read } = setUpCache({ maxStaleMs: 0 });
    await read("v1");
    moveClock(TTL_MS);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is not served after the clock has stepped back, because its age is unknown", async () => {
    const { failing, read } = setUpCache();
    await read("v1");
    moveClock(-1);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
    moveClock(1_000);
    expect(await failing(throttled())).toMatchObject({ code: "throttled" });
  });

  it("is served from memory until the next try, and then fetched again", async () => {
    const { counters, failing, fetches, get, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    await failing(throttled());
    moveClock(499);
    expect(await get()).toMatchObject({ value: toSecretValue({ versionId: "v1" }), from: "memory", ttlMs: -499 });
    expect(fetches).toHaveLength(2);
    moveClock(1);
    expect(await read("v2")).toBe("v2");
    expect(counters).toMatchObject({ hits: 0, misses: 3, stale: 2 });
  });

  it("is not served to refreshNow", async () => {
    const { fetched, get, read, refreshNow } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    const refused = failureOf(refreshNow());
    await settle();
    fetched(2).fail(throttled());
    expect(await refused).toMatchObject({ code: "throttled" });
    expect(await get()).toMatchObject({ value: toSecretValue({ versionId: "v1" }), from: "memory" });
  });

  it("is not served to a waiting caller after another caller was denied", async () => {
    const { fetched, get, read, refreshNow } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    const before = failureOf(get());
    const refused = failureOf(refreshNow());
    await settle();
    fetched(3).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    fetched(2).fail(throttled());
    expect(await before).toBeInstanceOf(Failure);
  });

  it("is not served to a waiting caller after another caller got a newer one", async () => {
    const { fetched, get, read, refreshNow } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    const before = get();
    const refreshed = refreshNow();
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
    const { failing, fetches, get } = setUpCache();
    for (const [index, pauseMs] of pausesMs.entries()) {
      expect(await failing(new Failure(code, "no"))).toMatchObject({ code, details: { retryAfterMs: pauseMs } });
      moveClock(pauseMs - 1);
      expect(await failureOf(get())).toMatchObject({ code, details: { retryAfterMs: 1 } });
      moveClock(1);
      expect(fetches).toHaveLength(index + 1);
    }
  });

  it("is remembered for a random time if AWS is unavailable", async () => {
    const { failing } = setUpCache({ random: () => 0.5 });
    expect(await failing(throttled())).toMatchObject({ details: { retryAfterMs: 375 } });
    moveClock(375);
    expect(await failing(throttled())).toMatchObject({ details: { retryAfterMs: 750 } });
  });

  it("with the code internal is not remembered", async () => {
    const { failing, read } = setUpCache();
    expect(await failing(new Failure("internal", "a bug"))).toMatchObject({ code: "internal", details: {} });
    expect(await read("v1")).toBe("v1");
  });

  it("is forgotten after a success, and the next one has the first pause again", async () => {
    const { failing, read } = setUpCache();
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
    const { failing, read } = setUpCache();
    await failing(denied());
    expect(await read("v1", { ...APP, versionStage: "AWSPREVIOUS" })).toBe("v1");
    expect(await read("v2", { secretId: "app/other" })).toBe("v2");
  });

  it("ends with its pause: a secret that can be read again is served", async () => {
    const { failing, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    await failing(denied());
    moveClock(10_000);
    expect(await read("v2")).toBe("v2");
    expect(await read("v3")).toBe("v2");
  });

  it("is remembered even if the TTL is 0, so that AWS is spared", async () => {
    const { failing, fetches, get } = setUpCache({ ttlMs: 0 });
    await failing(denied());
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
    expect(fetches).toHaveLength(1);
  });

  it("of a frozen fetch is not remembered, and a caller after the thaw starts a new fetch", async () => {
    const { fetched, fetches, get } = setUpCache();
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
  it("asks AWS at most once a second", async () => {
    const { failing, fetched, fetches, get, refreshNow } = setUpCache();
    await failing(denied());
    expect(await failureOf(refreshNow())).toMatchObject({ details: { retryAfterMs: 1_000 } });
    moveClock(999);
    expect(await failureOf(refreshNow())).toMatchObject({ details: { retryAfterMs: 1 } });
    expect(fetches).toHaveLength(1);
    moveClock(1);
    const wait = refreshNow();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await wait).value.versionId).toBe("v2");
    expect((await get()).value.versionId).toBe("v2");
  });

  it("doubles the pause if it fails again", async () => {
    const { failing, fetched, get, refreshNow } = setUpCache();
    await failing(denied());
    moveClock(1_000);
    const refused = failureOf(refreshNow());
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ details: { retryAfterMs: 20_000 } });
    expect(await failureOf(get())).toMatchObject({ details: { retryAfterMs: 20_000 } });
  });
});

describe("an outage of AWS", () => {
  it.each<FailureCode>([
    "unreachable",
    "timeout",
    "throttled",
    "aws-error",
    "aws-response-invalid",
    "credentials-missing",
  ])("is remembered for all ids of the secret: %s", async (code) => {
    for (const asked of IDS) {
      const { failing, fetches, get } = setUpCache();
      await failing(new Failure(code, "no"), asked);
      for (const query of IDS) {
        expect(await failureOf(get(query))).toMatchObject({ code, details: { retryAfterMs: 500 } });
      }
      expect(fetches).toHaveLength(1);
    }
  });

  it("costs one try for each pause under four ids, and the pause doubles as for one id", async () => {
    const { failing, fetches } = setUpCache();
    const begunMs: number[] = [];
    for (let elapsedMs = 0; elapsedMs < 4_000; elapsedMs += 100) {
      for (const query of IDS) {
        const before = fetches.length;
        await failing(unreachable(), query);
        if (fetches.length > before) begunMs.push(elapsedMs);
      }
      moveClock(100);
    }
    expect(begunMs).toEqual([0, 500, 1_500, 3_500]);
  });

  it("does not concern another secret, version, stage or region", async () => {
    const { failing, read } = setUpCache();
    await failing(unreachable());
    for (const query of [
      { secretId: "app/other" },
      { ...APP, versionId: "1" },
      { ...APP, versionStage: "AWSPREVIOUS" },
      { secretId: toSecretArn("app/database").replace("eu-west-1", "us-east-1") },
    ]) {
      expect(await read("v1", query)).toBe("v1");
    }
  });

  it("is forgotten for all ids after an answer to one of them, and the next has the first pause again", async () => {
    for (const query of IDS) {
      const { failing, read } = setUpCache();
      for (const pauseMs of [500, 1_000]) {
        await failing(unreachable());
        moveClock(pauseMs);
      }
      expect(await read("v1", BY_ARN)).toBe("v1");
      moveClock(TTL_MS);
      expect(await failing(unreachable(), query)).toMatchObject({
        from: { failed: { details: { retryAfterMs: 500 } } },
      });
    }
  });

  it("delays a caller that insists by a second at most, under every id", async () => {
    const { failing, get, refreshNow } = setUpCache();
    for (const pauseMs of [500, 1_000, 2_000]) {
      expect(await failing(unreachable())).toMatchObject({ details: { retryAfterMs: pauseMs } });
      moveClock(Math.min(pauseMs, 1_000) - 1);
      expect(await failureOf(refreshNow(BY_ARN))).toMatchObject({ details: { retryAfterMs: 1 } });
      moveClock(1);
    }
    expect(await failureOf(get(BY_ARN))).toMatchObject({ details: { retryAfterMs: 1_000 } });
    void refreshNow(BY_ARN);
    expect(await failureOf(get(BY_ARN))).toMatchObject({ details: { retryAfterMs: 1_000 } });
  });

  it("leaves no timer behind", async () => {
    const { failing } = setUpCache();
    await failing(unreachable());
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a denial", () => {
  it.each<FailureCode>(["get-secret-value-denied", "secret-not-found", "kms-denied", "secret-id-rejected"])(
    "is remembered for its own id only: %s",
    async (code) => {
      const { failing, fetches, get } = setUpCache();
      await failing(new Failure(code, "no"), BY_ARN);
      expect(await failureOf(get(BY_ARN))).toMatchObject({ code, details: { retryAfterMs: 10_000 } });
      expect(fetches).toHaveLength(1);
      for (const [nth, query] of [APP, BY_PARTIAL_ARN].entries()) {
        expect(await failing(new Failure(code, "no"), query)).toMatchObject({ details: { retryAfterMs: 10_000 } });
        expect(fetches).toHaveLength(2 + nth);
      }
    },
  );

  it("is forgotten after an answer to its id, and the next one has the first pause again", async () => {
    const { failing, read } = setUpCache();
    for (const pauseMs of [10_000, 20_000]) {
      expect(await failing(denied(), BY_ARN)).toMatchObject({ details: { retryAfterMs: pauseMs } });
      moveClock(pauseMs);
    }
    expect(await read("v1", BY_ARN)).toBe("v1");
    moveClock(TTL_MS);
    expect(await failing(denied(), BY_ARN)).toMatchObject({ details: { retryAfterMs: 10_000 } });
  });

  it("is not forgotten after an answer to another id", async () => {
    const { failing, fetches, get, read } = setUpCache({ ttlMs: 0 });
    await failing(denied(), BY_ARN);
    await read("v1");
    expect(await failureOf(get(BY_ARN))).toMatchObject({ code: "get-secret-value-denied" });
    expect(fetches).toHaveLength(2);
  });

  it("is returned instead of an outage that another id met", async () => {
    const { failing, get } = setUpCache();
    await failing(denied(), BY_ARN);
    await failing(unreachable());
    expect(await failureOf(get(BY_ARN))).toMatchObject({ code: "get-secret-value-denied" });
    expect(await failureOf(get())).toMatchObject({ code: "unreachable" });
  });

  it.each([{}, { ttlMs: 0 }])("of an older fetch is not remembered after a newer fetch: %o", async (settings) => {
    const { fetched, fetches, get, refreshNow } = setUpCache(settings);
    const older = failureOf(get());
    const newer = refreshNow();
    fetched(2).answer("v2");
    await newer;
    fetched(1).fail(denied());
    expect(await older).toMatchObject({ code: "get-secret-value-denied", details: {} });
    void failureOf(refreshNow());
    expect(fetches).toHaveLength(3);
  });
});

describe("many callers that insist", () => {
  it.each([denied, unreachable])("make one call if that fails, and not two: %o", async (failure) => {
    const { fetched, fetches, refreshNow } = setUpCache();
    const refusals = Array.from({ length: 50 }, () => failureOf(refreshNow()));
    fetched(1).fail(failure());
    const { code } = failure();
    for (const refusal of await Promise.all(refusals)) {
      expect(refusal).toMatchObject({ code, details: { retryAfterMs: expect.any(Number) } });
    }
    expect(fetches).toHaveLength(1);
  });

  it("make a second call if the first brings a value, because it started before most of them came", async () => {
    const { fetched, fetches, refreshNow } = setUpCache();
    const waits = Array.from({ length: 50 }, () => refreshNow());
    fetched(1).answer("v1");
    await settle();
    fetched(2).answer("v2");
    const versions = (await Promise.all(waits)).map(({ value }) => value.versionId);
    expect(versions).toEqual(["v1", ...Array.from({ length: 49 }, () => "v2")]);
    expect(fetches).toHaveLength(2);
  });

  it("are not denied because another id is denied", async () => {
    const { fetched, refreshNow } = setUpCache();
    const byName = [failureOf(refreshNow()), failureOf(refreshNow())];
    const byArn = refreshNow(BY_ARN);
    fetched(1).fail(denied());
    for (const refusal of await Promise.all(byName)) expect(refusal).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    expect(fetched(2).query).toEqual(BY_ARN);
    fetched(2).answer("v1");
    expect((await byArn).value.versionId).toBe("v1");
  });
});

describe("an older fetch that fails late", () => {
  it("does not bring back a failure that a newer one has cleared", async () => {
    const { fetched, fetches, get, refreshNow } = setUpCache();
    const older = get();
    const newer = refreshNow();
    fetched(2).answer("v2");
    await newer;
    fetched(1).fail(unreachable());
    expect(await older).toMatchObject({ value: { versionId: "v2" } });
    void refreshNow();
    expect(fetches).toHaveLength(3);
  });
});

describe("a freeze", () => {
  it("leaves an old answer in the socket: it is kept with its true age, and the caller gets a new fetch", async () => {
    const { fetched, fetches, get } = setUpCache();
    const wait = get();
    await vi.advanceTimersByTimeAsync(100);
    moveClock(TTL_MS / 2);
    fetched(1).answer("v1");
    await settle();
    expect(fetches).toHaveLength(2);
    expect(await get()).toMatchObject({ value: { versionId: "v1" }, from: "memory", ageMs: TTL_MS / 2 + 100 });
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({ value: { versionId: "v2" }, from: "fetch", ageMs: 0 });
    expect((await get()).value.versionId).toBe("v2");
  });

  it("that ends before the deadline changes nothing, because the answer is young enough", async () => {
    const { fetched, fetches, get } = setUpCache();
    const wait = get();
    moveClock(TIMEOUT_MS - 1);
    fetched(1).answer("v1");
    expect((await wait).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it("that ends at the deadline makes the answer too old", async () => {
    const { fetched, fetches, get } = setUpCache();
    const wait = get();
    moveClock(TIMEOUT_MS);
    fetched(1).answer("v1");
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    expect((await wait).value.versionId).toBe("v2");
  });

  it("gives the new fetch as much time as the first had, up to 20 ms before the reply", async () => {
    const { fetched, get } = setUpCache();
    void get().catch(() => {});
    moveClock(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    expect([1, 2].map((nth) => fetched(nth).deadlineEpochMs)).toEqual([
      START_EPOCH_MS + TIMEOUT_MS - 20,
      START_EPOCH_MS + HOUR_MS + TIMEOUT_MS - 20,
    ]);
  });

  it("costs one new fetch for all frozen callers, under all ids", async () => {
    const { fetched, fetches, get } = setUpCache();
    const waits = Array.from({ length: 40 }, (_, nth) => get(IDS[nth % IDS.length]));
    moveClock(HOUR_MS);
    fetched(1).fail(new Failure("timeout", "too late"));
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    for (const { value } of await Promise.all(waits)) expect(value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("excuses one failure: if the new fetch fails too, that is remembered", async () => {
    const { fetched, fetches, get } = setUpCache();
    const refused = failureOf(get());
    moveClock(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    fetched(2).fail(unreachable());
    expect(await refused).toMatchObject({ code: "unreachable", details: { retryAfterMs: 500 } });
    expect(await failureOf(get())).toMatchObject({ code: "unreachable" });
    expect(fetches).toHaveLength(2);
  });

  it("does not excuse a denial", async () => {
    const { fetched, fetches, get } = setUpCache();
    const refused = failureOf(get());
    moveClock(HOUR_MS);
    fetched(1).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied", details: { retryAfterMs: 10_000 } });
    expect(fetches).toHaveLength(1);
  });

  it("differs from a slow AWS: then the caller fails at the deadline, and nothing is fetched again", async () => {
    const { fetched, fetches, get } = setUpCache();
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({
      code: "timeout",
      message: "app/database was not fetched in time",
      details: { remedy: expect.stringContaining("interface endpoints") },
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(fetches).toHaveLength(1);
    fetched(1).fail(new Failure("timeout", "too late"));
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });

  // After a busy process, or a freeze that is too short to matter, the next caller fails at once.
  it.each([
    [1_351, 2, 0],
    [1_350, 1, 1],
  ])(
    "of %d ms, with 2.5 s for a request, leads to %d fetches, and %d failures of the next caller",
    async (ms, count, failures) => {
      const { fetched, fetches, get } = setUpCache();
      void failureOf(get());
      moveClock(ms);
      fetched(1).fail(new Failure("unreachable", "reset"));
      await settle();
      const failed = vi.fn();
      void get().catch(failed);
      await settle();
      expect([fetches.length, failed.mock.calls.length]).toEqual([count, failures]);
    },
  );
});
