/** A cache of secrets whose fetches the test answers, one by one. */
import { type Cached, createValueCache } from "../../extension/cache/cache.ts";
import { Failure } from "../../extension/failure/failure.ts";
import { createCounters } from "../../extension/metrics.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../extension/values/secret.ts";
import { settle } from "./unit-clock.ts";
import { HOME, toPartialArn, toSecretArn, toSecretValue } from "./values.ts";

export const TTL_MS = 60_000;
export const MAX_STALE_MS = 600_000;
export const TIMEOUT_MS = 2_500;

export const APP: SecretQuery = { secretId: "app/database" };
export const BY_ARN: SecretQuery = { secretId: toSecretArn("app/database") };
export const BY_PARTIAL_ARN: SecretQuery = { secretId: toPartialArn("app/database") };
/** All queries for the same version. */
export const IDS: readonly SecretQuery[] = [APP, BY_ARN, BY_PARTIAL_ARN];

export const throttled = () => new Failure("throttled", "not now");
export const unreachable = () => new Failure("unreachable", "not there");
export const denied = () => new Failure("get-secret-value-denied", "may not");

/** All ARNs have the same random characters, unless a test says otherwise. */
export const toName = (secretId: string) => secretId.replace(toPartialArn(""), "").replace(/-AbCdEf$/, "");

export interface Fetch {
  readonly query: SecretQuery;
  readonly deadlineEpochMs: number;
  /** With the name and ARN of the query, or with others. */
  answer(versionId: string, name?: string, arn?: string): void;
  fail(failure: Failure): void;
}

/** Each fetch is under way until the test answers it. */
export function setUpCache({
  ttlMs = TTL_MS,
  maxStaleMs = MAX_STALE_MS,
  cacheSize = 1_000,
  random = (): number => 0,
  sources = 1,
  secretString = "s3cret",
} = {}) {
  const counters = createCounters();
  const fetches: Fetch[] = [];
  const cache = createValueCache({
    rules: secretRules,
    source: { home: HOME },
    config: { sources: Array.from({ length: sources }), ttlMs, maxStaleMs, cacheSize, timeoutMs: TIMEOUT_MS },
    counters,
    now: Date.now,
    random,
    fetch: (query, deadlineEpochMs) =>
      new Promise((resolve, reject) => {
        const answer: Fetch["answer"] = (versionId, name = toName(query.secretId), arn = toSecretArn(name)) =>
          resolve(toSecretValue({ versionId, name, arn, secretString }));
        fetches.push({ query, deadlineEpochMs, answer, fail: reject });
      }),
  });
  const get = (query = APP, options: { refreshNow?: boolean; timeoutMs?: number } = {}) => {
    const { timeoutMs = TIMEOUT_MS, ...rest } = options;
    return cache.get(query, { deadlineEpochMs: Date.now() + timeoutMs, ...rest });
  };
  const refreshNow = (query = APP) => get(query, { refreshNow: true });
  const invalidate = (versionId: string, query = APP) => cache.invalidate(query, versionId, Date.now() + TIMEOUT_MS);
  const fetched = (nth: number): Fetch => {
    const fetch = fetches[nth - 1];
    if (fetch === undefined) throw new Error(`there were ${fetches.length} fetches, and no number ${nth}`);
    return fetch;
  };
  /** Reads, with an immediate answer to a fetch, and returns the version. */
  async function read(versionId: string, query = APP): Promise<string> {
    const before = fetches.length;
    const wait = get(query);
    for (const fetch of fetches.slice(before)) fetch.answer(versionId);
    return (await wait).value.versionId;
  }
  /** Reads, while all fetches fail, and returns the value or the failure. */
  async function failing(failure: Failure, query = APP): Promise<Cached<SecretValue> | unknown> {
    const before = fetches.length;
    const wait = get(query).catch((thrown: unknown) => thrown);
    for (let next = before; next < fetches.length; next += 1) {
      fetches[next]?.fail(failure);
      await settle();
    }
    return wait;
  }
  return { counters, fetches, fetched, get, refreshNow, read, failing, invalidate };
}
