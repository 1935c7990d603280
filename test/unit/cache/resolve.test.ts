import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { ValueCache } from "../../../extension/cache/cache.ts";
import { createRead, resolveSource } from "../../../extension/cache/resolve.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../../extension/values/secret.ts";
import { isCalled, type Source } from "../../../extension/values/source.ts";
import { createConfig } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import { toPartialArn as toPartialArnIn, toSecretValue } from "../../support/values.ts";

const A = "111111111111";
const B = "333333333333";
const ROLE_OF_A = `arn:aws:iam::${A}:role/Reader`;
const SECOND_ROLE_OF_A = `arn:aws:iam::${A}:role/OtherReader`;
const ROLE_OF_B = `arn:aws:iam::${B}:role/Reader`;

const toPartialArn = (name: string, accountId = A, region = "eu-west-1") => toPartialArnIn(name, { region, accountId });
const toArn = (name: string, accountId = A, region = "eu-west-1") => `${toPartialArn(name, accountId, region)}-AbCdEf`;

const [SOURCE] = createConfig().sources;
const toSource = (roleArn: string, secretIds: readonly string[] = [], region = "eu-west-1"): Source => ({
  ...SOURCE,
  roleArn,
  home: { region, accountId: roleArn.split(":")[4] ?? "" },
  secretIds,
});

interface SecretRequest {
  readonly secretId: string;
  readonly roleArn?: string;
  readonly allow?: "any" | "configured";
}

const choose = ({ secretId, roleArn, allow = "any" }: SecretRequest, sources: readonly Source[]) => {
  const request = { rules: secretRules, query: { secretId }, roleArn };
  return resolveSource(
    request,
    allow,
    sources.map((source) => ({ source })),
  );
};

/** The ARN of the chosen role, or the failure's code. */
function outcomeOf(ask: SecretRequest, sources: readonly Source[]): string {
  try {
    return choose(ask, sources).source.source.roleArn;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return thrown.code;
  }
}

function failureOfChoice(ask: SecretRequest, sources: readonly Source[]): Failure {
  try {
    choose(ask, sources);
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
  }
  throw new Error("it did not fail");
}

describe("the source of a request", () => {
  it("is the only source, for every secret", () => {
    for (const secretId of ["app", toArn("app"), toArn("app", B), toArn("app", "999999999999")]) {
      expect(outcomeOf({ secretId }, [toSource(ROLE_OF_A)])).toBe(ROLE_OF_A);
    }
  });

  it("is the source whose role the request names, for every secret", () => {
    const sources = [toSource(ROLE_OF_A), toSource(SECOND_ROLE_OF_A), toSource(ROLE_OF_B)];
    for (const roleArn of [ROLE_OF_A, SECOND_ROLE_OF_A, ROLE_OF_B]) {
      for (const secretId of ["app", toArn("app"), toArn("app", B)]) {
        expect(outcomeOf({ secretId, roleArn }, sources)).toBe(roleArn);
      }
    }
  });

  it("is refused if the request names an unknown role, even if every secret is allowed", () => {
    for (const allow of ["any", "configured"] as const) {
      const ask = { secretId: "app", roleArn: SECOND_ROLE_OF_A, allow };
      expect(failureOfChoice(ask, [toSource(ROLE_OF_A, ["app"]), toSource(ROLE_OF_B, ["app"])])).toMatchObject({
        code: "not-allowed",
        message: "roleArn is not a configured target role",
      });
    }
  });

  it("is the source in the ARN's account", () => {
    const sources = [toSource(ROLE_OF_A), toSource(ROLE_OF_B)];
    expect(outcomeOf({ secretId: toArn("app") }, sources)).toBe(ROLE_OF_A);
    expect(outcomeOf({ secretId: toPartialArn("app", B) }, sources)).toBe(ROLE_OF_B);
    expect(outcomeOf({ secretId: toArn("app", B, "us-east-1") }, sources)).toBe(ROLE_OF_B);
  });

  it("is not guessed for a bare name, or for an account that no source or two sources have", () => {
    const sources = [toSource(ROLE_OF_A), toSource(SECOND_ROLE_OF_A), toSource(ROLE_OF_B)];
    for (const secretId of ["app", toArn("app"), toArn("app", "999999999999")]) {
      expect(failureOfChoice({ secretId }, sources)).toMatchObject({
        code: "invalid-request",
        message: expect.stringContaining("roleArn"),
      });
    }
  });

  it("is refused if there is no source", () => {
    expect(outcomeOf({ secretId: "app" }, [])).toBe("not-allowed");
  });
});

