/** The policies that `policies` prints, evaluated by a policy engine: see scripts/setup/policy-engine.ts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { DocumentName } from "../../scripts/cli/policies/documents.ts";
import { runPolicies } from "../support/cli.ts";
import { policyEngine as engine, WITHOUT_POLICY_ENGINE } from "../support/policy-engine.ts";
import { faults, SETUP_ARGUMENTS } from "../support/policy-faults.ts";

const folder = mkdtempSync(join(tmpdir(), "policies-"));
afterAll(() => rmSync(folder, { recursive: true }));

type StatementFields = Readonly<Record<string, unknown>>;
interface PrintedDocument {
  readonly Version: string;
  readonly Statement: readonly StatementFields[];
}
type PrintedDocuments = Readonly<Record<DocumentName, PrintedDocument>>;

const print = async (args: readonly string[]): Promise<PrintedDocuments> =>
  JSON.parse((await runPolicies(args)).stdout);

/** The partition and region of a set-up, and the path of the function's role. */
interface PolicySetting {
  readonly partition: string;
  readonly region: string;
  readonly suffix: string;
  readonly path: string;
}
const DEFAULT_SETTING: PolicySetting = { partition: "aws", region: "eu-west-1", suffix: "amazonaws.com", path: "/" };
const SETTINGS: readonly PolicySetting[] = [
  DEFAULT_SETTING,
  { partition: "aws-cn", region: "cn-north-1", suffix: "amazonaws.com.cn", path: "/service-role/" },
  { partition: "aws-us-gov", region: "us-gov-west-1", suffix: "amazonaws.com", path: "/" },
];

interface AccessRequest {
  readonly by: { readonly account: string; readonly role: string };
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
  readonly identity: PrintedDocument;
  readonly resourcePolicy?: PrintedDocument;
}

const ALLOW_ALL = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
const NOTHING: PrintedDocument = { Version: "2012-10-17", Statement: [] };

/** An identifier that no role has. */
const NOBODY = "AROA00000000000000000";

