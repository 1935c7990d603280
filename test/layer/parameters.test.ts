import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import type { Fault } from "../fakes/aws.ts";
import { type Bench, type BenchOptions, type LocalAnswer, startBench } from "../support/bench.ts";
import { copyLayer } from "../support/temp-files.ts";
import {
  FUNCTION_ROLE_ARN,
  IN_TARGET_ACCOUNT,
  REGION,
  SECRET_NAME,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toConfigVariables,
} from "../support/two-accounts.ts";

const toArn = (name: string) => `arn:aws:ssm:${REGION}:${TARGET_ACCOUNT}:parameter${name}`;
const [HOST, LIST, PASSWORD, FORBIDDEN] = ["/app/db/host", "/app/db/replicas", "/app/db/password", "/app/db/root"];
const REFERENCE = `/aws/reference/secretsmanager/${SECRET_NAME}`;
const KEY = `arn:aws:kms:${REGION}:${TARGET_ACCOUNT}:key/parameters`;
const GET = "/systemsmanager/parameters/get";

/** Adds parameters of every type and a binary secret to Account A. The role may read all of them except one. */
function addParameters({ aws, canaries }: TwoAccounts): void {
  const [value = "", other = ""] = canaries;
  aws.createParameter({ ...IN_TARGET_ACCOUNT, name: HOST, value });
  aws.createParameter({ ...IN_TARGET_ACCOUNT, name: "plain", value });
  aws.createParameter({ ...IN_TARGET_ACCOUNT, name: FORBIDDEN, value });
  aws.createParameter({ ...IN_TARGET_ACCOUNT, name: LIST, type: "StringList", value: `${value},${other}` });
  const { arn } = aws.createParameter({
    ...IN_TARGET_ACCOUNT,
    name: PASSWORD,
    type: "SecureString",
    value: other,
    kmsKey: KEY,
  });
  aws.labelParameter(arn, 1, "Dev");
  aws.putParameter(arn, value);
  aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/key", secretBinary: Buffer.from(other) });
  aws.changeRole(TARGET_ROLE_ARN, {
    trusts: [FUNCTION_ROLE_ARN],
    readableSecrets: [SECRET_NAME, "app/key"],
    readableParameters: [HOST, "plain", LIST, PASSWORD, "/gone", REFERENCE, "/aws/reference/secretsmanager/app/key"],
  });
}

/** Starts a layer that allows every secret and parameter, unless the environment says otherwise, and runs init. */
async function start(environment: BenchOptions["environment"] = {}, options: BenchOptions = {}): Promise<Bench> {
  const bench = await startBench({
    prepare: addParameters,
    ...options,
    environment: { CROSS_ACCOUNT_SECRETS_ALLOW: "any", ...environment },
  });
  await bench.lambda.init();
  return bench;
}

const cacheStatusOf = ({ headers }: LocalAnswer) => String(headers["cache-status"]);
const typeOf = ({ status, body }: LocalAnswer) => [status, JSON.parse(body).__type];

/** Asserts that the body equals that of AWS's own extension, byte for byte except for the time. */
function expectBody(answer: LocalAnswer, parameter: Readonly<Record<string, unknown>>): void {
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toBe("application/json");
  const { LastModifiedDate } = JSON.parse(answer.body).Parameter;
  expect(LastModifiedDate).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const all = { DataType: "text", Selector: null, SourceResult: null, Version: 1, ...parameter, LastModifiedDate };
  const keys = "ARN DataType LastModifiedDate Name Selector SourceResult Type Value Version".split(" ");
  const Parameter = Object.fromEntries(keys.map((key) => [key, all[key as keyof typeof all]]));
  expect(answer.body).toBe(JSON.stringify({ Parameter, ResultMetadata: {} }));
}

