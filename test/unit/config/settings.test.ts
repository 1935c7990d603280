import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PREFIX, type Setting } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import { SECRET_ARN as ARN, PARAMETER_ARN } from "../../support/values.ts";

const all: readonly Setting<unknown>[] = Object.values(settings);
const parse = (key: keyof typeof settings, text: string): unknown => settings[key].parse(text);

const ROLE = "arn:aws:iam::111111111111:role/";

describe("a setting", () => {
  it.each<[keyof typeof settings, string, unknown]>([
    ["roleArn", `${ROLE}SecretReader`, `${ROLE}SecretReader`],
    ["roleArn", `${ROLE}path/to/aZ0_+=,.@-`, `${ROLE}path/to/aZ0_+=,.@-`],
    ["roleArn", `${ROLE}${"p".repeat(510)}/${"n".repeat(64)}`, `${ROLE}${"p".repeat(510)}/${"n".repeat(64)}`],
    ["roleArn", "arn:aws-cn:iam::111111111111:role/r", "arn:aws-cn:iam::111111111111:role/r"],
    ["roleArn", "arn:aws-us-gov:iam::111111111111:role/r", "arn:aws-us-gov:iam::111111111111:role/r"],
    ["secretIds", "app/database", ["app/database"]],
    ["secretIds", `a,b c\td\ne , f,,${ARN} `, ["a", "b", "c", "d", "e", "f", ARN]],
    ["secretIds", "a,b,a", ["a", "b"]],
    ["secretIds", "rds!cluster-0a1b", ["rds!cluster-0a1b"]],
    ["secretIds", "s".repeat(2_048), ["s".repeat(2_048)]],
    ["parameterNames", "/app/flag", ["/app/flag"]],
    ["parameterNames", `flag,/a/b\n${PARAMETER_ARN} , flag`, ["flag", "/a/b", PARAMETER_ARN]],
    ["sessionPolicy", "AUTO", "auto"],
    ["sessionPolicy", "none", "none"],
    ["parameterTtlMs", "0", 0],
    ["parameterTtlMs", "86400", 86_400_000],
    ["parameterTimeoutMs", "100", 100],
    ["parameterTimeoutMs", "60000", 60_000],
    ["externalId", "ab", "ab"],
    ["externalId", "e".repeat(1_224), "e".repeat(1_224)],
    ["externalId", "aZ0_+=,.@:/-", "aZ0_+=,.@:/-"],
    ["roleSessionName", "ab", "ab"],
    ["roleSessionName", "s".repeat(64), "s".repeat(64)],
    ["roleSessionName", "aZ0_+=,.@-", "aZ0_+=,.@-"],
    ["durationSeconds", "900", 900],
    ["durationSeconds", "3600", 3_600],
    ["region", "eu-west-1", "eu-west-1"],
    ["region", "us-gov-west-1", "us-gov-west-1"],
    ["region", "cn-northwest-1", "cn-northwest-1"],
    ["region", "us-isob-east-1", "us-isob-east-1"],
    ["region", "eusc-de-east-1", "eusc-de-east-1"],
    ["ttlMs", "0", 0],
    ["ttlMs", "1", 1_000],
    ["ttlMs", "86400", 86_400_000],
    ["maxStaleMs", "0", 0],
    ["maxStaleMs", "86400", 86_400_000],
    ["timeoutMs", "100", 100],
    ["timeoutMs", "60000", 60_000],
    ["prefetchTimeoutMs", "0", 0],
    ["prefetchTimeoutMs", "9000", 9_000],
    ["cacheSize", "0", 0],
    ["cacheSize", "1000", 1_000],
    ["cacheEnabled", "true", "true"],
    ["cacheEnabled", "FALSE", "false"],
    ["allow", "configured", "configured"],
    ["allow", "Any", "any"],
    ["httpPort", "1", 1],
    ["httpPort", "65535", 65_535],
    ["token", "t", "t"],
    ["token", "!~\"\\'`IQoJb3JpZ2luX2VjEJf//+=", "!~\"\\'`IQoJb3JpZ2luX2VjEJf//+="],
    ["token", "file:///run/token", "file:///run/token"],
    ["logLevel", "debug", "debug"],
    ["logLevel", "INFO", "info"],
    ["logLevel", "Warn", "warn"],
    ["logLevel", "error", "error"],
    ["logLevel", "NONE", "none"],
    ["initError", "serve", "serve"],
    ["initError", "FAIL", "fail"],
  ])("%s accepts %j", (key, text, value) => {
    expect(parse(key, text)).toEqual(value);
  });

  it.each<[keyof typeof settings, readonly string[]]>([
    [
      "roleArn",
      [
        "SecretReader",
        ROLE,
        `${ROLE}/`,
        `${ROLE}path/`,
        `${ROLE}path//r`,
        `${ROLE}/r`,
        "arn:aws:iam::11111111111:role/r",
        "arn:aws:iam::1111111111111:role/r",
        "arn:aws:iam:eu-west-1:111111111111:role/r",
        "arn:aws:iam::111111111111:user/u",
        "arn:aws:sts::111111111111:assumed-role/r/s",
        "arn:AWS:iam::111111111111:role/r",
        "arn:gcp:iam::111111111111:role/r",
        `${ROLE}*`,
        `${ROLE}a b`,
        `${ROLE}r\n`,
        `${ROLE}é`,
        `${ROLE}${"n".repeat(65)}`,
        `${ROLE}${"p".repeat(511)}/${"n".repeat(64)}`,
      ],
    ],
    [
      "secretIds",
      ["", ",", " , \n,", "app/*", "app-??????", "a;b", "a:b", "a,é", "a%2Fb", `${ARN}*`, `a,${"s".repeat(2_049)}`],
    ],
    ["parameterNames", ["", ",", "/app/*", "/a:3", "/a,/b:prod", ARN, `${PARAMETER_ARN}:3`, "/é", "p".repeat(2_049)]],
    ["sessionPolicy", ["off", "true", "strict"]],
    ["parameterTtlMs", ["86401", "-1", "5m"]],
    ["parameterTimeoutMs", ["0", "99", "60001"]],
    ["externalId", ["e", "e".repeat(1_225), "a b", "a\n", "é!", "a#b"]],
    ["roleSessionName", ["s", "s".repeat(65), "a b", "a/b", "a:b", "ab\n", "éé"]],
    ["durationSeconds", ["899", "3601", "43200", "0"]],
    ["region", ["eu-west", "west-1", "eu_west_1", "EU-WEST-1", "eu-west-1a", "eu-west-1.evil.example", "eu-west-1\n"]],
    ["ttlMs", ["86401", "-1", "5m"]],
    ["maxStaleMs", ["86401", "-1", "1h"]],
    ["timeoutMs", ["0", "99", "60001"]],
    ["prefetchTimeoutMs", ["9001", "-1"]],
    ["cacheSize", ["1001", "-1"]],
    ["cacheEnabled", ["1", "0", "yes", "on", "tru"]],
    ["allow", ["all", "none", "configured,any"]],
    ["httpPort", ["0", "65536", "http"]],
    ["token", ["a b", "tab\t", "é", "line\nfeed", "\u007f", "a\0"]],
    ["logLevel", ["trace", "warning", "fatal", "off", "information"]],
    ["initError", ["ignore", "true"]],
  ])("%s refuses what breaks its rule", (key, texts) => {
    expect(texts.filter((text) => parse(key, text) !== undefined)).toEqual([]);
  });

  it.each([
    "durationSeconds",
    "ttlMs",
    "parameterTtlMs",
    "maxStaleMs",
    "timeoutMs",
    "parameterTimeoutMs",
    "prefetchTimeoutMs",
    "cacheSize",
    "httpPort",
  ] as const)("%s accepts whole decimal numbers only, and not all that JavaScript reads as a number", (key) => {
    const texts = [
      "1000.0",
      "1e3",
      "0x3E8",
      "+1000",
      "1_000",
      "1,000",
      " 1000",
      "1000 ",
      "١٠٠٠",
      "",
      "NaN",
      "Infinity",
    ];
    expect(texts.filter((text) => parse(key, text) !== undefined)).toEqual([]);
    expect(parse(key, "9".repeat(400))).toBeUndefined();
  });

  it.each(all)("$name has a default that meets its own rule, if it has one", (setting) => {
    if (setting.default !== undefined) expect(setting.parse(setting.default)).toBeDefined();
  });

  it("reads variables that no other setting reads", () => {
    const variables = all.flatMap(({ name, alsoRead = [] }) => [PREFIX + name, ...alsoRead]);
    expect(new Set(variables).size).toBe(variables.length);
  });

  it.each(all)('$name has a rule that completes the sentence "… must be"', ({ rule }) => {
    expect(rule).toMatch(/^[a-z0-9].*[^.]$/);
  });
});

