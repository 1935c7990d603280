import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolveSource } from "../../../extension/cache/resolve.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { secretRules } from "../../../extension/values/secret.ts";
import type { Source } from "../../../extension/values/source.ts";

const A = "111111111111";
const B = "333333333333";
const OF_A = `arn:aws:iam::${A}:role/Reader`;
const OF_A_TOO = `arn:aws:iam::${A}:role/OtherReader`;
const OF_B = `arn:aws:iam::${B}:role/Reader`;

const toPartialArn = (name: string, account = A, region = "eu-west-1") =>
  `arn:aws:secretsmanager:${region}:${account}:secret:${name}`;
const toArn = (name: string, account = A, region = "eu-west-1") => `${toPartialArn(name, account, region)}-AbCdEf`;

const toSource = (roleArn: string, secretIds: readonly string[] = [], region = "eu-west-1"): Source => ({
  roleArn,
  externalId: undefined,
  region: undefined,
  home: { region, accountId: roleArn.split(":")[4] ?? "" },
  secretIds,
  parameterNames: [],
  prefetchIds: secretIds,
});

interface Ask {
  readonly secretId: string;
  readonly roleArn?: string;
  readonly allow?: "any" | "configured";
}

const choose = ({ secretId, roleArn, allow = "any" }: Ask, sources: readonly Source[]) => {
  const request = { rules: secretRules, query: { secretId }, roleArn };
  return resolveSource(
    request,
    allow,
    sources.map((source) => ({ source })),
  );
};

/** The role that is chosen, or the code of the refusal. */
function outcomeOf(ask: Ask, sources: readonly Source[]): string {
  try {
    return choose(ask, sources).source.source.roleArn;
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return thrown.code;
  }
}

/** The refusal itself. */
function refusalOf(ask: Ask, sources: readonly Source[]): Failure {
  try {
    choose(ask, sources);
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown;
  }
  throw new Error("it was not refused");
}

describe("the source of a request", () => {
  it("is the only one there is, for whatever secret", () => {
    for (const secretId of ["app", toArn("app"), toArn("app", B), toArn("app", "999999999999")]) {
      expect(outcomeOf({ secretId }, [toSource(OF_A)])).toBe(OF_A);
    }
  });

  it("is the one whose role is named, for whatever secret", () => {
    const sources = [toSource(OF_A), toSource(OF_A_TOO), toSource(OF_B)];
    for (const roleArn of [OF_A, OF_A_TOO, OF_B]) {
      for (const secretId of ["app", toArn("app"), toArn("app", B)]) {
        expect(outcomeOf({ secretId, roleArn }, sources)).toBe(roleArn);
      }
    }
  });

  it("is none where another role is named, whatever may be asked for", () => {
    for (const allow of ["any", "configured"] as const) {
      const ask = { secretId: "app", roleArn: OF_A_TOO, allow };
      expect(refusalOf(ask, [toSource(OF_A, ["app"]), toSource(OF_B, ["app"])])).toMatchObject({
        code: "not-allowed",
        message: "roleArn is not a configured target role",
      });
    }
  });

  it("is the one in whose account the ARN is", () => {
    const sources = [toSource(OF_A), toSource(OF_B)];
    expect(outcomeOf({ secretId: toArn("app") }, sources)).toBe(OF_A);
    expect(outcomeOf({ secretId: toPartialArn("app", B) }, sources)).toBe(OF_B);
    expect(outcomeOf({ secretId: toArn("app", B, "us-east-1") }, sources)).toBe(OF_B);
  });

  it("is not guessed for a bare name, nor for an account of none or of two of them", () => {
    const sources = [toSource(OF_A), toSource(OF_A_TOO), toSource(OF_B)];
    for (const secretId of ["app", toArn("app"), toArn("app", "999999999999")]) {
      expect(refusalOf({ secretId }, sources)).toMatchObject({
        code: "invalid-request",
        message: expect.stringContaining("roleArn"),
      });
    }
  });

  it("is none where there is no source", () => {
    expect(outcomeOf({ secretId: "app" }, [])).toBe("not-allowed");
  });
});

