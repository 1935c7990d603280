import { describe, expect, it, vi } from "vitest";
import { createSecretFlights } from "../../../extension/cache/flights.ts";
import { createSecretStore } from "../../../extension/cache/store.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { type SecretQuery, secretRules } from "../../../extension/values/secret.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, START_EPOCH_MS, settle, useFakeClock } from "../../support/unit-clock.ts";
import { HOME, toPartialArn, toSecretArn, toSecretValue } from "../../support/values.ts";

const TIMEOUT_MS = 2_500;
const HOUR_MS = 3_600_000;

const APP: SecretQuery = { secretId: "app/database" };
const BY_ARN: SecretQuery = { secretId: toSecretArn("app/database") };
const BY_PARTIAL_ARN: SecretQuery = { secretId: toPartialArn("app/database") };
const IDS: readonly SecretQuery[] = [APP, BY_ARN, BY_PARTIAL_ARN, { ...APP, versionStage: "AWSCURRENT" }];

const denied = () => new Failure("get-secret-value-denied", "may not");
const unreachable = () => new Failure("unreachable", "not there");

const toValue = (versionId: string, name: string) => toSecretValue({ versionId, name });

interface Fetch {
  readonly query: SecretQuery;
  readonly deadlineEpochMs: number;
  answer(versionId: string): void;
  fail(failure: Failure): void;
}

/** Each fetch is under way until the test ends it. */
function setUp({ random = 0, maxEntries = 1_000 } = {}) {
  const fetches: Fetch[] = [];
  const store = createSecretStore({ rules: secretRules, home: HOME, maxEntries, maxBytes: 1_000_000 });
  const flights = createSecretFlights({
    rules: secretRules,
    store,
    home: HOME,
    ttlMs: 60_000,
    now: Date.now,
    random: () => random,
    fetch: (query, deadlineEpochMs) =>
      new Promise((resolve, reject) => {
        const name = query.secretId.replace(toPartialArn(""), "").replace(/-AbCdEf$/, "");
        const answer = (versionId: string) => resolve(toValue(versionId, name));
        fetches.push({ query, deadlineEpochMs, answer, fail: reject });
      }),
  });
  const fetch = (query = APP, { alone = false, timeoutMs = TIMEOUT_MS } = {}) =>
    flights.fetch(query, Date.now() + timeoutMs, { alone });
  const recall = (query = APP, isInsisting = false) => flights.recallFailure(query, { isInsisting });
  const fetched = (nth: number): Fetch => {
    const found = fetches[nth - 1];
    if (found === undefined) throw new Error(`there were ${fetches.length} fetches, and no number ${nth}`);
    return found;
  };
  /** A fetch that fails at once. */
  async function fail(failure: Failure, query = APP): Promise<unknown> {
    const refused = failureOf(fetch(query));
    await settle();
    fetches.at(-1)?.fail(failure);
    return refused;
  }
  return { store, fetches, fetched, fetch, recall, fail };
}

useFakeClock();

