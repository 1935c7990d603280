import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { isSignedWith, parseAuthorization } from "../fakes/aws/signature.ts";
import type { FakeAwsOptions } from "../fakes/aws.ts";
import { startAwsNames, toSecretsManagerName } from "../support/aws-names.ts";
import { findLeaks } from "../support/canary.ts";
import { type CliResult, runCli } from "../support/cli.ts";
import { findFreePort } from "../support/free-port.ts";
import { startLocalServer } from "../support/local-server.ts";
import { createTempFolder } from "../support/temp-files.ts";
import {
  createCanary,
  FUNCTION_ROLE_ARN,
  IN_TARGET_ACCOUNT,
  REGION,
  SECRET_NAME,
  startTwoAccounts,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toConfigVariables,
  toFunctionEnvironment,
} from "../support/two-accounts.ts";

type DoctorVariables = Readonly<Record<string, string | undefined>>;

interface DoctorSetUp extends TwoAccounts {
  /** Runs doctor, and asserts that it prints no secret and no credentials. */
  ask(args?: readonly string[], environment?: DoctorVariables): Promise<CliResult>;
  /** Runs doctor with --json. */
  examine(
    args?: readonly string[],
    environment?: DoctorVariables,
  ): Promise<CliResult & { readonly report: DoctorReport }>;
}

interface DoctorReport {
  readonly ok: boolean;
  readonly exitCode: number;
  readonly steps: readonly {
    readonly name: string;
    readonly of?: string;
    readonly ok: boolean | null;
    readonly ms?: number;
    readonly account?: string;
    readonly arn?: string;
    readonly keys?: readonly string[];
    readonly form?: string;
    readonly cause?: string;
    readonly message?: string;
    readonly remedy?: string;
    readonly statements?: readonly { readonly policy: string; readonly of: string; readonly statement: object }[];
    readonly requestId?: string;
    readonly notes?: readonly string[];
  }[];
}

async function setUpDoctor(options: FakeAwsOptions = {}): Promise<DoctorSetUp> {
  const accounts = await startTwoAccounts(options);
  onTestFinished(() => accounts.close());
  const { aws, canaries, environment: own } = accounts;
  const ask: DoctorSetUp["ask"] = async (args = [], environment = {}) => {
    // IAM is the fake AWS, which does not know it, unless a test starts one.
    const result = await runCli(["doctor", ...args], { ...own, AWS_ENDPOINT_URL_IAM: aws.url, ...environment });
    const keys = aws.listCredentials().flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]);
    const { stdout, stderr } = result;
    expect(findLeaks(new Map(Object.entries({ stdout, stderr })), [...canaries, ...keys])).toEqual([]);
    return result;
  };
  return {
    ...accounts,
    ask,
    async examine(args = [], environment) {
      const result = await ask([...args, "--json"], environment);
      return { ...result, report: JSON.parse(result.stdout) };
    },
  };
}

const NO_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
};

const brief = ({ steps }: DoctorReport) => steps.map(({ name, ok, cause = "" }) => `${name} ${ok} ${cause}`.trim());
const TARGET_SESSION =
  /^arn:aws:sts::111111111111:assumed-role\/SecretReader\/cross-account-secrets-doctor-[0-9a-f]{8}$/;

