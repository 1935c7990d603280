/** The session policy, evaluated by an independent policy engine: see scripts/setup/policy-engine.ts. */
import { describe, expect, it } from "vitest";
import { toSessionPolicy } from "../../extension/aws/session-policy.ts";
import type { Source } from "../../extension/values/source.ts";
import { policyEngine as engine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";

const ACCOUNT = "111111111111";
const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/readers/SecretReader`;
const [READ, GET, DECRYPT] = ["secretsmanager:GetSecretValue", "ssm:GetParameter", "kms:Decrypt"];
const secret = (name: string, region = "eu-west-1", account = ACCOUNT) =>
  `arn:aws:secretsmanager:${region}:${account}:secret:${name}`;
const parameter = (name: string, region = "eu-west-1", account = ACCOUNT) =>
  `arn:aws:ssm:${region}:${account}:parameter${name}`;
const KEY = `arn:aws:kms:eu-west-1:${ACCOUNT}:key/1`;

const BY_ARN = secret("app/by-arn-AbCdEf", "us-east-1");
const SOURCE: Source = {
  roleArn: ROLE_ARN,
  externalId: undefined,
  region: undefined,
  home: { region: "eu-west-1", accountId: ACCOUNT },
  secretIds: ["my-shared-secret", BY_ARN],
  parameterNames: ["/app/host", "plain", parameter("/by/arn", "us-east-1"), "/aws/reference/secretsmanager/referenced"],
  prefetchIds: [],
};

const ALLOW_ALL = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
/** The policy of a customer managed key, which leaves the decision to the policies of the account. */
const KEY_POLICY = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: "kms:*", Resource: "*" }],
};

/** Evaluates a request of a session whose role may do everything, so that only the session policy denies. */
async function evaluate(policy: string | undefined, action: string, resource: string, via?: string): Promise<unknown> {
  const { overallResult, errors } = (await engine?.runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${ACCOUNT}:assumed-role/SecretReader/my-function`,
        action,
        resource: { resource, accountId: resource.split(":")[4] || ACCOUNT },
        contextVariables: via === undefined ? {} : { "kms:ViaService": via },
      },
      sessionPolicy: policy === undefined ? undefined : JSON.parse(policy),
      identityPolicies: [{ name: "all", policy: ALLOW_ALL }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(action.startsWith("kms:") && { resourcePolicy: KEY_POLICY }),
    },
    {},
  )) ?? { errors: "no engine" };
  expect(errors).toBeUndefined();
  return overallResult;
}

const SM_EU = "secretsmanager.eu-west-1.amazonaws.com";
const allowed: [string, string, string?][] = [
  [READ, secret("my-shared-secret-AbCdEf")],
  [READ, BY_ARN],
  [READ, secret("referenced-AbCdEf")],
  [GET, parameter("/app/host")],
  [GET, parameter("/plain")],
  [GET, parameter("/by/arn", "us-east-1")],
  [GET, parameter("/aws/reference/secretsmanager/referenced")],
  [DECRYPT, KEY, SM_EU],
  [DECRYPT, KEY, "ssm.us-east-1.amazonaws.com"],
];
const denied: [string, string, string?][] = [
  [READ, secret("my-shared-secret-prod-AbCdEf")],
  [READ, secret("my-shared-secret")],
  [READ, secret("my-shared-secret-AbCdEfg")],
  [READ, secret("x-my-shared-secret-AbCdEf")],
  [READ, secret("my-shared-secret-AbCdEf", "eu-central-1")],
  [READ, secret("my-shared-secret-AbCdEf", "us-east-1")],
  [READ, secret("app/by-arn-prod-AbCdEf", "us-east-1")],
  [READ, secret("app/by-arn-AbCdEf")],
  [READ, secret("app/host-AbCdEf")],
  ["secretsmanager:PutSecretValue", secret("my-shared-secret-AbCdEf")],
  ["secretsmanager:DescribeSecret", secret("my-shared-secret-AbCdEf")],
  [GET, parameter("/app/host2")],
  [GET, parameter("/app/host/x")],
  [GET, parameter("/app")],
  [GET, parameter("/app/host", "us-east-1")],
  [GET, parameter("/my-shared-secret")],
  ["ssm:GetParameters", parameter("/app/host")],
  ["ssm:GetParametersByPath", parameter("/app")],
  ["ssm:PutParameter", parameter("/app/host")],
  [DECRYPT, KEY],
  [DECRYPT, KEY, "s3.eu-west-1.amazonaws.com"],
  ["kms:Encrypt", KEY, SM_EU],
  ["s3:GetObject", "arn:aws:s3:::a-bucket/secret"],
  ["sts:AssumeRole", `arn:aws:iam::${ACCOUNT}:role/Other`],
];

