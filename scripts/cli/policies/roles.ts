/** Reads the two roles, each from its ARN or from account and name. Pure. */
import { ROLE_ARN_PATTERN } from "../../../extension/config/settings.ts";
import type { OptionReader, TextName } from "./option-reader.ts";
import { toAccount, toPartition, toRoleName, toRolePath } from "./setup.ts";

/** What the options say about a role. */
export interface RoleParts {
  readonly partition: string | undefined;
  readonly accountId: string | undefined;
  readonly name: string | undefined;
  /** Neither a session's ARN nor a name alone contains it. */
  readonly path: string | undefined;
}

const ROLE_NAME_PATTERN = /^([!-.0-~]*\/)*[\w+=,.@-]{1,64}$/;
/** The ARN that `aws sts get-caller-identity` prints for a role. */
const SESSION_ARN_PATTERN = /^arn:aws[a-z-]*:sts::\d{12}:assumed-role\/([\w+=,.@-]{1,64})\/[\w+=,.@-]{2,64}$/;

const isRoleArn = (text: string) => ROLE_ARN_PATTERN.test(text);
const roleArnRule = "arn:<partition>:iam::<12 digits>:role/<path/name>";

export const readTargetRole = (options: OptionReader): RoleParts =>
  readRole(options, ["role-arn", "account-a", "role-name"], isRoleArn, `the ARN of the target role, ${roleArnRule}`);

export const readCallerRole = (options: OptionReader): RoleParts =>
  readRole(
    options,
    ["caller-role-arn", "account-b", "caller-role-name"],
    (text) => isRoleArn(text) || SESSION_ARN_PATTERN.test(text),
    `the ARN of a role, ${roleArnRule}, or of a session of it`,
  );

function readRole(
  { problems, text }: OptionReader,
  [ofArn, ofAccount, ofName]: readonly [TextName, TextName, TextName],
  isArn: (arn: string) => boolean,
  arnRule: string,
): RoleParts {
  const arn = text(ofArn, isArn, arnRule);
  const accountId = text(ofAccount, (id) => /^\d{12}$/.test(id), "the 12 digits of an AWS account");
  const nameRule = "a role's name, with its path before it if it has one, such as service-role/my-lambda-role";
  const pathAndName = text(ofName, (given) => ROLE_NAME_PATTERN.test(given), nameRule);
  const name = pathAndName === undefined ? undefined : toRoleName(pathAndName);
  const path = pathAndName?.includes("/") ? toRolePath(`:role/${pathAndName.replace(/^\//, "")}`) : undefined;
  if (arn === undefined) return { partition: undefined, accountId, name, path };
  const session = SESSION_ARN_PATTERN.exec(arn)?.[1];
  const ofRole = {
    partition: toPartition(arn),
    accountId: toAccount(arn),
    name: session ?? toRoleName(arn),
    path: session === undefined ? toRolePath(arn) : path,
  };
  for (const [option, given, is] of [
    [ofAccount, accountId, ofRole.accountId],
    [ofName, name, ofRole.name],
    [ofName, path, ofRole.path],
  ]) {
    if (given !== undefined && given !== is)
      problems.push(`--${option} must be what --${ofArn} says, or left out; got ${given} and ${is}`);
  }
  return ofRole;
}
