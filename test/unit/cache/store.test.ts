import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSecretStore, type Stored } from "../../../extension/cache/store.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { type SecretQuery, type SecretValue, secretRules } from "../../../extension/values/secret.ts";

const HOME = { region: "eu-west-1", accountId: "111111111111" };
const MIB = 1_048_576;

const toArn = (name: string, suffix = "AbCdEf") =>
  `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${name}-${suffix}`;
const toPartialArn = (name: string) => toArn(name).replace("-AbCdEf", "");

function toSecret(name: string, order = 1, value: Partial<SecretValue> = {}): Stored<SecretValue> {
  return {
    value: {
      arn: toArn(name),
      name,
      versionId: `v${order}`,
      versionStages: ["AWSCURRENT"],
      createdDate: new Date(0),
      secretString: "s3cret",
      secretBinary: undefined,
      ...value,
    },
    askedAtEpochMs: 0,
    freshMs: 0,
    order,
  };
}

/** A store; `keepByName` keeps a secret as if it had been asked for by its name, and `find` tells the version that it finds. */
function setUp({ maxEntries = 1_000 } = {}) {
  const store = createSecretStore({ rules: secretRules, home: HOME, maxEntries, maxBytes: 8 * MIB });
  return {
    ...store,
    keepByName: (secret: Stored<SecretValue>) => store.keep({ secretId: secret.value.name }, secret),
    version: (secretId: string, rest: Omit<SecretQuery, "secretId"> = {}) =>
      store.find({ secretId, ...rest })?.value.versionId,
  };
}

/** A name, one that ends in what might be random characters, and one that ends so twice. */
const names = ["app/database", "my-abcdef", "my-abcdef-ghijkl"];

describe("a stored secret", () => {
  it.each(names.flatMap((name) => [name, toArn(name), toPartialArn(name)].map((asked) => [name, asked] as const)))(
    "%s, asked for as %s, is found by each of its names",
    (name, asked) => {
      const { keep, version } = setUp();
      keep({ secretId: asked }, toSecret(name));
      for (const secretId of [name, toArn(name), toPartialArn(name)]) expect(version(secretId)).toBe("v1");
    },
  );

  it.each(names)("%s is one entry, whatever it was asked for as", (name) => {
    const { keep, version } = setUp({ maxEntries: 2 });
    keep({ secretId: "other" }, toSecret("other", 1));
    for (const [index, secretId] of [name, toArn(name), toPartialArn(name)].entries()) {
      keep({ secretId }, toSecret(name, 2 + index));
    }
    expect(version("other")).toBe("v1");
    expect(version(name)).toBe("v4");
  });

  it("is not found by what only looks like it", () => {
    const { keepByName, version } = setUp();
    keepByName(toSecret("my"));
    keepByName(toSecret("app/database"));
    const strangers = [
      "app",
      "app/Database",
      "app/database-AbCdEf",
      "my-abcdef",
      toPartialArn("my-abcdef"),
      toArn("my-abcdef"),
      toArn("app/database", "XyZ123"),
      toArn("app/database").replace("eu-west-1", "us-east-1"),
      toArn("app/database").replace("111111111111", "333333333333"),
      toArn("app/database").replace("arn:aws:", "arn:aws-cn:"),
    ];
    expect(strangers.filter((secretId) => version(secretId) !== undefined)).toEqual([]);
  });

  it.each([
    ["my", "my-abcdef"],
    ["my-abcdef", "my"],
    ["my-abcdef", "my-abcdef-ghijkl"],
    ["my-abcdef-ghijkl", "my-abcdef"],
  ])("%s lives beside %s, each found by its own names alone", (first, second) => {
    const { keep, version } = setUp();
    keep({ secretId: toPartialArn(first) }, toSecret(first, 1));
    keep({ secretId: toPartialArn(second) }, toSecret(second, 2));
    for (const [name, expected] of [
      [first, "v1"],
      [second, "v2"],
    ] as const) {
      for (const secretId of [name, toArn(name), toPartialArn(name)]) expect(version(secretId)).toBe(expected);
    }
  });

  it("is found by the name that it may have without random characters, where the longer one is not at hand", () => {
    const { keep, version } = setUp();
    // Its random characters happen to make it look like the ARN, without random characters, of `my-abcdef`.
    const arn = toPartialArn("my-abcdef");
    keep({ secretId: "my" }, toSecret("my", 1, { arn }));
    expect(version(arn)).toBe("v1");
    expect(version("my-abcdef")).toBeUndefined();
  });

  it("of another region is none that a bare name calls", () => {
    const { keep, version } = setUp();
    const arn = toArn("app/database").replace("eu-west-1", "us-east-1");
    keep({ secretId: arn }, toSecret("app/database", 1, { arn }));
    expect(version("app/database")).toBeUndefined();
    expect(version(arn)).toBe("v1");
  });

  it("is gone under every name when it is dropped, under whichever", () => {
    for (const dropped of ["app/database", toArn("app/database"), toPartialArn("app/database")]) {
      const { drop, keepByName, version } = setUp();
      keepByName(toSecret("app/database"));
      keepByName(toSecret("other"));
      drop({ secretId: dropped });
      expect(version("app/database")).toBeUndefined();
      expect(version(toArn("app/database"))).toBeUndefined();
      expect(version("other")).toBe("v1");
    }
  });

  it("is not dropped for a secret that is called otherwise", () => {
    const { drop, keepByName, version } = setUp();
    keepByName(toSecret("my"));
    for (const secretId of ["my-abcdef", toPartialArn("my-abcdef"), toArn("my", "XyZ123"), "other"]) drop({ secretId });
    expect(version("my")).toBe("v1");
  });
});

