/**
 * Who may do what: by lists that roles carry in place of policies. `policies.ts` knows real ones. Pure.
 *
 * What a session may do, its role and its session policy both allow.
 */
import type { Role, Session } from "./iam.ts";
import type { AwsRequest } from "./operation.ts";
import { toParameterArn } from "./parameters.ts";
import type { PolicyDocument } from "./policies.ts";
import { allows } from "./session-policy.ts";

/** A caller who has proved who it is, with its role as it is now. */
export interface Caller {
  readonly session: Session;
  readonly role: Role;
}

/** What a caller wants to do. */
export interface Wish {
  /** `sts:AssumeRole` */
  readonly action: string;
  /** The ARN that policies are about. */
  readonly resource: string;
  /** What AWS calls it in a denial. Default: the ARN. */
  readonly called?: string;
  /** Condition keys of the request. */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
  /** The role to assume; undefined also if there is no such role. */
  readonly target?: Role | undefined;
  /** Of the role to assume, of the secret, or of the key. */
  readonly resourcePolicy?: PolicyDocument | undefined;
}

/** AWS's message if it is denied, and undefined if it is allowed. */
export type DenialOf = (caller: Caller, wish: Wish) => Promise<string | undefined>;

// The revocation of a role's sessions is a policy that denies everything to those issued before a certain time:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
export const REVOKED = " with an explicit deny in an identity-based policy";

export const denialByLists: DenialOf = async ({ session, role }, wish) => {
  const { action, resource } = wish;
  const denial = toDenial(session, wish);
  if (session.revoked) return `${denial}${REVOKED}`;
  const isAllowed = isAllowedByLists(session, role, wish);
  // Both sides must allow it, and AWS does not tell which of them did not.
  if (action.startsWith("sts:")) return isAllowed ? undefined : denial;
  // Across accounts both policies must allow it, and what the fake has has none: https://github.com/aws/aws-cdk/issues/28537
  const owner = /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(resource)?.[1];
  if (owner !== undefined && owner !== session.account) return `${denial}${noPolicyAllows("resource-based", action)}`;
  if (!isAllowed) return `${denial}${noPolicyAllows("identity-based", action)}`;
  // https://github.com/aws/aws-sdk-js/issues/4303
  if (session.policy && !allows(session.policy, wish)) return `${denial}${noPolicyAllows("session", action)}`;
  return undefined;
};

function isAllowedByLists(session: Session, role: Role, { action, resource, called, context, target }: Wish): boolean {
  const isListed = (list: "any" | readonly string[], isIt: (entry: string) => boolean) =>
    list === "any" || list.some(isIt);
  switch (action) {
    case "sts:AssumeRole": {
      const itsRootArn = `arn:${session.partition}:iam::${session.account}:root`;
      const names = [session.arn, session.roleArn, itsRootArn];
      const isTrusted = target?.trusts.some((principal) => names.includes(principal)) ?? false;
      const isAskedRightly = target?.externalId === undefined || target.externalId === context?.["sts:ExternalId"];
      return isTrusted && isAskedRightly && isListed(role.assumableRoles, (arn) => arn === resource);
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

/** A denial that no policy gives cause for, in the words of the service. */
export function toGroundlessDenial({ session }: Caller, { service, operation, parameters }: AwsRequest): string {
  const action = `${service}:${operation}`;
  const resource = parameters.get("RoleArn") ?? parameters.get("SecretId") ?? parameters.get("Name") ?? "*";
  const denial = toDenial(session, { action, resource });
  return service === "sts" ? denial : `${denial}${noPolicyAllows("identity-based", action)}`;
}

/** https://github.com/Netflix/security_monkey/issues/77 */
export function toDenial(caller: Session, { action, resource, called = resource }: Wish): string {
  return `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${called}`;
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
