import { describe, expect, it } from "vitest";
import {
  type Caller,
  toAssumeStatement,
  toDecryptStatement,
  toKeyStatement,
  toParameterResource,
  toParameterStatement,
  toReadStatement,
  toReferencedSecret,
  toResourceStatement,
  toSecretResources,
  toTrustStatement,
  toTrustStatements,
} from "../../../extension/failure/statements.ts";
import { FUNCTION_ROLE_ARN, HOME, TARGET_ROLE_ARN as ROLE, toPartialArn } from "../../support/values.ts";

const OWNER = { ...HOME, partition: "aws" };
const caller: Caller = {
  ...{ partition: "aws", accountId: "222222222222", type: "role" },
  ...{ name: "my-lambda-role", path: "/" },
};

describe("a trust statement", () => {
  it("names the role with its path", () => {
    expect(toTrustStatement(caller)).toEqual({
      Effect: "Allow",
      Principal: { AWS: FUNCTION_ROLE_ARN },
      Action: "sts:AssumeRole",
    });
    expect(toTrustStatement({ ...caller, path: "/service-role/" }).Principal).toEqual({
      AWS: "arn:aws:iam::222222222222:role/service-role/my-lambda-role",
    });
  });

  it("accepts the role with any path if the path is unknown", () => {
    expect(toTrustStatement({ ...caller, path: undefined })).toEqual({
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::222222222222:root" },
      Action: "sts:AssumeRole",
      Condition: {
        ArnLike: {
          "aws:PrincipalArn": [FUNCTION_ROLE_ARN, "arn:aws:iam::222222222222:role/*/my-lambda-role"],
        },
      },
    });
  });

  it("accepts only the role with the known path if the principal is the account", () => {
    const { Principal, Condition } = toTrustStatement({ ...caller, path: "/service-role/" }, { trustsAccount: true });
    expect(Principal).toEqual({ AWS: "arn:aws:iam::222222222222:root" });
    expect(Condition).toEqual({
      ArnLike: { "aws:PrincipalArn": "arn:aws:iam::222222222222:role/service-role/my-lambda-role" },
    });
  });

  it("has a condition for the organization and the external ID if they are given", () => {
    const { Condition } = toTrustStatement(caller, { externalId: "partner-7", organizationId: "o-exampleorgid" });
    expect(Condition).toEqual({
      StringEquals: { "aws:PrincipalOrgID": "o-exampleorgid", "sts:ExternalId": "partner-7" },
    });
  });

  it("is followed by a second one for tags, without the external ID, if there is an external ID", () => {
    const options = { hasTags: true, organizationId: "o-exampleorgid" };
    expect(toTrustStatements(caller, options)).toEqual([toTrustStatement(caller, options)]);
    const [assume, others, ...more] = toTrustStatements(caller, { ...options, externalId: "partner-7" });
    expect(assume).toMatchObject({
      Action: "sts:AssumeRole",
      Condition: { StringEquals: { "aws:PrincipalOrgID": "o-exampleorgid", "sts:ExternalId": "partner-7" } },
    });
    expect(others).toEqual({
      ...assume,
      Action: ["sts:TagSession"],
      Condition: { StringEquals: { "aws:PrincipalOrgID": "o-exampleorgid" } },
    });
    expect(more).toEqual([]);
  });

  it.each([
    [{}, "sts:AssumeRole"],
    [{ hasTags: true }, ["sts:AssumeRole", "sts:TagSession"]],
    [{ hasSourceIdentity: true }, ["sts:AssumeRole", "sts:SetSourceIdentity"]],
    [{ hasTags: true, hasSourceIdentity: true }, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]],
  ])("has the actions that %j needs, and so has the caller's statement", (options, actions) => {
    expect(toTrustStatement(caller, options).Action).toEqual(actions);
    expect(toAssumeStatement(ROLE, options)).toEqual({ Effect: "Allow", Action: actions, Resource: ROLE });
  });
});

describe("a statement that lets the role read", () => {
  it("has six question marks after a name, and a single resource as a text", () => {
    const resource = toPartialArn("app/db-??????");
    expect(toSecretResources("app/db", OWNER)).toEqual([resource]);
    expect(toReadStatement([resource])).toEqual({
      Effect: "Allow",
      Action: "secretsmanager:GetSecretValue",
      Resource: resource,
    });
  });

  it("lists an ARN with and without the six characters", () => {
    const arn = "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:app/db-AbCdEf";
    expect(toSecretResources(arn, OWNER)).toEqual([arn, `${arn}-??????`]);
    expect(toReadStatement(["a", "b"]).Resource).toEqual(["a", "b"]);
  });

  it("in the secret's own policy names the role, and the secret as *", () => {
    expect(toResourceStatement(ROLE)).toEqual({
      Effect: "Allow",
      Principal: { AWS: ROLE },
      Action: "secretsmanager:GetSecretValue",
      Resource: "*",
    });
  });

  it.each([
    ["/app/host", "arn:aws:ssm:eu-west-1:111111111111:parameter/app/host"],
    ["plain", "arn:aws:ssm:eu-west-1:111111111111:parameter/plain"],
    ["/aws/service/x", "arn:aws:ssm:eu-west-1::parameter/aws/service/x"],
    ["arn:aws:ssm:us-east-1:333333333333:parameter/a", "arn:aws:ssm:us-east-1:333333333333:parameter/a"],
  ])("has one slash before a parameter: %s", (name, resource) => {
    expect(toParameterResource(name, OWNER)).toBe(resource);
    expect(toParameterStatement([resource])).toEqual({
      Effect: "Allow",
      Action: "ssm:GetParameter",
      Resource: resource,
    });
  });
});

it.each([
  ["/aws/reference/secretsmanager/app/db", "app/db"],
  ["arn:aws:ssm:eu-west-1:111111111111:parameter/aws/reference/secretsmanager/db", "db"],
  ["/app/host", undefined],
])("the parameter %s refers to the secret %s", (parameter, secret) => {
  expect(toReferencedSecret(parameter)).toBe(secret);
});

describe("a statement about a key", () => {
  it("in the key policy names the role", () => {
    expect(toKeyStatement(ROLE)).toEqual({
      Effect: "Allow",
      Principal: { AWS: ROLE },
      Action: ["kms:Decrypt", "kms:DescribeKey"],
      Resource: "*",
    });
  });

  it("in the role's policy names the key, or the service that uses it if the key is unknown", () => {
    expect(toDecryptStatement({ arn: "arn:aws:kms:eu-west-1:111111111111:key/k" })).toMatchObject({
      Resource: "arn:aws:kms:eu-west-1:111111111111:key/k",
    });
    expect(toDecryptStatement({ service: "ssm" })).toMatchObject({
      Resource: "*",
      Condition: { StringLike: { "kms:ViaService": "ssm.*" } },
    });
  });
});