describe("the source of a configured secret", () => {
  const allow = "configured";

  it("is the source that lists it, under each of its ids", () => {
    const sources = [toSource(ROLE_OF_A, ["app"]), toSource(ROLE_OF_B, [toArn("other", B)])];
    for (const secretId of ["app", toArn("app"), toPartialArn("app")]) {
      expect(outcomeOf({ secretId, allow }, sources)).toBe(ROLE_OF_A);
    }
    for (const secretId of ["other", toArn("other", B), toPartialArn("other", B)]) {
      expect(outcomeOf({ secretId, allow }, sources)).toBe(ROLE_OF_B);
    }
  });

  it("may be a role of another account if that lists the ARN", () => {
    const sources = [toSource(ROLE_OF_A, [toArn("app", B)]), toSource(ROLE_OF_B, ["other"])];
    expect(outcomeOf({ secretId: toArn("app", B), allow }, sources)).toBe(ROLE_OF_A);
  });

  it("is the one in the ARN's account if a role of another account lists it too", () => {
    const sources = [toSource(ROLE_OF_A, [toArn("app", B)]), toSource(ROLE_OF_B, ["app"])];
    expect(outcomeOf({ secretId: toArn("app", B), allow }, sources)).toBe(ROLE_OF_B);
  });

  it("is not guessed for a bare name that two sources list, but is found for its ARN", () => {
    const sources = [toSource(ROLE_OF_A, ["app"]), toSource(ROLE_OF_B, ["app"])];
    expect(outcomeOf({ secretId: "app", allow }, sources)).toBe("invalid-request");
    expect(outcomeOf({ secretId: "app", allow, roleArn: ROLE_OF_B }, sources)).toBe(ROLE_OF_B);
    expect(outcomeOf({ secretId: toArn("app", B), allow }, sources)).toBe(ROLE_OF_B);
  });

  it("is refused if no source lists it, or only another role than the request names", () => {
    const sources = [toSource(ROLE_OF_A, ["app"]), toSource(ROLE_OF_B, ["other"])];
    const asks = [
      { secretId: "third" },
      { secretId: "app", roleArn: ROLE_OF_B },
      { secretId: toArn("app", B) },
      { secretId: toArn("app", A, "us-east-1") },
    ];
    for (const ask of asks) {
      expect(failureOfChoice({ ...ask, allow }, sources)).toMatchObject({
        code: "not-allowed",
        message: "the secret is not among the configured ones",
        details: { remedy: expect.stringMatching(/SECRET_IDS.*CONFIG.*ALLOW/) },
      });
    }
  });

  it("is found by region: one name is two secrets in two regions", () => {
    const sources = [toSource(ROLE_OF_A, ["app"], "eu-west-1"), toSource(SECOND_ROLE_OF_A, ["app"], "us-east-1")];
    expect(outcomeOf({ secretId: toArn("app"), allow }, sources)).toBe(ROLE_OF_A);
    expect(outcomeOf({ secretId: toArn("app", A, "us-east-1"), allow }, sources)).toBe(SECOND_ROLE_OF_A);
  });
});

describe("an answer of AWS", () => {
  const answered = { arn: toArn("app-secret"), name: "app-secret" };

  it("is accepted if it is the configured secret", () => {
    const { expectAllowed } = choose({ secretId: toPartialArn("app-secret"), allow: "configured" }, [
      toSource(ROLE_OF_A, ["app-secret"]),
    ]);
    expect(() => expectAllowed(answered)).not.toThrow();
  });

  it("is accepted if one of several configured secrets that it may have been is the one that it is", () => {
    const { expectAllowed } = choose({ secretId: toPartialArn("app-secret"), allow: "configured" }, [
      toSource(ROLE_OF_A, ["app", "app-secret"]),
    ]);
    expect(() => expectAllowed(answered)).not.toThrow();
  });

  it("is refused if it is another secret, whose id only looked like the configured one", () => {
    const { expectAllowed } = choose({ secretId: toPartialArn("app-secret"), allow: "configured" }, [
      toSource(ROLE_OF_A, ["app"]),
    ]);
    expect(() => expectAllowed({ arn: toArn("app"), name: "app" })).not.toThrow();
    expect(() => expectAllowed(answered)).toThrow(expect.objectContaining({ code: "not-allowed" }));
  });

  it("is refused if only another source lists it, since that one was not asked", () => {
    const sources = [toSource(ROLE_OF_A, ["app"]), toSource(ROLE_OF_B, [toArn("app-secret")])];
    const ask: SecretRequest = { secretId: toPartialArn("app-secret"), allow: "configured", roleArn: ROLE_OF_A };
    expect(() => choose(ask, sources).expectAllowed(answered)).toThrow(
      expect.objectContaining({ code: "not-allowed" }),
    );
  });

  it("is always accepted if every secret is allowed", () => {
    const { expectAllowed } = choose({ secretId: "x" }, [toSource(ROLE_OF_A, ["app"])]);
    expect(() => expectAllowed(answered)).not.toThrow();
  });
});

