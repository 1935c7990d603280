/**
 * The fake AWS, called through the real SDK. Its behaviour follows recordings of AWS (links in test/fakes/aws/), except where a
 * comment says "not verified".
 */
import { createHash, randomBytes } from "node:crypto";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  type AssumeRoleCommandOutput,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { describe, expect, onTestFinished, test } from "vitest";
import { type FakeAws, type FakeAwsOptions, type SessionCredentials, startFakeAws } from "../fakes/aws.ts";
import { FUNCTION_ACCOUNT, IN_TARGET_ACCOUNT, REGION, TARGET_ACCOUNT } from "../support/two-accounts.ts";
import { TARGET_ROLE_WITH_PATH_ARN } from "../support/values.ts";

const EXECUTION_ROLE = `arn:aws:iam::${FUNCTION_ACCOUNT}:role/service-role/my-function`;
const SECRET_NAME = "app/database";
const CANARY = "CANARY-5f1c9f2e-<&>\"'-ü";

describe("a function in Account B", () => {
  test("assumes a role of Account A and reads its secret", async () => {
    const { aws, execution, assume, read, secretArn } = await startAccounts();

    const { Credentials, AssumedRoleUser, $metadata } = await assume(execution, { RoleSessionName: "my-function-x1" });
    expect(AssumedRoleUser?.Arn).toBe(`arn:aws:sts::${TARGET_ACCOUNT}:assumed-role/SecretReader/my-function-x1`);
    expect(AssumedRoleUser?.AssumedRoleId).toMatch(/^AROA[A-Z2-7]{17}:my-function-x1$/);
    expect($metadata).toMatchObject({ httpStatusCode: 200, requestId: expect.stringMatching(UUID) });
    expect(secondsUntil(Credentials?.Expiration)).toBeGreaterThan(3590);

    const secret = await read(toCredentials(Credentials));
    expect(secret).toMatchObject({
      ARN: secretArn,
      Name: SECRET_NAME,
      SecretString: CANARY,
      VersionStages: ["AWSCURRENT"],
      VersionId: expect.stringMatching(UUID),
      $metadata: { httpStatusCode: 200, requestId: expect.stringMatching(UUID) },
    });
    expect(secret.SecretBinary).toBeUndefined();
    expect(secondsUntil(secret.CreatedDate)).toBeGreaterThan(-10);
    expect(aws.calls.map(({ operation, outcome }) => [operation, outcome])).toEqual([
      ["AssumeRole", "ok"],
      ["GetSecretValue", "ok"],
    ]);
  });

  test("gets its own identity, and that of the assumed role, from GetCallerIdentity", async () => {
    const { aws, execution, target } = await startAccounts();
    expect(await callSts(aws, execution).send(new GetCallerIdentityCommand())).toMatchObject({
      Account: FUNCTION_ACCOUNT,
      Arn: `arn:aws:sts::${FUNCTION_ACCOUNT}:assumed-role/my-function/function`,
      UserId: expect.stringMatching(/^AROA[A-Z2-7]{17}:function$/),
    });
    const { Arn } = await callSts(aws, await target()).send(new GetCallerIdentityCommand());
    expect(Arn).toBe(`arn:aws:sts::${TARGET_ACCOUNT}:assumed-role/SecretReader/test`);
  });

  test("cannot read the secret as itself", async () => {
    const { execution, read, secretArn } = await startAccounts();
    expect(await awsErrorOf(read(execution, { SecretId: secretArn }))).toMatchObject({
      name: "AccessDeniedException",
      message: `User: arn:aws:sts::${FUNCTION_ACCOUNT}:assumed-role/my-function/function is not authorized to perform: secretsmanager:GetSecretValue on resource: ${secretArn} because no resource-based policy allows the secretsmanager:GetSecretValue action`,
    });
  });

  test("gets different keys at every AssumeRole, and from every fake AWS", async () => {
    const one = await startAccounts();
    const other = await startAccounts();
    const sessions = [await one.target(), await one.target(), await other.target(), one.execution, other.execution];
    for (const part of ["accessKeyId", "secretAccessKey", "sessionToken"] as const) {
      expect(new Set(sessions.map((session) => session[part])).size).toBe(sessions.length);
    }
  });
});

describe("a secret", () => {
  test("is found by its name, its ARN, and its ARN without the six characters", async () => {
    const { target, read, secretArn } = await startAccounts();
    expect(secretArn).toMatch(
      new RegExp(`^arn:aws:secretsmanager:${REGION}:${TARGET_ACCOUNT}:secret:${SECRET_NAME}-[A-Za-z0-9]{6}$`),
    );
    const credentials = await target();
    for (const SecretId of [SECRET_NAME, secretArn, secretArn.slice(0, -7)]) {
      expect((await read(credentials, { SecretId })).ARN).toBe(secretArn);
    }
  });

  test("whose name ends like the suffix of an ARN is not found by its partial ARN", async () => {
    const { aws, target, read } = await startAccounts();
    const { arn } = aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app-secret", secretString: "x" });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableSecrets: "any" });
    const credentials = await target();
    expect((await read(credentials, { SecretId: "app-secret" })).ARN).toBe(arn);
    expect((await awsErrorOf(read(credentials, { SecretId: arn.slice(0, -7) }))).name).toBe(
      "ResourceNotFoundException",
    );
  });

  test("that is binary comes as bytes", async () => {
    const { aws, target, read } = await startAccounts();
    const secretBinary = Uint8Array.from({ length: 256 }, (_, index) => index);
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/key", secretBinary });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableSecrets: ["app/key"] });
    const secret = await read(await target(), { SecretId: "app/key" });
    expect(secret.SecretBinary).toEqual(secretBinary);
    expect(secret.SecretString).toBeUndefined();
  });

  test("belongs to its account and region", async () => {
    const { aws, target, read, secretArn } = await startAccounts();
    const place = { name: SECRET_NAME, secretString: "another one" };
    const abroad = aws.createSecret({ ...place, account: TARGET_ACCOUNT, region: "us-east-1" });
    aws.createSecret({ ...place, account: FUNCTION_ACCOUNT, region: REGION });
    const credentials = await target();
    expect((await read(credentials)).ARN).toBe(secretArn);
    expect((await read(credentials, {}, { region: "us-east-1" })).ARN).toBe(abroad.arn);
    expect(await awsErrorOf(read(credentials, { SecretId: secretArn }, { region: "us-east-1" }))).toMatchObject({
      name: "ResourceNotFoundException",
    });
  });

  test("that does not exist is not found if the role may read any", async () => {
    const { aws, target, read } = await startAccounts();
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableSecrets: "any" });
    expect(await awsErrorOf(read(await target(), { SecretId: "app/missing" }))).toEqual({
      name: "ResourceNotFoundException",
      status: 400,
      message: "Secrets Manager can't find the specified secret.",
    });
  });

  test("that does not exist is denied like one that does if the role may read only others", async () => {
    const { aws, target, read } = await startAccounts();
    const { arn } = aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/other", secretString: "x" });
    const credentials = await target();
    const denied = (resource: string) => ({
      name: "AccessDeniedException",
      status: 400,
      message: `User: arn:aws:sts::${TARGET_ACCOUNT}:assumed-role/SecretReader/test is not authorized to perform: secretsmanager:GetSecretValue on resource: ${resource} because no identity-based policy allows the secretsmanager:GetSecretValue action`,
    });
    expect(await awsErrorOf(read(credentials, { SecretId: "app/missing" }))).toEqual(denied("app/missing"));
    expect(await awsErrorOf(read(credentials, { SecretId: "app/other" }))).toEqual(denied(arn));
    // A permission for `app/database` does not allow `app/database-2` or `app/data`.
    for (const name of [`${SECRET_NAME}-2`, "app/data"]) {
      aws.createSecret({ ...IN_TARGET_ACCOUNT, name, secretString: "x" });
      expect((await awsErrorOf(read(credentials, { SecretId: name }))).name).toBe("AccessDeniedException");
    }
  });

  test("that is marked for deletion is an invalid request; after deletion it is not found, and its name is free", async () => {
    const { aws, target, read, secretArn } = await startAccounts();
    const credentials = await target();
    aws.markForDeletion(secretArn);
    expect(await awsErrorOf(read(credentials))).toEqual({
      name: "InvalidRequestException",
      status: 400,
      message: "You can't perform this operation on the secret because it was marked for deletion.",
    });
    aws.deleteSecret(secretArn);
    expect((await awsErrorOf(read(credentials, { SecretId: secretArn }))).name).toBe("ResourceNotFoundException");
    const { arn } = aws.createSecret({ ...IN_TARGET_ACCOUNT, name: SECRET_NAME, secretString: "again" });
    expect(arn).not.toBe(secretArn);
    expect((await read(credentials)).ARN).toBe(arn);
  });

  test("that is encrypted with a key that the role may not use is denied", async () => {
    const { aws, target, read } = await startAccounts();
    const kmsKey = `arn:aws:kms:${REGION}:${TARGET_ACCOUNT}:key/0f1e`;
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/encrypted", secretString: "x", kmsKey });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableSecrets: ["app/encrypted"], usableKeys: [] });
    const credentials = await target();
    expect(await awsErrorOf(read(credentials, { SecretId: "app/encrypted" }))).toEqual({
      name: "AccessDeniedException",
      status: 400,
      message: "Access to KMS is not allowed",
    });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { usableKeys: [kmsKey] });
    expect((await read(credentials, { SecretId: "app/encrypted" })).SecretString).toBe("x");
  });

  test("with an invalid name is refused", async () => {
    const { target, read } = await startAccounts();
    expect(await awsErrorOf(read(await target(), { SecretId: "app database" }))).toMatchObject({
      name: "ValidationException",
    });
  });
});