/** Replaces every principal that is not exactly this role: AWS compares the path, and the engine does not. */
function replaceOtherRoles(arn: string, policy: PrintedDocument): PrintedDocument {
  const toPrincipal = (value: string) => (/:role\//.test(value) && value !== arn ? NOBODY : value);
  const Statement = policy.Statement.map((statement) => {
    const { AWS } = (statement.Principal ?? {}) as { AWS?: string };
    return AWS === undefined ? statement : { ...statement, Principal: { AWS: toPrincipal(AWS) } };
  });
  return { ...policy, Statement };
}

async function isAllowed({ partition }: PolicySetting, request: AccessRequest): Promise<boolean> {
  const { by, action, resource, context, identity, resourcePolicy } = request;
  const arn = `arn:${partition}:iam::${by.account}:role${by.role}`;
  const { overallResult, errors } = (await engine?.runSimulation(
    {
      request: {
        principal: `arn:${partition}:sts::${by.account}:assumed-role/${by.role.replace(/.*\//, "")}/session`,
        action,
        resource: { resource, accountId: resource.split(":")[4] || by.account },
        contextVariables: { "aws:PrincipalArn": arn, "aws:PrincipalAccount": by.account, ...context },
      },
      identityPolicies: identity.Statement.length === 0 ? [] : [{ name: "identity", policy: identity }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: resourcePolicy && replaceOtherRoles(arn, resourcePolicy),
    },
    {},
  )) ?? { errors: "no engine" };
  expect(errors).toBeUndefined();
  return overallResult === "Allowed";
}

/** The requests that the documents must allow, and those that they must not. */
function toRequests(setting: PolicySetting) {
  const { partition, region, suffix, path } = setting;
  const role = `arn:${partition}:iam::111111111111:role/SecretReader`;
  const secret = (name: string, where = region) =>
    `arn:${partition}:secretsmanager:${where}:111111111111:secret:${name}`;
  const key = `arn:${partition}:kms:${region}:111111111111:key/k`;
  const caller = { account: "222222222222", role: `${path}my-lambda-role` };
  const reader = { account: "111111111111", role: "/SecretReader" };
  const sent = { "aws:PrincipalOrgID": "o-exampleorgid", "sts:ExternalId": "partner-7", "aws:RequestedRegion": region };
  const { "sts:ExternalId": _, ...withoutId } = sent;
  const via = { "kms:ViaService": `secretsmanager.${region}.${suffix}` };
  const inRegion = { "aws:RequestedRegion": region };

  const assume =
    (by = caller, context: Readonly<Record<string, string>> = sent, action = "sts:AssumeRole") =>
    ({ callerPolicy, trustPolicy }: PrintedDocuments): AccessRequest => ({
      ...{ by, action, resource: role, context, resourcePolicy: trustPolicy },
      identity: by === caller ? callerPolicy : ALLOW_ALL,
    });
  const act =
    (action: string, resource: string) =>
    ({ permissionsPolicy }: PrintedDocuments): AccessRequest => ({
      ...{ by: reader, action, resource, context: inRegion, identity: permissionsPolicy },
    });
  /** The policy of a key is enough without permissions of the role. */
  const use =
    (by = reader, action = "kms:Decrypt", context: Readonly<Record<string, string>> = via, identity = NOTHING) =>
    ({ keyPolicy }: PrintedDocuments): AccessRequest => ({
      ...{ by, action, resource: key, context, identity, resourcePolicy: keyPolicy },
    });

  const allowed: Readonly<Record<string, (documents: PrintedDocuments) => AccessRequest>> = {
    "to assume the role": assume(),
    "to tag the session": assume(caller, { ...sent, "aws:RequestTag/team": "a" }, "sts:TagSession"),
    "to read the secret": act("secretsmanager:GetSecretValue", secret("my-shared-secret-AbCdEf")),
    "to use the key": use(),
    "to describe the key": use(reader, "kms:DescribeKey", {}),
  };
  const other = { account: "222222222222", role: "/other-role" };
  const denied: typeof allowed = {
    "another role to assume it": assume(other),
    "a role of another account to assume it": assume({ ...caller, account: "333333333333" }),
    "to assume it without the external ID": assume(caller, withoutId),
    "to assume it with another external ID": assume(caller, { ...sent, "sts:ExternalId": "partner-8" }),
    "to assume it from outside the organization": assume(caller, { ...sent, "aws:PrincipalOrgID": "o-anotherone1" }),
    "to set a source identity": assume(caller, { ...sent, "sts:SourceIdentity": "x" }, "sts:SetSourceIdentity"),
    "the caller to assume another role": ({ callerPolicy, trustPolicy }) => ({
      ...assume()({ callerPolicy, trustPolicy } as PrintedDocuments),
      resource: role.replace("SecretReader", "Another"),
    }),
    "to read another secret": act("secretsmanager:GetSecretValue", secret("my-shared-secret2-AbCdEf")),
    "to read a longer name": act("secretsmanager:GetSecretValue", secret("my-shared-secret-prod-AbCdEf")),
    "to read it in another region": act(
      "secretsmanager:GetSecretValue",
      secret("my-shared-secret-AbCdEf", "eu-central-1"),
    ),
    "to write the secret": act("secretsmanager:PutSecretValue", secret("my-shared-secret-AbCdEf")),
    "to read from S3": act("s3:GetObject", `arn:${partition}:s3:::a-bucket/secret`),
    "to read a parameter": act("ssm:GetParameter", `arn:${partition}:ssm:${region}:111111111111:parameter/app/host`),
    "another role to use the key": use({ ...reader, role: "/Other" }),
    "the caller to use the key": use(caller, "kms:Decrypt", via, ALLOW_ALL),
    "to encrypt with the key": use(reader, "kms:Encrypt"),
    "to decrypt data that is not a secret": ({ permissionsPolicy }) => ({
      ...{ by: reader, action: "kms:Decrypt", resource: key, context: { "kms:ViaService": `s3.${region}.${suffix}` } },
      ...{ identity: permissionsPolicy, resourcePolicy: DELEGATING(partition) },
    }),
  };
  return { allowed, denied };
}

/** The default policy of KMS, which leaves the decision to the policies of the account. */
const DELEGATING = (partition: string): PrintedDocument => ({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Principal: { AWS: `arn:${partition}:iam::111111111111:root` }, Action: "kms:*", Resource: "*" },
  ],
});

