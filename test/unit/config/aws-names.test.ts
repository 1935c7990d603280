import { describe, expect, it } from "vitest";
import { warnOfSettings } from "../../../extension/config/config.ts";
import { settings } from "../../../extension/config/settings.ts";
import { createLog } from "../../support/log.ts";
import { configOf, parseVariables, problemsOf } from "../../support/variables.ts";

/**
 * A function that ran with AWS's extension must also start with this one, so that its values under AWS's names are never a
 * mistake: https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html
 */

type Key = "ttlMs" | "parameterTtlMs" | "timeoutMs" | "parameterTimeoutMs" | "cacheSize" | "httpPort" | "logLevel";
type Row = readonly [got: string, used: string, value: string | number];

const SECONDS: readonly Row[] = [
  ["-1", "0", 0],
  ["-86400", "0", 0],
  ["86401", "86400", 86_400_000],
  ["9".repeat(400), "86400", 86_400_000],
  ["60.4", "60", 60_000],
  ["60.0", "60", 60_000],
  ["+60", "60", 60_000],
  [".5", "1", 1_000],
  ["5m", "300", 300_000],
  ["1 000", "300", 300_000],
  ["1e3", "300", 300_000],
  ["0x10", "300", 300_000],
  ["Infinity", "300", 300_000],
  ["NaN", "300", 300_000],
  ["never", "300", 300_000],
  ["-", "300", 300_000],
  [".", "300", 300_000],
];
const MILLISECONDS: readonly Row[] = [
  ["1", "100", 100],
  ["50", "100", 100],
  ["99.6", "100", 100],
  ["120000", "60000", 60_000],
  ["9".repeat(400), "60000", 60_000],
  ["2000.5", "2001", 2_001],
  // 0 means "no time-out", and what is below it can only mean the same.
  ["-1", "2500", 2_500],
  ["0.0", "2500", 2_500],
  ["-0", "2500", 2_500],
  ["5s", "2500", 2_500],
];
const LEVELS: readonly Row[] = [
  ["warning", "warn", "warn"],
  ["WARNING", "warn", "warn"],
  ["Information", "info", "info"],
  ["err", "error", "error"],
  ["trace", "info", "info"],
  ["fatal", "info", "info"],
  ["1", "info", "info"],
];

