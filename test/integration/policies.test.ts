/** What `policies` prints, as an engine of others and a shell take it: see scripts/setup/policy-engine.ts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { DocumentKind } from "../../scripts/cli/policies/documents.ts";
import { findPolicyEngine } from "../../scripts/setup/policy-engine.ts";
import { runPolicies } from "../support/cli.ts";
import { faults, SETUP_ARGUMENTS } from "../support/policy-faults.ts";

/** As much of the engine's interface as is used here: where it is not installed, its own types are not either. */
interface Engine {
  runSimulation(simulation: object, options: object): Promise<{ readonly overallResult?: string; errors?: unknown }>;
}
const at = findPolicyEngine();
const engine: Engine | undefined = at === undefined ? undefined : await import(at);

const folder = mkdtempSync(join(tmpdir(), "policies-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Fields = Readonly<Record<string, unknown>>;
interface Document {
  readonly Version: string;
  readonly Statement: readonly Fields[];
}
type Documents = Readonly<Record<DocumentKind, Document>>;

const print = async (args: readonly string[]): Promise<Documents> => JSON.parse((await runPolicies(args)).stdout);

/** Where all this is. */
interface Place {
  readonly partition: string;
  readonly region: string;
  readonly suffix: string;
  readonly path: string;
}
const HOME: Place = { partition: "aws", region: "eu-west-1", suffix: "amazonaws.com", path: "/" };
const PLACES: readonly Place[] = [
  HOME,
  { partition: "aws-cn", region: "cn-north-1", suffix: "amazonaws.com.cn", path: "/service-role/" },
  { partition: "aws-us-gov", region: "us-gov-west-1", suffix: "amazonaws.com", path: "/" },
];

interface Wish {
  readonly by: { readonly account: string; readonly role: string };
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
  readonly identity: Document;
  readonly resourcePolicy?: Document;
}

const ALLOW_ALL = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
const NOTHING: Document = { Version: "2012-10-17", Statement: [] };

/** An identifier that no role has. */
const NOBODY = "AROA00000000000000000";

/** The engine does not look at a role's path, and AWS does: a principal that is not this role to the letter is another. */
function asMetBy(arn: string, policy: Document): Document {
  const toMet = (value: string) => (/:role\//.test(value) && value !== arn ? NOBODY : value);
  const Statement = policy.Statement.map((statement) => {
    const { AWS } = (statement.Principal ?? {}) as { AWS?: string };
    return AWS === undefined ? statement : { ...statement, Principal: { AWS: toMet(AWS) } };
  });
  return { ...policy, Statement };
}

async function isAllowed({ partition }: Place, wish: Wish): Promise<boolean> {
  const { by, action, resource, context, identity, resourcePolicy } = wish;
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
      resourcePolicy: resourcePolicy && asMetBy(arn, resourcePolicy),
    },
    {},
  )) ?? { errors: "no engine" };
  expect(errors).toBeUndefined();
  return overallResult === "Allowed";
}

/** All that is asked of the documents: what is meant to be allowed, and what is not. */
function toRequests(place: Place) {
  const { partition, region, suffix, path } = place;
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
    ({ callerPolicy, trustPolicy }: Documents): Wish => ({
      ...{ by, action, resource: role, context, resourcePolicy: trustPolicy },
      identity: by === caller ? callerPolicy : ALLOW_ALL,
    });
  const act =
    (action: string, resource: string) =>
    ({ permissionsPolicy }: Documents): Wish => ({
      ...{ by: reader, action, resource, context: inRegion, identity: permissionsPolicy },
    });
  /** A key's policy is enough without any permissions. */
  const use =
    (by = reader, action = "kms:Decrypt", context: Readonly<Record<string, string>> = via, identity = NOTHING) =>
    ({ keyPolicy }: Documents): Wish => ({
      ...{ by, action, resource: key, context, identity, resourcePolicy: keyPolicy },
    });

  const allowed: Readonly<Record<string, (documents: Documents) => Wish>> = {
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
      ...assume()({ callerPolicy, trustPolicy } as Documents),
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
    "to decrypt what is no secret": ({ permissionsPolicy }) => ({
      ...{ by: reader, action: "kms:Decrypt", resource: key, context: { "kms:ViaService": `s3.${region}.${suffix}` } },
      ...{ identity: permissionsPolicy, resourcePolicy: DELEGATING(partition) },
    }),
  };
  return { allowed, denied };
}

