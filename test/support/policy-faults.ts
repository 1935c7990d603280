/** Policy documents with one typical mistake each, which `policies --check` must find. */
import type { DocumentName } from "../../scripts/cli/policies/documents.ts";

const ROLE = "arn:aws:iam::111111111111:role/SecretReader";
const CALLER = "arn:aws:iam::222222222222:role/my-lambda-role";
const SECRET = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-shared-secret";

/** The intended set-up: the guide's, with an external ID and session tags. */
export const SETUP_ARGUMENTS = [
  ...["--role-arn", ROLE, "--caller-role-arn", CALLER, "--secret", "my-shared-secret", "--region", "eu-west-1"],
  ...["--organization-id", "o-exampleorgid", "--external-id", "partner-7", "--session-tags"],
];

type FaultyFields = Readonly<Record<string, unknown>>;
interface PolicyFault {
  readonly name: string;
  readonly documentName: DocumentName;
  readonly statements: readonly FaultyFields[];
  readonly severity: "missing" | "too wide";
  readonly says: RegExp;
  /** The name of a request that is evaluated wrongly: test/integration/policies.test.ts defines these requests. */
  readonly goesWrong: string;
  /** The requests that are still allowed after the repair, because statements for others are not changed. */
  readonly stillAllowed: readonly string[];
}

const org = { "aws:PrincipalOrgID": "o-exampleorgid" };
const externalId = { "sts:ExternalId": "partner-7" };
const trusted: FaultyFields = {
  ...{ Effect: "Allow", Principal: { AWS: CALLER }, Action: "sts:AssumeRole" },
  Condition: { StringEquals: { ...org, ...externalId } },
};
/** sts:TagSession is evaluated without an external ID. */
const tagged: FaultyFields = { ...trusted, Action: "sts:TagSession", Condition: { StringEquals: org } };
const read: FaultyFields = { Effect: "Allow", Action: "secretsmanager:GetSecretValue", Resource: `${SECRET}-??????` };
const key: FaultyFields = {
  ...{ Effect: "Allow", Principal: { AWS: ROLE } },
  ...{ Action: ["kms:Decrypt", "kms:DescribeKey"], Resource: "*" },
};
const assume: FaultyFields = { Effect: "Allow", Action: ["sts:AssumeRole", "sts:TagSession"], Resource: ROLE };

const trusting = (principal: string) => [trusted, tagged].map((one) => ({ ...one, Principal: { AWS: principal } }));
const onCondition = (condition: object) => [{ ...trusted, Condition: condition }, tagged];

