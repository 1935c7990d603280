import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSecretStore, type Stored } from "../../../extension/cache/store.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../../extension/values/secret.ts";
import { HOME, toPartialArn, toSecretArn, toSecretValue } from "../../support/values.ts";

const MIB = 1_048_576;

function toSecret(name: string, order = 1, value: Partial<SecretValue> = {}): Stored<SecretValue> {
  return {
    value: toSecretValue({ name, versionId: `v${order}`, ...value }),
    askedAtEpochMs: 0,
    freshMs: 0,
    order,
  };
}

/** A store. `keepByName` keeps a secret as if it had been requested by its name, and `version` returns the version that is found. */
function setUp({ maxEntries = 1_000 } = {}) {
  const store = createSecretStore({ rules: secretRules, home: HOME, maxEntries, maxBytes: 8 * MIB });
  return {
    ...store,
    keepByName: (secret: Stored<SecretValue>) => store.keep({ secretId: secret.value.name }, secret),
    version: (secretId: string, rest: Omit<SecretQuery, "secretId"> = {}) =>
      store.find({ secretId, ...rest })?.value.versionId,
  };
}

/** A name, one that ends like an ARN, and one that ends so twice. */
const names = ["app/database", "my-abcdef", "my-abcdef-ghijkl"];

describe("a stored secret", () => {
  it.each(
    names.flatMap((name) => [name, toSecretArn(name), toPartialArn(name)].map((asked) => [name, asked] as const)),
  )("%s, requested as %s, is found by each of its ids", (name, asked) => {
    const { keep, version } = setUp();
    keep({ secretId: asked }, toSecret(name));
    for (const secretId of [name, toSecretArn(name), toPartialArn(name)]) expect(version(secretId)).toBe("v1");
  });

  it.each(names)("%s is one entry, under every requested id", (name) => {
    const { keep, version } = setUp({ maxEntries: 2 });
    keep({ secretId: "other" }, toSecret("other", 1));
    for (const [index, secretId] of [name, toSecretArn(name), toPartialArn(name)].entries()) {
      keep({ secretId }, toSecret(name, 2 + index));
    }
    expect(version("other")).toBe("v1");
    expect(version(name)).toBe("v4");
  });

  it("is not found by ids that only look like its own", () => {
    const { keepByName, version } = setUp();
    keepByName(toSecret("my"));
    keepByName(toSecret("app/database"));
    const strangers = [
      "app",
      "app/Database",
      "app/database-AbCdEf",
      "my-abcdef",
      toPartialArn("my-abcdef"),
      toSecretArn("my-abcdef"),
      toSecretArn("app/database", "XyZ123"),
      toSecretArn("app/database").replace("eu-west-1", "us-east-1"),
      toSecretArn("app/database").replace("111111111111", "333333333333"),
      toSecretArn("app/database").replace("arn:aws:", "arn:aws-cn:"),
    ];
    expect(strangers.filter((secretId) => version(secretId) !== undefined)).toEqual([]);
  });

  it.each([
    ["my", "my-abcdef"],
    ["my-abcdef", "my"],
    ["my-abcdef", "my-abcdef-ghijkl"],
    ["my-abcdef-ghijkl", "my-abcdef"],
  ])("%s and %s are both kept, and each is found by its own ids only", (first, second) => {
    const { keep, version } = setUp();
    keep({ secretId: toPartialArn(first) }, toSecret(first, 1));
    keep({ secretId: toPartialArn(second) }, toSecret(second, 2));
    for (const [name, expected] of [
      [first, "v1"],
      [second, "v2"],
    ] as const) {
      for (const secretId of [name, toSecretArn(name), toPartialArn(name)]) expect(version(secretId)).toBe(expected);
    }
  });

  it("is found by its ARN even if that looks like the partial ARN of a longer name", () => {
    const { keep, version } = setUp();
    // With its random characters, the ARN happens to look like the partial ARN of `my-abcdef`.
    const arn = toPartialArn("my-abcdef");
    keep({ secretId: "my" }, toSecret("my", 1, { arn }));
    expect(version(arn)).toBe("v1");
    expect(version("my-abcdef")).toBeUndefined();
  });

  it("of another region is not found by its bare name", () => {
    const { keep, version } = setUp();
    const arn = toSecretArn("app/database").replace("eu-west-1", "us-east-1");
    keep({ secretId: arn }, toSecret("app/database", 1, { arn }));
    expect(version("app/database")).toBeUndefined();
    expect(version(arn)).toBe("v1");
  });

  it("is gone under all its ids after it was dropped under one", () => {
    for (const dropped of ["app/database", toSecretArn("app/database"), toPartialArn("app/database")]) {
      const { drop, keepByName, version } = setUp();
      keepByName(toSecret("app/database"));
      keepByName(toSecret("other"));
      drop({ secretId: dropped });
      expect(version("app/database")).toBeUndefined();
      expect(version(toSecretArn("app/database"))).toBeUndefined();
      expect(version("other")).toBe("v1");
    }
  });

  it("is not dropped under the ids of other secrets", () => {
    const { drop, keepByName, version } = setUp();
    keepByName(toSecret("my"));
    for (const secretId of ["my-abcdef", toPartialArn("my-abcdef"), toSecretArn("my", "XyZ123"), "other"])
      drop({ secretId });
    expect(version("my")).toBe("v1");
  });
});

