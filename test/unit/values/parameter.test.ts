import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isParameterId,
  type ParameterQuery,
  parameterRules,
  toArnName,
  toParameterRegion,
} from "../../../extension/values/parameter.ts";
import { isCalled } from "../../../extension/values/source.ts";
import { HOME, toParameterValue, toSecretArn } from "../../support/values.ts";

/** An ARN in another region and another account than home. */
const ARN = "arn:aws:ssm:us-east-1:333333333333:parameter/app/flag";

const VALUE = toParameterValue({ arn: ARN });

describe("a parameter's id", () => {
  it.each([
    "flag",
    "/flag",
    "/app/flag",
    "/a_b/c.d-e/F9",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "/aws/reference/secretsmanager/rds!cluster-0a1b",
    ARN,
    "arn:aws:ssm:eu-west-1:111111111111:parameter/flag",
    "arn:aws-cn:ssm:cn-north-1:111111111111:parameter/app/flag",
    "arn:aws-us-gov:ssm:us-gov-west-1:111111111111:parameter/flag",
    "p".repeat(2_048),
  ])("may be %s", (id) => {
    expect(isParameterId(id)).toBe(true);
  });

  it.each([
    "",
    " ",
    "a b",
    "/app/*",
    "/app/?",
    "/app/flag:3",
    "flag:prod",
    `${ARN}:3`,
    `${ARN}:prod`,
    "arn:aws:ssm:eu-west-1:111111111111:parameter/",
    "arn:aws:ssm:eu-west-1:11111111111:parameter/flag",
    "arn:aws:ssm::111111111111:parameter/flag",
    "arn:aws:ssm:eu-west-1:111111111111:document/flag",
    "arn:gcp:ssm:eu-west-1:111111111111:parameter/flag",
    toSecretArn("app/flag"),
    "é",
    "/a\n",
    "/a%2Fb",
    "p".repeat(2_049),
  ])("may not be %j", (id) => {
    expect(isParameterId(id)).toBe(false);
  });

  it("has a region if it is an ARN", () => {
    expect([ARN, "/app/flag", "flag"].map(toParameterRegion)).toEqual(["us-east-1", undefined, undefined]);
  });

  it("has an account if it is an ARN", () => {
    expect([ARN, "/app/flag"].map(parameterRules.toAccountId)).toEqual(["333333333333", undefined]);
  });

  it("loses its first slash in an ARN, and keeps the others", () => {
    expect(["/app/flag", "/flag", "flag", "//a//b"].map(toArnName)).toEqual(["app/flag", "flag", "flag", "/a//b"]);
  });
});

describe("the location of a parameter", () => {
  it("is home for a name, and the ARN's own region and account for an ARN", () => {
    const { toLocation } = parameterRules;
    expect(toLocation("/app/flag", HOME)).toEqual({ place: "ssm:eu-west-1:111111111111", names: ["/app/flag"] });
    expect(toLocation(ARN, HOME)).toEqual({ place: "ssm:us-east-1:333333333333", names: ["/app/flag"] });
  });

  it("has two possible names for an ARN with one part, with and without a slash", () => {
    const arn = "arn:aws:ssm:eu-west-1:111111111111:parameter/flag";
    expect(parameterRules.toLocation(arn, HOME).names).toEqual(["/flag", "flag"]);
  });
});

describe("a parameter that AWS answered with", () => {
  it.each(["/app/flag", ARN])("is called %s", (id) => {
    expect(isCalled(parameterRules, VALUE, id)).toBe(true);
  });

  it.each(["app/flag", "flag", "/app/fla", "/APP/FLAG", `${ARN}-AbCdEf`, ARN.replace("us-east-1", "eu-west-1"), ""])(
    "is not called %j",
    (id) => {
      expect(isCalled(parameterRules, VALUE, id)).toBe(false);
    },
  );

  it("is measured in the UTF-8 bytes of its value and of its reference's target", () => {
    const { toBytes } = parameterRules;
    expect(toBytes({ ...VALUE, value: "é🔑" })).toBe(6);
    expect(toBytes({ ...VALUE, value: undefined })).toBe(0);
    expect(toBytes({ ...VALUE, value: "ab", sourceResult: "é" })).toBe(4);
  });
});

describe("a query for a parameter", () => {
  const { toVariant, toId } = parameterRules;

  it("has the parameter's id, with every selector", () => {
    expect(toId({ parameterId: ARN, selector: "3", withDecryption: true })).toBe(ARN);
  });

  it("has a variant for each selector and decryption, so that ciphertext is never served as a value or a value as ciphertext", () => {
    const query = fc.record<ParameterQuery>(
      {
        parameterId: fc.constant("/app/flag"),
        selector: fc.oneof(fc.constantFrom("true", "false", "1", "0"), fc.stringMatching(/^[A-Za-z0-9._-]{1,10}$/)),
        withDecryption: fc.boolean(),
      },
      { requiredKeys: ["parameterId", "withDecryption"] },
    );
    fc.assert(
      fc.property(query, query, (one, other) => {
        const isSame = one.selector === other.selector && one.withDecryption === other.withDecryption;
        expect(toVariant(one) === toVariant(other)).toBe(isSame);
      }),
    );
  });
});
