import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSecretFlights } from "../../../extension/cache/flights.ts";
import { createSecretStore } from "../../../extension/cache/store.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../../extension/values/secret.ts";
import { failureOf } from "../../support/failure-of.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const TIMEOUT_MS = 2_500;
const HOUR_MS = 3_600_000;
const HOME = { region: "eu-west-1", accountId: "111111111111" };

const toPartialArn = (name: string) => `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${name}`;
const toArn = (name: string) => `${toPartialArn(name)}-AbCdEf`;

const APP: SecretQuery = { secretId: "app/database" };
const BY_ARN: SecretQuery = { secretId: toArn("app/database") };
const BY_PARTIAL_ARN: SecretQuery = { secretId: toPartialArn("app/database") };
const SPELLINGS: readonly SecretQuery[] = [APP, BY_ARN, BY_PARTIAL_ARN, { ...APP, versionStage: "AWSCURRENT" }];

const denied = () => new Failure("get-secret-value-denied", "may not");
const unreachable = () => new Failure("unreachable", "not there");

const toValue = (versionId: string, name: string): SecretValue => ({
  arn: toArn(name),
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
  answer(versionId: string): void;
  fail(failure: Failure): void;
}

/** The clock goes on, or back, and no timer runs: as over a freeze. */
const freeze = (ms: number) => vi.setSystemTime(Date.now() + ms);
const settle = () => vi.advanceTimersByTimeAsync(0);

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

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a fetched secret", () => {
  it("is in the store, with when it was asked for, and fresh for a time that is drawn by lot", async () => {
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
      for (const query of SPELLINGS) expect(store.find(query)).toBe(secret);
    }
  });

  it("leaves no timer behind, and none is left by a failure", async () => {
    const { fetch, fetched, fail } = setUp();
    const wait = fetch();
    fetched(1).answer("v1");
    await wait;
    await fail(unreachable());
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a failure that says that AWS is not there", () => {
  it.each<FailureCode>([
    "unreachable",
    "timeout",
    "throttled",
    "aws-error",
    "aws-response-invalid",
    "credentials-missing",
  ])("is remembered for all spellings of the secret: %s", async (code) => {
    for (const asked of SPELLINGS) {
      const { fail, recall } = setUp();
      await fail(new Failure(code, "no"), asked);
      for (const query of SPELLINGS) {
        expect(recall(query)).toMatchObject({ code, details: { retryAfterMs: 500 } });
      }
    }
  });

  it("costs one try for each pause in four spellings, and the pause doubles as for one", async () => {
    const { fetches, fail, recall } = setUp();
    const begun: number[] = [];
    for (let elapsedMs = 0; elapsedMs < 4_000; elapsedMs += 100) {
      for (const query of SPELLINGS) {
        if (recall(query) !== undefined) continue;
        begun.push(elapsedMs);
        await fail(unreachable(), query);
      }
      freeze(100);
    }
    expect(begun).toEqual([0, 500, 1_500, 3_500]);
    expect(fetches).toHaveLength(4);
  });

  it("is none of another secret's, version's or stage's", async () => {
    const { fail, recall } = setUp();
    await fail(unreachable());
    for (const query of [
      { secretId: "app/other" },
      { ...APP, versionId: "1" },
      { ...APP, versionStage: "AWSPREVIOUS" },
      { secretId: toArn("app/database").replace("eu-west-1", "us-east-1") },
    ]) {
      expect(recall(query)).toBeUndefined();
    }
  });

  it("is forgotten for all spellings by an answer to one of them", async () => {
    const { fail, fetch, fetched, recall } = setUp();
    await fail(unreachable());
    const wait = fetch(BY_ARN);
    fetched(2).answer("v1");
    await wait;
    for (const query of SPELLINGS) expect(recall(query)).toBeUndefined();
  });

  it("is told to all who fly together, in whatever spelling, and costs one call", async () => {
    const { fetch, fetched, fetches } = setUp();
    const refusals = SPELLINGS.map((query) => failureOf(fetch(query)));
    fetched(1).fail(unreachable());
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "unreachable" });
    expect(fetches).toHaveLength(1);
  });

  it("keeps who insists for a second at the most", async () => {
    const { fail, recall } = setUp();
    for (const pauseMs of [500, 1_000, 2_000]) {
      await fail(unreachable());
      freeze(Math.min(pauseMs, 1_000) - 1);
      expect(recall(BY_ARN, true)).toMatchObject({ details: { retryAfterMs: 1 } });
      freeze(1);
      expect(recall(BY_ARN, true)).toBeUndefined();
    }
    expect(recall(BY_ARN)).toMatchObject({ details: { retryAfterMs: 1_000 } });
  });
});

