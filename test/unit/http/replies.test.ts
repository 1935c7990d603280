import { describe, expect, it } from "vitest";
import type { Cached } from "../../../extension/cache/cache.ts";
import { Failure, type FailureCode } from "../../../extension/failure/failure.ts";
import {
  type CachedSecret,
  toAgentReply,
  toBareReply,
  toCacheHeaders,
  toExtensionReply,
  toJsonReply,
  toParameterReply,
  toReply,
} from "../../../extension/http/replies.ts";
import type { ParameterValue } from "../../../extension/values/parameter.ts";
import type { SecretValue } from "../../../extension/values/secret.ts";
import type { Versioned } from "../../../extension/values/source.ts";
import { toParameterValue, toSecretValue } from "../../support/values.ts";

/** The secret and the parameter of the replies that were recorded from AWS's extension. */
const RECORDED_SECRET = {
  arn: "arn:aws:secretsmanager:us-east-1:123456789012:secret:dummy-string-secret-MFUBmH",
  name: "dummy-string-secret",
  versionId: "b1c367b9-7f53-4a47-82c4-be51a054b953",
  createdDate: new Date("2022-11-16T08:22:40.499Z"),
  secretString: undefined,
};
const RECORDED_PARAMETER = {
  arn: "arn:aws:ssm:us-east-1:123456789012:parameter/dummy-string-parameter",
  name: "dummy-string-parameter",
  versionId: "1",
  lastModifiedDate: new Date("2022-11-16T08:22:40.362Z"),
  value: "an-insecure-value",
};

const toHit = <V>(value: V, rest: Partial<Cached<V>> = {}): Cached<V> => ({
  value,
  from: "memory",
  ageMs: 0,
  ttlMs: 300_000,
  ...rest,
});
const toSecret = (fields: Partial<SecretValue>): CachedSecret =>
  toHit(toSecretValue({ ...RECORDED_SECRET, ...fields }));
const text = (secretString: string) => toSecret({ secretString });
const bytes = (...secretBinary: number[]) => toSecret({ secretBinary: Uint8Array.from(secretBinary) });
const toParameter = (fields: Partial<ParameterValue> = {}, rest: Partial<Cached<ParameterValue>> = {}) =>
  toHit(toParameterValue({ ...RECORDED_PARAMETER, ...fields }), rest);

describe("a secret in the form of AWS's agent", () => {
  it("has the agent's keys in its order, the date in seconds, and no key for the missing value", () => {
    const createdDate = new Date(1_569_534_789_046);
    const { status, body } = toAgentReply(toSecret({ secretString: "hunter2", createdDate }));
    expect([status, body]).toEqual([
      200,
      `{"ARN":"${RECORDED_SECRET.arn}","Name":"dummy-string-secret","VersionId":"b1c367b9-7f53-4a47-82c4-be51a054b953",` +
        '"SecretString":"hunter2","VersionStages":["AWSCURRENT"],"CreatedDate":"1569534789.046"}',
    ]);
  });

  it("has bytes as standard Base64, and no key for the stages if the version has none", () => {
    const { body } = toAgentReply(toSecret({ secretBinary: Uint8Array.of(0xfb, 0xff, 0xfe), versionStages: [] }));
    expect(JSON.parse(String(body))).toMatchObject({ SecretBinary: "+//+" });
    expect(Object.keys(JSON.parse(String(body)))).toEqual(["ARN", "Name", "VersionId", "SecretBinary", "CreatedDate"]);
  });

  it("is JSON, with the headers ETag and Age, as the other forms", () => {
    const json = { "Content-Type": "application/json" };
    expect(toAgentReply(text("x")).headers).toMatchObject({ ...json, ETag: expect.any(String), Age: "0" });
  });
});

