import { describe, expect, it } from "vitest";
import { expectOnly, parseBoolean, parseTarget, parseWishes } from "../../../extension/http/requests.ts";

const ROLE = "arn:aws:iam::111111111111:role/readers/SecretReader";

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
  ])("%s is the path %s with parameters", (target, path, parameters) => {
    const parsed = parseTarget(target);
    expect(parsed.path).toBe(path);
    expect([...parsed.parameters]).toEqual(parameters);
  });

  it.each(["", "*", "ping", "?secretId=a", "http://127.0.0.1:2773/ping", "HTTPS://127.0.0.1/ping", "127.0.0.1:2773"])(
    "%j is refused, being no path",
    (target) => {
      expect(() => parseTarget(target)).toThrow(invalid("must be a path"));
    },
  );

  it.each(["b=c&b=d", "b=c&b=c", "b&b=", "b=c&%62=d", "b+c=1&b%20c=1"])("%s is refused, being repeated", (query) => {
    expect(() => parseTarget(`/a?${query}`)).toThrow(invalid("given more than once"));
  });

  it.each(["%", "b=%", "b=%zz", "b=%ff", "b=%C3", "b=%C0%AF", "%E2%82=b"])(
    "%s is refused, being no percent-encoded UTF-8",
    (query) => {
      expect(() => parseTarget(`/a?${query}`)).toThrow(invalid("percent-encoded"));
    },
  );

  it("is quoted in a refusal escaped, and cut to a length that a log line can bear", () => {
    const name = `${"n".repeat(63)}"${"x".repeat(5_000)}`;
    expect(() => parseTarget(`/a?${name}=1&${name}=2`)).toThrow(
      invalid(/^parameter "n{63}\\"" is given more than once$/),
    );
  });
});

describe("parameters", () => {
  it("may be left out", () => {
    expect(() => expectOnly(new Map(), ["a"])).not.toThrow();
  });

  it.each(["b", "A", "", "__proto__", "toString"])("are refused where %j is not known", (name) => {
    expect(() => expectOnly(new Map([[name, "1"]]), ["a", "c"])).toThrow(
      invalid(`unknown parameter ${JSON.stringify(name)}; known are a, c`),
    );
  });

  it("are refused where none is known", () => {
    expect(() => expectOnly(new Map([["a", "1"]]), [])).toThrow(invalid('unknown parameter "a"; none is known here'));
  });

  it("keep their value to themselves in a refusal", () => {
    const parameters = new Map([["password", "CANARY-1f"]]);
    expect(() => expectOnly(parameters, [])).toThrow(invalid(/^((?!CANARY).)*$/));
  });
});

describe("what is wished for along with a value", () => {
  const parse = (query: string) => parseWishes(parseTarget(`/a?${query}`).parameters, ["name", "version"]);

  it("is nothing, where nothing is said", () => {
    expect(parse("")).toEqual({ refreshNow: false, roleArn: undefined });
    expect(parse("version=3&name=refreshNow")).toEqual({ refreshNow: false, roleArn: undefined });
  });

  it.each(["key", "RefreshNow", "rolearn", "constructor"])("is not %s, and what is known is told", (name) => {
    expect(() => parse(`name=a&${name}=1`)).toThrow(
      invalid(`unknown parameter "${name}"; known are name, version, refreshNow, roleArn`),
    );
  });

  it.each([
    ["true", true],
    ["TRUE", true],
    ["True", true],
    ["1", true],
    ["false", false],
    ["FALSE", false],
    ["0", false],
  ])("takes refreshNow=%s as %s", (text, refreshNow) => {
    expect(parse(`refreshNow=${text}`).refreshNow).toBe(refreshNow);
  });

  it.each(["", "yes", "2", "01", "true+", "truefalse", "%00"])("refuses refreshNow=%s", (text) => {
    expect(() => parse(`refreshNow=${text}`)).toThrow(invalid("refreshNow must be true, false, 1 or 0"));
  });

  it.each([
    ROLE,
    "arn:aws-cn:iam::111111111111:role/r",
    "arn:aws-us-gov:iam::111111111111:role/a/b/c",
    "arn:aws:iam::111111111111:role/a_=,.@-b",
  ])("takes the role %s", (roleArn) => {
    expect(parse(`roleArn=${roleArn}`).roleArn).toBe(roleArn);
  });

  it.each([
    "",
    "SecretReader",
    "arn:aws:iam::111111111111:user/u",
    "arn:aws:iam::111111111111:role/",
    "arn:aws:iam::11111111111:role/r",
    "arn:aws:iam::١١١١١١١١١١١١:role/r",
    "arn:aws:sts::111111111111:assumed-role/r/s",
    "arn:gcp:iam::111111111111:role/r",
    "arn:aws:iam::111111111111:role/r%0A",
    "arn:aws:iam::111111111111:role/a+b",
  ])("refuses the role %j", (roleArn) => {
    expect(() => parse(`roleArn=${roleArn}`)).toThrow(
      invalid("roleArn must be arn:<partition>:iam::<12 digits>:role/<path/name>"),
    );
  });
});

describe("a boolean parameter", () => {
  it("is false where it is left out, and is named where it is none", () => {
    expect(parseBoolean("withDecryption", undefined)).toBe(false);
    expect(() => parseBoolean("withDecryption", "yes")).toThrow(
      invalid(/^withDecryption must be true, false, 1 or 0$/),
    );
  });
});