describe("a replica", () => {
  test("has the name, the six characters and all versions of its original, also later ones", async () => {
    const { aws, target, secretArn } = await startAccounts();
    const replicaArn = secretArn.replace(REGION, "eu-central-1");
    aws.replicateSecret(secretArn, "eu-central-1");
    const credentials = await target();
    const read = (SecretId: string) =>
      new SecretsManagerClient({ region: "eu-central-1", endpoint: aws.url, credentials }).send(
        new GetSecretValueCommand({ SecretId }),
      );
    expect(await read(SECRET_NAME)).toMatchObject({ ARN: replicaArn, SecretString: CANARY });
    const { versionId } = aws.putSecretValue(secretArn, { secretString: "rotated" });
    expect(await read(replicaArn)).toMatchObject({ ARN: replicaArn, SecretString: "rotated", VersionId: versionId });
  });
});

describe("a rotation", () => {
  test("moves AWSCURRENT to the new version and AWSPREVIOUS to the one before", async () => {
    const { aws, target, read, secretArn, versionId } = await startAccounts();
    const credentials = await target();
    const second = aws.putSecretValue(secretArn, { secretString: "second" });
    const third = aws.putSecretValue(secretArn, { secretString: "third" });

    expect(await read(credentials)).toMatchObject({ SecretString: "third", VersionId: third.versionId });
    expect(await read(credentials, { VersionStage: "AWSPREVIOUS" })).toMatchObject({
      SecretString: "second",
      VersionId: second.versionId,
      VersionStages: ["AWSPREVIOUS"],
    });
    const first = await read(credentials, { VersionId: versionId });
    expect(first.SecretString).toBe(CANARY);
    expect(first.VersionStages).toBeUndefined();
  });

  test("under way shows as AWSPENDING, and does not change AWSCURRENT", async () => {
    const { aws, target, read, secretArn } = await startAccounts();
    const credentials = await target();
    aws.putSecretValue(secretArn, { secretString: "next" }, ["AWSPENDING"]);
    expect(await read(credentials, { VersionStage: "AWSPENDING" })).toMatchObject({ SecretString: "next" });
    expect(await read(credentials)).toMatchObject({ SecretString: CANARY, VersionStages: ["AWSCURRENT"] });
  });

  test("does not create other versions or stages: a read of these is not found", async () => {
    const { aws, target, read, secretArn, versionId } = await startAccounts();
    const credentials = await target();
    const unknown = "00000000-0000-4000-8000-000000000000";
    const of = (which: string) => `Secrets Manager can't find the specified secret value for ${which}`;
    expect(await awsErrorOf(read(credentials, { VersionStage: "AWSPREVIOUS" }))).toEqual({
      name: "ResourceNotFoundException",
      status: 400,
      message: of("staging label: AWSPREVIOUS"),
    });
    // Message not verified.
    expect(await awsErrorOf(read(credentials, { VersionId: unknown }))).toMatchObject({
      name: "ResourceNotFoundException",
      message: of(`VersionId: ${unknown}`),
    });
    aws.putSecretValue(secretArn, { secretString: "second" });
    expect(await awsErrorOf(read(credentials, { VersionId: versionId, VersionStage: "AWSCURRENT" }))).toEqual({
      name: "InvalidRequestException",
      status: 400,
      message: "You provided a VersionStage that is not associated to the provided VersionId.",
    });
  });
});