describe("a secret in the form of AWS's extension", () => {
  it("has every key in the order of a recorded reply, and null for the missing value", () => {
    const reply = toExtensionReply(text("an-insecure-string-secret-value"));
    expect(reply.status).toBe(200);
    expect(reply.body).toBe(
      `{"ARN":"${RECORDED_SECRET.arn}","CreatedDate":"2022-11-16T08:22:40.499Z","Name":"dummy-string-secret","SecretBinary":null,` +
        '"SecretString":"an-insecure-string-secret-value","VersionId":"b1c367b9-7f53-4a47-82c4-be51a054b953",' +
        '"VersionStages":["AWSCURRENT"],"ResultMetadata":{}}',
    );
  });

  it.each<[string, number[], string]>([
    ["a byte", [0], "AA=="],
    ["bytes beyond UTF-8, with Base64's own signs", [0xfb, 0xff, 0xfe], "+//+"],
    ["no byte", [], ""],
  ])("has %s as standard Base64, and no text", (_, given, base64) => {
    expect(JSON.parse(String(toExtensionReply(bytes(...given)).body))).toMatchObject({
      SecretBinary: base64,
      SecretString: null,
    });
  });

  it("has only the value's own bytes of a larger buffer", () => {
    const secretBinary = new TextEncoder().encode("before-value-after").subarray(7, 12);
    const { SecretBinary } = JSON.parse(String(toExtensionReply(toSecret({ secretBinary })).body));
    expect(Buffer.from(SecretBinary, "base64").toString()).toBe("value");
  });

  it.each(["", '"<&>\u2028\\\n', "ünïcødé 🔑", '{"password":"p"}'])("has the text %j unchanged", (secretString) => {
    expect(JSON.parse(String(toExtensionReply(text(secretString)).body)).SecretString).toBe(secretString);
  });

  it("writes whole seconds with milliseconds, and an empty list if there are no stages", () => {
    const value = { secretString: "s", createdDate: new Date(0), versionStages: [] };
    expect(JSON.parse(String(toExtensionReply(toSecret(value)).body))).toMatchObject({
      CreatedDate: "1970-01-01T00:00:00.000Z",
      VersionStages: [],
    });
  });
});

describe("the headers of a secret", () => {
  it("name the version, and forbid HTTP caches to store the reply", () => {
    expect(toBareReply(text("s"), undefined).headers).toEqual({
      "Content-Type": "text/plain; charset=utf-8",
      "Cache-Control": "no-store",
      ETag: '"b1c367b9-7f53-4a47-82c4-be51a054b953"',
      Age: "0",
      "Cache-Status": "cross-account-secrets; hit; ttl=300",
    });
  });

  it("are the same in every form, except for the type", () => {
    const secret = text('{"a":"b"}');
    const { "Content-Type": json, ...expected } = toExtensionReply(secret).headers;
    expect(json).toBe("application/json");
    for (const reply of [toBareReply(secret, undefined), toBareReply(secret, "a")]) {
      expect(reply.headers).toMatchObject(expected);
    }
  });
});

describe("the bare value of a secret", () => {
  it.each([
    ['{"user":"u", "password" : "p"}', "application/json"],
    ["[1, 2]", "application/json"],
    [" \n{}\n", "application/json"],
    ['"a JSON string"', "text/plain; charset=utf-8"],
    ["12345678901234567890", "text/plain; charset=utf-8"],
    ["true", "text/plain; charset=utf-8"],
    ["null", "text/plain; charset=utf-8"],
    ["{broken", "text/plain; charset=utf-8"],
    ["pässwörd 🔑\r\n", "text/plain; charset=utf-8"],
    ["", "text/plain; charset=utf-8"],
  ])("that is %j is answered as %s, unchanged", (secretString, type) => {
    const { status, headers, body } = toBareReply(text(secretString), undefined);
    expect({ status, body, type: headers["Content-Type"] }).toEqual({ status: 200, body: secretString, type });
  });

  it.each<[string, number[]]>([
    ["bytes", [0, 0xff, 0x80]],
    ["bytes that happen to be JSON", [...Buffer.from('{"a":1}')]],
    ["no bytes", []],
  ])("that is %s is answered as application/octet-stream, unchanged", (_, given) => {
    const { headers, body } = toBareReply(bytes(...given), undefined);
    expect(headers["Content-Type"]).toBe("application/octet-stream");
    expect(body).toEqual(Uint8Array.from(given));
  });
});

