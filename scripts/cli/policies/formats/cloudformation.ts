/** Templates for AWS CloudFormation: each account has its own. Pure. */
import { type Account, type Documents, toTitle } from "../documents.ts";
import { toAccount, toRoleName, toRolePath, type WholeSetup } from "../setup.ts";
import { toComment } from "./comment.ts";
import { ASSUME_POLICY_NAME, READ_POLICY_NAME } from "./names.ts";
import { toYaml } from "./yaml.ts";

/** For both accounts, one behind the other. */
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
          Policies: [{ PolicyName: READ_POLICY_NAME, PolicyDocument: documents.permissionsPolicy }],
        },
      },
    },
    Outputs: { RoleArn: { Value: { "Fn::GetAtt": ["TargetRole", "Arn"] } } },
  };
  return `${toText(template)}${toComment(`${toTitle("keyPolicy", setup)}.
To be added to the KeyPolicy of the template that has the key:
${toYaml(documents.keyPolicy.Statement).trimStart()}`)}`;
}

function toTemplateB(documents: Documents, { caller, roleArn }: WholeSetup): string {
  return toText({
    AWSTemplateFormatVersion: "2010-09-09",
    Description: `Account B ${caller.accountId}: lets the role ${caller.name} assume ${roleArn}`,
    Resources: {
      AssumeTargetRole: {
        Type: "AWS::IAM::Policy",
        Properties: {
          PolicyName: ASSUME_POLICY_NAME,
          PolicyDocument: documents.callerPolicy,
          Roles: [caller.name],
        },
      },
    },
  });
}

const toText = (template: object): string => `${toYaml(template).trimStart()}\n`;
