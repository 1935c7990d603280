/** What `policies` prints for CloudFormation and Terraform, as parsers of others take it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findCounterparts, toPython } from "../../scripts/setup/end-to-end.ts";
import { runPolicies } from "../support/policies.ts";
import { unavailable } from "./support/availability.ts";

const folder = mkdtempSync(join(tmpdir(), "policies-"));
afterAll(() => rmSync(folder, { recursive: true }));

const places = [
  { partition: "aws", region: "eu-west-1" },
  { partition: "aws-cn", region: "cn-north-1" },
  { partition: "aws-us-gov", region: "us-gov-west-1" },
];
const toArguments = ({ partition, region }: (typeof places)[number]) => [
  ...["--role-arn", `arn:${partition}:iam::111111111111:role/readers/SecretReader`, "--secret", "my-shared-secret"],
  ...[
    "--caller-role-arn",
    `arn:${partition}:sts::222222222222:assumed-role/my-lambda-role/session`,
    "--region",
    region,
  ],
  ...["--parameter", "/app/host", "--external-id", "2026-01-01", "--organization-id", "o-exampleorgid"],
  ...["--session-tags", "--key-arn", `arn:${partition}:kms:${region}:333333333333:key/k`],
];
const toTool = (name: string) => join(dirname(toPython(findCounterparts()?.venv ?? "")), name);
const runPython = (script: string, input: string) =>
  JSON.parse(execFileSync(toTool("python3"), ["-c", script], { input, encoding: "utf8" }));

describe.skipIf(unavailable)("policies", () => {
  it.each(places)(
    "prints templates for $partition that cfn-lint has nothing against, with its own documents",
    async (place) => {
      const args = toArguments(place);
      const { trustPolicy, permissionsPolicy, callerPolicy } = JSON.parse((await runPolicies(args)).stdout);
      const [a, b] = await Promise.all(
        ["a", "b"].map(async (account) => {
          const { stdout } = await runPolicies([...args, "--format", "cloudformation", "--account", account]);
          const file = join(folder, `${place.partition}-${account}.yaml`);
          writeFileSync(file, stdout);
          expect(execFileSync(toTool("cfn-lint"), ["--regions", place.region, "--", file], { encoding: "utf8" })).toBe(
            "",
          );
          return runPython("import yaml, json, sys; print(json.dumps(yaml.safe_load(sys.stdin)))", stdout).Resources;
        }),
      );
      expect(a.TargetRole.Properties.AssumeRolePolicyDocument).toEqual(trustPolicy);
      expect(a.TargetRole.Properties.Policies[0].PolicyDocument).toEqual(permissionsPolicy);
      expect(b.AssumeTargetRole.Properties.PolicyDocument).toEqual(callerPolicy);
    },
  );

  it.each(places)("prints Terraform's language for $partition, with its own documents", async (place) => {
    const args = toArguments(place);
    const { trustPolicy, permissionsPolicy, callerPolicy } = JSON.parse((await runPolicies(args)).stdout);
    const { stdout } = await runPolicies([...args, "--format", "terraform"]);
    const { resource } = runPython("import hcl2, json, sys; print(json.dumps(hcl2.load(sys.stdin)))", stdout);
    const text = JSON.stringify(resource).replaceAll('\\"', '"');
    expect([...text.matchAll(/\$\{jsonencode\((.*?)\)\}/g)].map(([, value = ""]) => toDocument(value))).toEqual([
      trustPolicy,
      permissionsPolicy,
      callerPolicy,
    ]);
  });
});

/** From an object as the parser writes it. */
const toDocument = (hcl: string): unknown =>
  JSON.parse(hcl.replace(/("[^"]*"|\w+) = /g, (_, name: string) => `${name.startsWith('"') ? name : `"${name}"`}: `));
