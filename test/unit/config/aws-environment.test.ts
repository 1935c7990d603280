import { describe, expect, it } from "vitest";
import { type AwsEnvironment, parseAwsEnvironment } from "../../../extension/config/aws-environment.ts";
import type { Environment, Problem } from "../../../extension/config/setting-rules.ts";
import { createCertificate } from "../../support/certificate.ts";
import { CANARY_TOKEN, LAMBDA_VARIABLES, noFile } from "../../support/variables.ts";

function parse(own: Environment, files: Readonly<Record<string, string>> = {}) {
  const problems: Problem[] = [];
  const readFile = (path: string) => files[path] ?? noFile(path);
  const aws: AwsEnvironment = parseAwsEnvironment({ ...LAMBDA_VARIABLES, ...own }, problems, readFile);
  return { aws, problems };
}

/** What reaches the SDK; fails the test if there is a problem. */
function reach(own: Environment): AwsEnvironment {
  const { aws, problems } = parse(own);
  expect(problems).toEqual([]);
  return aws;
}

const problemsOf = (own: Environment) => parse(own).problems;

describe("what reaches the SDK", () => {
  it("is what Lambda sets, without any endpoint or option that is not set", () => {
    expect(reach({})).toEqual({
      region: "eu-west-1",
      credentials: { accessKeyId: "ASIAEXAMPLE", secretAccessKey: "CANARY-key-5c2d", sessionToken: CANARY_TOKEN },
      endpoints: { sts: undefined, secretsManager: undefined, ssm: undefined },
      clientOptions: { useFipsEndpoint: false, useDualstackEndpoint: false },
    });
  });

  it("excludes all other variables of the function", () => {
    const own = {
      AWS_PROFILE: "p",
      AWS_DEFAULTS_MODE: "oops",
      AWS_MAX_ATTEMPTS: "9",
      AWS_ROLE_ARN: "r",
      AWS_ENDPOINT_URL_S3: "http://s3",
    };
    expect(reach(own)).toEqual(reach({}));
  });

  it("has no surrounding white space", () => {
    const spacious = Object.fromEntries(Object.entries(LAMBDA_VARIABLES).map(([name, text]) => [name, ` ${text}\r\n`]));
    expect(reach({ ...spacious, AWS_ENDPOINT_URL: " http://a " })).toEqual(reach({ AWS_ENDPOINT_URL: "http://a" }));
  });
});

describe("the credentials", () => {
  it.each(["", " ", undefined])("may be long-term credentials, whose session token is %j", (sessionToken) => {
    expect(reach({ AWS_SESSION_TOKEN: sessionToken }).credentials).toEqual({
      accessKeyId: "ASIAEXAMPLE",
      secretAccessKey: "CANARY-key-5c2d",
    });
  });

  it.each(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])("are undefined if %s is missing", (name) => {
    for (const text of ["", " ", undefined]) expect(reach({ [name]: text }).credentials).toBeUndefined();
  });

  it("are undefined without a problem if no variable is set, because each request reports it then", () => {
    const own = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined };
    expect(reach(own).credentials).toBeUndefined();
  });

  it("have AWS_SESSION_TOKEN as session token, never a token of the extension", () => {
    const own = { CROSS_ACCOUNT_SECRETS_TOKEN: "mine", AWS_TOKEN: "another" };
    expect(reach(own).credentials?.sessionToken).toBe(CANARY_TOKEN);
  });
});

