import { describe, expect, it } from "vitest";
import {
  type DoctorOptions,
  optionTable,
  parseDoctorConfig,
  toTimeoutMs,
} from "../../../../scripts/cli/doctor/arguments.ts";
import { OTHER_ROLE_ARN as OTHER_ARN, TARGET_ROLE_ARN as ROLE_ARN } from "../../../support/values.ts";

const ours = (variables: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [`CROSS_ACCOUNT_SECRETS_${name}`, value]));

const parse = (
  values: DoctorOptions,
  environment = {},
  machine: { defaultRegion?: string } = { defaultRegion: "eu-west-1" },
) => parseDoctorConfig(values, environment, { defaultRegion: machine.defaultRegion, readFile: () => "" });

const toMessage = (...given: Parameters<typeof parse>): string => {
  try {
    parse(...given);
  } catch (error) {
    expect(error).toMatchObject({ name: "CommandError", exitCode: 2 });
    return (error as Error).message;
  }
  return "no problem";
};

describe("doctor's config", () => {
  it("has the values of the options", () => {
    const config = parse({
      "role-arn": ROLE_ARN,
      secret: ["app/db", "app/mail"],
      parameter: ["/app/host"],
      "external-id": "our-id",
      region: "eu-central-1",
      "session-name": "me",
      duration: "900",
      "session-tags": "team=blue",
      "source-identity": "alice",
      "session-policy": "none",
    });
    expect(config).toMatchObject({
      roleSessionName: "me",
      durationSeconds: 900,
      sessionTags: [{ Key: "team", Value: "blue" }],
      sourceIdentity: "alice",
      sessionPolicy: "none",
      aws: { region: "eu-central-1" },
    });
    expect(config.sources).toMatchObject([
      { roleArn: ROLE_ARN, externalId: "our-id", prefetchIds: ["app/db", "app/mail"], parameterNames: ["/app/host"] },
    ]);
  });

  it.each([
    ["those with the prefix", ours({ ROLE_ARN, SECRET_IDS: "app/db" })],
    ["those of the common guide", { ROLE_ARN, SECRET_NAME: "app/db" }],
    ["CONFIG", ours({ CONFIG: JSON.stringify({ sources: [{ roleArn: ROLE_ARN, secretIds: ["app/db"] }] }) })],
  ])("has the values of the variables if there are no options: %s", (_, environment) => {
    expect(parse({}, environment).sources).toMatchObject([{ roleArn: ROLE_ARN, prefetchIds: ["app/db"] }]);
  });

  it("has the values of the options even if variables are set", () => {
    const environment = ours({ ROLE_ARN, SECRET_IDS: "app/db", EXTERNAL_ID: "our-id" });
    const { sources } = parse({ "role-arn": OTHER_ARN, secret: ["app/mail"] }, environment);
    expect(sources).toMatchObject([{ roleArn: OTHER_ARN, prefetchIds: ["app/mail"], externalId: "our-id" }]);
  });

  it("has the values of the options and not those of CONFIG", () => {
    const environment = ours({ CONFIG: JSON.stringify({ sources: [{ roleArn: ROLE_ARN, secretIds: ["app/db"] }] }) });
    const { sources } = parse({ "role-arn": OTHER_ARN, secret: ["app/mail"] }, environment);
    expect(sources).toMatchObject([{ roleArn: OTHER_ARN, prefetchIds: ["app/mail"] }]);
  });

  it("has the machine's region if no option gives one", () => {
    expect(parse({ "role-arn": ROLE_ARN }).aws.region).toBe("eu-west-1");
  });

  it("has a session name that can be found in CloudTrail", () => {
    expect(parse({ "role-arn": ROLE_ARN }).functionName).toBe("cross-account-secrets-doctor");
    const inLambda = { AWS_LAMBDA_FUNCTION_NAME: "my-function" };
    expect(parse({ "role-arn": ROLE_ARN }, inLambda).functionName).toBe("my-function");
  });

  it("needs no token, because only requests over HTTP need one", () => {
    expect(parse({ "role-arn": ROLE_ARN }, ours({ TOKEN: "file:///none" })).sources).toHaveLength(1);
  });
});

describe("a mistake in doctor's settings", () => {
  it("is reported with the option if there is one", () => {
    const message = toMessage({ "role-arn": "SecretReader", duration: "7200" });
    expect(message).toMatch(/^--role-arn must be the ARN .*; got "SecretReader"$/m);
    expect(message).toMatch(/^ {2}--duration must be .* 900 to 3600; got "7200"$/m);
    expect(message).not.toContain("CROSS_ACCOUNT_SECRETS_");
  });

  it("is reported with the variable and the option if neither is set", () => {
    expect(toMessage({})).toMatch(/^CROSS_ACCOUNT_SECRETS_ROLE_ARN, or --role-arn, must be .*; got nothing$/);
    expect(toMessage({ "role-arn": ROLE_ARN }, {}, {})).toMatch(/^there is no region: give --region, /);
  });

  it("is also reported for the other variables of the layer", () => {
    const message = toMessage({ "role-arn": ROLE_ARN }, ours({ TTL_SECONDS: "5m", SECRET_ID: "app/db" }));
    expect(message).toContain("CROSS_ACCOUNT_SECRETS_TTL_SECONDS must be");
    expect(message).toContain("CROSS_ACCOUNT_SECRETS_SECRET_ID must be spelled CROSS_ACCOUNT_SECRETS_SECRET_IDS");
  });

  it("is ENABLED=false", () => {
    expect(toMessage({ "role-arn": ROLE_ARN }, ours({ ENABLED: "false" }))).toContain("ENABLED is false");
  });

  it.each(["0", "99", "60001", "5s", ""])("is the time-out %j", (text) => {
    expect(() => toTimeoutMs(text)).toThrow("--timeout-ms must be a whole number of milliseconds, 100 to 60000");
  });
});

it("a step may take five seconds, or as long as --timeout-ms says", () => {
  expect([toTimeoutMs(undefined), toTimeoutMs("250")]).toEqual([5_000, 250]);
});

it("every option has a variable of its own", () => {
  const variables = Object.values(optionTable).map(({ variable }) => variable);
  expect(new Set(variables).size).toBe(variables.length);
});
