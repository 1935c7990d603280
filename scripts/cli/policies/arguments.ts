/** From the command line to what is wished, or to every problem at once. Pure. */

import type { Environment } from "../../../extension/config/setting-rules.ts";
import { EXTERNAL_ID, REGION, settings } from "../../../extension/config/settings.ts";
import { toParameterResource, toReferencedSecret, toSecretResources } from "../../../extension/failure/statements.ts";
import { isParameterId, parameterIdRule, toParameterRegion } from "../../../extension/values/parameter.ts";
import { isSecretId, secretIdRule, toRegion } from "../../../extension/values/secret.ts";
import { CommandError, USAGE } from "../world.ts";
import type { Account } from "./documents.ts";
import { type Options, readOptions } from "./option-reader.ts";
import { type RoleFacts, readCallerRole, readTargetRole } from "./roles.ts";
import { type Setup, toAccount, toPartition, toPartitionOf, type WholeSetup } from "./setup.ts";

const formats = ["json", "cloudformation", "terraform", "cli"] as const;
export type Format = (typeof formats)[number];

/** What is wished: documents, or what is wrong with some. */
export type Wishes =
  | { readonly is: "help" }
  | {
      readonly is: "print";
      readonly setup: WholeSetup;
      /** Undefined: as it suits whoever reads it. */
      readonly format: Format | undefined;
      readonly accounts: readonly Account[];
    }
  | { readonly is: "check"; readonly setup: Setup; readonly files: readonly string[]; readonly isJson: boolean };

const KEY_ARN = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/;
const ORGANIZATION_ID = /^o-[a-z0-9]{10,32}$/;
const PARTITION = /^aws(-[a-z]+)*$/;

/** Throws a CommandError that names all that is wrong. */
export function parseArguments(args: readonly string[], environment: Environment): Wishes {
  const options = readOptions(args);
  if (options.has("help")) return { is: "help" };
  const { problems, positionals } = options;
  const setup = readSetup(options, environment);
  const format = options.word("format", formats);
  const account = options.word("account", ["a", "b"]);
  const isCheck = options.has("check");
  if (isCheck) {
    if (positionals.length === 0) problems.push("--check must be followed by the files to check");
    if (format !== undefined && format !== "json")
      problems.push(`--format must be json beside --check; got "${format}"`);
  } else {
    if (positionals.length > 0) problems.push(`files are read beside --check alone; got ${positionals.join(" ")}`);
    problems.push(...findMissing(setup, problems));
  }
  refuse(problems);
  if (isCheck) return { is: "check", setup, files: positionals, isJson: format === "json" };
  const { roleArn = "", caller } = setup;
  if (caller === undefined) throw new Error("a caller that is missing is a problem");
  return {
    is: "print",
    setup: { ...setup, roleArn, caller },
    format,
    accounts: account === undefined ? ["a", "b"] : [account],
  };
}

/** What it takes to print the documents. What was given and is wrong has been told, and is not missing. */
function findMissing({ roleArn, caller, secrets, parameters }: Setup, told: readonly string[]): string[] {
  const isTold = (...names: string[]) => told.some((problem) => names.some((name) => problem.startsWith(`--${name} `)));
  return [
    ...(roleArn === undefined && !isTold("role-arn", "account-a", "role-name")
      ? ["--role-arn, or --account-a and --role-name, must say which role of Account A reads the secret"]
      : []),
    ...(caller === undefined && !isTold("caller-role-arn", "account-b", "caller-role-name")
      ? ["--caller-role-arn, or --account-b and --caller-role-name, must say which role of Account B assumes it"]
      : []),
    ...(secrets.length + parameters.length === 0 && !isTold("secret", "parameter")
      ? ["--secret or --parameter must say what is read"]
      : []),
  ];
}