describe("a fetched secret", () => {
  it("is stored with the time of its request, and is fresh for a random time", async () => {
    for (const [random, freshMs] of [
      [0, 45_000],
      [0.5, 48_000],
    ] as const) {
      const { fetch, fetched, store } = setUp({ random });
      const askedAtEpochMs = Date.now();
      const wait = fetch();
      await vi.advanceTimersByTimeAsync(100);
      fetched(1).answer("v1");
      const secret = await wait;
      expect(secret).toEqual({ value: toValue("v1", "app/database"), askedAtEpochMs, freshMs, order: 1 });
      for (const query of IDS) expect(store.find(query)).toBe(secret);
    }
  });

  it("leaves no timer behind, and neither does a failure", async () => {
    const { fetch, fetched, fail } = setUp();
    const wait = fetch();
    fetched(1).answer("v1");
    await wait;
    await fail(unreachable());
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a failure because AWS is unavailable", () => {
  it.each<FailureCode>([
    "unreachable",
    "timeout",
    "throttled",
    "aws-error",
    "aws-response-invalid",
    "credentials-missing",
  ])("is remembered for all ids of the secret: %s", async (code) => {
    for (const asked of IDS) {
      const { fail, recall } = setUp();
      await fail(new Failure(code, "no"), asked);
      for (const query of IDS) {
        expect(recall(query)).toMatchObject({ code, details: { retryAfterMs: 500 } });
      }
    }
  });

  it("costs one try for each pause under four ids, and the pause doubles as for one id", async () => {
    const { fetches, fail, recall } = setUp();
    const begun: number[] = [];
    for (let elapsedMs = 0; elapsedMs < 4_000; elapsedMs += 100) {
      for (const query of IDS) {
        if (recall(query) !== undefined) continue;
        begun.push(elapsedMs);
        await fail(unreachable(), query);
      }
      moveClock(100);
    }
    expect(begun).toEqual([0, 500, 1_500, 3_500]);
    expect(fetches).toHaveLength(4);
  });

  it("is not remembered for another secret, version or stage", async () => {
    const { fail, recall } = setUp();
    await fail(unreachable());
    for (const query of [
      { secretId: "app/other" },
      { ...APP, versionId: "1" },
      { ...APP, versionStage: "AWSPREVIOUS" },
      { secretId: toSecretArn("app/database").replace("eu-west-1", "us-east-1") },
    ]) {
      expect(recall(query)).toBeUndefined();
    }
  });

  it("is forgotten for all ids after an answer to one of them", async () => {
    const { fail, fetch, fetched, recall } = setUp();
    await fail(unreachable());
    const wait = fetch(BY_ARN);
    fetched(2).answer("v1");
    await wait;
    for (const query of IDS) expect(recall(query)).toBeUndefined();
  });

  it("reaches all callers that joined the fetch, under every id, and costs one call", async () => {
    const { fetch, fetched, fetches } = setUp();
    const refusals = IDS.map((query) => failureOf(fetch(query)));
    fetched(1).fail(unreachable());
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "unreachable" });
    expect(fetches).toHaveLength(1);
  });

  it("delays a caller that insists by a second at most", async () => {
    const { fail, recall } = setUp();
    for (const pauseMs of [500, 1_000, 2_000]) {
      await fail(unreachable());
      moveClock(Math.min(pauseMs, 1_000) - 1);
      expect(recall(BY_ARN, true)).toMatchObject({ details: { retryAfterMs: 1 } });
      moveClock(1);
      expect(recall(BY_ARN, true)).toBeUndefined();
    }
    expect(recall(BY_ARN)).toMatchObject({ details: { retryAfterMs: 1_000 } });
  });
});