/** As KMS makes it: it leaves the decision to the account's policies. */
const DELEGATING = (partition: string): Document => ({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Principal: { AWS: `arn:${partition}:iam::111111111111:root` }, Action: "kms:*", Resource: "*" },
  ],
});

/** The names of what does not come out as it is meant. */
async function findWrong(documents: Documents, place = HOME): Promise<readonly string[]> {
  const { allowed, denied } = toRequests(place);
  const wrong: string[] = [];
  for (const [name, toWish] of Object.entries(allowed))
    if (!(await isAllowed(place, toWish(documents)))) wrong.push(name);
  for (const [name, toWish] of Object.entries(denied)) if (await isAllowed(place, toWish(documents))) wrong.push(name);
  return wrong;
}

interface Finding {
  readonly statement?: number;
  readonly remove?: boolean;
  readonly add?: readonly Fields[];
}

/** Does what the findings say. */
function mend({ Version, Statement }: Document, findings: readonly Finding[]): Document {
  const removed = findings.filter(({ remove }) => remove).map(({ statement }) => statement);
  const added = new Map(findings.flatMap(({ add = [] }) => add).map((one) => [JSON.stringify(one), one]));
  return { Version, Statement: [...Statement.filter((_, index) => !removed.includes(index + 1)), ...added.values()] };
}

async function findAll(kind: DocumentKind, document: Document): Promise<readonly Finding[]> {
  const file = join(folder, `${kind}.json`);
  writeFileSync(file, JSON.stringify(document));
  return JSON.parse((await runPolicies([...SETUP_ARGUMENTS, "--check", file, "--format", "json"])).stdout).findings;
}

// One line for all that is left out where the engine cannot be had.
if (engine === undefined) it.skip("policies are evaluated by iam-simulate: npx tsx scripts/setup/policy-engine.ts");
else describe("policies, evaluated by iam-simulate", evaluateAll);

function evaluateAll(): void {
  it.each(PLACES.flatMap((place) => ["role", "account"].map((principal) => ({ ...place, principal }))))(
    "allow in $partition exactly what is meant, with the $principal as principal",
    async ({ principal, ...place }) => {
      const { partition, region, path } = place;
      const documents = await print([
        ...["--account-a", "111111111111", "--role-name", "SecretReader", "--secret", "my-shared-secret"],
        ...["--caller-role-arn", `arn:${partition}:iam::222222222222:role${path}my-lambda-role`, "--region", region],
        ...["--organization-id", "o-exampleorgid", "--external-id", "partner-7", "--session-tags"],
        ...["--principal", principal],
      ]);
      expect(await findWrong(documents, place)).toEqual([]);
    },
  );

  it.each(PLACES)("allow in $partition the one role, where its path is not known", async (place) => {
    const { partition, region } = place;
    const documents = await print([
      ...["--account-a", "111111111111", "--role-name", "SecretReader", "--secret", "my-shared-secret"],
      ...["--caller-role-arn", `arn:${partition}:sts::222222222222:assumed-role/my-lambda-role/session`],
      ...["--organization-id", "o-exampleorgid", "--external-id", "partner-7", "--session-tags", "--region", region],
    ]);
    for (const path of ["/", "/service-role/", "/a/b/"])
      expect(await findWrong(documents, { ...place, path })).toEqual([]);
  });

  it.each(faults)("$kind with $name: goes wrong $goesWrong, until what the check prints is done", async (fault) => {
    const documents = await print(SETUP_ARGUMENTS);
    // Without elements that are there to be left out.
    const faulty: Document = JSON.parse(JSON.stringify({ Version: "2012-10-17", Statement: fault.statements }));
    expect(await findWrong({ ...documents, [fault.kind]: faulty })).toContain(fault.goesWrong);
    const mended = mend(faulty, await findAll(fault.kind, faulty));
    expect(await findWrong({ ...documents, [fault.kind]: mended })).toEqual(fault.leaves);
  });
}
