import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import { describe, expect, it, vi } from "vitest";
import { toSessionPolicy } from "../../../extension/aws/session-policy.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import type { Source } from "../../../extension/values/source.ts";
import { type ConfigOverrides, createConfig } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import { resetForEachTest, START_EPOCH_MS, toSdkError } from "../../support/sdk-clients.ts";
import {
  assumeRoleInputs,
  countStsCalls,
  HOUR_MS,
  issueSessions,
  setUpSession,
  stsClient,
  toAssumeRoleAnswer,
} from "../../support/sts.ts";
import { PARAMETER_ARN, TARGET_ROLE_ARN, toPartialArn } from "../../support/values.ts";

resetForEachTest(stsClient);

const SECRET = toPartialArn("");
const PARAMETER = "arn:aws:ssm:eu-west-1:111111111111:parameter/";

const toSource = (source: Partial<Source> = {}): Source => createConfig({ source }).sources[0];

interface SentStatement {
  readonly Effect: string;
  readonly Action: string;
  readonly Resource: string | readonly string[];
  readonly Condition?: unknown;
}

function statementsOf(source: Partial<Source>, failoverRegion?: string): readonly SentStatement[] {
  const policy = toSessionPolicy(toSource(source), failoverRegion);
  if (policy === undefined) throw new Error("there is no policy");
  return JSON.parse(policy).Statement;
}

/** The resources on which the policy allows `action`. */
const resourcesOf = (action: string, source: Partial<Source>, failoverRegion?: string) =>
  statementsOf(source, failoverRegion)
    .filter(({ Action }) => Action === action)
    .flatMap(({ Resource }) => Resource);
const secretsOf = (source: Partial<Source>, failoverRegion?: string) =>
  resourcesOf("secretsmanager:GetSecretValue", source, failoverRegion);
const parametersOf = (source: Partial<Source>) => resourcesOf("ssm:GetParameter", source);

/** In IAM, `?` is any one character and `*` any number of characters. */
const isMatch = (pattern: string, arn: string) =>
  new RegExp(
    `^${pattern
      .replace(/[.*+^$|()[\]{}\\]/g, "\\$&")
      .replaceAll("\\*", ".*")
      .replaceAll("?", ".")}$`,
  ).test(arn);

describe("the session policy", () => {
  it("allows reading what is configured, using KMS keys through those services, and nothing else", () => {
    const policy = toSessionPolicy(toSource({ secretIds: ["app/db"], parameterNames: ["/app/flag"] }), undefined);
    expect(JSON.parse(policy ?? "")).toEqual({
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Action: "secretsmanager:GetSecretValue", Resource: `${SECRET}app/db-??????` },
        { Effect: "Allow", Action: "ssm:GetParameter", Resource: `${PARAMETER}app/flag` },
        {
          Effect: "Allow",
          Action: "kms:Decrypt",
          Resource: "*",
          Condition: { StringLike: { "kms:ViaService": ["secretsmanager.*", "ssm.*"] } },
        },
      ],
    });
  });

  it.each<[string, Partial<Source>, readonly string[], readonly string[]]>([
    ["secrets", { secretIds: ["a"] }, ["secretsmanager:GetSecretValue", "kms:Decrypt"], ["secretsmanager.*"]],
    ["parameters", { parameterNames: ["/a"] }, ["ssm:GetParameter", "kms:Decrypt"], ["ssm.*"]],
  ])("names one service only if only %s are configured", (_, source, actions, services) => {
    const statements = statementsOf(source);
    expect(statements.map(({ Action }) => Action)).toEqual(actions);
    expect(statements.at(-1)?.Condition).toEqual({ StringLike: { "kms:ViaService": services } });
  });

  it("lists each resource once", () => {
    expect(secretsOf({ secretIds: ["a", `${SECRET}a`, "a"] })).toEqual([`${SECRET}a-??????`, `${SECRET}a`]);
    expect(parametersOf({ parameterNames: ["/a", `${PARAMETER}a`, "a"] })).toEqual([`${PARAMETER}a`]);
  });
});