describe("GET /systemsmanager/parameters/get", () => {
  it("answers with a String and a StringList, by name or ARN, with slashes encoded or not", async () => {
    const { ask, canaries } = await start();
    const host = { ARN: toArn(HOST), Name: HOST, Type: "String", Value: canaries[0] };
    const spellings = [HOST, encodeURIComponent(HOST), toArn(HOST), encodeURIComponent(toArn(HOST))];
    for (const name of spellings) expectBody(await ask(`${GET}?name=${name}`), host);
    expectBody(await ask(`${GET}/?name=${HOST}`), host);
    const Value = canaries.join();
    expectBody(await ask(`${GET}?name=${LIST}`), { ARN: toArn(LIST), Name: LIST, Type: "StringList", Value });
    const plain = { ...host, ARN: toArn("/plain"), Name: "plain" };
    for (const name of ["plain", toArn("/plain")]) expectBody(await ask(`${GET}?name=${name}`), plain);
  });

  it("answers with a SecureString's ciphertext, or with its value if decryption is requested", async () => {
    const { ask, canaries } = await start();
    const secure = { ARN: toArn(PASSWORD), Name: PASSWORD, Type: "SecureString", Version: 2 };
    const encrypted = await ask(`${GET}?name=${PASSWORD}`);
    const Value = expect.stringMatching(/^AQICAH/);
    expect(JSON.parse(encrypted.body).Parameter).toMatchObject({ ...secure, Value });
    expect((await ask(`${GET}?name=${PASSWORD}&withDecryption=false`)).body).toBe(encrypted.body);
    const decrypted = await ask(`${GET}?name=${PASSWORD}&withDecryption=true`);
    expectBody(decrypted, { ...secure, Value: canaries[0] });
  });

  it.each([
    ["version=1", ":1", 1],
    ["version=2", ":2", 2],
    ["label=Dev", ":Dev", 1],
    ["version=2&label=Dev", ":2", 2],
    ["label=Dev&version=2", ":Dev", 1],
  ])("selects the version by ?%s, and by the first selector if there are two", async (selection, Selector, Version) => {
    const { ask, canaries } = await start();
    const secure = { ARN: toArn(PASSWORD), Name: PASSWORD, Type: "SecureString" };
    const answer = await ask(`${GET}?name=${PASSWORD}&${selection}&withDecryption=true`);
    expectBody(answer, { ...secure, Selector, Version, Value: canaries[Version === 1 ? 1 : 0] });
    const byArn = await ask(`${GET}?${selection}&name=${toArn(PASSWORD)}&withDecryption=true`);
    expect(byArn.body).toBe(answer.body);
  });

  it("answers with a secret by reference, text or binary, as AWS's extension does", async () => {
    const { ask, secretArn, canaries } = await start();
    const answer = await ask(`${GET}?name=${encodeURIComponent(REFERENCE)}&withDecryption=true`);
    const { SourceResult } = JSON.parse(answer.body).Parameter;
    const secret = { DataType: null, Type: "SecureString", Version: 0 };
    const Value = JSON.stringify({ username: canaries[0], password: canaries[1] });
    expectBody(answer, { ...secret, ARN: secretArn, Name: REFERENCE, SourceResult, Value });
    expect(JSON.parse(SourceResult)).toMatchObject({ ARN: secretArn, name: SECRET_NAME, secretString: Value });

    const Name = "/aws/reference/secretsmanager/app/key";
    const binary = await ask(`${GET}?name=${Name}&label=AWSCURRENT&withDecryption=true`);
    const { ARN, SourceResult: bytes } = JSON.parse(binary.body).Parameter;
    expectBody(binary, { ...secret, ARN, Name, Selector: ":AWSCURRENT", SourceResult: bytes, Value: null });
    expect(Buffer.from(JSON.parse(bytes).secretBinary.hb).toString()).toBe(canaries[1]);
    expect(typeOf(await ask(`${GET}?name=${REFERENCE}`))).toEqual([400, "InvalidParameterException"]);
  });

  it.each([
    ["a parameter that does not exist", "name=/gone", 404, "ResourceNotFoundException", /found no such parameter/],
    [
      "a version that does not exist",
      `name=${PASSWORD}&version=7`,
      404,
      "ResourceNotFoundException",
      /version or label/,
    ],
    [
      "a label that does not exist",
      `name=${PASSWORD}&label=Prod`,
      404,
      "ResourceNotFoundException",
      /version or label/,
    ],
    ["a parameter that is denied", `name=${FORBIDDEN}`, 403, "AccessDeniedException", /GetParameter of .* was refused/],
    ["a missing name", "name=", 400, "ValidationException", /name is missing/],
    ["a repeated name", `name=${HOST}&name=x`, 400, "ValidationException", /"name" is given more than once/],
    ["an invalid version", `name=${HOST}&version=a%20b`, 400, "ValidationException", /version or label/],
    [
      "an invalid value of withDecryption",
      `name=${HOST}&withDecryption=yes`,
      400,
      "ValidationException",
      /true, false/,
    ],
  ])("says in the failure what is wrong: %s", async (_, query, status, type, message) => {
    const { ask } = await start();
    const answer = await ask(`${GET}?${query}`);
    expect(typeOf(answer)).toEqual([status, type]);
    expect(JSON.parse(answer.body).message).toMatch(message);
  });

  it("says whether the permission for the parameter or for its key is missing", async () => {
    const { ask, aws } = await start();
    const denied = JSON.parse((await ask(`${GET}?name=${FORBIDDEN}`)).body);
    expect(denied.remedy).toContain(`${TARGET_ROLE_ARN} must be allowed ssm:GetParameter`);
    aws.changeRole(TARGET_ROLE_ARN, { usableKeys: [] });
    const ofKey = await ask(`${GET}?name=${PASSWORD}&withDecryption=true`);
    expect(typeOf(ofKey)).toEqual([403, "AccessDeniedException"]);
    expect(JSON.parse(ofKey.body)).toMatchObject({
      message: expect.stringMatching(/KMS key may not be used$/),
      remedy: expect.stringContaining("kms:Decrypt"),
    });
    expect((await ask(`${GET}?name=${PASSWORD}`)).status).toBe(200);
    const pending = { status: 400, code: "InvalidKeyId", message: `${KEY} is pending deletion.` };
    aws.fault("GetParameter", { kind: "error", ...pending }, { times: 1 });
    const gone = await ask(`${GET}?name=${PASSWORD}&version=1&withDecryption=true`);
    expect(JSON.parse(gone.body)).toMatchObject({ cause: "kms-key-unusable" });
  });

  it("requires the token", async () => {
    const { ask } = await start();
    const headers = { "X-Aws-Parameters-Secrets-Token": "" };
    expect(typeOf(await ask(`${GET}?name=${HOST}`, { headers }))).toEqual([403, "BadToken"]);
  });
});

