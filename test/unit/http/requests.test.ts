import { beforeEach, describe, expect, it } from "vitest";
import {
  type ParameterRequest,
  parseInvalidation,
  parseParameterRequest,
  parsePathRequest,
  parseQueryRequest,
  parseTarget,
  type SecretRequest,
  selectLeniently,
  selectStrictly,
} from "../../../extension/http/requests.ts";
import { PARAMETER_ARN, SECRET_ARN, TARGET_ROLE_WITH_PATH_ARN } from "../../support/values.ts";

const ignored: string[] = [];
beforeEach(() => {
  ignored.length = 0;
});
const lenient = selectLeniently((name) => void ignored.push(name));
const parseQuery = (query: string): SecretRequest =>
  parseQueryRequest(parseTarget(`/secretsmanager/get${query}`), lenient);
const parsePath = (target: string): SecretRequest =>
  parsePathRequest(parseTarget(target), "/secrets/", selectStrictly, ["key"]);
const parseParameter = (query: string): ParameterRequest =>
  parseParameterRequest(parseTarget(`/systemsmanager/parameters/get${query}`), lenient);

const invalid = (message: string | RegExp = /./) =>
  expect.objectContaining({ code: "invalid-request", message: expect.stringMatching(message) });

describe("a request target", () => {
  it.each<[string, string, [string, string][]]>([
    ["/ping", "/ping", []],
    ["/ping?", "/ping", []],
    ["/a?b=c", "/a", [["b", "c"]]],
    ["/a?&b=c&&d=e&", "/a", [["b", "c"], ["d", "e"]]], // biome-ignore format: one row
    ["/a?b=c?d", "/a", [["b", "c?d"]]],
    ["/a?b=c=d==", "/a", [["b", "c=d=="]]],
    ["/a?b", "/a", [["b", ""]]],
    ["/a?b=", "/a", [["b", ""]]],
    ["/a?=b", "/a", [["", "b"]]],
    ["/a?b=c+d%2Be", "/a", [["b", "c d+e"]]],
    ["/a?b%2Dc=d%26e%3Df", "/a", [["b-c", "d&e=f"]]],
    ["/a?b=%252F", "/a", [["b", "%2F"]]],
    ["/a?b=%E2%82%AC%F0%9F%94%91", "/a", [["b", "€🔑"]]],
    ["/a?__proto__=b&constructor=c", "/a", [["__proto__", "b"], ["constructor", "c"]]], // biome-ignore format: one row
    ["/a%2Fb", "/a%2Fb", []],
    ["/a/../b/./c//d", "/a/../b/./c//d", []],
  ])("%s has the path %s and the parameters %j", (target, path, parameters) => {
    expect(parseTarget(target)).toEqual({ path, parameters });
  });

  it.each(["", "*", "ping", "?secretId=a", "http://127.0.0.1:2773/ping", "HTTPS://127.0.0.1/ping", "127.0.0.1:2773"])(
    "%j is refused because it is not a path",
    (target) => {
      expect(() => parseTarget(target)).toThrow(invalid("must be a path"));
    },
  );

  it.each(["%", "b=%", "b=%zz", "b=%ff", "b=%C3", "b=%C0%AF", "%E2%82=b"])(
    "with the query %s is refused because it is not percent-encoded UTF-8",
    (query) => {
      expect(() => parseTarget(`/a?${query}`)).toThrow(invalid("percent-encoded"));
    },
  );
});

