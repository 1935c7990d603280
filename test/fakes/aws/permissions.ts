/**
 * Who may do what. Pure. Each function answers AWS's message if it is denied, and undefined if it is allowed.
 *
 * Roles carry lists in place of policies (`RoleOptions`); evaluating whole policies would be done here, and nowhere else.
 */
import type { Role, Session } from "./iam.ts";
import type { AwsRequest } from "./operation.ts";

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
export function denialOfGetSecretValue({ session, role }: Caller, resource: string): string | undefined {
  const denial = toDenial(session, "secretsmanager:GetSecretValue", resource);
  if (session.revoked) return `${denial}${REVOKED}`;
  const owner = /^arn:[^:]*:secretsmanager:[^:]*:(\d{12}):secret:/.exec(resource)?.[1];
  // Across accounts both policies must allow it, and the fake's secrets have none: https://github.com/aws/aws-cdk/issues/28537
  if (owner !== undefined && owner !== session.account) return `${denial}${noPolicyAllows("resource")}`;
  if (role.readableSecrets === "any" || role.readableSecrets.some((name) => isSecretNamed(name, resource)))
    return undefined;
  return `${denial}${noPolicyAllows("identity")}`;
}

/** A denial that no policy gives cause for, in the words of the service. */
export function toGroundlessDenial({ session }: Caller, { service, operation, parameters }: AwsRequest): string {
  const denial = toDenial(
    session,
    `${service}:${operation}`,
    parameters.get("RoleArn") ?? parameters.get("SecretId") ?? "*",
  );
  return service === "sts" ? denial : `${denial}${noPolicyAllows("identity")}`;
}

/** https://github.com/Netflix/security_monkey/issues/77 */
function toDenial(caller: Session, action: string, resource: string): string {
  return `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`;
}

/** https://github.com/mongodb/awscdk-resources-mongodbatlas/issues/207 */
function noPolicyAllows(kind: "identity" | "resource"): string {
  return ` because no ${kind}-based policy allows the secretsmanager:GetSecretValue action`;
}

/** What the policy resource `secret:<name>-??????` matches, as measured in https://github.com/ministackorg/ministack/pull/1737 */
function isSecretNamed(name: string, resource: string): boolean {
  const [, secret] = resource.split(":secret:", 2);
  return secret?.length === name.length + 7 && secret.startsWith(`${name}-`);
}
