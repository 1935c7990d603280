/**
 * What the templates' policies allow: they are deployed into moto in each partition, read back, and evaluated by a policy
 * engine. moto itself evaluates no trust policy across accounts, no key policy, and only the resource "*".
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PolicyDocument } from "../fakes/aws.ts";
import { ALLOW_ALL, toKeyPolicy } from "../support/policy-documents.ts";
import { policyEngine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";
import { FUNCTION_ACCOUNT, REGION, TARGET_ACCOUNT } from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { type DeployedRole, type MotoAccounts, startMotoAccounts } from "./support/deployment.ts";
import { type EvaluatedCaller, evaluate } from "./support/evaluation.ts";

const [A, B, OTHER] = [TARGET_ACCOUNT, FUNCTION_ACCOUNT, "333333333333"];
const ORGANIZATION = "o-exampleorgid";
const EXTERNAL_ID = "my-external-id";
/** A command takes half a second on an idle machine. */
const SET_UP_MS = 60_000;

const PLACES = [
  { partition: "aws", region: REGION },
  { partition: "aws-cn", region: "cn-north-1" },
  { partition: "aws-us-gov", region: "us-gov-west-1" },
] as const;

// One line reports that all tests here are skipped because the engine is missing.
if (policyEngine === undefined) it.skip(`the templates' policies are evaluated (${WITHOUT_POLICY_ENGINE})`);

