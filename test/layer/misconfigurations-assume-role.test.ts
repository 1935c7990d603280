/** What can be wrong before the role is assumed, on either side. */
import { it } from "vitest";
import { type Misconfiguration, misconfiguration } from "../support/misconfigurations.ts";
import { ALLOW_ALL, allow, deny, toPolicy, trust } from "../support/policy-documents.ts";
import { policyEngine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";
import { paste } from "../support/printed-remedies.ts";
import {
  FUNCTION_ROLE_ARN,
  SECRET_NAME,
  SECRETS_ARN,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toFunctionEnvironment,
} from "../support/two-accounts.ts";

const B = "222222222222";
const ASSUME = "sts:AssumeRole";
const PATH_ROLE_ARN = `arn:aws:iam::${B}:role/service-role/my-lambda-role`;
const MAY_READ = toPolicy(allow("secretsmanager:GetSecretValue", `${SECRETS_ARN}:${SECRET_NAME}-??????`));

const trusting =
  (...statements: Parameters<typeof toPolicy>) =>
  ({ aws }: TwoAccounts) =>
    aws.changeRole(TARGET_ROLE_ARN, { trustPolicy: toPolicy(...statements) });

const permitting =
  (...statements: Parameters<typeof toPolicy>) =>
  ({ aws }: TwoAccounts) =>
    aws.changeRole(FUNCTION_ROLE_ARN, { policies: [toPolicy(...statements)] });

/** All that it may be when AWS says no more than that it is denied. */
const EITHER_SIDE = [
  `the trust policy of ${TARGET_ROLE_ARN} must trust the role my-lambda-role of account ${B}`,
  "must have its path (service-role/…)",
  "it shows as AROA…",
  "an external ID, if it asks for one",
  "aws:PrincipalOrgID",
  `a policy of the role my-lambda-role of account ${B} must allow sts:AssumeRole`,
  `there is no role ${TARGET_ROLE_ARN}`,
  "a permissions boundary or a service control policy",
];

const rows: Misconfiguration[] = [
  {
    name: "the function's role may assume no role",
    change: ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [] }),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
  },
  {
    name: "the function's role may assume another role",
    change: permitting(allow(ASSUME, TARGET_ROLE_ARN.replace("Reader", "Writer"))),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
  },
  {
    name: "the target role trusts another role",
    change: trusting(trust(`arn:aws:iam::${B}:role/another`, ASSUME)),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
  },
  {
    name: "the target role trusts another account",
    change: trusting(trust("arn:aws:iam::333333333333:root", ASSUME)),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
  },
  {
    name: "the target role trusts the function's role without its path",
    functionRoleArn: PATH_ROLE_ARN,
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME)),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
  },
  {
    name: "the target role asks for an aws:PrincipalArn without the path",
    functionRoleArn: PATH_ROLE_ARN,
    change: trusting(trust(`arn:aws:iam::${B}:root`, ASSUME, { ArnEquals: { "aws:PrincipalArn": FUNCTION_ROLE_ARN } })),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
  },
  {
    name: "the function's role was deleted and created again",
    change({ aws }) {
      aws.deleteRole(FUNCTION_ROLE_ARN);
      aws.createRole({ arn: FUNCTION_ROLE_ARN, policies: [toPolicy(allow(ASSUME, TARGET_ROLE_ARN))] });
    },
    environment: ({ aws }) => toFunctionEnvironment(aws.issueSession({ roleArn: FUNCTION_ROLE_ARN }), aws.url),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
  },
  {
    name: "there is no such target role",
    change: ({ aws }) => aws.deleteRole(TARGET_ROLE_ARN),
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
    mend(accounts, { statements = [] }) {
      accounts.aws.createRole({ arn: TARGET_ROLE_ARN, policies: [MAY_READ] });
      paste(accounts, statements);
    },
  },
  {
    name: "the target role trusts an organization, and the function's account is in another",
    change(accounts) {
      accounts.aws.changeAccount(B, { organizationId: "o-another" });
      trusting(trust("*", ASSUME, { StringEquals: { "aws:PrincipalOrgID": "o-1234567890" } }))(accounts);
    },
    cause: "assume-role-denied",
    tells: EITHER_SIDE,
    mend: ({ aws }) => aws.changeAccount(B, { organizationId: "o-1234567890" }),
  },
  {
    name: "the external ID is missing",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME, { StringEquals: { "sts:ExternalId": "for-team-b" } })),
    cause: "assume-role-denied",
    tells: [...EITHER_SIDE, "is set with CROSS_ACCOUNT_SECRETS_EXTERNAL_ID"],
    mend: () => {},
    newEnvironment: { CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "for-team-b" },
  },
  {
    name: "the external ID is another",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME, { StringEquals: { "sts:ExternalId": "for-team-b" } })),
    environment: { CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "for-team-c" },
    cause: "assume-role-denied",
    tells: [...EITHER_SIDE, "must be for-team-c, which is sent"],
  },
  {
    name: "session tags are sent, and the target role does not trust the function's with sts:TagSession",
    change: permitting(allow([ASSUME, "sts:TagSession"], TARGET_ROLE_ARN)),
    environment: { CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=payments" },
    cause: "tag-session-denied",
    tells: ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS", "sts:TagSession on both sides", ...EITHER_SIDE],
  },
  {
    name: "session tags are sent, and the function's role may not sts:TagSession",
    change: trusting(trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:TagSession"])),
    environment: { CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=payments" },
    cause: "tag-session-denied",
    tells: ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS", "sts:TagSession on both sides", ...EITHER_SIDE],
  },
  {
    name: "session tags are sent with an external ID, and neither side allows sts:TagSession",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME, { StringEquals: { "sts:ExternalId": "for-team-b" } })),
    environment: {
      CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=payments",
      CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "for-team-b",
    },
    cause: "tag-session-denied",
    tells: ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS", "sts:TagSession on both sides", "must be for-team-b, which is sent"],
  },
  {
    name: "a source identity is sent, and the target role does not trust the function's with sts:SetSourceIdentity",
    change: permitting(allow([ASSUME, "sts:SetSourceIdentity"], TARGET_ROLE_ARN)),
    environment: { CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY: "alice" },
    cause: "source-identity-denied",
    tells: ["CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY", "sts:SetSourceIdentity on both sides", ...EITHER_SIDE],
  },
  {
    name: "a source identity is sent, and the function's role may not sts:SetSourceIdentity",
    change: trusting(trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:SetSourceIdentity"])),
    environment: { CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY: "alice" },
    cause: "source-identity-denied",
    tells: ["CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY", "sts:SetSourceIdentity on both sides", ...EITHER_SIDE],
  },
  {
    name: "a policy of the function's role denies it",
    change: permitting(allow(ASSUME, TARGET_ROLE_ARN), deny("sts:*")),
    cause: "explicit-deny",
    tells: [`in a policy of the role my-lambda-role of account ${B} matches`],
  },
  {
    name: "the target role's trust policy denies it",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME), { ...trust(`arn:aws:iam::${B}:root`, ASSUME), Effect: "Deny" }),
    cause: "explicit-deny",
    tells: [`in the trust policy of ${TARGET_ROLE_ARN} matches`],
  },
  {
    name: "a service control policy of the function's account denies it",
    change: ({ aws }) => aws.changeAccount(B, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny(ASSUME))] }),
    cause: "explicit-deny",
    tells: [
      `a service control policy of the organization that is in force for the account of the role my-lambda-role of account ${B}`,
    ],
  },
  {
    name: "no service control policy of the function's account allows it",
    change: ({ aws }) => aws.changeAccount(B, { serviceControlPolicies: [toPolicy(allow("s3:*", "*"))] }),
    cause: "assume-role-denied",
    tells: [
      `a service control policy of the organization that is in force for the account of the role my-lambda-role of account ${B}`,
    ],
  },
  {
    name: "the function's role has a boundary that does not allow it",
    change: ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { permissionsBoundary: toPolicy(allow("s3:*", "*")) }),
    cause: "assume-role-denied",
    tells: [`the permissions boundary of the role my-lambda-role of account ${B} must allow it, too`],
  },
  {
    name: "the function's role has a boundary that denies it",
    change: ({ aws }) =>
      aws.changeRole(FUNCTION_ROLE_ARN, { permissionsBoundary: toPolicy(allow("*", "*"), deny(ASSUME)) }),
    cause: "explicit-deny",
    tells: [`in the permissions boundary of the role my-lambda-role of account ${B} matches`],
  },
  {
    name: "the VPC endpoint for STS does not allow it",
    change: ({ aws }) =>
      aws.changeEndpoint("sts", toPolicy({ ...allow("sts:GetCallerIdentity", "*"), Principal: "*" })),
    cause: "assume-role-denied",
    tells: ["the policy of the VPC endpoint must allow it, too"],
  },
];

// One line for all that is left out where the engine cannot be had.
if (policyEngine === undefined) it.skip(`misconfigurations before the role is assumed ${WITHOUT_POLICY_ENGINE}`);
else for (const row of rows) misconfiguration("AssumeRole", row);