describe("one field of a secret", () => {
  /** The document of RFC 6901, section 5, with more fields. */
  const document = {
    foo: ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
    "~1": 9,
    text: "plain 🔑",
    empty: "",
    no: false,
    nothing: null,
    deep: [{ "": { key: "found" } }],
    "deep/0": "a name, not a pointer",
  };
  const pick = (key: string, content: unknown = document) => {
    const { status, headers, body } = toBareReply(text(JSON.stringify(content)), key);
    return { status, type: headers["Content-Type"], body };
  };

  it.each([
    ["/foo/0", "bar"],
    ["/", "0"],
    ["/a~1b", "1"],
    ["/c%d", "2"],
    ["/e^f", "3"],
    ["/g|h", "4"],
    ["/i\\j", "5"],
    ['/k"l', "6"],
    ["/ ", "7"],
    ["/m~0n", "8"],
    ["/~01", "9"],
    ["/deep/0//key", "found"],
  ])("by the JSON Pointer %s is %s", (pointer, body) => {
    expect(pick(pointer)).toEqual({ status: 200, type: "text/plain; charset=utf-8", body });
  });

  it.each([
    ["text", "plain 🔑"],
    ["a/b", "1"],
    ["m~n", "8"],
    ["~1", "9"],
    ["deep/0", "a name, not a pointer"],
    ["empty", ""],
    ["no", "false"],
    ["nothing", "null"],
  ])("by the name %s is %j", (name, body) => {
    expect(pick(name)).toEqual({ status: 200, type: "text/plain; charset=utf-8", body });
  });

  it.each([
    ["foo", '["bar","baz"]'],
    ["/foo", '["bar","baz"]'],
    ["/deep/0", '{"":{"key":"found"}}'],
  ])("that is an object or an array is answered as JSON: %s", (key, body) => {
    expect(pick(key)).toEqual({ status: 200, type: "application/json", body });
  });

  it("of an array is found by its index, with a slash or without", () => {
    expect(pick("/1", ["a", "b"]).body).toBe("b");
    expect(pick("1", ["a", "b"]).body).toBe("b");
  });

  it("of an array is one of its members: its length is not a field", () => {
    expect(() => pick("length", ["a", "b"])).toThrow(expect.objectContaining({ code: "key-not-found" }));
  });

  it.each(["/a~2", "/a~", "/~", "/a~2b/c", "/~0~", "/missing/~x"])(
    "is refused with the key %s, which is not a JSON Pointer",
    (key) => {
      expect(() => pick(key, { "a~2": 1, "a~": 2, "~": 3 })).toThrow(
        expect.objectContaining({
          code: "invalid-request",
          message: "in a JSON Pointer, ~ must be written ~0, and / ~1",
        }),
      );
    },
  );

  it.each(["a~2", "a~", "~"])("is found by the name %s: a tilde in a name needs no escape", (name) => {
    expect(pick(name, { "a~2": 1, "a~": 1, "~": 1 }).body).toBe("1");
  });

  it.each([
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "/constructor/name",
    "/__proto__/constructor",
    "/foo/map",
    "/foo/__proto__",
    "missing",
    "/missing",
    "/missing/further",
    "foo/0",
    "/foo/2",
    "/foo/-",
    "/foo/-1",
    "/foo/01",
    "/foo/1.0",
    "/foo/",
    "/foo/length",
    "/nothing/0",
    "//",
  ])("is not found by %s, which is not in the secret's text", (key) => {
    expect(() => pick(key)).toThrow(
      expect.objectContaining({
        code: "key-not-found",
        message: `dummy-string-secret has no field ${JSON.stringify(key)}`,
      }),
    );
  });

  it.each([
    ["Text", ": a name differs only in case or white space"],
    ["text ", ": a name differs only in case or white space"],
    ["/TEXT", ": a name differs only in case or white space"],
    ["/text/0", ": the part before it is a text"],
    ["/text/length", ": the part before it is a text"],
  ])("is not found by %s, and the error says what is in the way", (key, why) => {
    expect(() => pick(key)).toThrow(
      expect.objectContaining({
        code: "key-not-found",
        message: `dummy-string-secret has no field ${JSON.stringify(key)}${why}`,
      }),
    );
  });

  it("is found by a name that begins with a slash, unless it is a JSON Pointer to another field", () => {
    const secret = text('{"/app/host":"literal","a":"pointed","/a":"literal"}');
    expect(toBareReply(secret, "/app/host").body).toBe("literal");
    expect(toBareReply(secret, "/a").body).toBe("pointed");
    expect(toBareReply(secret, "/~1a").body).toBe("literal");
  });

  it.each<[string, CachedSecret]>([
    ["behind a byte order mark", text('\uFEFF{"key":"v"}')],
    ["between white space of any kind", text('\u00A0\r\n{"key":"v"}\n\u2003')],
    ["in a binary secret", bytes(...Buffer.from('{"key":"v"}'))],
    ["in a binary secret, behind a byte order mark", bytes(...Buffer.from('\uFEFF{"key":"v"}'))],
  ])("is found in JSON %s", (_, secret) => {
    expect(toBareReply(secret, "key").body).toBe("v");
  });

  it.each(["__proto__", "constructor", "toString"])("is found by %s if that is in the secret's text", (name) => {
    const secret = text(`{"${name}":{"inner":"own"}}`);
    expect(toBareReply(secret, name).body).toBe('{"inner":"own"}');
    expect(toBareReply(secret, `/${name}/inner`).body).toBe("own");
  });

  // JSON.rawJSON came with Node 22. The standalone layers carry a Node that has it, and so has the nodejs runtime from
  // nodejs22.x on; an older one says what JavaScript makes of the number.
  it.each(["12345678901234567890", "-0", "1.10", "1E5", "1e-7", "1e400", "0.1000000000000000055511151231257827"])(
    "that is the number %s keeps its digits, if Node can do that",
    (digits) => {
      const expected = "rawJSON" in JSON ? digits : JSON.stringify(JSON.parse(digits));
      const secret = text(`{"number": ${digits}, "deep": {"numbers": [ ${digits} ]}}`);
      expect(toBareReply(secret, "number")).toMatchObject({
        headers: { "Content-Type": "text/plain; charset=utf-8" },
        body: expected,
      });
      expect(toBareReply(secret, "/deep/numbers/0").body).toBe(expected);
      expect(toBareReply(secret, "deep")).toMatchObject({
        headers: { "Content-Type": "application/json" },
        body: `{"numbers":[${expected}]}`,
      });
    },
  );

  it.each(["/number/rawJSON", "/number/0"])("is not found by %s: a long number has no fields", (key) => {
    const secret = text('{"number": 12345678901234567890}');
    expect(() => toBareReply(secret, key)).toThrow(expect.objectContaining({ code: "key-not-found" }));
  });

  it("that is not found is quoted with escapes, and cut to 64 characters", () => {
    const key = `${"k".repeat(63)}\n${"k".repeat(5_000)}`;
    expect(() => pick(key)).toThrow(`dummy-string-secret has no field "${"k".repeat(63)}\\n"`);
  });

  it.each<[string, CachedSecret]>([
    ["text", text("CANARY-7c0e is no JSON")],
    ["broken JSON", text('{"password":"CANARY-7c0e')],
    ["a JSON string", text('"CANARY-7c0e"')],
    ["a JSON number", text("7")],
    ["JSON's null", text("null")],
    ["empty", text("")],
    ["bytes", bytes(1, 2, 3)],
    ["JSON in Latin-1", bytes(...Buffer.from('{"key":"CANARY-7c0e-é"}', "latin1"))],
    ["JSON in UTF-16", bytes(...Buffer.from('{"key":"CANARY-7c0e"}', "utf16le"))],
  ])("is refused if the secret is %s, and the error quotes nothing of it", (_, secret) => {
    expect(() => toBareReply(secret, "key")).toThrow(
      expect.objectContaining({
        code: "invalid-request",
        message: "key needs a secret that is a JSON object or array, which dummy-string-secret is not",
      }),
    );
  });

  it.each([
    ["is JSON in a JSON string, encoded twice", JSON.stringify('{"key":"CANARY-7c0e"}')],
    ["begins with an invisible character", '\u200B{"key":"CANARY-7c0e"}'],
  ])("is refused if the secret %s, and the error says so", (why, secret) => {
    expect(() => toBareReply(text(secret), "key")).toThrow(
      expect.objectContaining({ code: "invalid-request", message: expect.stringMatching(`is not: it ${why}$`) }),
    );
  });

  it("would be quoted by V8's own error message, so that message is dropped", () => {
    expect(() => JSON.parse("CANARY-7c0e is no JSON")).toThrow("CANARY");
  });

  it("that is not found leaves the other fields' values out of the error", () => {
    expect(() => pick("missing", { password: "CANARY-7c0e" })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("CANARY") }),
    );
  });
});

