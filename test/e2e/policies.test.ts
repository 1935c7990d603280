/** The output of `policies` for CloudFormation and Terraform, read by third-party parsers. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runPolicies } from "../support/cli.ts";
import { unavailable } from "./support/availability.ts";
import { runPythonTool, toJsonOfHcl } from "./support/python-tools.ts";

const folder = mkdtempSync(join(tmpdir(), "policies-"));
afterAll(() => rmSync(folder, { recursive: true }));

const PLACES = [
  { partition: "aws", region: "eu-west-1" },
  { partition: "aws-cn", region: "cn-north-1" },
  { partition: "aws-us-gov", region: "us-gov-west-1" },
];
const toArguments = ({ partition, region }: (typeof PLACES)[number]) => [
  ...["--role-arn", `arn:${partition}:iam::111111111111:role/readers/SecretReader`, "--secret", "my-shared-secret"],
  ...["--caller-role-arn", `arn:${partition}:sts::222222222222:assumed-role/my-lambda-role/session`],
  ...["--region", region],
  ...["--parameter", "/app/host", "--external-id", "2026-01-01", "--organization-id", "o-exampleorgid"],
  ...["--session-tags", "--key-arn", `arn:${partition}:kms:${region}:333333333333:key/k`],
];
const YAML_TO_JSON = "import yaml, json, sys; print(json.dumps(yaml.safe_load(sys.stdin)))";

describe.skipIf(unavailable)("policies", () => {
  it.each(PLACES)(
    "prints templates for $partition that pass cfn-lint and contain the same policies as its JSON output",
    async (place) => {
      const args = toArguments(place);
      const { trustPolicy, permissionsPolicy, callerPolicy } = JSON.parse((await runPolicies(args)).stdout);
      const [a, b] = await Promise.all(
        ["a", "b"].map(async (account) => {
          const { stdout } = await runPolicies([...args, "--format", "cloudformation", "--account", account]);
          const file = join(folder, `${place.partition}-${account}.yaml`);
          writeFileSync(file, stdout);
          expect(runPythonTool("cfn-lint", ["--regions", place.region, "--", file])).toBe("");
          return JSON.parse(runPythonTool("python3", ["-c", YAML_TO_JSON], stdout)).Resources;
        }),
      );
      expect(a.TargetRole.Properties.AssumeRolePolicyDocument).toEqual(trustPolicy);
      expect(a.TargetRole.Properties.Policies[0].PolicyDocument).toEqual(permissionsPolicy);
      expect(b.AssumeTargetRole.Properties.PolicyDocument).toEqual(callerPolicy);
    },
  );

  it.each(PLACES)(
    "prints Terraform's language for $partition with the same policies as its JSON output",
    async (place) => {
      const args = toArguments(place);
      const { trustPolicy, permissionsPolicy, callerPolicy } = JSON.parse((await runPolicies(args)).stdout);
      const { stdout } = await runPolicies([...args, "--format", "terraform"]);
      const { resource } = JSON.parse(toJsonOfHcl(stdout));
      const text = JSON.stringify(resource).replaceAll('\\"', '"');
      expect([...text.matchAll(/\$\{jsonencode\((.*?)\)\}/g)].map(([, value = ""]) => toDocument(value))).toEqual([
        trustPolicy,
        permissionsPolicy,
        callerPolicy,
      ]);
    },
  );
});

/** Converts an object in the parser's format. */
const toDocument = (hcl: string): unknown =>
  JSON.parse(hcl.replace(/("[^"]*"|\w+) = /g, (_, name: string) => `${name.startsWith('"') ? name : `"${name}"`}: `));