const README = new URL("../../../README.md", import.meta.url);

/** The rows of the first table under `## Settings`: name, also read, default, description. */
function readTable(markdown: string) {
  const section = markdown.split(/^## Settings$/m)[1]?.split(/^## /m)[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) => {
    const [name = "", alsoRead = "", fallback = "", description = ""] = row
      .split(/(?<!\\)\|/)
      .slice(1)
      .map((cell) => cell.trim());
    return { name: toLiterals(name).join(), alsoRead: toLiterals(alsoRead), fallback, description };
  });
}

const toLiterals = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

describe("the README's table of settings", () => {
  it("has exactly one row for every setting, with its variables, its default and its description", () => {
    // A row without a setting's name, such as SECRET_NAME's, is about a variable that belongs to no setting.
    const rows = readTable(readFileSync(README, "utf8")).filter(({ name }) => name !== "");
    const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
    const expected = all.map((setting) => ({
      name: setting.name,
      alsoRead: [...(setting.alsoRead ?? [])],
      fallback:
        setting.default === undefined
          ? expect.not.stringMatching(/^`(?!none`|required`)[^`]*`$/)
          : `\`${setting.default}\``,
      description: setting.description,
    }));
    expect(rows.sort(byName)).toEqual(expected.sort(byName));
  });
});
