/** The arguments of policies. Pure. */

import type { Environment } from "../../../extension/config/setting-rules.ts";
import { EXTERNAL_ID_PATTERN, REGION_PATTERN, settings } from "../../../extension/config/settings.ts";
import { toParameterResource, toReferencedSecret, toSecretResources } from "../../../extension/failure/statements.ts";
import { isParameterId, parameterIdRule, toParameterRegion } from "../../../extension/values/parameter.ts";
import { isSecretId, secretIdRule, toRegion } from "../../../extension/values/secret.ts";
import { CommandError, USAGE } from "../world.ts";
import type { Account } from "./documents.ts";
import { createOptionReader, type OptionReader } from "./option-reader.ts";
import { type RoleParts, readCallerRole, readTargetRole } from "./roles.ts";
import { type Setup, toAccount, toPartition, toPartitionOfRegion, type WholeSetup } from "./setup.ts";

export const HELP = `Prints the four policies that two accounts need, or checks existing ones.

  cross-account-secrets policies --role-arn <arn> --caller-role-arn <arn> --secret <name> --region <region> [more]
  cross-account-secrets policies --check <file>… [the same options]

Account A, which owns the secret:
  --role-arn          the role that reads it; or --account-a and --role-name
  --secret            name or ARN; for several, separate them with commas or repeat the option
  --parameter         the same for Parameter Store
  --region            the region of both; default: that of an ARN, otherwise AWS_REGION
  --key-arn           the customer-managed KMS key of the secret or parameter, if it has one

Account B, which has the function:
  --caller-role-arn   its role, with its path, or a session of it; or --account-b and --caller-role-name
  --principal         the principal of the trust policy: role, or account with a condition on the role, which AWS accepts
                      before the role exists; default: role if its path is known, otherwise account

What the trust policy may require:
  --organization-id   the organization that the caller must belong to
  --external-id       the value of CROSS_ACCOUNT_SECRETS_EXTERNAL_ID
  --session-tags      give this if CROSS_ACCOUNT_SECRETS_SESSION_TAGS is set
  --source-identity   give this if CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY is set

  --partition         aws, aws-cn, aws-us-gov; default: that of the ARNs, otherwise that of the region
  --account           a or b: prints only the documents of this account
  --format            json, cloudformation, terraform or cli. Default: on a terminal, a heading for each document; in a
                      pipe, one JSON object: trustPolicy, permissionsPolicy, keyPolicy, callerPolicy
  --check             reads documents (JSON, as written or as the AWS CLI prints them), and recognizes by their content
                      which of the four each is. Prints a line for each finding: missing, too wide or note; --format json
                      is for programs
  --help              prints this text

Exit codes: 0 success; 1 --check finds more than notes; 2 wrong arguments.`;

const formats = ["json", "cloudformation", "terraform", "cli"] as const;
export type DocumentFormat = (typeof formats)[number];

export type PoliciesOptions =
  | { readonly is: "help" }
  | {
      readonly is: "print";
      readonly setup: WholeSetup;
      /** Undefined: headings for a terminal, JSON for a pipe. */
      readonly format: DocumentFormat | undefined;
      readonly accounts: readonly Account[];
    }
  | { readonly is: "check"; readonly setup: Setup; readonly files: readonly string[]; readonly isJson: boolean };

const KEY_ARN_PATTERN = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/;
const ORGANIZATION_ID_PATTERN = /^o-[a-z0-9]{10,32}$/;
const PARTITION_PATTERN = /^aws(-[a-z]+)*$/;

/** Throws a CommandError that names every problem. */
export function parseArguments(args: readonly string[], environment: Environment): PoliciesOptions {
  const options = createOptionReader(args);
  if (options.has("help")) return { is: "help" };
  const { problems, positionals } = options;
  const setup = readSetup(options, environment);
  const format = options.word("format", formats);
  const account = options.word("account", ["a", "b"]);
  const isCheck = options.has("check");
  if (isCheck) {
    if (positionals.length === 0) problems.push("--check must be followed by the files to check");
    if (format !== undefined && format !== "json") problems.push(`--format must be json with --check; got "${format}"`);
  } else {
    if (positionals.length > 0) problems.push(`files are only accepted with --check; got ${positionals.join(" ")}`);
    problems.push(...findMissingOptions(setup, problems));
  }
  rejectProblems(problems);
  if (isCheck) return { is: "check", setup, files: positionals, isJson: format === "json" };
  const { roleArn = "", caller } = setup;
  if (caller === undefined) throw new Error("a missing caller was not reported");
  return {
    is: "print",
    setup: { ...setup, roleArn, caller },
    format,
    accounts: account === undefined ? ["a", "b"] : [account],
  };
}

/** What the documents still need. An option that is already reported as wrong is not missing. */
function findMissingOptions({ roleArn, caller, secrets, parameters }: Setup, reported: readonly string[]): string[] {
  const isReported = (...names: string[]) =>
    reported.some((problem) => names.some((name) => problem.startsWith(`--${name} `)));
  return [
    ...(roleArn === undefined && !isReported("role-arn", "account-a", "role-name")
      ? ["--role-arn, or --account-a and --role-name, must say which role of Account A reads the secret"]
      : []),
    ...(caller === undefined && !isReported("caller-role-arn", "account-b", "caller-role-name")
      ? ["--caller-role-arn, or --account-b and --caller-role-name, must say which role of Account B assumes it"]
      : []),
    ...(secrets.length + parameters.length === 0 && !isReported("secret", "parameter")
      ? ["--secret or --parameter must say what is read"]
      : []),
  ];
}

