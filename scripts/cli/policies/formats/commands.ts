/** Commands of the AWS CLI, for a POSIX shell. Pure. */
import { type Account, type Documents, toTitle } from "../documents.ts";
import { toRoleName, toRolePath, type WholeSetup } from "../setup.ts";
import { toComment } from "./comment.ts";
import { toJson } from "./json.ts";
import { ASSUME_POLICY_NAME, READ_POLICY_NAME } from "./names.ts";

export function toCommands(documents: Documents, setup: WholeSetup, accounts: readonly Account[]): string {
  return accounts
    .map((account) => (account === "a" ? toPartA(documents, setup) : toPartB(documents, setup)))
    .join("\n");
}

/** Within single quotes a shell takes all but a single quote for what it is. */
export const toQuoted = (text: string): string =>
  /^[\w./:@+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

type Options = Readonly<Record<string, string | undefined>>;

/** One option a line, where there is one that is long. */
function toCommand(command: string, options: Options): string {
  const words = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${toQuoted(value)}`],
  );
  return `${[`aws ${command}`, ...words].join(" \\\n  ")}\n`;
}

function toPartA(documents: Documents, setup: WholeSetup): string {
  const { roleArn } = setup;
  const role = toRoleName(roleArn);
  const path = toRolePath(roleArn);
  const region = toRegionOption(setup);
  const create = toCommand("iam create-role", {
    "role-name": role,
    path: path === "/" ? undefined : path,
    "assume-role-policy-document": toJson(documents.trustPolicy),
    ...region,
  });
  const put = toCommand("iam put-role-policy", {
    "role-name": role,
    "policy-name": READ_POLICY_NAME,
    "policy-document": toJson(documents.permissionsPolicy),
    ...region,
  });
  const update = `Where the role is there already: aws iam update-assume-role-policy, with --policy-document, in place of create-role.`;
  return [
    `${toComment(`${toTitle("trustPolicy", setup)}. With credentials of that account.\n${update}`)}${create}`,
    `${toComment(toTitle("permissionsPolicy", setup))}${put}`,
    toKeyPart(documents, setup),
  ].join("\n");
}

/**
 * A key's policy is replaced as a whole, and whoever forgets its administrators has locked them out.
 * https://docs.aws.amazon.com/cli/latest/reference/kms/put-key-policy.html
 */
function toKeyPart({ keyPolicy }: Documents, setup: WholeSetup): string {
  const { keyArn } = setup;
  if (keyArn === undefined) {
    return toComment(`${toTitle("keyPolicy", setup)}.
Give --key-arn as well, and the commands for it are here.`);
  }
  const key = { "key-id": keyArn, "policy-name": "default", region: keyArn.split(":")[3] };
  const get = toCommand("kms get-key-policy", { ...key, query: "Policy", output: "text" });
  const statement = toQuoted(toJson(keyPolicy.Statement[0], 1));
  return [
    toComment(`${toTitle("keyPolicy", setup)}. With credentials of that account.
A key policy is replaced as a whole: this fetches it, adds the statement, and puts it back. Compare the two files before the
last command, and keep the first.`),
    `${get.trimEnd()} > key-policy.json\n`,
    `jq --argjson statement ${statement} \\\n  '.Statement |= ([.] | flatten | map(select(. != $statement)) + [$statement])' key-policy.json > new-key-policy.json\n`,
    toCommand("kms put-key-policy", { ...key, policy: "file://new-key-policy.json" }),
  ].join("");
}

function toPartB(documents: Documents, setup: WholeSetup): string {
  const put = toCommand("iam put-role-policy", {
    "role-name": setup.caller.name,
    "policy-name": ASSUME_POLICY_NAME,
    "policy-document": toJson(documents.callerPolicy),
    ...toRegionOption(setup),
  });
  return `${toComment(`${toTitle("callerPolicy", setup)}. With credentials of that account.`)}${put}`;
}

/** IAM has no region, but each partition has an IAM of its own, and the CLI finds it by a region. */
const toRegionOption = ({ partition, region }: WholeSetup): Options => (partition === "aws" ? {} : { region });
