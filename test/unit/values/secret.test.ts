import { describe, expect, it } from "vitest";
import { inRegion, isSecretId, secretRules, toRegion } from "../../../extension/values/secret.ts";
import { type Home, mayBeSame } from "../../../extension/values/source.ts";

const { isCalled, toAccountId, toLocation } = secretRules;
const mayBeSameSecret = (asked: string, configured: string, home: Home) =>
  mayBeSame(secretRules, asked, configured, home);

const ARN = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/database-AbCdEf";
const PARTIAL_ARN = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/database";
const RDS = "rds!cluster-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

describe("a secret's id", () => {
  it.each([
    ["a name", "database"],
    ["one character", "d"],
    ["slashes", "/app/prod/database"],
    ["a plus", "a+b"],
    ["every sign that AWS allows", "aZ09/_+=.@-"],
    ["the bang of a secret that an AWS service owns", RDS],
    ["a hyphen and six characters at the end of a name", "my-secret"],
    ["dots that are no path's", "../ping"],
    ["an ARN", ARN],
    ["an ARN without its random characters", PARTIAL_ARN],
    ["an ARN in China", "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db-AbCdEf"],
    ["an ARN in GovCloud", "arn:aws-us-gov:secretsmanager:us-gov-west-1:111111111111:secret:db-AbCdEf"],
    ["an ARN of an isolated partition", "arn:aws-iso-b:secretsmanager:us-isob-east-1:111111111111:secret:db-AbCdEf"],
    ["an ARN of an AWS service's secret", `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${RDS}-AbCdEf`],
    ["2048 characters", "s".repeat(2_048)],
  ])("may be %s", (_, text) => {
    expect(isSecretId(text)).toBe(true);
  });

  it.each([
    ["empty", ""],
    ["a space", "my secret"],
    ["a space at its end", "secret "],
    ["a line feed at its end", "secret\n"],
    ["a NUL", "secret\0"],
    ["a percent sign", "a%2Fb"],
    ["a wildcard", "app/*"],
    ["another wildcard", "app-??????"],
    ["a letter beyond ASCII", "café"],
    ["a colon that makes it no ARN", "a:b"],
    ["another service's ARN", "arn:aws:ssm:eu-west-1:111111111111:parameter/db"],
    ["an ARN of another partition's making", "arn:gcp:secretsmanager:eu-west-1:111111111111:secret:db"],
    ["an ARN without a name", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:"],
    ["an ARN without a region", "arn:aws:secretsmanager::111111111111:secret:db"],
    ["an ARN with eleven digits", "arn:aws:secretsmanager:eu-west-1:11111111111:secret:db"],
    ["an ARN with thirteen digits", "arn:aws:secretsmanager:eu-west-1:1111111111111:secret:db"],
    ["an ARN with digits beyond ASCII", "arn:aws:secretsmanager:eu-west-1:١١١١١١١١١١١١:secret:db"],
    ["an ARN with a wildcard", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:db-*"],
    ["an ARN with a host for a region", "arn:aws:secretsmanager:evil.example:111111111111:secret:db"],
    ["2049 characters", "s".repeat(2_049)],
  ])("may not be %s", (_, text) => {
    expect(isSecretId(text)).toBe(false);
  });

  it.each([
    [ARN, "eu-west-1"],
    [PARTIAL_ARN, "eu-west-1"],
    ["arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db", "cn-north-1"],
    ["arn:aws-us-gov:secretsmanager:us-gov-east-1:111111111111:secret:db", "us-gov-east-1"],
    ["database", undefined],
    [RDS, undefined],
  ])("%s is in the region %s", (secretId, region) => {
    expect(toRegion(secretId)).toBe(region);
  });
});

describe("what AWS answered", () => {
  const answered = { arn: ARN, name: "app/database" };

  it.each(["app/database", ARN, PARTIAL_ARN])("is called %s", (secretId) => {
    expect(isCalled(answered, secretId)).toBe(true);
  });

  it.each([
    "app",
    "app/database-AbCdEf",
    "app/Database",
    "",
    ARN.replace("AbCdEf", "abcdef"),
    ARN.replace("eu-west-1", "eu-west-2"),
    ARN.replace("111111111111", "222222222222"),
    ARN.replace("arn:aws:", "arn:aws-cn:"),
    PARTIAL_ARN.slice(0, -1),
  ])("is not called %j", (secretId) => {
    expect(isCalled(answered, secretId)).toBe(false);
  });

  it("loses six characters of its ARN, never a word of the name that looks like them", () => {
    const arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-secret-AbCdEf";
    const mine = { arn, name: "my-secret" };
    expect(isCalled(mine, arn.slice(0, -"-AbCdEf".length))).toBe(true);
    expect(isCalled(mine, "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my")).toBe(false);
  });
});

describe("two spellings", () => {
  const home = { region: "eu-west-1", accountId: "111111111111" };
  const spellings = ["app/database", ARN, PARTIAL_ARN];

  it.each(spellings.flatMap((a) => spellings.map((b) => [a, b] as const)))("%s and %s may be one secret", (a, b) => {
    expect(mayBeSameSecret(a, b, home)).toBe(true);
  });

  it("may be one where a word of the name looks like random characters: AWS's answer settles it", () => {
    const short = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my";
    expect(mayBeSameSecret(`${short}-secret`, short, home)).toBe(true);
    expect(mayBeSameSecret(`${short}-secret`, "my", home)).toBe(true);
    expect(mayBeSameSecret("my", `${short}-secret`, home)).toBe(true);
  });

  it.each([
    ["names differ", "app/database", "app/cache"],
    ["names differ in case", "app/database", "app/Database"],
    ["a bare name's end looks random", "my", "my-secret"],
    ["the region is another", ARN, ARN.replace("eu-west-1", "eu-west-2")],
    ["the account is another", ARN, ARN.replace("111111111111", "222222222222")],
    ["a name is at home, the ARN is not in this region", "app/database", ARN.replace("eu-west-1", "eu-west-2")],
    ["a name is at home, the ARN is not in this account", "app/database", ARN.replace("1111111", "2222222")],
    ["random characters differ", ARN, ARN.replace("AbCdEf", "GhIjKl")],
  ])("are two secrets where %s", (_, a, b) => {
    expect(mayBeSameSecret(a, b, home)).toBe(false);
    expect(mayBeSameSecret(b, a, home)).toBe(false);
  });

  it("of a bare name are one wherever home is", () => {
    expect(mayBeSameSecret("db", "db", { region: "cn-north-1", accountId: "333333333333" })).toBe(true);
  });
});

describe("the place of a secret", () => {
  const home = { region: "us-east-1", accountId: "333333333333" };
  const [here, there] = ["us-east-1:333333333333", "eu-west-1:111111111111"];
  const PREFIX = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:";

  it.each<[string, string, string[]]>([
    ["app/database", here, ["app/database"]],
    ["my-secret", here, ["my-secret"]],
    [ARN, there, ["app/database-AbCdEf", "app/database"]],
    [PARTIAL_ARN, there, ["app/database"]],
    [`${PREFIX}my-secret`, there, ["my-secret", "my"]],
    [`${PREFIX}my-secret-AbCdEf`, there, ["my-secret-AbCdEf", "my-secret"]],
    [`${PREFIX}my-secrets`, there, ["my-secrets"]],
    [`${PREFIX}my_secret`, there, ["my_secret"]],
    [`${PREFIX}-AbCdEf`, there, ["-AbCdEf", ""]],
  ])("that is called %s is %s, and its name may be %j", (secretId, place, names) => {
    expect(toLocation(secretId, home)).toEqual({ place, names });
  });
});

describe("the account of a secret", () => {
  it("is in its ARN, whole or not, and in no name", () => {
    expect([ARN, PARTIAL_ARN, "app/database"].map(toAccountId)).toEqual(["111111111111", "111111111111", undefined]);
  });
});

describe("a secret in another region", () => {
  it("has the same ARN but for the region", () => {
    expect(inRegion(ARN, "us-gov-west-1")).toBe(ARN.replace("eu-west-1", "us-gov-west-1"));
    expect(inRegion(PARTIAL_ARN, "us-east-1")).toBe(PARTIAL_ARN.replace("eu-west-1", "us-east-1"));
    expect(toRegion(inRegion(ARN, "us-east-1"))).toBe("us-east-1");
  });

  it("keeps a name that holds the region's, and what is called by a name is called the same", () => {
    const named = ARN.replace("app/database", "eu-west-1/database");
    expect(inRegion(named, "us-east-1")).toBe(named.replace("secretsmanager:eu-west-1:", "secretsmanager:us-east-1:"));
    expect(inRegion("eu-west-1/database", "us-east-1")).toBe("eu-west-1/database");
  });

  it("is the same secret again when it comes back", () => {
    for (const secretId of [ARN, PARTIAL_ARN, "app/database"]) {
      expect(inRegion(inRegion(secretId, "us-east-1"), "eu-west-1")).toBe(secretId);
    }
  });
});