describe("the parameters of a request", () => {
  const select = (query: string, names: readonly string[], selection = selectStrictly) =>
    selection(parseTarget(`/a?${query}`).parameters, names);

  it("may all be left out", () => {
    expect(select("", ["a"]).size).toBe(0);
    expect(select("", ["a"], lenient).size).toBe(0);
  });

  it.each(["b", "A", "", "__proto__", "toString"])(
    "are refused on our routes if they include the unknown %j",
    (name) => {
      expect(() => select(`${name}=1`, ["a", "c"])).toThrow(
        invalid(`unknown parameter ${JSON.stringify(name)}; known are a, c`),
      );
    },
  );

  it("are refused if the path takes none", () => {
    expect(() => select("a=1", [])).toThrow(invalid('unknown parameter "a"; none is known here'));
  });

  it("are refused without a quote of their values", () => {
    expect(() => select("password=CANARY-1f", [])).toThrow(invalid(/^((?!CANARY).)*$/));
  });

  it.each(["b=c&b=d", "b=c&b=c", "b&b=", "b=c&%62=d", "b+c=1&b%20c=1"])(
    "are refused on every route if one of them is repeated: %s",
    (query) => {
      for (const selection of [selectStrictly, lenient]) {
        expect(() => select(query, ["b", "b c"], selection)).toThrow(invalid("given more than once"));
      }
    },
  );

  it("that are repeated are quoted with 64 characters of the name, escaped", () => {
    const name = `${"n".repeat(63)}"${"x".repeat(5_000)}`;
    expect(() => select(`${name}=1&${name}=2`, [name])).toThrow(
      invalid(/^parameter "n{63}\\"" is given more than once$/),
    );
  });

  it("are ignored and reported on the routes of AWS's systems if they are unknown, even if they are repeated", () => {
    expect([...select("b=1&a=2&b=3&__proto__=4&=5", ["a"], lenient)]).toEqual([["a", "2"]]);
    expect(ignored).toEqual(["b", "b", "__proto__", ""]);
  });

  it("count as unset on the routes of AWS's systems if they are empty", () => {
    expect([...select("a=&b&c=1", ["a", "b", "c"], lenient)]).toEqual([["c", "1"]]);
    expect(ignored).toEqual([]);
  });
});

describe("refreshNow and roleArn", () => {
  const parse = (query: string) => {
    const { refreshNow, roleArn } = parseParameter(`?${query}`);
    return { refreshNow, roleArn };
  };

  it("default to false and to no role", () => {
    expect(parse("name=a")).toEqual({ refreshNow: false, roleArn: undefined });
    expect(parse("version=3&name=refreshNow")).toEqual({ refreshNow: false, roleArn: undefined });
  });

  it.each(["key", "RefreshNow", "rolearn", "constructor"])(
    "are the only further parameters of AWS's routes: %s is ignored and reported",
    (name) => {
      expect(parse(`name=a&${name}=1`)).toEqual({ refreshNow: false, roleArn: undefined });
      expect(ignored).toEqual([name]);
    },
  );

  it("count as unset if they are empty", () => {
    expect(parse("name=a&refreshNow=&roleArn=")).toEqual({ refreshNow: false, roleArn: undefined });
  });

  it.each([
    ["true", true],
    ["TRUE", true],
    ["True", true],
    ["1", true],
    ["false", false],
    ["FALSE", false],
    ["0", false],
  ])("accept refreshNow=%s as %s", (text, refreshNow) => {
    expect(parse(`name=a&refreshNow=${text}`).refreshNow).toBe(refreshNow);
  });

  it.each(["yes", "2", "01", "true+", "truefalse", "%00"])("refuse refreshNow=%s", (text) => {
    expect(() => parse(`name=a&refreshNow=${text}`)).toThrow(invalid("refreshNow must be true, false, 1 or 0"));
  });

  it.each([
    TARGET_ROLE_WITH_PATH_ARN,
    "arn:aws-cn:iam::111111111111:role/r",
    "arn:aws-us-gov:iam::111111111111:role/a/b/c",
    "arn:aws:iam::111111111111:role/a_=,.@-b",
  ])("accept the role %s", (roleArn) => {
    expect(parse(`name=a&roleArn=${roleArn}`).roleArn).toBe(roleArn);
  });

  it.each([
    "SecretReader",
    "arn:aws:iam::111111111111:user/u",
    "arn:aws:iam::111111111111:role/",
    "arn:aws:iam::11111111111:role/r",
    "arn:aws:iam::١١١١١١١١١١١١:role/r",
    "arn:aws:sts::111111111111:assumed-role/r/s",
    "arn:gcp:iam::111111111111:role/r",
    "arn:aws:iam::111111111111:role/r%0A",
    "arn:aws:iam::111111111111:role/a+b",
  ])("refuse the role %j", (roleArn) => {
    expect(() => parse(`name=a&roleArn=${roleArn}`)).toThrow(
      invalid("roleArn must be arn:<partition>:iam::<12 digits>:role/<path/name>"),
    );
  });
});

describe("a secret request in the form of AWS's extension", () => {
  it("needs only the secret's id", () => {
    expect(parseQuery("?secretId=app/database")).toEqual({
      query: { secretId: "app/database" },
      refreshNow: false,
      roleArn: undefined,
      key: undefined,
    });
    expect(Object.keys(parseQuery("?secretId=app/database").query)).toEqual(["secretId"]);
  });

  it("accepts all parameters, in any order", () => {
    const query = `?refreshNow=1&roleArn=${encodeURIComponent(TARGET_ROLE_WITH_PATH_ARN)}&versionStage=AWSPREVIOUS&versionId=v-1&secretId=${encodeURIComponent(SECRET_ARN)}`;
    expect(parseQuery(query)).toEqual({
      query: { secretId: SECRET_ARN, versionId: "v-1", versionStage: "AWSPREVIOUS" },
      refreshNow: true,
      roleArn: TARGET_ROLE_WITH_PATH_ARN,
      key: undefined,
    });
  });

  it.each(["secretid", "SecretId", "key", "name", "withDecryption", "versionID", "constructor"])(
    "ignores and reports the unknown parameter %s",
    (name) => {
      expect(parseQuery(`?secretId=a&${name}=b`)).toEqual(parseQuery("?secretId=a"));
      expect(ignored).toEqual([name]);
    },
  );

  it.each([
    ["my-secret:password::", "password"],
    [`${SECRET_ARN}:password::`, "password"],
    [`${SECRET_ARN}:password:AWSCURRENT:`, "password"],
    [`${SECRET_ARN}:::v-1`, "<field>"],
    [`${SECRET_ARN}:p"w::`, "<field>"],
    ["my-secret#password", "password"],
    [`${SECRET_ARN}#password`, "password"],
  ])("refuses %s, which names a field, and says how to ask for the field", (text, field) => {
    expect(() => parseQuery(`?secretId=${encodeURIComponent(text)}`)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("no field, stage or version after it"),
        details: {
          remedy: `ask for /secrets/<secretId>?key=${field}; in an environment variable, write cross-account-secret:<secretId>#${field}`,
        },
      }),
    );
  });

  it.each(["a*", "arn:aws:s3:::bucket", "caf%C3%A9:b"])("refuses %s without advice about fields", (text) => {
    expect(() => parseQuery(`?secretId=${text}`)).toThrow(expect.objectContaining({ details: {} }));
  });

  it.each(["", "?", "?secretId", "?secretId=", "?versionId=v"])("is refused without an id: %j", (query) => {
    expect(() => parseQuery(query)).toThrow(invalid("the secret's id is missing"));
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
    [SECRET_ARN, SECRET_ARN],
    [encodeURIComponent(SECRET_ARN), SECRET_ARN],
    [
      "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db",
      "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db",
    ],
    ["../ping", "../ping"],
    ["s".repeat(2_048), "s".repeat(2_048)],
  ])("accepts %s as an id, and decodes it once", (text, secretId) => {
    expect(parseQuery(`?secretId=${text}`).query.secretId).toBe(secretId);
  });

  it.each(["a+b", "a%20b", "+", "a%09b", "a%0Ab", "a%C2%A0b", "%E2%80%A8"])(
    "refuses the id %s, which has a space, and says how to send a plus",
    (text) => {
      expect(() => parseQuery(`?secretId=${text}`).query.secretId).toThrow(
        invalid("holds no space; a plus in it must be sent as %2B"),
      );
    },
  );

  it.each(["a%252Fb", "caf%C3%A9", "%F0%9F%94%91", "a%00", "a*", "a?b", "a:b", "a#b", "s".repeat(2_049)])(
    "refuses the id %s",
    (text) => {
      expect(() => parseQuery(`?secretId=${text}`).query.secretId).toThrow(
        invalid(/^the secret's id must be a secret's name/),
      );
    },
  );

  it.each([
    ["v", "v"],
    ["5767290c-d089-49ed-b97c-17086f8c9d79", "5767290c-d089-49ed-b97c-17086f8c9d79"],
    ["my%2Bstage%2F1", "my+stage/1"],
    ["~!%22", '~!"'],
    ["v".repeat(256), "v".repeat(256)],
  ])("accepts %s as a version and as a stage", (text, version) => {
    const { query } = parseQuery(`?secretId=a&versionId=${text}&versionStage=${text}`);
    expect(query).toEqual({ secretId: "a", versionId: version, versionStage: version });
  });

  it.each(["versionId", "versionStage"])(
    "refuses a %s that is too long, or not printable ASCII without a space",
    (name) => {
      for (const text of ["v".repeat(257), "a+b", "a%20b", "%C3%A9", "a%0A", "%7F"]) {
        expect(() => parseQuery(`?secretId=a&${name}=${text}`)).toThrow(
          invalid(`${name} must be 1 to 256 printable ASCII characters without a space`),
        );
      }
    },
  );
});

