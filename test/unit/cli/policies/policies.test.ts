import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OPTIONS } from "../../../../scripts/cli/policies/option-reader.ts";
import { runPolicies } from "../../../support/cli.ts";
import { FUNCTION_ROLE_ARN as CALLER, TARGET_ROLE_ARN as ROLE, toPartialArn } from "../../../support/values.ts";

/** The arguments for the README's four documents. */
const README_ARGUMENTS = [
  ...["--role-arn", ROLE, "--caller-role-arn", CALLER, "--secret", "my-shared-secret"],
  ...["--region", "eu-west-1", "--organization-id", "o-exampleorgid"],
];

interface ParsedDocument {
  readonly Version: string;
  readonly Statement: readonly Readonly<Record<string, unknown>>[];
}
const print = async (...args: readonly string[]): Promise<Readonly<Record<string, ParsedDocument>>> => {
  const { exitCode, stdout, stderr } = await runPolicies(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
};

describe("policies", () => {
  it("prints the README's four documents", async () => {
    const readme = readFileSync(new URL("../../../../README.md", import.meta.url), "utf8");
    const [, typed = ""] =
      /^npx cross-account-secrets policies (--role-arn[^`]*)$/m.exec(readme.replaceAll(" \\\n ", "")) ?? [];
    expect(typed.trim().split(/\s+/).sort()).toEqual([...README_ARGUMENTS].sort());
    const [, shown = ""] = /^```json\n(\{\n {2}"trustPolicy"[\s\S]*?)^```$/m.exec(readme) ?? [];
    const { stdout } = await runPolicies(README_ARGUMENTS);
    expect(JSON.parse(shown)).toEqual(JSON.parse(stdout));
  });

  it("prints a heading for each document on a terminal", async () => {
    const { stdout } = await runPolicies(README_ARGUMENTS, { isTerminal: true });
    expect(stdout.match(/^<bold>.*<\/>$/gm)).toEqual([
      "<bold>Account A 111111111111: the trust policy of the role SecretReader</>",
      "<bold>Account A 111111111111: a permissions policy of the role SecretReader</>",
      "<bold>Account A 111111111111: a statement in the key policy, only if the secret has a customer-managed KMS key</>",
      "<bold>Account B 222222222222: a policy of the role my-lambda-role</>",
    ]);
  });

  it("prints one JSON object to a pipe, and to a terminal with --format json", async () => {
    const { stdout } = await runPolicies(README_ARGUMENTS);
    expect(Object.keys(JSON.parse(stdout))).toEqual(["trustPolicy", "permissionsPolicy", "keyPolicy", "callerPolicy"]);
    expect(await runPolicies([...README_ARGUMENTS, "--format", "json"], { isTerminal: true })).toMatchObject({
      stdout,
    });
  });

  it("prints only the documents of the account that --account names", async () => {
    expect(Object.keys(await print(...README_ARGUMENTS, "--account", "a"))).toEqual([
      "trustPolicy",
      "permissionsPolicy",
      "keyPolicy",
    ]);
    expect(Object.keys(await print(...README_ARGUMENTS, "--account", "b"))).toEqual(["callerPolicy"]);
  });

  it("accepts accounts and names in place of ARNs, and takes the partition from the region", async () => {
    const documents = await print(
      ...["--account-a", "111111111111", "--role-name", "readers/SecretReader"],
      ...["--account-b", "222222222222", "--caller-role-name", "service-role/my-lambda-role"],
      ...["--secret", "app/db", "--parameter", "/app/host", "--region", "cn-north-1"],
    );
    expect(JSON.stringify(documents)).not.toContain("arn:aws:");
    expect(documents.trustPolicy?.Statement[0]?.Principal).toEqual({
      AWS: "arn:aws-cn:iam::222222222222:role/service-role/my-lambda-role",
    });
    expect(documents.callerPolicy?.Statement[0]?.Resource).toBe(
      "arn:aws-cn:iam::111111111111:role/readers/SecretReader",
    );
    expect(documents.permissionsPolicy?.Statement.map(({ Resource }) => Resource)).toEqual([
      "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:app/db-??????",
      "arn:aws-cn:ssm:cn-north-1:111111111111:parameter/app/host",
    ]);
  });

  it.each([
    ["an ARN", {}, ["--secret", "arn:aws-us-gov:secretsmanager:us-gov-west-1:111111111111:secret:s-AbCdEf"]],
    ["AWS_REGION", { AWS_REGION: "us-gov-west-1" }, ["--secret", "s"]],
    ["AWS_DEFAULT_REGION", { AWS_REGION: "", AWS_DEFAULT_REGION: "us-gov-west-1" }, ["--secret", "s"]],
  ])("takes the region from %s if --region is not given", async (_, environment, secret) => {
    const accounts = ["--account-a", "111111111111", "--role-name", "r", "--account-b", "222222222222"];
    const { stdout } = await runPolicies([...accounts, "--caller-role-name", "c", ...secret], { environment });
    expect(stdout).toMatch(/"arn:aws-us-gov:secretsmanager:us-gov-west-1:111111111111:secret:s-.*\?{6}"/);
    expect(stdout).toContain('"arn:aws-us-gov:iam::111111111111:role/r"');
  });

  it("ignores the shell's region if an ARN names one", async () => {
    const secret = "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:s";
    const accounts = ["--account-a", "111111111111", "--role-name", "r", "--account-b", "222222222222"];
    const { exitCode } = await runPolicies([...accounts, "--caller-role-name", "c", "--secret", secret], {
      environment: { AWS_REGION: "eu-west-1" },
    });
    expect(exitCode).toBe(0);
  });

  const accountForm = (arns: string | string[]) => ({
    Principal: { AWS: "arn:aws:iam::222222222222:root" },
    Condition: { ArnLike: { "aws:PrincipalArn": arns } },
  });
  const anyPath = accountForm([CALLER, "arn:aws:iam::222222222222:role/*/my-lambda-role"]);
  const named = ["--account-b", "222222222222", "--caller-role-name", "my-lambda-role"];
  it.each<[string, readonly string[], object]>([
    ["the role of an ARN", ["--caller-role-arn", CALLER], { Principal: { AWS: CALLER } }],
    [
      "the account with --principal account",
      ["--caller-role-arn", CALLER, "--principal", "account"],
      accountForm(CALLER),
    ],
    ["the account if a name does not contain the path", named, anyPath],
    [
      "the role without a path with --principal role",
      [...named, "--principal", "role"],
      { Principal: { AWS: CALLER } },
    ],
    [
      "the account if a session ARN does not contain the path",
      ["--caller-role-arn", "arn:aws:sts::222222222222:assumed-role/my-lambda-role/my-function"],
      anyPath,
    ],
  ])("trusts %s", async (_, caller, expected) => {
    const documents = await print("--role-arn", ROLE, "--secret", "s", "--region", "eu-west-1", ...caller);
    expect(documents.trustPolicy?.Statement[0]).toEqual({ Effect: "Allow", Action: "sts:AssumeRole", ...expected });
  });

  it("allows what the caller sends in both accounts, and requires an external ID if there is one", async () => {
    const options = ["--external-id", "partner-7", "--session-tags", "--source-identity"];
    const { trustPolicy, callerPolicy } = await print(...README_ARGUMENTS, ...options);
    const org = { "aws:PrincipalOrgID": "o-exampleorgid" };
    const others = ["sts:TagSession", "sts:SetSourceIdentity"];
    expect(trustPolicy?.Statement.map(({ Action, Condition }) => [Action, Condition])).toEqual([
      ["sts:AssumeRole", { StringEquals: { ...org, "sts:ExternalId": "partner-7" } }],
      [others, { StringEquals: org }],
    ]);
    expect(callerPolicy?.Statement).toMatchObject([{ Action: ["sts:AssumeRole", ...others] }]);
  });

  it("lets the role read the secret that a parameter refers to", async () => {
    const { permissionsPolicy } = await print(
      ...README_ARGUMENTS,
      "--parameter",
      "/aws/reference/secretsmanager/other",
    );
    expect(permissionsPolicy?.Statement[0]?.Resource).toEqual([
      toPartialArn("my-shared-secret-??????"),
      toPartialArn("other-??????"),
    ]);
  });

  it("has the key in the role's permissions only if it belongs to another account", async () => {
    const key = "arn:aws:kms:eu-west-1:111111111111:key/k";
    const own = await print(...README_ARGUMENTS, "--key-arn", key);
    expect(JSON.stringify(own.permissionsPolicy)).not.toContain("kms:");
    const foreign = key.replace("111111111111", "333333333333");
    const { permissionsPolicy } = await print(...README_ARGUMENTS, "--key-arn", foreign);
    expect(permissionsPolicy?.Statement[1]).toMatchObject({
      Action: ["kms:Decrypt", "kms:DescribeKey"],
      Resource: foreign,
    });
  });
});

describe("wrong arguments of policies", () => {
  it("are all reported at once, with what was expected", async () => {
    const { exitCode, stdout, stderr } = await runPolicies([
      ...["--role-arn", "SecretReader", "--caller-role-arn", "arn:aws:iam::222222222222:user/u", "--secret", "a*"],
      ...["--region", "Ireland", "--key-arn", "alias/k", "--organization-id", "my-org", "--external-id", "!"],
      ...["--principal", "me", "--account", "c", "--format", "yaml", "--partition", "azure", "trust.json"],
    ]);
    expect(stderr.split("\n").map((line) => /^ {2}--([a-z-]+) must be .+; got ".*"$/.exec(line)?.[1])).toEqual([
      undefined,
      ...["role-arn", "caller-role-arn", "secret", "key-arn", "region", "partition", "principal"],
      ...["organization-id", "external-id", "format", "account"],
      ...[undefined, undefined],
    ]);
    expect(stderr).toContain("\n  files are only accepted with --check; got trust.json\n");
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  });

  it("include missing arguments", async () => {
    const { exitCode, stderr } = await runPolicies(["--external-id", ""]);
    expect(stderr).toBe(`cross-account-secrets policies: 3 mistakes:
  --role-arn, or --account-a and --role-name, must say which role of Account A reads the secret
  --caller-role-arn, or --account-b and --caller-role-name, must say which role of Account B assumes it
  --secret or --parameter must say what is read
`);
    expect(exitCode).toBe(2);
  });

  it.each<[string, readonly string[], RegExp]>([
    ["an unknown option", ["--secert", "s"], /unknown option '--secert'; did you mean --secret\?/],
    [
      "no region",
      README_ARGUMENTS.filter((word) => !/region|eu-west-1/.test(word)),
      /--region must say where my-shared-secret is/,
    ],
    [
      "a secret of another account",
      ["--secret", "arn:aws:secretsmanager:eu-west-1:333333333333:secret:s"],
      /must be in Account A, which is 111111111111; got arn:.*333333333333/,
    ],
    [
      "two partitions",
      ["--secret", "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:s"],
      /must be of one partition; got aws and aws-cn/,
    ],
    [
      "two accounts for one role",
      ["--account-a", "333333333333"],
      /--account-a must be what --role-arn says, or left out; got 333333333333 and 111111111111/,
    ],
    [
      "two names for one role",
      ["--caller-role-name", "other"],
      /--caller-role-name must be what --caller-role-arn says/,
    ],
    ["two paths for one role", ["--caller-role-name", "p/my-lambda-role"], /got \/p\/ and \//],
    ["--check without files", ["--check"], /--check must be followed by the files to check/],
    [
      "--check with the format of a template",
      ["--check", "x.json", "--format", "cli"],
      /--format must be json with --check; got "cli"/,
    ],
  ])("are %s", async (_, args, says) => {
    const { exitCode, stdout, stderr } = await runPolicies(
      args.includes("--role-arn") ? args : [...README_ARGUMENTS, ...args],
    );
    expect(stderr).toMatch(says);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  });

  it("include a name to check in an unknown account", async () => {
    const { stderr } = await runPolicies(["--check", "x.json", "--secret", "s", "--region", "eu-west-1"]);
    expect(stderr).toMatch(/--role-arn or --account-a must say which account has s/);
  });
});

describe("the help of policies", () => {
  it("names every option, and no other", async () => {
    const { exitCode, stdout } = await runPolicies(["--help"]);
    expect(exitCode).toBe(0);
    const named = new Set(stdout.match(/(?<=--)[a-z][a-z-]+/g));
    expect([...named].sort()).toEqual(Object.keys(OPTIONS).sort());
  });
});