describe("a denial", () => {
  it.each<FailureCode>(["get-secret-value-denied", "secret-not-found", "kms-denied", "secret-id-rejected"])(
    "is remembered for its own id only: %s",
    async (code) => {
      const { fail, recall } = setUp();
      await fail(new Failure(code, "no"), BY_ARN);
      expect(recall(BY_ARN)).toMatchObject({ code, details: { retryAfterMs: 10_000 } });
      for (const query of [APP, BY_PARTIAL_ARN]) expect(recall(query)).toBeUndefined();
    },
  );

  it("is forgotten after an answer to its id, and the next one has the first pause again", async () => {
    const { fail, fetch, fetched, recall } = setUp();
    await fail(denied(), BY_ARN);
    moveClock(10_000);
    await fail(denied(), BY_ARN);
    expect(recall(BY_ARN)).toMatchObject({ details: { retryAfterMs: 20_000 } });
    const wait = fetch(BY_ARN);
    fetched(3).answer("v1");
    await wait;
    expect(recall(BY_ARN)).toBeUndefined();
    expect(await fail(denied(), BY_ARN)).toMatchObject({ details: { retryAfterMs: 10_000 } });
  });

  it("is returned instead of an outage of another id", async () => {
    const { fail, recall } = setUp();
    await fail(denied(), BY_ARN);
    await fail(unreachable(), APP);
    expect(recall(BY_ARN)).toMatchObject({ code: "get-secret-value-denied" });
    expect(recall(APP)).toMatchObject({ code: "unreachable" });
  });

  it("of one id makes a caller that joined with another id fetch that id", async () => {
    const { fetch, fetched, fetches } = setUp();
    const byName = failureOf(fetch(APP));
    const byArn = fetch(BY_ARN);
    fetched(1).fail(denied());
    expect(await byName).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    expect(fetched(2).query).toEqual(BY_ARN);
    fetched(2).answer("v1");
    expect((await byArn).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(2);
  });
});

describe("many callers that insist", () => {
  const crowd = (fetch: ReturnType<typeof setUp>["fetch"], size: number, query = APP) =>
    Array.from({ length: size }, () => failureOf(fetch(query, { alone: true })));

  it.each([denied, unreachable])("make one call if that fails, and not two: %o", async (failure) => {
    const { fetch, fetched, fetches } = setUp();
    const refusals = crowd(fetch, 50);
    await settle();
    fetched(1).fail(failure());
    const { code } = failure();
    for (const refusal of await Promise.all(refusals)) {
      expect(refusal).toMatchObject({ code, details: { retryAfterMs: expect.any(Number) } });
    }
    expect(fetches).toHaveLength(1);
  });

  it("make a second call if the first brings a value, because it started before most of them came", async () => {
    const { fetch, fetched, fetches } = setUp();
    const waits = Array.from({ length: 50 }, () => fetch(APP, { alone: true }));
    await settle();
    fetched(1).answer("v1");
    await settle();
    fetched(2).answer("v2");
    const versions = (await Promise.all(waits)).map(({ value }) => value.versionId);
    expect(versions).toEqual(["v1", ...Array.from({ length: 49 }, () => "v2")]);
    expect(fetches).toHaveLength(2);
  });

  it("are not denied because another id is denied", async () => {
    const { fetch, fetched } = setUp();
    const byName = crowd(fetch, 2);
    const byArn = fetch(BY_ARN, { alone: true });
    await settle();
    fetched(1).fail(denied());
    for (const refusal of await Promise.all(byName)) expect(refusal).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    expect(fetched(2).query).toEqual(BY_ARN);
    fetched(2).answer("v1");
    expect((await byArn).value.versionId).toBe("v1");
  });
});

describe("an older fetch", () => {
  it("that fails late does not bring back a failure that a newer one has cleared", async () => {
    const { fetch, fetched, recall } = setUp();
    const older = failureOf(fetch());
    const newer = fetch(APP, { alone: true });
    await settle();
    fetched(2).answer("v2");
    await newer;
    fetched(1).fail(unreachable());
    expect(await older).toMatchObject({ code: "unreachable", details: {} });
    expect(recall()).toBeUndefined();
  });

  it("that succeeds late does not clear the denial of a newer one", async () => {
    const { fetch, fetched, recall, store } = setUp();
    const older = failureOf(fetch());
    const newer = failureOf(fetch(APP, { alone: true }));
    await settle();
    fetched(2).fail(denied());
    await newer;
    fetched(1).answer("v1");
    expect(await older).toMatchObject({ code: "get-secret-value-denied" });
    expect(recall()).toMatchObject({ code: "get-secret-value-denied" });
    expect(store.find(APP)).toBeUndefined();
  });

  it("is known to be older after hundreds of other fetches, but not after a thousand", async () => {
    for (const [others, isKnown] of [
      [490, true],
      [1_100, false],
    ] as const) {
      const { fetch, fetches, fetched, recall } = setUp();
      const older = failureOf(fetch());
      const newer = fetch(APP, { alone: true });
      await settle();
      fetched(2).answer("v2");
      await newer;
      for (let nth = 0; nth < others; nth += 1) {
        const wait = fetch({ secretId: `other-${nth}` });
        fetches.at(-1)?.answer("v1");
        await wait;
      }
      fetched(1).fail(unreachable());
      await older;
      // To forget the order is harmless: it costs one pause too many. Unbounded memory would not be.
      expect(recall() === undefined).toBe(isKnown);
    }
  });
});

describe("a freeze", () => {
  it("leaves an old answer in the socket: it is stored with its true age, and the caller gets a new fetch", async () => {
    const { fetch, fetched, fetches, store } = setUp();
    const wait = fetch();
    await vi.advanceTimersByTimeAsync(100);
    moveClock(HOUR_MS);
    fetched(1).answer("v1");
    await settle();
    expect(fetches).toHaveLength(2);
    expect(store.find(APP)).toMatchObject({ value: { versionId: "v1" }, askedAtEpochMs: START_EPOCH_MS });
    fetched(2).answer("v2");
    expect(await wait).toMatchObject({
      value: { versionId: "v2" },
      askedAtEpochMs: START_EPOCH_MS + HOUR_MS + 100,
    });
    expect(store.find(APP)).toMatchObject({ value: { versionId: "v2" } });
  });

  it("that ends before the deadline changes nothing, because the answer is young enough", async () => {
    const { fetch, fetched, fetches } = setUp();
    const wait = fetch();
    moveClock(TIMEOUT_MS - 1);
    fetched(1).answer("v1");
    expect((await wait).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it("gives the new fetch as much time as the first had", async () => {
    const { fetch, fetched } = setUp();
    void fetch().catch(() => {});
    moveClock(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    expect([1, 2].map((nth) => fetched(nth).deadlineEpochMs)).toEqual([
      START_EPOCH_MS + TIMEOUT_MS - 20,
      START_EPOCH_MS + HOUR_MS + TIMEOUT_MS - 20,
    ]);
  });

  it("costs one new fetch for all frozen callers, under all ids", async () => {
    const { fetch, fetched, fetches } = setUp();
    const waits = Array.from({ length: 40 }, (_, nth) => fetch(IDS[nth % IDS.length]));
    moveClock(HOUR_MS);
    fetched(1).fail(new Failure("timeout", "too late"));
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    for (const { value } of await Promise.all(waits)) expect(value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("leaves no failure behind, because a frozen fetch says nothing about AWS now", async () => {
    const { fetch, fetched, recall } = setUp();
    const wait = fetch();
    moveClock(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    expect(recall()).toBeUndefined();
    fetched(2).answer("v2");
    await wait;
  });

  it("excuses one failure: if the new fetch fails too, that is remembered", async () => {
    const { fetch, fetched, fetches, recall } = setUp();
    const refused = failureOf(fetch());
    moveClock(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    fetched(2).fail(unreachable());
    expect(await refused).toMatchObject({ code: "unreachable", details: { retryAfterMs: 500 } });
    expect(recall()).toMatchObject({ code: "unreachable" });
    expect(fetches).toHaveLength(2);
  });

  it("differs from a slow AWS: then the caller fails at the deadline, and nothing is fetched again", async () => {
    const { fetch, fetches } = setUp();
    const refused = failureOf(fetch());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    const remedy = expect.stringContaining("interface endpoints");
    expect(await refused).toMatchObject({ code: "timeout", details: { remedy } });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(fetches).toHaveLength(1);
    fetches[0]?.fail(new Failure("timeout", "too late"));
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });

  // After a busy process, or a freeze that is too short to matter, the next caller fails at once.
  it.each([
    [0.7, 0],
    [0.3, 1],
  ])("of %d of the wait lets the failure be remembered %d times", async (part, remembered) => {
    const { fetch, fetched, recall } = setUp();
    const refused = failureOf(fetch());
    moveClock(part * TIMEOUT_MS);
    fetched(1).fail(new Failure("unreachable", "reset"));
    await settle();
    expect(recall() === undefined ? 0 : 1).toBe(remembered);
    void refused;
  });
});
