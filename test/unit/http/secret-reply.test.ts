import { describe, expect, it } from "vitest";
import type { SecretValue } from "../../../extension/aws/secrets.ts";
import { type CachedSecret, toAgentReply, toBareReply, toExtensionReply } from "../../../extension/http/replies.ts";

const ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:dummy-string-secret-MFUBmH";

function cached(value: Partial<SecretValue>, how: Partial<CachedSecret> = {}): CachedSecret {
  return {
    value: {
      arn: ARN,
      name: "dummy-string-secret",
      versionId: "b1c367b9-7f53-4a47-82c4-be51a054b953",
      versionStages: ["AWSCURRENT"],
      createdDate: new Date("2022-11-16T08:22:40.499Z"),
      secretString: undefined,
      secretBinary: undefined,
      ...value,
    },
    from: "memory",
    ageMs: 0,
    ttlMs: 300_000,
    ...how,
  };
}
const text = (secretString: string) => cached({ secretString });
const bytes = (...secretBinary: number[]) => cached({ secretBinary: Uint8Array.from(secretBinary) });

describe("the reply of AWS's agent", () => {
  it("has its keys in its order, the date in seconds, and nothing for the value that there is none of", () => {
    const createdDate = new Date(1_569_534_789_046);
    const { status, body } = toAgentReply(cached({ secretString: "hunter2", createdDate }));
    expect([status, body]).toEqual([
      200,
      `{"ARN":"${ARN}","Name":"dummy-string-secret","VersionId":"b1c367b9-7f53-4a47-82c4-be51a054b953",` +
        '"SecretString":"hunter2","VersionStages":["AWSCURRENT"],"CreatedDate":"1569534789.046"}',
    ]);
  });

  it("has bytes as standard Base64, and no stages where the version has none", () => {
    const { body } = toAgentReply(cached({ secretBinary: Uint8Array.from([0xfb, 0xff, 0xfe]), versionStages: [] }));
    expect(JSON.parse(String(body))).toMatchObject({ SecretBinary: "+//+" });
    expect(Object.keys(JSON.parse(String(body)))).toEqual(["ARN", "Name", "VersionId", "SecretBinary", "CreatedDate"]);
  });

  it("tells its age, as the others do", () => {
    expect(toAgentReply(text("x")).headers).toMatchObject({ ETag: expect.any(String), Age: "0" });
  });
});