describe("a parameter", () => {
  const [HOST, PASSWORD, KEY] = [
    "/app/database/host",
    "/app/database/password",
    `arn:aws:kms:${REGION}:${TARGET_ACCOUNT}:key/1`,
  ];

  /** Adds two parameters, which the role may read. */
  async function startWithParameters() {
    const accounts = await startAccounts();
    const { aws, target } = accounts;
    const { arn: hostArn } = aws.createParameter({ ...IN_TARGET_ACCOUNT, name: HOST, value: "db.internal" });
    const secure = { type: "SecureString", value: CANARY, kmsKey: KEY } as const;
    const { arn: passwordArn } = aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PASSWORD, ...secure });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableParameters: [HOST, PASSWORD, "plain"] });
    const credentials = await target();
    const get = async (Name: string, WithDecryption?: boolean, client: SdkClientOptions = {}) =>
      (await callSsm(aws, credentials, client).send(new GetParameterCommand({ Name, WithDecryption }))).Parameter;
    return { ...accounts, hostArn, passwordArn, get };
  }

  test("is found by its name and its ARN, with its version and the date of its last change", async () => {
    const { aws, hostArn, get } = await startWithParameters();
    expect(hostArn).toBe(`arn:aws:ssm:${REGION}:${TARGET_ACCOUNT}:parameter${HOST}`);
    const expected = { ARN: hostArn, DataType: "text", LastModifiedDate: expect.any(Date), Name: HOST };
    for (const name of [HOST, hostArn]) {
      expect(await get(name)).toEqual({ ...expected, Type: "String", Value: "db.internal", Version: 1 });
    }
    expect(secondsUntil((await get(HOST))?.LastModifiedDate)).toBeGreaterThan(-10);
    const { arn } = aws.createParameter({ ...IN_TARGET_ACCOUNT, name: "plain", type: "StringList", value: "a,b" });
    expect(await get(arn)).toMatchObject({ Name: "plain", ARN: arn, Type: "StringList", Value: "a,b" });
  });

  test("is found in an older version by its number or its label, and the label can move", async () => {
    const { aws, hostArn, get } = await startWithParameters();
    aws.labelParameter(hostArn, 1, "Live");
    expect(aws.putParameter(hostArn, "db2.internal")).toEqual({ version: 2 });
    expect(await get(HOST)).toMatchObject({ Value: "db2.internal", Version: 2 });
    expect((await get(HOST))?.Selector).toBeUndefined();
    for (const selector of [":1", ":Live"]) {
      const older = { Name: HOST, ARN: hostArn, Value: "db.internal", Version: 1, Selector: selector };
      expect(await get(`${HOST}${selector}`)).toMatchObject(older);
      expect(await get(`${hostArn}${selector}`)).toMatchObject(older);
    }
    aws.labelParameter(hostArn, 2, "Live");
    expect(await get(`${HOST}:Live`)).toMatchObject({ Value: "db2.internal" });
    expect(await awsErrorOf(get(`${HOST}:3`))).toEqual({
      name: "ParameterVersionNotFound",
      status: 400,
      message: `Systems Manager could not find version 3 of ${HOST}. Verify the version and try again.`,
    });
    expect((await awsErrorOf(get(`${HOST}:Dead`))).name).toBe("ParameterVersionNotFound");
  });

  test("that is a SecureString comes as the same ciphertext each time, unless decryption is requested", async () => {
    const { get } = await startWithParameters();
    const encrypted = await get(PASSWORD);
    expect(encrypted).toMatchObject({ Type: "SecureString", Value: expect.stringMatching(/^AQICAH[\w+/=]{100,}$/) });
    expect((await get(PASSWORD, false))?.Value).toBe(encrypted?.Value);
    expect((await get(PASSWORD, true))?.Value).toBe(CANARY);
    expect((await get(HOST, true))?.Value).toBe("db.internal");
  });

  test("that is encrypted with a key that the role may not use is denied, except for its ciphertext", async () => {
    const { aws, get } = await startWithParameters();
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { usableKeys: [] });
    expect(await awsErrorOf(get(PASSWORD, true))).toEqual({
      name: "AccessDeniedException",
      status: 400,
      message: expect.stringMatching(
        /^The ciphertext refers to a customer master key .* \(Service: AWSKMS; Status Code: 400;/,
      ),
    });
    expect((await get(PASSWORD))?.Value).toMatch(/^AQICAH/);
  });

  test("that does not exist is not found, in a message without its name, if the role may read it", async () => {
    const { aws, hostArn, get } = await startWithParameters();
    aws.deleteParameter(hostArn);
    const notFound = { name: "ParameterNotFound", status: 400, message: expect.not.stringContaining("app") };
    expect(await awsErrorOf(get(HOST))).toEqual(notFound);
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableParameters: "any" });
    expect(await awsErrorOf(get("/missing"))).toEqual(notFound);
    // A parameter of another region. Not verified.
    expect((await awsErrorOf(get(PASSWORD, true, { region: "us-east-1" }))).name).toBe("ParameterNotFound");
  });

  test("that the role may not read is denied with its ARN, and one that does not exist with an ARN ending in *", async () => {
    const { aws, get } = await startWithParameters();
    const { arn } = aws.createParameter({ ...IN_TARGET_ACCOUNT, name: "/app/database/hostname", value: "x" });
    const denied = (resource: string) => ({
      name: "AccessDeniedException",
      status: 400,
      message: `User: arn:aws:sts::${TARGET_ACCOUNT}:assumed-role/SecretReader/test is not authorized to perform: ssm:GetParameter on resource: ${resource} because no identity-based policy allows the ssm:GetParameter action`,
    });
    expect(await awsErrorOf(get("/app/database/hostname"))).toEqual(denied(arn));
    expect(await awsErrorOf(get("/missing"))).toEqual(denied(`arn:aws:ssm:${REGION}:${TARGET_ACCOUNT}:*`));
  });

  test("can be a reference to a secret, which needs decryption and both permissions", async () => {
    const { aws, secretArn, versionId, get } = await startWithParameters();
    const name = `/aws/reference/secretsmanager/${SECRET_NAME}`;
    expect((await awsErrorOf(get(name, true))).message).toContain(
      "perform: ssm:GetParameter on resource: arn:aws:ssm:",
    );
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableParameters: [name] });
    expect(await awsErrorOf(get(name))).toEqual({
      name: "ValidationException",
      status: 400,
      message: "WithDecryption flag must be True for retrieving a Secret Manager secret.",
    });
    const { SourceResult, ...parameter } = (await get(name, true)) ?? {};
    expect(parameter).toEqual({
      ARN: secretArn,
      LastModifiedDate: expect.any(Date),
      Name: name,
      Type: "SecureString",
      Value: CANARY,
      Version: 0,
    });
    const recorded = {
      ARN: secretArn,
      name: SECRET_NAME,
      versionId,
      secretString: CANARY,
      versionStages: ["AWSCURRENT"],
    };
    const date = expect.stringMatching(/^[A-Z][a-z]{2} \d+, \d{4}, \d+:\d\d:\d\d [AP]M$/);
    expect(JSON.parse(SourceResult ?? "")).toEqual({ ...recorded, createdDate: date });
    expect((await get(`${name}:AWSCURRENT`, true))?.Selector).toBe(":AWSCURRENT");
    expect((await get(`${name}:${versionId}`, true))?.Value).toBe(CANARY);
    // Not verified: both codes.
    expect((await awsErrorOf(get(`${name}:AWSPREVIOUS`, true))).name).toBe("ParameterNotFound");
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableSecrets: [] });
    expect((await awsErrorOf(get(name, true))).message).toContain("perform: secretsmanager:GetSecretValue");
  });

  test("that refers to a binary secret has no value, but a Java ByteBuffer in SourceResult", async () => {
    const { aws, get } = await startWithParameters();
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/key", secretBinary: Buffer.from("ab") });
    const name = "/aws/reference/secretsmanager/app/key";
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableParameters: [name], readableSecrets: ["app/key"] });
    const { SourceResult, Value } = (await get(name, true)) ?? {};
    expect(Value).toBeUndefined();
    expect(JSON.parse(SourceResult ?? "").secretBinary).toEqual({
      hb: [97, 98],
      offset: 0,
      isReadOnly: false,
      bigEndian: true,
      nativeByteOrder: false,
      mark: -1,
      position: 0,
      limit: 2,
      capacity: 2,
      address: 16,
    });
  });

  test("is denied, throttled and counted like every operation", async () => {
    const { aws, get } = await startWithParameters();
    aws.fault("GetParameter", { kind: "throttle" }, { times: 1 });
    expect(await awsErrorOf(get(HOST))).toEqual({ name: "ThrottlingException", status: 400, message: "Rate exceeded" });
    aws.fault("GetParameter", { kind: "deny" }, { times: 1 });
    expect((await awsErrorOf(get(HOST))).message).toContain(
      "no identity-based policy allows the ssm:GetParameter action",
    );
    const invalidKey = { status: 400, code: "InvalidKeyId", message: `${KEY} is pending deletion.` };
    aws.fault("GetParameter", { kind: "error", ...invalidKey }, { times: 1 });
    expect((await awsErrorOf(get(PASSWORD, true))).name).toBe("InvalidKeyId");
    await get(`${HOST}:1`, true);
    expect(aws.count("GetParameter")).toBe(4);
    expect(aws.calls.at(-1)).toMatchObject({ parameterName: `${HOST}:1`, withDecryption: true, outcome: "ok" });
  });
});