describe("a cached parameter", () => {
  it("is one entry and one call for its name and its ARN, but each version and form is another entry", async () => {
    const { ask, aws } = await start();
    const statuses: string[] = [];
    const once = [HOST, toArn(HOST), encodeURIComponent(HOST)].map((name) => `name=${name}`);
    const queries = [
      ...once,
      `name=${HOST}&version=1`,
      `name=${HOST}&withDecryption=true`,
      `version=1&name=${toArn(HOST)}`,
    ];
    for (const query of queries) statuses.push(cacheStatusOf(await ask(`${GET}?${query}`)).replace(/ttl=\d+/, "ttl"));
    const [miss, hit] = ["cross-account-secrets; fwd=miss", "cross-account-secrets; hit; ttl"];
    expect(statuses).toEqual([miss, hit, hit, miss, miss, hit]);
    expect(aws.count("GetParameter")).toBe(3);
  });

  it("costs one call for a hundred requests at once", async () => {
    const { ask, aws } = await start();
    aws.fault("GetParameter", { kind: "slow", delayMs: 200 });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, nth) => ask(`${GET}?name=${nth % 2 ? HOST : toArn(HOST)}`)),
    );
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect([aws.count("AssumeRole"), aws.count("GetParameter")]).toEqual([1, 1]);
  });

  it.each<[string, Fault, number]>([
    ["fails", { kind: "error", status: 500, code: "InternalServerError" }, 502],
    ["throttles", { kind: "throttle" }, 429],
    ["does not answer", { kind: "hang" }, 504],
  ])("is served stale when Parameter Store %s", async (_, fault, status) => {
    const { ask, aws } = await start({ SSM_PARAMETER_STORE_TTL: "1", SSM_PARAMETER_STORE_TIMEOUT_MILLIS: "600" });
    const { body } = await ask(`${GET}?name=${HOST}`);
    aws.fault("GetParameter", fault);
    await delay(1_050);
    const stale = await ask(`${GET}?name=${HOST}`);
    expect([stale.status, stale.body]).toEqual([200, body]);
    expect(cacheStatusOf(stale)).toBe(`cross-account-secrets; fwd=stale; fwd-status=${status}`);
  });

  it("is no longer served after a denial or a deletion", async () => {
    const { ask, aws } = await start({ SSM_PARAMETER_STORE_TTL: "1" });
    for (const name of [HOST, LIST]) await ask(`${GET}?name=${name}`);
    aws.changeRole(TARGET_ROLE_ARN, { readableParameters: [LIST] });
    aws.deleteParameter(toArn(LIST));
    await delay(1_050);
    expect(typeOf(await ask(`${GET}?name=${HOST}`))).toEqual([403, "AccessDeniedException"]);
    expect(typeOf(await ask(`${GET}?name=${LIST}`))).toEqual([404, "ResourceNotFoundException"]);
  });

  it("has its own TTL, from our variable or else from AWS's", async () => {
    const ages = async (environment: Record<string, string>) => {
      const { ask, askForSecret } = await start({ CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "70", ...environment });
      await ask(`${GET}?name=${HOST}`);
      const answers = [await ask(`${GET}?name=${HOST}`), await askForSecret()];
      return answers.map((answer) => Number(/ttl=(\d+)/.exec(cacheStatusOf(answer))?.[1]));
    };
    const between = (least: number, most: number) => expect.toSatisfy((ttl: number) => ttl >= least && ttl <= most);
    expect(await ages({})).toEqual([between(280, 300), between(50, 70)]);
    expect(await ages({ SSM_PARAMETER_STORE_TTL: "200" })).toEqual([between(180, 200), between(50, 70)]);
    const both = { SSM_PARAMETER_STORE_TTL: "200", CROSS_ACCOUNT_SECRETS_PARAMETER_TTL_SECONDS: "100" };
    expect(await ages(both)).toEqual([between(80, 100), between(50, 70)]);
  });

  it("is fetched again by refreshNow", async () => {
    const { ask, aws, canaries } = await start();
    await ask(`${GET}?name=${HOST}`);
    aws.putParameter(toArn(HOST), canaries[1] ?? "");
    expect(JSON.parse((await ask(`${GET}?name=${HOST}`)).body).Parameter.Version).toBe(1);
    const fresh = await ask(`${GET}?name=${HOST}&refreshNow=true`);
    expect(JSON.parse(fresh.body).Parameter).toMatchObject({ Version: 2, Value: canaries[1] });
    expect(fresh.headers.etag).toBe('"2"');
  });
});