describe("doctor, when all is well,", () => {
  it("prints each step with its time, the names of the secret's fields, and what it cannot check", async () => {
    const { ask } = await setUpDoctor();
    const { exitCode, stdout, stderr } = await ask();
    const lines = stdout.split("\n");
    expect(lines.slice(0, 5)).toEqual([
      expect.stringMatching(
        /^✓ {2}who am I +\d+ ms {2}arn:aws:sts::222222222222:assumed-role\/my-lambda-role\/my-function$/,
      ),
      expect.stringMatching(/^✓ {2}AssumeRole +\d+ ms {2}arn:aws:iam::111111111111:role\/SecretReader$/),
      expect.stringMatching(/^✓ {2}who am I now +\d+ ms {2}arn:aws:sts::111111111111:assumed-role\/SecretReader\/\S+$/),
      expect.stringMatching(/^✓ {2}GetSecretValue +\d+ ms {2}my-shared-secret: password, username$/),
      "",
    ]);
    expect(lines[5]).toMatch(/^Every step succeeded\. You called AWS as/);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });

  it("prints the same as JSON", async () => {
    const { aws, examine, secretArn } = await setUpDoctor();
    const { exitCode, report } = await examine();
    expect(exitCode).toBe(0);
    expect(report).toMatchObject({ ok: true, exitCode: 0, region: REGION });
    expect(report.steps.map(({ ms, ...step }) => ({ ...step, ms: typeof ms }))).toEqual([
      {
        name: "GetCallerIdentity",
        ok: true,
        ms: "number",
        account: "222222222222",
        arn: "arn:aws:sts::222222222222:assumed-role/my-lambda-role/my-function",
      },
      { name: "AssumeRole", of: TARGET_ROLE_ARN, ok: true, ms: "number", arn: TARGET_ROLE_ARN },
      {
        name: "GetCallerIdentity",
        as: TARGET_ROLE_ARN,
        ok: true,
        ms: "number",
        account: "111111111111",
        arn: expect.stringMatching(TARGET_SESSION),
      },
      {
        name: "GetSecretValue",
        as: TARGET_ROLE_ARN,
        of: SECRET_NAME,
        ok: true,
        ms: "number",
        arn: secretArn,
        keys: ["password", "username"],
      },
    ]);
    expect(aws.calls.map(({ operation }) => operation)).toEqual(report.steps.map(({ name }) => name));
  });

  it("takes everything from options, and checks each secret and parameter", async () => {
    const { aws, canaries, examine } = await setUpDoctor();
    const [text = ""] = canaries;
    aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: "any", readableParameters: "any", externalId: "our-id" });
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/token", secretString: text });
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/key", secretBinary: Buffer.from(text) });
    aws.createParameter({ ...IN_TARGET_ACCOUNT, name: "/app/host", type: "SecureString", value: text });
    const args = ["--role-arn", TARGET_ROLE_ARN, "--secret", "app/token", "--secret", "app/key", "--parameter"];
    const { report } = await examine([...args, "/app/host", "--external-id", "our-id", "--region", REGION], {
      CROSS_ACCOUNT_SECRETS_ROLE_ARN: undefined,
      CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined,
      SECRET_NAME: undefined,
      AWS_REGION: undefined,
      AWS_DEFAULT_REGION: undefined,
    });
    expect(report.steps.slice(3).map(({ of, ok, form }) => ({ of, ok, form }))).toEqual([
      { of: "app/token", ok: true, form: `a text of ${text.length} characters` },
      { of: "app/key", ok: true, form: `binary, ${text.length} bytes` },
      { of: "/app/host", ok: true, form: `a text of ${text.length} characters` },
    ]);
  });

  it("needs only the common guide's variables and the AWS CLI's region", async () => {
    const { examine, secretArn } = await setUpDoctor();
    const { report } = await examine([], {
      CROSS_ACCOUNT_SECRETS_ROLE_ARN: undefined,
      CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined,
      AWS_REGION: undefined,
      ROLE_ARN: TARGET_ROLE_ARN,
    });
    expect(report.steps[3]).toMatchObject({ ok: true, of: SECRET_NAME, arn: secretArn });
  });

  it("checks every source of CONFIG, even after one is denied", async () => {
    const { aws, examine, secretArn } = await setUpDoctor();
    const second = "arn:aws:iam::333333333333:role/Other";
    aws.createRole({ arn: second, trusts: [] });
    const sources = [
      { roleArn: second, secretIds: ["x"] },
      { roleArn: TARGET_ROLE_ARN, secretIds: [secretArn] },
    ];
    const { exitCode, report } = await examine([], {
      ...toConfigVariables(sources),
      CROSS_ACCOUNT_SECRETS_ROLE_ARN: "",
      CROSS_ACCOUNT_SECRETS_SECRET_IDS: "",
    });
    expect(brief(report)).toEqual([
      "GetCallerIdentity true",
      "AssumeRole false assume-role-denied",
      "GetCallerIdentity null",
      "GetSecretValue null",
      "AssumeRole true",
      "GetCallerIdentity true",
      "GetSecretValue true",
    ]);
    expect(exitCode).toBe(20);
  });

  it("uses the profile in AWS_PROFILE with its region, and fetches its credentials once", async () => {
    const { aws, ask } = await setUpDoctor();
    const session = aws.issueSession({ roleArn: FUNCTION_ROLE_ARN, sessionName: "alice" });
    aws.changeRole(TARGET_ROLE_ARN, { trusts: [] });
    const folder = createTempFolder();
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken } = session;
    const keys = { Version: 1, AccessKeyId, SecretAccessKey, SessionToken };
    writeFileSync(join(folder, "keys.json"), JSON.stringify(keys));
    // This takes longer than --timeout-ms allows for a call to AWS.
    writeFileSync(join(folder, "keys.sh"), `sleep 0.4; echo asked >> "${folder}/log"; cat "${folder}/keys.json"`);
    const config = join(folder, "config");
    writeFileSync(config, `[profile work]\nregion=${REGION}\ncredential_process=/bin/sh ${folder}/keys.sh\n`);
    const none = { ...NO_CREDENTIALS, AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined };
    const { exitCode, stdout } = await ask(["--timeout-ms", "300"], {
      ...none,
      AWS_CONFIG_FILE: config,
      AWS_PROFILE: "work",
    });
    expect(stdout).toMatch(/^✓ {2}who am I .*assumed-role\/my-lambda-role\/alice$/m);
    // AssumeRole and GetRole, which follows its denial, need the credentials too.
    expect(aws.calls.map(({ operation }) => operation)).toEqual(["GetCallerIdentity", "AssumeRole", "GetRole"]);
    expect(readFileSync(join(folder, "log"), "utf8")).toBe("asked\n");
    expect(exitCode).toBe(20);
  });
});