describe("a session policy", () => {
  const OTHER = "app/other";
  const PARAMETER = "/app/host";
  const KEY = `arn:aws:kms:${REGION}:${TARGET_ACCOUNT}:key/1`;
  const toPolicy = (...statements: object[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });
  const READ = { Effect: "Allow", Action: "secretsmanager:GetSecretValue" };

  async function startWithPolicy(Policy: string) {
    const accounts = await startAccounts();
    const { aws, execution, assume } = accounts;
    const { arn: otherArn } = aws.createSecret({ ...IN_TARGET_ACCOUNT, name: OTHER, secretString: "x", kmsKey: KEY });
    const { arn: parameterArn } = aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value: "x" });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableSecrets: "any", readableParameters: "any" });
    const session = toCredentials((await assume(execution, { Policy })).Credentials);
    const read = (SecretId: string) => accounts.read(session, { SecretId });
    const get = (Name: string) => callSsm(aws, session).send(new GetParameterCommand({ Name }));
    return { ...accounts, otherArn, parameterArn, read, get };
  }

  test("removes from a session what it does not allow, and the error names the policy", async () => {
    const { otherArn, parameterArn, read, get } = await startWithPolicy(
      toPolicy({ ...READ, Resource: [`arn:aws:secretsmanager:*:${TARGET_ACCOUNT}:secret:${SECRET_NAME}-??????`] }),
    );
    await read(SECRET_NAME);
    const denied = (action: string, resource: string) => ({
      name: "AccessDeniedException",
      status: 400,
      message: `User: arn:aws:sts::${TARGET_ACCOUNT}:assumed-role/SecretReader/test is not authorized to perform: ${action} on resource: ${resource} because no session policy allows the ${action} action`,
    });
    expect(await awsErrorOf(read(OTHER))).toEqual(denied("secretsmanager:GetSecretValue", otherArn));
    expect(await awsErrorOf(get(PARAMETER))).toEqual(denied("ssm:GetParameter", parameterArn));
  });

  test("gives nothing that the role does not have", async () => {
    const { aws, read } = await startWithPolicy(toPolicy({ ...READ, Resource: "*" }));
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { readableSecrets: [] });
    expect((await awsErrorOf(read(SECRET_NAME))).message).toContain("no identity-based policy allows");
  });

  test("must also allow the key, through the service that the condition names", async () => {
    const decrypt = (services: string[]) => ({
      Effect: "Allow",
      Action: "kms:Decrypt",
      Resource: "*",
      Condition: { StringLike: { "kms:ViaService": services } },
    });
    const all = { ...READ, Resource: "*" };
    const outcomes: string[] = [];
    for (const policy of [
      toPolicy(all),
      toPolicy(all, decrypt(["ssm.*"])),
      toPolicy(all, decrypt(["secretsmanager.*"])),
    ]) {
      const { read } = await startWithPolicy(policy);
      outcomes.push(await nameOf(read(OTHER)));
    }
    expect(outcomes).toEqual(["AccessDeniedException", "AccessDeniedException", "ok"]);
  });

  test.each([
    ["* is any text", "arn:aws:secretsmanager:*:secret:*", "ok"],
    [
      "? is one character",
      `arn:aws:secretsmanager:${REGION}:${TARGET_ACCOUNT}:secret:${SECRET_NAME}-?????`,
      "AccessDeniedException",
    ],
    ["a dot is a dot", `arn.aws:secretsmanager:${REGION}:${TARGET_ACCOUNT}:secret:*`, "AccessDeniedException"],
    [
      "an ARN is case-sensitive",
      `arn:aws:secretsmanager:${REGION}:${TARGET_ACCOUNT}:secret:APP/*`,
      "AccessDeniedException",
    ],
  ])("is matched as by AWS: %s", async (_, resource, outcome) => {
    const { read } = await startWithPolicy(
      toPolicy({ ...READ, Action: "SecretsManager:getsecret*", Resource: resource }),
    );
    expect(await nameOf(read(SECRET_NAME))).toBe(outcome);
  });

  test("can deny, which overrides what it allows", async () => {
    const { read } = await startWithPolicy(
      toPolicy({ ...READ, Resource: "*" }, { ...READ, Effect: "Deny", Resource: "*:secret:app/database-*" }),
    );
    expect(await nameOf(read(SECRET_NAME))).toBe("AccessDeniedException");
  });

  test.each([
    ["not JSON", "{"],
    ["without a statement", '{"Version":"2012-10-17"}'],
    ["with an element that the fake does not know", toPolicy({ ...READ, NotResource: "*" })],
  ])("is malformed: %s", async (_, Policy) => {
    const { execution, assume } = await startAccounts();
    // The SDK names the error after its class. The message is not verified.
    expect((await awsErrorOf(assume(execution, { Policy }))).name).toBe("MalformedPolicyDocumentException");
  });

  test("is too long with 2,049 characters", async () => {
    const { execution, assume } = await startAccounts();
    const policy = toPolicy({ ...READ, Resource: "*" });
    await assume(execution, { Policy: policy.padEnd(2_048) });
    expect(await awsErrorOf(assume(execution, { Policy: policy.padEnd(2_049) }))).toMatchObject({
      name: "ValidationError",
      message: expect.stringMatching(/at 'policy' failed .* length less than or equal to 2048$/),
    });
  });
});