describe("a value under one of AWS's names that breaks the rule", () => {
  it.each<[name: string, key: Key, rows: readonly Row[]]>([
    ["SECRETS_MANAGER_TTL", "ttlMs", SECONDS],
    ["SSM_PARAMETER_STORE_TTL", "parameterTtlMs", SECONDS],
    ["SECRETS_MANAGER_TIMEOUT_MILLIS", "timeoutMs", MILLISECONDS],
    ["SSM_PARAMETER_STORE_TIMEOUT_MILLIS", "parameterTimeoutMs", MILLISECONDS],
    [
      "PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE",
      "cacheSize",
      [
        ["5000", "1000", 1_000],
        ["-1", "0", 0],
        ["10.2", "10", 10],
        ["many", "1000", 1_000],
      ],
    ],
    // A port that is close to the wanted one is of no use to anybody.
    [
      "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT",
      "httpPort",
      ["0", "-1", "65536", "80.5", "http", "9".repeat(400)].map((got): Row => [got, "2773", 2_773]),
    ],
    ["PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL", "logLevel", LEVELS],
  ])("is replaced by the nearest value that keeps it, or by the default: %s", (name, key, rows) => {
    for (const [got, used, value] of rows) {
      for (const text of [got, ` ${got}\n`]) {
        const config = configOf({ [name]: text });
        expect([got, config[key]]).toEqual([got, value]);
        const { rule } = settings[key];
        expect(config.replacedSettings).toEqual([{ name, rule, got: got.slice(0, 200), used }]);
      }
    }
  });

  it.each([
    ["0", "false"],
    ["F", "false"],
    ["no", "false"],
    ["OFF", "false"],
    ["disabled", "false"],
    ["1", "true"],
    ["t", "true"],
    ["Yes", "true"],
    ["on", "true"],
    ["tru", "true"],
    ["2", "true"],
  ])("is replaced: PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED %j is used as %s", (got, used) => {
    const name = "PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED";
    const config = configOf({ [name]: got });
    expect(config.cacheSize).toBe(used === "true" ? 1_000 : 0);
    expect(config.replacedSettings).toEqual([{ name, rule: "true or false", got, used }]);
  });

  it("is a warning for each variable, which names it, its value, and the value that is used", () => {
    const config = configOf({
      SECRETS_MANAGER_TTL: "-1",
      PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL: "warning",
      _NEW: "x",
    });
    const { logger, lines } = createLog();
    warnOfSettings(config, logger);
    expect(lines).toEqual([
      { level: "warn", event: "setting-ignored", name: "CROSS_ACCOUNT_SECRETS_NEW" },
      {
        level: "warn",
        event: "setting-replaced",
        name: "SECRETS_MANAGER_TTL",
        rule: "a whole number of seconds, 0 to 86400",
        got: "-1",
        used: "0",
      },
      {
        level: "warn",
        event: "setting-replaced",
        name: "PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL",
        rule: "debug, info, warn, error or none",
        got: "warning",
        used: "warn",
      },
    ]);
  });

  it("does not matter if the extension's own name is set", () => {
    expect(configOf({ _TTL_SECONDS: "60", SECRETS_MANAGER_TTL: "5m" }).replacedSettings).toEqual([]);
  });

  it("is not among the problems of other variables, and its log level is used to log those", () => {
    const parsed = parseVariables({ _TTL_SECONDS: "5m", PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL: "warning" });
    expect(parsed.logLevel).toBe("warn");
    expect(parsed.problems.filter((text) => /PARAMETERS/.test(text))).toEqual([]);
  });
});

describe("a value under one of AWS's names that keeps the rule", () => {
  it.each([
    ["SECRETS_MANAGER_TTL", "0"],
    ["SECRETS_MANAGER_TIMEOUT_MILLIS", "100"],
    ["SECRETS_MANAGER_TIMEOUT_MILLIS", "0"],
    ["SSM_PARAMETER_STORE_TIMEOUT_MILLIS", "0"],
    ["SSM_PARAMETER_STORE_TIMEOUT_MILLIS", "000"],
    ["PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", "FALSE"],
    ["PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL", " Error "],
    ["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "2774"],
    ["PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", ""],
    ["SECRETS_MANAGER_TTL", " "],
  ])("is no warning: %s %j", (name, text) => {
    expect(configOf({ [name]: text }).replacedSettings).toEqual([]);
  });

  it.each(["SECRETS_MANAGER_TIMEOUT_MILLIS", "SSM_PARAMETER_STORE_TIMEOUT_MILLIS"])(
    "means the default: %s 0",
    (name) => {
      expect(configOf({ [name]: "0" })).toMatchObject({ timeoutMs: 2_500, parameterTimeoutMs: 2_500 });
    },
  );
});

describe("the extension's own names", () => {
  it.each([
    ["TTL_SECONDS", "-1"],
    ["PARAMETER_TTL_SECONDS", "5m"],
    ["TIMEOUT_MS", "0"],
    ["PARAMETER_TIMEOUT_MS", "120000"],
    ["CACHE_SIZE", "5000"],
    ["CACHE_ENABLED", "1"],
    ["HTTP_PORT", "0"],
    ["LOG_LEVEL", "warning"],
  ])("stay strict: %s %j is a problem", (name, text) => {
    expect(problemsOf({ [`_${name}`]: text })).toHaveLength(1);
  });

  it("stay strict for the token, in whatever variable: no other token replaces it", () => {
    expect(problemsOf({ AWS_TOKEN: "two words" })).toHaveLength(1);
  });
});
