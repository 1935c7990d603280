import { describe, expect, it } from "vitest";
import {
  parseInvalidation,
  parsePathRequest,
  parseQueryRequest,
  parseTarget,
  type SecretRequest,
} from "../../../extension/http/requests.ts";

const ARN = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/database-AbCdEf";
const ROLE = "arn:aws:iam::111111111111:role/readers/SecretReader";

const parseQuery = (target: string): SecretRequest => parseQueryRequest(parseTarget(target));
const parsePath = (target: string): SecretRequest => parsePathRequest(parseTarget(target), "/secrets/", ["key"]);
const parseId = (text: string): string => parseQuery(`/secretsmanager/get?secretId=${text}`).query.secretId;

const invalid = (message: string | RegExp = /./) =>
  expect.objectContaining({ code: "invalid-request", message: expect.stringMatching(message) });

describe("a secret asked for as AWS's extension is", () => {
  it("needs its id alone", () => {
    expect(parseQuery("/secretsmanager/get?secretId=app/database")).toEqual({
      query: { secretId: "app/database" },
      refreshNow: false,
      roleArn: undefined,
      key: undefined,
    });
  });

  it("may be asked for with everything, in any order", () => {
    const target = `/secretsmanager/get?refreshNow=1&roleArn=${encodeURIComponent(ROLE)}&versionStage=AWSPREVIOUS&versionId=v-1&secretId=${encodeURIComponent(ARN)}`;
    expect(parseQuery(target)).toEqual({
      query: { secretId: ARN, versionId: "v-1", versionStage: "AWSPREVIOUS" },
      refreshNow: true,
      roleArn: ROLE,
      key: undefined,
    });
  });

  it.each(["secretid", "SecretId", "key", "name", "withDecryption", "versionID", "constructor"])(
    "knows no parameter %s",
    (name) => {
      expect(() => parseQuery(`/secretsmanager/get?secretId=a&${name}=b`)).toThrow(
        invalid(`unknown parameter "${name}"; known are secretId, versionId, versionStage, refreshNow, roleArn`),
      );
    },
  );

  it.each(["", "?", "?secretId", "?secretId=", "?versionId=v"])("has no id in %j", (query) => {
    expect(() => parseQuery(`/secretsmanager/get${query}`)).toThrow(invalid("the secret's id is missing"));
  });

  it.each([
    ["app/database", "app/database"],
    ["app%2Fdatabase", "app/database"],
    ["app%2fdatabase", "app/database"],
    ["a%2Bb", "a+b"],
    ["%61pp", "app"],
    ["a=b", "a=b"],
    ["user@host", "user@host"],
    ["rds!cluster-0a1b2c3d", "rds!cluster-0a1b2c3d"],
    ["rds%21cluster-0a1b2c3d", "rds!cluster-0a1b2c3d"],
    [ARN, ARN],
    [encodeURIComponent(ARN), ARN],
    [
      "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db",
      "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db",
    ],
    ["../ping", "../ping"],
    ["s".repeat(2_048), "s".repeat(2_048)],
  ])("takes the id %s once decoded", (text, secretId) => {
    expect(parseId(text)).toBe(secretId);
  });

  it.each(["a+b", "a%20b", "+", "a%09b", "a%0Ab", "a%C2%A0b", "%E2%80%A8"])(
    "says of %s that a plus must be sent as %%2B",
    (text) => {
      expect(() => parseId(text)).toThrow(invalid("holds no space; a plus in it must be sent as %2B"));
    },
  );

  it.each(["a%252Fb", "caf%C3%A9", "%F0%9F%94%91", "a%00", "a*", "a?b", "a:b", "a#b", "s".repeat(2_049)])(
    "refuses the id %s",
    (text) => {
      expect(() => parseId(text)).toThrow(invalid(/^the secret's id must be a secret's name/));
    },
  );

  it.each([
    ["v", "v"],
    ["5767290c-d089-49ed-b97c-17086f8c9d79", "5767290c-d089-49ed-b97c-17086f8c9d79"],
    ["my%2Bstage%2F1", "my+stage/1"],
    ["~!%22", '~!"'],
    ["v".repeat(256), "v".repeat(256)],
  ])("takes the version and the stage %s", (text, version) => {
    const { query } = parseQuery(`/secretsmanager/get?secretId=a&versionId=${text}&versionStage=${text}`);
    expect(query).toEqual({ secretId: "a", versionId: version, versionStage: version });
  });

  it.each(["versionId", "versionStage"])("refuses a %s that is empty, long, or holds a space", (name) => {
    for (const text of ["", "v".repeat(257), "a+b", "a%20b", "%C3%A9", "a%0A", "%7F"]) {
      expect(() => parseQuery(`/secretsmanager/get?secretId=a&${name}=${text}`)).toThrow(
        invalid(`${name} must be 1 to 256 printable ASCII characters without a space`),
      );
    }
  });
});

