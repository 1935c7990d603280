/** The fake AWS with a policy engine: after a change of one policy, it answers in AWS's words (sources: comments in test/fakes/aws/). */
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { AssumeRoleCommand, type AssumeRoleCommandInput, STSClient } from "@aws-sdk/client-sts";
import { describe, expect, it, onTestFinished } from "vitest";
import type { SessionCredentials } from "../fakes/aws.ts";
import { ALLOW_ALL, allow, deny, toKeyPolicy, toPolicy, trust } from "../support/policy-documents.ts";
import { policyEngine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";
import {
  FUNCTION_ACCOUNT,
  FUNCTION_ROLE_ARN,
  IN_TARGET_ACCOUNT,
  REGION,
  SECRET_NAME,
  SECRETS_ARN,
  startTwoAccounts,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
} from "../support/two-accounts.ts";

const [A, B] = [TARGET_ACCOUNT, FUNCTION_ACCOUNT];
const FUNCTION = `arn:aws:sts::${B}:assumed-role/my-lambda-role/my-function`;
const READER = `arn:aws:sts::${A}:assumed-role/SecretReader/test`;
const READ = "secretsmanager:GetSecretValue";
const ASSUME = "sts:AssumeRole";
const PATH_ROLE_ARN = `arn:aws:iam::${B}:role/service-role/my-lambda-role`;

const denied = (action: string, resource: string, reason = "", user = action.startsWith("sts:") ? FUNCTION : READER) =>
  `User: ${user} is not authorized to perform: ${action} on resource: ${resource}${reason}`;
const noneAllows = (kind: string, action: string) => ` because no ${kind} allows the ${action} action`;

async function start(functionRoleArn = FUNCTION_ROLE_ARN) {
  const accounts = await startTwoAccounts({ policyEngine, functionRoleArn });
  onTestFinished(() => accounts.close());
  const { aws, secretArn } = accounts;
  const clientOf = (credentials: SessionCredentials) => ({
    endpoint: aws.url,
    region: REGION,
    credentials,
    maxAttempts: 1,
  });
  const base = aws.issueSession({ roleArn: functionRoleArn, sessionName: "my-function" });
  const assume = async (input: Partial<AssumeRoleCommandInput> = {}, roleArn = TARGET_ROLE_ARN) => {
    const client = new STSClient(clientOf(base));
    onTestFinished(() => client.destroy());
    const command = new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: "test", ...input });
    const {
      AccessKeyId = "",
      SecretAccessKey = "",
      SessionToken = "",
    } = (await client.send(command)).Credentials ?? {};
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  };
  const read = async (SecretId = SECRET_NAME, input: Partial<AssumeRoleCommandInput> = {}) => {
    const client = new SecretsManagerClient(clientOf(await assume(input)));
    onTestFinished(() => client.destroy());
    return client.send(new GetSecretValueCommand({ SecretId }));
  };
  const readParameter = async (Name: string) => {
    const client = new SSMClient(clientOf(await assume()));
    onTestFinished(() => client.destroy());
    return client.send(new GetParameterCommand({ Name, WithDecryption: true }));
  };
  const trustedWith = (...statements: Parameters<typeof toPolicy>) =>
    aws.changeRole(TARGET_ROLE_ARN, { trustPolicy: toPolicy(...statements) });
  const permit = (...statements: Parameters<typeof toPolicy>) =>
    aws.changeRole(TARGET_ROLE_ARN, { policies: [toPolicy(...statements)] });
  return { aws, secretArn, assume, read, readParameter, trustedWith, permit };
}

type Started = Awaited<ReturnType<typeof start>>;

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: Error) => error.message.replace(/Request ID: [0-9a-f-]{36}/, "Request ID: …"),
  );
}

// One skipped test stands for all of them if the policy engine is not installed.
if (policyEngine === undefined) it.skip(`the fake AWS with real policies ${WITHOUT_POLICY_ENGINE}`);
else describe("the fake AWS with real policies", defineTests);