describe("an endpoint", () => {
  it.each<[Environment, AwsEnvironment["endpoints"]]>([
    [{}, { sts: undefined, secretsManager: undefined, ssm: undefined }],
    [{ AWS_ENDPOINT_URL: "http://a" }, { sts: "http://a", secretsManager: "http://a", ssm: "http://a" }],
    [
      { AWS_ENDPOINT_URL: "https://a:8443/path" },
      { sts: "https://a:8443/path", secretsManager: "https://a:8443/path", ssm: "https://a:8443/path" },
    ],
    [{ AWS_ENDPOINT_URL_STS: "http://s" }, { sts: "http://s", secretsManager: undefined, ssm: undefined }],
    [{ AWS_ENDPOINT_URL_SECRETS_MANAGER: "http://m" }, { sts: undefined, secretsManager: "http://m", ssm: undefined }],
    [
      { AWS_ENDPOINT_URL: "http://a", AWS_ENDPOINT_URL_STS: "http://s", AWS_ENDPOINT_URL_SECRETS_MANAGER: " " },
      { sts: "http://s", secretsManager: "http://a", ssm: "http://a" },
    ],
    [{ AWS_ENDPOINT_URL_SSM: "http://p" }, { sts: undefined, secretsManager: undefined, ssm: "http://p" }],
    [
      { AWS_ENDPOINT_URL: "http://a", AWS_ENDPOINT_URL_SSM: "http://p" },
      { sts: "http://a", secretsManager: "http://a", ssm: "http://p" },
    ],
  ])("is taken from %j, the one of a service before the common one", (own, endpoints) => {
    expect(reach(own).endpoints).toEqual(endpoints);
  });

  it.each([
    "not a url",
    "sts.eu-west-1.amazonaws.com",
    "//sts.eu-west-1.amazonaws.com",
    "ftp://a",
    "file:///a",
    "see http://a",
    "http:a",
  ])("that is %s is a problem of its variable", (text) => {
    for (const name of ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_SSM"]) {
      expect(problemsOf({ [name]: text, AWS_ENDPOINT_URL: "http://a" })).toEqual([
        { name, rule: "an http or https URL", got: text },
      ]);
    }
    const names = problemsOf({ AWS_ENDPOINT_URL: text }).map(({ name }) => name);
    expect(new Set(names)).toEqual(new Set(["AWS_ENDPOINT_URL"]));
  });

  it("is not validated if a service's own endpoint is used instead", () => {
    const own = {
      AWS_ENDPOINT_URL_STS: "http://s",
      AWS_ENDPOINT_URL_SECRETS_MANAGER: "http://m",
      AWS_ENDPOINT_URL_SSM: "http://p",
    };
    expect(reach({ ...own, AWS_ENDPOINT_URL: "not a url" }).endpoints).toEqual({
      sts: "http://s",
      secretsManager: "http://m",
      ssm: "http://p",
    });
  });
});

describe("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", () => {
  it("removes all endpoints, even those that are not valid", () => {
    const own = { AWS_ENDPOINT_URL: "not a url", AWS_ENDPOINT_URL_STS: "http://s" };
    expect(reach({ ...own, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "TRUE" }).endpoints).toEqual(reach({}).endpoints);
    expect(reach({ AWS_ENDPOINT_URL: "http://a", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "false" }).endpoints).toEqual(
      reach({ AWS_ENDPOINT_URL: "http://a" }).endpoints,
    );
  });
});

describe("AWS_CA_BUNDLE", () => {
  const [one, other, extra] = ["one", "other", "extra"].map((name) => createCertificate(name).cert);
  const files = {
    "/one": `# a comment\r\n${one?.replaceAll("\n", "\r\n")}`,
    "/both": `${one}${other}`,
    "/extra": `${extra}`,
    "/broken": `${one}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${other}`,
    "/text": "CANARY",
    "/key": createCertificate("key").key,
    "/empty": "",
  };
  const bundleOf = (own: Environment) => {
    const { aws, problems } = parse(own, files);
    expect(problems).toEqual([]);
    return aws.clientOptions.caBundle?.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g);
  };

  it("is read, and all its certificates are trusted", () => {
    expect(bundleOf({ AWS_CA_BUNDLE: " /one\n" })).toEqual([one]);
    expect(bundleOf({ AWS_CA_BUNDLE: "/both" })).toEqual([one, other]);
    expect(bundleOf({ AWS_CA_BUNDLE: " " })).toBeUndefined();
  });

  it("is read beside NODE_EXTRA_CA_CERTS, which Node reads itself if it is alone", () => {
    expect(bundleOf({ AWS_CA_BUNDLE: "/one", NODE_EXTRA_CA_CERTS: "/extra" })).toEqual([one, extra]);
    expect(bundleOf({ AWS_CA_BUNDLE: "/one", NODE_EXTRA_CA_CERTS: "/missing" })).toEqual([one]);
    expect(bundleOf({ NODE_EXTRA_CA_CERTS: "/extra" })).toBeUndefined();
  });

  it.each(["/missing", "/text", "/key", "/empty", "/broken", "relative"])("is a problem if it is %s", (path) => {
    expect(parse({ AWS_CA_BUNDLE: path, NODE_EXTRA_CA_CERTS: "/extra" }, files).problems).toEqual([
      { name: "AWS_CA_BUNDLE", rule: "the path of a readable file with certificates in PEM", got: path },
    ]);
  });
});

