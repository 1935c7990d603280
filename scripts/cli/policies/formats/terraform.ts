/** Resources for Terraform, and OpenTofu. Each account has a configuration, or a provider, of its own. Pure. */
import { type Account, type Documents, type PolicyDocument, toTitle } from "../documents.ts";
import { toRoleName, toRolePath, type WholeSetup } from "../setup.ts";
import { toComment } from "./comment.ts";
import { toAssignments, toHcl, toHclString } from "./hcl.ts";
import { BROKEN_LEVELS } from "./json.ts";
import { ASSUME_POLICY_NAME, READ_POLICY_NAME } from "./names.ts";

export function toTerraform(documents: Documents, setup: WholeSetup, accounts: readonly Account[]): string {
  return accounts
    .map((account) => (account === "a" ? toPartA(documents, setup) : toPartB(documents, setup)))
    .join("\n");
}

function toPartA(documents: Documents, setup: WholeSetup): string {
  const { roleArn } = setup;
  const path = toRolePath(roleArn);
  const role = toResource("aws_iam_role", "target", [
    ["name", toHclString(toRoleName(roleArn))],
    ...(path === "/" ? [] : [["path", toHclString(path)] as const]),
    ["assume_role_policy", toPolicy(documents.trustPolicy)],
  ]);
  const policy = toResource("aws_iam_role_policy", "read_secrets", [
    ["name", toHclString(READ_POLICY_NAME)],
    ["role", "aws_iam_role.target.id"],
    ["policy", toPolicy(documents.permissionsPolicy)],
  ]);
  const key = toComment(`${toTitle("keyPolicy", setup)}.
To be added to the policy of the aws_kms_key:
${documents.keyPolicy.Statement.map((statement) => toHcl(statement, 1, "")).join(",\n")}`);
  return `${toComment(toTitle("trustPolicy", setup))}${role}\n${toComment(toTitle("permissionsPolicy", setup))}${policy}\n${key}`;
}

function toPartB(documents: Documents, setup: WholeSetup): string {
  const policy = toResource("aws_iam_role_policy", "assume_target_role", [
    ["name", toHclString(ASSUME_POLICY_NAME)],
    ["role", toHclString(setup.caller.name)],
    ["policy", toPolicy(documents.callerPolicy)],
  ]);
  return `${toComment(toTitle("callerPolicy", setup))}${policy}`;
}

const toPolicy = (document: PolicyDocument): string => `jsonencode(${toHcl(document, BROKEN_LEVELS, "  ")})`;

const toResource = (type: string, name: string, members: readonly (readonly [string, string])[]): string =>
  `resource "${type}" "${name}" {\n${toAssignments(members, "  ")}\n}\n`;