const TRUST_POLICY_FAULTS: readonly (readonly [
  string,
  readonly FaultyFields[],
  PolicyFault["severity"],
  RegExp,
  string,
  string?,
])[] = [
  [
    "a principal without its path",
    trusting("arn:aws:iam::222222222222:role/other-path/my-lambda-role"),
    "missing",
    /does not have the path/,
    "to assume the role",
  ],
  [
    "a principal without an account",
    trusting("arn:aws:iam:::role/my-lambda-role"),
    "missing",
    /of account none, not 222222222222/,
    "to assume the role",
  ],
  [
    "a principal of another account",
    trusting("arn:aws:iam::333333333333:role/my-lambda-role"),
    "missing",
    /of account 333333333333, not 222222222222/,
    "to assume the role",
  ],
  [
    "a principal of another partition",
    trusting("arn:aws-cn:iam::222222222222:role/my-lambda-role"),
    "missing",
    /of partition aws-cn, not aws/,
    "to assume the role",
  ],
  ["a principal that is gone", trusting("AROAEXAMPLEEXAMPLE123"), "missing", /was deleted/, "to assume the role"],
  ["everyone as the principal", trusting("*"), "too wide", /trusts everyone/, "another role to assume it"],
  [
    "the whole account as the principal",
    trusting("arn:aws:iam::222222222222:root"),
    "too wide",
    /trusts all roles and users in arn:aws:iam::222222222222:root/,
    "another role to assume it",
  ],
  [
    "a pattern of callers",
    [
      {
        ...{ ...trusted, Principal: { AWS: "arn:aws:iam::222222222222:root" } },
        Condition: {
          ...{ StringEquals: { ...org, ...externalId } },
          ArnLike: { "aws:PrincipalArn": "arn:aws:iam::222222222222:role/*" },
        },
      },
      tagged,
    ],
    "too wide",
    /trusts all roles and users in/,
    "another role to assume it",
  ],
  [
    "NotPrincipal in an Allow",
    [{ ...trusted, Principal: undefined, NotPrincipal: { AWS: "arn:aws:iam::333333333333:root" } }, tagged],
    "too wide",
    /NotPrincipal/,
    "another role to assume it",
  ],
  [
    "another external ID",
    onCondition({ StringEquals: { ...org, "sts:ExternalId": "partner-8" } }),
    "missing",
    /asks for sts:ExternalId partner-8 \(StringEquals\), but it is partner-7/,
    "to assume the role",
  ],
  [
    "no external ID",
    onCondition({ StringEquals: org }),
    "too wide",
    /does not require sts:ExternalId/,
    "to assume it without the external ID",
  ],
  [
    "an external ID only if one is sent",
    onCondition({ StringEquals: org, StringEqualsIfExists: externalId }),
    "too wide",
    /does not require sts:ExternalId/,
    "to assume it without the external ID",
  ],
  [
    "another organization",
    onCondition({ StringEquals: { ...externalId, "aws:PrincipalOrgID": "o-anotherone1" } }),
    "missing",
    /asks for aws:PrincipalOrgID o-anotherone1/,
    "to assume the role",
  ],
  [
    "the organization negated",
    onCondition({ StringEquals: externalId, StringNotEquals: org }),
    "missing",
    /\(StringNotEquals\)/,
    "to assume the role",
  ],
  [
    "the organization as if it were an ARN",
    onCondition({ StringEquals: externalId, ArnEquals: org }),
    "missing",
    /\(ArnEquals\)/,
    "to assume the role",
  ],
  [
    "a pattern of organizations",
    onCondition({ StringEquals: externalId, StringLike: { "aws:PrincipalOrgID": "o-*" } }),
    "too wide",
    /does not require aws:PrincipalOrgID/,
    "to assume it from outside the organization",
  ],
  [
    "multi-factor authentication",
    onCondition({ ...(trusted.Condition as object), Bool: { "aws:MultiFactorAuthPresent": "true" } }),
    "missing",
    /aws:MultiFactorAuthPresent true \(Bool\), but there is none/,
    "to assume the role",
  ],
  [
    "tags without sts:TagSession",
    [trusted],
    "missing",
    /sts:TagSession is not allowed: statement 1 does not have sts:TagSession/,
    "to tag the session",
  ],
  [
    "tags under the external ID",
    [{ ...trusted, Action: ["sts:AssumeRole", "sts:TagSession"] }],
    "missing",
    /sts:TagSession is not allowed: statement 1 asks for sts:ExternalId partner-7 \(StringEquals\), but there is none/,
    "to tag the session",
  ],
  [
    "a Deny",
    [trusted, tagged, { Effect: "Deny", Principal: { AWS: "arn:aws:iam::222222222222:root" }, Action: "sts:*" }],
    "missing",
    /statement 3 denies sts:AssumeRole, which overrides every Allow/,
    "to assume the role",
  ],
];