describe("for any request and any sources", () => {
  const roleArn = fc.constantFrom(ROLE_OF_A, SECOND_ROLE_OF_A, ROLE_OF_B);
  const name = fc.constantFrom("app", "app-secret", "other");
  const account = fc.constantFrom(A, B);
  const region = fc.constantFrom("eu-west-1", "us-east-1");
  const secretId = fc.oneof(
    name,
    fc.tuple(name, account, region).map((parts) => toArn(...parts)),
    fc.tuple(name, account, region).map((parts) => toPartialArn(...parts)),
  );
  const source = fc.tuple(roleArn, fc.array(secretId, { maxLength: 3 }), region).map((parts) => toSource(...parts));
  const sources = fc.uniqueArray(source, { maxLength: 3, selector: (one) => one.roleArn });
  const ask = fc.record(
    { secretId, roleArn, allow: fc.constantFrom("any" as const, "configured" as const) },
    { requiredKeys: ["secretId", "allow"] },
  );
  const answer = fc.tuple(name, account, region).map((parts) => ({ arn: toArn(...parts), name: parts[0] }));

  it("the role is one that was requested, does not depend on the order of the sources, and allows only what is configured for it", () => {
    fc.assert(
      fc.property(ask, sources, answer, (asked, given, answered) => {
        const outcome = outcomeOf(asked, given);
        expect(outcomeOf(asked, [...given].reverse())).toBe(outcome);
        const chosen = given.find((one) => one.roleArn === outcome);
        if (chosen === undefined) {
          expect(["not-allowed", "invalid-request"]).toContain(outcome);
          // The choice can be ambiguous only between several sources.
          if (given.length < 2 || asked.roleArn !== undefined) expect(outcome).toBe("not-allowed");
          return;
        }
        if (asked.roleArn !== undefined) expect(outcome).toBe(asked.roleArn);
        const { expectAllowed } = choose(asked, given);
        const isConfigured = chosen.secretIds.some((id) => isCalled(secretRules, answered, id));
        let isLetThrough = true;
        try {
          expectAllowed(answered);
        } catch {
          isLetThrough = false;
        }
        if (asked.allow === "any") expect(isLetThrough).toBe(true);
        else if (!isConfigured) expect(isLetThrough).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it("a request that also names its role gets the same role", () => {
    fc.assert(
      fc.property(ask, sources, (asked, given) => {
        const outcome = outcomeOf(asked, given);
        if (outcome.startsWith("arn:")) expect(outcomeOf({ ...asked, roleArn: outcome }, given)).toBe(outcome);
      }),
    );
  });
});

const DEADLINE_EPOCH_MS = Date.UTC(2026, 0, 1);
type Get = ValueCache<SecretQuery, SecretValue>["get"];

/** The `get` of a cache that returns these values, one after the other. */
const createGet = (...values: readonly SecretValue[]) => {
  const left = [...values];
  return vi.fn<Get>(async () => {
    const value = left.shift();
    if (value === undefined) throw new Error("no read was expected");
    return { value, from: "memory", ageMs: 0, ttlMs: 1 };
  });
};

/** A read of `secretId`; `restore` replaces the cache. */
function setUpRead(secretId: string, first: Get, { secretIds = [secretId], refreshNow = false } = {}) {
  const source = toSource(ROLE_OF_A, secretIds);
  let all = [{ source, get: first }];
  const readUntil = createRead({
    rules: secretRules,
    request: { query: { secretId }, roleArn: undefined, refreshNow },
    allow: "configured",
    readers: () => all,
    toCache: ({ get }) => ({ get }),
  });
  const restore = (get: Get) => {
    all = [{ source, get }];
  };
  return { read: () => readUntil(DEADLINE_EPOCH_MS), restore };
}

describe("a read", () => {
  it("asks the source's cache each time, until the deadline", async () => {
    const [one, other] = [toSecretValue({ name: "app/db" }), toSecretValue({ name: "app/db", versionId: "v2" })];
    const get = createGet(one, other);
    const { read } = setUpRead("app/db", get, { refreshNow: true });
    expect((await read()).value).toBe(one);
    expect((await read()).value).toBe(other);
    const call = [{ secretId: "app/db" }, { deadlineEpochMs: DEADLINE_EPOCH_MS, refreshNow: true }];
    expect(get.mock.calls).toEqual([call, call]);
  });

  it("asks no cache if the secret is not allowed, also when it is repeated", async () => {
    const { read } = setUpRead("other", createGet(), { secretIds: ["app/db"] });
    for (const _ of [1, 2]) expect(await failureOf(read())).toMatchObject({ code: "not-allowed" });
  });

  it("returns no secret that turns out not to be allowed, also when it is repeated", async () => {
    // Only AWS knows whether the last characters are random or part of another secret's name.
    const [allowed, other] = [toSecretValue({ name: "app/db" }), toSecretValue({ name: "app/db-AbCdEf" })];
    const partialArn = toArn("app/db");
    const { read } = setUpRead(partialArn, createGet(allowed, other, other, allowed), { secretIds: ["app/db"] });
    expect((await read()).value).toBe(allowed);
    for (const _ of [1, 2]) expect(await failureOf(read())).toMatchObject({ code: "not-allowed" });
    expect((await read()).value).toBe(allowed);
  });

  it("asks the new cache after a restore, and not the old one", async () => {
    const [before, after] = [
      createGet(toSecretValue({ name: "app/db" })),
      createGet(toSecretValue({ name: "app/db" })),
    ];
    const { read, restore } = setUpRead("app/db", before);
    await read();
    restore(after);
    await read();
    expect([before, after].map((get) => get.mock.calls.length)).toEqual([1, 1]);
  });
});
