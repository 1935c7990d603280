/**
 * The session policy limits a session of the target role: a stolen session can read the configured secrets and parameters
 * only. Pure.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
 */

import {
  toParameterResource,
  toParameterStatement,
  toReadStatement,
  toReferencedSecret,
  toSecretResources,
} from "../failure/statements.ts";
import { inRegion } from "../values/secret.ts";
import type { Source } from "../values/source.ts";

/** STS's limit for the text. STS also limits the session token that the policy becomes a part of, which only STS can measure. */
const MAX_CHARACTERS = 2_048;

/** Returns JSON, or undefined if it would be too long for STS. */
export function toSessionPolicy(source: Source, failoverRegion: string | undefined): string | undefined {
  const [secrets, parameters] = [toSecretArns(source, failoverRegion), toParameterArns(source)];
  const services = [...(secrets.length > 0 ? ["secretsmanager.*"] : []), ...(parameters.length > 0 ? ["ssm.*"] : [])];
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      ...(secrets.length > 0 ? [toReadStatement([...new Set(secrets)])] : []),
      ...(parameters.length > 0 ? [toParameterStatement([...new Set(parameters)])] : []),
      // The keys are not known here.
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

function toSecretArns(source: Source, failoverRegion: string | undefined): readonly string[] {
  // A parameter may refer to a secret, which the role then reads as well.
  const ids = [...source.secretIds, ...source.parameterNames.flatMap((name) => toReferencedSecret(name) ?? [])];
  return ids.flatMap((secretId) => {
    const { region, accountId } = source.home;
    const own = toSecretResources(secretId, { partition: toPartition(source), region, accountId });
    return [...own, ...(failoverRegion === undefined ? [] : own.map((arn) => inRegion(arn, failoverRegion)))];
  });
}

function toParameterArns(source: Source): readonly string[] {
  const owner = { partition: toPartition(source), ...source.home };
  return source.parameterNames.map((name) => toParameterResource(name, owner));
}

const toPartition = ({ roleArn }: Source): string => roleArn.split(":")[1] ?? "aws";
