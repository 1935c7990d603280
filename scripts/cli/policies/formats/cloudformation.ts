/** Templates for AWS CloudFormation, one for each account. Pure. */
import { type Account, type Documents, inlinePolicyNames, toComment, toTitle } from "../documents.ts";
import { toAccount, toRoleName, toRolePath, type WholeSetup } from "../setup.ts";

/** The templates of the accounts, one after the other. */
export function toCloudFormation(documents: Documents, setup: WholeSetup, accounts: readonly Account[]): string {
  const templates = accounts.map((account) =>
    account === "a" ? toTemplateA(documents, setup) : toTemplateB(documents, setup),
  );
  return templates.join("\n---\n");
}

function toTemplateA(documents: Documents, setup: WholeSetup): string {
  const { roleArn, caller } = setup;
  const role = toRoleName(roleArn);
  const template = {
    AWSTemplateFormatVersion: "2010-09-09",
    Description: `Account A ${toAccount(roleArn)}: the role ${role}, which ${caller.name} of account ${caller.accountId} assumes to read secrets`,
    Resources: {
      TargetRole: {
        Type: "AWS::IAM::Role",
        Properties: {
          RoleName: role,
          Path: toRolePath(roleArn),
          AssumeRolePolicyDocument: documents.trustPolicy,
          Policies: [{ PolicyName: inlinePolicyNames.permissionsPolicy, PolicyDocument: documents.permissionsPolicy }],
        },
      },
    },
    Outputs: { RoleArn: { Value: { "Fn::GetAtt": ["TargetRole", "Arn"] } } },
  };
  return `${toTemplateText(template)}${toComment(`${toTitle("keyPolicy", setup)}.
Add to the KeyPolicy of the template that has the key:
${toYaml(documents.keyPolicy.Statement).trimStart()}`)}`;
}

function toTemplateB(documents: Documents, { caller, roleArn }: WholeSetup): string {
  return toTemplateText({
    AWSTemplateFormatVersion: "2010-09-09",
    Description: `Account B ${caller.accountId}: lets the role ${caller.name} assume ${roleArn}`,
    Resources: {
      AssumeTargetRole: {
        Type: "AWS::IAM::Policy",
        Properties: {
          PolicyName: inlinePolicyNames.callerPolicy,
          PolicyDocument: documents.callerPolicy,
          Roles: [caller.name],
        },
      },
    },
  });
}

const toTemplateText = (template: object): string => `${toYaml(template).trimStart()}\n`;

/** Text that YAML 1.1 does not read as a number, a date or one of its own words. */
const PLAIN = /^(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z](?:[\w./:@+=,-]*[\w./@+=,-])?$/i;

/** As much of YAML as the templates need. */
export function toYaml(value: unknown, indent = ""): string {
  if (typeof value === "string") return PLAIN.test(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) {
    return value.map((member) => `\n${indent}- ${toYaml(member, `${indent}  `).trimStart()}`).join("");
  }
  return Object.entries(value as object)
    .map(([name, member]) => {
      const text = toYaml(member, `${indent}  `);
      return `\n${indent}${toYaml(name)}:${text.startsWith("\n") ? "" : " "}${text}`;
    })
    .join("");
}