describe.skipIf(unavailable || policyEngine === undefined)("deployed policies", () => {
  let accounts: MotoAccounts;
  beforeAll(async () => {
    accounts = await startMotoAccounts();
  }, SET_UP_MS);
  afterAll(() => accounts.close());

  /** Deploys account-a.yaml. Each role has a stack of its own. */
  async function deployRole(region: string, parameters: Readonly<Record<string, string>>): Promise<DeployedRole> {
    const name = parameters.TargetRoleName ?? "SecretReader";
    const overrides = Object.entries({ FunctionAccountId: B, ...parameters }).map((pair) => pair.join("="));
    await accounts.sh(
      `aws cloudformation deploy --profile account-a --region ${region} --stack-name ${name} \
        --template-file examples/account-a.yaml --capabilities CAPABILITY_NAMED_IAM \
        --parameter-overrides ${overrides.join(" ")}`,
    );
    return accounts.readRole("account-a", name, region);
  }

  const readOutput = async (region: string, stack: string, key: string): Promise<string> => {
    const { Stacks } = await accounts.aws<{ Stacks: { Outputs: { OutputKey: string; OutputValue: string }[] }[] }>(
      "account-a",
      ...["cloudformation", "describe-stacks", "--region", region, "--stack-name", stack],
    );
    return Stacks[0]?.Outputs.find(({ OutputKey }) => OutputKey === key)?.OutputValue ?? "";
  };

  const readKeyPolicy = async (region: string, key: string): Promise<PolicyDocument> => {
    const asked = ["kms", "get-key-policy", "--region", region, "--policy-name", "default", "--key-id", key];
    return (await accounts.aws<{ Policy: PolicyDocument }>("account-a", ...asked)).Policy;
  };

  describe.each(PLACES)("in $partition", ({ partition, region }) => {
    const toRoleArn = (name: string, account = B) => `arn:${partition}:iam::${account}:role/${name}`;
    const secret = (name: string, place: string = region, account = A) =>
      `arn:${partition}:secretsmanager:${place}:${account}:secret:${name}`;
    const parameter = (name: string) => `arn:${partition}:ssm:${region}:${A}:parameter${name}`;
    const key = (id: string) => `arn:${partition}:kms:${region}:${A}:key/${id}`;
    const through = (service: string, secretArn: string) => ({
      "kms:ViaService": `${service}.${region}.${partition === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"}`,
      "kms:EncryptionContext:SecretARN": secretArn,
    });
    const caller = (roleArn: string, organizationId: string | undefined = ORGANIZATION): EvaluatedCaller => ({
      roleArn,
      organizationId,
      policies: [ALLOW_ALL], // so that only the other side can deny
    });

    const delegating = toKeyPolicy(A, partition);

    let role: DeployedRole;
    let keyArn: string;
    let secretArn: string;
    let keyPolicy: PolicyDocument;
    beforeAll(async () => {
      const more = { CreateSecret: "true", KmsKey: "create", ParameterName: "/app/host" };
      role = await deployRole(region, { OrganizationId: ORGANIZATION, ExternalId: EXTERNAL_ID, ...more });
      keyArn = await readOutput(region, "SecretReader", "KeyArn");
      secretArn = await readOutput(region, "SecretReader", "SecretArn");
      keyPolicy = await readKeyPolicy(region, keyArn);
    }, SET_UP_MS);

    const assume = (
      who: EvaluatedCaller,
      { externalId, ...to }: Partial<DeployedRole> & { externalId: string | undefined },
    ) =>
      evaluate(who, {
        action: "sts:AssumeRole",
        resource: to.arn ?? role.arn,
        resourcePolicy: to.trustPolicy ?? role.trustPolicy,
        context: { "sts:ExternalId": externalId },
      });
    /** Evaluates an action of a session of the target role. */
    const use = (action: string, resource: string, context = {}, resourcePolicy?: PolicyDocument) =>
      evaluate(
        { roleArn: role.arn, policies: role.policies },
        { action, resource, context, ...(resourcePolicy && { resourcePolicy }) },
      );

    it.each(["my-lambda-role", "service-role/my-lambda-role", "a/b/my-lambda-role"])(
      "the function's role %s may assume the target role",
      async (name) => {
        expect(await assume(caller(toRoleArn(name)), { externalId: EXTERNAL_ID })).toBe("Allowed");
      },
    );

    it.each<[string, string, string?]>([
      ["a second role of Account B", toRoleArn("my-other-role")],
      ["a role of Account B whose name begins like the function's", toRoleArn("my-lambda-role-2")],
      ["a role of Account B whose name ends like the function's", toRoleArn("not-my-lambda-role")],
      ["a role of Account B whose path is named like the function's", toRoleArn("my-lambda-role/other")],
      ["a role of this name in another account of the organization", toRoleArn("my-lambda-role", OTHER)],
      ["a role of this name in an account outside", toRoleArn("my-lambda-role", OTHER), "o-anotherorgid"],
      [
        "the function's role, when its account is in another organization",
        toRoleArn("my-lambda-role"),
        "o-anotherorgid",
      ],
      ["a role of Account A itself", toRoleArn("my-lambda-role", A)],
    ])("%s may not assume the target role", async (_, roleArn, organizationId) => {
      expect(await assume(caller(roleArn, organizationId), { externalId: EXTERNAL_ID })).toMatch(/Denied/);
    });

    it.each([
      ["no external ID", undefined],
      ["a wrong external ID", "my-external-id-2"],
      ["an external ID in other letters", "My-External-Id"],
    ])("the function's role may not assume the target role with %s", async (_, externalId) => {
      expect(await assume(caller(toRoleArn("my-lambda-role")), { externalId })).toMatch(/Denied/);
    });

    it("the function's role may not assume the target role if its account is in no organization", async () => {
      const { organizationId: _, ...outside } = caller(toRoleArn("my-lambda-role"));
      expect(await assume(outside, { externalId: EXTERNAL_ID })).toMatch(/Denied/);
    });

    it("the target role may read the secret and the parameter, and use the secret's key", async () => {
      expect(await use("secretsmanager:GetSecretValue", secretArn)).toBe("Allowed");
      expect(await use("kms:Decrypt", keyArn, through("secretsmanager", secretArn), keyPolicy)).toBe("Allowed");
      expect(await use("ssm:GetParameter", parameter("/app/host"))).toBe("Allowed");
    });

    it.each([
      ["secretsmanager:GetSecretValue", secret("my-other-secret-AbCdEf")],
      ["secretsmanager:GetSecretValue", secret("my-shared-secret-prod-AbCdEf")],
      ["secretsmanager:GetSecretValue", secret("not-my-shared-secret-AbCdEf")],
      ["secretsmanager:GetSecretValue", secret("my-shared-secret-AbCdEf", "eu-central-1")],
      ["secretsmanager:GetSecretValue", secret("my-shared-secret-AbCdEf", region, OTHER)],
      ["secretsmanager:PutSecretValue", secret("my-shared-secret-AbCdEf")],
      ["secretsmanager:DescribeSecret", secret("my-shared-secret-AbCdEf")],
      ["ssm:GetParameter", parameter("/app/host2")],
      ["ssm:GetParameter", parameter("/app/host/x")],
      ["ssm:GetParametersByPath", parameter("/app")],
      ["ssm:PutParameter", parameter("/app/host")],
      ["sts:AssumeRole", toRoleArn("Other", A)],
    ])("the target role may not call %s on %s", async (action, resource) => {
      expect(await use(action, resource)).toMatch(/Denied/);
    });

    it.each([
      ["for another secret", "kms:Decrypt", () => through("secretsmanager", secret("my-other-secret-AbCdEf"))],
      [
        "for a secret whose name begins like the secret's",
        "kms:Decrypt",
        () => through("secretsmanager", secret("my-shared-secret-prod-AbCdEf")),
      ],
      ["through another service", "kms:Decrypt", () => through("ssm", secretArn)],
      ["directly, without a service", "kms:Decrypt", () => ({})],
      ["to encrypt", "kms:Encrypt", () => through("secretsmanager", secretArn)],
    ])("the target role may not use the key %s", async (_, action, toContext) => {
      expect(await use(action, keyArn, toContext(), keyPolicy)).toMatch(/Denied/);
    });

    it("the target role may not use a second key with KMS's default policy, and a second role of Account A may not use this key", async () => {
      const context = through("secretsmanager", secretArn);
      expect(await use("kms:Decrypt", key("second"), context, delegating)).toMatch(/Denied/);
      const other = { roleArn: toRoleArn("Other", A), policies: [] };
      const call = { action: "kms:Decrypt", resource: keyArn, context, resourcePolicy: keyPolicy };
      expect(await evaluate(other, call)).toMatch(/Denied/);
    });

    it("with the ARN of an existing key, the target role may use only that key, and only for the secret", async () => {
      const [existing, second] = [key("1234abcd"), key("5678abcd")];
      const keyUser = await deployRole(region, { TargetRoleName: "KeyFinder", KmsKey: existing });
      const decrypt = (resource: string, secretName: string) =>
        evaluate(
          { roleArn: keyUser.arn, policies: keyUser.policies },
          {
            action: "kms:Decrypt",
            resource,
            context: through("secretsmanager", secret(secretName)),
            resourcePolicy: delegating,
          },
        );
      expect(await decrypt(existing, "my-shared-secret-AbCdEf")).toBe("Allowed");
      expect(await decrypt(second, "my-shared-secret-AbCdEf")).toMatch(/Denied/);
      expect(await decrypt(existing, "my-other-secret-AbCdEf")).toMatch(/Denied/);
    });

    it("without organization, external ID and parameter, only the function's role may assume the target role, which reads only the secret", async () => {
      const plain = await deployRole(region, { TargetRoleName: "PlainReader" });
      const outside = caller(toRoleArn("my-lambda-role"), "o-anotherorgid");
      expect(await assume(outside, { ...plain, externalId: undefined })).toBe("Allowed");
      const second = caller(toRoleArn("my-other-role"));
      expect(await assume(second, { ...plain, externalId: undefined })).toMatch(/Denied/);
      const reader = { roleArn: plain.arn, policies: plain.policies };
      const read = { action: "secretsmanager:GetSecretValue", resource: secret("my-shared-secret-AbCdEf") };
      expect(await evaluate(reader, read)).toBe("Allowed");
      const get = { action: "ssm:GetParameter", resource: parameter("/app/host") };
      expect(await evaluate(reader, get)).toMatch(/Denied/);
    });
  });
});
