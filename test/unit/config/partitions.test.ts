import { readFileSync } from "node:fs";
import { partition } from "@aws-sdk/core/client";
import { describe, expect, it } from "vitest";
import { toRegionPartition } from "../../../extension/config/partitions.ts";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import { PREFIX } from "../../../extension/config/setting-rules.ts";
import { OTHER_ROLE_ARN, TARGET_ROLE_ARN as ROLE } from "../../support/values.ts";
import { configOf, parseVariables } from "../../support/variables.ts";

/** The AWS SDK's own table. */
const TABLE = "@aws-sdk/core/dist-es/submodules/client/util-endpoints/lib/aws/partitions.js";

describe("a region's partition", () => {
  it("is the one that the AWS SDK has, for every region that it knows", () => {
    const text = readFileSync(new URL(`../../../node_modules/${TABLE}`, import.meta.url), "utf8");
    const regions = [...text.matchAll(/"([a-z]+(?:-[a-z]+)+-\d+)": \{/g)].map(([, name = ""]) => name);
    expect(regions).toEqual(expect.arrayContaining(["eu-west-1", "cn-north-1", "us-isof-south-1", "eusc-de-east-1"]));
    for (const region of regions) expect([region, toRegionPartition(region)]).toEqual([region, partition(region).name]);
  });

  it.each(["mars-north-1", "us-luna-east-1", "Ireland", ""])("is unknown for %j", (region) => {
    expect(toRegionPartition(region)).toBeUndefined();
  });
});

const CN_ROLE = "arn:aws-cn:iam::111111111111:role/SecretReader";
const toArn = (region: string, partition = "aws") =>
  `arn:${partition}:secretsmanager:${region}:111111111111:secret:app/database-AbCdEf`;
const toParameterArn = (region: string, partition = "aws") =>
  `arn:${partition}:ssm:${region}:111111111111:parameter/app/host`;
const toConfig = (...sources: readonly object[]) => JSON.stringify({ sources });

/** The problems: name and value. */
const problemsOf = (own: Environment) =>
  parseVariables(own).problems.map((text) => {
    const [, name = "", got = ""] = /^(.*) must be in (?:partition|region) .*; got "(.*)"$/.exec(text) ?? [];
    return [name.replaceAll(PREFIX, "_"), got];
  });

const CONFIG = "_CONFIG sources";

describe("a mistake at the start is", () => {
  it.each<[what: string, own: Environment, name: string, got: string]>([
    ["a role of another partition than AWS_REGION's", { _ROLE_ARN: CN_ROLE }, "_ROLE_ARN", CN_ROLE],
    ["such a role in the function's own variable", { ROLE_ARN: CN_ROLE }, "ROLE_ARN", CN_ROLE],
    [
      "a role of a partition that does not exist",
      { AWS_REGION: "us-gov-west-1", _ROLE_ARN: ROLE.replace("aws", "aws-gov") },
      "_ROLE_ARN",
      ROLE.replace("aws", "aws-gov"),
    ],
    [
      "a role in AWS's main partition for a region in China",
      { AWS_REGION: "cn-north-1", ROLE_ARN: ROLE },
      "ROLE_ARN",
      ROLE,
    ],
    [
      "such a role in CONFIG, for its own source only",
      { _CONFIG: toConfig({ roleArn: ROLE, secretIds: ["a"] }, { roleArn: CN_ROLE, secretIds: ["b"] }) },
      `${CONFIG}[1].roleArn`,
      CN_ROLE,
    ],
    ["REGION in another partition", { _ROLE_ARN: ROLE, _REGION: "cn-north-1" }, "_REGION", "cn-north-1"],
    [
      "a source's region in another partition",
      {
        _CONFIG: toConfig(
          { roleArn: ROLE, secretIds: ["a"] },
          { roleArn: OTHER_ROLE_ARN, secretIds: ["b"], region: "cn-north-1" },
        ),
      },
      `${CONFIG}[1].region`,
      "cn-north-1",
    ],
    [
      "FAILOVER_REGION in another partition",
      { _ROLE_ARN: ROLE, _FAILOVER_REGION: "us-gov-west-1" },
      "_FAILOVER_REGION",
      "us-gov-west-1",
    ],
    [
      "a secret's ARN of another partition",
      { _ROLE_ARN: ROLE, _SECRET_IDS: `a,${toArn("cn-north-1", "aws-cn")}` },
      "_SECRET_IDS",
      toArn("cn-north-1", "aws-cn"),
    ],
    [
      "an ARN whose region is not in its partition",
      { _ROLE_ARN: ROLE, _PARAMETER_NAMES: toParameterArn("cn-north-1") },
      "_PARAMETER_NAMES",
      toParameterArn("cn-north-1"),
    ],
    [
      "a secret's ARN in another region than REGION",
      { _ROLE_ARN: ROLE, _REGION: "us-east-1", _SECRET_IDS: `a ${toArn("us-east-1")} ${toArn("eu-west-1")}` },
      "_SECRET_IDS",
      toArn("eu-west-1"),
    ],
    [
      "a parameter's ARN in another region than REGION",
      { _ROLE_ARN: ROLE, _REGION: "us-east-1", _PARAMETER_NAMES: toParameterArn("eu-west-1") },
      "_PARAMETER_NAMES",
      toParameterArn("eu-west-1"),
    ],
    [
      "an ARN in another region than its source's",
      { _CONFIG: toConfig({ roleArn: ROLE, region: "us-east-1", secretIds: [toArn("eu-west-1")] }) },
      `${CONFIG}[0].secretIds`,
      toArn("eu-west-1"),
    ],
    [
      "an ARN in another region than REGION, which a source of CONFIG also has",
      {
        _REGION: "us-east-1",
        _CONFIG: toConfig(
          { roleArn: ROLE, parameterNames: [toParameterArn("eu-west-1")] },
          { roleArn: OTHER_ROLE_ARN, region: "eu-west-1", parameterNames: [toParameterArn("eu-west-1")] },
        ),
      },
      `${CONFIG}[0].parameterNames`,
      toParameterArn("eu-west-1"),
    ],
  ])("%s", (_, own, name, got) => {
    expect(problemsOf(own)).toEqual([[name, got]]);
  });

  it("reported together with all others of its kind", () => {
    const own = {
      _REGION: "cn-north-1",
      _SECRET_IDS: toArn("cn-north-1", "aws-cn"),
      _FAILOVER_REGION: "cn-northwest-1",
    };
    expect(problemsOf({ _ROLE_ARN: CN_ROLE, ...own }).map(([name]) => name)).toEqual([
      "_FAILOVER_REGION",
      "_REGION",
      "_ROLE_ARN",
      "_SECRET_IDS",
    ]);
  });

  it("worded so that it names both regions, or both partitions", () => {
    expect(parseVariables({ _ROLE_ARN: CN_ROLE }).problems).toEqual([
      `${PREFIX}ROLE_ARN must be in partition aws, like AWS_REGION eu-west-1; got "${CN_ROLE}"`,
    ]);
    const arn = toArn("eu-west-1");
    expect(parseVariables({ _ROLE_ARN: ROLE, _REGION: "us-east-1", _SECRET_IDS: arn }).problems).toEqual([
      `${PREFIX}SECRET_IDS must be in region us-east-1, as set in ${PREFIX}REGION (if that is not set, each ARN is read in its own region); got "${arn}"`,
    ]);
  });
});

describe("no mistake is", () => {
  it.each<[string, Environment]>([
    [
      "a role in China for a region in China",
      { AWS_REGION: "cn-north-1", _ROLE_ARN: CN_ROLE, _REGION: "cn-northwest-1" },
    ],
    [
      "a partition and a region of tomorrow",
      { AWS_REGION: "mars-north-1", _ROLE_ARN: ROLE.replace("aws", "aws-mars") },
    ],
    ["ARNs in several regions without REGION", { _SECRET_IDS: `${toArn("us-east-1")} ${toArn("eu-west-1")}` }],
    ["an ARN in REGION", { _REGION: "us-east-1", _SECRET_IDS: toArn("us-east-1") }],
    ["an ARN of another account", { _SECRET_IDS: toArn("eu-west-1").replace("111111111111", "999999999999") }],
    ["the function's own SECRET_NAME in another region", { _REGION: "us-east-1", SECRET_NAME: toArn("eu-west-1") }],
  ])("%s", (_, own) => {
    configOf(own);
  });
});
