/** Mistakes that make a read fail after AssumeRole: in permissions, the secret, its key, or parameters. */
import { it } from "vitest";
import { type Misconfiguration, misconfiguration } from "../support/misconfigurations.ts";
import { ALLOW_ALL, allow, deny, toKeyPolicy, toPolicy, trust } from "../support/policy-documents.ts";
import { policyEngine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";
import {
  IN_TARGET_ACCOUNT,
  REGION,
  SECRET_NAME,
  SECRETS_ARN,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
  type TwoAccounts,
} from "../support/two-accounts.ts";

const [READ, GET, DECRYPT] = ["secretsmanager:GetSecretValue", "ssm:GetParameter", "kms:Decrypt"];
const PARAMETER = "/app/host";
const PARAMETER_ARN = `arn:aws:ssm:${REGION}:${TARGET_ACCOUNT}:parameter`;
const ANY_SECRET_WITHOUT_SESSION_POLICY = {
  CROSS_ACCOUNT_SECRETS_ALLOW: "any",
  CROSS_ACCOUNT_SECRETS_SESSION_POLICY: "none",
};

const permitting =
  (...statements: Parameters<typeof toPolicy>) =>
  ({ aws }: TwoAccounts) =>
    aws.changeRole(TARGET_ROLE_ARN, { policies: [toPolicy(...statements)] });

/** Deletes the secret; `create` creates it again with the same name. */
const deleteSecret = ({ aws, secretArn }: TwoAccounts) => aws.deleteSecret(secretArn);
const create = ({ aws, canaries: [secretString = ""] }: TwoAccounts) =>
  aws.createSecret({ ...IN_TARGET_ACCOUNT, name: SECRET_NAME, secretString });

/** Encrypts the secret with a customer managed key that has this policy. */
const encrypting =
  (policy = toKeyPolicy(TARGET_ACCOUNT)) =>
  ({ aws, secretArn, canaries: [secretString = ""] }: TwoAccounts) => {
    const { arn: kmsKey } = aws.createKey({ ...IN_TARGET_ACCOUNT, policy });
    aws.deleteSecret(secretArn);
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name: SECRET_NAME, secretString, kmsKey });
    return kmsKey;
  };

const keyOf = ({ aws }: TwoAccounts) => aws.findSecret(SECRET_NAME, TARGET_ACCOUNT, REGION)?.kmsKey ?? "";

/** All possible causes if AWS says that no policy of the role allows the read. */
const DENIED = [
  `${TARGET_ROLE_ARN} must be allowed ${READ} on ${SECRET_NAME}`,
  "must end in -??????",
  `if nothing with that name is in account ${TARGET_ACCOUNT} and region ${REGION}`,
];
const KEY_DENIED = [
  `the policy of the KMS key of ${SECRET_NAME} must allow ${TARGET_ROLE_ARN} kms:Decrypt`,
  "the role's own permissions must",
];

