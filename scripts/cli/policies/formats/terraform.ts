/** Resources for Terraform and OpenTofu. Each account has its own configuration or provider. Pure. */
import {
  type Account,
  type Documents,
  inlinePolicyNames,
  type PolicyDocument,
  toComment,
  toTitle,
} from "../documents.ts";
import { toRoleName, toRolePath, type WholeSetup } from "../setup.ts";
import { BROKEN_LEVELS, WIDTH_CHARACTERS } from "./json.ts";

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
    ["name", toHclString(inlinePolicyNames.permissionsPolicy)],
    ["role", "aws_iam_role.target.id"],
    ["policy", toPolicy(documents.permissionsPolicy)],
  ]);
  const key = toComment(`${toTitle("keyPolicy", setup)}.
Add to the policy of the aws_kms_key:
${documents.keyPolicy.Statement.map((statement) => toHcl(statement, 1, "")).join(",\n")}`);
  return `${toComment(toTitle("trustPolicy", setup))}${role}\n${toComment(toTitle("permissionsPolicy", setup))}${policy}\n${key}`;
}

function toPartB(documents: Documents, setup: WholeSetup): string {
  const policy = toResource("aws_iam_role_policy", "assume_target_role", [
    ["name", toHclString(inlinePolicyNames.callerPolicy)],
    ["role", toHclString(setup.caller.name)],
    ["policy", toPolicy(documents.callerPolicy)],
  ]);
  return `${toComment(toTitle("callerPolicy", setup))}${policy}`;
}

const toPolicy = (document: PolicyDocument): string => `jsonencode(${toHcl(document, BROKEN_LEVELS, "  ")})`;

const toResource = (type: string, name: string, members: readonly (readonly [string, string])[]): string =>
  `resource "${type}" "${name}" {\n${toAssignments(members, "  ")}\n}\n`;

/** Escapes `${` and `%{`, which begin a template in a quoted text. */
export const toHclString = (text: string): string => JSON.stringify(text).replace(/[$%](?=\{)/g, "$&$&");

const toHclKey = (name: string): string => (/^[A-Za-z][\w-]*$/.test(name) ? name : toHclString(name));

/** A value in the layout of `terraform fmt`. The first `broken` levels have a line for each member, whatever their length. */
export function toHcl(value: unknown, broken: number, indent: string): string {
  const line = toHclLine(value);
  if (typeof value !== "object" || value === null) return line;
  if (broken <= 0 && indent.length + line.length <= WIDTH_CHARACTERS) return line;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((member) => `${inner}${toHcl(member, broken - 1, inner)}`).join(",\n")}\n${indent}]`;
  }
  const members = Object.entries(value).map(([name, member]): [string, string] => [
    toHclKey(name),
    toHcl(member, broken - 1, inner),
  ]);
  return `{\n${toAssignments(members, inner)}\n${indent}}`;
}

/** Aligns the equals signs of adjacent lines. A value of several lines is adjacent to none. */
export function toAssignments(members: readonly (readonly [string, string])[], indent: string): string {
  const isLong = ([, value]: readonly [string, string]) => value.includes("\n");
  return members
    .map((member, index) => {
      if (isLong(member)) return `${indent}${member[0]} = ${member[1]}`;
      const start = members.slice(0, index).findLastIndex(isLong) + 1;
      const end = members.findIndex((other, at) => at > index && isLong(other));
      const neighbours = members.slice(start, end === -1 ? undefined : end);
      const width = Math.max(...neighbours.map(([name]) => name.length));
      return `${indent}${member[0].padEnd(width)} = ${member[1]}`;
    })
    .join("\n");
}

function toHclLine(value: unknown): string {
  if (typeof value === "string") return toHclString(value);
  if (Array.isArray(value)) return `[${value.map(toHclLine).join(", ")}]`;
  return `{ ${Object.entries(value as object)
    .map(([name, member]) => `${toHclKey(name)} = ${toHclLine(member)}`)
    .join(", ")} }`;
}