describe("the reply of AWS's extension", () => {
  it("has every key, in the order of a recorded one, and null for the value that there is none of", () => {
    const reply = toExtensionReply(text("an-insecure-string-secret-value"));
    expect(reply.status).toBe(200);
    expect(reply.body).toBe(
      `{"ARN":"${ARN}","CreatedDate":"2022-11-16T08:22:40.499Z","Name":"dummy-string-secret","SecretBinary":null,` +
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

  it("has no more of a buffer than the value's own bytes", () => {
    const secretBinary = new TextEncoder().encode("before-value-after").subarray(7, 12);
    const { SecretBinary } = JSON.parse(String(toExtensionReply(cached({ secretBinary })).body));
    expect(Buffer.from(SecretBinary, "base64").toString()).toBe("value");
  });

  it.each(["", '"<&>\u2028\\\n', "ünïcødé 🔑", '{"password":"p"}'])("has the text %j unchanged", (secretString) => {
    expect(JSON.parse(String(toExtensionReply(text(secretString)).body)).SecretString).toBe(secretString);
  });

  it("has whole seconds with their milliseconds, and no stage where there is none", () => {
    const value = { secretString: "s", createdDate: new Date(0), versionStages: [] };
    expect(JSON.parse(String(toExtensionReply(cached(value)).body))).toMatchObject({
      CreatedDate: "1970-01-01T00:00:00.000Z",
      VersionStages: [],
    });
  });
});

describe("a secret's headers", () => {
  it("name the version, and forbid keeping", () => {
    expect(toBareReply(cached({ secretString: "s" }), undefined).headers).toEqual({
      "Content-Type": "text/plain; charset=utf-8",
      "Cache-Control": "no-store",
      ETag: '"b1c367b9-7f53-4a47-82c4-be51a054b953"',
      Age: "0",
      "Cache-Status": "cross-account-secrets; hit; ttl=300",
    });
  });

  it("are the same in every form", () => {
    const secret = cached({ secretString: '{"a":"b"}' });
    const { "Content-Type": json, ...expected } = toExtensionReply(secret).headers;
    expect(json).toBe("application/json");
    for (const reply of [toBareReply(secret, undefined), toBareReply(secret, "a")]) {
      expect(reply.headers).toMatchObject(expected);
    }
  });
});

describe("a bare secret", () => {
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
  ])("%j is %s, unchanged", (secretString, type) => {
    const { status, headers, body } = toBareReply(text(secretString), undefined);
    expect({ status, body, type: headers["Content-Type"] }).toEqual({ status: 200, body: secretString, type });
  });

  it.each<[string, number[]]>([
    ["bytes", [0, 0xff, 0x80]],
    ["bytes that happen to be JSON", [...Buffer.from('{"a":1}')]],
    ["no bytes", []],
  ])("of %s is application/octet-stream, unchanged", (_, given) => {
    const { headers, body } = toBareReply(bytes(...given), undefined);
    expect(headers["Content-Type"]).toBe("application/octet-stream");
    expect(body).toEqual(Uint8Array.from(given));
  });
});

describe("one field of a secret", () => {
  /** The document of RFC 6901, section 5, and more. */
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
  ])("the JSON Pointer %s points to %s", (pointer, body) => {
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
  ])("named %s is %j", (name, body) => {
    expect(pick(name)).toEqual({ status: 200, type: "text/plain; charset=utf-8", body });
  });

  it.each([
    ["foo", '["bar","baz"]'],
    ["/foo", '["bar","baz"]'],
    ["/deep/0", '{"":{"key":"found"}}'],
  ])("that is an object or an array, as %s is, is JSON", (key, body) => {
    expect(pick(key)).toEqual({ status: 200, type: "application/json", body });
  });

  it("of an array is called by its index, with a slash or without", () => {
    expect(pick("/1", ["a", "b"]).body).toBe("b");
    expect(pick("1", ["a", "b"]).body).toBe("b");
  });

  it("of an array is a member of it, and its length is none", () => {
    expect(() => pick("length", ["a", "b"])).toThrow(expect.objectContaining({ code: "key-not-found" }));
  });

  it.each(["/a~2", "/a~", "/~", "/a~2b/c", "/~0~", "/missing/~x"])(
    "%s is no JSON Pointer, and refused as such",
    (key) => {
      expect(() => pick(key, { "a~2": 1, "a~": 2, "~": 3 })).toThrow(
        expect.objectContaining({
          code: "invalid-request",
          message: "in a JSON Pointer, ~ must be written ~0, and / ~1",
        }),
      );
    },
  );

  it.each(["a~2", "a~", "~"])("%s is a name, in which a tilde is a tilde", (name) => {
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
    "Text",
    "text ",
    "/foo/2",
    "/foo/-",
    "/foo/-1",
    "/foo/01",
    "/foo/1.0",
    "/foo/",
    "/foo/length",
    "/text/0",
    "/text/length",
    "/nothing/0",
    "//",
  ])("%s is not found where the secret does not say so itself", (key) => {
    expect(() => pick(key)).toThrow(
      expect.objectContaining({
        code: "key-not-found",
        message: `dummy-string-secret has no field ${JSON.stringify(key)}`,
      }),
    );
  });

  it.each(["__proto__", "constructor", "toString"])("%s is found where the secret says so itself", (name) => {
    const secret = text(`{"${name}":{"inner":"own"}}`);
    expect(toBareReply(secret, name).body).toBe('{"inner":"own"}');
    expect(toBareReply(secret, `/${name}/inner`).body).toBe("own");
  });

  // JSON.rawJSON came with Node 22. The standalone layers carry a Node that has it, and so has the nodejs runtime from
  // nodejs22.x on; an older one says what JavaScript makes of the number.
  it.each(["12345678901234567890", "-0", "1.10", "1E5", "1e-7", "1e400", "0.1000000000000000055511151231257827"])(
    "that is the number %s keeps its digits, where Node can",
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

  it.each(["/number/rawJSON", "/number/0"])("%s is not found: a number has no fields, however long it is", (key) => {
    const secret = text('{"number": 12345678901234567890}');
    expect(() => toBareReply(secret, key)).toThrow(expect.objectContaining({ code: "key-not-found" }));
  });

  it("is quoted escaped, and cut, when it is not found", () => {
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
    ["bytes that happen to be JSON", bytes(...Buffer.from('{"key":"CANARY-7c0e"}'))],
  ])("is refused where the secret is %s, and nothing of it is quoted", (_, secret) => {
    expect(() => toBareReply(secret, "key")).toThrow(
      expect.objectContaining({
        code: "invalid-request",
        message: "key needs a secret that is a JSON object or array, which dummy-string-secret is not",
      }),
    );
  });

  it("would be in V8's own message, which is why that is dropped", () => {
    expect(() => JSON.parse("CANARY-7c0e is no JSON")).toThrow("CANARY");
  });

  it("keeps the others' values out of the refusal", () => {
    expect(() => pick("missing", { password: "CANARY-7c0e" })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("CANARY") }),
    );
  });
});