describe("PARAMETER_NAMES", () => {
  const configured = (names: string, environment: BenchOptions["environment"] = {}) =>
    start({
      CROSS_ACCOUNT_SECRETS_ALLOW: undefined,
      CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: names,
      ...environment,
    });

  it("are fetched in init, decrypted, with the session of the secrets", async () => {
    const { ask, aws } = await configured(`${PASSWORD}, ${toArn(LIST)}`);
    expect([aws.count("AssumeRole"), aws.count("GetSecretValue"), aws.count("GetParameter")]).toEqual([1, 1, 2]);
    for (const name of [PASSWORD, toArn(PASSWORD), LIST]) {
      expect(cacheStatusOf(await ask(`${GET}?name=${name}&withDecryption=true`))).toMatch(/; hit; ttl=/);
    }
    expect(aws.count("GetParameter")).toBe(2);
  });

  it("are the only parameters that may be requested, in any spelling and version", async () => {
    const { ask, aws } = await configured(`${PASSWORD}, ${toArn(LIST)}`);
    for (const query of [`name=${toArn(PASSWORD)}`, `name=${LIST}`, `name=${PASSWORD}&label=Dev&withDecryption=true`]) {
      expect((await ask(`${GET}?${query}`)).status).toBe(200);
    }
    const calls = aws.calls.length;
    for (const name of [HOST, toArn(HOST), `${PASSWORD}x`, PASSWORD.slice(1), "plain"]) {
      const refused = await ask(`${GET}?name=${name}`);
      expect(typeOf(refused)).toEqual([403, "AccessDeniedException"]);
      expect(JSON.parse(refused.body).remedy).toContain("CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES");
    }
    expect(aws.calls.length).toBe(calls);
  });

  it("without SECRET_IDS forbid all secrets, and SECRET_NAME is not fetched", async () => {
    const { ask, aws, askForSecret } = await configured(HOST, { CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined });
    expect((await ask(`${GET}?name=${HOST}`)).status).toBe(200);
    expect(typeOf(await askForSecret())).toEqual([403, "AccessDeniedException"]);
    expect(aws.count("GetSecretValue")).toBe(0);
  });

  it("fail the init if one cannot be fetched and INIT_ERROR is fail", async () => {
    const bench = await startBench({
      prepare: addParameters,
      environment: { CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: "/gone", CROSS_ACCOUNT_SECRETS_INIT_ERROR: "fail" },
    });
    await expect(bench.lambda.init()).rejects.toMatchObject({ reported: { errorType: "Extension.PrefetchFailed" } });
  });

  it("can be set for a source in CONFIG", async () => {
    const source = { roleArn: TARGET_ROLE_ARN, parameterNames: [HOST] };
    const { ask } = await start({
      CROSS_ACCOUNT_SECRETS_ALLOW: undefined,
      ...toConfigVariables([source]),
    });
    expect((await ask(`${GET}?name=${HOST}`)).status).toBe(200);
    expect((await ask(`${GET}?name=${LIST}`)).status).toBe(403);
  });
});

describe("a function that reads only secrets", () => {
  it("never loads the part of the AWS SDK for parameters", async () => {
    const opt = copyLayer();
    const file = join(opt, "cross-account-secrets/aws-ssm.cjs");
    writeFileSync(file, `console.log("the SDK for parameters is loaded");${readFileSync(file, "utf8")}`);
    const { ask, askForSecret, lambda } = await start({}, { opt });
    const isLoaded = () => lambda.logs.some(({ line }) => line === "the SDK for parameters is loaded");
    await askForSecret();
    await ask(`/secrets/${SECRET_NAME}?refreshNow=true`);
    expect(isLoaded()).toBe(false);
    await ask(`${GET}?name=${HOST}`);
    await lambda.waitForLog(({ line }) => line === "the SDK for parameters is loaded");
  });

  it("carries less than a megabyte for parameters", () => {
    const { size } = statSync(join(toOpt("nodejs"), "cross-account-secrets/aws-ssm.cjs"));
    expect(size).toBeLessThan(1_000_000);
  });
});
