/**
 * Decides permissions by lists that roles carry instead of policies. `policies.ts` evaluates real policies. Pure.
 *
 * A session may do what both its role and its session policy allow.
 */
import type { Role, RoleSession } from "./iam.ts";
import type { AwsRequest } from "./operation.ts";
import { toParameterArn } from "./parameters.ts";
import type { PolicyDocument } from "./policies.ts";
import { allows } from "./session-policy.ts";

/** A caller with a valid signature, and its role as it is now. */
export interface AuthenticatedCaller {
  readonly session: RoleSession;
  readonly role: Role;
}

/** An action that a caller asks permission for. */
export interface RequestedAction {
  /** `sts:AssumeRole` */
  readonly action: string;
  /** The ARN that policies name. */
  readonly resource: string;
  /** How AWS names the resource in a denial. Default: the ARN. */
  readonly called?: string;
  /** The condition keys of the request. */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
  /** The role to assume. Undefined also if it does not exist. */
  readonly target?: Role | undefined;
  /** The policy of the role to assume, of the secret, or of the key. */
  readonly resourcePolicy?: PolicyDocument | undefined;
}

/** Returns AWS's message if the action is denied, or undefined if it is allowed. */
export type FindDenial = (caller: AuthenticatedCaller, requested: RequestedAction) => Promise<string | undefined>;

// AWS revokes a role's sessions by a policy that denies everything to sessions that were issued before a certain time:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
export const REVOKED = " with an explicit deny in an identity-based policy";

export const findDenialByLists: FindDenial = async ({ session, role }, requested) => {
  const { action, resource } = requested;
  const denial = toDenial(session, requested);
  if (session.revoked) return `${denial}${REVOKED}`;
  const isAllowed = isAllowedByLists(session, role, requested);
  // Both sides must allow it, and AWS does not tell which of them denied it.
  if (action.startsWith("sts:")) return isAllowed ? undefined : denial;
  // Across accounts both policies must allow it, and here no resource has a policy: https://github.com/aws/aws-cdk/issues/28537
  const owner = /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(resource)?.[1];
  if (owner !== undefined && owner !== session.account) return `${denial}${noPolicyAllows("resource-based", action)}`;
  if (!isAllowed) return `${denial}${noPolicyAllows("identity-based", action)}`;
  // https://github.com/aws/aws-sdk-js/issues/4303
  if (session.policy && !allows(session.policy, requested)) return `${denial}${noPolicyAllows("session", action)}`;
  return undefined;
};

function isAllowedByLists(
  session: RoleSession,
  role: Role,
  { action, resource, called, context, target }: RequestedAction,
): boolean {
  const isListed = (list: "any" | readonly string[], isMatch: (entry: string) => boolean) =>
    list === "any" || list.some(isMatch);
  switch (action) {
    case "sts:AssumeRole": {
      const rootArn = `arn:${session.partition}:iam::${session.account}:root`;
      const names = [session.arn, session.roleArn, rootArn];
      const isTrusted = target?.trusts.some((principal) => names.includes(principal)) ?? false;
      const hasExternalId = target?.externalId === undefined || target.externalId === context?.["sts:ExternalId"];
      return isTrusted && hasExternalId && isListed(role.assumableRoles, (arn) => arn === resource);
    }
    case "secretsmanager:GetSecretValue":
      return isListed(role.readableSecrets, (name) => isSecretNamed(name, called ?? resource));
    case "ssm:GetParameter":
      return isListed(
        role.readableParameters,
        (name) => toParameterArn("", name) === resource.slice(resource.indexOf(":parameter/")),
      );
    case "kms:Decrypt":
      return isListed(role.usableKeys, (key) => key === resource);
    default:
      return true;
  }
}

/** The denial of the fault `deny`, in the words of the service. */
export function toInjectedDenial(
  { session }: AuthenticatedCaller,
  { service, operation, parameters }: AwsRequest,
): string {
  const action = `${service}:${operation}`;
  const resource = parameters.get("RoleArn") ?? parameters.get("SecretId") ?? parameters.get("Name") ?? "*";
  const denial = toDenial(session, { action, resource });
  return service === "sts" ? denial : `${denial}${noPolicyAllows("identity-based", action)}`;
}

/** https://github.com/Netflix/security_monkey/issues/77 */
export function toDenial(caller: RoleSession, { action, resource, called = resource }: RequestedAction): string {
  return `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${called}`;
}

/** https://github.com/mongodb/awscdk-resources-mongodbatlas/issues/207 */
function noPolicyAllows(kind: "identity-based" | "resource-based" | "session", action: string): string {
  return ` because no ${kind} policy allows the ${action} action`;
}

/** Whether the policy resource `secret:<name>-??????` matches, as measured in https://github.com/ministackorg/ministack/pull/1737 */
function isSecretNamed(name: string, resource: string): boolean {
  const [, secret] = resource.split(":secret:", 2);
  return secret?.length === name.length + 7 && secret.startsWith(`${name}-`);
}
