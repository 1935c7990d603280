import { describe, expect, it } from "vitest";
import { createValueCache } from "../../../extension/cache/cache.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import { type ParameterQuery, parameterRules } from "../../../extension/values/parameter.ts";
import { failureOf } from "../../support/failure-of.ts";
import { moveClock, settle, useFakeClock } from "../../support/unit-clock.ts";
import {
  APP,
  BY_ARN,
  BY_PARTIAL_ARN,
  denied,
  type Fetch,
  IDS,
  MAX_STALE_MS,
  setUpCache,
  TIMEOUT_MS,
  TTL_MS,
  throttled,
} from "../../support/value-cache.ts";
import { HOME, toParameterValue, toPartialArn, toSecretArn, toSecretValue } from "../../support/values.ts";

useFakeClock();

describe("the ids of one secret", () => {
  it("cost one fetch if they are read one after the other", async () => {
    const { fetches, read } = setUpCache();
    for (const query of IDS) expect(await read("v1", query)).toBe("v1");
    expect(fetches).toHaveLength(1);
  });

  it.each(IDS)("cost one fetch if each is read a hundred times at once, with %o first", async (first) => {
    const { fetches, fetched, get } = setUpCache();
    const waits = [get(first)];
    for (let nth = 0; nth < 400; nth += 1) waits.push(get(IDS[nth % IDS.length]));
    await settle();
    expect(fetches).toHaveLength(1);
    fetched(1).answer("v1");
    for (const { value } of await Promise.all(waits)) expect(value).toEqual(toSecretValue({ versionId: "v1" }));
    expect(fetches).toHaveLength(1);
  });

  it("are all hits after init has fetched the secret by name", async () => {
    const { counters, read } = setUpCache();
    await read("v1");
    for (const query of IDS) expect(await read("v2", query)).toBe("v1");
    expect(counters).toMatchObject({ hits: IDS.length, misses: 1 });
  });

  it("are all refreshed by a fetch under one of them", async () => {
    const { fetched, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    expect(await read("v2", BY_ARN)).toBe("v2");
    expect(fetched(2).query).toEqual(BY_ARN);
    expect(await read("v3")).toBe("v2");
  });

  it("are denied separately: one may be allowed if another is denied", async () => {
    const { fetched, fetches, get } = setUpCache();
    const byName = failureOf(get());
    const byArn = get(BY_ARN);
    fetched(1).fail(denied());
    expect(await byName).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    expect(fetched(2).query).toEqual(BY_ARN);
    fetched(2).answer("v1");
    expect((await byArn).value.versionId).toBe("v1");
    expect(fetches).toHaveLength(2);
  });

  it("fail together if AWS is unavailable", async () => {
    const { fetched, fetches, get } = setUpCache();
    const refusals = IDS.map((query) => failureOf(get(query)));
    fetched(1).fail(throttled());
    for (const refused of refusals) expect(await refused).toMatchObject({ code: "throttled" });
    expect(fetches).toHaveLength(1);
  });

  it.each(IDS)("all lose the cached value if %o is denied, and another secret keeps its own", async (query) => {
    const { failing, fetches, read } = setUpCache();
    await read("v1");
    moveClock(TTL_MS);
    await read("other", { secretId: "other" });
    await failing(denied(), query);
    for (const { secretId } of IDS.filter((id) => id !== query)) {
      expect(await failing(throttled(), { secretId })).toBeInstanceOf(Failure);
    }
    expect(await read("none", { secretId: "other" })).toBe("other");
    expect(fetches.length).toBeGreaterThan(3);
  });

  it("cost one fetch for each version and stage", async () => {
    const { fetches, read } = setUpCache();
    for (const rest of [{ versionId: "x" }, { versionStage: "AWSPREVIOUS" }]) {
      for (const { secretId } of IDS) await read("v1", { secretId, ...rest });
    }
    expect(fetches).toHaveLength(2);
  });

  it("name another secret if the region or the account differs, also if that was read first", async () => {
    const others = [
      toSecretArn("app/database").replace("eu-west-1", "us-east-1"),
      toSecretArn("app/database").replace("111111111111", "333333333333"),
    ];
    const { fetched, get, read } = setUpCache();
    for (const [nth, secretId] of others.entries()) {
      const wait = get({ secretId });
      fetched(1 + nth).answer(`other ${nth}`, "app/database", secretId);
      await wait;
    }
    expect(await read("v1")).toBe("v1");
    for (const [nth, secretId] of others.entries()) expect(await read("none", { secretId })).toBe(`other ${nth}`);
  });

  it("do not name the secrets whose ids only look like its own, and those have no effect on it", async () => {
    const { failing, fetches, read } = setUpCache();
    await read("v1", { secretId: "my" });
    await read("v1");
    const strangers = [
      "app",
      "app/Database",
      "app/database-AbCdEf",
      "my-abcdef",
      toPartialArn("my-abcdef"),
      toSecretArn("my-abcdef"),
      toSecretArn("my", "XyZ123"),
      toSecretArn("app/database", "XyZ123"),
      toSecretArn("app/database").replace("eu-west-1", "us-east-1"),
      toSecretArn("app/database").replace("111111111111", "333333333333"),
      toSecretArn("app/database").replace("arn:aws:", "arn:aws-cn:"),
    ];
    for (const secretId of strangers) {
      const failure = new Failure("secret-not-found", "no such secret");
      expect(await failing(failure, { secretId })).toMatchObject({ code: "secret-not-found" });
    }
    expect(fetches).toHaveLength(2 + strangers.length);
    for (const query of [...IDS, { secretId: "my" }]) expect(await read("none", query)).toBe("v1");
  });

  it("have one value for each version and stage, and a denial concerns one of them", async () => {
    const { fetches, get, read, refreshNow } = setUpCache();
    const variants = [
      {},
      { versionStage: "AWSPREVIOUS" },
      { versionId: "x" },
      { versionId: "x", versionStage: "AWSPREVIOUS" },
    ];
    for (const [nth, variant] of variants.entries()) await read(`v${nth}`, { ...APP, ...variant });
    const refused = failureOf(refreshNow({ ...BY_ARN, versionId: "x" }));
    fetches.at(-1)?.fail(denied());
    await refused;
    for (const [nth, variant] of variants.entries()) {
      const query = { ...BY_PARTIAL_ARN, ...variant };
      if (nth !== 2) expect(await get(query)).toMatchObject({ value: { versionId: `v${nth}` }, from: "memory" });
      else expect(await read("new", query)).toBe("new");
    }
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
    const { fetches, get } = setUpCache();
    for (const { secretId, name } of [first, second, first]) {
      const before = fetches.length;
      const wait = get({ secretId });
      fetches.slice(before).forEach(answer);
      expect((await wait).value).toMatchObject({ name, versionId: `version of ${name}` });
    }
    expect(fetches).toHaveLength(first.name === second.name ? 1 : 2);
  });

  it.each(pairs)("never returns another secret: $secretId and %o at once", async (first, second) => {
    const { fetches, get } = setUpCache();
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
      const { fetches, get } = setUpCache();
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
    const { fetched, get } = setUpCache();
    const short = failureOf(get({ secretId: "my" }));
    const long = get({ secretId: toPartialArn("my-abcdef") });
    fetched(1).fail(denied());
    expect(await short).toMatchObject({ code: "get-secret-value-denied" });
    await settle();
    fetched(2).answer("v1", "my-abcdef");
    expect((await long).value.name).toBe("my-abcdef");
  });
});

describe("an ARN that looks like the partial ARN of a longer name", () => {
  it("finds the secret that has it, and the longer name does not", async () => {
    const { fetched, fetches, get, read } = setUpCache();
    // With its random characters, the ARN happens to look like the partial ARN of `my-abcdef`.
    const arn = toPartialArn("my-abcdef");
    const wait = get({ secretId: "my" });
    fetched(1).answer("v1", "my", arn);
    await wait;
    expect(await read("none", { secretId: arn })).toBe("v1");
    expect(fetches).toHaveLength(1);
    expect(await read("v2", { secretId: "my-abcdef" })).toBe("v2");
  });
});

describe("a secret that was created again", () => {
  const OLD_ARN = toSecretArn("app/database");
  const NEW_ARN = toSecretArn("app/database", "XyZ123");

  it("replaces the old one, whose ARN is no longer served", async () => {
    const { fetched, fetches, get, read } = setUpCache();
    await read("v1");
    expect(await read("none", { secretId: OLD_ARN })).toBe("v1");
    moveClock(TTL_MS);
    const wait = get();
    fetched(2).answer("v2", "app/database", NEW_ARN);
    await wait;
    expect((await get({ secretId: NEW_ARN })).value.versionId).toBe("v2");
    expect((await get(BY_PARTIAL_ARN)).value.versionId).toBe("v2");
    expect(fetches).toHaveLength(2);
    const gone = failureOf(get({ secretId: OLD_ARN }));
    fetched(3).fail(new Failure("secret-not-found", "gone"));
    expect(await gone).toMatchObject({ code: "secret-not-found" });
    expect((await get()).value.versionId).toBe("v2");
  });

  it("is not returned for the old ARN, even if that is read at the same time", async () => {
    const { fetched, get } = setUpCache();
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

  it("is not returned for the old ARN, even if that was asked for first and is answered last", async () => {
    const { fetched, get, read, refreshNow } = setUpCache();
    const byOldArn = get({ secretId: OLD_ARN });
    const byName = refreshNow();
    fetched(2).answer("v2", "app/database", NEW_ARN);
    expect((await byName).value.arn).toBe(NEW_ARN);
    fetched(1).answer("v1", "app/database", OLD_ARN);
    expect((await byOldArn).value.arn).toBe(OLD_ARN);
    expect(await read("none")).toBe("v2");
  });

  it("is fetched by its name if the old ARN is refused before an older answer comes", async () => {
    const { fetched, fetches, get, read, refreshNow } = setUpCache();
    const byName = get();
    const byOldArn = failureOf(refreshNow({ secretId: OLD_ARN }));
    fetched(2).fail(new Failure("secret-not-found", "gone"));
    expect(await byOldArn).toMatchObject({ code: "secret-not-found" });
    fetched(1).answer("v1", "app/database", OLD_ARN);
    await settle();
    expect(fetched(3).query).toEqual(APP);
    fetched(3).answer("v2", "app/database", NEW_ARN);
    expect((await byName).value.arn).toBe(NEW_ARN);
    expect(await read("none")).toBe("v2");
    expect(fetches).toHaveLength(3);
  });

  it("takes the old one's other versions with it, but not those of a secret with a longer name", async () => {
    const { fetched, fetches, get, read, refreshNow } = setUpCache();
    const previous = { ...APP, versionStage: "AWSPREVIOUS" };
    const other = { secretId: "app/database-2", versionStage: "AWSPREVIOUS" };
    for (const query of [previous, other, APP]) await read("v1", query);
    const [same, again] = [refreshNow(), refreshNow()];
    fetched(4).answer("v2");
    await same;
    expect(await read("none", previous)).toBe("v1");
    fetched(5).answer("v3", "app/database", toSecretArn("app/database", "XyZ123"));
    await again;
    expect(await read("none", other)).toBe("v1");
    expect((await get()).value.versionId).toBe("v3");
    expect(fetches).toHaveLength(5);
    expect(await read("v4", { ...BY_ARN, versionStage: "AWSPREVIOUS" })).toBe("v4");
  });

  it("keeps its version that was fetched later than an answer of the old one", async () => {
    const { fetched, get, read } = setUpCache();
    const previous = { ...APP, versionStage: "AWSPREVIOUS" };
    const [first, second] = [get(), get(previous)];
    fetched(2).answer("v2", "app/database", toSecretArn("app/database", "XyZ123"));
    await second;
    fetched(1).answer("v1");
    await first;
    expect(await read("none", previous)).toBe("v2");
  });
});

describe("an older answer", () => {
  it("never replaces a newer one, under any id", async () => {
    const { fetched, get, read } = setUpCache();
    const before = get(BY_ARN);
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

  it.each(IDS)("does not bring back a value that was denied later under the id %o", async (query) => {
    const { fetched, fetches, get, read, refreshNow } = setUpCache();
    const before = failureOf(get());
    const refused = failureOf(refreshNow(query));
    fetched(2).fail(denied());
    expect(await refused).toMatchObject({ code: "get-secret-value-denied" });
    fetched(1).answer("v1");
    await settle();
    // AWS may refuse one id and accept another, so the reader's own id is asked for again.
    const count = query.secretId === APP.secretId ? 2 : 3;
    expect(fetches).toHaveLength(count);
    if (count === 3) fetched(3).fail(denied());
    expect(await before).toMatchObject({ code: "get-secret-value-denied" });
    for (const asked of [APP, query]) {
      expect(await failureOf(get(asked))).toMatchObject({ code: "get-secret-value-denied" });
    }
    expect(fetches).toHaveLength(count);
    moveClock(10_000);
    expect(await read("v3", query)).toBe("v3");
    expect(await read("none")).toBe("v3");
  });

  it("is kept if what was denied later is another secret, version, stage or region", async () => {
    const { fetched, get, read, refreshNow } = setUpCache();
    const before = get();
    const others = [
      { secretId: `${toPartialArn("app/database")}-WRONG1` },
      { ...APP, versionId: "x" },
      { ...APP, versionStage: "AWSPENDING" },
      { secretId: toSecretArn("app/database").replace("eu-west-1", "us-east-1") },
    ];
    for (const [nth, query] of others.entries()) {
      const refused = failureOf(refreshNow(query));
      fetched(2 + nth).fail(denied());
      await refused;
    }
    fetched(1).answer("v1");
    expect((await before).value.versionId).toBe("v1");
    expect(await read("none")).toBe("v1");
  });

  it("is not kept after a later one was evicted", async () => {
    const { fetched, get, read, refreshNow } = setUpCache({ cacheSize: 1 });
    const before = get();
    const refreshed = refreshNow();
    fetched(2).answer("v2");
    await refreshed;
    await read("other", { secretId: "other" });
    fetched(1).answer("v1");
    expect((await before).value.versionId).toBe("v1");
    expect(await read("v3")).toBe("v3");
  });

  it("that is a denial does not remove a value whose fetch started later", async () => {
    const { fetched, get, refreshNow } = setUpCache();
    const before = failureOf(get());
    const refreshed = refreshNow();
    await settle();
    fetched(2).answer("v2");
    await refreshed;
    fetched(1).fail(denied());
    await before;
    expect((await get()).value.versionId).toBe("v2");
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
      source: { home: HOME },
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
});
