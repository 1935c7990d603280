import { describe, expect, it } from "vitest";
import { editDistance } from "../../../extension/config/config.ts";
import { PREFIX } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import { TARGET_ROLE_WITH_PATH_ARN as ROLE } from "../../support/values.ts";
import { CANARY_TOKEN, configOf, parseVariables, problemsOf } from "../../support/variables.ts";

describe("the problems of a config", () => {
  it("are reported all at once, each with its name, its rule and the given value", () => {
    const { config, problems } = parseVariables({
      AWS_REGION: "",
      AWS_SESSION_TOKEN: "",
      _ROLE_ARN: "SecretReader",
      _SECRET_IDS: "app/*",
      _PARAMETER_NAMES: "/app/*",
      _EXTERNAL_ID: "x",
      _ROLE_SESSION_NAME: "a b",
      _SOURCE_IDENTITY: "a b",
      _SESSION_TAGS: "aws:team=payments",
      _DURATION_SECONDS: "7200",
      _SESSION_POLICY: "strict",
      _REGION: "Ireland",
      _FAILOVER_REGION: "Frankfurt",
      _METRICS: "prometheus",
      _ENABLED: "off",
      _CONFIG: "sources.json",
      _TTL_SECONDS: "5m",
      _PARAMETER_TTL_SECONDS: "5m",
      _MAX_STALE_SECONDS: "1h",
      _TIMEOUT_MS: "99",
      _PARAMETER_TIMEOUT_MS: "99",
      _PREFETCH_TIMEOUT_MS: "9001",
      _CACHE_SIZE: "1001",
      _CACHE_ENABLED: "yes",
      _ALLOW: "some",
      _HTTP_PORT: "0",
      _TOKEN: `${CANARY_TOKEN} x`,
      _LOG_LEVEL: "loud",
      _EXEC_WRAPPER_ERROR: "skip",
      _INIT_ERROR: "ignore",
    });
    expect(config).toBeUndefined();
    const bySetting = Object.values(settings).map(({ name }) =>
      problems.filter((text) => text.startsWith(PREFIX + name)),
    );
    expect(bySetting.map(({ length }) => length)).toEqual(bySetting.map(() => 1));
    expect(problems).toContain(`${PREFIX}DURATION_SECONDS must be a whole number of seconds, 900 to 3600; got "7200"`);
    expect(problems).toContain(`${PREFIX}ROLE_ARN must be ${settings.roleArn.rule}; got "SecretReader"`);
    expect(problems).toContain("AWS_REGION must be a region, as Lambda sets it; got nothing");
    expect(problems).toHaveLength(bySetting.length + 1);
    expect(problems.join()).not.toContain("CANARY");
  });

  it.each([undefined, "", " "])("say that the target role is needed if it is %j", (role) => {
    expect(parseVariables({ _ROLE_ARN: role, ROLE_ARN: role }).problems).toEqual([
      `${PREFIX}ROLE_ARN must be ${settings.roleArn.rule}; got nothing`,
    ]);
  });

  it("name ROLE_ARN without the prefix if its value is invalid", () => {
    expect(parseVariables({ ROLE_ARN: "mine" }).problems).toEqual([
      `ROLE_ARN must be ${settings.roleArn.rule}; got "mine"`,
    ]);
  });

  it("quote the given value, escaped and cut to 200 characters", () => {
    expect(problemsOf({ _ALLOW: `"\n${"x".repeat(5_000)}` })).toEqual([
      `${PREFIX}ALLOW must be configured or any; got "\\"\\n${"x".repeat(198)}"`,
    ]);
  });

  it("are reported once, even if they affect several settings", () => {
    expect(problemsOf({ AWS_ENDPOINT_URL: "not a url" })).toEqual([
      'AWS_ENDPOINT_URL must be an http or https URL; got "not a url"',
    ]);
  });

  it("keep a valid log level, so that they can be logged", () => {
    expect(parseVariables({ _LOG_LEVEL: "ERROR" })).toMatchObject({ config: undefined, logLevel: "error" });
    expect(parseVariables({ _LOG_LEVEL: "loud" })).toMatchObject({ config: undefined, logLevel: "info" });
  });
});

describe("an unknown setting", () => {
  it.each([
    ["ROLEARN", "ROLE_ARN"],
    ["ROLE_ARM", "ROLE_ARN"],
    ["ROLE_ARNS_", "ROLE_ARN"],
    ["SECRET_ID", "SECRET_IDS"],
    ["SECRETS_IDS", "SECRET_IDS"],
    ["TTL_SECOND", "TTL_SECONDS"],
    ["TTL_SCEONDS", "TTL_SECONDS"],
    ["TOKENS", "TOKEN"],
    ["LOGLEVEL", "LOG_LEVEL"],
    ["ALLOWED", "ALLOW"],
    ["REGION_", "REGION"],
  ])("is a problem if it is within two edits of a setting: %s for %s", (typo, meant) => {
    const { config, problems } = parseVariables({ _ROLE_ARN: ROLE, [`_${typo}`]: "CANARY-value" });
    expect(config).toBeUndefined();
    expect(problems).toEqual([`${PREFIX + typo} must be spelled ${PREFIX + meant}; got "${PREFIX + typo}"`]);
  });

  it.each(["TTL_SECS", "ROLE", "TOKEN_123", "A_SETTING_OF_TOMORROW", ""])(
    "is only reported as unknown if it is farther from every setting: %j",
    (name) => {
      const config = configOf({ [`_${name}`]: "CANARY-value" });
      expect(config).toEqual({ ...configOf(), unknownSettings: [PREFIX + name] });
    },
  );

  it("is reported together with other unknown settings", () => {
    expect(configOf({ _TOMORROW: "1", _DAY_AFTER: "2" }).unknownSettings).toEqual([
      `${PREFIX}TOMORROW`,
      `${PREFIX}DAY_AFTER`,
    ]);
    expect(problemsOf({ _TOKENN: "1", _ALLOWS: "2" })).toHaveLength(2);
  });

  it("is ignored if it is empty", () => {
    expect(configOf({ _YESTERDAY: "", _TOKENS: " " })).toEqual(configOf());
  });

  it("is reported together with the other problems", () => {
    const { problems } = parseVariables({
      _TOMORROW: "CANARY-value",
      _ALLOW: "some",
      _TOKENN: "CANARY-value",
      ROLE_ARN: ROLE,
    });
    expect(problems).toEqual([
      `${PREFIX}TOKENN must be spelled ${PREFIX}TOKEN; got "${PREFIX}TOKENN"`,
      `${PREFIX}ALLOW must be configured or any; got "some"`,
      `${PREFIX}TOMORROW is not a setting of this version`,
    ]);
  });

  it("is ignored without the extension's prefix", () => {
    const own = { ROLE_ARM: "x", TTL_SECONDS: "x", TOKEN: "x", SECRET_IDS: "*", LOG_LEVEL: "x", REGION: "x" };
    expect(configOf(own)).toEqual(configOf());
  });
});

describe("the edit distance", () => {
  it.each([
    ["", "", 0],
    ["doctor", "doctor", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["doctr", "doctor", 1],
    ["doctorr", "doctor", 1],
    ["doktor", "doctor", 1],
    ["dcotor", "doctor", 2],
    ["kitten", "sitting", 3],
  ])("from %j to %j is %i, in both directions", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});
