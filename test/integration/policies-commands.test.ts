/** A shell runs what `policies --format cli` prints. An `aws` command of this test records its arguments. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { env, execPath } from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { runPolicies } from "../support/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "policies-commands-"));
afterAll(() => rmSync(folder, { recursive: true }));
const CALLS = join(folder, "calls");

const ADMINISTRATORS = {
  ...{ Effect: "Allow", Principal: { AWS: "arn:aws-cn:iam::111111111111:root" }, Action: "kms:*", Resource: "*" },
};
const KEY_POLICY = { Version: "2012-10-17", Statement: [ADMINISTRATORS] };
writeFileSync(
  join(folder, "aws"),
  `#!${execPath}
const args = process.argv.slice(2);
require("node:fs").appendFileSync(${JSON.stringify(CALLS)}, JSON.stringify(args) + "\\n");
if (args[1] === "get-key-policy") console.log(${JSON.stringify(JSON.stringify(KEY_POLICY))});
`,
  { mode: 0o755 },
);

const KEY = "arn:aws-cn:kms:cn-north-1:111111111111:key/k";
/** All characters that are special to a shell and allowed in an IAM path. */
const PATH = "/it's/$(exit)`x`\"&;#*?!~/";
const ARGUMENTS = [
  ...["--role-arn", `arn:aws-cn:iam::111111111111:role${PATH}SecretReader`, "--secret", "my-shared-secret"],
  ...["--caller-role-arn", `arn:aws-cn:iam::222222222222:role${PATH}my-lambda-role`, "--region", "cn-north-1"],
];

/** Runs the printed commands, and returns the calls of aws with their options. */
async function runCommands(...more: readonly string[]) {
  const { stdout } = await runPolicies([...ARGUMENTS, ...more, "--format", "cli"]);
  writeFileSync(CALLS, "");
  const { status, stderr } = spawnSync("sh", ["-eu"], {
    ...{ cwd: folder, input: stdout, encoding: "utf8" },
    env: { ...env, PATH: `${folder}${delimiter}${env.PATH}` },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = readFileSync(CALLS, "utf8").trim().split("\n");
  return lines.map((line) => {
    const [service, operation, ...rest]: string[] = JSON.parse(line);
    const pairs = rest.flatMap((word, index) => (index % 2 === 0 ? [[word, rest[index + 1] ?? ""]] : []));
    return { command: `${service} ${operation}`, options: Object.fromEntries(pairs) as Record<string, string> };
  });
}

describe("the commands of policies", () => {
  it("pass the exact documents to IAM, in the right partition, with special characters in a path", async () => {
    const { trustPolicy, permissionsPolicy, callerPolicy } = JSON.parse((await runPolicies(ARGUMENTS)).stdout);
    const calls = await runCommands();
    expect(calls.map(({ command }) => command)).toEqual([
      "iam create-role",
      "iam put-role-policy",
      "iam put-role-policy",
    ]);
    const [create, put, assume] = calls.map(({ options }) => options);
    expect(create).toMatchObject({ "--role-name": "SecretReader", "--path": PATH, "--region": "cn-north-1" });
    expect(JSON.parse(create?.["--assume-role-policy-document"] ?? "")).toEqual(trustPolicy);
    expect(put).toMatchObject({
      "--role-name": "SecretReader",
      "--policy-name": "read-secrets",
      "--region": "cn-north-1",
    });
    expect(JSON.parse(put?.["--policy-document"] ?? "")).toEqual(permissionsPolicy);
    expect(assume).toMatchObject({ "--role-name": "my-lambda-role", "--policy-name": "assume-target-role" });
    expect(JSON.parse(assume?.["--policy-document"] ?? "")).toEqual(callerPolicy);
  });

  it("have no comments, because zsh takes a typed # for a command", async () => {
    const { stdout } = await runPolicies([...ARGUMENTS, "--key-arn", KEY, "--format", "cli"]);
    expect(stdout).toContain("With credentials of that account.");
    expect(stdout.replaceAll(/'[^']*'/g, "")).not.toMatch(/(^|\s)#/);
  });

  it.skipIf(spawnSync("jq", ["--version"]).error)(
    "add the statements to a key policy once, and keep the others (needs jq)",
    async () => {
      const { keyPolicy } = JSON.parse((await runPolicies(ARGUMENTS)).stdout);
      const calls = await runCommands("--key-arn", KEY, "--account", "a");
      expect(calls.slice(2)).toEqual([
        {
          command: "kms get-key-policy",
          options: expect.objectContaining({ "--key-id": KEY, "--region": "cn-north-1", "--query": "Policy" }),
        },
        {
          command: "kms put-key-policy",
          options: {
            ...{ "--key-id": KEY, "--policy-name": "default", "--region": "cn-north-1" },
            "--policy": "file://new-key-policy.json",
          },
        },
      ]);
      const merged = JSON.parse(readFileSync(join(folder, "new-key-policy.json"), "utf8"));
      expect(merged).toEqual({ ...KEY_POLICY, Statement: [ADMINISTRATORS, ...keyPolicy.Statement] });
    },
  );
});
