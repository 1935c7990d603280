/**
 * The statements that have to stand in the policies of two accounts before a secret can be read: what diagnosis prints, what
 * `policies` prints, and what the session policy is made of. Pure.
 */
import { toArnName, toParameterRegion } from "../values/parameter.ts";
import { toRegion } from "../values/secret.ts";

export interface Statement {
  readonly Effect: "Allow";
  readonly Principal?: "*" | { readonly AWS: string };
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** Who calls AWS. Of a role's session AWS tells the name alone: `path` is undefined where it is not known. */
export interface Caller {
  readonly partition: string;
  readonly accountId: string;
  readonly kind: "role" | "user";
  readonly name: string;
  /** `/`, or `/service-role/` and the like. */
  readonly path: string | undefined;
}

/** What is sent with AssumeRole, of which policies may speak. */
export interface AssumeRoleWishes {
  readonly externalId?: string | undefined;
  readonly organizationId?: string | undefined;
  readonly hasTags?: boolean | undefined;
  readonly hasSourceIdentity?: boolean | undefined;
  /** The principal is the caller's account, and a condition asks for the caller: AWS takes a principal only if it exists. */
  readonly trustsAccount?: boolean | undefined;
}

/** In the role's trust policy. Without its path a role's ARN is another's, so that where it is not known, a condition takes both. */
export function toTrustStatement(caller: Caller, wishes: AssumeRoleWishes = {}): Statement {
  const { partition, accountId, kind, name, path } = caller;
  const account = `arn:${partition}:iam::${accountId}`;
  const arn = `${account}:${kind}${path ?? "/"}${name}`;
  const arns = path === undefined ? [arn, `${account}:${kind}/*/${name}`] : [arn];
  const { externalId, organizationId } = wishes;
  const trustsAccount = path === undefined || wishes.trustsAccount === true;
  const equals = {
    ...(organizationId === undefined ? {} : { "aws:PrincipalOrgID": organizationId }),
    ...(externalId === undefined ? {} : { "sts:ExternalId": externalId }),
  };
  const condition = {
    ...(trustsAccount ? { ArnLike: { "aws:PrincipalArn": toOneOrMore(arns) } } : {}),
    ...(Object.keys(equals).length > 0 ? { StringEquals: equals } : {}),
  };
  return {
    Effect: "Allow",
    Principal: { AWS: trustsAccount ? `${account}:root` : arn },
    Action: toAssumeActions(wishes),
    ...(Object.keys(condition).length > 0 ? { Condition: condition } : {}),
  };
}

/**
 * All that the trust policy needs. Of the actions only AssumeRole has an external ID, and a condition that asks the others
 * for one is never met: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
 */
export function toTrustStatements(caller: Caller, wishes: AssumeRoleWishes = {}): readonly Statement[] {
  const { externalId, ...others } = wishes;
  const statement = toTrustStatement(caller, wishes);
  const [assume = "", ...more] = [statement.Action].flat();
  if (externalId === undefined || more.length === 0) return [statement];
  return [
    { ...statement, Action: assume },
    { ...toTrustStatement(caller, others), Action: more },
  ];
}

/** In a policy of the caller's. */
export const toAssumeStatement = (roleArn: string, wishes: AssumeRoleWishes = {}): Statement => ({
  Effect: "Allow",
  Action: toAssumeActions(wishes),
  Resource: roleArn,
});

/**
 * Tags and a source identity are actions of their own, on both sides.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html#id_credentials_temp_control-access_monitor-perms
 */
function toAssumeActions({ hasTags, hasSourceIdentity }: AssumeRoleWishes): string | readonly string[] {
  const more = [...(hasTags ? ["sts:TagSession"] : []), ...(hasSourceIdentity ? ["sts:SetSourceIdentity"] : [])];
  return more.length > 0 ? ["sts:AssumeRole", ...more] : "sts:AssumeRole";
}

/** Where what is called by a bare name is. */
export interface Owner {
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
}

/** In the role's permissions, and at the most in its session's. */
export const toReadStatement = (resources: readonly string[]): Statement => ({
  Effect: "Allow",
  Action: "secretsmanager:GetSecretValue",
  Resource: toOneOrMore(resources),
});

/** In the resource policy of a secret that another account than the role's owns; `*` is the secret itself. */
export const toResourceStatement = (roleArn: string): Statement => ({
  Effect: "Allow",
  Principal: { AWS: roleArn },
  Action: "secretsmanager:GetSecretValue",
  Resource: "*",
});

/**
 * The secret in a policy. AWS appends a hyphen and six random characters to a name. `-*` would also let through
 * `<name>-prod-…`, and whether an ARN has the six already, AWS alone knows.
 */
export function toSecretResources(secretId: string, { partition, region, accountId }: Owner): readonly string[] {
  if (toRegion(secretId) !== undefined) return [secretId, `${secretId}-??????`];
  return [`arn:${partition}:secretsmanager:${region}:${accountId}:secret:${secretId}-??????`];
}

export const toParameterStatement = (resources: readonly string[]): Statement => ({
  Effect: "Allow",
  Action: "ssm:GetParameter",
  Resource: toOneOrMore(resources),
});

/** As people write it. */
const toOneOrMore = (resources: readonly string[]) => (resources.length === 1 ? (resources[0] ?? "") : resources);

/** The parameter in a policy, with the one slash that an ARN has. */
export function toParameterResource(parameterId: string, { partition, region, accountId }: Owner): string {
  if (toParameterRegion(parameterId) !== undefined) return parameterId;
  // AWS's public parameters are of no account:
  // https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
  const owner = parameterId.startsWith("/aws/service/") ? "" : accountId;
  return `arn:${partition}:ssm:${region}:${owner}:parameter/${toArnName(parameterId)}`;
}

/** The secret that a parameter refers to: https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html */
export const toReferencedSecret = (parameterId: string): string | undefined => REFERENCE.exec(parameterId)?.[1];
const REFERENCE = /(?:^|:parameter)\/aws\/reference\/secretsmanager\/(.+)$/;

/** Decrypting is what reading takes; the other lets one look what is wrong with a key. */
const KEY_ACTIONS = ["kms:Decrypt", "kms:DescribeKey"];

/** In the key's policy, where `*` is the key itself. */
export const toKeyStatement = (roleArn: string): Statement => ({
  Effect: "Allow",
  Principal: { AWS: roleArn },
  Action: KEY_ACTIONS,
  Resource: "*",
});

/** In the role's permissions. A key that is not known by its ARN is any that the service uses for us. */
export const toDecryptStatement = (key: { readonly arn: string } | { readonly service: "secretsmanager" | "ssm" }) => ({
  Effect: "Allow" as const,
  Action: KEY_ACTIONS,
  ...("arn" in key
    ? { Resource: key.arn }
    : { Resource: "*", Condition: { StringLike: { "kms:ViaService": `${key.service}.*` } } }),
});