function readSetup(options: Options, environment: Environment): Setup {
  const { problems } = options;
  const [role, caller] = [readTargetRole(options), readCallerRole(options)];
  const secretIds = options.list("secret", isSecretId, secretIdRule);
  const parameterIds = options.list("parameter", isParameterId, parameterIdRule);
  const ids = [...secretIds, ...parameterIds];
  const keyRule = "the ARN of a KMS key, arn:<partition>:kms:<region>:<12 digits>:key/<id>";
  const keyArn = options.text("key-arn", (arn) => KEY_ARN.test(arn), keyRule);

  const bare = ids.filter((id) => !id.startsWith("arn:"));
  const region =
    options.text("region", (name) => REGION.test(name), "a region, such as eu-west-1") ??
    ids.map((id) => toRegion(id) ?? toParameterRegion(id)).find((name) => name !== undefined) ??
    // It tells where this shell's commands go: of no matter to what is told by ARNs.
    (bare.length > 0 ? findRegion(environment) : undefined);
  const partition = readPartition(
    options,
    [role.partition, caller.partition, ...[...ids, keyArn].map(toPartitionOfArn)],
    region,
  );

  for (const arn of ids.filter((id) => id.startsWith("arn:"))) {
    if (role.accountId === undefined || toAccount(arn) === role.accountId) continue;
    problems.push(`--secret and --parameter must be of Account A, which is ${role.accountId}; got ${arn}`);
  }
  const owner = { partition, region: region ?? "", accountId: role.accountId ?? "" };
  if (bare.length > 0 && region === undefined) problems.push(`--region must say where ${bare.join(", ")} is`);
  if (bare.length > 0 && options.has("check") && role.accountId === undefined) {
    problems.push(`--role-arn or --account-a must say whose ${bare.join(", ")} is`);
  }
  const principal = options.word("principal", ["role", "account"]);
  const organizationRule = "the id of an AWS organization, such as o-exampleorgid";
  return {
    partition,
    region,
    roleArn: toRoleArn(role, partition),
    caller: toCaller(caller, partition, principal),
    // A parameter may be a reference to a secret, which the role then reads, too.
    secrets: [...secretIds, ...parameterIds.flatMap((id) => toReferencedSecret(id) ?? [])].map((id) =>
      toSecretResources(id, owner),
    ),
    parameters: parameterIds.map((id) => toParameterResource(id, owner)),
    keyArn,
    wishes: {
      organizationId: options.text("organization-id", (id) => ORGANIZATION_ID.test(id), organizationRule),
      externalId: options.text("external-id", (id) => EXTERNAL_ID.test(id), settings.externalId.rule),
      hasTags: options.has("session-tags"),
      hasSourceIdentity: options.has("source-identity"),
      trustsAccount: principal === "account",
    },
  };
}

const findRegion = ({ AWS_REGION, AWS_DEFAULT_REGION }: Environment) =>
  [AWS_REGION, AWS_DEFAULT_REGION].find((name) => name !== undefined && REGION.test(name));

const toPartitionOfArn = (id: string | undefined) => (id?.startsWith("arn:") ? toPartition(id) : undefined);

function readPartition(options: Options, ofArns: readonly (string | undefined)[], region: string | undefined): string {
  const wished = options.text(
    "partition",
    (name) => PARTITION.test(name),
    "a partition, such as aws, aws-cn or aws-us-gov",
  );
  const ofRegion = region === undefined ? undefined : toPartitionOf(region);
  const told = [...new Set([wished, ...ofArns, ofRegion].filter((name) => name !== undefined))];
  if (told.length > 1) {
    const all = `--partition, the region${region === undefined ? "" : ` ${region}`} and all ARNs`;
    options.problems.push(`${all} must be of one partition; got ${told.join(" and ")}`);
  }
  return told[0] ?? "aws";
}

function toRoleArn({ accountId, name, path = "/" }: RoleFacts, partition: string): string | undefined {
  if (accountId === undefined || name === undefined) return undefined;
  return `arn:${partition}:iam::${accountId}:role${path}${name}`;
}

/** Whoever wishes that the role be named, and says no path, means the one that roles have by default. */
function toCaller(
  { accountId, name, path }: RoleFacts,
  partition: string,
  principal: string | undefined,
): Setup["caller"] {
  if (accountId === undefined || name === undefined) return undefined;
  return { partition, accountId, type: "role", name, path: path ?? (principal === "role" ? "/" : undefined) };
}

function refuse(problems: readonly string[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  throw new CommandError(
    USAGE,
    others.length === 0 ? first : `${problems.length} mistakes:${problems.map((problem) => `\n  ${problem}`).join("")}`,
  );
}
