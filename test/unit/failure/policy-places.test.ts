import { describe, expect, it } from "vitest";
import { type AwsCall, parseDenial, policyTypes } from "../../../extension/failure/aws-error.ts";
import {
  toCallerPhrase,
  toParties,
  toPolicyPhrase,
  toRoleLocation,
} from "../../../extension/failure/policy-remedies.ts";

const ROLE = "arn:aws-cn:iam::111111111111:role/readers/SecretReader";
const assume: AwsCall = { operation: "AssumeRole", roleArn: ROLE, region: "cn-north-1" };
const read: AwsCall = { ...assume, operation: "GetSecretValue", id: "app/db" };
const denial = parseDenial(
  "User: arn:aws-cn:sts::222222222222:assumed-role/my-lambda-role/fn is not authorized to perform: x",
);

describe("the place of a policy", () => {
  it.each([
    ["identity-based policy", "the role my-lambda-role of account 222222222222", ROLE],
    ["resource-based policy", "the trust policy", "the resource policy of app/db"],
    ["role trust policy", "the trust policy", "the resource policy of app/db"],
    ["permissions boundary", "my-lambda-role", ROLE],
    ["service control policy", "the account of the role my-lambda-role", `the account of ${ROLE}`],
    ["resource control policy", "account 111111111111", "account 111111111111"],
    ["session policy", "the session of the role my-lambda-role", `the session of ${ROLE}`],
    ["VPC endpoint policy", "VPC endpoint", "VPC endpoint"],
  ] as const)("of the type %s is named for AssumeRole and for a read", (policyType, ofAssume, ofRead) => {
    expect(toPolicyPhrase(policyType, toParties(assume, denial))).toContain(ofAssume);
    expect(toPolicyPhrase(policyType, toParties(read, denial))).toContain(ofRead);
  });

  it("is known for every policy type", () => {
    const places = policyTypes.map((policyType) => toPolicyPhrase(policyType, toParties(assume, denial)));
    expect(places).not.toContain(undefined);
  });

  it("is the account of the secret if that is not the role's account", () => {
    const id = "arn:aws-cn:secretsmanager:cn-north-1:333333333333:secret:app/db-AbCdEf";
    expect(toPolicyPhrase("resource control policy", toParties({ ...read, id }, denial))).toContain(
      "account 333333333333",
    );
  });
});

it("the owner of a bare name is the role's account in the called region", () => {
  expect(toRoleLocation(read)).toEqual({ partition: "aws-cn", accountId: "111111111111", region: "cn-north-1" });
});

it("a caller is named by its ARN if the ARN is complete", () => {
  expect(toCallerPhrase(parseDenial("User: arn:aws:iam::222222222222:user/ops/alice is"))).toBe(
    "arn:aws:iam::222222222222:user/ops/alice",
  );
  expect(toCallerPhrase(parseDenial(""))).toBe("the function's execution role");
});