const PERMISSIONS_POLICY_FAULTS: typeof TRUST_POLICY_FAULTS = [
  [
    "a secret without the six characters",
    [{ ...read, Resource: SECRET }],
    "missing",
    /without the six characters/,
    "to read the secret",
  ],
  [
    "a secret of another region",
    [{ ...read, Resource: `${SECRET}-??????`.replace("eu-west-1", "us-east-1") }],
    "missing",
    /of region us-east-1, not eu-west-1/,
    "to read the secret",
  ],
  [
    "a secret of another account",
    [{ ...read, Resource: `${SECRET}-??????`.replace("111111111111", "222222222222") }],
    "missing",
    /of account 222222222222, not 111111111111/,
    "to read the secret",
  ],
  [
    "a secret of another partition",
    [{ ...read, Resource: `${SECRET}-??????`.replace("arn:aws:", "arn:aws-us-gov:") }],
    "missing",
    /of partition aws-us-gov, not aws/,
    "to read the secret",
  ],
  [
    "a secret of five characters",
    [{ ...read, Resource: `${SECRET}-?????` }],
    "missing",
    /is not/,
    "to read the secret",
  ],
  [
    "every secret",
    [{ ...read, Resource: "*" }],
    "too wide",
    /allows \*, which is more than one/,
    "to read another secret",
  ],
  [
    "every name with the same beginning",
    [{ ...read, Resource: `${SECRET}*` }],
    "too wide",
    /which is more than one/,
    "to read another secret",
  ],
  [
    "every action on the secret",
    [{ ...read, Action: "secretsmanager:*" }],
    "too wide",
    /every action of secretsmanager:\*/,
    "to write the secret",
  ],
  [
    "writing the secret",
    [{ ...read, Action: ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"] }],
    "too wide",
    /allows secretsmanager:PutSecretValue/,
    "to write the secret",
  ],
  [
    "every action of another service",
    [read, { Effect: "Allow", Action: "s3:*", Resource: "*" }],
    "too wide",
    /statement 2 allows s3:\*, which is not needed for reading/,
    "to read from S3",
  ],
  [
    "NotAction in an Allow",
    [{ ...read, Action: undefined, NotAction: "secretsmanager:DeleteSecret" }],
    "too wide",
    /NotAction/,
    "to write the secret",
  ],
  [
    "NotResource in an Allow",
    [{ ...read, Resource: undefined, NotResource: `${SECRET}-prod-??????` }],
    "too wide",
    /NotResource/,
    "to read another secret",
  ],
  [
    "another action",
    [{ ...read, Action: "secretsmanager:DescribeSecret" }],
    "missing",
    /does not have secretsmanager:GetSecretValue/,
    "to read the secret",
  ],
  [
    "a Deny in another region",
    [
      read,
      {
        ...{ Effect: "Deny", Action: "*", Resource: "*" },
        Condition: { StringNotEquals: { "aws:RequestedRegion": "us-east-1" } },
      },
    ],
    "missing",
    /statement 2 denies/,
    "to read the secret",
  ],
  [
    "every key",
    [read, { Effect: "Allow", Action: "kms:Decrypt", Resource: "*" }],
    "too wide",
    /lets it decrypt anything/,
    "to decrypt data that is not a secret",
  ],
];

const KEY_POLICY_FAULTS: typeof TRUST_POLICY_FAULTS = [
  ["no kms:Decrypt", [{ ...key, Action: "kms:DescribeKey" }], "missing", /does not have kms:Decrypt/, "to use the key"],
  [
    "another role as the principal",
    [{ ...key, Principal: { AWS: "arn:aws:iam::111111111111:role/Other" } }],
    "missing",
    /names arn:aws:iam::111111111111:role\/Other, not/,
    "to use the key",
    "another role to use the key",
  ],
  [
    "only the account, and the role's permissions do not allow it",
    [{ ...key, Principal: { AWS: "arn:aws:iam::111111111111:root" }, Action: "kms:*" }],
    "missing",
    /delegates to the role's own permissions/,
    "to use the key",
  ],
  [
    "the service of another partition",
    [{ ...key, Condition: { StringEquals: { "kms:ViaService": "secretsmanager.cn-north-1.amazonaws.com.cn" } } }],
    "missing",
    /but it is secretsmanager\.eu-west-1\.amazonaws\.com/,
    "to use the key",
  ],
  ["everyone as the principal", [{ ...key, Principal: "*" }], "too wide", /everyone/, "another role to use the key"],
  ["every action", [{ ...key, Action: "kms:*" }], "too wide", /allows kms:\*/, "to encrypt with the key"],
];

const CALLER_POLICY_FAULTS: typeof TRUST_POLICY_FAULTS = [
  [
    "every role",
    [{ ...assume, Resource: "*" }],
    "too wide",
    /every role that matches .* and trusts it/,
    "the caller to assume another role",
  ],
  [
    "every role of the account",
    [{ ...assume, Resource: "arn:aws:iam::111111111111:role/*" }],
    "too wide",
    /every role that matches .* and trusts it/,
    "the caller to assume another role",
  ],
  [
    "a role of another account",
    [{ ...assume, Resource: "arn:aws:iam::222222222222:role/SecretReader" }],
    "missing",
    /of account 222222222222, not 111111111111/,
    "to assume the role",
  ],
  [
    "tags without sts:TagSession",
    [{ ...assume, Action: "sts:AssumeRole" }],
    "missing",
    /sts:TagSession is not allowed/,
    "to tag the session",
  ],
];

export const faults: readonly PolicyFault[] = Object.entries({
  trustPolicy: TRUST_POLICY_FAULTS,
  permissionsPolicy: PERMISSIONS_POLICY_FAULTS,
  keyPolicy: KEY_POLICY_FAULTS,
  callerPolicy: CALLER_POLICY_FAULTS,
}).flatMap(([documentName, rows]) =>
  rows.map(([name, statements, severity, says, goesWrong, left]) => ({
    ...{ name, documentName: documentName as DocumentName, statements, severity, says, goesWrong },
    stillAllowed: left === undefined ? [] : [left],
  })),
);
