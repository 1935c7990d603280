import { describe, expect, it } from "vitest";
import { type AwsCall, parseDenial, policyTypes } from "../../../extension/failure/aws-error.ts";
import {
  toAssumeRemedy,
  toCallerPhrase,
  toExplicitRemedy,
  toKeyRemedy,
  toParties,
  toPolicyPhrase,
  toReadRemedy,
  toRoleLocation,
} from "../../../extension/failure/policy-remedies.ts";
import { TARGET_ROLE_WITH_PATH_ARN as ROLE, toPartialArn, toSecretArn } from "../../support/values.ts";

const CALLER = "the role my-lambda-role of account 222222222222";
const assume: AwsCall = { operation: "AssumeRole", roleArn: ROLE, region: "eu-west-1" };
const read: AwsCall = { operation: "GetSecretValue", roleArn: ROLE, region: "eu-west-1", id: "app/db" };
/** A read of a secret in another account than the role. */
const foreignRead: AwsCall = { ...read, id: "arn:aws:secretsmanager:eu-west-1:333333333333:secret:app/db-AbCdEf" };
const parameter: AwsCall = { operation: "GetParameter", roleArn: ROLE, region: "eu-west-1", id: "/app/host" };

const denialOf = (reason = "") =>
  parseDenial(
    `User: arn:aws:sts::222222222222:assumed-role/my-lambda-role/fn is not authorized to perform: x on resource: y${reason}`,
  );
const policiesOf = ({ statements = [] }: { statements?: readonly { policy: string; of: string }[] }) =>
  statements.map(({ policy, of }) => `${policy} of ${of}`);

describe("the remedy of a refused AssumeRole", () => {
  it("says that AWS does not name the side, and has a statement for each side", () => {
    const remedy = toAssumeRemedy("assume-role-denied", { ...assume, externalId: "partner-7" }, denialOf());
    expect(policiesOf(remedy)).toEqual([`trust-policy of ${ROLE}`, `identity-policy of ${CALLER}`]);
    const parts = [
      "which side",
      CALLER,
      ROLE,
      "path",
      "AROA",
      "partner-7",
      "aws:PrincipalOrgID",
      "no role",
      "boundary",
    ];
    for (const part of parts) expect(remedy.remedy).toContain(part);
    expect(remedy.remedy).toMatch(/^AWS does not say which side denies/);
    expect(JSON.stringify(remedy.statements?.[0])).toContain('"sts:ExternalId":"partner-7"');
  });

  it("says how to set an external ID if none is sent", () => {
    const { remedy } = toAssumeRemedy("assume-role-denied", assume, denialOf());
    expect(remedy).toContain("CROSS_ACCOUNT_SECRETS_EXTERNAL_ID");
  });

  it("is only for the caller's policy, or only for the trust policy, if AWS names it", () => {
    const own = toAssumeRemedy(
      "assume-role-denied",
      assume,
      denialOf(" because no identity-based policy allows the x"),
    );
    expect(policiesOf(own)).toEqual([`identity-policy of ${CALLER}`]);
    for (const policyType of ["resource-based policy", "role trust policy"]) {
      const reason = ` because no ${policyType} allows the x`;
      const trust = toAssumeRemedy("assume-role-denied", assume, denialOf(reason));
      expect(policiesOf(trust)).toEqual([`trust-policy of ${ROLE}`]);
    }
  });

  it.each([
    ["permissions boundary", "permissions-boundary"],
    ["service control policy", "service-control-policy"],
    ["VPC endpoint policy", "vpc-endpoint-policy"],
  ])("is a statement for the limit if that is a %s", (policyType, policy) => {
    const remedy = toAssumeRemedy("assume-role-denied", assume, denialOf(` because no ${policyType} allows the x`));
    expect(remedy.statements?.map((statement) => statement.policy)).toEqual([policy]);
    expect(remedy.remedy).toContain("limit");
  });

  it.each([
    ["resource control policy", "account 111111111111"],
    ["session policy", `the session of ${CALLER}`],
  ])("has no statement if the limit is a %s", (policyType, place) => {
    const remedy = toAssumeRemedy("assume-role-denied", assume, denialOf(` because no ${policyType} allows the x`));
    expect(remedy.statements).toBeUndefined();
    expect(remedy.remedy).toContain(place);
    expect(remedy.remedy).not.toContain("does not say");
  });

  it("has the principal * in the policy of a VPC endpoint, as AWS requires, and no principal in a boundary", () => {
    const denial = denialOf(" because no VPC endpoint policy allows the x");
    const { statements } = toAssumeRemedy("assume-role-denied", assume, denial);
    expect(statements?.map(({ statement }) => statement.Principal)).toEqual(["*"]);
    const boundary = toAssumeRemedy(
      "assume-role-denied",
      assume,
      denialOf(" because no permissions boundary allows it"),
    );
    expect(boundary.statements?.map(({ statement }) => Object.keys(statement))).toEqual([
      ["Effect", "Action", "Resource"],
    ]);
  });

  it.each([
    ["tag-session-denied", { hasTags: true }, "sts:TagSession", "SESSION_TAGS"],
    ["source-identity-denied", { hasSourceIdentity: true }, "sts:SetSourceIdentity", "SOURCE_IDENTITY"],
  ] as const)("names the setting that needs another permission: %s", (code, options, action, setting) => {
    const { remedy, statements } = toAssumeRemedy(code, { ...assume, ...options }, denialOf());
    expect(remedy).toContain(`CROSS_ACCOUNT_SECRETS_${setting} needs ${action} on both sides`);
    expect(remedy).toContain(`a policy of ${CALLER} must allow sts:AssumeRole, ${action} on ${ROLE}`);
    expect(statements?.map(({ statement }) => statement.Action)).toEqual([
      ["sts:AssumeRole", action],
      ["sts:AssumeRole", action],
    ]);
  });

  it("has no statement for a principal that AWS does not name", () => {
    const remedy = toAssumeRemedy("assume-role-denied", assume, parseDenial("no"));
    expect(policiesOf(remedy)).toEqual(["identity-policy of the function's execution role"]);
  });
});