function readSetup(options: OptionReader, environment: Environment): Setup {
  const { problems } = options;
  const [role, caller] = [readTargetRole(options), readCallerRole(options)];
  const secretIds = options.list("secret", isSecretId, secretIdRule);
  const parameterIds = options.list("parameter", isParameterId, parameterIdRule);
  const ids = [...secretIds, ...parameterIds];
  const keyRule = "the ARN of a KMS key, arn:<partition>:kms:<region>:<12 digits>:key/<id>";
  const keyArn = options.text("key-arn", (arn) => KEY_ARN_PATTERN.test(arn), keyRule);

  const bare = ids.filter((id) => !id.startsWith("arn:"));
  const region =
    options.text("region", (name) => REGION_PATTERN.test(name), "a region, such as eu-west-1") ??
    ids.map((id) => toRegion(id) ?? toParameterRegion(id)).find((name) => name !== undefined) ??
    // The shell's region does not matter if all secrets and parameters have ARNs.
    (bare.length > 0 ? findRegion(environment) : undefined);
  const partition = readPartition(
    options,
    [role.partition, caller.partition, ...[...ids, keyArn].map(toPartitionOfArn)],
    region,
  );

  for (const arn of ids.filter((id) => id.startsWith("arn:"))) {
    if (role.accountId === undefined || toAccount(arn) === role.accountId) continue;
    problems.push(`--secret and --parameter must be in Account A, which is ${role.accountId}; got ${arn}`);
  }
  const owner = { partition, region: region ?? "", accountId: role.accountId ?? "" };
  if (bare.length > 0 && region === undefined) problems.push(`--region must say where ${bare.join(", ")} is`);
  if (bare.length > 0 && options.has("check") && role.accountId === undefined) {
    problems.push(`--role-arn or --account-a must say which account has ${bare.join(", ")}`);
  }
  const principal = options.word("principal", ["role", "account"]);
  const organizationRule = "the id of an AWS organization, such as o-exampleorgid";
  return {
    partition,
    region,
    roleArn: toRoleArn(role, partition),
    caller: toCaller(caller, partition, principal),
    // A parameter may be a reference to a secret, which the role must then be allowed to read.
    secrets: [...secretIds, ...parameterIds.flatMap((id) => toReferencedSecret(id) ?? [])].map((id) =>
      toSecretResources(id, owner),
    ),
    parameters: parameterIds.map((id) => toParameterResource(id, owner)),
    keyArn,
    assumeRoleOptions: {
      organizationId: options.text("organization-id", (id) => ORGANIZATION_ID_PATTERN.test(id), organizationRule),
      externalId: options.text("external-id", (id) => EXTERNAL_ID_PATTERN.test(id), settings.externalId.rule),
      hasTags: options.has("session-tags"),
      hasSourceIdentity: options.has("source-identity"),
      trustsAccount: principal === "account",
    },
  };
}

const findRegion = ({ AWS_REGION, AWS_DEFAULT_REGION }: Environment) =>
  [AWS_REGION, AWS_DEFAULT_REGION].find((name) => name !== undefined && REGION_PATTERN.test(name));

const toPartitionOfArn = (id: string | undefined) => (id?.startsWith("arn:") ? toPartition(id) : undefined);

function readPartition(
  options: OptionReader,
  ofArns: readonly (string | undefined)[],
  region: string | undefined,
): string {
  const given = options.text(
    "partition",
    (name) => PARTITION_PATTERN.test(name),
    "a partition, such as aws, aws-cn or aws-us-gov",
  );
  const ofRegion = region === undefined ? undefined : toPartitionOfRegion(region);
  const partitions = [...new Set([given, ...ofArns, ofRegion].filter((name) => name !== undefined))];
  if (partitions.length > 1) {
    const all = `--partition, the region${region === undefined ? "" : ` ${region}`} and all ARNs`;
    options.problems.push(`${all} must be of one partition; got ${partitions.join(" and ")}`);
  }
  return partitions[0] ?? "aws";
}

function toRoleArn({ accountId, name, path = "/" }: RoleParts, partition: string): string | undefined {
  if (accountId === undefined || name === undefined) return undefined;
  return `arn:${partition}:iam::${accountId}:role${path}${name}`;
}

/** If the trust policy must name the role, and no path is given, the path is the default one. */
function toCaller(
  { accountId, name, path }: RoleParts,
  partition: string,
  principal: string | undefined,
): Setup["caller"] {
  if (accountId === undefined || name === undefined) return undefined;
  return { partition, accountId, type: "role", name, path: path ?? (principal === "role" ? "/" : undefined) };
}

function rejectProblems(problems: readonly string[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  throw new CommandError(
    USAGE,
    others.length === 0 ? first : `${problems.length} mistakes:${problems.map((problem) => `\n  ${problem}`).join("")}`,
  );
}
