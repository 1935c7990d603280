import { describe, expect, it } from "vitest";
import { inRegion, isSecretId, secretRules, toRegion } from "../../../extension/values/secret.ts";
import { type Home, isCalled, mayBeSame } from "../../../extension/values/source.ts";
import { HOME, PARTIAL_SECRET_ARN, SECRET_ARN, toPartialArn, toSecretArn } from "../../support/values.ts";

const { toAccountId, toLocation, toVariant } = secretRules;
const mayBeSameSecret = (asked: string, configured: string, home: Home) =>
  mayBeSame(secretRules, asked, configured, home);

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
    ["dots that do not mean a path", "../ping"],
    ["an ARN", SECRET_ARN],
    ["an ARN without its random characters", PARTIAL_SECRET_ARN],
    ["an ARN in China", "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db-AbCdEf"],
    ["an ARN in GovCloud", "arn:aws-us-gov:secretsmanager:us-gov-west-1:111111111111:secret:db-AbCdEf"],
    ["an ARN of an isolated partition", "arn:aws-iso-b:secretsmanager:us-isob-east-1:111111111111:secret:db-AbCdEf"],
    ["an ARN of an AWS service's secret", toSecretArn(RDS)],
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
    ["a colon without an ARN", "a:b"],
    ["another service's ARN", "arn:aws:ssm:eu-west-1:111111111111:parameter/db"],
    ["an ARN of an unknown partition", "arn:gcp:secretsmanager:eu-west-1:111111111111:secret:db"],
    ["an ARN without a name", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:"],
    ["an ARN without a region", "arn:aws:secretsmanager::111111111111:secret:db"],
    ["an ARN with eleven digits", "arn:aws:secretsmanager:eu-west-1:11111111111:secret:db"],
    ["an ARN with thirteen digits", "arn:aws:secretsmanager:eu-west-1:1111111111111:secret:db"],
    ["an ARN with digits beyond ASCII", "arn:aws:secretsmanager:eu-west-1:١١١١١١١١١١١١:secret:db"],
    ["an ARN with a wildcard", "arn:aws:secretsmanager:eu-west-1:111111111111:secret:db-*"],
    ["an ARN with a host for a region", "arn:aws:secretsmanager:evil.example:111111111111:secret:db"],
    ["a reference of Amazon ECS to a field", `${SECRET_ARN}:password::`],
    ["an ARN with a colon at its end", `${SECRET_ARN}:`],
    ["2049 characters", "s".repeat(2_049)],
  ])("may not be %s", (_, text) => {
    expect(isSecretId(text)).toBe(false);
  });

  it.each([
    [SECRET_ARN, "eu-west-1"],
    [PARTIAL_SECRET_ARN, "eu-west-1"],
    ["arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:db", "cn-north-1"],
    ["arn:aws-us-gov:secretsmanager:us-gov-east-1:111111111111:secret:db", "us-gov-east-1"],
    ["database", undefined],
    [RDS, undefined],
  ])("%s is in the region %s", (secretId, region) => {
    expect(toRegion(secretId)).toBe(region);
  });
});

describe("a secret that AWS answered with", () => {
  const answered = { arn: SECRET_ARN, name: "app/database" };

  it.each(["app/database", SECRET_ARN, PARTIAL_SECRET_ARN])("is called %s", (secretId) => {
    expect(isCalled(secretRules, answered, secretId)).toBe(true);
  });

  it.each([
    "app",
    "app/database-AbCdEf",
    "app/Database",
    "",
    SECRET_ARN.replace("AbCdEf", "abcdef"),
    SECRET_ARN.replace("eu-west-1", "eu-west-2"),
    SECRET_ARN.replace("111111111111", "222222222222"),
    SECRET_ARN.replace("arn:aws:", "arn:aws-cn:"),
    PARTIAL_SECRET_ARN.slice(0, -1),
  ])("is not called %j", (secretId) => {
    expect(isCalled(secretRules, answered, secretId)).toBe(false);
  });

  it("is called by its ARN without the six random characters, but not without a word that looks like them", () => {
    const arn = toSecretArn("my-secret");
    const mine = { arn, name: "my-secret" };
    expect(isCalled(secretRules, mine, arn.slice(0, -"-AbCdEf".length))).toBe(true);
    expect(isCalled(secretRules, mine, toPartialArn("my"))).toBe(false);
  });
});

