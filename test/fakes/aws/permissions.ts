/**
 * Who may do what. Pure. Each function answers AWS's message if it is denied, and undefined if it is allowed.
 *
 * Roles carry lists in place of policies (`RoleOptions`), sessions a policy, perhaps: what a session may do, both allow.
 */
import type { Role, Session } from "./iam.ts";
import type { AwsRequest } from "./operation.ts";
import { toParameterArn } from "./parameters.ts";
import { allows, type Wish } from "./session-policy.ts";

/** A caller who has proved who it is, with its role as it is now. */
export interface Caller {
  readonly session: Session;
  readonly role: Role;
}

// The revocation of a role's sessions is a policy that denies everything to those issued before a certain time:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
const REVOKED = " with an explicit deny in an identity-based policy";

/** Both sides must allow it: the trust policy of the target, and the caller's own. AWS does not tell which of them did not. */
export function denialOfAssumeRole(
  { session, role }: Caller,
  roleArn: string,
  target: Role | undefined,
  externalId: string | undefined,
): string | undefined {
  const denial = toDenial(session, "sts:AssumeRole", roleArn);
  if (session.revoked) return `${denial}${REVOKED}`;
  const itsRootArn = `arn:${session.partition}:iam::${session.account}:root`;
  const isTrusted = target?.trusts.some((principal) => [session.arn, session.roleArn, itsRootArn].includes(principal));
  const isAskedRightly = target?.externalId === undefined || target.externalId === externalId;
  const isPermitted = role.assumableRoles === "any" || role.assumableRoles.includes(roleArn);
  return isTrusted && isAskedRightly && isPermitted ? undefined : denial;
}

/** `resource` is the secret's ARN or, where AWS has no such secret, the `SecretId` as it was asked for. */
export function denialOfGetSecretValue(caller: Caller, resource: string): string | undefined {
  const { readableSecrets } = caller.role;
  const isReadable = readableSecrets === "any" || readableSecrets.some((name) => isSecretNamed(name, resource));
  return denialOf(caller, { action: "secretsmanager:GetSecretValue", resource }, isReadable);
}

/** `arn` is what is asked for, `resource` what AWS calls it in a denial. */
export function denialOfGetParameter(caller: Caller, arn: string, resource: string): string | undefined {
  const { readableParameters } = caller.role;
  const isReadable =
    readableParameters === "any" ||
    readableParameters.some((name) => toParameterArn("", name) === arn.slice(arn.indexOf(":parameter/")));
  const denial = denialOf(caller, { action: "ssm:GetParameter", resource: arn }, isReadable);
  return denial?.replace(` on resource: ${arn} `, ` on resource: ${resource} `);
}

/** Of what is encrypted with a customer managed key, by a service in a region, such as `ssm.eu-west-1`. */
export function denialOfDecrypt(
  caller: Caller,
  { kmsKey }: { readonly kmsKey: string | undefined },
  via: string,
): string | undefined {
  if (kmsKey === undefined) return undefined;
  const { usableKeys } = caller.role;
  const context = { "kms:ViaService": `${via}.amazonaws.com` };
  const isUsable = usableKeys === "any" || usableKeys.includes(kmsKey);
  return denialOf(caller, { action: "kms:Decrypt", resource: kmsKey, context }, isUsable);
}

function denialOf({ session }: Caller, wish: Wish, isAllowedByRole: boolean): string | undefined {
  const { action, resource } = wish;
  const denial = toDenial(session, action, resource);
  if (session.revoked) return `${denial}${REVOKED}`;
  // Across accounts both policies must allow it, and what the fake has has none: https://github.com/aws/aws-cdk/issues/28537
  const owner = /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(resource)?.[1];
  if (owner !== undefined && owner !== session.account) return `${denial}${noPolicyAllows("resource-based", action)}`;
  if (!isAllowedByRole) return `${denial}${noPolicyAllows("identity-based", action)}`;
  // https://github.com/aws/aws-sdk-js/issues/4303
  if (session.policy && !allows(session.policy, wish)) return `${denial}${noPolicyAllows("session", action)}`;
  return undefined;
}

/** A denial that no policy gives cause for, in the words of the service. */
export function toGroundlessDenial({ session }: Caller, { service, operation, parameters }: AwsRequest): string {
  const action = `${service}:${operation}`;
  const resource = parameters.get("RoleArn") ?? parameters.get("SecretId") ?? parameters.get("Name") ?? "*";
  const denial = toDenial(session, action, resource);
  return service === "sts" ? denial : `${denial}${noPolicyAllows("identity-based", action)}`;
}

/** https://github.com/Netflix/security_monkey/issues/77 */
function toDenial(caller: Session, action: string, resource: string): string {
  return `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`;
}

/** https://github.com/mongodb/awscdk-resources-mongodbatlas/issues/207 */
function noPolicyAllows(kind: "identity-based" | "resource-based" | "session", action: string): string {
  return ` because no ${kind} policy allows the ${action} action`;
}

/** What the policy resource `secret:<name>-??????` matches, as measured in https://github.com/ministackorg/ministack/pull/1737 */
function isSecretNamed(name: string, resource: string): boolean {
  const [, secret] = resource.split(":secret:", 2);
  return secret?.length === name.length + 7 && secret.startsWith(`${name}-`);
}