describe("AssumeRole", () => {
  const denied = {
    name: "AccessDenied",
    status: 403,
    message: `User: arn:aws:sts::${FUNCTION_ACCOUNT}:assumed-role/my-function/function is not authorized to perform: sts:AssumeRole on resource: ${TARGET_ROLE_WITH_PATH_ARN}`,
  };

  test.each([
    ["the role trusts another role", { trusts: [`arn:aws:iam::${FUNCTION_ACCOUNT}:role/other`] }],
    ["the role trusts no principal", { trusts: [] }],
    ["the role requires an external ID and gets none", { externalId: "ticket-4711" }],
  ])("is denied if %s", async (_, changes) => {
    const { aws, execution, assume } = await startAccounts();
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, changes);
    expect(await awsErrorOf(assume(execution))).toEqual(denied);
  });

  test("is denied, in the same words, for a wrong external ID and a missing permission of the caller", async () => {
    const { aws, execution, assume } = await startAccounts();
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { externalId: "ticket-4711" });
    expect(await awsErrorOf(assume(execution, { ExternalId: "ticket-4712" }))).toEqual(denied);
    await assume(execution, { ExternalId: "ticket-4711" });
    aws.changeRole(EXECUTION_ROLE, { assumableRoles: [] });
    expect(await awsErrorOf(assume(execution, { ExternalId: "ticket-4711" }))).toEqual(denied);
  });

  test("is denied, in the same words, for a role that does not exist", async () => {
    const { execution, assume } = await startAccounts();
    const RoleArn = `arn:aws:iam::${TARGET_ACCOUNT}:role/missing`;
    expect(await awsErrorOf(assume(execution, { RoleArn }))).toEqual({
      ...denied,
      message: denied.message.replace(TARGET_ROLE_WITH_PATH_ARN, RoleArn),
    });
  });

  test.each([
    ["the account", `arn:aws:iam::${FUNCTION_ACCOUNT}:root`],
    ["the role session", `arn:aws:sts::${FUNCTION_ACCOUNT}:assumed-role/my-function/function`],
  ])("is allowed if the role trusts %s of the caller", async (_, principal) => {
    const { aws, execution, assume } = await startAccounts();
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { trusts: [principal] });
    await assume(execution, { ExternalId: "not-asked-for" });
  });

  test("lasts as long as requested, an hour by default and at most", async () => {
    const { aws, execution, assume } = await startAccounts();
    const { Credentials } = await assume(execution, { DurationSeconds: 900 });
    expect(secondsUntil(Credentials?.Expiration)).toBeLessThanOrEqual(900);
    expect(secondsUntil(Credentials?.Expiration)).toBeGreaterThan(890);
    expect(await awsErrorOf(assume(execution, { DurationSeconds: 3601 }))).toEqual({
      name: "ValidationError",
      status: 400,
      message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { sessionLifeSeconds: 2 });
    expect(secondsUntil((await assume(execution)).Credentials?.Expiration)).toBeLessThanOrEqual(2);
  });

  test.each<[Partial<AssumeRoleCommandInput>, string]>([
    [{ RoleArn: "nothing-valid-in-here" }, "nothing-valid-in-here is invalid"],
    [
      { RoleSessionName: "Session1:2" },
      "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    ],
    [
      { RoleSessionName: "s".repeat(65) },
      `1 validation error detected: Value '${"s".repeat(65)}' at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64`,
    ],
    // Message not verified.
    [
      { DurationSeconds: 899 },
      "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    ],
  ])("refuses the input %j", async (input, message) => {
    const { execution, assume } = await startAccounts();
    expect(await awsErrorOf(assume(execution, input))).toEqual({ name: "ValidationError", status: 400, message });
  });
});

describe("a session token", () => {
  const tags = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ Key: `key-${index}`, Value: randomBytes(96).toString("base64") }));

  test("has its size in the answer, and the share of 4,096 bytes, which is also the packed policy's", async () => {
    const { assume, execution } = await startAccounts();
    const answers = [
      await assume(execution),
      await assume(execution, { MinimumSessionTokenSize: 2_048 }),
      await assume(execution, { Tags: tags(5) }),
    ];
    for (const { Credentials, SessionTokenSize, SessionTokenUtilization, PackedPolicySize } of answers) {
      expect(Credentials?.SessionToken).toHaveLength(SessionTokenSize ?? 0);
      expect(SessionTokenUtilization).toBe(Math.ceil((SessionTokenSize ?? 0) / 40.96));
      expect(PackedPolicySize).toBe(SessionTokenUtilization);
    }
    const [plain = 0, least, tagged] = answers.map(({ SessionTokenSize }) => SessionTokenSize);
    expect([plain, least]).toEqual([960, 2_048]);
    expect(tagged).toBeGreaterThan(plain);
  });

  test("of more than 4,096 bytes is refused with both sizes, whatever made it so large", async () => {
    const { aws, assume, execution, target } = await startAccounts();
    await expect(assume(execution, { Tags: tags(40) })).rejects.toMatchObject({
      name: "PackedPolicyTooLargeException",
      $metadata: { httpStatusCode: 400 },
      message: expect.stringMatching(/^The session token has \d{4} bytes, .* of 4096 bytes$/),
    });
    aws.changeRole(TARGET_ROLE_WITH_PATH_ARN, { sessionTokenBytes: 4_096 });
    expect((await target()).sessionToken).toHaveLength(4_096);
    const policy = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}';
    expect(await nameOf(assume(execution, { Policy: policy }))).toBe("PackedPolicyTooLargeException");
  });
});

describe("a session", () => {
  test("that has expired is refused by both services", async () => {
    let nowMs = Date.now();
    const { aws, execution, target, assume, read } = await startAccounts({ now: () => nowMs });
    const credentials = await target();
    aws.changeRole(EXECUTION_ROLE, { sessionLifeSeconds: 60 });
    const shortLived = aws.issueSession({ roleArn: EXECUTION_ROLE });
    nowMs += 61_000;
    const message = "The security token included in the request is expired";
    expect(await awsErrorOf(assume(shortLived))).toEqual({ name: "ExpiredToken", status: 403, message });
    await assume(execution);
    await read(credentials);
    nowMs += 3_600_000;
    // The SDK's clock is now an hour behind. The SDK corrects it from the first refusal, and then gets the error about the expiry.
    expect(await awsErrorOf(read(credentials, {}, { maxAttempts: 2 }))).toEqual({
      name: "ExpiredTokenException",
      status: 400,
      message,
    });
  });

  test("that is revoked is denied every call, and a new one is not", async () => {
    const { aws, execution, target, assume, read, secretArn } = await startAccounts();
    const credentials = await target();
    aws.revokeSessions(TARGET_ROLE_WITH_PATH_ARN);
    const revoked = await awsErrorOf(read(credentials));
    expect(revoked.name).toBe("AccessDeniedException");
    expect(revoked.message).toContain(`on resource: ${secretArn} with an explicit deny in an identity-based policy`);
    await read(await target());

    aws.revokeSessions(EXECUTION_ROLE);
    expect((await awsErrorOf(assume(execution))).name).toBe("AccessDenied");
    await assume(aws.issueSession({ roleArn: EXECUTION_ROLE }));
  });

  // Not verified: AWS's error for this.
  test("of a deleted role is unknown, even after the role was created again", async () => {
    const { aws, target, read } = await startAccounts();
    const credentials = await target();
    aws.deleteRole(TARGET_ROLE_WITH_PATH_ARN);
    aws.createRole({ arn: TARGET_ROLE_WITH_PATH_ARN, trusts: [EXECUTION_ROLE], readableSecrets: [SECRET_NAME] });
    expect((await awsErrorOf(read(credentials))).name).toBe("UnrecognizedClientException");
    await read(await target());
  });
});