describe("a secret asked for by its path", () => {
  it.each([
    ["/secrets/database", "database"],
    ["/secrets/app/database", "app/database"],
    ["/secrets/app%2Fdatabase", "app/database"],
    ["/secrets//app", "/app"],
    ["/secrets/a+b", "a+b"],
    ["/secrets/a%2Bb", "a+b"],
    ["/secrets/rds!cluster-1", "rds!cluster-1"],
    ["/secrets/a=b", "a=b"],
    ["/secrets/../ping", "../ping"],
    ["/secrets/./a/%2E%2E/b", "./a/../b"],
    [`/secrets/${ARN}`, ARN],
    [`/secrets/${encodeURIComponent(ARN)}?`, ARN],
  ])("%s is %s: a plus stays a plus, and dots stay dots", (target, secretId) => {
    expect(parsePath(target)).toEqual({
      query: { secretId },
      refreshNow: false,
      roleArn: undefined,
      key: undefined,
    });
  });

  it("knows every parameter but secretId, and the key besides", () => {
    const target = `/secrets/a?versionId=v&versionStage=S&refreshNow=true&roleArn=${ROLE}&key=%2Fdatabase%2Fpass+word`;
    expect(parsePath(target)).toEqual({
      query: { secretId: "a", versionId: "v", versionStage: "S" },
      refreshNow: true,
      roleArn: ROLE,
      key: "/database/pass word",
    });
    expect(() => parsePath("/secrets/a?secretId=b")).toThrow(
      invalid('unknown parameter "secretId"; known are versionId, versionStage, key, refreshNow, roleArn'),
    );
  });

  it.each(["/secrets/", "/secrets/?versionId=v"])("has no id in %s", (target) => {
    expect(() => parsePath(target)).toThrow(invalid("the secret's id is missing"));
  });

  it.each(["/secrets/a%20b", "/secrets/%0A"])("says of %s that an id holds no space", (target) => {
    expect(() => parsePath(target)).toThrow(invalid("holds no space"));
  });

  it.each(["/secrets/a%252Fb", "/secrets/caf%C3%A9", "/secrets/a;b", "/secrets/a#b", `/secrets/${"s".repeat(2_049)}`])(
    "refuses %s",
    (target) => {
      expect(() => parsePath(target)).toThrow(invalid(/^the secret's id must be/));
    },
  );

  it.each(["/secrets/%", "/secrets/%ff", "/secrets/a%2"])("refuses %s, being no percent-encoded UTF-8", (target) => {
    expect(() => parsePath(target)).toThrow(invalid("percent-encoded"));
  });

  it("refuses an empty key", () => {
    expect(() => parsePath("/secrets/a?key=")).toThrow(invalid("key must name a field, or be a JSON Pointer"));
  });

  it.each(["password", "/", "a/b", "__proto__", "naïve 🔑"])("takes the key %s as it is", (key) => {
    expect(parsePath(`/secrets/a?key=${encodeURIComponent(key)}`).key).toBe(key);
  });
});

describe("a version that was refused", () => {
  const parse = (target: string) => parseInvalidation(parseTarget(target), "/secrets/", "/invalid");

  it.each([
    ["app/database", "app/database"],
    ["app%2Fdatabase", "app/database"],
    [encodeURIComponent(ARN), ARN],
    [ARN, ARN],
    ["app/invalid", "app/invalid"],
    ["a%2Bb", "a+b"],
  ])("is of the secret in its path: %s", (path, secretId) => {
    expect(parse(`/secrets/${path}/invalid?versionId=v1`)).toEqual({
      query: { secretId, versionId: "v1" },
      refreshNow: false,
      roleArn: undefined,
      key: undefined,
    });
  });

  it("may name the role", () => {
    expect(parse(`/secrets/a/invalid?roleArn=${ROLE}&versionId=v1`).roleArn).toBe(ROLE);
  });

  it.each(["", "?", `?roleArn=${ROLE}`, "?versionid=v1"])("has to be named: %j", (query) => {
    expect(() => parse(`/secrets/a/invalid${query}`)).toThrow(invalid());
  });

  it.each(["", "a%20b", "%0A", "v".repeat(257), "%C3%A9"])("may not be %j", (versionId) => {
    expect(() => parse(`/secrets/a/invalid?versionId=${versionId}`)).toThrow(invalid(/^versionId must be/));
  });

  it.each(["versionStage=AWSCURRENT", "refreshNow=true", "key=password", "secretId=a", "colour=red"])(
    "is told of with nothing else: %s",
    (parameter) => {
      expect(() => parse(`/secrets/a/invalid?versionId=v1&${parameter}`)).toThrow(
        invalid(/^unknown parameter ".+"; known are versionId, roleArn$/),
      );
    },
  );

  it.each(["a%20b", "a%252Fb", "%", "a:b"])("is of a secret that may be called so: %s is none", (path) => {
    expect(() => parse(`/secrets/${path}/invalid?versionId=v1`)).toThrow(invalid());
  });
});
