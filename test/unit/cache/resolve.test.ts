import { describe, expect, it, vi } from "vitest";
import type { ValueCache } from "../../../extension/cache/cache.ts";
import { createRead } from "../../../extension/cache/resolve.ts";
import type { Failure } from "../../../extension/failure/failure.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../../extension/values/secret.ts";
import type { Source } from "../../../extension/values/source.ts";
import { failureOf } from "../../support/failure-of.ts";

const ACCOUNT = "111111111111";
const DEADLINE_EPOCH_MS = Date.UTC(2026, 0, 1);

const toSource = (secretIds: readonly string[]): Source => ({
  roleArn: `arn:aws:iam::${ACCOUNT}:role/Reader`,
  externalId: undefined,
  region: undefined,
  home: { region: "eu-west-1", accountId: ACCOUNT },
  secretIds,
  parameterNames: [],
  prefetchIds: secretIds,
});

const toValue = (name: string): SecretValue => ({
  arn: `arn:aws:secretsmanager:eu-west-1:${ACCOUNT}:secret:${name}-AbCdEf`,
  name,
  versionId: "1",
  versionStages: ["AWSCURRENT"],
  createdDate: new Date(0),
  secretString: "s3cret",
  secretBinary: undefined,
});

type Get = ValueCache<SecretQuery, SecretValue>["get"];

/** A cache with these values, one after the other. */
const createGet = (...values: readonly SecretValue[]) => {
  const left = [...values];
  return vi.fn<Get>(async () => {
    const value = left.shift();
    if (value === undefined) throw new Error("no look-up was expected");
    return { value, from: "memory", ageMs: 0, ttlMs: 1 };
  });
};

/** A finder of `secretId`; the sources are what they are at the time. */
function setUp(secretId: string, first: Get, { secretIds = [secretId], refreshNow = false } = {}) {
  const source = toSource(secretIds);
  let all = [{ source, get: first }];
  const find = createRead({
    rules: secretRules,
    request: { query: { secretId }, roleArn: undefined, refreshNow },
    allow: "configured",
    readers: () => all,
    toCache: ({ get }) => ({ get }),
  });
  const restore = (get: Get) => {
    all = [{ source, get }];
  };
  return { find: () => find(DEADLINE_EPOCH_MS), restore };
}

describe("a finder", () => {
  it("asks the source's cache, each time, for what is wanted until the deadline", async () => {
    const [one, other] = [toValue("app/db"), { ...toValue("app/db"), versionId: "2" }];
    const get = createGet(one, other);
    const { find } = setUp("app/db", get, { refreshNow: true });
    expect((await find()).value).toBe(one);
    expect((await find()).value).toBe(other);
    const call = [{ secretId: "app/db" }, { deadlineEpochMs: DEADLINE_EPOCH_MS, refreshNow: true }];
    expect(get.mock.calls).toEqual([call, call]);
  });

  it("asks none where the secret is not allowed, however often it is asked", async () => {
    const { find } = setUp("other", createGet(), { secretIds: ["app/db"] });
    for (const _ of [1, 2]) expect(((await failureOf(find())) as Failure).code).toBe("not-allowed");
  });

  it("gives no secret that turns out not to be an allowed one, however often it turns out", async () => {
    // Only AWS knows whether the last characters are random ones, or part of another's name.
    const [allowed, other] = [toValue("app/db"), toValue("app/db-AbCdEf")];
    const partialArn = `arn:aws:secretsmanager:eu-west-1:${ACCOUNT}:secret:app/db-AbCdEf`;
    const { find } = setUp(partialArn, createGet(allowed, other, other, allowed), { secretIds: ["app/db"] });
    expect((await find()).value).toBe(allowed);
    for (const _ of [1, 2]) expect(((await failureOf(find())) as Failure).code).toBe("not-allowed");
    expect((await find()).value).toBe(allowed);
  });

  it("asks what there is after a restore, and not what there was", async () => {
    const [before, after] = [createGet(toValue("app/db")), createGet(toValue("app/db"))];
    const { find, restore } = setUp("app/db", before);
    await find();
    restore(after);
    await find();
    expect([before, after].map((get) => get.mock.calls.length)).toEqual([1, 1]);
  });
});
