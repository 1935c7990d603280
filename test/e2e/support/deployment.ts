// Account A and Account B in moto, empty, and a shell in which `aws` and `sam` have a profile for each: all later contents come
// from templates and commands.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { PolicyDocument } from "../../fakes/aws.ts";
import { allow } from "../../support/policy-documents.ts";
import { FUNCTION_ACCOUNT, REGION, TARGET_ACCOUNT } from "../../support/two-accounts.ts";
import { createUser, startMotoServer } from "./moto.ts";
import { toPythonBin } from "./python-tools.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The accounts by profile. */
const ACCOUNTS = { "account-a": TARGET_ACCOUNT, "account-b": FUNCTION_ACCOUNT } as const;
export type Profile = keyof typeof ACCOUNTS;

export interface MotoAccounts {
  /** The URL of every service. */
  readonly endpoint: string;
  /** Runs a script in a copy of the repository's root, and returns its output. The script stops at the first error. */
  sh(script: string, environment?: Readonly<Record<string, string>>): Promise<string>;
  /** Runs the AWS CLI and returns its answer. */
  aws<Answer>(profile: Profile, ...args: string[]): Promise<Answer>;
  /** Reads the current role. */
  readRole(profile: Profile, name: string, region?: string): Promise<DeployedRole>;
  close(): Promise<void>;
}

export interface DeployedRole {
  readonly arn: string;
  readonly trustPolicy: PolicyDocument;
  readonly policies: readonly PolicyDocument[];
}

export async function startMotoAccounts(): Promise<MotoAccounts> {
  const folder = await mkdtemp(join(tmpdir(), "deployment-"));
  const [home, clone] = [join(folder, "home"), join(folder, "clone")];
  for (const name of [home, clone, join(home, ".aws-sam")]) await mkdir(name);
  for (const name of ["dist", "examples", "template.yaml"]) await symlink(join(root, name), join(clone, name));
  // Without this file, the SAM CLI would ask the registry for a newer version.
  await writeFile(join(home, ".aws-sam/metadata.json"), JSON.stringify({ lastVersionCheck: Date.now() / 1000 }));

  const server = await startMotoServer([fileURLToPath(new URL("moto-cloudformation.py", import.meta.url)), folder]);
  const profiles = Object.entries(ACCOUNTS).map(async ([profile, account]) => {
    const keys = await createUser(server.url, account, allow("*", "*"));
    return [
      `[profile ${profile}]`,
      `region = ${REGION}`,
      `aws_access_key_id = ${keys.accessKeyId}`,
      `aws_secret_access_key = ${keys.secretAccessKey}`,
    ].join("\n");
  });
  await writeFile(join(folder, "config"), (await Promise.all(profiles)).join("\n"));

  const endpoint = server.url.replace("127.0.0.1", "localhost"); // for the bucket's URL that the SAM CLI makes
  const env = {
    PATH: `${toPythonBin()}:${process.env.PATH}`,
    HOME: home,
    AWS_CONFIG_FILE: join(folder, "config"),
    AWS_ENDPOINT_URL: endpoint,
    AWS_MAX_ATTEMPTS: "1",
    LANG: "C.UTF-8",
    SAM_CLI_POLL_DELAY: "0.5",
    SAM_CLI_TELEMETRY: "0",
  };
  const run = async (command: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) => {
    const options = { cwd: clone, env: { ...env, ...environment }, maxBuffer: 10_000_000 };
    return (await promisify(execFile)(command, args, options)).stdout;
  };
  const aws: MotoAccounts["aws"] = async (profile, ...args) =>
    JSON.parse(await run("aws", [...args, "--profile", profile, "--output", "json"]));
  return {
    endpoint,
    sh: (script, environment) => run("sh", ["-euc", script], environment),
    aws,
    async readRole(profile, name, region = REGION) {
      const ask = <Answer>(operation: string, ...args: string[]) =>
        aws<Answer>(profile, "iam", operation, "--role-name", name, "--region", region, ...args);
      const { Role } = await ask<{ Role: { Arn: string; AssumeRolePolicyDocument: PolicyDocument } }>("get-role");
      const { PolicyNames } = await ask<{ PolicyNames: string[] }>("list-role-policies");
      const policies = PolicyNames.map(async (policy) => {
        const answer = await ask<{ PolicyDocument: PolicyDocument }>("get-role-policy", "--policy-name", policy);
        return answer.PolicyDocument;
      });
      return { arn: Role.Arn, trustPolicy: Role.AssumeRolePolicyDocument, policies: await Promise.all(policies) };
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}