describe("the remedy of a refused read", () => {
  it("is the permission, with six question marks after the name", () => {
    const remedy = toReadRemedy(read, denialOf());
    expect(policiesOf(remedy)).toEqual([`identity-policy of ${ROLE}`]);
    expect(JSON.stringify(remedy.statements)).toContain(toPartialArn("app/db-??????"));
    for (const part of ["-??????", "account 111111111111", "region eu-west-1"]) expect(remedy.remedy).toContain(part);
  });

  it("is the permission to read a parameter if that was refused", () => {
    const { statements } = toReadRemedy(parameter, denialOf());
    expect(statements?.map(({ statement }) => statement)).toEqual([
      {
        Effect: "Allow",
        Action: "ssm:GetParameter",
        Resource: "arn:aws:ssm:eu-west-1:111111111111:parameter/app/host",
      },
    ]);
  });

  it("says so if the ARN is in another account than the role", () => {
    const { remedy } = toReadRemedy(foreignRead, denialOf());
    expect(remedy).toContain("in account 333333333333, and the role in 111111111111");
    for (const id of ["app/db", toSecretArn("app/db")]) {
      expect(toReadRemedy({ ...read, id }, denialOf()).remedy).toContain("that AWS appends. AWS says the same");
    }
  });

  it.each([
    ["secret", "identity-based policy", read],
    ["parameter", "identity-based policy", parameter],
    ["parameter", "resource-based policy", parameter],
  ])("is the role's permission for a %s if AWS names its %s, which is no limit", (_, policyType, call) => {
    const remedy = toReadRemedy(call, denialOf(` because no ${policyType} allows the x action`));
    expect(policiesOf(remedy)).toEqual([`identity-policy of ${ROLE}`]);
  });

  it("is a setting of the extension if its session policy refuses", () => {
    const denial = denialOf(" because no session policy allows the x action");
    expect(toReadRemedy(read, denial).remedy).toContain("CROSS_ACCOUNT_SECRETS_SECRET_IDS");
    expect(toReadRemedy(read, denial).remedy).toContain("nothing with that name is in account 111111111111");
    expect(toReadRemedy(parameter, denial).remedy).toContain("CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES");
    expect(toKeyRemedy(read, denial).remedy).toContain("CROSS_ACCOUNT_SECRETS_SESSION_POLICY");
  });

  it("with a KMS key has a statement for the key policy and one for the role's policy", () => {
    expect(policiesOf(toKeyRemedy(read, denialOf()))).toEqual([
      "key-policy of the KMS key of app/db",
      `identity-policy of ${ROLE}`,
    ]);
    expect(JSON.stringify(toKeyRemedy(parameter, denialOf()).statements)).toContain('"ssm.*"');
    expect(JSON.stringify(toKeyRemedy(read, denialOf()).statements)).toContain('"secretsmanager.*"');
    // Secrets Manager does not say why KMS refuses.
    for (const part of ["Deny", "boundary", "service control policy"]) {
      expect(toKeyRemedy(read, denialOf()).remedy).toContain(part);
    }
  });

  it("is the resource policy of a secret in another account if AWS names it", () => {
    const remedy = toReadRemedy(foreignRead, denialOf(" because no resource-based policy allows the x action"));
    expect(remedy.remedy).toContain(`the resource policy of ${foreignRead.id} must allow ${ROLE} to read it`);
    expect(policiesOf(remedy)).toEqual([`resource-policy of ${foreignRead.id}`]);
    expect(remedy.statements?.[0]?.statement).toMatchObject({ Principal: { AWS: ROLE }, Resource: "*" });
  });

  it.each([
    [
      "identity-based policy",
      `identity-policy of ${ROLE}`,
      `a policy of ${ROLE} must allow it to use the KMS key of app/db`,
    ],
    [
      "resource-based policy",
      "key-policy of the KMS key of app/db",
      `the policy of the KMS key of app/db must allow ${ROLE} to use it`,
    ],
  ])("with a KMS key is only for the %s if AWS names it", (policyType, policy, text) => {
    const remedy = toKeyRemedy(read, denialOf(` because no ${policyType} allows the x`));
    expect(remedy.remedy).toBe(text);
    expect(policiesOf(remedy)).toEqual([policy]);
  });

  it("is the role's permissions boundary if that is the limit", () => {
    const denial = denialOf(" because no permissions boundary allows the x action");
    for (const remedy of [toReadRemedy(read, denial), toKeyRemedy(read, denial)]) {
      expect(policiesOf(remedy)).toEqual([`permissions-boundary of the permissions boundary of ${ROLE}`]);
    }
  });
});

