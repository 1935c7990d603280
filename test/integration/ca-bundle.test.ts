/** AWS_CA_BUNDLE in the commands: a proxy whose certificate authority Node does not know is between them and AWS. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createCertificate } from "../support/certificate.ts";
import { runCli } from "../support/cli.ts";
import { ask, startServe } from "../support/serve.ts";
import { startFront } from "../support/tcp-front.ts";
import { createTempFolder, writeTempFile } from "../support/temp-files.ts";
import { FUNCTION_ROLE_ARN, REGION, SECRET_PATH, startTwoAccounts, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const BASE_ROLE_ARN = "arn:aws:iam::222222222222:role/laptop";

/** Starts AWS behind TLS. The caller has a profile whose role is assumed with the keys of another profile. */
async function setUp() {
  const { aws, environment, ...accounts } = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  const certificate = createCertificate("proxy");
  const { url } = await startFront(() => aws.url, certificate);
  aws.createRole({ arn: BASE_ROLE_ARN, assumableRoles: [FUNCTION_ROLE_ARN] });
  aws.changeRole(FUNCTION_ROLE_ARN, { trusts: [BASE_ROLE_ARN], assumableRoles: [TARGET_ROLE_ARN] });
  const base = aws.issueSession({ roleArn: BASE_ROLE_ARN, sessionName: "laptop" });
  const file = join(createTempFolder(), "config");
  const keys = [
    `aws_access_key_id = ${base.accessKeyId}`,
    `aws_secret_access_key = ${base.secretAccessKey}`,
    `aws_session_token = ${base.sessionToken}`,
  ];
  const profile = ["[profile function]", `role_arn = ${FUNCTION_ROLE_ARN}`, "source_profile = laptop"];
  writeFileSync(file, ["[profile laptop]", ...keys, ...profile].join("\n"));
  const own = Object.entries(environment).filter(([name]) => !name.startsWith("AWS_"));
  const variables = { AWS_REGION: REGION, AWS_CONFIG_FILE: file, AWS_PROFILE: "function", AWS_ENDPOINT_URL: url };
  return {
    canaries: accounts.canaries,
    environment: { ...Object.fromEntries(own), ...variables },
    trusted: { AWS_CA_BUNDLE: writeTempFile(certificate.cert) },
  };
}

describe("AWS_CA_BUNDLE", () => {
  it("is trusted by doctor in every step, the role of a profile included", async () => {
    const { environment, trusted } = await setUp();
    const { exitCode, stdout } = await runCli(["doctor"], { ...environment, ...trusted });
    expect(stdout.match(/^[✓✗].*?(?= {2,}\d)/gm)).toEqual([
      "✓  who am I",
      "✓  AssumeRole",
      "✓  who am I now",
      "✓  GetSecretValue",
    ]);
    expect(exitCode).toBe(0);
    expect((await runCli(["doctor"], environment)).exitCode).not.toBe(0);
  });

  it("is trusted by serve", async () => {
    const { environment, trusted, canaries } = await setUp();
    const serve = await startServe({
      environment: { ...environment, ...trusted, CROSS_ACCOUNT_SECRETS_TOKEN: "token" },
      secrets: () => canaries,
    });
    await serve.waitFor("ready");
    expect((await ask(serve.port, SECRET_PATH, "token")).status).toBe(200);
  });

  it("ends either command with exit code 2 if its file does not exist", async () => {
    const { environment } = await setUp();
    for (const command of ["doctor", "serve"]) {
      const { exitCode, stderr } = await runCli([command], { ...environment, AWS_CA_BUNDLE: "/no/such/bundle.pem" });
      expect([exitCode, stderr]).toEqual([
        2,
        expect.stringContaining("AWS_CA_BUNDLE must be the path of a readable file"),
      ]);
    }
  });
});
