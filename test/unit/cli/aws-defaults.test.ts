import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { findCredentials } from "../../../scripts/cli/aws-chain.ts";
import { createDefaultCredentials, findDefaultRegion, toVariableRegion } from "../../../scripts/cli/aws-defaults.ts";
import { startLocalServer } from "../../support/local-server.ts";

vi.mock("../../../scripts/cli/aws-chain.ts", { spy: true });

const CANARY = "CANARY-5d1c";

/** A machine with `config` as its ~/.aws/config, and no other credentials. The SDK itself reads the variables. */
function onMachine(config: string, variables: Readonly<Record<string, string>> = {}): void {
  const home = mkdtempSync(join(tmpdir(), "home-"));
  writeFileSync(join(home, "config"), config);
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  const machine = {
    HOME: home,
    AWS_CONFIG_FILE: join(home, "config"),
    AWS_SHARED_CREDENTIALS_FILE: join(home, "none"),
    AWS_EC2_METADATA_DISABLED: "true",
  };
  for (const [name, value] of Object.entries({ ...machine, ...variables })) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
  });
}

const PROFILE = `
[profile work]
region = eu-central-1
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = ${CANARY}
`;

const SSO = `
[profile work]
sso_session = company
sso_account_id = 222222222222
sso_role_name = Developer
[sso-session company]
sso_start_url = https://example.awsapps.com/start/${CANARY}
sso_region = eu-west-1
`;

const PROGRAM = `
[profile work]
credential_process = echo ${CANARY} >&2; exit 1
`;

const MFA = `${PROFILE}
[profile admin]
role_arn = arn:aws:iam::222222222222:role/${CANARY}
source_profile = work
mfa_serial = arn:aws:iam::222222222222:mfa/me
`;

const toProgram = (output: string) => `
[profile work]
credential_process = echo '${output}'
`;
const OLD = { Version: 1, AccessKeyId: "AKIAEXAMPLE", SecretAccessKey: CANARY, Expiration: "2020-01-01T00:00:00Z" };

/** A role that the profile assumes with keys; nothing listens at the endpoint of STS. */
const ASSUMED = `${PROFILE}
[profile admin]
role_arn = arn:aws:iam::222222222222:role/${CANARY}
source_profile = work
`;
const LOOP = `
[profile work]
role_arn = arn:aws:iam::222222222222:role/${CANARY}
source_profile = other
[profile other]
role_arn = arn:aws:iam::222222222222:role/${CANARY}
source_profile = work
`;

describe("the region of this machine", () => {
  it("is AWS_REGION", async () => {
    onMachine(PROFILE, { AWS_PROFILE: "work", AWS_REGION: "eu-west-1" });
    expect(await findDefaultRegion()).toBe("eu-west-1");
  });

  it("is the profile's if AWS_REGION is not set", async () => {
    onMachine(PROFILE, { AWS_PROFILE: "work" });
    expect(await findDefaultRegion()).toBe("eu-central-1");
  });

  it("is undefined if there is none", async () => {
    onMachine("");
    expect(await findDefaultRegion()).toBeUndefined();
  });
});

describe("the credentials of this machine", () => {
  const get = () => createDefaultCredentials("eu-west-1", Date.now).get();

  it("come from the variables, with the session token", async () => {
    onMachine("", { AWS_ACCESS_KEY_ID: "ASIAEXAMPLE", AWS_SECRET_ACCESS_KEY: "s", AWS_SESSION_TOKEN: "t" });
    expect(await get()).toEqual({ accessKeyId: "ASIAEXAMPLE", secretAccessKey: "s", sessionToken: "t" });
  });

  it("come from the profile that AWS_PROFILE names", async () => {
    onMachine(PROFILE, { AWS_PROFILE: "work" });
    expect(await get()).toEqual({ accessKeyId: "AKIAEXAMPLE", secretAccessKey: CANARY });
  });

  it("are awaited for half a minute, because a person may have to confirm", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    vi.mocked(findCredentials).mockReturnValueOnce(new Promise(() => {}));
    const asked = get();
    const refused = expect(asked).rejects.toMatchObject({ code: "credentials-unavailable" });
    const isSettled = vi.fn();
    asked.catch(isSettled);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(isSettled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await refused;
  });

  it("are read from the file again each time", async () => {
    onMachine(PROFILE, { AWS_PROFILE: "work" });
    const credentials = createDefaultCredentials("eu-west-1", Date.now);
    await credentials.get();
    writeFileSync(String(process.env.AWS_CONFIG_FILE), PROFILE.replace("AKIAEXAMPLE", "AKIANEW"));
    expect(await credentials.get()).toMatchObject({ accessKeyId: "AKIANEW" });
  });

  it.each([
    ["missing if there are none", "", {}, "credentials-missing", "AWS_PROFILE"],
    ["unavailable without a sign-in", SSO, { AWS_PROFILE: "work" }, "credentials-unavailable", "aws sso login"],
  ])("are %s", async (_, config, variables: Readonly<Record<string, string>>, code, advice) => {
    onMachine(config, variables);
    const failure = await get().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, details: { remedy: expect.stringContaining(advice) } });
    expect(`${failure} ${JSON.stringify(failure)}`).not.toContain(CANARY);
  });
});