describe("a denial", () => {
  it.each<FailureCode>(["get-secret-value-denied", "secret-not-found", "kms-denied", "secret-id-rejected"])(
    "is remembered for its own spelling: %s",
    async (code) => {
      const { fail, recall } = setUp();
      await fail(new Failure(code, "no"), BY_ARN);
      expect(recall(BY_ARN)).toMatchObject({ code, details: { retryAfterMs: 10_000 } });
      for (const query of [APP, BY_PARTIAL_ARN]) expect(recall(query)).toBeUndefined();
    },
  );

  it("is forgotten at an answer to its spelling, and the next one is the first again", async () => {
    const { fail, fetch, fetched, recall } = setUp();
    await fail(denied(), BY_ARN);
    freeze(10_000);
    await fail(denied(), BY_ARN);
    expect(recall(BY_ARN)).toMatchObject({ details: { retryAfterMs: 20_000 } });
    const wait = fetch(BY_ARN);
    fetched(3).answer("v1");
    await wait;
    expect(recall(BY_ARN)).toBeUndefined();
    expect(await fail(denied(), BY_ARN)).toMatchObject({ details: { retryAfterMs: 10_000 } });
  });

  it("is told rather than an outage that came to another spelling", async () => {
    const { fail, recall } = setUp();
    await fail(denied(), BY_ARN);
    await fail(unreachable(), APP);
    expect(recall(BY_ARN)).toMatchObject({ code: "get-secret-value-denied" });
    expect(recall(APP)).toMatchObject({ code: "unreachable" });
  });

  it("to whom another flew with has the other's spelling asked for", async () => {
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

describe("a crowd that insists", () => {
  const crowd = (fetch: ReturnType<typeof setUp>["fetch"], size: number, query = APP) =>
    Array.from({ length: size }, () => failureOf(fetch(query, { alone: true })));

  it.each([denied, unreachable])("has one call made where that fails, and not two: %o", async (failure) => {
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

  it("has a second call made where the first has brought a value, which is no news to who came after it", async () => {
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

  it("does not spread a denial to another spelling in it", async () => {
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
  it("that fails late does not bring back what a newer one has done away with", async () => {
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

  it("that succeeds late does not clear what a newer one was refused with", async () => {
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

  it("is known for older though a thousand other secrets have been fetched since, and not for ever", async () => {
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
      // What is not known any more is harmless: a pause too many. A memory without bound would not be.
      expect(recall() === undefined).toBe(isKnown);
    }
  });
});

describe("a freeze", () => {
  it("leaves an answer in the socket: it is not given to who waited, but fetched anew, and kept with its true age", async () => {
    const { fetch, fetched, fetches, store } = setUp();
    const wait = fetch();
    await vi.advanceTimersByTimeAsync(100);
    freeze(HOUR_MS);
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

  it("that is over before the deadline takes nothing away: the answer is as young as was asked for", async () => {
    const { fetch, fetched, fetches } = setUp();
    const wait = fetch();
    freeze(TIMEOUT_MS - 1);
    fetched(1).answer("v1");
    expect((await wait).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it("gives the new fetch as much time as the first had", async () => {
    const { fetch, fetched } = setUp();
    void fetch().catch(() => {});
    freeze(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    expect([1, 2].map((nth) => fetched(nth).deadlineEpochMs)).toEqual([
      START_EPOCH_MS + TIMEOUT_MS - 20,
      START_EPOCH_MS + HOUR_MS + TIMEOUT_MS - 20,
    ]);
  });

  it("costs one new fetch, however many were frozen, and however they spell the secret", async () => {
    const { fetch, fetched, fetches } = setUp();
    const waits = Array.from({ length: 40 }, (_, nth) => fetch(SPELLINGS[nth % SPELLINGS.length]));
    freeze(HOUR_MS);
    fetched(1).fail(new Failure("timeout", "too late"));
    await settle();
    expect(fetches).toHaveLength(2);
    fetched(2).answer("v2");
    for (const { value } of await Promise.all(waits)) expect(value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
  });

  it("leaves no failure behind: what failed of it says nothing of AWS as it is now", async () => {
    const { fetch, fetched, recall } = setUp();
    const wait = fetch();
    freeze(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    expect(recall()).toBeUndefined();
    fetched(2).answer("v2");
    await wait;
  });

  it("is no excuse twice: what fails after it has failed, and is remembered", async () => {
    const { fetch, fetched, fetches, recall } = setUp();
    const refused = failureOf(fetch());
    freeze(HOUR_MS);
    fetched(1).fail(unreachable());
    await settle();
    fetched(2).fail(unreachable());
    expect(await refused).toMatchObject({ code: "unreachable", details: { retryAfterMs: 500 } });
    expect(recall()).toMatchObject({ code: "unreachable" });
    expect(fetches).toHaveLength(2);
  });

  it("is not an AWS that is slow: who waits is told at the deadline, and nothing is fetched again", async () => {
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

  // Busy with something else, or frozen for less than matters: then whoever comes next is told at once.
  it.each([
    [0.7, 0],
    [0.3, 1],
  ])("of %d of the wait is remembered as AWS's failure %d times", async (part, remembered) => {
    const { fetch, fetched, recall } = setUp();
    const refused = failureOf(fetch());
    freeze(part * TIMEOUT_MS);
    fetched(1).fail(new Failure("unreachable", "reset"));
    await settle();
    expect(recall() === undefined ? 0 : 1).toBe(remembered);
    void refused;
  });
});
