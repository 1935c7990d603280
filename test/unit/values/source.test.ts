import { describe, expect, it } from "vitest";
import { parameterRules } from "../../../extension/values/parameter.ts";
import { secretRules } from "../../../extension/values/secret.ts";
import { mayBeSame } from "../../../extension/values/source.ts";
import { HOME, toPartialArn, toSecretArn } from "../../support/values.ts";

const toArn = (name: string, region = "eu-west-1", account = "111111111111") =>
  `arn:aws:ssm:${region}:${account}:parameter/${name}`;

describe("two ids", () => {
  it.each([
    ["app/db", "app/db"],
    ["app/db", toSecretArn("app/db")],
    ["app/db", toPartialArn("app/db")],
    [toSecretArn("app/db"), toPartialArn("app/db")],
  ])("of one secret may be %s and %s", (one, other) => {
    expect(mayBeSame(secretRules, one, other, HOME)).toBe(true);
    expect(mayBeSame(secretRules, other, one, HOME)).toBe(true);
  });

  it.each([
    ["/app/db", "/app/db"],
    ["/app/db", toArn("app/db")],
    ["flag", toArn("flag")],
    ["/flag", toArn("flag")],
  ])("of one parameter may be %s and %s", (one, other) => {
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
  ])("of one parameter are never %s and %s", (one, other) => {
    expect(mayBeSame(parameterRules, one, other, HOME)).toBe(false);
    expect(mayBeSame(parameterRules, other, one, HOME)).toBe(false);
  });
});

describe("the rules of secrets and of parameters", () => {
  it("name a word and a setting, and select the configured ids of a source", () => {
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

  it("never give a secret and a parameter of one name the same place", () => {
    const secretPlace = secretRules.toLocation("app", HOME).place;
    const parameterPlace = parameterRules.toLocation("app", HOME).place;
    expect(secretPlace).not.toBe(parameterPlace);
    expect(mayBeSame(secretRules, toArn("app"), "app", HOME)).toBe(false);
    expect(mayBeSame(parameterRules, toPartialArn("app"), "app", HOME)).toBe(false);
  });
});