const permissions: Misconfiguration[] = [
  {
    name: "the target role may read nothing",
    change: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { policies: [] }),
    cause: "get-secret-value-denied",
    tells: DENIED,
  },
  {
    name: "the permission is for the secret's ARN without the six characters",
    change: permitting(allow(READ, `${SECRETS_ARN}:${SECRET_NAME}`)),
    cause: "get-secret-value-denied",
    tells: DENIED,
  },
  {
    name: "the permission is for another region",
    change: permitting(allow(READ, `${SECRETS_ARN.replace(REGION, "us-east-1")}:${SECRET_NAME}-??????`)),
    cause: "get-secret-value-denied",
    tells: DENIED,
  },
  {
    name: "the permission is for another account",
    change: permitting(allow(READ, `${SECRETS_ARN.replace(TARGET_ACCOUNT, "222222222222")}:${SECRET_NAME}-??????`)),
    cause: "get-secret-value-denied",
    tells: DENIED,
  },
  {
    name: "a policy of the target role denies secretsmanager:*",
    change: permitting(allow(READ, "*"), deny("secretsmanager:*")),
    cause: "explicit-deny",
    tells: [`in a policy of ${TARGET_ROLE_ARN} matches`],
  },
  {
    name: "the target role has a permissions boundary that does not allow the read",
    change: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { permissionsBoundary: toPolicy(allow("s3:*", "*")) }),
    cause: "get-secret-value-denied",
    tells: [`the permissions boundary of ${TARGET_ROLE_ARN} must allow it, too`],
  },
  {
    name: "a service control policy of Account A denies Secrets Manager",
    change: ({ aws }) =>
      aws.changeAccount(TARGET_ACCOUNT, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny("secretsmanager:*"))] }),
    cause: "explicit-deny",
    tells: [`a service control policy of the organization that applies to the account of ${TARGET_ROLE_ARN} matches`],
  },
  {
    name: "the secret's own policy denies the read",
    change: ({ aws, secretArn }) =>
      aws.changeSecret(secretArn, {
        resourcePolicy: toPolicy({ ...trust(TARGET_ROLE_ARN, READ), Effect: "Deny", Resource: "*" }),
      }),
    cause: "explicit-deny",
    tells: [`the resource policy of ${SECRET_NAME}, or of its KMS key`],
  },
  {
    name: "the policy of the VPC endpoint for Secrets Manager does not allow the read",
    change: ({ aws }) =>
      aws.changeEndpoint("secretsmanager", toPolicy({ ...allow(READ, `${SECRETS_ARN}:other-*`), Principal: "*" })),
    cause: "get-secret-value-denied",
    tells: ["the policy of the VPC endpoint must allow it, too"],
  },
];

const secrets: Misconfiguration[] = [
  {
    name: "there is no secret of that name, and the role may read only that one",
    change: deleteSecret,
    cause: "get-secret-value-denied",
    tells: DENIED,
    repair: create,
  },
  {
    name: "there is no secret of that name, the role may read all, and the session only that one",
    change(accounts) {
      permitting(allow(READ, "*"))(accounts);
      deleteSecret(accounts);
    },
    cause: "get-secret-value-denied",
    tells: [
      "the session policy",
      "SECRET_IDS",
      `if nothing with that name is in account ${TARGET_ACCOUNT} and region ${REGION}`,
    ],
    repair: create,
  },
  {
    name: "there is no secret of that name, and the role and its session may read all",
    change(accounts) {
      permitting(allow(READ, "*"))(accounts);
      deleteSecret(accounts);
    },
    environment: ANY_SECRET_WITHOUT_SESSION_POLICY,
    cause: "secret-not-found",
    tells: [`check the name and the region ${REGION}`, `the account of ${TARGET_ROLE_ARN}`],
    repair: create,
  },
  {
    name: "the secret is in another region",
    change(accounts) {
      const { aws, canaries } = accounts;
      permitting(allow(READ, `arn:aws:secretsmanager:*:${TARGET_ACCOUNT}:secret:${SECRET_NAME}-??????`))(accounts);
      deleteSecret(accounts);
      aws.createSecret({
        ...IN_TARGET_ACCOUNT,
        region: "us-east-1",
        name: SECRET_NAME,
        secretString: canaries[0] ?? "",
      });
    },
    cause: "get-secret-value-denied",
    tells: DENIED,
    repair: () => {},
    newEnvironment: { CROSS_ACCOUNT_SECRETS_REGION: "us-east-1" },
  },
  {
    name: "the secret is marked for deletion",
    change: ({ aws, secretArn }) => aws.markForDeletion(secretArn),
    cause: "secret-deleted",
    tells: ["aws secretsmanager restore-secret"],
    repair: ({ aws, secretArn }) => aws.restoreSecret(secretArn),
  },
  {
    name: "the secret never got a value",
    change(accounts) {
      deleteSecret(accounts);
      accounts.aws.createSecret({ ...IN_TARGET_ACCOUNT, name: SECRET_NAME });
    },
    cause: "secret-version-not-found",
    tells: [`${SECRET_NAME} exists`, "AWSCURRENT", "aws secretsmanager put-secret-value"],
    repair({ aws, canaries: [secretString = ""] }) {
      aws.putSecretValue(aws.findSecret(SECRET_NAME, TARGET_ACCOUNT, REGION)?.arn ?? "", { secretString });
    },
  },
];