describe("a secret in the session policy", () => {
  it.each([
    ["its name", "app/db"],
    ["its partial ARN", `${SECRET}app/db`],
    ["its whole ARN", `${SECRET}app/db-AbCdEf`],
  ])("is allowed by %s, and no similar secret is", (_, secretId) => {
    const patterns = secretsOf({ secretIds: [secretId] });
    const isLetThrough = (arn: string) => patterns.some((pattern) => isMatch(pattern, arn));
    expect(isLetThrough(`${SECRET}app/db-AbCdEf`)).toBe(true);
    for (const arn of [
      `${SECRET}app/db-prod-AbCdEf`,
      `${SECRET}app/db2-AbCdEf`,
      `${SECRET}app/db`.slice(0, -1),
      `${SECRET.replace("111111111111", "333333333333")}app/db-AbCdEf`,
      `${SECRET.replace("eu-west-1", "us-east-1")}app/db-AbCdEf`,
    ]) {
      expect(isLetThrough(arn), arn).toBe(false);
    }
  });

  it("given by name has six more characters; given by ARN, it is listed with and without them", () => {
    expect(secretsOf({ secretIds: ["a-AbCdEf"] })).toEqual([`${SECRET}a-AbCdEf-??????`]);
    expect(secretsOf({ secretIds: [`${SECRET}a-AbCdEf`] })).toEqual([`${SECRET}a-AbCdEf`, `${SECRET}a-AbCdEf-??????`]);
  });

  it("is allowed where it is requested: a name in the source's region, an ARN in its own", () => {
    const given = { region: "us-east-1", home: { region: "us-east-1", accountId: "111111111111" } };
    const there = SECRET.replace("eu-west-1", "us-east-1");
    expect(secretsOf({ ...given, secretIds: ["a"] })).toEqual([`${there}a-??????`]);
    expect(secretsOf({ ...given, secretIds: [`${SECRET}a-AbCdEf`] })).toEqual([
      `${SECRET}a-AbCdEf`,
      `${SECRET}a-AbCdEf-??????`,
    ]);
  });

  it("is allowed in the region and account of its ARN if the source has no region", () => {
    const arn = "arn:aws:secretsmanager:ap-south-1:333333333333:secret:a-AbCdEf";
    expect(secretsOf({ secretIds: [arn] })).toEqual([arn, `${arn}-??????`]);
  });

  it("is also allowed in the replica's region if there is one", () => {
    const replica = SECRET.replace("eu-west-1", "eu-central-1");
    expect(secretsOf({ secretIds: ["a"] }, "eu-central-1")).toEqual([`${SECRET}a-??????`, `${replica}a-??????`]);
    expect(secretsOf({ secretIds: [`${SECRET}a-AbCdEf`] }, "eu-central-1")).toEqual([
      `${SECRET}a-AbCdEf`,
      `${SECRET}a-AbCdEf-??????`,
      `${replica}a-AbCdEf`,
      `${replica}a-AbCdEf-??????`,
    ]);
    expect(secretsOf({ secretIds: ["a"] }, "eu-west-1")).toEqual([`${SECRET}a-??????`]);
  });
});

describe("a parameter in the session policy", () => {
  it.each([
    ["flag", `${PARAMETER}flag`],
    ["/flag", `${PARAMETER}flag`],
    ["/app/flag", `${PARAMETER}app/flag`],
    [`${PARAMETER}app/flag`, `${PARAMETER}app/flag`],
    ["arn:aws:ssm:us-east-1:333333333333:parameter/a", "arn:aws:ssm:us-east-1:333333333333:parameter/a"],
  ])("%s is allowed as %s, with one slash and without version or label", (name, arn) => {
    expect(parametersOf({ parameterNames: [name] })).toEqual([arn]);
  });

  it("is allowed in the source's home only, because it has no replica", () => {
    const home = { region: "us-east-1", accountId: "333333333333" };
    const source = { parameterNames: ["/a"], region: "us-east-1", home };
    expect(resourcesOf("ssm:GetParameter", source, "eu-central-1")).toEqual([
      "arn:aws:ssm:us-east-1:333333333333:parameter/a",
    ]);
  });

  // https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
  it("that belongs to AWS has no account in its ARN", () => {
    expect(parametersOf({ parameterNames: ["/aws/service/ami/x", "/aws/servicex"] })).toEqual([
      "arn:aws:ssm:eu-west-1::parameter/aws/service/ami/x",
      `${PARAMETER}aws/servicex`,
    ]);
  });

  // https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
  it.each(["/aws/reference/secretsmanager/app/db", `${PARAMETER}aws/reference/secretsmanager/app/db`])(
    "that refers to a secret also allows that secret, and its key through either service: %s",
    (name) => {
      const source = { parameterNames: [name] };
      expect(parametersOf(source)).toEqual([`${PARAMETER}aws/reference/secretsmanager/app/db`]);
      expect(secretsOf(source)).toEqual([`${SECRET}app/db-??????`]);
      expect(statementsOf(source).at(-1)?.Condition).toEqual({
        StringLike: { "kms:ViaService": ["secretsmanager.*", "ssm.*"] },
      });
    },
  );

  it.each(["/app/aws/reference/secretsmanager/db", "aws/reference/secretsmanager/db", "/aws/reference/secretsmanager"])(
    "that only looks like a reference allows no secret: %s",
    (name) => {
      expect(secretsOf({ parameterNames: [name] })).toEqual([]);
    },
  );
});

