/**
 * The session policy: what a session of the target role may do at the most, so that a stolen one reads the configured
 * secrets and parameters and nothing else. Pure.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
 */
import { toArnName, toParameterRegion } from "./parameter-id.ts";
import { inRegion, toRegion } from "./secret-id.ts";
import type { Source } from "./sources.ts";

/** STS's limit for the text; it also packs it, which only STS can tell the size of. */
const MAX_CHARACTERS = 2_048;

/** As JSON; undefined where it would be too long for STS. */
export function toSessionPolicy(source: Source, failoverRegion: string | undefined): string | undefined {
  const [secrets, parameters] = [toSecretArns(source, failoverRegion), toParameterArns(source)];
  const services = [...(secrets.length > 0 ? ["secretsmanager.*"] : []), ...(parameters.length > 0 ? ["ssm.*"] : [])];
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      ...toStatements("secretsmanager:GetSecretValue", secrets),
      ...toStatements("ssm:GetParameter", parameters),
      // Which keys these are, only the secrets and parameters know.
      {
        Effect: "Allow",
        Action: "kms:Decrypt",
        Resource: "*",
        Condition: { StringLike: { "kms:ViaService": services } },
      },
    ],
  });
  return policy.length <= MAX_CHARACTERS ? policy : undefined;
}

function toStatements(action: string, resources: readonly string[]): readonly object[] {
  return resources.length === 0 ? [] : [{ Effect: "Allow", Action: action, Resource: [...new Set(resources)] }];
}

function toSecretArns(source: Source, failoverRegion: string | undefined): readonly string[] {
  // A parameter may be a reference to a secret, which is then read with the role's permission too.
  const ids = [...source.secretIds, ...source.parameterNames.flatMap((name) => REFERENCE.exec(name)?.[1] ?? [])];
  return ids.flatMap((secretId) => {
    const region = source.region ?? toRegion(secretId) ?? source.home.region;
    const prefix = `arn:${toPartition(source)}:secretsmanager:${region}:${source.home.accountId}:secret:`;
    const own = toRegion(secretId) === undefined ? prefix + secretId : inRegion(secretId, region);
    return [own, ...(failoverRegion === undefined ? [] : [inRegion(own, failoverRegion)])].flatMap((arn) => [
      ...(toRegion(secretId) === undefined ? [] : [arn]),
      // AWS appends a hyphen and six characters to a name. `-*` would also let through `<name>-prod-…`.
      `${arn}-??????`,
    ]);
  });
}

function toParameterArns(source: Source): readonly string[] {
  const { region, accountId } = source.home;
  return source.parameterNames.map((name) => {
    if (toParameterRegion(name) !== undefined) return name;
    // AWS's public parameters are of no account:
    // https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
    const owner = name.startsWith("/aws/service/") ? "" : accountId;
    return `arn:${toPartition(source)}:ssm:${region}:${owner}:parameter/${toArnName(name)}`;
  });
}

/** https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html */
const REFERENCE = /(?:^|:parameter)\/aws\/reference\/secretsmanager\/(.+)$/;

const toPartition = ({ roleArn }: Source): string => roleArn.split(":")[1] ?? "aws";