const keys: Misconfiguration[] = [
  {
    name: "the key's policy leaves the decision to the role's permissions, which lack kms:Decrypt",
    change: encrypting(),
    cause: "kms-denied",
    tells: KEY_DENIED,
  },
  {
    name: "the key's policy names another role, and does not rely on permissions",
    change(accounts) {
      const other = trust(`arn:aws:iam::${TARGET_ACCOUNT}:role/Other`, "kms:*");
      const key = encrypting(toPolicy({ ...other, Resource: "*" }))(accounts);
      permitting(allow(READ, "*"), allow(DECRYPT, key))(accounts);
    },
    cause: "kms-denied",
    tells: KEY_DENIED,
  },
  {
    name: "a service control policy of Account A denies KMS",
    change(accounts) {
      const key = encrypting()(accounts);
      permitting(allow(READ, "*"), allow(DECRYPT, key))(accounts);
      accounts.aws.changeAccount(TARGET_ACCOUNT, { serviceControlPolicies: [ALLOW_ALL, toPolicy(deny("kms:*"))] });
    },
    cause: "kms-denied",
    tells: [...KEY_DENIED, "service control policy"],
    repair: ({ aws }) => aws.changeAccount(TARGET_ACCOUNT, { serviceControlPolicies: [ALLOW_ALL] }),
  },
  {
    name: "the key is disabled",
    change(accounts) {
      const key = encrypting()(accounts);
      permitting(allow(READ, "*"), allow(DECRYPT, key))(accounts);
      accounts.aws.changeKey(key, { state: "disabled" });
    },
    cause: "kms-key-unusable",
    tells: ["aws kms enable-key"],
    repair: (accounts) => accounts.aws.changeKey(keyOf(accounts), { state: "enabled" }),
  },
  {
    name: "the key is scheduled for deletion",
    change(accounts) {
      const key = encrypting()(accounts);
      permitting(allow(READ, "*"), allow(DECRYPT, key))(accounts);
      accounts.aws.changeKey(key, { state: "pending deletion" });
    },
    cause: "kms-key-unusable",
    tells: ["aws kms cancel-key-deletion and then enable-key"],
    repair: (accounts) => accounts.aws.changeKey(keyOf(accounts), { state: "enabled" }),
  },
  {
    name: "the key's own material has expired, or was never imported",
    change(accounts) {
      const key = encrypting()(accounts);
      permitting(allow(READ, "*"), allow(DECRYPT, key))(accounts);
      accounts.aws.changeKey(key, { state: "pending import" });
    },
    cause: "kms-key-unusable",
    tells: ["aws kms import-key-material"],
    repair: (accounts) => accounts.aws.changeKey(keyOf(accounts), { state: "enabled" }),
  },
  {
    name: "the key was deleted",
    change(accounts) {
      const key = encrypting()(accounts);
      permitting(allow(READ, "*"), allow(DECRYPT, key))(accounts);
      accounts.aws.changeKey(key, { state: "deleted" });
    },
    cause: "kms-key-not-found",
    tells: ["was deleted", "aws secretsmanager update-secret --kms-key-id"],
    repair(accounts) {
      const { aws } = accounts;
      aws.deleteSecret(aws.findSecret(SECRET_NAME, TARGET_ACCOUNT, REGION)?.arn ?? "");
      create(accounts);
    },
  },
];