describe("the source of a configured secret", () => {
  const allow = "configured";

  it("is the one that names it, by whatever spelling", () => {
    const sources = [toSource(OF_A, ["app"]), toSource(OF_B, [toArn("other", B)])];
    for (const secretId of ["app", toArn("app"), toPartialArn("app")]) {
      expect(outcomeOf({ secretId, allow }, sources)).toBe(OF_A);
    }
    for (const secretId of ["other", toArn("other", B), toPartialArn("other", B)]) {
      expect(outcomeOf({ secretId, allow }, sources)).toBe(OF_B);
    }
  });

  it("may be a role of another account, where that names the ARN", () => {
    const sources = [toSource(OF_A, [toArn("app", B)]), toSource(OF_B, ["other"])];
    expect(outcomeOf({ secretId: toArn("app", B), allow }, sources)).toBe(OF_A);
  });

  it("is the ARN's account's own where a role of another account names it too", () => {
    const sources = [toSource(OF_A, [toArn("app", B)]), toSource(OF_B, ["app"])];
    expect(outcomeOf({ secretId: toArn("app", B), allow }, sources)).toBe(OF_B);
  });

  it("is not guessed for a bare name that two of them have, and is for its ARN", () => {
    const sources = [toSource(OF_A, ["app"]), toSource(OF_B, ["app"])];
    expect(outcomeOf({ secretId: "app", allow }, sources)).toBe("invalid-request");
    expect(outcomeOf({ secretId: "app", allow, roleArn: OF_B }, sources)).toBe(OF_B);
    expect(outcomeOf({ secretId: toArn("app", B), allow }, sources)).toBe(OF_B);
  });

  it("is none where nobody names it, or only another role than the one that is asked for", () => {
    const sources = [toSource(OF_A, ["app"]), toSource(OF_B, ["other"])];
    const asks = [
      { secretId: "third" },
      { secretId: "app", roleArn: OF_B },
      { secretId: toArn("app", B) },
      { secretId: toArn("app", A, "us-east-1") },
    ];
    for (const ask of asks) {
      expect(refusalOf({ ...ask, allow }, sources)).toMatchObject({
        code: "not-allowed",
        details: { remedy: expect.stringMatching(/SECRET_IDS.*CONFIG.*ALLOW/) },
      });
    }
  });

  it("is at home where its source is: one name is two secrets in two regions", () => {
    const sources = [toSource(OF_A, ["app"], "eu-west-1"), toSource(OF_A_TOO, ["app"], "us-east-1")];
    expect(outcomeOf({ secretId: toArn("app"), allow }, sources)).toBe(OF_A);
    expect(outcomeOf({ secretId: toArn("app", A, "us-east-1"), allow }, sources)).toBe(OF_A_TOO);
  });
});

describe("what AWS answered", () => {
  const answered = { arn: toArn("app-secret"), name: "app-secret" };

  it("is believed where it is the secret that is configured", () => {
    const { expectAllowed } = choose({ secretId: toPartialArn("app-secret"), allow: "configured" }, [
      toSource(OF_A, ["app-secret"]),
    ]);
    expect(() => expectAllowed(answered)).not.toThrow();
  });

  it("is refused where it is another than was configured, which only looked like it", () => {
    const { expectAllowed } = choose({ secretId: toPartialArn("app-secret"), allow: "configured" }, [
      toSource(OF_A, ["app"]),
    ]);
    expect(() => expectAllowed({ arn: toArn("app"), name: "app" })).not.toThrow();
    expect(() => expectAllowed(answered)).toThrow(expect.objectContaining({ code: "not-allowed" }));
  });

  it("is refused though another source has it configured: that one was not asked", () => {
    const sources = [toSource(OF_A, ["app"]), toSource(OF_B, [toArn("app-secret")])];
    const ask: Ask = { secretId: toPartialArn("app-secret"), allow: "configured", roleArn: OF_A };
    expect(() => choose(ask, sources).expectAllowed(answered)).toThrow(
      expect.objectContaining({ code: "not-allowed" }),
    );
  });

  it("is no matter where anything may be asked for", () => {
    const { expectAllowed } = choose({ secretId: "x" }, [toSource(OF_A, ["app"])]);
    expect(() => expectAllowed(answered)).not.toThrow();
  });
});

describe("whatever is asked of whatever sources", () => {
  const roleArn = fc.constantFrom(OF_A, OF_A_TOO, OF_B);
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

  it("the role is one that was asked for, is the same in whatever order they stand, and gives only what is configured for it", () => {
    fc.assert(
      fc.property(ask, sources, answer, (asked, given, answered) => {
        const outcome = outcomeOf(asked, given);
        expect(outcomeOf(asked, [...given].reverse())).toBe(outcome);
        const chosen = given.find((one) => one.roleArn === outcome);
        if (chosen === undefined) {
          expect(["not-allowed", "invalid-request"]).toContain(outcome);
          // Only where there is more than one is it a question which.
          if (given.length < 2 || asked.roleArn !== undefined) expect(outcome).toBe("not-allowed");
          return;
        }
        if (asked.roleArn !== undefined) expect(outcome).toBe(asked.roleArn);
        const { expectAllowed } = choose(asked, given);
        const isConfigured = chosen.secretIds.some((id) => secretRules.isCalled(answered, id));
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

  it("saying more never leads to another role: with its own role named, each choice is the same", () => {
    fc.assert(
      fc.property(ask, sources, (asked, given) => {
        const outcome = outcomeOf(asked, given);
        if (outcome.startsWith("arn:")) expect(outcomeOf({ ...asked, roleArn: outcome }, given)).toBe(outcome);
      }),
    );
  });
});