describe("a secret request by path", () => {
  it.each(["versionId", "versionStage", "refreshNow", "roleArn"])("refuses an empty %s", (name) => {
    expect(() => parsePath(`/secrets/a?${name}=`)).toThrow(invalid(name));
  });

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
    [`/secrets/${SECRET_ARN}`, SECRET_ARN],
    [`/secrets/${encodeURIComponent(SECRET_ARN)}?`, SECRET_ARN],
  ])("%s asks for %s: a plus stays a plus, and dots are not resolved", (target, secretId) => {
    expect(parsePath(target)).toEqual({
      query: { secretId },
      refreshNow: false,
      roleArn: undefined,
      key: undefined,
    });
  });

  it("accepts key and every parameter except secretId", () => {
    const target = `/secrets/a?versionId=v&versionStage=S&refreshNow=true&roleArn=${TARGET_ROLE_WITH_PATH_ARN}&key=%2Fdatabase%2Fpass+word`;
    expect(parsePath(target)).toEqual({
      query: { secretId: "a", versionId: "v", versionStage: "S" },
      refreshNow: true,
      roleArn: TARGET_ROLE_WITH_PATH_ARN,
      key: "/database/pass word",
    });
    expect(() => parsePath("/secrets/a?secretId=b")).toThrow(
      invalid('unknown parameter "secretId"; known are versionId, versionStage, key, refreshNow, roleArn'),
    );
  });

  it.each(["/secrets/", "/secrets/?versionId=v"])("is refused without an id: %s", (target) => {
    expect(() => parsePath(target)).toThrow(invalid("the secret's id is missing"));
  });

  it.each(["/secrets/a%20b", "/secrets/%0A"])("refuses %s because an id has no spaces", (target) => {
    expect(() => parsePath(target)).toThrow(invalid("holds no space"));
  });

  it.each(["/secrets/a%252Fb", "/secrets/caf%C3%A9", "/secrets/a;b", "/secrets/a#b", `/secrets/${"s".repeat(2_049)}`])(
    "refuses %s because that is not a secret's id",
    (target) => {
      expect(() => parsePath(target)).toThrow(invalid(/^the secret's id must be/));
    },
  );

  it.each(["/secrets/%", "/secrets/%ff", "/secrets/a%2"])(
    "refuses %s because it is not percent-encoded UTF-8",
    (target) => {
      expect(() => parsePath(target)).toThrow(invalid("percent-encoded"));
    },
  );

  it("refuses an empty key", () => {
    expect(() => parsePath("/secrets/a?key=")).toThrow(invalid("key must name a field, or be a JSON Pointer"));
  });

  it.each(["password", "/", "a/b", "__proto__", "naïve 🔑"])("accepts the key %s unchanged", (key) => {
    expect(parsePath(`/secrets/a?key=${encodeURIComponent(key)}`).key).toBe(key);
  });
});