describe("two ids", () => {
  const ids = ["app/database", SECRET_ARN, PARTIAL_SECRET_ARN];

  it.each(ids.flatMap((a) => ids.map((b) => [a, b] as const)))("%s and %s may be one secret", (a, b) => {
    expect(mayBeSameSecret(a, b, HOME)).toBe(true);
  });

  it("may be one secret if a word of the name looks like random characters, until AWS answers", () => {
    const short = toPartialArn("my");
    expect(mayBeSameSecret(`${short}-secret`, short, HOME)).toBe(true);
    expect(mayBeSameSecret(`${short}-secret`, "my", HOME)).toBe(true);
    expect(mayBeSameSecret("my", `${short}-secret`, HOME)).toBe(true);
  });

  it.each([
    ["names differ", "app/database", "app/cache"],
    ["names differ in case", "app/database", "app/Database"],
    ["a bare name's end looks random", "my", "my-secret"],
    ["the region is another", SECRET_ARN, SECRET_ARN.replace("eu-west-1", "eu-west-2")],
    ["the account is another", SECRET_ARN, SECRET_ARN.replace("111111111111", "222222222222")],
    ["a name is at home, the ARN is not in this region", "app/database", SECRET_ARN.replace("eu-west-1", "eu-west-2")],
    ["a name is at home, the ARN is not in this account", "app/database", SECRET_ARN.replace("1111111", "2222222")],
    ["random characters differ", SECRET_ARN, SECRET_ARN.replace("AbCdEf", "GhIjKl")],
  ])("are two secrets if %s", (_, a, b) => {
    expect(mayBeSameSecret(a, b, HOME)).toBe(false);
    expect(mayBeSameSecret(b, a, HOME)).toBe(false);
  });

  it("that are the same bare name may be one secret in every home", () => {
    expect(mayBeSameSecret("db", "db", { region: "cn-north-1", accountId: "333333333333" })).toBe(true);
  });
});

describe("the location of a secret", () => {
  const home = { region: "us-east-1", accountId: "333333333333" };
  const [here, there] = ["us-east-1:333333333333", "eu-west-1:111111111111"];
  const PREFIX = toPartialArn("");

  it.each<[string, string, string[]]>([
    ["app/database", here, ["app/database"]],
    ["my-secret", here, ["my-secret"]],
    [SECRET_ARN, there, ["app/database-AbCdEf", "app/database"]],
    [PARTIAL_SECRET_ARN, there, ["app/database"]],
    [`${PREFIX}my-secret`, there, ["my-secret", "my"]],
    [`${PREFIX}my-secret-AbCdEf`, there, ["my-secret-AbCdEf", "my-secret"]],
    [`${PREFIX}my-secrets`, there, ["my-secrets"]],
    [`${PREFIX}my_secret`, there, ["my_secret"]],
    [`${PREFIX}-AbCdEf`, there, ["-AbCdEf", ""]],
  ])("with the id %s is %s, and its name may be %j", (secretId, place, names) => {
    expect(toLocation(secretId, home)).toEqual({ place, names });
  });
});

describe("two queries for a secret", () => {
  it.each([
    [{}, { versionStage: "AWSCURRENT" }, false],
    [{ versionId: "" }, {}, true],
    [{ versionId: "x", versionStage: "AWSCURRENT" }, { versionId: "x" }, false],
    [{ versionId: "x" }, { versionStage: "x" }, false],
    [{ versionId: "AWSCURRENT" }, {}, false],
    [{ versionStage: "AWSPENDING" }, {}, false],
    [{ versionStage: "awscurrent" }, {}, false],
  ])("with %j and %j ask for one version: %s", (one, other, isSame) => {
    expect(toVariant({ secretId: "a", ...one }) === toVariant({ secretId: "a", ...other })).toBe(isSame);
  });
});

describe("the account of a secret", () => {
  it("is in its ARN, with or without the random characters, and not in a name", () => {
    expect([SECRET_ARN, PARTIAL_SECRET_ARN, "app/database"].map(toAccountId)).toEqual([
      "111111111111",
      "111111111111",
      undefined,
    ]);
  });
});

describe("a secret in another region", () => {
  it("has the same ARN except for the region", () => {
    expect(inRegion(SECRET_ARN, "us-gov-west-1")).toBe(SECRET_ARN.replace("eu-west-1", "us-gov-west-1"));
    expect(inRegion(PARTIAL_SECRET_ARN, "us-east-1")).toBe(PARTIAL_SECRET_ARN.replace("eu-west-1", "us-east-1"));
    expect(toRegion(inRegion(SECRET_ARN, "us-east-1"))).toBe("us-east-1");
  });

  it("keeps the name in its ARN, even if that contains the region, and keeps a bare name", () => {
    const named = SECRET_ARN.replace("app/database", "eu-west-1/database");
    expect(inRegion(named, "us-east-1")).toBe(named.replace("secretsmanager:eu-west-1:", "secretsmanager:us-east-1:"));
    expect(inRegion("eu-west-1/database", "us-east-1")).toBe("eu-west-1/database");
  });

  it("gets its first id back in its first region", () => {
    for (const secretId of [SECRET_ARN, PARTIAL_SECRET_ARN, "app/database"]) {
      expect(inRegion(inRegion(secretId, "us-east-1"), "eu-west-1")).toBe(secretId);
    }
  });
});
