/** Finds what a role, its caller, or a user of the key may do beyond the need. Pure. */
import { toDecryptStatement, toReadStatement } from "../../../../extension/failure/statements.ts";
import type { Setup } from "../setup.ts";
import { pins } from "./conditions.ts";
import { type Excess, type ExcessContext, note, tooWide } from "./excess.ts";
import { covers, isPattern, isVariable, matchesAction, SIX } from "./patterns.ts";
import type { ReadStatement } from "./statements.ts";

const READ = ["secretsmanager:GetSecretValue", "ssm:GetParameter"];
/** Often allowed together with reading. */
const HARMLESS = [
  "secretsmanager:DescribeSecret",
  "secretsmanager:ListSecretVersionIds",
  "ssm:GetParameters",
  "kms:Decrypt",
  "kms:DescribeKey",
];
export const READING = [...READ, ...HARMLESS];

export function findOtherActions({ action: { isNot, values } }: ReadStatement): readonly Excess[] {
  const others = values.filter((value) => !READING.some((action) => matchesAction(value, action)));
  return isNot || others.length === 0 ? [] : [tooWide(`allows ${others.join(", ")}, which is not needed for reading`)];
}

export function findWideResources(statement: ReadStatement, { setup }: ExcessContext): readonly Excess[] {
  const { action, resource } = statement;
  if (resource === undefined || resource.isNot) return [];
  const isReading = action.values.some((value) => READ.some((one) => matchesAction(value, one)));
  if (action.isNot || !isReading) return [];
  return resource.values.filter((value) => !isVariable(value)).flatMap((value) => toResourceExcess(value, setup));
}

/** With a condition on the service or the secret, any key may be allowed: the secret determines which key is used. */
export function findWideKeys({ action, resource, conditions }: ReadStatement, { setup }: ExcessContext): Excess[] {
  const isDecrypt =
    !action.isNot && action.values.some((value) => value !== "*" && matchesAction(value, "kms:Decrypt"));
  const wide = resource?.isNot ? [] : (resource?.values.filter(isPattern) ?? []);
  const isBound = conditions.some(({ key }) => /^kms:(ViaService|EncryptionContext:)/i.test(key));
  if (!isDecrypt || isBound || wide.length === 0) return [];
  const { keyArn } = setup;
  const add = [toDecryptStatement(keyArn === undefined ? { service: "secretsmanager" } : { arn: keyArn })];
  return [{ ...tooWide(`lets it decrypt anything with ${wide.join(", ")}`), add }];
}

const NAME =
  /^arn:aws[a-z-]*:(?:secretsmanager:[a-z0-9-]+:\d{12}:secret:|ssm:[a-z0-9-]+:\d*:parameter\/)([^*?]+)(-\?{6}|-\*)?$/;

function toResourceExcess(value: string, { secrets, parameters }: Setup): readonly Excess[] {
  const [, name = "", end] = NAME.exec(value) ?? [];
  if (name === "") return [tooWide(`allows ${value}, which is more than one`)];
  const wanted = [...secrets.flat(), ...parameters];
  if (end === "-*")
    return [note(`has ${value}, which also allows longer names, such as ${name}-prod: ${SIX} does not`)];
  if (wanted.length > 0) {
    return wanted.some((one) => covers(value, one)) || wanted.includes(`${value}${SIX}`)
      ? []
      : [note(`allows ${value}, too`)];
  }
  if (end !== undefined || !value.includes(":secret:")) return [];
  if (/-[A-Za-z0-9]{6}$/.test(name)) {
    return [note(`has ${value} as a whole ARN: if ${name} is the secret's name, it must end in ${SIX}`)];
  }
  const add = [toReadStatement([`${value}${SIX}`])];
  return [{ severity: "missing", text: `has ${value}, without the six characters that AWS appends to the name`, add }];
}

/** The caller's role may do other things, but it must not assume other roles that trust it. */
export function findWideRoles({ action, resource }: ReadStatement, { setup: { roleArn } }: ExcessContext): Excess[] {
  if (action.isNot || resource === undefined || resource.isNot) return [];
  if (!action.values.some((value) => matchesAction(value, "sts:AssumeRole"))) return [];
  const wide = resource.values.filter(isPattern);
  if (wide.length === 0) return [];
  return [
    tooWide(
      `lets it assume every role that matches ${wide.join(", ")} and trusts it, not only ${roleArn ?? "one role"}`,
    ),
  ];
}

export function findEveryone({ principal, conditions }: ReadStatement): readonly Excess[] {
  const keys = ["kms:CallerAccount", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID"];
  const isBound = conditions.some((condition) => keys.some((key) => pins(condition, key)));
  return principal?.isNot || !principal?.values.includes("*") || isBound
    ? []
    : [tooWide("lets everyone use the key, in every account")];
}

/** Only for statements that name the role: others are for the key's administrators. */
export function findKeyActions(
  { principal, action: { isNot, values } }: ReadStatement,
  { setup: { roleArn } }: ExcessContext,
): readonly Excess[] {
  if (isNot || principal?.isNot || roleArn === undefined || !principal?.values.includes(roleArn)) return [];
  const others = values.filter(
    (value) => !["kms:Decrypt", "kms:DescribeKey"].some((action) => action.toLowerCase() === value.toLowerCase()),
  );
  return others.length === 0 ? [] : [tooWide(`allows ${others.join(", ")}, which is not needed for reading`)];
}