describe("versions and stages", () => {
  const APP = { secretId: "app/database" };

  it("are separate entries", () => {
    const { keep, drop, version } = setUp();
    keep(APP, toSecret("app/database", 1));
    keep({ ...APP, versionStage: "AWSPREVIOUS" }, toSecret("app/database", 2));
    keep({ ...APP, versionId: "x" }, toSecret("app/database", 3));
    keep({ ...APP, versionId: "x", versionStage: "AWSPREVIOUS" }, toSecret("app/database", 4));
    const look = () => [
      version("app/database"),
      version(toSecretArn("app/database"), { versionStage: "AWSPREVIOUS" }),
      version(toPartialArn("app/database"), { versionId: "x" }),
      version("app/database", { versionId: "x", versionStage: "AWSPREVIOUS" }),
      version("app/database", { versionId: "y" }),
    ];
    expect(look()).toEqual(["v1", "v2", "v3", "v4", undefined]);
    drop({ ...APP, versionId: "x" });
    expect(look()).toEqual(["v1", "v2", undefined, "v4", undefined]);
  });

  it.each([
    [{}, { versionStage: "AWSCURRENT" }, true],
    [{ versionId: "" }, {}, true],
    [{ versionId: "x", versionStage: "AWSCURRENT" }, { versionId: "x" }, false],
    [{ versionId: "x" }, { versionStage: "x" }, false],
    [{ versionId: "AWSCURRENT" }, {}, false],
    [{ versionStage: "AWSPENDING" }, {}, false],
    [{ versionStage: "awscurrent" }, {}, false],
  ])("of %j and %j share one entry: %s", (a, b, isSame) => {
    const [one, other] = [a, b].map((rest) => secretRules.toVariant({ secretId: "a", ...rest }));
    expect(one === other).toBe(isSame);
  });
});

describe("a later refusal", () => {
  const refusal = new Failure("secret-not-found", "no such secret");

  it("is returned instead of an earlier answer, under each id", () => {
    for (const secretId of ["app/database", toSecretArn("app/database"), toPartialArn("app/database")]) {
      const { keep, refuse, version } = setUp();
      refuse({ secretId }, 2, refusal);
      expect(keep({ secretId: "app/database" }, toSecret("app/database", 1))).toBe(refusal);
      expect(version("app/database")).toBeUndefined();
    }
  });

  it("of an ARN that is not this secret's does not concern this secret", () => {
    const { keep, refuse, version } = setUp();
    refuse({ secretId: `${toPartialArn("my")}-WRONG1` }, 2, refusal);
    expect(keep({ secretId: "my" }, toSecret("my", 1))).toBeUndefined();
    expect(version("my")).toBe("v1");
  });

  it("of another version, stage or region does not concern this one", () => {
    const { keep, refuse } = setUp();
    refuse({ secretId: "app/database", versionId: "x" }, 2, refusal);
    refuse({ secretId: "app/database", versionStage: "AWSPENDING" }, 3, refusal);
    refuse({ secretId: toSecretArn("app/database").replace("eu-west-1", "us-east-1") }, 4, refusal);
    expect(keep({ secretId: "app/database" }, toSecret("app/database", 1))).toBeUndefined();
  });

  it("does not admit an answer that is older than a dropped one", () => {
    const { drop, keep, refuse, version } = setUp();
    keep({ secretId: "app/database" }, toSecret("app/database", 3));
    drop({ secretId: "app/database" });
    refuse({ secretId: "other" }, 4, refusal);
    keep({ secretId: "app/database" }, toSecret("app/database", 2));
    expect(version("app/database")).toBeUndefined();
  });
});