describe("a parameter in the form of AWS's extension", () => {
  const parse = (fields: Partial<ParameterValue>) => JSON.parse(String(toParameterReply(toParameter(fields)).body));

  it("has every key in the order of a recorded reply, and null for what is missing", () => {
    expect(toParameterReply(toParameter()).body).toBe(
      `{"Parameter":{"ARN":"${RECORDED_PARAMETER.arn}","DataType":"text","LastModifiedDate":"2022-11-16T08:22:40.362Z",` +
        '"Name":"dummy-string-parameter","Selector":null,"SourceResult":null,"Type":"String",' +
        '"Value":"an-insecure-value","Version":1},"ResultMetadata":{}}',
    );
  });

  it("has every key, and the version as a number, even if AWS left values out", () => {
    const least = { arn: "", dataType: undefined, lastModifiedDate: undefined, value: undefined, versionId: "0" };
    expect(toParameterReply(toParameter(least)).body).toBe(
      '{"Parameter":{"ARN":null,"DataType":null,"LastModifiedDate":null,"Name":"dummy-string-parameter",' +
        '"Selector":null,"SourceResult":null,"Type":"String","Value":null,"Version":0},"ResultMetadata":{}}',
    );
  });

  it("has the selector of the request, and the target of a reference as text", () => {
    const sourceResult = '{"ARN":"arn","secretString":"s"}';
    expect(parse({ selector: ":prod", sourceResult, type: "SecureString", versionId: "12" }).Parameter).toMatchObject({
      Selector: ":prod",
      SourceResult: sourceResult,
      Type: "SecureString",
      Version: 12,
    });
  });

  it.each(["", '"<&>\u2028\\\n', "ünïcødé 🔑", "a,b,c", '{"a":1}'])("has the value %j unchanged", (value) => {
    expect(parse({ value }).Parameter.Value).toBe(value);
  });

  it("is JSON that HTTP caches must not store, with the headers of every value", () => {
    expect(toParameterReply(toParameter({ versionId: "7" }, { ageMs: 88_000, ttlMs: 212_000 }))).toMatchObject({
      status: 200,
      headers: {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        ETag: '"7"',
        Age: "88",
        "Cache-Status": "cross-account-secrets; hit; ttl=212",
      },
    });
    const stale = toParameterReply(toParameter({}, { from: { failed: new Failure("timeout", "late") }, ttlMs: -1 }));
    expect(stale.headers).toMatchObject({ "Cache-Status": "cross-account-secrets; fwd=stale; fwd-status=504" });
  });
});