describe("a signature", () => {
  const mismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

  test("by another key is refused by both services", async () => {
    const { execution, assume, read } = await startAccounts();
    const forged = { ...execution, secretAccessKey: `${execution.secretAccessKey.slice(0, -1)}!` };
    expect(await awsErrorOf(assume(forged))).toEqual({ name: "SignatureDoesNotMatch", status: 403, message: mismatch });
    expect(await awsErrorOf(read(forged))).toEqual({
      name: "InvalidSignatureException",
      status: 400,
      message: mismatch,
    });
  });

  test("by a key that AWS does not know is refused by both services, and so is a wrong or missing token", async () => {
    const { execution, assume, read } = await startAccounts();
    const { sessionToken: _, ...withoutToken } = execution;
    const message = "The security token included in the request is invalid.";
    for (const forged of [
      { ...execution, accessKeyId: "ASIAQQQQQQQQQQQQQQQQ" },
      { ...execution, sessionToken: execution.sessionToken.toLowerCase() },
      withoutToken,
    ]) {
      expect(await awsErrorOf(assume(forged))).toEqual({ name: "InvalidClientTokenId", status: 403, message });
      expect(await awsErrorOf(read(forged))).toEqual({ name: "UnrecognizedClientException", status: 400, message });
    }
  });

  const json = Buffer.from('{"SecretId":"app/other"}');
  test.each<[string, (request: TamperedRequest) => unknown]>([
    ["the body", (request) => Object.assign(request, { body: json })],
    ["the path", (request) => Object.assign(request, { path: "/other" })],
    ["the query", (request) => Object.assign(request, { query: { a: "b" } })],
    ["a signed header", (request) => Object.assign(request.headers, { "content-type": "application/x-amz-json-1.0" })],
    ["the region", (request) => changeAuthorization(request, `/${REGION}/`, "/us-east-1/")],
    ["the day", (request) => changeAuthorization(request, /\/\d{8}\//, "/20200101/")],
    ["the list of signed headers", (request) => changeAuthorization(request, "content-type;", "")],
    [
      "the body, with its hash,",
      (request) => {
        Object.assign(request, { body: json });
        Object.assign(request.headers, { "x-amz-content-sha256": createHash("sha256").update(json).digest("hex") });
      },
    ],
  ])("is invalid when %s is changed after signing", async (_, tamper) => {
    const { aws, target } = await startAccounts();
    const client = callSecretsManager(aws, await target());
    tamperWith(client, tamper);
    expect(await awsErrorOf(client.send(new GetSecretValueCommand({ SecretId: SECRET_NAME })))).toEqual({
      name: "InvalidSignatureException",
      status: 400,
      message: mismatch,
    });
  });

  test("for a region that AWS does not have is refused by both services", async () => {
    const { execution, assume, read } = await startAccounts({ regions: [REGION] });
    const message = "Credential should be scoped to a valid region. ";
    const elsewhere = { region: "eu-central-1" };
    expect(await awsErrorOf(assume(execution, {}, elsewhere))).toMatchObject({
      name: "SignatureDoesNotMatch",
      message,
    });
    expect(await awsErrorOf(read(execution, {}, elsewhere))).toMatchObject({
      name: "InvalidSignatureException",
      message,
    });
  });

  test("of a body that was not sent is refused, even if the client sends that body's hash", async () => {
    const { aws, target } = await startAccounts();
    const client = callSecretsManager(aws, await target());
    client.middlewareStack.add(
      (next) => (args) => {
        const { headers } = args.request as TamperedRequest;
        headers["x-amz-content-sha256"] = createHash("sha256").update(json).digest("hex");
        return next(args);
      },
      { step: "build" },
    );
    expect(await awsErrorOf(client.send(new GetSecretValueCommand({ SecretId: SECRET_NAME })))).toMatchObject({
      name: "InvalidSignatureException",
      message: mismatch,
    });
  });

  test("that leaves out the host is refused", async () => {
    const { aws, target } = await startAccounts();
    const client = callSecretsManager(aws, await target());
    tamperWith(client, (request) => changeAuthorization(request, "host;", ""));
    expect(await awsErrorOf(client.send(new GetSecretValueCommand({ SecretId: SECRET_NAME })))).toMatchObject({
      name: "InvalidSignatureException",
      message: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    });
  });

  // Message not verified.
  test("for another service is refused", async () => {
    const { aws, target } = await startAccounts();
    const client = callSecretsManager(aws, await target());
    tamperWith(client, (request) => changeAuthorization(request, "/secretsmanager/", "/sts/"));
    expect(await awsErrorOf(client.send(new GetSecretValueCommand({ SecretId: SECRET_NAME })))).toMatchObject({
      name: "InvalidSignatureException",
      message: expect.stringContaining("correct service: 'secretsmanager'"),
    });
  });

  test("is required", async () => {
    const { aws } = await startAccounts();
    const sts = await fetch(aws.url, { method: "POST", body: new URLSearchParams({ Action: "GetCallerIdentity" }) });
    expect([sts.status, sts.headers.get("content-type")]).toEqual([403, "text/xml"]);
    expect(await sts.text()).toContain("<Code>MissingAuthenticationToken</Code>");
    const headers = { "x-amz-target": "secretsmanager.GetSecretValue" };
    const secretsManager = await fetch(aws.url, { method: "POST", headers, body: "{}" });
    // Not verified for Secrets Manager.
    expect(await secretsManager.json()).toMatchObject({ __type: "MissingAuthenticationTokenException" });
  });
});

describe("a clock that is wrong", () => {
  test("by more than 5 minutes is refused by Secrets Manager, and by more than 15 by STS", async () => {
    let aheadMs = 0;
    const { execution, target, assume, read } = await startAccounts({ now: () => Date.now() + aheadMs });
    const credentials = await target();
    const outcomes = async () => [await nameOf(read(credentials)), await nameOf(assume(execution))];

    aheadMs = 4 * 60_000;
    expect(await outcomes()).toEqual(["ok", "ok"]);
    aheadMs = 6 * 60_000;
    expect(await outcomes()).toEqual(["InvalidSignatureException", "ok"]);
    aheadMs = -14 * 60_000;
    expect(await outcomes()).toEqual(["InvalidSignatureException", "ok"]);
    aheadMs = 16 * 60_000;
    expect(await outcomes()).toEqual(["InvalidSignatureException", "SignatureDoesNotMatch"]);
  });

  test("is refused in AWS's words", async () => {
    const now = () => Date.parse("2026-11-23T20:00:00Z") + offsetMs;
    let offsetMs = Date.now() - Date.parse("2026-11-23T20:00:00Z");
    const { execution, target, assume, read } = await startAccounts({ now });
    const credentials = await target();
    offsetMs += 20 * 60_000;
    const time = String.raw`\d{8}T\d{6}Z`;
    expect((await awsErrorOf(read(credentials))).message).toMatch(
      new RegExp(`^Signature expired: ${time} is now earlier than ${time} \\(${time} - 5 min\\.\\)$`),
    );
    offsetMs -= 40 * 60_000;
    expect((await awsErrorOf(assume(execution))).message).toMatch(
      new RegExp(`^Signature not yet current: ${time} is still later than ${time} \\(${time} \\+ 15 min\\.\\)$`),
    );
  });

  test("is corrected by the SDK with the date of the refusal", async () => {
    const { aws, read } = await startAccounts({ now: () => Date.now() + 3_600_000 });
    // No client has called AWS yet, so nothing has corrected the clock.
    aws.changeRole(EXECUTION_ROLE, { readableSecrets: "any" });
    aws.createSecret({ account: FUNCTION_ACCOUNT, region: REGION, name: "own", secretString: "x" });
    const session = aws.issueSession({ roleArn: EXECUTION_ROLE });
    expect((await read(session, { SecretId: "own" }, { maxAttempts: 2 })).SecretString).toBe("x");
    expect(aws.calls.map(({ outcome }) => outcome)).toEqual(["InvalidSignatureException", "ok"]);
  });
});

describe("a fault", () => {
  const everyOperation = ["AssumeRole", "GetSecretValue"] as const;

  test("slow delays the answer, which has the value from the time of the request", async () => {
    const { aws, target, read, secretArn } = await startAccounts();
    const credentials = await target();
    aws.fault("GetSecretValue", { kind: "slow", delayMs: 150 }, { times: 1 });
    const startedMs = performance.now();
    const late = read(credentials);
    await untilCalled(aws, "GetSecretValue");
    aws.putSecretValue(secretArn, { secretString: "second" });
    expect((await read(credentials)).SecretString).toBe("second");
    expect((await late).SecretString).toBe(CANARY);
    expect(performance.now() - startedMs).toBeGreaterThan(140);
  });

  test.each(everyOperation)("hang leaves %s without an answer", async (operation) => {
    const { aws, invoke } = await startAccounts();
    const call = await invoke(operation, { requestTimeoutMs: 250 });
    aws.fault(operation, { kind: "hang" });
    const unanswered = errorOf(call());
    await untilCalled(aws, operation);
    expect((await unanswered).name).toBe("TimeoutError");
    expect(aws.calls.at(-1)?.outcome).toBe("hang");
  });

  test.each(everyOperation)("reset breaks the connection of %s", async (operation) => {
    const { aws, invoke } = await startAccounts();
    const call = await invoke(operation);
    aws.fault(operation, { kind: "reset" });
    expect(await errorOf(call())).toMatchObject({ code: "ECONNRESET" });
    expect(aws.calls.at(-1)?.outcome).toBe("reset");
  });

  test.each(everyOperation)("reset-mid-body breaks the answer of %s", async (operation) => {
    const { aws, invoke } = await startAccounts();
    const call = await invoke(operation);
    aws.fault(operation, { kind: "reset-mid-body" });
    expect(await errorOf(call())).toMatchObject({ code: "ECONNRESET" });
    expect(aws.calls.at(-1)?.outcome).toBe("reset-mid-body");
  });

  test.each([
    ["AssumeRole", /XML parse error/],
    // V8's own message quotes ten characters of the secret.
    ["GetSecretValue", /Unexpected token .*CANARY-5.* is not valid JSON/],
  ] as const)("malformed spoils the body of %s", async (operation, message) => {
    const { aws, invoke } = await startAccounts();
    const call = await invoke(operation);
    aws.fault(operation, { kind: "malformed" });
    expect((await errorOf(call())).message).toMatch(message);
    expect(aws.calls.at(-1)?.outcome).toBe("malformed");
  });

  test("throttle is answered in the way of each service", async () => {
    const { aws, invoke } = await startAccounts();
    const [assume, read] = [await invoke("AssumeRole"), await invoke("GetSecretValue")];
    aws.fault("AssumeRole", { kind: "throttle" });
    aws.fault("GetSecretValue", { kind: "throttle" });
    expect(await awsErrorOf(assume())).toEqual({ name: "Throttling", status: 400, message: "Rate exceeded" });
    expect(await awsErrorOf(read())).toEqual({ name: "ThrottlingException", status: 400, message: "Rate exceeded" });
  });

  test("deny is answered as each service does, after the signature is verified", async () => {
    const { aws, execution, invoke, assume } = await startAccounts();
    const [call, read] = [await invoke("AssumeRole"), await invoke("GetSecretValue")];
    aws.fault("AssumeRole", { kind: "deny" });
    aws.fault("GetSecretValue", { kind: "deny" });
    expect(await awsErrorOf(call())).toMatchObject({ name: "AccessDenied", status: 403 });
    expect(await awsErrorOf(read())).toMatchObject({
      name: "AccessDeniedException",
      status: 400,
      message: expect.stringContaining(`on resource: ${SECRET_NAME} because no identity-based policy allows`),
    });
    expect((await awsErrorOf(assume({ ...execution, secretAccessKey: "wrong" }))).name).toBe("SignatureDoesNotMatch");
  });

  test.each([
    ["AssumeRole", 500, "InternalFailure"],
    ["AssumeRole", 503, "ServiceUnavailable"],
    ["AssumeRole", 400, "PackedPolicyTooLarge"],
    ["AssumeRole", 403, "RegionDisabledException"],
    ["GetSecretValue", 500, "InternalServiceError"],
    ["GetSecretValue", 503, "ServiceUnavailable"],
    ["GetSecretValue", 400, "DecryptionFailure"],
  ] as const)("error makes %s answer %i %s", async (operation, status, code) => {
    const { aws, invoke } = await startAccounts();
    const call = await invoke(operation);
    aws.fault(operation, { kind: "error", status, code, message: "because <we> say so &amp; &lt;more" });
    // The SDK names this error after its class.
    const name = code === "PackedPolicyTooLarge" ? "PackedPolicyTooLargeException" : code;
    expect(await awsErrorOf(call())).toEqual({ name, status, message: "because <we> say so &amp; &lt;more" });
    expect(aws.calls.at(-1)?.outcome).toBe(code);
  });

  test("ends after its number of times or when healed, and then the next fault applies", async () => {
    const { aws, invoke } = await startAccounts();
    const call = await invoke("GetSecretValue");
    aws.fault("GetSecretValue", { kind: "error", status: 500, code: "InternalServiceError" }, { times: 2 });
    aws.fault("GetSecretValue", { kind: "throttle" });
    const outcomes = [await nameOf(call()), await nameOf(call()), await nameOf(call())];
    expect(outcomes).toEqual(["InternalServiceError", "InternalServiceError", "ThrottlingException"]);
    aws.heal("AssumeRole");
    expect(await nameOf(call())).toBe("ThrottlingException");
    aws.heal();
    expect(await nameOf(call())).toBe("ok");
  });

  test("can be limited to one region or one secret", async () => {
    const { aws, target, read, secretArn } = await startAccounts();
    const credentials = await target();
    aws.fault("GetSecretValue", { kind: "throttle" }, { region: "us-east-1" });
    aws.fault("GetSecretValue", { kind: "deny" }, { secretId: secretArn });
    expect(await nameOf(read(credentials))).toBe("ok");
    expect(await nameOf(read(credentials, { SecretId: secretArn }))).toBe("AccessDeniedException");
    expect(await nameOf(read(credentials, {}, { region: "us-east-1" }))).toBe("ThrottlingException");
  });

  test("that hangs does not keep the fake from closing", async () => {
    const { aws, invoke } = await startAccounts();
    const call = await invoke("GetSecretValue");
    aws.fault("GetSecretValue", { kind: "hang" });
    const hanging = errorOf(call());
    await untilCalled(aws, "GetSecretValue");
    await aws.close();
    expect(await hanging).toMatchObject({ code: "ECONNRESET" });
  });
});

describe("the journal", () => {
  const POLICY = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}';

  test("records each call with its caller and its outcome", async () => {
    const nowMs = Date.now();
    const { aws, execution, assume, read } = await startAccounts({ now: () => nowMs });
    const { Credentials } = await assume(execution, {
      RoleSessionName: "my-function-x1",
      ExternalId: "ticket-4711",
      DurationSeconds: 900,
      Policy: POLICY,
      SourceIdentity: "team-a",
      Tags: [{ Key: "team", Value: "payments & co" }],
    });
    await awsErrorOf(read(toCredentials(Credentials), { SecretId: "app/missing", VersionStage: "AWSPREVIOUS" }));
    await awsErrorOf(read({ ...execution, accessKeyId: "ASIAQQQQQQQQQQQQQQQQ" }));

    const common = { atMs: nowMs, region: REGION, userAgent: expect.stringContaining("aws-sdk-js/3") };
    expect(aws.calls).toEqual([
      {
        ...common,
        operation: "AssumeRole",
        caller: `arn:aws:sts::${FUNCTION_ACCOUNT}:assumed-role/my-function/function`,
        roleArn: TARGET_ROLE_WITH_PATH_ARN,
        roleSessionName: "my-function-x1",
        externalId: "ticket-4711",
        durationSeconds: 900,
        policy: POLICY,
        sourceIdentity: "team-a",
        tags: { team: "payments & co" },
        outcome: "ok",
      },
      {
        ...common,
        operation: "GetSecretValue",
        caller: `arn:aws:sts::${TARGET_ACCOUNT}:assumed-role/SecretReader/my-function-x1`,
        secretId: "app/missing",
        versionStage: "AWSPREVIOUS",
        outcome: "AccessDeniedException",
      },
      { ...common, operation: "GetSecretValue", secretId: SECRET_NAME, outcome: "UnrecognizedClientException" },
    ]);
    expect(aws.count("GetSecretValue")).toBe(2);
  });

  test("holds no secret, no key and no token", async () => {
    const { aws, execution, target, read } = await startAccounts();
    const credentials = await target();
    await read(credentials);
    const journal = JSON.stringify(aws.calls);
    for (const { accessKeyId, secretAccessKey, sessionToken } of [execution, credentials]) {
      for (const part of [accessKeyId, secretAccessKey, sessionToken]) expect(journal).not.toContain(part.slice(0, 8));
    }
    expect(journal).not.toContain(CANARY.slice(0, 8));
  });

  test("records calls that the fake does not know, which it refuses", async () => {
    const { aws, execution } = await startAccounts();
    const { DescribeSecretCommand } = await import("@aws-sdk/client-secrets-manager");
    const { GetSessionTokenCommand } = await import("@aws-sdk/client-sts");
    const describeSecret = callSecretsManager(aws, execution).send(new DescribeSecretCommand({ SecretId: "x" }));
    expect((await awsErrorOf(describeSecret)).name).toBe("UnknownOperationException");
    const getSessionToken = callSts(aws, execution).send(new GetSessionTokenCommand());
    expect((await awsErrorOf(getSessionToken)).name).toBe("InvalidAction");
    expect(aws.calls.map(({ operation }) => operation)).toEqual(["DescribeSecret", "GetSessionToken"]);
  });
});

test("the fake throws if a test names a role, secret or parameter that was not created", async () => {
  const { aws } = await startAccounts();
  expect(() => aws.issueSession({ roleArn: "arn:aws:iam::1:role/x" })).toThrow("there is no role");
  expect(() => aws.changeRole("arn:aws:iam::1:role/x", {})).toThrow("there is no role");
  expect(() => aws.createRole({ arn: "x" })).toThrow("is no ARN of a role");
  expect(() => aws.createRole({ arn: TARGET_ROLE_WITH_PATH_ARN })).toThrow("already");
  expect(() => aws.putSecretValue("x", { secretString: "x" })).toThrow("there is no secret");
  expect(() => aws.putParameter("x", "x")).toThrow("there is no parameter");
});

// ---------------------------------------------------------------------------------------------------------------------------

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface SdkClientOptions {
  readonly region?: string;
  readonly maxAttempts?: number;
  readonly requestTimeoutMs?: number;
}
type Credentials = Omit<SessionCredentials, "sessionToken"> & { readonly sessionToken?: string };

/** Creates a role in each of two accounts and a secret, and returns functions that make the calls of a function. */
async function startAccounts(options: FakeAwsOptions = {}) {
  const aws = await startFakeAws(options);
  onTestFinished(() => aws.close());
  aws.createRole({ arn: EXECUTION_ROLE });
  aws.createRole({ arn: TARGET_ROLE_WITH_PATH_ARN, trusts: [EXECUTION_ROLE], readableSecrets: [SECRET_NAME] });
  const secret = { ...IN_TARGET_ACCOUNT, name: SECRET_NAME, secretString: CANARY };
  const { arn: secretArn, versionId } = aws.createSecret(secret);
  const execution = aws.issueSession({ roleArn: EXECUTION_ROLE });

  const assume = (
    credentials: Credentials,
    input: Partial<AssumeRoleCommandInput> = {},
    client: SdkClientOptions = {},
  ) =>
    callSts(aws, credentials, client).send(
      new AssumeRoleCommand({ RoleArn: TARGET_ROLE_WITH_PATH_ARN, RoleSessionName: "test", ...input }),
    );
  const read = (
    credentials: Credentials,
    input: { SecretId?: string; VersionId?: string; VersionStage?: string } = {},
    client: SdkClientOptions = {},
  ) =>
    callSecretsManager(aws, credentials, client).send(new GetSecretValueCommand({ SecretId: SECRET_NAME, ...input }));
  const target = async () => toCredentials((await assume(execution)).Credentials);
  /** Returns a function that makes a correct call, which fails only by an injected fault. */
  const invoke = async (operation: "AssumeRole" | "GetSecretValue", client: SdkClientOptions = {}) => {
    if (operation === "AssumeRole") return () => assume(execution, {}, client);
    const credentials = await target();
    return () => read(credentials, {}, client);
  };
  return { aws, execution, target, assume, read, invoke, secretArn, versionId };
}

function callSts(aws: FakeAws, credentials: Credentials, options: SdkClientOptions = {}): STSClient {
  const client = new STSClient(toClientConfig(aws, credentials, options));
  onTestFinished(() => client.destroy());
  return client;
}

function callSecretsManager(
  aws: FakeAws,
  credentials: Credentials,
  options: SdkClientOptions = {},
): SecretsManagerClient {
  const client = new SecretsManagerClient(toClientConfig(aws, credentials, options));
  onTestFinished(() => client.destroy());
  return client;
}

function callSsm(aws: FakeAws, credentials: Credentials, options: SdkClientOptions = {}): SSMClient {
  const client = new SSMClient(toClientConfig(aws, credentials, options));
  onTestFinished(() => client.destroy());
  return client;
}

function toClientConfig(aws: FakeAws, credentials: Credentials, options: SdkClientOptions) {
  const { region = REGION, maxAttempts = 1, requestTimeoutMs = 5_000 } = options;
  const requestHandler = { requestTimeout: requestTimeoutMs, throwOnRequestTimeout: true };
  return { endpoint: aws.url, region, credentials, maxAttempts, requestHandler };
}

function toCredentials(answer: AssumeRoleCommandOutput["Credentials"]): SessionCredentials {
  const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = answer ?? {};
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}

async function errorOf(call: Promise<unknown>): Promise<Error> {
  const outcome = await call.then(
    () => new Error("the call succeeded"),
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error("the thrown value is not an error");
}

/** Returns AWS's error as the SDK parses it, and asserts that it has a request ID. */
async function awsErrorOf(call: Promise<unknown>): Promise<{ name: string; status: unknown; message: string }> {
  const error = await errorOf(call);
  const { httpStatusCode, requestId } = (error as { $metadata?: Record<string, unknown> }).$metadata ?? {};
  expect(requestId, String(error)).toMatch(UUID);
  return { name: error.name, status: httpStatusCode, message: error.message };
}

async function nameOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: Error) => error.name,
  );
}

async function untilCalled(aws: FakeAws, operation: "AssumeRole" | "GetSecretValue"): Promise<void> {
  await expect.poll(() => aws.count(operation), { interval: 2 }).toBeGreaterThan(0);
}

function secondsUntil(date: Date | undefined): number {
  return ((date?.getTime() ?? Number.NaN) - Date.now()) / 1000;
}

/** A signed request. */
interface TamperedRequest {
  headers: Record<string, string>;
}

function tamperWith(client: SecretsManagerClient, tamper: (request: TamperedRequest) => unknown): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as TamperedRequest & { body: Uint8Array };
      tamper(request);
      request.headers["content-length"] = String(request.body.byteLength);
      return next(args);
    },
    // The last step before the request is sent.
    { step: "finalizeRequest", priority: "low" },
  );
}

function changeAuthorization(request: TamperedRequest, from: string | RegExp, to: string): void {
  request.headers.authorization = (request.headers.authorization ?? "").replace(from, to);
}