describe("what is in the way of the credentials of a profile", () => {
  const get = () => createDefaultCredentials("eu-west-1", Date.now).get();
  const unavailable = "credentials-unavailable";

  it.each([
    [
      "there is no such profile",
      PROFILE,
      "wrok",
      "credentials-missing",
      "there is no AWS profile wrok",
      ["AWS_PROFILE", "aws configure list-profiles"],
    ],
    [
      "its name is odd",
      PROFILE,
      "odd\nname",
      "credentials-missing",
      "there is no AWS profile of the name in AWS_PROFILE",
      ["aws configure list-profiles"],
    ],
    [
      "its program fails",
      PROGRAM,
      "work",
      unavailable,
      "the credential_process of this AWS profile failed",
      ["run it"],
    ],
    [
      "its program prints no JSON",
      toProgram(CANARY),
      "work",
      unavailable,
      "the credential_process of this AWS profile failed",
      ["Version 1"],
    ],
    [
      "its program prints no keys",
      toProgram('{"Version": 1}'),
      "work",
      unavailable,
      "the credential_process of this AWS profile failed",
      ["Version 1"],
    ],
    [
      "its program prints old keys",
      toProgram(JSON.stringify(OLD)),
      "work",
      unavailable,
      "the credential_process of this AWS profile failed",
      ["expired"],
    ],
    [
      "it needs a code of a person",
      MFA,
      "admin",
      unavailable,
      "this AWS profile needs a code of an MFA device (mfa_serial)",
      ["aws configure export-credentials", "unset AWS_PROFILE"],
    ],
    [
      "its source_profile leads back to it",
      LOOP,
      "work",
      unavailable,
      "the source_profile of this AWS profile leads back to it",
      ["source_profile"],
    ],
    [
      "it has none",
      "[profile bare]\nregion = eu-west-1\n",
      "bare",
      "credentials-missing",
      "the AWS profile bare does not exist, or has no credentials",
      ["aws configure sso", "credential_process"],
    ],
    [
      "its source_profile does not exist",
      ASSUMED.replace("= work", "= gone"),
      "admin",
      "credentials-missing",
      "the AWS profile gone does not exist, or has no credentials",
      ["source_profile"],
    ],
    [
      "its role's keys are refused",
      ASSUMED,
      "admin",
      unavailable,
      "AWS did not give this AWS profile credentials (AccessDenied)",
      ["aws sts get-caller-identity"],
    ],
  ] as const)("is told if %s", async (_, config, profile, code, message, advice) => {
    const { url } = await startLocalServer((_request, response) => {
      const error = `<Error><Code>AccessDenied</Code><Message>${CANARY}</Message></Error>`;
      response.writeHead(403, { "Content-Type": "text/xml" }).end(`<ErrorResponse>${error}</ErrorResponse>`);
    });
    onMachine(config, { AWS_PROFILE: profile, AWS_ENDPOINT_URL_STS: url });
    const failure = await get().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, message });
    for (const part of advice) expect(failure).toMatchObject({ details: { remedy: expect.stringContaining(part) } });
    expect(`${failure} ${JSON.stringify(failure)}`).not.toContain(CANARY);
  });

  it("prints nothing of it", async () => {
    const outputs = (["log", "info", "debug", "error"] as const).map((name) => vi.spyOn(console, name));
    onMachine(PROGRAM, { AWS_PROFILE: "work" });
    await get().catch(() => {});
    for (const output of outputs) expect(output).not.toHaveBeenCalled();
  });
});

it.each([
  [{ AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "us-east-1" }, "eu-west-1"],
  [{ AWS_REGION: " ", AWS_DEFAULT_REGION: "us-east-1" }, "us-east-1"],
  [{ AWS_REGION: "" }, undefined],
])("the variables %j give the region %s", (environment, region) => {
  expect(toVariableRegion(environment)).toBe(region);
});