const parameters: Misconfiguration[] = [
  {
    name: "the ARN in the permission has two slashes",
    change(accounts) {
      accounts.aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value: "x" });
      permitting(allow(GET, `${PARAMETER_ARN}/${PARAMETER}`))(accounts);
    },
    cause: "get-parameter-denied",
    tells: [
      `${TARGET_ROLE_ARN} must be allowed ${GET} on ${PARAMETER}`,
      "one slash after parameter",
      "nothing with that name",
    ],
  },
  {
    name: "there is no such parameter",
    change: permitting(allow(GET, `${PARAMETER_ARN}${PARAMETER}`)),
    cause: "parameter-not-found",
    tells: ["check the name", `the region ${REGION}`, `the account of ${TARGET_ROLE_ARN}`],
    repair: ({ aws }) => aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value: "x" }),
  },
  {
    name: "the key's policy leaves the decision to the role's permissions, which lack kms:Decrypt",
    change(accounts) {
      const { aws } = accounts;
      const { arn: kmsKey } = aws.createKey({ ...IN_TARGET_ACCOUNT, policy: toKeyPolicy(TARGET_ACCOUNT) });
      aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value: "x", type: "SecureString", kmsKey });
      permitting(allow(GET, `${PARAMETER_ARN}${PARAMETER}`))(accounts);
    },
    cause: "kms-denied",
    tells: [`the policy of the KMS key of ${PARAMETER} must allow ${TARGET_ROLE_ARN} kms:Decrypt`],
    path: `/systemsmanager/parameters/get?name=${PARAMETER}&withDecryption=true`,
  },
  {
    name: "the parameter's key is disabled",
    change(accounts) {
      const { aws } = accounts;
      const { arn: kmsKey } = aws.createKey({ ...IN_TARGET_ACCOUNT, policy: toKeyPolicy(TARGET_ACCOUNT) });
      aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value: "x", type: "SecureString", kmsKey });
      permitting(allow([GET, DECRYPT], "*"))(accounts);
      aws.changeKey(kmsKey, { state: "disabled" });
    },
    cause: "kms-key-unusable",
    tells: ["aws kms enable-key"],
    path: `/systemsmanager/parameters/get?name=${PARAMETER}&withDecryption=true`,
    repair: ({ aws }) =>
      aws.changeKey(aws.findParameter(`${PARAMETER_ARN}${PARAMETER}`)?.kmsKey ?? "", { state: "enabled" }),
  },
  {
    name: "the parameter's key was deleted",
    change(accounts) {
      const { aws } = accounts;
      const { arn: kmsKey } = aws.createKey({ ...IN_TARGET_ACCOUNT, policy: toKeyPolicy(TARGET_ACCOUNT) });
      aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value: "x", type: "SecureString", kmsKey });
      permitting(allow([GET, DECRYPT], "*"))(accounts);
      aws.changeKey(kmsKey, { state: "deleted" });
    },
    cause: "kms-key-not-found",
    tells: ["was deleted", "aws ssm put-parameter --key-id"],
    path: `/systemsmanager/parameters/get?name=${PARAMETER}&withDecryption=true`,
    repair({ aws }) {
      aws.deleteParameter(`${PARAMETER_ARN}${PARAMETER}`);
      aws.createParameter({ ...IN_TARGET_ACCOUNT, name: PARAMETER, value: "x", type: "SecureString" });
    },
  },
];

// One skipped test stands for all rows if the policy engine is not installed.
if (policyEngine === undefined) it.skip(`the table of misconfigurations of reads ${WITHOUT_POLICY_ENGINE}`);
else {
  for (const row of permissions) misconfiguration("permissions", row);
  for (const row of secrets) misconfiguration("the secret", row);
  for (const row of keys) misconfiguration("the secret's KMS key", row);
  for (const row of parameters) {
    const path = `/systemsmanager/parameters/get?name=${PARAMETER}`;
    const environment = { CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: PARAMETER };
    misconfiguration("parameters", { path, environment, ...row });
  }
}
