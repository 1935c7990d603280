/** Which partition a region is in, and the mistakes that only the regions and ARNs of several settings show together. Pure. */
import type { Source } from "../values/source.ts";
import { PREFIX, type Problem } from "./setting-rules.ts";

/**
 * A session is valid in its own partition only. A test compares the patterns with the AWS SDK's.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 */
const PARTITIONS: readonly (readonly [RegExp, string])[] = [
  [/^(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+$/, "aws"],
  [/^cn-/, "aws-cn"],
  [/^us-gov-/, "aws-us-gov"],
  [/^us-iso-/, "aws-iso"],
  [/^us-isob-/, "aws-iso-b"],
  [/^eu-isoe-/, "aws-iso-e"],
  [/^us-isof-/, "aws-iso-f"],
  [/^eusc-/, "aws-eusc"],
];

/** Undefined for a region that AWS may have opened after this version. */
export const toRegionPartition = (region: string): string | undefined =>
  PARTITIONS.find(([pattern]) => pattern.test(region))?.[1];

/**
 * Adds two kinds of mistakes to `problems`: a role, region or ARN of another partition than AWS_REGION's, and an ARN of
 * another region than the one that is set for its role. With such a mistake no call could succeed, and AWS would report a
 * missing permission or unknown credentials instead.
 */
export function checkPlaces(parts: {
  readonly sources: readonly Source[];
  readonly awsRegion: string;
  readonly region: string | undefined;
  readonly failoverRegion: string | undefined;
  /** Names a field of the source with this index as the user has set it. */
  readonly toName: (field: "roleArn" | "region" | "secretIds" | "parameterNames", index: number) => string;
  readonly problems: Problem[];
}): void {
  const { awsRegion, problems } = parts;
  const partition = toRegionPartition(awsRegion);
  const partitionRule = `in partition ${partition}, like AWS_REGION ${awsRegion}`;
  const isElsewhere = (found: string | undefined) =>
    partition !== undefined && found !== undefined && found !== partition;
  const expectRegion = (name: string, region = "") => {
    if (isElsewhere(toRegionPartition(region))) problems.push({ name, rule: partitionRule, got: region });
  };
  expectRegion(`${PREFIX}FAILOVER_REGION`, parts.failoverRegion);
  for (const [index, { roleArn, region, secretIds, parameterNames }] of parts.sources.entries()) {
    const regionName = region === parts.region ? `${PREFIX}REGION` : parts.toName("region", index);
    const regionRule = `in region ${region}, as set in ${regionName} (if that is not set, each ARN is read in its own region)`;
    expectRegion(regionName, region);
    if (isElsewhere(roleArn.split(":")[1])) {
      problems.push({ name: parts.toName("roleArn", index), rule: partitionRule, got: roleArn });
    }
    for (const [field, ids] of Object.entries({ secretIds, parameterNames })) {
      for (const got of ids.filter((id) => id.startsWith("arn:"))) {
        const name = parts.toName(field as "secretIds" | "parameterNames", index);
        const [, ofArn, , arnRegion = ""] = got.split(":");
        if (isElsewhere(ofArn) || isElsewhere(toRegionPartition(arnRegion))) {
          problems.push({ name, rule: partitionRule, got });
        } else if (region !== undefined && region !== arnRegion) problems.push({ name, rule: regionRule, got });
      }
    }
  }
}