describe("a report of an invalid version", () => {
  const parse = (target: string) => parseInvalidation(parseTarget(target), "/secrets/", "/invalid");

  it.each([
    ["app/database", "app/database"],
    ["app%2Fdatabase", "app/database"],
    [encodeURIComponent(SECRET_ARN), SECRET_ARN],
    [SECRET_ARN, SECRET_ARN],
    ["app/invalid", "app/invalid"],
    ["a%2Bb", "a+b"],
  ])("names its secret in the path: %s is %s", (path, secretId) => {
    expect(parse(`/secrets/${path}/invalid?versionId=v1`)).toEqual({
      query: { secretId, versionId: "v1" },
      refreshNow: false,
      roleArn: undefined,
      key: undefined,
    });
  });

  it("may name the target role", () => {
    expect(parse(`/secrets/a/invalid?roleArn=${TARGET_ROLE_WITH_PATH_ARN}&versionId=v1`).roleArn).toBe(
      TARGET_ROLE_WITH_PATH_ARN,
    );
  });

  it.each(["", "?", `?roleArn=${TARGET_ROLE_WITH_PATH_ARN}`, "?versionid=v1"])(
    "is refused without a version: %j",
    (query) => {
      expect(() => parse(`/secrets/a/invalid${query}`)).toThrow(invalid());
    },
  );

  it.each(["", "a%20b", "%0A", "v".repeat(257), "%C3%A9"])("is refused if the version is %j", (versionId) => {
    expect(() => parse(`/secrets/a/invalid?versionId=${versionId}`)).toThrow(invalid(/^versionId must be/));
  });

  it.each(["versionStage=AWSCURRENT", "refreshNow=true", "key=password", "secretId=a", "colour=red"])(
    "accepts no other parameter: %s",
    (parameter) => {
      expect(() => parse(`/secrets/a/invalid?versionId=v1&${parameter}`)).toThrow(
        invalid(/^unknown parameter ".+"; known are versionId, roleArn$/),
      );
    },
  );

  it.each(["a%20b", "a%252Fb", "%", "a:b"])("is refused for %s, which is not a secret's id", (path) => {
    expect(() => parse(`/secrets/${path}/invalid?versionId=v1`)).toThrow(invalid());
  });
});

