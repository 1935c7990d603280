/** Mistakes on either side that make AssumeRole fail. */
import { it } from "vitest";
import { type Misconfiguration, misconfiguration } from "../support/misconfigurations.ts";
import { ALLOW_ALL, allow, deny, toPolicy, trust } from "../support/policy-documents.ts";
import { policyEngine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";
import { paste } from "../support/printed-remedies.ts";
import {
  FUNCTION_ACCOUNT,
  FUNCTION_ROLE_ARN,
  SECRET_NAME,
  SECRETS_ARN,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toFunctionEnvironment,
} from "../support/two-accounts.ts";

const ASSUME = "sts:AssumeRole";
const PATH_ROLE_ARN = `arn:aws:iam::${FUNCTION_ACCOUNT}:role/service-role/my-lambda-role`;
const MAY_READ = toPolicy(allow("secretsmanager:GetSecretValue", `${SECRETS_ARN}:${SECRET_NAME}-??????`));

const trusting =
  (...statements: Parameters<typeof toPolicy>) =>
  ({ aws }: TwoAccounts) =>
    aws.changeRole(TARGET_ROLE_ARN, { trustPolicy: toPolicy(...statements) });

const permitting =
  (...statements: Parameters<typeof toPolicy>) =>
  ({ aws }: TwoAccounts) =>
    aws.changeRole(FUNCTION_ROLE_ARN, { policies: [toPolicy(...statements)] });

/** All possible causes if AWS says only that AssumeRole is denied. */
const ALL_CAUSES = [
  `the trust policy of ${TARGET_ROLE_ARN} must trust the role my-lambda-role of account ${FUNCTION_ACCOUNT}`,
  "write the role's path, too (service-role/…)",
  "the trust policy shows AROA…",
  "If the trust policy requires an external ID",
  "aws:PrincipalOrgID",
  `a policy of the role my-lambda-role of account ${FUNCTION_ACCOUNT} must allow sts:AssumeRole`,
  `there is no role ${TARGET_ROLE_ARN}`,
  "a permissions boundary or a service control policy",
];

/** What a remedy says in place of the common causes, if session tags or a source identity are sent. */
const TAGS = ["CROSS_ACCOUNT_SECRETS_SESSION_TAGS", "sts:TagSession on both sides"];
const SOURCE_IDENTITY = ["CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY", "sts:SetSourceIdentity on both sides"];
const BY_EXTERNAL_ID = { StringEquals: { "sts:ExternalId": "for-team-b" } };
const SERVICE_CONTROL_POLICY = `a service control policy of the organization that applies to the account of the role my-lambda-role of account ${FUNCTION_ACCOUNT}`;

const rows: Misconfiguration[] = [
  {
    name: "the function's role may assume no role",
    change: ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { policies: [] }),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
  },
  {
    name: "the function's role may assume another role",
    change: permitting(allow(ASSUME, TARGET_ROLE_ARN.replace("Reader", "Writer"))),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
  },
  {
    name: "the target role trusts another role",
    change: trusting(trust(`arn:aws:iam::${FUNCTION_ACCOUNT}:role/another`, ASSUME)),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
  },
  {
    name: "the target role trusts another account",
    change: trusting(trust("arn:aws:iam::333333333333:root", ASSUME)),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
  },
  {
    name: "the target role trusts the function's role without its path",
    functionRoleArn: PATH_ROLE_ARN,
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME)),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
  },
  {
    name: "the target role requires an aws:PrincipalArn without the path",
    functionRoleArn: PATH_ROLE_ARN,
    change: trusting(
      trust(`arn:aws:iam::${FUNCTION_ACCOUNT}:root`, ASSUME, { ArnEquals: { "aws:PrincipalArn": FUNCTION_ROLE_ARN } }),
    ),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
  },
  {
    name: "the function's role was deleted and created again",
    change({ aws }) {
      aws.deleteRole(FUNCTION_ROLE_ARN);
      aws.createRole({ arn: FUNCTION_ROLE_ARN, policies: [toPolicy(allow(ASSUME, TARGET_ROLE_ARN))] });
    },
    environment: ({ aws }) => toFunctionEnvironment(aws.issueSession({ roleArn: FUNCTION_ROLE_ARN }), aws.url),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
  },
  {
    name: "there is no such target role",
    change: ({ aws }) => aws.deleteRole(TARGET_ROLE_ARN),
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
    repair(accounts, { statements = [] }) {
      accounts.aws.createRole({ arn: TARGET_ROLE_ARN, policies: [MAY_READ] });
      paste(accounts, statements);
    },
  },
  {
    name: "the target role trusts an organization, and the function's account is in another",
    change(accounts) {
      accounts.aws.changeAccount(FUNCTION_ACCOUNT, { organizationId: "o-another" });
      trusting(trust("*", ASSUME, { StringEquals: { "aws:PrincipalOrgID": "o-1234567890" } }))(accounts);
    },
    cause: "assume-role-denied",
    tells: ALL_CAUSES,
    repair: ({ aws }) => aws.changeAccount(FUNCTION_ACCOUNT, { organizationId: "o-1234567890" }),
  },
  {
    name: "the external ID is missing",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME, BY_EXTERNAL_ID)),
    cause: "assume-role-denied",
    tells: [...ALL_CAUSES, "set CROSS_ACCOUNT_SECRETS_EXTERNAL_ID"],
    repair: () => {},
    newEnvironment: { CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "for-team-b" },
  },
  {
    name: "the external ID is a different one",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME, BY_EXTERNAL_ID)),
    environment: { CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "for-team-c" },
    cause: "assume-role-denied",
    tells: [...ALL_CAUSES, "it must be for-team-c, which the extension sends"],
  },
  {
    name: "session tags are sent, and the target role's trust policy does not allow sts:TagSession",
    change: permitting(allow([ASSUME, "sts:TagSession"], TARGET_ROLE_ARN)),
    environment: { CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=payments" },
    cause: "tag-session-denied",
    tells: [...TAGS, ...ALL_CAUSES],
  },
  {
    name: "session tags are sent, and the function's role has no permission for sts:TagSession",
    change: trusting(trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:TagSession"])),
    environment: { CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=payments" },
    cause: "tag-session-denied",
    tells: [...TAGS, ...ALL_CAUSES],
  },
  {
    name: "session tags are sent with an external ID, and neither side allows sts:TagSession",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME, BY_EXTERNAL_ID)),
    environment: {
      CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=payments",
      CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "for-team-b",
    },
    cause: "tag-session-denied",
    tells: [...TAGS, "it must be for-team-b, which the extension sends"],
  },
  {
    name: "a source identity is sent, and the target role's trust policy does not allow sts:SetSourceIdentity",
    change: permitting(allow([ASSUME, "sts:SetSourceIdentity"], TARGET_ROLE_ARN)),
    environment: { CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY: "alice" },
    cause: "source-identity-denied",
    tells: [...SOURCE_IDENTITY, ...ALL_CAUSES],
  },
  {
    name: "a source identity is sent, and the function's role has no permission for sts:SetSourceIdentity",
    change: trusting(trust(FUNCTION_ROLE_ARN, [ASSUME, "sts:SetSourceIdentity"])),
    environment: { CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY: "alice" },
    cause: "source-identity-denied",
    tells: [...SOURCE_IDENTITY, ...ALL_CAUSES],
  },
  {
    name: "a policy of the function's role denies sts:AssumeRole",
    change: permitting(allow(ASSUME, TARGET_ROLE_ARN), deny("sts:*")),
    cause: "explicit-deny",
    tells: [`in a policy of the role my-lambda-role of account ${FUNCTION_ACCOUNT} matches`],
  },
  {
    name: "the target role's trust policy denies sts:AssumeRole",
    change: trusting(trust(FUNCTION_ROLE_ARN, ASSUME), {
      ...trust(`arn:aws:iam::${FUNCTION_ACCOUNT}:root`, ASSUME),
      Effect: "Deny",
    }),
    cause: "explicit-deny",
    tells: [`in the trust policy of ${TARGET_ROLE_ARN} matches`],
  },
  {
    name: "a service control policy of the function's account denies sts:AssumeRole",
    change: ({ aws }) =>
      aws.changeAccount(FUNCTION_ACCOUNT, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny(ASSUME))] }),
    cause: "explicit-deny",
    tells: [SERVICE_CONTROL_POLICY],
  },
  {
    name: "no service control policy of the function's account allows sts:AssumeRole",
    change: ({ aws }) =>
      aws.changeAccount(FUNCTION_ACCOUNT, { serviceControlPolicies: [toPolicy(allow("s3:*", "*"))] }),
    cause: "assume-role-denied",
    tells: [SERVICE_CONTROL_POLICY],
  },
  {
    name: "the function's role has a permissions boundary that does not allow sts:AssumeRole",
    change: ({ aws }) => aws.changeRole(FUNCTION_ROLE_ARN, { permissionsBoundary: toPolicy(allow("s3:*", "*")) }),
    cause: "assume-role-denied",
    tells: [`the permissions boundary of the role my-lambda-role of account ${FUNCTION_ACCOUNT} must allow it, too`],
  },
  {
    name: "the function's role has a permissions boundary that denies sts:AssumeRole",
    change: ({ aws }) =>
      aws.changeRole(FUNCTION_ROLE_ARN, { permissionsBoundary: toPolicy(allow("*", "*"), deny(ASSUME)) }),
    cause: "explicit-deny",
    tells: [`in the permissions boundary of the role my-lambda-role of account ${FUNCTION_ACCOUNT} matches`],
  },
  {
    name: "the policy of the VPC endpoint for STS does not allow sts:AssumeRole",
    change: ({ aws }) =>
      aws.changeEndpoint("sts", toPolicy({ ...allow("sts:GetCallerIdentity", "*"), Principal: "*" })),
    cause: "assume-role-denied",
    tells: ["the policy of the VPC endpoint must allow it, too"],
  },
];

// One skipped test stands for all rows if the policy engine is not installed.
if (policyEngine === undefined) it.skip(`the table of misconfigurations of AssumeRole ${WITHOUT_POLICY_ENGINE}`);
else for (const row of rows) misconfiguration("AssumeRole", row);
