/** The fake AWS with a policy engine: one policy is changed, and AWS's words are those that the comments in test/fakes/aws/ vouch for. */
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { AssumeRoleCommand, type AssumeRoleCommandInput, STSClient } from "@aws-sdk/client-sts";
import { describe, expect, it, onTestFinished } from "vitest";
import type { SessionCredentials } from "../fakes/aws.ts";
import { ALLOW_ALL, allow, deny, toKeyPolicy, toPolicy, trust } from "../support/policy-documents.ts";
import { policyEngine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";
import {
  FUNCTION_ROLE_ARN,
  REGION,
  SECRET_NAME,
  SECRETS_ARN,
  startTwoAccounts,
  TARGET_ROLE_ARN,
} from "../support/two-accounts.ts";

const [A, B] = ["111111111111", "222222222222"];
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

async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: Error) => error.message.replace(/Request ID: [0-9a-f-]{36}/, "Request ID: …"),
  );
}

// One line for all that is left out where the engine cannot be had.
if (policyEngine === undefined) it.skip(`the fake AWS with real policies ${WITHOUT_POLICY_ENGINE}`);
else describe("the fake AWS with real policies", tryAll);

function tryAll(): void {
  const plain = denied(ASSUME, TARGET_ROLE_ARN);
  const assumptions: [string, (started: Started) => void, Partial<AssumeRoleCommandInput>, string][] = [
    ["allows what both sides allow", () => {}, {}, "ok"],
    [
      "tells no reason where the caller may not",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [] }),
      {},
      plain,
    ],
    [
      "nor where the role trusts another",
      ({ trustedWith }) => trustedWith(trust(`arn:aws:iam::${B}:role/other`, ASSUME)),
      {},
      plain,
    ],
    ["trusts a whole account", ({ trustedWith }) => trustedWith(trust(`arn:aws:iam::${B}:root`, ASSUME)), {}, "ok"],
    [
      "of which the caller must be",
      ({ trustedWith }) => trustedWith(trust("arn:aws:iam::333333333333:root", ASSUME)),
      {},
      plain,
    ],
    [
      "knows the caller's role by aws:PrincipalArn",
      ({ trustedWith }) => trustedWith(trust("*", ASSUME, { ArnEquals: { "aws:PrincipalArn": FUNCTION_ROLE_ARN } })),
      {},
      "ok",
    ],
    [
      "demands an external ID",
      ({ trustedWith }) => trustedWith(trust(FUNCTION_ROLE_ARN, ASSUME, { StringEquals: { "sts:ExternalId": "x-1" } })),
      { ExternalId: "x-2" },
      plain,
    ],
    [
      "and takes it",
      ({ trustedWith }) => trustedWith(trust(FUNCTION_ROLE_ARN, ASSUME, { StringEquals: { "sts:ExternalId": "x-1" } })),
      { ExternalId: "x-1" },
      "ok",
    ],
    [
      "demands an organization",
      ({ trustedWith }) => trustedWith(trust("*", ASSUME, { StringEquals: { "aws:PrincipalOrgID": "o-1" } })),
      {},
      plain,
    ],
    [
      "and knows it",
      ({ aws, trustedWith }) => {
        trustedWith(trust("*", ASSUME, { StringEquals: { "aws:PrincipalOrgID": "o-1" } }));
        aws.changeAccount(B, { organizationId: "o-1" });
      },
      {},
      "ok",
    ],
    [
      "names a denial by the caller's policy",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL, toPolicy(deny("sts:*"))] }),
      {},
      `${plain} with an explicit deny in an identity-based policy`,
    ],
    [
      "names a denial by the trust policy",
      ({ trustedWith }) =>
        trustedWith(trust("*", ASSUME), { ...trust(`arn:aws:iam::${B}:root`, ASSUME), Effect: "Deny" }),
      {},
      `${plain} with an explicit deny in the role trust policy`,
    ],
    [
      "names a denial by the organization",
      ({ aws }) => aws.changeAccount(B, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny(ASSUME))] }),
      {},
      `${plain} with an explicit deny in a service control policy`,
    ],
    [
      "names an organization that does not allow it",
      ({ aws }) => aws.changeAccount(B, { serviceControlPolicies: [toPolicy(allow("s3:*", "*"))] }),
      {},
      `${plain}${noneAllows("service control policy", ASSUME)}`,
    ],
    [
      "is not bound by the other account's organization",
      ({ aws }) => aws.changeAccount(A, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny(ASSUME))] }),
      {},
      "ok",
    ],
    [
      "names the caller's boundary",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { permissionsBoundary: toPolicy(allow("s3:*", "*")) }),
      {},
      `${plain}${noneAllows("permissions boundary", ASSUME)}`,
    ],
    [
      "names the policy of an endpoint",
      ({ aws }) => aws.changeEndpoint("sts", toPolicy({ ...allow("sts:GetCallerIdentity", "*"), Principal: "*" })),
      {},
      `${plain}${noneAllows("VPC endpoint policy", ASSUME)}`,
    ],
    [
      "wants session tags trusted",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] }),
      { Tags: [{ Key: "team", Value: "payments" }] },
      denied("sts:TagSession", TARGET_ROLE_ARN),
    ],
    [
      "wants session tags permitted",
      ({ trustedWith }) => trustedWith(trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:TagSession"])),
      { Tags: [{ Key: "team", Value: "payments" }] },
      denied("sts:TagSession", TARGET_ROLE_ARN),
    ],
    [
      "looks at the tags",
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
      "wants a source identity trusted",
      ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] }),
      { SourceIdentity: "alice" },
      denied("sts:SetSourceIdentity", TARGET_ROLE_ARN),
    ],
    [
      "and takes it, if it is the right one",
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
    expect(await outcome(started.assume(input))).toBe(expected);
  });

  it("AssumeRole says the same of a role that does not exist, even within the account", async () => {
    const { aws, assume } = await start();
    aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] });
    for (const arn of [`arn:aws:iam::${A}:role/Missing`, `arn:aws:iam::${B}:role/Missing`]) {
      expect(await outcome(assume({}, arn))).toBe(denied(ASSUME, arn));
    }
  });

  it("AssumeRole within an account needs both sides too", async () => {
    const { aws, assume } = await start();
    const arn = `arn:aws:iam::${B}:role/Neighbour`;
    aws.createRole({ arn, trustPolicy: toPolicy(trust(`arn:aws:iam::${B}:role/other`, ASSUME)) });
    aws.changeRole(FUNCTION_ROLE_ARN, { policies: [ALLOW_ALL] });
    expect(await outcome(assume({}, arn))).toBe(denied(ASSUME, arn));
    aws.changeRole(arn, { trustPolicy: toPolicy(trust(FUNCTION_ROLE_ARN, ASSUME)) });
    expect(await outcome(assume({}, arn))).toBe("ok");
  });

  it("a trust policy that names a role without its path does not mean it", async () => {
    const { assume, trustedWith } = await start(PATH_ROLE_ARN);
    expect(await outcome(assume())).toBe("ok");
    trustedWith(trust(FUNCTION_ROLE_ARN, ASSUME));
    expect(await outcome(assume())).toBe(plain);
    trustedWith(trust(`arn:aws:iam::${B}:root`, ASSUME, { ArnEquals: { "aws:PrincipalArn": FUNCTION_ROLE_ARN } }));
    expect(await outcome(assume())).toBe(plain);
    trustedWith(trust(`arn:aws:iam::${B}:root`, ASSUME, { ArnEquals: { "aws:PrincipalArn": PATH_ROLE_ARN } }));
    expect(await outcome(assume())).toBe("ok");
  });

  it("a trust policy means the role that there was, and not one that was made again under its name", async () => {
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
    expect(await outcome(assume())).toBe(plain);
    aws.changeRole(TARGET_ROLE_ARN, { trustPolicy: toPolicy(trust(FUNCTION_ROLE_ARN, ASSUME)) });
    expect(await outcome(assume())).toBe("ok");
  });

  const ofSecret = (reason: string) => (arn: string) => denied(READ, arn, reason);
  const readings: [string, (started: Started) => void, string | ((arn: string) => string)][] = [
    ["allows what the role may", () => {}, "ok"],
    [
      "names the role's policies that do not allow it",
      ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { policies: [] }),
      ofSecret(noneAllows("identity-based policy", READ)),
    ],
    [
      "does not take an ARN without the six characters",
      ({ permit }) => permit(allow(READ, `${SECRETS_ARN}:${SECRET_NAME}`)),
      ofSecret(noneAllows("identity-based policy", READ)),
    ],
    [
      "names a denial by the role's policies",
      ({ permit }) => permit(allow(READ, "*"), deny(READ)),
      ofSecret(" with an explicit deny in an identity-based policy"),
    ],
    [
      "names the role's boundary",
      ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { permissionsBoundary: toPolicy(allow("s3:*", "*")) }),
      ofSecret(noneAllows("permissions boundary", READ)),
    ],
    [
      "names a denial by the role's boundary",
      ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { permissionsBoundary: toPolicy(allow("*", "*"), deny(READ)) }),
      ofSecret(" with an explicit deny in a permissions boundary"),
    ],
    [
      "names a denial by the organization",
      ({ aws }) => aws.changeAccount(A, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny("secretsmanager:*"))] }),
      ofSecret(" with an explicit deny in a service control policy"),
    ],
    [
      "names a denial by the secret's own policy",
      ({ aws, secretArn }) =>
        aws.changeSecret(secretArn, {
          resourcePolicy: toPolicy({ ...trust(TARGET_ROLE_ARN, READ), Effect: "Deny", Resource: "*" }),
        }),
      ofSecret(" with an explicit deny in a resource-based policy"),
    ],
    [
      "is content with the secret's own policy",
      ({ aws, secretArn }) => {
        aws.changeRole(TARGET_ROLE_ARN, { policies: [] });
        aws.changeSecret(secretArn, { resourcePolicy: toPolicy({ ...trust(TARGET_ROLE_ARN, READ), Resource: "*" }) });
      },
      "ok",
    ],
    [
      "names the policy of an endpoint",
      ({ aws }) =>
        aws.changeEndpoint("secretsmanager", toPolicy({ ...allow(READ, `${SECRETS_ARN}:other-*`), Principal: "*" })),
      ofSecret(noneAllows("VPC endpoint policy", READ)),
    ],
    [
      "denies what is not there to whom may read it alone, and calls it as it was asked for",
      ({ aws, secretArn }) => aws.deleteSecret(secretArn),
      denied(READ, SECRET_NAME, noneAllows("identity-based policy", READ)),
    ],
    [
      "does not find it for whom may read any",
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
    expect(await outcome(read())).toBe(typeof expected === "string" ? expected : expected(secretArn));
  });

  it("GetSecretValue names a session policy", async () => {
    const { read, secretArn } = await start();
    const Policy = (...statements: Parameters<typeof toPolicy>) => JSON.stringify(toPolicy(...statements));
    expect(await outcome(read(SECRET_NAME, { Policy: Policy(allow(READ, "*")) }))).toBe("ok");
    expect(await outcome(read(SECRET_NAME, { Policy: Policy(allow("s3:*", "*")) }))).toBe(
      denied(READ, secretArn, noneAllows("session policy", READ)),
    );
    expect(await outcome(read(SECRET_NAME, { Policy: Policy(allow(READ, "*"), deny(READ)) }))).toBe(
      denied(READ, secretArn, " with an explicit deny in a session policy"),
    );
  });

  it("GetSecretValue of another account's secret needs its policy, and a key that is not AWS's own", async () => {
    const { aws, read, permit } = await start();
    permit(allow([READ, "kms:Decrypt"], "*"));
    const place = { account: "333333333333", region: REGION, secretString: "x" };
    const resourcePolicy = toPolicy({ ...trust(TARGET_ROLE_ARN, READ), Resource: "*" });
    const { arn: kmsKey } = aws.createKey({
      ...place,
      policy: toPolicy({ ...trust(TARGET_ROLE_ARN, "kms:Decrypt"), Resource: "*" }),
    });
    const { arn } = aws.createSecret({ ...place, name: "closed" });
    expect(await outcome(read(arn))).toBe(denied(READ, arn, noneAllows("resource-based policy", READ)));
    aws.changeSecret(arn, { resourcePolicy });
    expect(await outcome(read(arn))).toBe(
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
    );
    expect(await outcome(read(aws.createSecret({ ...place, name: "open", kmsKey, resourcePolicy }).arn))).toBe("ok");
  });

  it("a customer managed key must be usable, for both services, and each says so in its own way", async () => {
    const { aws, read, readParameter, permit } = await start();
    const place = { account: A, region: REGION };
    const { arn: kmsKey } = aws.createKey({ ...place, policy: toKeyPolicy(A) });
    aws.createSecret({ ...place, name: "encrypted", secretString: "x", kmsKey });
    aws.createParameter({ ...place, name: "/encrypted", value: "x", type: "SecureString", kmsKey });
    const both = async () => [await outcome(read("encrypted")), await outcome(readParameter("/encrypted"))];
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
    // Here the key's policy alone decides.
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
    aws.createParameter({ account: A, region: REGION, name: "/app/host", value: "x" });
    const arn = `arn:aws:ssm:${REGION}:${A}:parameter`;
    permit(allow("ssm:GetParameter", `${arn}//app/host`));
    expect(await outcome(readParameter("/app/host"))).toBe(
      denied("ssm:GetParameter", `${arn}/app/host`, noneAllows("identity-based policy", "ssm:GetParameter")),
    );
    permit(allow("ssm:GetParameter", `${arn}/app/host`));
    expect(await outcome(readParameter("/app/host"))).toBe("ok");
  });

  it("sessions that were revoked are denied, whatever the policies say", async () => {
    const { aws, assume } = await start();
    aws.revokeSessions(FUNCTION_ROLE_ARN);
    expect(await outcome(assume())).toBe(`${plain} with an explicit deny in an identity-based policy`);
  });
}