describe("a parameter request in the form of AWS's extension", () => {
  it("needs only the name, and asks for the latest version without decryption", () => {
    expect(parseParameter("?name=/app/flag")).toEqual({
      query: { parameterId: "/app/flag", withDecryption: false },
      refreshNow: false,
      roleArn: undefined,
    });
    expect(Object.keys(parseParameter("?name=flag").query)).not.toContain("selector");
  });

  it("accepts all parameters, in any order", () => {
    const name = encodeURIComponent("/app/flag");
    expect(
      parseParameter(
        `?refreshNow=1&withDecryption=true&roleArn=${encodeURIComponent(TARGET_ROLE_WITH_PATH_ARN)}&label=prod&name=${name}`,
      ),
    ).toEqual({
      query: { parameterId: "/app/flag", selector: "prod", withDecryption: true },
      refreshNow: true,
      roleArn: TARGET_ROLE_WITH_PATH_ARN,
    });
  });

  it.each([
    ["flag", "flag"],
    ["/flag", "/flag"],
    ["%2Fapp%2Fflag", "/app/flag"],
    ["%2fapp%2fflag", "/app/flag"],
    ["/aws/reference/secretsmanager/app/db", "/aws/reference/secretsmanager/app/db"],
    [PARAMETER_ARN, PARAMETER_ARN],
    [encodeURIComponent(PARAMETER_ARN), PARAMETER_ARN],
  ])("accepts %s as a name, and decodes it once", (text, parameterId) => {
    expect(parseParameter(`?name=${text}`).query).toEqual({ parameterId, withDecryption: false });
  });

  it.each(["", "?", "?name", "?name=", "?version=3"])("is refused without a name: %j", (query) => {
    expect(() => parseParameter(query)).toThrow(invalid("the parameter's name is missing"));
  });

  it.each([
    "a b",
    "a+b",
    "a%20b",
    "caf%C3%A9",
    "a*",
    "a%252Fb",
    "a%00",
    "a:b:c",
    ":3",
    "::",
    "a%0Ab:3",
    `${PARAMETER_ARN}:a:b`,
  ])("refuses the name %s", (text) => {
    expect(() => parseParameter(`?name=${text}`)).toThrow(invalid(/^a parameter's id must be a parameter's name/));
  });

  it.each([
    "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/flag-AbCdEf",
    "arn:aws:ssm:eu-west-1:1:parameter/a",
  ])("refuses %s, which is not a parameter's ARN", (arn) => {
    expect(() => parseParameter(`?name=${arn}`)).toThrow(invalid(/^a parameter's id must be/));
  });

  it.each(["Name", "secretId", "versionId", "key", "decrypt", "withdecryption", "constructor", "__proto__"])(
    "ignores and reports the unknown parameter %s",
    (name) => {
      expect(parseParameter(`?name=a&${name}=b`)).toEqual(parseParameter("?name=a"));
      expect(ignored).toEqual([name]);
    },
  );

  it.each([
    "name=a&name=b",
    "name=a&version=1&version=2",
    "name=a&label=x&label=x",
    "name=a&withDecryption=1&withDecryption=0",
  ])("refuses a repeated parameter: %s", (query) => {
    expect(() => parseParameter(`?${query}`)).toThrow(invalid("given more than once"));
  });
});

describe("the version or label of a parameter", () => {
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
  ])("in %s is %s: the first of version and label wins, and both win over the end of the name", (query, selector) => {
    expect(parseParameter(query).query).toEqual({ parameterId: "a", selector, withDecryption: false });
  });

  it.each(["3", "prod", "a.b_c-d"])("may follow an ARN: %s", (selector) => {
    expect(parseParameter(`?name=${PARAMETER_ARN}:${selector}`).query).toEqual({
      parameterId: PARAMETER_ARN,
      selector,
      withDecryption: false,
    });
    expect(parseParameter(`?name=${encodeURIComponent(`${PARAMETER_ARN}:${selector}`)}`).query).toMatchObject({
      parameterId: PARAMETER_ARN,
      selector,
    });
  });

  it("is not given if it is empty", () => {
    expect(parseParameter("?name=a&version=&label=prod").query.selector).toBe("prod");
    expect(parseParameter("?name=a&version=&label=").query).toEqual({ parameterId: "a", withDecryption: false });
  });

  it.each(["label=a+b", "label=a/b", "version=%3A3", "label=%C3%A9", `label=${"l".repeat(101)}`])(
    "is refused if it is given as %s",
    (pair) => {
      expect(() => parseParameter(`?name=a&${pair}`)).toThrow(
        invalid("a version or label must be 1 to 100 letters, digits and ._-"),
      );
    },
  );

  it.each(["a:", "a:b/c", `a:${"l".repeat(101)}`, `${PARAMETER_ARN}:`])(
    "is refused at the end of the name %s",
    (name) => {
      expect(() => parseParameter(`?name=${name}`)).toThrow(invalid());
    },
  );

  it("may have a hundred characters", () => {
    expect(parseParameter(`?name=a&label=${"l".repeat(100)}`).query.selector).toBe("l".repeat(100));
  });
});

describe("withDecryption", () => {
  it.each([
    ["true", true],
    ["TRUE", true],
    ["1", true],
    ["false", false],
    ["0", false],
  ])("accepts %s as %s", (text, withDecryption) => {
    expect(parseParameter(`?name=a&withDecryption=${text}`).query.withDecryption).toBe(withDecryption);
  });

  it("is false if it is empty", () => {
    expect(parseParameter("?name=a&withDecryption=").query.withDecryption).toBe(false);
  });

  it.each(["yes", "on", "truefalse"])("refuses %j", (text) => {
    expect(() => parseParameter(`?name=a&withDecryption=${text}`)).toThrow(
      invalid("withDecryption must be true, false, 1 or 0"),
    );
  });

  it("is false by default, and is named if it is not a boolean", () => {
    expect(parseParameter("?name=a").query.withDecryption).toBe(false);
    expect(() => parseParameter("?name=a&withDecryption=yes")).toThrow(
      invalid(/^withDecryption must be true, false, 1 or 0$/),
    );
  });
});
