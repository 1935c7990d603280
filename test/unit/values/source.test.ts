import { describe, expect, it } from "vitest";
import { parameterRules } from "../../../extension/values/parameter.ts";
import { secretRules } from "../../../extension/values/secret.ts";
import { mayBeSame } from "../../../extension/values/source.ts";

const HOME = { region: "eu-west-1", accountId: "111111111111" };
const toArn = (name: string, region = "eu-west-1", account = "111111111111") =>
  `arn:aws:ssm:${region}:${account}:parameter/${name}`;
const toSecretArn = (name: string) => `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${name}`;

describe("two spellings of one and the same", () => {
  it.each([
    ["app/db", "app/db"],
    ["app/db", toSecretArn("app/db-AbCdEf")],
    ["app/db", toSecretArn("app/db")],
    [toSecretArn("app/db-AbCdEf"), toSecretArn("app/db")],
  ])("may be, of a secret, %s and %s", (one, other) => {
    expect(mayBeSame(secretRules, one, other, HOME)).toBe(true);
    expect(mayBeSame(secretRules, other, one, HOME)).toBe(true);
  });

  it.each([
    ["/app/db", "/app/db"],
    ["/app/db", toArn("app/db")],
    ["flag", toArn("flag")],
    ["/flag", toArn("flag")],
  ])("may be, of a parameter, %s and %s", (one, other) => {
    expect(mayBeSame(parameterRules, one, other, HOME)).toBe(true);
    expect(mayBeSame(parameterRules, other, one, HOME)).toBe(true);
  });

  it.each([
    ["/app/db", "/app/db2"],
    ["/app/db", "/app"],
    ["/app/db", "/APP/DB"],
    ["flag", "/flag"],
    ["/app/db", toArn("app/db", "us-east-1")],
    ["/app/db", toArn("app/db", "eu-west-1", "333333333333")],
    ["/app/db-AbCdEf", toArn("app/db")],
    ["app/db", toArn("app/db")],
  ])("are not, of a parameter, %s and %s", (one, other) => {
    expect(mayBeSame(parameterRules, one, other, HOME)).toBe(false);
    expect(mayBeSame(parameterRules, other, one, HOME)).toBe(false);
  });
});

describe("the two kinds", () => {
  it("have a word and a setting each, and what a source has configured of it", () => {
    const source = {
      roleArn: "arn:aws:iam::111111111111:role/r",
      externalId: undefined,
      region: undefined,
      home: HOME,
      secretIds: ["s"],
      parameterNames: ["/p"],
      prefetchIds: [],
    };
    expect([secretRules.word, secretRules.setting, secretRules.toConfiguredIds(source)]).toEqual([
      "secret",
      "SECRET_IDS",
      ["s"],
    ]);
    expect([parameterRules.word, parameterRules.setting, parameterRules.toConfiguredIds(source)]).toEqual([
      "parameter",
      "PARAMETER_NAMES",
      ["/p"],
    ]);
  });

  it("are never in the same place, though both be called the same", () => {
    const ofSecret = secretRules.toLocation("app", HOME).place;
    const ofParameter = parameterRules.toLocation("app", HOME).place;
    expect(ofSecret).not.toBe(ofParameter);
    expect(mayBeSame(secretRules, toArn("app"), "app", HOME)).toBe(false);
    expect(mayBeSame(parameterRules, toSecretArn("app"), "app", HOME)).toBe(false);
  });
});