// One skipped test stands for all of them if the policy engine is not installed.
if (engine === undefined) it.skip(`the evaluation of session policies ${WITHOUT_POLICY_ENGINE}`);
else describe("a session policy, evaluated by iam-simulate,", defineTests);

function defineTests(): void {
  const policy = toSessionPolicy(SOURCE, undefined);

  it.each(allowed)("allows %s on %s (via %s)", async (action, resource, via) => {
    expect(await evaluate(policy, action, resource, via)).toBe("Allowed");
  });

  it.each(denied)("denies %s on %s (via %s), which the role's policy allows", async (action, resource, via) => {
    expect(await evaluate(policy, action, resource, via)).toBe("ImplicitlyDenied");
    // AssumeRole also needs the trust policy of the other role.
    if (action !== "sts:AssumeRole") expect(await evaluate(undefined, action, resource, via)).toBe("Allowed");
  });

  it("allows replicas in the failover region, by name and by ARN", async () => {
    const withReplicas = toSessionPolicy(SOURCE, "eu-central-1");
    const replicas = [secret("my-shared-secret-AbCdEf", "eu-central-1"), BY_ARN.replace("us-east-1", "eu-central-1")];
    for (const replica of [...replicas, secret("my-shared-secret-AbCdEf"), BY_ARN]) {
      expect(await evaluate(withReplicas, READ, replica)).toBe("Allowed");
    }
    const others = [
      secret("my-shared-secret-prod-AbCdEf", "eu-central-1"),
      secret("my-shared-secret-AbCdEf", "eu-west-2"),
    ];
    for (const other of others) expect(await evaluate(withReplicas, READ, other)).toBe("ImplicitlyDenied");
  });

  it("for secrets only allows no parameter, and a key only through Secrets Manager; the same holds for parameters only", async () => {
    const ofSecrets = toSessionPolicy({ ...SOURCE, parameterNames: [] }, undefined);
    expect(await evaluate(ofSecrets, GET, parameter("/app/host"))).toBe("ImplicitlyDenied");
    expect(await evaluate(ofSecrets, DECRYPT, KEY, "ssm.eu-west-1.amazonaws.com")).toBe("ImplicitlyDenied");
    const ofParameters = toSessionPolicy({ ...SOURCE, secretIds: [], parameterNames: ["/app/host"] }, undefined);
    expect(await evaluate(ofParameters, READ, secret("my-shared-secret-AbCdEf"))).toBe("ImplicitlyDenied");
    expect(await evaluate(ofParameters, DECRYPT, KEY, SM_EU)).toBe("ImplicitlyDenied");
    expect(await evaluate(ofParameters, DECRYPT, KEY, "ssm.eu-west-1.amazonaws.com")).toBe("Allowed");
  });

  it("for another partition names the ARNs of that partition", async () => {
    const home = { region: "cn-north-1", accountId: ACCOUNT };
    const roleArn = ROLE_ARN.replace("arn:aws:", "arn:aws-cn:");
    const inChina = toSessionPolicy({ ...SOURCE, roleArn, home, parameterNames: ["/app/host"] }, undefined);
    const there = (arn: string) => arn.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1");
    expect(await evaluate(inChina, READ, there(secret("my-shared-secret-AbCdEf")))).toBe("Allowed");
    expect(await evaluate(inChina, GET, there(parameter("/app/host")))).toBe("Allowed");
    expect(await evaluate(inChina, READ, secret("my-shared-secret-AbCdEf"))).toBe("ImplicitlyDenied");
  });
}
