import { describe, expect, it } from "vitest";
import { type ParameterRequest, parseParameterRequest, parseTarget } from "../../../extension/http/requests.ts";

const ARN = "arn:aws:ssm:eu-west-1:111111111111:parameter/app/flag";
const ROLE = "arn:aws:iam::111111111111:role/readers/SecretReader";

const parse = (query: string): ParameterRequest =>
  parseParameterRequest(parseTarget(`/systemsmanager/parameters/get${query}`));
const queryOf = (query: string) => parse(query).query;

const invalid = (message: string | RegExp = /./) =>
  expect.objectContaining({ code: "invalid-request", message: expect.stringMatching(message) });

describe("a parameter asked for as AWS's extension is", () => {
  it("needs its name alone, and is the latest version, as it is stored", () => {
    expect(parse("?name=/app/flag")).toEqual({
      query: { parameterId: "/app/flag", withDecryption: false },
      refreshNow: false,
      roleArn: undefined,
    });
    expect(Object.keys(queryOf("?name=flag"))).not.toContain("selector");
  });

  it("may be asked for with everything, in any order", () => {
    const name = encodeURIComponent("/app/flag");
    expect(
      parse(`?refreshNow=1&withDecryption=true&roleArn=${encodeURIComponent(ROLE)}&label=prod&name=${name}`),
    ).toEqual({
      query: { parameterId: "/app/flag", selector: "prod", withDecryption: true },
      refreshNow: true,
      roleArn: ROLE,
    });
  });

  it.each([
    ["flag", "flag"],
    ["/flag", "/flag"],
    ["%2Fapp%2Fflag", "/app/flag"],
    ["%2fapp%2fflag", "/app/flag"],
    ["/aws/reference/secretsmanager/app/db", "/aws/reference/secretsmanager/app/db"],
    [ARN, ARN],
    [encodeURIComponent(ARN), ARN],
  ])("takes the name %s once decoded", (text, parameterId) => {
    expect(queryOf(`?name=${text}`)).toEqual({ parameterId, withDecryption: false });
  });

  it.each(["", "?", "?name", "?name=", "?version=3"])("has no name in %j", (query) => {
    expect(() => parse(query)).toThrow(invalid("the parameter's name is missing"));
  });

  it.each(["a b", "a+b", "a%20b", "caf%C3%A9", "a*", "a%252Fb", "a%00", "a:b:c", ":3", "::", `${ARN}:a:b`])(
    "refuses the name %s",
    (text) => {
      expect(() => parse(`?name=${text}`)).toThrow(invalid(/^a parameter's id must be a parameter's name/));
    },
  );

  it.each([
    "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/flag-AbCdEf",
    "arn:aws:ssm:eu-west-1:1:parameter/a",
  ])("refuses another ARN: %s", (arn) => {
    expect(() => parse(`?name=${arn}`)).toThrow(invalid(/^a parameter's id must be/));
  });

  it.each(["Name", "secretId", "versionId", "key", "decrypt", "withdecryption", "constructor", "__proto__"])(
    "knows no parameter %s",
    (name) => {
      expect(() => parse(`?name=a&${name}=b`)).toThrow(
        invalid(`unknown parameter "${name}"; known are name, version, label, withDecryption, refreshNow, roleArn`),
      );
    },
  );

  it.each([
    "name=a&name=b",
    "name=a&version=1&version=2",
    "name=a&label=x&label=x",
    "name=a&withDecryption=1&withDecryption=0",
  ])("knows none twice: %s", (query) => {
    expect(() => parse(`?${query}`)).toThrow(invalid("given more than once"));
  });
});

describe("a version or label", () => {
  it.each([
    ["?name=a&version=3", "3"],
    ["?name=a&label=prod", "prod"],
    ["?version=3&label=prod&name=a", "3"],
    ["?label=prod&version=3&name=a", "prod"],
    ["?label=prod&name=a&version=3", "prod"],
    ["?name=a:3", "3"],
    ["?name=a:prod", "prod"],
    ["?name=a%3Aprod", "prod"],
    ["?name=a:3&label=prod", "prod"],
    ["?version=4&name=a:3", "4"],
  ])(
    "of %s is %s: of a version and a label, the one placed first; of either and the name's, either",
    (query, selector) => {
      expect(queryOf(query)).toEqual({ parameterId: "a", selector, withDecryption: false });
    },
  );

  it.each(["3", "prod", "a.b_c-d"])("may stand after an ARN: %s", (selector) => {
    expect(queryOf(`?name=${ARN}:${selector}`)).toEqual({ parameterId: ARN, selector, withDecryption: false });
    expect(queryOf(`?name=${encodeURIComponent(`${ARN}:${selector}`)}`)).toMatchObject({ parameterId: ARN, selector });
  });

  it.each(["version=", "label=", "label=a+b", "label=a/b", "version=%3A3", "label=%C3%A9", `label=${"l".repeat(101)}`])(
    "may not be %s",
    (pair) => {
      expect(() => parse(`?name=a&${pair}`)).toThrow(
        invalid("a version or label must be 1 to 100 letters, digits and ._-"),
      );
    },
  );

  it.each(["a:", "a:b/c", `a:${"l".repeat(101)}`, `${ARN}:`])("may not be that of the name %s", (name) => {
    expect(() => parse(`?name=${name}`)).toThrow(invalid());
  });

  it("may be a hundred characters", () => {
    expect(queryOf(`?name=a&label=${"l".repeat(100)}`).selector).toBe("l".repeat(100));
  });
});

describe("withDecryption", () => {
  it.each([
    ["true", true],
    ["TRUE", true],
    ["1", true],
    ["false", false],
    ["0", false],
  ])("takes %s as %s", (text, withDecryption) => {
    expect(queryOf(`?name=a&withDecryption=${text}`).withDecryption).toBe(withDecryption);
  });

  it.each(["", "yes", "on", "truefalse"])("refuses %j", (text) => {
    expect(() => parse(`?name=a&withDecryption=${text}`)).toThrow(
      invalid("withDecryption must be true, false, 1 or 0"),
    );
  });
});