describe("doctor, when a step fails,", () => {
  const OTHERS_NOT_TRIED = ["AssumeRole null", "GetCallerIdentity null", "GetSecretValue null"];

  it("reports that there are no credentials", async () => {
    const { examine, aws } = await setUpDoctor();
    const { exitCode, report } = await examine([], NO_CREDENTIALS);
    expect(brief(report)).toEqual(["GetCallerIdentity false credentials-missing", ...OTHERS_NOT_TRIED]);
    expect(report.steps[0]?.remedy).toContain("AWS_PROFILE");
    expect(exitCode).toBe(10);
    expect(aws.calls).toEqual([]);
  });

  it("reports that AWS refuses its credentials, and says how a person gets others", async () => {
    const { examine } = await setUpDoctor();
    const { exitCode, report } = await examine([], { AWS_ACCESS_KEY_ID: "ASIAUNKNOWN" });
    expect(brief(report)).toEqual(["GetCallerIdentity false credentials-invalid", ...OTHERS_NOT_TRIED]);
    expect(report.steps[0]?.remedy).toContain("aws sso login");
    expect(report.steps[0]?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(exitCode).toBe(13);
  });

  it("reports that AWS cannot be reached, and names the machine's network", async () => {
    const { ask } = await setUpDoctor();
    const { exitCode, stdout } = await ask([], { AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${await findFreePort()}` });
    expect(stdout).toMatch(
      /^✗ {2}who am I .*\n\n {4}GetCallerIdentity in eu-west-1 could not reach AWS \(ECONNREFUSED\)\.$/m,
    );
    expect(stdout).toMatch(/^– {2}GetSecretValue {2}not tried {2}my-shared-secret$/m);
    expect(stdout).toContain("network of this machine");
    expect(exitCode).toBe(50);
  });

  it("waits no longer than --timeout-ms", async () => {
    const { aws, examine } = await setUpDoctor();
    aws.fault("AssumeRole", { kind: "hang" });
    const { exitCode, report } = await examine(["--timeout-ms", "300"]);
    expect(brief(report).slice(0, 2)).toEqual(["GetCallerIdentity true", "AssumeRole false timeout"]);
    expect(report.steps[1]?.ms).toBeGreaterThanOrEqual(290);
    expect(report.steps[1]?.ms).toBeLessThan(1_500);
    expect(exitCode).toBe(51);
  });

  it("prints both statements if the role does not trust the caller, and the ID of the caller's role", async () => {
    const { aws, ask } = await setUpDoctor();
    aws.changeRole(TARGET_ROLE_ARN, { trusts: [] });
    const { exitCode, stdout } = await ask();
    expect(stdout).toMatch(/^✗ {2}AssumeRole /m);
    expect(toStatement(stdout, `the trust policy of ${TARGET_ROLE_ARN}`)).toEqual({
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::222222222222:root" },
      Action: "sts:AssumeRole",
      Condition: {
        ArnLike: { "aws:PrincipalArn": [FUNCTION_ROLE_ARN, FUNCTION_ROLE_ARN.replace("role/", "role/*/")] },
      },
    });
    expect(toStatement(stdout, "a policy of the role my-lambda-role of account 222222222222")).toEqual({
      Effect: "Allow",
      Action: "sts:AssumeRole",
      Resource: TARGET_ROLE_ARN,
    });
    expect(stdout).toMatch(/Note: role my-lambda-role has the id AROA[A-Z2-7]{17}:/);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("name it instead of yours in the statements above");
    expect(exitCode).toBe(20);
  });

  it("continues, as the layer does, if a VPC endpoint refuses GetCallerIdentity", async () => {
    const { aws, examine } = await setUpDoctor();
    const message =
      "User: x is not authorized to perform: sts:GetCallerIdentity because no VPC endpoint policy allows it";
    aws.fault("GetCallerIdentity", { kind: "error", status: 403, code: "AccessDenied", message });
    const { exitCode, report } = await examine();
    expect(report.steps.map(({ name, ok }) => `${name} ${ok}`)).toEqual([
      "GetCallerIdentity true",
      "AssumeRole true",
      "GetCallerIdentity true",
      "GetSecretValue true",
    ]);
    expect(report.steps[0]?.notes).toEqual([expect.stringContaining("VPC endpoint")]);
    expect(exitCode).toBe(0);
  });

  it("prints both statements if GetCallerIdentity and AssumeRole are denied", async () => {
    const { aws, examine } = await setUpDoctor();
    aws.fault("GetCallerIdentity", { kind: "error", status: 403, code: "AccessDenied", message: "no" });
    aws.changeRole(TARGET_ROLE_ARN, { trusts: [] });
    const { report } = await examine();
    expect(report.steps[1]).toMatchObject({ ok: false, cause: "assume-role-denied" });
    expect(report.steps[1]?.statements?.map(({ policy }) => policy)).toEqual(["trust-policy", "identity-policy"]);
  });

  it("looks up the path of its own role with the function's credentials, if it may", async () => {
    const { aws, examine } = await setUpDoctor();
    const arn = "arn:aws:iam::222222222222:role/service-role/my-other-role";
    aws.createRole({ arn });
    const session = aws.issueSession({ roleArn: arn });
    const asked: unknown[] = [];
    const iam = await startLocalServer(async (incoming, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      const headers = Object.fromEntries(
        Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      );
      const authorization = parseAuthorization(headers.authorization ?? "");
      const request = { method: incoming.method ?? "", target: incoming.url ?? "", headers, body };
      const isSigned =
        authorization !== undefined && (await isSignedWith(session.secretAccessKey, request, authorization));
      const { service, region } = authorization ?? {};
      asked.push({ isSigned, service, region, ...Object.fromEntries(new URLSearchParams(body.toString())) });
      // https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html#API_GetRole_Examples
      response.end(
        `<GetRoleResponse><GetRoleResult><Role><Path>/service-role/</Path><Arn>${arn}</Arn></Role></GetRoleResult></GetRoleResponse>`,
      );
    });
    const options = ["--external-id", "our-id", "--session-tags", "team=blue", "--source-identity", "alice"];
    const environment = { ...toFunctionEnvironment(session, aws.url), AWS_ENDPOINT_URL_IAM: iam.url };
    const { report } = await examine(options, environment);
    const [trust, ofTags, own] = report.steps[1]?.statements ?? [];
    expect(asked).toEqual([
      {
        isSigned: true,
        service: "iam",
        region: "us-east-1",
        Action: "GetRole",
        Version: "2010-05-08",
        RoleName: "my-other-role",
      },
    ]);
    expect(trust).toMatchObject({ policy: "trust-policy", of: TARGET_ROLE_ARN });
    expect(trust?.statement).toEqual({
      Effect: "Allow",
      Principal: { AWS: arn },
      Action: "sts:AssumeRole",
      Condition: { StringEquals: { "sts:ExternalId": "our-id" } },
    });
    // Neither of these actions has an external ID.
    expect(ofTags).toEqual({
      policy: "trust-policy",
      of: TARGET_ROLE_ARN,
      statement: { Effect: "Allow", Principal: { AWS: arn }, Action: ["sts:TagSession", "sts:SetSourceIdentity"] },
    });
    expect(own).toMatchObject({ policy: "identity-policy", of: arn });
  });

  it("reports a session that AWS calls expired right after AssumeRole", async () => {
    const { aws, examine } = await setUpDoctor();
    aws.changeRole(TARGET_ROLE_ARN, { sessionLifeSeconds: 0 });
    const { exitCode, report } = await examine();
    expect(brief(report)).toEqual([
      "GetCallerIdentity true",
      "AssumeRole true",
      "GetCallerIdentity false credentials-expired",
      "GetSecretValue null",
    ]);
    expect(report.steps[2]?.remedy).toContain(TARGET_ROLE_ARN);
    expect(exitCode).toBe(12);
  });

  it("reports a secret that it may not read, and checks the others", async () => {
    const { examine, secretArn } = await setUpDoctor();
    const { exitCode, report } = await examine(["--secret", "app/other", "--secret", secretArn]);
    expect(brief(report).slice(3)).toEqual(["GetSecretValue false get-secret-value-denied", "GetSecretValue true"]);
    expect(report.steps[3]?.statements).toEqual([
      {
        policy: "identity-policy",
        of: TARGET_ROLE_ARN,
        statement: {
          Effect: "Allow",
          Action: "secretsmanager:GetSecretValue",
          Resource: "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/other-??????",
        },
      },
    ]);
    expect(exitCode).toBe(30);
  });

  it("reports a secret that is marked for deletion", async () => {
    const { aws, examine, secretArn } = await setUpDoctor();
    aws.markForDeletion(secretArn);
    const { exitCode, report } = await examine();
    expect(brief(report)[3]).toBe("GetSecretValue false secret-deleted");
    expect(exitCode).toBe(42);
  });

  it("reports a parameter that does not exist", async () => {
    const { aws, examine } = await setUpDoctor();
    aws.changeRole(TARGET_ROLE_ARN, { readableParameters: "any" });
    const { exitCode, report } = await examine(["--parameter", "/app/none"]);
    expect(brief(report).slice(3)).toEqual(["GetSecretValue true", "GetParameter false parameter-not-found"]);
    expect(exitCode).toBe(44);
  });
});

describe("doctor, like the layer,", () => {
  it("sends the layer's session policy, or none with --session-policy none", async () => {
    const { aws, examine } = await setUpDoctor();
    await examine();
    await examine(["--session-policy", "none"]);
    const policies = aws.calls.filter(({ operation }) => operation === "AssumeRole").map(({ policy }) => policy);
    expect(policies).toEqual([expect.stringContaining(`secret:${SECRET_NAME}-??????`), undefined]);
  });

  it("sends no session policy that would be too long, and notes that", async () => {
    const { examine } = await setUpDoctor();
    const ids = Array.from({ length: 40 }, (_, index) => `app/some/long/name/of/a/secret/number-${index}`);
    const { report } = await examine(["--secret", ids.join(",")]);
    expect(report.steps[1]).toMatchObject({
      ok: true,
      notes: ["no session policy was sent: it would be longer than STS allows"],
    });
  });

  it("notes a session policy that would be too long only for its own source", async () => {
    const { aws, examine } = await setUpDoctor();
    const second = "arn:aws:iam::333333333333:role/Other";
    aws.createRole({ arn: second, trusts: [FUNCTION_ROLE_ARN] });
    const secretIds = Array.from({ length: 40 }, (_, index) => `app/some/long/name/of/a/secret/number-${index}`);
    const sources = [
      { roleArn: TARGET_ROLE_ARN, secretIds: [SECRET_NAME] },
      { roleArn: second, secretIds },
    ];
    aws.changeRole(FUNCTION_ROLE_ARN, { assumableRoles: "any" });
    const { report } = await examine([], toConfigVariables(sources));
    const sessions = report.steps.filter(({ name }) => name === "AssumeRole");
    expect(sessions.map(({ ok, notes }) => [ok, notes?.length])).toEqual([
      [true, undefined],
      [true, 1],
    ]);
  });

  it("reads from the replica if the secret's region fails, and notes that", async () => {
    const { aws, examine, secretArn } = await setUpDoctor();
    aws.replicateSecret(secretArn, "eu-central-1");
    aws.fault(
      "GetSecretValue",
      { kind: "error", status: 500, code: "InternalServiceError", message: "" },
      { region: REGION },
    );
    const names = await startAwsNames([toSecretsManagerName("eu-central-1")], () => aws.url);
    const failover = { CROSS_ACCOUNT_SECRETS_FAILOVER_REGION: "eu-central-1" };
    const { report } = await examine([], { ...failover, ...names.command });
    expect(names.asked).toEqual([toSecretsManagerName("eu-central-1")]);
    expect(report.steps[3]?.notes).toEqual([
      "the value comes from the replica in eu-central-1, because the secret's own region fails (aws-error)",
    ]);
  });

  it.each([
    [-1_200_000, "20 minutes ahead of AWS's"],
    [600_000, "10 minutes behind AWS's"],
    [60_000, undefined],
  ])("reads the secret if AWS's clock is off by %i ms; the note about the clock is: %s", async (offsetMs, text) => {
    const { examine } = await setUpDoctor({ now: () => Date.now() + offsetMs });
    const { exitCode, report } = await examine();
    expect(report.steps[0]?.notes).toEqual(text && [`this machine's clock is ${text}: set it`]);
    expect(exitCode).toBe(0);
  });
});

describe("doctor refuses", () => {
  it.each([
    [["--sceret", "x"], "unknown option '--sceret'; did you mean --secret?"],
    [["--role-arn", "SecretReader"], "--role-arn must be the ARN of the target role"],
    [["--timeout-ms", "soon"], "--timeout-ms must be a whole number of milliseconds, 100 to 60000"],
    [["my-shared-secret"], "unexpected argument 'my-shared-secret'"],
  ])("%j before any call to AWS", async (args, message) => {
    const { ask, aws } = await setUpDoctor();
    const { exitCode, stdout, stderr } = await ask(args);
    expect(stderr).toMatch(/^cross-account-secrets doctor: /);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect(exitCode).toBe(2);
    expect(aws.calls).toEqual([]);
  });

  it("to guess a region", async () => {
    const { ask } = await setUpDoctor();
    const { exitCode, stderr } = await ask([], { AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined });
    expect(stderr).toContain("there is no region: give --region");
    expect(exitCode).toBe(2);
  });
});

it("doctor does not print the message of an error of AWS", async () => {
  const canary = createCanary();
  const { aws, ask } = await setUpDoctor();
  aws.fault("AssumeRole", { kind: "error", status: 403, code: "AccessDenied", message: canary });
  const { stdout, stderr, exitCode } = await ask();
  expect(findLeaks(new Map(Object.entries({ stdout, stderr })), [canary])).toEqual([]);
  expect(exitCode).toBe(20);
});

/** Finds the statement for this policy, as a person would copy it from the terminal. */
function toStatement(stdout: string, place: string): unknown {
  const text = stdout.replace(/\n {4}(?=\S)/g, " ");
  const [, json = ""] = text.split(`A statement for ${place}:\n`);
  return JSON.parse(json.slice(0, json.indexOf("\n      }") + 8));
}