const headersOf = (rest: Partial<Cached<Versioned>>) => toCacheHeaders(toHit(RECORDED_SECRET, rest));

describe("the cache headers of a value", () => {
  it("name its version in quotes, as HTTP requires, its age, and where it is from", () => {
    expect(headersOf({})).toEqual({
      ETag: '"b1c367b9-7f53-4a47-82c4-be51a054b953"',
      Age: "0",
      "Cache-Status": "cross-account-secrets; hit; ttl=300",
    });
    expect(headersOf({ value: { ...RECORDED_SECRET, versionId: "7" } }).ETag).toBe('"7"');
  });

  it.each<[Partial<Cached<Versioned>>, string, string]>([
    [{ from: "memory", ageMs: 999, ttlMs: 299_001 }, "0", "hit; ttl=299"],
    [{ from: "memory", ageMs: 88_000, ttlMs: 212_000 }, "88", "hit; ttl=212"],
    [{ from: "memory", ageMs: 1_999, ttlMs: 999 }, "1", "hit; ttl=0"],
    [{ from: "memory", ageMs: 300_000, ttlMs: 0 }, "300", "hit; ttl=0"],
    [{ from: "memory", ageMs: 330_000, ttlMs: -30_000 }, "330", "hit; ttl=-30"],
    [{ from: "memory", ageMs: 300_001, ttlMs: -1 }, "300", "hit; ttl=-1"],
    [{ from: "fetch", ageMs: 0, ttlMs: 300_000 }, "0", "fwd=miss"],
    [{ from: "fetch", ageMs: 1_200, ttlMs: 0 }, "1", "fwd=miss"],
  ])("of %j are in whole seconds, rounded down", (rest, age, status) => {
    expect(headersOf(rest)).toMatchObject({ Age: age, "Cache-Status": `cross-account-secrets; ${status}` });
  });

  it.each<[FailureCode, number]>([
    ["timeout", 504],
    ["unreachable", 503],
    ["aws-error", 502],
    ["aws-response-invalid", 502],
    ["throttled", 429],
    ["credentials-expired", 502],
    ["internal", 500],
  ])("of a stale value that is served after %s have that failure's status %d", (code, status) => {
    const from = { failed: new Failure(code, "AWS's own words") };
    expect(headersOf({ from, ageMs: 400_000, ttlMs: -100_000 })).toMatchObject({
      Age: "400",
      "Cache-Status": `cross-account-secrets; fwd=stale; fwd-status=${status}`,
    });
  });
});

describe("a reply", () => {
  it("has its content type, and forbids HTTP caches to store it", () => {
    expect(toReply(200, "text/plain; charset=utf-8", "healthy")).toEqual({
      status: 200,
      headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
      body: "healthy",
    });
  });

  it("has the further headers that it is given", () => {
    const { headers } = toReply(200, "text/plain", "", { ETag: '"1"' });
    expect(headers).toEqual({ "Content-Type": "text/plain", "Cache-Control": "no-store", ETag: '"1"' });
  });

  it("leaves bytes unchanged", () => {
    const bytes = Uint8Array.of(0, 0xff, 0x80, 0x0a);
    expect(toReply(200, "application/octet-stream", bytes).body).toBe(bytes);
  });

  it("in JSON is compact, and leaves undefined fields out", () => {
    expect(toJsonReply(404, { __type: "X", remedy: undefined, message: "ü\n" }, { Allow: "GET" })).toEqual({
      status: 404,
      headers: { "Content-Type": "application/json", "Cache-Control": "no-store", Allow: "GET" },
      body: '{"__type":"X","message":"ü\\n"}',
    });
  });
});