describe("a later answer", () => {
  it("is not overwritten by an earlier one, under any id", () => {
    const { keep, version } = setUp();
    keep({ secretId: "app/database" }, toSecret("app/database", 2));
    keep({ secretId: toSecretArn("app/database") }, toSecret("app/database", 1));
    expect(version("app/database")).toBe("v2");
    keep({ secretId: toPartialArn("app/database") }, toSecret("app/database", 3));
    expect(version("app/database")).toBe("v3");
  });

  it("with another ARN replaces a secret that was created again, and the old ARN finds nothing", () => {
    const { keepByName, version } = setUp();
    keepByName(toSecret("app/database", 1));
    keepByName(toSecret("app/database", 2, { arn: toSecretArn("app/database", "XyZ123") }));
    expect(version("app/database")).toBe("v2");
    expect(version(toPartialArn("app/database"))).toBe("v2");
    expect(version(toSecretArn("app/database", "XyZ123"))).toBe("v2");
    expect(version(toSecretArn("app/database"))).toBeUndefined();
  });

  it("with another ARN removes the old secret's other versions too", () => {
    const { keep, keepByName, version } = setUp();
    keep({ secretId: "app/database", versionStage: "AWSPREVIOUS" }, toSecret("app/database", 1));
    keep({ secretId: "app/database-2", versionStage: "AWSPREVIOUS" }, toSecret("app/database-2", 1));
    keepByName(toSecret("app/database", 2, { arn: toSecretArn("app/database", "XyZ123") }));
    expect(version("app/database", { versionStage: "AWSPREVIOUS" })).toBeUndefined();
    expect(version(toSecretArn("app/database"), { versionStage: "AWSPREVIOUS" })).toBeUndefined();
    expect(version("app/database-2", { versionStage: "AWSPREVIOUS" })).toBe("v1");
  });
});

const DENIED = new Failure("get-secret-value-denied", "no");

describe("a refusal", () => {
  const APP = { secretId: "app/database" };

  it.each(["app/database", toSecretArn("app/database"), toPartialArn("app/database")])(
    "of %s drops the value of an older fetch",
    (secretId) => {
      const { keepByName, refuse, version } = setUp();
      keepByName(toSecret("app/database", 1));
      refuse({ secretId }, 2, DENIED);
      expect(version("app/database")).toBeUndefined();
    },
  );

  it.each(["app/database", toSecretArn("app/database"), toPartialArn("app/database")])(
    "of %s keeps out the value of an older fetch, but not that of a newer one",
    (secretId) => {
      const { keepByName, refuse, version } = setUp();
      refuse({ secretId }, 2, DENIED);
      expect(keepByName(toSecret("app/database", 1))).toBe(DENIED);
      expect(version("app/database")).toBeUndefined();
      expect(keepByName(toSecret("app/database", 3))).toBeUndefined();
      expect(version("app/database")).toBe("v3");
    },
  );

  it("leaves the value of a newer fetch", () => {
    const { keepByName, refuse, version } = setUp();
    keepByName(toSecret("app/database", 3));
    refuse(APP, 2, DENIED);
    expect(version("app/database")).toBe("v3");
  });

  it("that comes late does not replace a newer one", () => {
    const { keepByName, refuse, version } = setUp();
    refuse(APP, 5, DENIED);
    refuse(APP, 3, DENIED);
    keepByName(toSecret("app/database", 4));
    expect(version("app/database")).toBeUndefined();
  });

  it("concerns one version and one stage only", () => {
    const { keepByName, refuse, version } = setUp();
    refuse({ ...APP, versionStage: "AWSPREVIOUS" }, 2, DENIED);
    keepByName(toSecret("app/database", 1));
    expect(version("app/database")).toBe("v1");
  });

  it("leaves a secret with another name", () => {
    const { keepByName, refuse, version } = setUp();
    keepByName(toSecret("my", 1));
    refuse({ secretId: toPartialArn("my-abcdef") }, 2, DENIED);
    refuse({ secretId: "my-abcdef" }, 3, DENIED);
    expect(version("my")).toBe("v1");
  });
});