describe("an option of every client", () => {
  it.each([
    ["true", true],
    ["TRUE", true],
    [" true ", true],
    ["false", false],
    ["", false],
    [undefined, false],
  ])("such as FIPS or dual-stack is read from %j as %s", (text, expected) => {
    expect(reach({ AWS_USE_FIPS_ENDPOINT: text }).clientOptions).toEqual({
      useFipsEndpoint: expected,
      useDualstackEndpoint: false,
    });
    expect(reach({ AWS_USE_DUALSTACK_ENDPOINT: text }).clientOptions).toEqual({
      useFipsEndpoint: false,
      useDualstackEndpoint: expected,
    });
  });
});

describe("the region", () => {
  it.each(["eu-west-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1"])("may be %s", (region) => {
    expect(reach({ AWS_REGION: region }).region).toBe(region);
  });

  it.each([undefined, "", " "])("is a problem if it is %j", (region) => {
    expect(problemsOf({ AWS_REGION: region })).toEqual([
      { name: "AWS_REGION", rule: "a region, as Lambda sets it", got: undefined },
    ]);
  });

  it.each(["Ireland!", "eu-west", "EU-WEST-1", "eu-west-1.evil.example"])("is a problem if it is %j", (region) => {
    expect(problemsOf({ AWS_REGION: region })).toEqual([
      { name: "AWS_REGION", rule: "a region, as Lambda sets it", got: region },
    ]);
  });

  it("is not read from AWS_DEFAULT_REGION, which users of Lambda may set to anything", () => {
    expect(problemsOf({ AWS_REGION: undefined, AWS_DEFAULT_REGION: "eu-west-1" })).toHaveLength(1);
  });
});

describe("the problems", () => {
  it("are all found at once and never quote the credentials", () => {
    const problems = problemsOf({ AWS_REGION: "", AWS_ENDPOINT_URL_STS: "s", AWS_ENDPOINT_URL_SECRETS_MANAGER: "m" });
    expect(problems.map(({ name }) => name)).toEqual([
      "AWS_REGION",
      "AWS_ENDPOINT_URL_STS",
      "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    ]);
    expect(JSON.stringify(problems)).not.toContain("CANARY");
  });
});

describe("container credentials", () => {
  const uri = "http://127.0.0.1:9001/2021-04-23/credentials";
  const URI = { AWS_CONTAINER_CREDENTIALS_FULL_URI: uri };

  it("are undefined without a URI, even if there is a token", () => {
    const own = { AWS_CONTAINER_AUTHORIZATION_TOKEN: "t", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "/t" };
    expect(reach(own).containerCredentials).toBeUndefined();
    expect(reach({ ...own, AWS_CONTAINER_CREDENTIALS_FULL_URI: " " }).containerCredentials).toBeUndefined();
  });

  it("have a token as text, a token in a file, or no token", () => {
    expect(reach({ ...URI, AWS_CONTAINER_AUTHORIZATION_TOKEN: " t\n" }).containerCredentials).toEqual({
      uri,
      token: "t",
      tokenFile: undefined,
    });
    expect(reach({ ...URI, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "/t" }).containerCredentials).toEqual({
      uri,
      token: undefined,
      tokenFile: "/t",
    });
    expect(reach(URI).containerCredentials).toEqual({ uri, token: undefined, tokenFile: undefined });
  });

  it("do not remove the static credentials, which are not used then", () => {
    expect(reach(URI).credentials).toEqual(reach({}).credentials);
  });

  it.each(["127.0.0.1:9001/credentials", "ftp://127.0.0.1/", "/credentials"])(
    "are a problem if the URI is %s",
    (text) => {
      expect(problemsOf({ AWS_CONTAINER_CREDENTIALS_FULL_URI: text })).toEqual([
        { name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", rule: "an http or https URL", got: text },
      ]);
    },
  );
});