/** Returns the names of the requests that are not evaluated as intended. */
async function findWrong(documents: PrintedDocuments, setting = DEFAULT_SETTING): Promise<readonly string[]> {
  const { allowed, denied } = toRequests(setting);
  const wrong: string[] = [];
  for (const [name, toRequest] of Object.entries(allowed))
    if (!(await isAllowed(setting, toRequest(documents)))) wrong.push(name);
  for (const [name, toRequest] of Object.entries(denied))
    if (await isAllowed(setting, toRequest(documents))) wrong.push(name);
  return wrong;
}

interface PrintedCorrection {
  readonly statement?: number;
  readonly remove?: boolean;
  readonly add?: readonly StatementFields[];
}

/** Applies the corrections that the check prints. */
function applyCorrections(
  { Version, Statement }: PrintedDocument,
  findings: readonly PrintedCorrection[],
): PrintedDocument {
  const removed = findings.filter(({ remove }) => remove).map(({ statement }) => statement);
  const added = new Map(findings.flatMap(({ add = [] }) => add).map((one) => [JSON.stringify(one), one]));
  return { Version, Statement: [...Statement.filter((_, index) => !removed.includes(index + 1)), ...added.values()] };
}

async function checkDocument(
  documentName: DocumentName,
  document: PrintedDocument,
): Promise<readonly PrintedCorrection[]> {
  const file = join(folder, `${documentName}.json`);
  writeFileSync(file, JSON.stringify(document));
  return JSON.parse((await runPolicies([...SETUP_ARGUMENTS, "--check", file, "--format", "json"])).stdout).findings;
}

// One skipped test stands for all of them if the policy engine is not installed.
if (engine === undefined) it.skip(`the evaluation of printed policies ${WITHOUT_POLICY_ENGINE}`);
else describe("policies, evaluated by iam-simulate,", defineTests);

function defineTests(): void {
  it.each(SETTINGS.flatMap((setting) => ["role", "account"].map((principal) => ({ ...setting, principal }))))(
    "allow exactly the intended requests in $partition, with the $principal as principal",
    async ({ principal, ...setting }) => {
      const { partition, region, path } = setting;
      const documents = await print([
        ...["--account-a", "111111111111", "--role-name", "SecretReader", "--secret", "my-shared-secret"],
        ...["--caller-role-arn", `arn:${partition}:iam::222222222222:role${path}my-lambda-role`, "--region", region],
        ...["--organization-id", "o-exampleorgid", "--external-id", "partner-7", "--session-tags"],
        ...["--principal", principal],
      ]);
      expect(await findWrong(documents, setting)).toEqual([]);
    },
  );

  it.each(SETTINGS)("allow only the one role in $partition if its path is not known", async (setting) => {
    const { partition, region } = setting;
    const documents = await print([
      ...["--account-a", "111111111111", "--role-name", "SecretReader", "--secret", "my-shared-secret"],
      ...["--caller-role-arn", `arn:${partition}:sts::222222222222:assumed-role/my-lambda-role/session`],
      ...["--organization-id", "o-exampleorgid", "--external-id", "partner-7", "--session-tags", "--region", region],
    ]);
    for (const path of ["/", "/service-role/", "/a/b/"])
      expect(await findWrong(documents, { ...setting, path })).toEqual([]);
  });

  it.each(faults)(
    "are corrected by what the check prints for $name in the $documentName, which is wrong about $goesWrong",
    async (fault) => {
      const documents = await print(SETUP_ARGUMENTS);
      // JSON drops the elements that are undefined.
      const faulty: PrintedDocument = JSON.parse(
        JSON.stringify({ Version: "2012-10-17", Statement: fault.statements }),
      );
      expect(await findWrong({ ...documents, [fault.documentName]: faulty })).toContain(fault.goesWrong);
      const corrected = applyCorrections(faulty, await checkDocument(fault.documentName, faulty));
      expect(await findWrong({ ...documents, [fault.documentName]: corrected })).toEqual(fault.stillAllowed);
    },
  );
}