describe("versions and stages", () => {
  const APP = { secretId: "app/database" };

  it("are entries of their own", () => {
    const { keep, drop, version } = setUp();
    keep(APP, toSecret("app/database", 1));
    keep({ ...APP, versionStage: "AWSPREVIOUS" }, toSecret("app/database", 2));
    keep({ ...APP, versionId: "x" }, toSecret("app/database", 3));
    keep({ ...APP, versionId: "x", versionStage: "AWSPREVIOUS" }, toSecret("app/database", 4));
    const look = () => [
      version("app/database"),
      version(toArn("app/database"), { versionStage: "AWSPREVIOUS" }),
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
  ])("%j and %j are the same: %s", (a, b, isSame) => {
    const [one, other] = [a, b].map((rest) => secretRules.toVariant({ secretId: "a", ...rest }));
    expect(one === other).toBe(isSame);
  });
});

describe("a later refusal", () => {
  const refusal = new Failure("secret-not-found", "no such secret");

  it("is given instead of an earlier answer, by whatever it was asked for", () => {
    for (const secretId of ["app/database", toArn("app/database"), toPartialArn("app/database")]) {
      const { keep, refuse, version } = setUp();
      refuse({ secretId }, 2, refusal);
      expect(keep({ secretId: "app/database" }, toSecret("app/database", 1))).toBe(refusal);
      expect(version("app/database")).toBeUndefined();
    }
  });

  it("of an ARN that is another secret's, or nobody's, is none of this secret", () => {
    const { keep, refuse, version } = setUp();
    refuse({ secretId: `${toPartialArn("my")}-WRONG1` }, 2, refusal);
    expect(keep({ secretId: "my" }, toSecret("my", 1))).toBeUndefined();
    expect(version("my")).toBe("v1");
  });

  it("of another version, stage or region is none of this one", () => {
    const { keep, refuse } = setUp();
    refuse({ secretId: "app/database", versionId: "x" }, 2, refusal);
    refuse({ secretId: "app/database", versionStage: "AWSPENDING" }, 3, refusal);
    refuse({ secretId: toArn("app/database").replace("eu-west-1", "us-east-1") }, 4, refusal);
    expect(keep({ secretId: "app/database" }, toSecret("app/database", 1))).toBeUndefined();
  });

  it("does not let an older answer in over a newer one that is not at hand any more", () => {
    const { drop, keep, refuse, version } = setUp();
    keep({ secretId: "app/database" }, toSecret("app/database", 3));
    drop({ secretId: "app/database" });
    refuse({ secretId: "other" }, 4, refusal);
    keep({ secretId: "app/database" }, toSecret("app/database", 2));
    expect(version("app/database")).toBeUndefined();
  });
});

describe("a later answer", () => {
  it("is not overwritten by an earlier one, however they are spelled", () => {
    const { keep, version } = setUp();
    keep({ secretId: "app/database" }, toSecret("app/database", 2));
    keep({ secretId: toArn("app/database") }, toSecret("app/database", 1));
    expect(version("app/database")).toBe("v2");
    keep({ secretId: toPartialArn("app/database") }, toSecret("app/database", 3));
    expect(version("app/database")).toBe("v3");
  });

  it("with another ARN replaces it: the secret was created anew, and the old ARN calls nothing", () => {
    const { keepByName, version } = setUp();
    keepByName(toSecret("app/database", 1));
    keepByName(toSecret("app/database", 2, { arn: toArn("app/database", "XyZ123") }));
    expect(version("app/database")).toBe("v2");
    expect(version(toPartialArn("app/database"))).toBe("v2");
    expect(version(toArn("app/database", "XyZ123"))).toBe("v2");
    expect(version(toArn("app/database"))).toBeUndefined();
  });

  it("with another ARN takes the old secret's other versions with it", () => {
    const { keep, keepByName, version } = setUp();
    keep({ secretId: "app/database", versionStage: "AWSPREVIOUS" }, toSecret("app/database", 1));
    keep({ secretId: "app/database-2", versionStage: "AWSPREVIOUS" }, toSecret("app/database-2", 1));
    keepByName(toSecret("app/database", 2, { arn: toArn("app/database", "XyZ123") }));
    expect(version("app/database", { versionStage: "AWSPREVIOUS" })).toBeUndefined();
    expect(version(toArn("app/database"), { versionStage: "AWSPREVIOUS" })).toBeUndefined();
    expect(version("app/database-2", { versionStage: "AWSPREVIOUS" })).toBe("v1");
  });
});

const DENIED = new Failure("get-secret-value-denied", "no");

describe("a refusal", () => {
  const APP = { secretId: "app/database" };

  it.each(["app/database", toArn("app/database"), toPartialArn("app/database")])(
    "of %s drops what an older fetch brought",
    (secretId) => {
      const { keepByName, refuse, version } = setUp();
      keepByName(toSecret("app/database", 1));
      refuse({ secretId }, 2, DENIED);
      expect(version("app/database")).toBeUndefined();
    },
  );

  it.each(["app/database", toArn("app/database"), toPartialArn("app/database")])(
    "of %s drops what an older fetch may yet bring, and nothing that a newer one does",
    (secretId) => {
      const { keepByName, refuse, version } = setUp();
      refuse({ secretId }, 2, DENIED);
      expect(keepByName(toSecret("app/database", 1))).toBe(DENIED);
      expect(version("app/database")).toBeUndefined();
      expect(keepByName(toSecret("app/database", 3))).toBeUndefined();
      expect(version("app/database")).toBe("v3");
    },
  );

  it("leaves what a newer fetch brought", () => {
    const { keepByName, refuse, version } = setUp();
    keepByName(toSecret("app/database", 3));
    refuse(APP, 2, DENIED);
    expect(version("app/database")).toBe("v3");
  });

  it("that comes late leaves a newer one in force", () => {
    const { keepByName, refuse, version } = setUp();
    refuse(APP, 5, DENIED);
    refuse(APP, 3, DENIED);
    keepByName(toSecret("app/database", 4));
    expect(version("app/database")).toBeUndefined();
  });

  it("is of one version and one stage", () => {
    const { keepByName, refuse, version } = setUp();
    refuse({ ...APP, versionStage: "AWSPREVIOUS" }, 2, DENIED);
    keepByName(toSecret("app/database", 1));
    expect(version("app/database")).toBe("v1");
  });

  it("leaves a secret that is called otherwise", () => {
    const { keepByName, refuse, version } = setUp();
    keepByName(toSecret("my", 1));
    refuse({ secretId: toPartialArn("my-abcdef") }, 2, DENIED);
    refuse({ secretId: "my-abcdef" }, 3, DENIED);
    expect(version("my")).toBe("v1");
  });
});

describe("a store with room for some", () => {
  const bytes = (name: string, length: number, order = 1) =>
    toSecret(name, order, { secretString: undefined, secretBinary: new Uint8Array(length) });
  const text = (name: string, secretString: string) => toSecret(name, 1, { secretString });

  it("keeps nothing where there is room for nothing", () => {
    const { keepByName, version } = setUp({ maxEntries: 0 });
    keepByName(toSecret("a"));
    expect(version("a")).toBeUndefined();
  });

  it("gives up the one that was used least recently; to be found or kept is a use", () => {
    const { keepByName, version } = setUp({ maxEntries: 3 });
    for (const name of ["a", "b", "c"]) keepByName(toSecret(name));
    version(toArn("a"));
    keepByName(toSecret("b", 2));
    keepByName(toSecret("d"));
    expect(["a", "b", "c", "d"].filter((name) => version(name) !== undefined)).toEqual(["a", "b", "d"]);
  });

  it("does not take it for a use that an earlier answer came too late", () => {
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

  it("counts a value once, however often it is replaced", () => {
    const { keepByName, version } = setUp();
    keepByName(bytes("a", 4 * MIB));
    for (let order = 1; order <= 10; order += 1) keepByName(bytes("b", 4 * MIB, order));
    expect(version("a")).toBe("v1");
    expect(version("b")).toBe("v10");
  });

  it("gives up as many as it must, the one that is too large for it among them", () => {
    const { keepByName, version } = setUp();
    for (const name of ["a", "b", "c"]) keepByName(bytes(name, MIB));
    keepByName(bytes("d", 8 * MIB));
    expect(["a", "b", "c", "d"].filter((name) => version(name) !== undefined)).toEqual(["d"]);
    keepByName(bytes("e", 8 * MIB + 1));
    expect(["d", "e"].filter((name) => version(name) !== undefined)).toEqual([]);
  });

  it("is never fuller than that, whatever is kept, found and dropped", () => {
    const step = fc.record({
      kind: fc.constantFrom("keep", "find", "drop"),
      name: fc.constantFrom("a", "b", "c", "my", "my-abcdef"),
      spelling: fc.constantFrom((name: string) => name, toArn, toPartialArn),
      length: fc.constantFrom(1, MIB, 3 * MIB, 8 * MIB, 9 * MIB),
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.array(step, { maxLength: 40 }), (maxEntries, steps) => {
        const store = createSecretStore({ rules: secretRules, home: HOME, maxEntries, maxBytes: 8 * MIB });
        for (const [order, { kind, name, spelling, length }] of steps.entries()) {
          const query = { secretId: spelling(name) };
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