describe("the partition of the session policy", () => {
  it.each([
    ["aws-cn", "cn-north-1"],
    ["aws-us-gov", "us-gov-west-1"],
  ])("is that of the role: %s", (partition, region) => {
    const source = {
      roleArn: `arn:${partition}:iam::111111111111:role/r`,
      home: { region, accountId: "111111111111" },
      secretIds: ["a"],
      parameterNames: ["/b"],
    };
    expect(secretsOf(source)).toEqual([`arn:${partition}:secretsmanager:${region}:111111111111:secret:a-??????`]);
    expect(parametersOf(source)).toEqual([`arn:${partition}:ssm:${region}:111111111111:parameter/b`]);
  });
});

describe("the length of the session policy", () => {
  const toNamed = (length: number) => toSource({ parameterNames: [`/${"p".repeat(length)}`] });
  const least = toSessionPolicy(toNamed(0), undefined)?.length ?? 0;

  it("is at most 2,048 characters; a longer policy is left out whole, because a part would deny the rest", () => {
    expect(toSessionPolicy(toNamed(2_048 - least), undefined)).toHaveLength(2_048);
    expect(toSessionPolicy(toNamed(2_049 - least), undefined)).toBeUndefined();
  });

  it("is enough for 20 secrets, and the policy for 40 is left out", () => {
    const toSecrets = (count: number) =>
      toSource({ secretIds: Array.from({ length: count }, (_, nth) => `app/${nth}`) });
    expect(toSessionPolicy(toSecrets(20), undefined)?.length).toBeLessThanOrEqual(2_048);
    expect(toSessionPolicy(toSecrets(40), undefined)).toBeUndefined();
  });
});

