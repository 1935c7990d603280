import { describe, expect, it } from "vitest";
import type { ParameterValue } from "../../../extension/aws/parameters.ts";
import type { Cached } from "../../../extension/cache/cache.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { toParameterReply } from "../../../extension/http/replies.ts";

const ARN = "arn:aws:ssm:us-east-1:123456789012:parameter/dummy-string-parameter";

const cached = (
  value: Partial<ParameterValue> = {},
  how: Partial<Cached<ParameterValue>> = {},
): Cached<ParameterValue> => ({
  value: {
    arn: ARN,
    name: "dummy-string-parameter",
    versionId: "1",
    type: "String",
    dataType: "text",
    lastModifiedDate: new Date("2022-11-16T08:22:40.362Z"),
    selector: undefined,
    sourceResult: undefined,
    value: "an-insecure-value",
    ...value,
  },
  from: "memory",
  ageMs: 0,
  ttlMs: 300_000,
  ...how,
});
const parse = (value: Partial<ParameterValue>) => JSON.parse(String(toParameterReply(cached(value)).body));

describe("the reply of AWS's extension", () => {
  it("has every key, in the order of a recorded one, and null for what there is none of", () => {
    expect(toParameterReply(cached()).body).toBe(
      `{"Parameter":{"ARN":"${ARN}","DataType":"text","LastModifiedDate":"2022-11-16T08:22:40.362Z",` +
        '"Name":"dummy-string-parameter","Selector":null,"SourceResult":null,"Type":"String",' +
        '"Value":"an-insecure-value","Version":1},"ResultMetadata":{}}',
    );
  });

  it("has its keys, and its version as a number, whatever AWS left out", () => {
    const least = { arn: "", dataType: undefined, lastModifiedDate: undefined, value: undefined, versionId: "0" };
    expect(toParameterReply(cached(least)).body).toBe(
      '{"Parameter":{"ARN":null,"DataType":null,"LastModifiedDate":null,"Name":"dummy-string-parameter",' +
        '"Selector":null,"SourceResult":null,"Type":"String","Value":null,"Version":0},"ResultMetadata":{}}',
    );
  });

  it("has the selector that was asked for, and what a reference refers to, as a text", () => {
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

  it("is JSON that is not kept, with the headers of every value", () => {
    expect(toParameterReply(cached({ versionId: "7" }, { ageMs: 88_000, ttlMs: 212_000 }))).toMatchObject({
      status: 200,
      headers: {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        ETag: '"7"',
        Age: "88",
        "Cache-Status": "cross-account-secrets; hit; ttl=212",
      },
    });
    const stale = toParameterReply(cached({}, { from: { failed: new Failure("timeout", "late") }, ttlMs: -1 }));
    expect(stale.headers).toMatchObject({ "Cache-Status": "cross-account-secrets; fwd=stale; fwd-status=504" });
  });
});
