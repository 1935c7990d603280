/** Commands of the AWS CLI, for a POSIX shell. Pure. */
import { type Account, type Documents, inlinePolicyNames, toTitle } from "../documents.ts";
import { toRoleName, toRolePath, type WholeSetup } from "../setup.ts";
import { toJson } from "./json.ts";

export function toCommands(documents: Documents, setup: WholeSetup, accounts: readonly Account[]): string {
  return accounts
    .map((account) => (account === "a" ? toPartA(documents, setup) : toPartB(documents, setup)))
    .join("\n");
}

/** Quotes a word for the shell. Within single quotes, only the single quote is special. */
export const toQuoted = (text: string): string =>
  /^[\w./:@+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** A text that a person reads, and the shell ignores. It is no comment: zsh takes a typed `#` for a command. */
const toNote = (text: string): string => `: ${toQuoted(text)}\n`;

type CommandOptions = Readonly<Record<string, string | undefined>>;

/** A command with each option on a line of its own. */
function toCommand(command: string, options: CommandOptions): string {
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
    "policy-name": inlinePolicyNames.permissionsPolicy,
    "policy-document": toJson(documents.permissionsPolicy),
    ...region,
  });
  const update = `If the role exists: aws iam update-assume-role-policy, with --policy-document, instead of create-role.`;
  return [
    `${toNote(`${toTitle("trustPolicy", setup)}. With credentials of that account.\n${update}`)}${create}`,
    `${toNote(toTitle("permissionsPolicy", setup))}${put}`,
    toKeyPart(documents, setup),
  ].join("\n");
}

/**
 * put-key-policy replaces the whole policy, so a policy without the key's administrators would lock them out.
 * https://docs.aws.amazon.com/cli/latest/reference/kms/put-key-policy.html
 */
function toKeyPart({ keyPolicy }: Documents, setup: WholeSetup): string {
  const { keyArn } = setup;
  if (keyArn === undefined) {
    return toNote(`${toTitle("keyPolicy", setup)}.
With --key-arn, the commands for it are printed here.`);
  }
  const key = { "key-id": keyArn, "policy-name": "default", region: keyArn.split(":")[3] };
  const get = toCommand("kms get-key-policy", { ...key, query: "Policy", output: "text" });
  const statement = toQuoted(toJson(keyPolicy.Statement[0], 1));
  return [
    toNote(`${toTitle("keyPolicy", setup)}. With credentials of that account.
put-key-policy replaces the whole policy. These commands fetch it, add the statement, and put it back. Compare the two files
before the last command, and keep the first one.`),
    `${get.trimEnd()} > key-policy.json\n`,
    `jq --argjson statement ${statement} \\\n  '.Statement |= ([.] | flatten | map(select(. != $statement)) + [$statement])' key-policy.json > new-key-policy.json\n`,
    toCommand("kms put-key-policy", { ...key, policy: "file://new-key-policy.json" }),
  ].join("");
}

function toPartB(documents: Documents, setup: WholeSetup): string {
  const put = toCommand("iam put-role-policy", {
    "role-name": setup.caller.name,
    "policy-name": inlinePolicyNames.callerPolicy,
    "policy-document": toJson(documents.callerPolicy),
    ...toRegionOption(setup),
  });
  return `${toNote(`${toTitle("callerPolicy", setup)}. With credentials of that account.`)}${put}`;
}

/** IAM has no region, but each partition has its own IAM, which the CLI finds by a region. */
const toRegionOption = ({ partition, region }: WholeSetup): CommandOptions => (partition === "aws" ? {} : { region });
