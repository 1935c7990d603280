import { describe, expect, it } from "vitest";
import type { Config } from "../../../extension/config/config.ts";
import { type Environment, PREFIX } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import type { Source } from "../../../extension/values/source.ts";
import {
  SECRET_ARN as ARN,
  OTHER_ROLE_ARN as OTHER_ROLE,
  TARGET_ROLE_WITH_PATH_ARN as ROLE,
} from "../../support/values.ts";
import { configOf, noFile, parseVariables, problemsOf, sourceOf } from "../../support/variables.ts";

describe("what a caller may ask for", () => {
  it.each<[string, Environment, Partial<Config & Source>]>([
    ["anything if nothing is configured", {}, { allow: "any", secretIds: [] }],
    [
      "only the configured secrets if there are some",
      { _SECRET_IDS: "a,b" },
      { allow: "configured", secretIds: ["a", "b"] },
    ],
    ["anything if ALLOW is any", { _SECRET_IDS: "a", _ALLOW: "ANY" }, { allow: "any", secretIds: ["a"] }],
    ["anything if only SECRET_NAME is set", { SECRET_NAME: "a" }, { allow: "any", secretIds: [] }],
    [
      "only the configured secrets, even if SECRET_NAME is another secret",
      { _SECRET_IDS: "a", SECRET_NAME: "b" },
      { allow: "configured", secretIds: ["a"] },
    ],
  ])("is %s", (_, own, { allow, secretIds }) => {
    expect(configOf(own).allow).toBe(allow);
    expect(sourceOf(own).secretIds).toEqual(secretIds);
  });

  it.each<[string, Environment]>([
    ["none is configured", {}],
    ["only SECRET_NAME is set", { SECRET_NAME: "a" }],
  ])("cannot be limited to configured secrets if %s", (_, own) => {
    expect(problemsOf({ _ALLOW: "configured", ...own })).toEqual([
      `${PREFIX}SECRET_IDS must be set, because ALLOW is "configured"; got nothing`,
    ]);
  });

  it("cannot be limited to configured secrets if none is, which is reported together with a missing role", () => {
    expect(parseVariables({ _ALLOW: "configured" }).problems).toEqual([
      `${PREFIX}ROLE_ARN must be ${settings.roleArn.rule}; got nothing`,
      `${PREFIX}SECRET_IDS must be set, because ALLOW is "configured"; got nothing`,
    ]);
  });

  it.each([",", " , ,, "])("is not opened by a list that is set but empty: %j", (list) => {
    for (const own of [{}, { _ALLOW: "configured" }]) {
      expect(problemsOf({ _SECRET_IDS: list, ...own })).toEqual([
        `${PREFIX}SECRET_IDS must be ${settings.secretIds.rule}; got "${list.trim()}"`,
      ]);
    }
  });
});

describe("parameters that a caller may ask for", () => {
  it.each<[string, Environment, Config["allow"], readonly string[]]>([
    ["those that are configured, and no secret", { _PARAMETER_NAMES: "/a,/b" }, "configured", ["/a", "/b"]],
    ["those beside secrets", { _PARAMETER_NAMES: "/a", _SECRET_IDS: "a" }, "configured", ["/a"]],
    ["none if only secrets are configured", { _SECRET_IDS: "a" }, "configured", []],
    ["anything if ALLOW is any", { _PARAMETER_NAMES: "/a", _ALLOW: "any" }, "any", ["/a"]],
  ])("are %s", (_, own, allow, parameterNames) => {
    expect(configOf(own).allow).toBe(allow);
    expect(sourceOf(own).parameterNames).toEqual(parameterNames);
  });

  it("are enough for ALLOW=configured without secrets", () => {
    expect(configOf({ _ALLOW: "configured", _PARAMETER_NAMES: "/a" })).toMatchObject({ allow: "configured" });
  });

  it.each([",", "/app/*", "/a:3", ARN])("are not opened by an invalid list: %j", (list) => {
    for (const own of [{}, { _ALLOW: "configured" }]) {
      expect(problemsOf({ _PARAMETER_NAMES: list, ...own })).toEqual([
        `${PREFIX}PARAMETER_NAMES must be ${settings.parameterNames.rule}; got "${list}"`,
      ]);
    }
  });
});

describe("what is fetched in init", () => {
  it.each<[string, Environment, readonly string[]]>([
    ["nothing if nothing is configured", {}, []],
    ["the configured secrets", { _SECRET_IDS: "a,b" }, ["a", "b"]],
    ["the configured secrets, even if a caller may ask for anything", { _SECRET_IDS: "a", _ALLOW: "any" }, ["a"]],
    ["the secret in SECRET_NAME if none is configured", { SECRET_NAME: "a" }, ["a"]],
    ["the secret in SECRET_NAME without surrounding white space", { SECRET_NAME: " app/database\n" }, ["app/database"]],
    ["the configured secrets, and not the secret in SECRET_NAME", { _SECRET_IDS: "a", SECRET_NAME: "b" }, ["a"]],
    ["no secret that a caller may not ask for", { _PARAMETER_NAMES: "/a", SECRET_NAME: "b" }, []],
    [
      "the secret in SECRET_NAME beside parameters if a caller may ask for anything",
      { _PARAMETER_NAMES: "/a", _ALLOW: "any", SECRET_NAME: "b" },
      ["b"],
    ],
  ])("is %s", (_, own, expected) => {
    expect(sourceOf(own).prefetchIds).toEqual(expected);
  });

  it.each(["my secret", "app/*", "arn:aws:ssm:eu-west-1:111111111111:parameter/p", "é", "s".repeat(2_049), "", " "])(
    "is not changed by a SECRET_NAME that names no secret, such as %j",
    (SECRET_NAME) => {
      expect(configOf({ SECRET_NAME })).toEqual(configOf());
    },
  );
});