function defineTests(): void {
  const plain = denied(ASSUME, TARGET_ROLE_ARN);
  const assumptions: [string, (started: Started) => void, Partial<AssumeRoleCommandInput>, string][] = [
    ["is allowed if both sides allow it", () => {}, {}, "ok"],
    [
      "is denied without a reason if the caller's policies do not allow it",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [] }),
      {},
      plain,
    ],
    [
      "is denied without a reason if the role trusts another role",
      ({ trustedWith }) => trustedWith(trust(`arn:aws:iam::${B}:role/other`, ASSUME)),
      {},
      plain,
    ],
    [
      "is allowed if the role trusts the caller's account",
      ({ trustedWith }) => trustedWith(trust(`arn:aws:iam::${B}:root`, ASSUME)),
      {},
      "ok",
    ],
    [
      "is denied if the role trusts another account",
      ({ trustedWith }) => trustedWith(trust("arn:aws:iam::333333333333:root", ASSUME)),
      {},
      plain,
    ],
    [
      "is allowed if aws:PrincipalArn matches the caller's role",
      ({ trustedWith }) => trustedWith(trust("*", ASSUME, { ArnEquals: { "aws:PrincipalArn": FUNCTION_ROLE_ARN } })),
      {},
      "ok",
    ],
    [
      "is denied if the external ID is wrong",
      ({ trustedWith }) => trustedWith(trust(FUNCTION_ROLE_ARN, ASSUME, { StringEquals: { "sts:ExternalId": "x-1" } })),
      { ExternalId: "x-2" },
      plain,
    ],
    [
      "is allowed if the external ID is right",
      ({ trustedWith }) => trustedWith(trust(FUNCTION_ROLE_ARN, ASSUME, { StringEquals: { "sts:ExternalId": "x-1" } })),
      { ExternalId: "x-1" },
      "ok",
    ],
    [
      "is denied if the caller's account is not in the organization",
      ({ trustedWith }) => trustedWith(trust("*", ASSUME, { StringEquals: { "aws:PrincipalOrgID": "o-1" } })),
      {},
      plain,
    ],
    [
      "is allowed if the caller's account is in the organization",
      ({ aws, trustedWith }) => {
        trustedWith(trust("*", ASSUME, { StringEquals: { "aws:PrincipalOrgID": "o-1" } }));
        aws.changeAccount(B, { organizationId: "o-1" });
      },
      {},
      "ok",
    ],
    [
      "names an explicit deny in the caller's policy",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL, toPolicy(deny("sts:*"))] }),
      {},
      `${plain} with an explicit deny in an identity-based policy`,
    ],
    [
      "names an explicit deny in the trust policy",
      ({ trustedWith }) =>
        trustedWith(trust("*", ASSUME), { ...trust(`arn:aws:iam::${B}:root`, ASSUME), Effect: "Deny" }),
      {},
      `${plain} with an explicit deny in the role trust policy`,
    ],
    [
      "names an explicit deny in a service control policy",
      ({ aws }) => aws.changeAccount(B, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny(ASSUME))] }),
      {},
      `${plain} with an explicit deny in a service control policy`,
    ],
    [
      "names the service control policies if none allows it",
      ({ aws }) => aws.changeAccount(B, { serviceControlPolicies: [toPolicy(allow("s3:*", "*"))] }),
      {},
      `${plain}${noneAllows("service control policy", ASSUME)}`,
    ],
    [
      "ignores the service control policies of the role's account",
      ({ aws }) => aws.changeAccount(A, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny(ASSUME))] }),
      {},
      "ok",
    ],
    [
      "names the caller's permissions boundary if it does not allow it",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { permissionsBoundary: toPolicy(allow("s3:*", "*")) }),
      {},
      `${plain}${noneAllows("permissions boundary", ASSUME)}`,
    ],
    [
      "names the policy of the VPC endpoint if it does not allow it",
      ({ aws }) => aws.changeEndpoint("sts", toPolicy({ ...allow("sts:GetCallerIdentity", "*"), Principal: "*" })),
      {},
      `${plain}${noneAllows("VPC endpoint policy", ASSUME)}`,
    ],
    [
      "is denied if the trust policy does not allow the session tags",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] }),
      { Tags: [{ Key: "team", Value: "payments" }] },
      denied("sts:TagSession", TARGET_ROLE_ARN),
    ],
    [
      "is denied if the caller's policies do not allow the session tags",
      ({ trustedWith }) => trustedWith(trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:TagSession"])),
      { Tags: [{ Key: "team", Value: "payments" }] },
      denied("sts:TagSession", TARGET_ROLE_ARN),
    ],
    [
      "is allowed if the session tags match the conditions",
      ({ aws, trustedWith }) => {
        aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] });
        const Condition = {
          StringEquals: { "aws:RequestTag/team": "payments" },
          "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] },
        };
        trustedWith(trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:TagSession"], Condition));
      },
      { Tags: [{ Key: "team", Value: "payments" }] },
      "ok",
    ],
    [
      "is denied if the trust policy does not allow the source identity",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] }),
      { SourceIdentity: "alice" },
      denied("sts:SetSourceIdentity", TARGET_ROLE_ARN),
    ],
    [
      "is allowed if the source identity matches the condition",
      ({ aws, trustedWith }) => {
        aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] });
        trustedWith(
          trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:SetSourceIdentity"], { StringLike: { "sts:SourceIdentity": "al*" } }),
        );
      },
      { SourceIdentity: "alice" },
      "ok",
    ],
  ];
  it.each(assumptions)("AssumeRole %s", async (_, change, input, expected) => {
    const started = await start();
    change(started);
    expect(await outcomeOf(started.assume(input))).toBe(expected);
  });

  it("AssumeRole denies a role that does not exist in the same words, even within the account", async () => {
    const { aws, assume } = await start();
    aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] });
    for (const arn of [`arn:aws:iam::${A}:role/Missing`, `arn:aws:iam::${B}:role/Missing`]) {
      expect(await outcomeOf(assume({}, arn))).toBe(denied(ASSUME, arn));
    }
  });

  it("AssumeRole within an account also needs both sides", async () => {
    const { aws, assume } = await start();
    const arn = `arn:aws:iam::${B}:role/Neighbour`;
    aws.createRole({ arn, trustPolicy: toPolicy(trust(`arn:aws:iam::${B}:role/other`, ASSUME)) });
    aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] });
    expect(await outcomeOf(assume({}, arn))).toBe(denied(ASSUME, arn));
    aws.changeRole(arn, { trustPolicy: toPolicy(trust(FUNCTION_ROLE_ARN, ASSUME)) });
    expect(await outcomeOf(assume({}, arn))).toBe("ok");
  });

  it("a trust policy that names a role without its path does not match it", async () => {
    const { assume, trustedWith } = await start(PATH_ROLE_ARN);
    expect(await outcomeOf(assume())).toBe("ok");
    trustedWith(trust(FUNCTION_ROLE_ARN, ASSUME));
    expect(await outcomeOf(assume())).toBe(plain);
    trustedWith(trust(`arn:aws:iam::${B}:root`, ASSUME, { ArnEquals: { "aws:PrincipalArn": FUNCTION_ROLE_ARN } }));
    expect(await outcomeOf(assume())).toBe(plain);
    trustedWith(trust(`arn:aws:iam::${B}:root`, ASSUME, { ArnEquals: { "aws:PrincipalArn": PATH_ROLE_ARN } }));
    expect(await outcomeOf(assume())).toBe("ok");
  });

  it("a trust policy that names a deleted role does not match a new role of the same name", async () => {
    const { aws } = await start();
    const { id = "" } = aws.findRole(FUNCTION_ROLE_ARN) ?? {};
    aws.deleteRole(FUNCTION_ROLE_ARN);
    aws.createRole({ arn: FUNCTION_ROLE_ARN, policies: [ALLOW_ALL] });
    expect(aws.findRole(TARGET_ROLE_ARN)?.trustPolicy).toEqual(toPolicy(trust([id], ASSUME)));
    const client = new STSClient({
      endpoint: aws.url,
      region: REGION,
      credentials: aws.issueSession({ roleArn: FUNCTION_ROLE_ARN, sessionName: "my-function" }),
    });
    onTestFinished(() => client.destroy());
    const assume = () => client.send(new AssumeRoleCommand({ RoleArn: TARGET_ROLE_ARN, RoleSessionName: "test" }));
    expect(await outcomeOf(assume())).toBe(plain);
    aws.changeRole(TARGET_ROLE_ARN, { trustPolicy: toPolicy(trust(FUNCTION_ROLE_ARN, ASSUME)) });
    expect(await outcomeOf(assume())).toBe("ok");
  });

  const toDenial = (reason: string) => (arn: string) => denied(READ, arn, reason);
  const readings: [string, (started: Started) => void, string | ((arn: string) => string)][] = [
    ["is allowed if the role's policies allow it", () => {}, "ok"],
    [
      "names the role's policies if none allows it",
      ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { policies: [] }),
      toDenial(noneAllows("identity-based policy", READ)),
    ],
    [
      "is denied if the ARN in the policy lacks the six characters",
      ({ permit }) => permit(allow(READ, `${SECRETS_ARN}:${SECRET_NAME}`)),
      toDenial(noneAllows("identity-based policy", READ)),
    ],
    [
      "names an explicit deny in the role's policies",
      ({ permit }) => permit(allow(READ, "*"), deny(READ)),
      toDenial(" with an explicit deny in an identity-based policy"),
    ],
    [
      "names the role's permissions boundary if it does not allow it",
      ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { permissionsBoundary: toPolicy(allow("s3:*", "*")) }),
      toDenial(noneAllows("permissions boundary", READ)),
    ],
    [
      "names an explicit deny in the role's permissions boundary",
      ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { permissionsBoundary: toPolicy(allow("*", "*"), deny(READ)) }),
      toDenial(" with an explicit deny in a permissions boundary"),
    ],
    [
      "names an explicit deny in a service control policy",
      ({ aws }) => aws.changeAccount(A, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny("secretsmanager:*"))] }),
      toDenial(" with an explicit deny in a service control policy"),
    ],
    [
      "names an explicit deny in the secret's own policy",
      ({ aws, secretArn }) =>
        aws.changeSecret(secretArn, {
          resourcePolicy: toPolicy({ ...trust(TARGET_ROLE_ARN, READ), Effect: "Deny", Resource: "*" }),
        }),
      toDenial(" with an explicit deny in a resource-based policy"),
    ],
    [
      "is allowed if only the secret's own policy allows it",
      ({ aws, secretArn }) => {
        aws.changeRole(TARGET_ROLE_ARN, { policies: [] });
        aws.changeSecret(secretArn, { resourcePolicy: toPolicy({ ...trust(TARGET_ROLE_ARN, READ), Resource: "*" }) });
      },
      "ok",
    ],
    [
      "names the policy of the VPC endpoint if it does not allow it",
      ({ aws }) =>
        aws.changeEndpoint("secretsmanager", toPolicy({ ...allow(READ, `${SECRETS_ARN}:other-*`), Principal: "*" })),
      toDenial(noneAllows("VPC endpoint policy", READ)),
    ],
    [
      "is denied for a secret that does not exist if the role may read only that name",
      ({ aws, secretArn }) => aws.deleteSecret(secretArn),
      denied(READ, SECRET_NAME, noneAllows("identity-based policy", READ)),
    ],
    [
      "finds no secret that does not exist if the role may read any",
      ({ aws, secretArn, permit }) => {
        permit(allow(READ, `${SECRETS_ARN}:*`));
        aws.deleteSecret(secretArn);
      },
      "Secrets Manager can't find the specified secret.",
    ],
  ];
  it.each(readings)("GetSecretValue %s", async (_, change, expected) => {
    const started = await start();
    change(started);
    const { read, secretArn } = started;
    expect(await outcomeOf(read())).toBe(typeof expected === "string" ? expected : expected(secretArn));
  });

  it("GetSecretValue names the session policy if it does not allow or denies the call", async () => {
    const { read, secretArn } = await start();
    const Policy = (...statements: Parameters<typeof toPolicy>) => JSON.stringify(toPolicy(...statements));
    expect(await outcomeOf(read(SECRET_NAME, { Policy: Policy(allow(READ, "*")) }))).toBe("ok");
    expect(await outcomeOf(read(SECRET_NAME, { Policy: Policy(allow("s3:*", "*")) }))).toBe(
      denied(READ, secretArn, noneAllows("session policy", READ)),
    );
    expect(await outcomeOf(read(SECRET_NAME, { Policy: Policy(allow(READ, "*"), deny(READ)) }))).toBe(
      denied(READ, secretArn, " with an explicit deny in a session policy"),
    );
  });

  it("GetSecretValue for another account's secret needs that secret's policy and a customer managed key", async () => {
    const { aws, read, permit } = await start();
    permit(allow([READ, "kms:Decrypt"], "*"));
    const place = { account: "333333333333", region: REGION, secretString: "x" };
    const resourcePolicy = toPolicy({ ...trust(TARGET_ROLE_ARN, READ), Resource: "*" });
    const { arn: kmsKey } = aws.createKey({
      ...place,
      policy: toPolicy({ ...trust(TARGET_ROLE_ARN, "kms:Decrypt"), Resource: "*" }),
    });
    const { arn } = aws.createSecret({ ...place, name: "closed" });
    expect(await outcomeOf(read(arn))).toBe(denied(READ, arn, noneAllows("resource-based policy", READ)));
    aws.changeSecret(arn, { resourcePolicy });
    expect(await outcomeOf(read(arn))).toBe(
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
    );
    expect(await outcomeOf(read(aws.createSecret({ ...place, name: "open", kmsKey, resourcePolicy }).arn))).toBe("ok");
  });

  it("a customer managed key must be usable for both services, and each has its own error message", async () => {
    const { aws, read, readParameter, permit } = await start();
    const { arn: kmsKey } = aws.createKey({ ...IN_TARGET_ACCOUNT, policy: toKeyPolicy(A) });
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "encrypted", secretString: "x", kmsKey });
    aws.createParameter({ ...IN_TARGET_ACCOUNT, name: "/encrypted", value: "x", type: "SecureString", kmsKey });
    const both = async () => [await outcomeOf(read("encrypted")), await outcomeOf(readParameter("/encrypted"))];
    const mayRead = allow([READ, "ssm:GetParameter"], "*");
    const services = [`secretsmanager.${REGION}.amazonaws.com`, `ssm.${REGION}.amazonaws.com`];
    const mayDecrypt = { ...allow("kms:Decrypt", kmsKey), Condition: { StringEquals: { "kms:ViaService": services } } };
    const refused = [
      "Access to KMS is not allowed",
      expect.stringContaining("you are not allowed to access. (Service: AWSKMS;"),
    ];

    permit(mayRead);
    expect(await both()).toEqual(refused);
    permit(mayRead, mayDecrypt);
    expect(await both()).toEqual(["ok", "ok"]);
    // This key policy does not leave the decision to the role's policies.
    aws.changeKey(kmsKey, { policy: toPolicy({ ...trust(`arn:aws:iam::${A}:role/Other`, "kms:*"), Resource: "*" }) });
    expect(await both()).toEqual(refused);
    aws.changeKey(kmsKey, { policy: toPolicy({ ...trust(TARGET_ROLE_ARN, "kms:Decrypt"), Resource: "*" }) });
    permit(mayRead);
    expect(await both()).toEqual(["ok", "ok"]);
    for (const [state, code] of [
      ["disabled", "DisabledException"],
      ["pending deletion", "KMSInvalidStateException"],
    ] as const) {
      aws.changeKey(kmsKey, { state });
      const message = `${kmsKey} is ${state}. (Service: AWSKMS; Status Code: 400; Error Code: ${code}; Request ID: …; Proxy: null)`;
      expect(await both()).toEqual([`Secrets Manager can't decrypt the secret value: ${message}`, message]);
    }
  });

  it("GetParameter is allowed by its ARN, which has one slash", async () => {
    const { aws, readParameter, permit } = await start();
    aws.createParameter({ ...IN_TARGET_ACCOUNT, name: "/app/host", value: "x" });
    const arn = `arn:aws:ssm:${REGION}:${A}:parameter`;
    permit(allow("ssm:GetParameter", `${arn}//app/host`));
    expect(await outcomeOf(readParameter("/app/host"))).toBe(
      denied("ssm:GetParameter", `${arn}/app/host`, noneAllows("identity-based policy", "ssm:GetParameter")),
    );
    permit(allow("ssm:GetParameter", `${arn}/app/host`));
    expect(await outcomeOf(readParameter("/app/host"))).toBe("ok");
  });

  it("revoked sessions are denied, even if all policies allow the call", async () => {
    const { aws, assume } = await start();
    aws.revokeSessions(FUNCTION_ROLE_ARN);
    expect(await outcomeOf(assume())).toBe(`${plain} with an explicit deny in an identity-based policy`);
  });
}