describe("the session policy of AssumeRole", () => {
  const CONFIGURED = {
    allow: "configured",
    source: { secretIds: ["app/database"], parameterNames: ["/app/flag"] },
  } as const;
  const TOO_LARGE = toSdkError("PackedPolicyTooLargeException", 400);

  const policies = () => assumeRoleInputs().map(({ Policy }) => Policy);
  const warningsOf = (lines: readonly Readonly<Record<string, unknown>>[]) =>
    lines.filter(({ event }) => event === "session-policy-left-out");

  it("is sent with every call and names the configured secrets and parameters", async () => {
    issueSessions();
    const { get, lines } = setUpSession(CONFIGURED);
    await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    await get();
    expect(policies()).toHaveLength(2);
    for (const policy of policies()) {
      expect(JSON.parse(policy ?? "").Statement).toMatchObject([
        { Resource: toPartialArn("app/database-??????") },
        { Resource: PARAMETER_ARN },
        { Action: "kms:Decrypt" },
      ]);
    }
    expect(warningsOf(lines)).toEqual([]);
  });

  it("also names the replica in FAILOVER_REGION", async () => {
    issueSessions();
    await setUpSession({ ...CONFIGURED, failoverRegion: "eu-central-1" }).get();
    expect(policies()[0]).toContain("arn:aws:secretsmanager:eu-central-1:111111111111:secret:app/database-??????");
  });

  it.each<[string, ConfigOverrides]>([
    ["SESSION_POLICY is none", { ...CONFIGURED, sessionPolicy: "none" }],
    ["ALLOW is any", { ...CONFIGURED, allow: "any" }],
  ])("is not sent if %s, and no warning is logged", async (_, overrides) => {
    issueSessions();
    const { get, lines } = setUpSession(overrides);
    await get();
    expect(Object.keys(assumeRoleInputs()[0] ?? {})).not.toContain("Policy");
    expect(warningsOf(lines)).toEqual([]);
  });

  it("is not sent if it is longer than STS allows, and one warning is logged for all sessions", async () => {
    issueSessions();
    const secretIds = Array.from({ length: 60 }, (_, nth) => `app/database-${nth}`);
    const { get, lines } = setUpSession({ ...CONFIGURED, source: { secretIds } });
    await get();
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    await get();
    expect(policies()).toEqual([undefined, undefined]);
    expect(warningsOf(lines)).toEqual([
      {
        level: "warn",
        event: "session-policy-left-out",
        roleArn: TARGET_ROLE_ARN,
        reason: "it would be longer than STS allows",
      },
    ]);
  });

  it("is left out of a second call and of later calls if STS refuses it as too large, and one warning is logged", async () => {
    stsClient
      .on(AssumeRoleCommand)
      .rejectsOnce(TOO_LARGE)
      .resolvesOnce(toAssumeRoleAnswer(1))
      .resolves(toAssumeRoleAnswer(2, 2 * HOUR_MS));
    const { get, lines } = setUpSession(CONFIGURED);
    const all = await Promise.all([get(), get(), get()]);
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(["ASIA-1"]));
    expect(policies()).toEqual([expect.any(String), undefined]);
    vi.setSystemTime(START_EPOCH_MS + HOUR_MS);
    expect((await get()).accessKeyId).toBe("ASIA-2");
    expect(policies()).toEqual([expect.any(String), undefined, undefined]);
    expect(warningsOf(lines)).toEqual([
      {
        level: "warn",
        event: "session-policy-left-out",
        roleArn: TARGET_ROLE_ARN,
        reason: "with it, the session token would be larger than STS allows",
      },
    ]);
  });

  it("causes no second call if none was sent, because the session tags are too large then", async () => {
    stsClient.on(AssumeRoleCommand).rejects(TOO_LARGE);
    const { get, lines } = setUpSession();
    expect(await failureOf(get())).toMatchObject({ code: "assume-role-rejected" });
    expect(countStsCalls()).toBe(1);
    expect(warningsOf(lines)).toEqual([]);
  });

  it("is left out of one second call only, and the failure of that call is returned", async () => {
    stsClient.on(AssumeRoleCommand).rejects(TOO_LARGE);
    const { get } = setUpSession(CONFIGURED);
    expect(await failureOf(get())).toMatchObject({ code: "assume-role-rejected" });
    expect(countStsCalls()).toBe(2);
  });

  it("is still sent after no answer came, and the failure says so", async () => {
    stsClient
      .on(AssumeRoleCommand)
      .rejectsOnce(Object.assign(new Error(), { name: "TimeoutError" }))
      .resolves(toAssumeRoleAnswer(2));
    const { get } = setUpSession(CONFIGURED);
    expect(await failureOf(get())).toMatchObject({ code: "timeout" });
    vi.setSystemTime(START_EPOCH_MS + 1_000);
    await get();
    expect(policies()).toEqual([expect.any(String), expect.any(String)]);
  });

  it("is sent again with base credentials that have changed, and no warning is logged", async () => {
    stsClient.on(AssumeRoleCommand).rejectsOnce(toSdkError("ExpiredToken", 403)).resolves(toAssumeRoleAnswer(2));
    const credentials = { accessKeyId: "ASIABASE", secretAccessKey: "key", sessionToken: "token" };
    const { get, lines } = setUpSession(CONFIGURED, { get: async () => credentials, mayChange: true });
    await get();
    expect(policies()).toEqual([expect.any(String), expect.any(String)]);
    expect(warningsOf(lines)).toEqual([]);
  });

  it.each(["AccessDenied", "MalformedPolicyDocumentException", "ValidationError"])(
    "is still sent after STS has refused a call with %s",
    async (name) => {
      stsClient.on(AssumeRoleCommand).rejectsOnce(toSdkError(name, 403)).resolves(toAssumeRoleAnswer(2));
      const { get, lines } = setUpSession(CONFIGURED);
      expect(await failureOf(get())).toBeInstanceOf(Failure);
      expect(countStsCalls()).toBe(1);
      vi.setSystemTime(START_EPOCH_MS + 1_000);
      await get();
      expect(policies()).toEqual([expect.any(String), expect.any(String)]);
      expect(warningsOf(lines)).toEqual([]);
    },
  );
});