describe("CONFIG", () => {
  const SOURCES = [
    { roleArn: ROLE, secretIds: ["a", ARN] },
    { roleArn: OTHER_ROLE, secretIds: ["b"] },
  ];
  const CONFIG = JSON.stringify({ sources: SOURCES });

  it("holds the target roles, inline or in a file, and needs no other role", () => {
    const inline = parseVariables({ _CONFIG: CONFIG });
    expect(inline.problems).toEqual([]);
    expect(inline.config?.sources).toMatchObject([
      { roleArn: ROLE, secretIds: ["a", ARN], prefetchIds: ["a", ARN], home: { accountId: "111111111111" } },
      { roleArn: OTHER_ROLE, secretIds: ["b"], prefetchIds: ["b"], home: { accountId: "333333333333" } },
    ]);
    const readFile = (path: string) => (path === "/opt/sources.json" ? CONFIG : noFile(path));
    expect(parseVariables({ _CONFIG: " /opt/sources.json\n" }, readFile)).toEqual(inline);
  });

  it("makes the extension ignore the function's own ROLE_ARN and SECRET_NAME, valid or not", () => {
    const alone = parseVariables({ _CONFIG: CONFIG });
    for (const [ROLE_ARN, SECRET_NAME] of [
      [OTHER_ROLE, "mine"],
      ["not for us", "not for us"],
    ]) {
      expect(parseVariables({ _CONFIG: CONFIG, ROLE_ARN, SECRET_NAME })).toEqual(alone);
    }
  });

  it("excludes ROLE_ARN, SECRET_IDS and PARAMETER_NAMES with the extension's prefix", () => {
    const own = { _ROLE_ARN: ROLE, _SECRET_IDS: "a", _PARAMETER_NAMES: "/a" };
    expect(parseVariables({ _CONFIG: CONFIG, ...own }).problems).toEqual([
      `${PREFIX}ROLE_ARN must be unset, because ${PREFIX}CONFIG is set, too; got "both"`,
      `${PREFIX}SECRET_IDS must be unset, because ${PREFIX}CONFIG is set, too; got "both"`,
      `${PREFIX}PARAMETER_NAMES must be unset, because ${PREFIX}CONFIG is set, too; got "both"`,
    ]);
  });

  it("counts as unset if it is empty, and the function's own ROLE_ARN is used", () => {
    expect(sourceOf({ _ROLE_ARN: "", _CONFIG: " ", ROLE_ARN: OTHER_ROLE, SECRET_NAME: "mine" })).toMatchObject({
      roleArn: OTHER_ROLE,
      prefetchIds: ["mine"],
    });
  });

  it("is one problem if it is neither an object nor a path, without a second one about a missing role", () => {
    expect(parseVariables({ _CONFIG: "sources.json", ROLE_ARN: ROLE }).problems).toEqual([
      `${PREFIX}CONFIG must be ${settings.config.rule}; got "sources.json"`,
    ]);
  });

  it("has its problems reported together with all others", () => {
    const own = { _CONFIG: '{"sources":[{},{"roleArn":"x"}]}', _ALLOW: "some", AWS_REGION: "" };
    expect(parseVariables(own).problems).toEqual([
      `${PREFIX}ALLOW must be configured or any; got "some"`,
      "AWS_REGION must be a region, as Lambda sets it; got nothing",
      `${PREFIX}CONFIG sources[0].roleArn must be ${settings.roleArn.rule}; got nothing`,
      `${PREFIX}CONFIG sources[1].roleArn must be ${settings.roleArn.rule}; got "x"`,
    ]);
  });

  it.each([
    ["anything if no source names a secret", [{ roleArn: ROLE }, { roleArn: OTHER_ROLE }], {}, "any"],
    [
      "anything if ALLOW is any",
      [{ roleArn: ROLE, secretIds: ["a"] }, { roleArn: OTHER_ROLE }],
      { _ALLOW: "any" },
      "any",
    ],
    ["only what is configured if every source names some secrets", SOURCES, {}, "configured"],
    [
      "only what is configured if one source names secrets and the other names parameters",
      [
        { roleArn: ROLE, secretIds: ["a"] },
        { roleArn: OTHER_ROLE, parameterNames: ["/a"] },
      ],
      {},
      "configured",
    ],
  ])("lets a caller ask for %s", (_, sources, own, allow) => {
    expect(parseVariables({ _CONFIG: JSON.stringify({ sources }), ...own })).toMatchObject({
      problems: [],
      config: { allow },
    });
  });

  it.each([{}, { _ALLOW: "configured" }])(
    "must name secrets for every role if it does for one, so that an omission opens no role: %o",
    (own) => {
      const sources = [{ roleArn: ROLE, secretIds: ["a"] }, { roleArn: OTHER_ROLE }];
      expect(parseVariables({ _CONFIG: JSON.stringify({ sources }), ...own }).problems).toEqual([
        `${PREFIX}CONFIG secretIds of ${OTHER_ROLE} must be set, because ALLOW is "configured"; got nothing`,
      ]);
    },
  );
});