describe("the remedy of an explicit deny", () => {
  it.each([
    ["AssumeRole", "an identity-based policy", `a policy of ${CALLER}`],
    ["AssumeRole", "a resource-based policy", `the trust policy of ${ROLE}`],
    ["AssumeRole", "the role trust policy", `the trust policy of ${ROLE}`],
    ["AssumeRole", "a service control policy", `applies to the account of ${CALLER}`],
    ["GetSecretValue", "an identity-based policy", `a policy of ${ROLE}`],
    ["GetSecretValue", "a resource-based policy", "the resource policy of app/db"],
    ["GetSecretValue", "a session policy", `the policy of the session of ${ROLE}`],
    ["GetSecretValue", "a VPC endpoint policy", "the policy of the VPC endpoint"],
  ])("of %s in %s says where the deny is", (operation, policy, place) => {
    const call = operation === "AssumeRole" ? assume : read;
    const { remedy, statements } = toExplicitRemedy(call, denialOf(` with an explicit deny in ${policy}`));
    expect(remedy).toContain(place);
    expect(statements).toBeUndefined();
  });

  it("names both possible places if AWS names none", () => {
    const { remedy } = toExplicitRemedy(assume, denialOf(" with an explicit deny"));
    for (const part of [CALLER, `trust policy of ${ROLE}`]) expect(remedy).toContain(part);
  });
});

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
    expect(toPolicyPhrase(policyType, toParties(assume, denialOf()))).toContain(ofAssume);
    expect(toPolicyPhrase(policyType, toParties(read, denialOf()))).toContain(ofRead);
  });

  it("is known for every policy type", () => {
    const places = policyTypes.map((policyType) => toPolicyPhrase(policyType, toParties(assume, denialOf())));
    expect(places).not.toContain(undefined);
  });

  it("is the account of the secret if that is not the role's account", () => {
    expect(toPolicyPhrase("resource control policy", toParties(foreignRead, denialOf()))).toContain(
      "account 333333333333",
    );
  });
});

it("the owner of a bare name is the role's account in the called region", () => {
  expect(toRoleLocation({ ...read, roleArn: "arn:aws-cn:iam::111111111111:role/r", region: "cn-north-1" })).toEqual({
    partition: "aws-cn",
    accountId: "111111111111",
    region: "cn-north-1",
  });
});

it("a caller is named by its ARN if the ARN is complete", () => {
  expect(toCallerPhrase(parseDenial("User: arn:aws:iam::222222222222:user/ops/alice is"))).toBe(
    "arn:aws:iam::222222222222:user/ops/alice",
  );
  expect(toCallerPhrase(parseDenial(""))).toBe("the function's execution role");
});
