/**
 * The policy statements that two accounts need before a secret can be read. Diagnosis and `policies` print them, and the
 * session policy is made of them. Pure.
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

/** Who calls AWS. For a role's session, AWS tells only the role's name: then `path` is undefined. */
export interface Caller {
  readonly partition: string;
  readonly accountId: string;
  readonly type: "role" | "user";
  readonly name: string;
  /** `/`, or `/service-role/` and the like. */
  readonly path: string | undefined;
}

/** What is sent with AssumeRole, and what policies can have conditions on. */
export interface AssumeRoleOptions {
  readonly externalId?: string | undefined;
  readonly organizationId?: string | undefined;
  readonly hasTags?: boolean | undefined;
  readonly hasSourceIdentity?: boolean | undefined;
  /** Trust the caller's account, with a condition on the caller: AWS accepts a role as principal only if the role exists. */
  readonly trustsAccount?: boolean | undefined;
}

/**
 * For the role's trust policy. An ARN without the role's path names another role. If the path is unknown, a condition
 * accepts the role with and without a path.
 */
export function toTrustStatement(caller: Caller, options: AssumeRoleOptions = {}): Statement {
  const { partition, accountId, type, name, path } = caller;
  const account = `arn:${partition}:iam::${accountId}`;
  const arn = `${account}:${type}${path ?? "/"}${name}`;
  const arns = path === undefined ? [arn, `${account}:${type}/*/${name}`] : [arn];
  const { externalId, organizationId } = options;
  const trustsAccount = path === undefined || options.trustsAccount === true;
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
    Action: toAssumeActions(options),
    ...(Object.keys(condition).length > 0 ? { Condition: condition } : {}),
  };
}

/**
 * All statements that the trust policy needs. Only AssumeRole is sent with an external ID, so a condition that requires
 * one of the other actions is never met: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
 */
export function toTrustStatements(caller: Caller, options: AssumeRoleOptions = {}): readonly Statement[] {
  const { externalId, ...others } = options;
  const statement = toTrustStatement(caller, options);
  const [assume = "", ...more] = [statement.Action].flat();
  if (externalId === undefined || more.length === 0) return [statement];
  return [
    { ...statement, Action: assume },
    { ...toTrustStatement(caller, others), Action: more },
  ];
}

/** For a policy of the caller. */
export const toAssumeStatement = (roleArn: string, options: AssumeRoleOptions = {}): Statement => ({
  Effect: "Allow",
  Action: toAssumeActions(options),
  Resource: roleArn,
});

/**
 * Tags and a source identity need an action of their own, on both sides.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html#id_credentials_temp_control-access_monitor-perms
 */
function toAssumeActions({ hasTags, hasSourceIdentity }: AssumeRoleOptions): string | readonly string[] {
  const more = [...(hasTags ? ["sts:TagSession"] : []), ...(hasSourceIdentity ? ["sts:SetSourceIdentity"] : [])];
  return more.length > 0 ? ["sts:AssumeRole", ...more] : "sts:AssumeRole";
}

/** Where a secret or parameter with a bare name is. */
export interface AccountLocation {
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
}

/** For the role's permissions, and for its session policy. */
export const toReadStatement = (resources: readonly string[]): Statement => ({
  Effect: "Allow",
  Action: "secretsmanager:GetSecretValue",
  Resource: toOneOrMore(resources),
});

/** For the resource policy of a secret in another account than the role's. `*` is the secret itself. */
export const toResourceStatement = (roleArn: string): Statement => ({
  Effect: "Allow",
  Principal: { AWS: roleArn },
  Action: "secretsmanager:GetSecretValue",
  Resource: "*",
});

/**
 * The secret as a policy's resource. AWS appends a hyphen and six random characters to a name; `-*` would also match
 * `<name>-prod-…`. Only AWS knows whether an ARN already has the six.
 */
export function toSecretResources(
  secretId: string,
  { partition, region, accountId }: AccountLocation,
): readonly string[] {
  if (toRegion(secretId) !== undefined) return [secretId, `${secretId}-??????`];
  return [`arn:${partition}:secretsmanager:${region}:${accountId}:secret:${secretId}-??????`];
}

export const toParameterStatement = (resources: readonly string[]): Statement => ({
  Effect: "Allow",
  Action: "ssm:GetParameter",
  Resource: toOneOrMore(resources),
});

/** One resource is written as a text, as people do. */
const toOneOrMore = (resources: readonly string[]) => (resources.length === 1 ? (resources[0] ?? "") : resources);

/** The parameter as a policy's resource, with one slash after `parameter`. */
export function toParameterResource(parameterId: string, { partition, region, accountId }: AccountLocation): string {
  if (toParameterRegion(parameterId) !== undefined) return parameterId;
  // AWS's public parameters belong to no account:
  // https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
  const account = parameterId.startsWith("/aws/service/") ? "" : accountId;
  return `arn:${partition}:ssm:${region}:${account}:parameter/${toArnName(parameterId)}`;
}

/** The secret that a parameter refers to: https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html */
export const toReferencedSecret = (parameterId: string): string | undefined => REFERENCE.exec(parameterId)?.[1];
const REFERENCE = /(?:^|:parameter)\/aws\/reference\/secretsmanager\/(.+)$/;

/** Reading needs Decrypt. DescribeKey helps to find out what is wrong with a key. */
const KEY_ACTIONS = ["kms:Decrypt", "kms:DescribeKey"];

/** For the key's policy, where `*` is the key itself. */
export const toKeyStatement = (roleArn: string): Statement => ({
  Effect: "Allow",
  Principal: { AWS: roleArn },
  Action: KEY_ACTIONS,
  Resource: "*",
});

/** For the role's permissions. Without its ARN, it is every key that the service uses on our behalf. */
export const toDecryptStatement = (key: { readonly arn: string } | { readonly service: "secretsmanager" | "ssm" }) => ({
  Effect: "Allow" as const,
  Action: KEY_ACTIONS,
  ...("arn" in key
    ? { Resource: key.arn }
    : { Resource: "*", Condition: { StringLike: { "kms:ViaService": `${key.service}.*` } } }),
});
