/**
 * The session policy: what a session of the target role may do at the most, so that a stolen one reads the configured
 * secrets and nothing else. Pure.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
 */
import { inRegion, toRegion } from "./secret-id.ts";
import { ROLE_ARN } from "./settings.ts";
import type { Source } from "./sources.ts";

/** STS's limit for the text; it also packs it, which only STS can tell the size of. */
const MAX_CHARACTERS = 2_048;

/** As JSON; undefined where it would be too long for STS. */
export function toSessionPolicy(source: Source, failoverRegion: string | undefined): string | undefined {
  const partition = ROLE_ARN.exec(source.roleArn)?.[0].split(":")[1] ?? "aws";
  const regions = [source.home.region, ...(failoverRegion === undefined ? [] : [failoverRegion])];
  const toResources = (secretId: string): readonly string[] => {
    if (toRegion(secretId) === undefined) {
      const { accountId } = source.home;
      // AWS appends a hyphen and six characters. `-*` would also let through `<name>-prod-…`.
      return regions.map(
        (region) => `arn:${partition}:secretsmanager:${region}:${accountId}:secret:${secretId}-??????`,
      );
    }
    const own = source.region === undefined ? secretId : inRegion(secretId, source.region);
    const arns = [own, ...(failoverRegion === undefined ? [] : [inRegion(own, failoverRegion)])];
    return arns.flatMap((arn) => [arn, `${arn}-??????`]);
  };
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: "secretsmanager:GetSecretValue",
        Resource: [...new Set(source.secretIds.flatMap(toResources))],
      },
      {
        Effect: "Allow",
        Action: "kms:Decrypt",
        Resource: "*",
        Condition: { StringLike: { "kms:ViaService": "secretsmanager.*" } },
      },
    ],
  });
  return policy.length <= MAX_CHARACTERS ? policy : undefined;
}
