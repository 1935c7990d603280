import { describe, expect, it } from "vitest";
import type { Cached } from "../../../extension/cache/cache.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import { toCacheHeaders } from "../../../extension/http/replies.ts";
import type { Named } from "../../../extension/values/source.ts";

const VALUE: Named = { arn: "arn", name: "name", versionId: "b1c367b9-7f53-4a47-82c4-be51a054b953" };

const headersOf = (how: Partial<Cached<Named>>) =>
  toCacheHeaders({ value: VALUE, from: "memory", ageMs: 0, ttlMs: 300_000, ...how });

describe("the headers of a value", () => {
  it("name its version, quoted as HTTP wants it, its age, and where it is from", () => {
    expect(headersOf({})).toEqual({
      ETag: '"b1c367b9-7f53-4a47-82c4-be51a054b953"',
      Age: "0",
      "Cache-Status": "cross-account-secrets; hit; ttl=300",
    });
    expect(headersOf({ value: { ...VALUE, versionId: "7" } }).ETag).toBe('"7"');
  });

  it.each<[Partial<Cached<Named>>, string, string]>([
    [{ from: "memory", ageMs: 999, ttlMs: 299_001 }, "0", "hit; ttl=299"],
    [{ from: "memory", ageMs: 88_000, ttlMs: 212_000 }, "88", "hit; ttl=212"],
    [{ from: "memory", ageMs: 1_999, ttlMs: 999 }, "1", "hit; ttl=0"],
    [{ from: "memory", ageMs: 300_000, ttlMs: 0 }, "300", "hit; ttl=0"],
    [{ from: "memory", ageMs: 330_000, ttlMs: -30_000 }, "330", "hit; ttl=-30"],
    [{ from: "memory", ageMs: 300_001, ttlMs: -1 }, "300", "hit; ttl=-1"],
    [{ from: "fetch", ageMs: 0, ttlMs: 300_000 }, "0", "fwd=miss"],
    [{ from: "fetch", ageMs: 1_200, ttlMs: 0 }, "1", "fwd=miss"],
  ])("tell of %j in whole seconds, begun ones not counted", (how, age, status) => {
    expect(headersOf(how)).toMatchObject({ Age: age, "Cache-Status": `cross-account-secrets; ${status}` });
  });

  it.each<[FailureCode, number]>([
    ["timeout", 504],
    ["unreachable", 503],
    ["aws-error", 502],
    ["aws-response-invalid", 502],
    ["throttled", 429],
    ["credentials-expired", 502],
    ["internal", 500],
  ])("tell of a stale value after %s with the status %d, which the failure would have had", (code, status) => {
    const from = { failed: new Failure(code, "what AWS said is nobody's concern") };
    expect(headersOf({ from, ageMs: 400_000, ttlMs: -100_000 })).toMatchObject({
      Age: "400",
      "Cache-Status": `cross-account-secrets; fwd=stale; fwd-status=${status}`,
    });
  });
});