describe("a store with limits", () => {
  const bytes = (name: string, length: number, order = 1) =>
    toSecret(name, order, { secretString: undefined, secretBinary: new Uint8Array(length) });
  const text = (name: string, secretString: string) => toSecret(name, 1, { secretString });

  it("keeps nothing if its size is 0", () => {
    const { keepByName, version } = setUp({ maxEntries: 0 });
    keepByName(toSecret("a"));
    expect(version("a")).toBeUndefined();
  });

  it("evicts the least recently used value, and both find and keep are a use", () => {
    const { keepByName, version } = setUp({ maxEntries: 3 });
    for (const name of ["a", "b", "c"]) keepByName(toSecret(name));
    version(toSecretArn("a"));
    keepByName(toSecret("b", 2));
    keepByName(toSecret("d"));
    expect(["a", "b", "c", "d"].filter((name) => version(name) !== undefined)).toEqual(["a", "b", "d"]);
  });

  it("does not count an earlier answer that came too late as a use", () => {
    const { keepByName, version } = setUp({ maxEntries: 2 });
    keepByName(toSecret("a", 2));
    keepByName(toSecret("b", 3));
    keepByName(toSecret("a", 1));
    keepByName(toSecret("c", 4));
    expect(version("a")).toBeUndefined();
    expect(version("b")).toBe("v3");
  });

  it("holds 8 MiB, to the byte", () => {
    const { keepByName, version } = setUp();
    keepByName(bytes("a", 4 * MIB));
    keepByName(bytes("b", 4 * MIB - 1));
    keepByName(bytes("c", 1));
    expect(["a", "b", "c"].filter((name) => version(name) !== undefined)).toEqual(["a", "b", "c"]);
    keepByName(bytes("d", 1));
    expect(["a", "b", "c", "d"].filter((name) => version(name) !== undefined)).toEqual(["b", "c", "d"]);
  });

  it("counts the bytes of a text, and not its characters", () => {
    const { keepByName, version } = setUp();
    keepByName(text("a", "é".repeat(2 * MIB)));
    keepByName(text("b", "é".repeat(2 * MIB)));
    expect(["a", "b"].filter((name) => version(name) !== undefined)).toEqual(["a", "b"]);
    keepByName(text("c", "x"));
    expect(["a", "b", "c"].filter((name) => version(name) !== undefined)).toEqual(["b", "c"]);
  });

  it("counts a value once, even if it is replaced often", () => {
    const { keepByName, version } = setUp();
    keepByName(bytes("a", 4 * MIB));
    for (let order = 1; order <= 10; order += 1) keepByName(bytes("b", 4 * MIB, order));
    expect(version("a")).toBe("v1");
    expect(version("b")).toBe("v10");
  });

  it("evicts as many values as it must, including one that is too large for it", () => {
    const { keepByName, version } = setUp();
    for (const name of ["a", "b", "c"]) keepByName(bytes(name, MIB));
    keepByName(bytes("d", 8 * MIB));
    expect(["a", "b", "c", "d"].filter((name) => version(name) !== undefined)).toEqual(["d"]);
    keepByName(bytes("e", 8 * MIB + 1));
    expect(["d", "e"].filter((name) => version(name) !== undefined)).toEqual([]);
  });

  it("never exceeds its limits, in any sequence of keep, find and drop", () => {
    const step = fc.record({
      kind: fc.constantFrom("keep", "find", "drop"),
      name: fc.constantFrom("a", "b", "c", "my", "my-abcdef"),
      toId: fc.constantFrom((name: string) => name, toSecretArn, toPartialArn),
      length: fc.constantFrom(1, MIB, 3 * MIB, 8 * MIB, 9 * MIB),
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.array(step, { maxLength: 40 }), (maxEntries, steps) => {
        const store = createSecretStore({ rules: secretRules, home: HOME, maxEntries, maxBytes: 8 * MIB });
        for (const [order, { kind, name, toId, length }] of steps.entries()) {
          const query = { secretId: toId(name) };
          if (kind === "keep") store.keep(query, bytes(name, length, order));
          else store[kind](query);
          const held = ["a", "b", "c", "my", "my-abcdef"].flatMap((secretId) => store.find({ secretId }) ?? []);
          expect(held.length).toBeLessThanOrEqual(maxEntries);
          expect(held.reduce((sum, { value }) => sum + (value.secretBinary?.length ?? 0), 0)).toBeLessThanOrEqual(
            8 * MIB,
          );
        }
      }),
    );
  });
});
