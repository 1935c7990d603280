import { describe, expect, it } from "vitest";
import type { Config, ParsedConfig } from "../../../extension/config/config.ts";
import { type Environment, PREFIX } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import {
  SECRET_ARN as ARN,
  OTHER_ROLE_ARN as OTHER_ROLE,
  PARAMETER_ARN,
  TARGET_ROLE_WITH_PATH_ARN as ROLE,
} from "../../support/values.ts";
import {
  CANARY_TOKEN,
  configOf,
  LAMBDA_VARIABLES,
  noFile,
  parseVariables,
  problemsOf,
  sourceOf,
} from "../../support/variables.ts";

describe("a config", () => {
  it("needs only the target role, and has a default for everything else", () => {
    expect(parseVariables({ _ROLE_ARN: ROLE })).toEqual({
      config: {
        sources: [
          {
            roleArn: ROLE,
            externalId: undefined,
            region: undefined,
            home: { region: "eu-west-1", accountId: "111111111111" },
            secretIds: [],
            parameterNames: [],
            prefetchIds: [],
          },
        ],
        allow: "any",
        roleSessionName: undefined,
        sourceIdentity: undefined,
        sessionTags: undefined,
        durationSeconds: 3_600,
        sessionPolicy: "auto",
        failoverRegion: undefined,
        metrics: "none",
        isSnapStart: false,
        ttlMs: 300_000,
        parameterTtlMs: 300_000,
        maxStaleMs: 3_600_000,
        timeoutMs: 2_500,
        parameterTimeoutMs: 2_500,
        prefetchTimeoutMs: 1_000,
        cacheSize: 1_000,
        httpPort: 2_773,
        token: { text: CANARY_TOKEN, path: undefined, phrase: "the value of AWS_SESSION_TOKEN" },
        logLevel: "info",
        execWrapperError: "fail",
        initError: "serve",
        functionName: "my-function",
        unknownSettings: [],
        replacedSettings: [],
        aws: {
          region: "eu-west-1",
          containerCredentials: undefined,
          credentials: {
            accessKeyId: "ASIAEXAMPLE",
            secretAccessKey: "CANARY-key-5c2d",
            sessionToken: CANARY_TOKEN,
          },
          endpoints: { sts: undefined, secretsManager: undefined, ssm: undefined },
          clientOptions: { useFipsEndpoint: false, useDualstackEndpoint: false },
        },
      },
      isEnabled: true,
      httpPort: 2_773,
      problems: [],
      logLevel: "info",
    });
  });

  it("has the value of every setting that is set", () => {
    const config = configOf({
      _SECRET_IDS: `app/database ${ARN}`,
      _PARAMETER_NAMES: `/app/flag, ${PARAMETER_ARN}`,
      _EXTERNAL_ID: "external",
      _ROLE_SESSION_NAME: "session",
      _SOURCE_IDENTITY: "somebody",
      _SESSION_TAGS: "team=payments, stage = prod,empty=",
      _DURATION_SECONDS: "900",
      _SESSION_POLICY: "None",
      _REGION: "eu-west-1",
      _FAILOVER_REGION: "eu-central-1",
      _METRICS: "EMF",
      _ENABLED: "TRUE",
      _TTL_SECONDS: "60",
      _PARAMETER_TTL_SECONDS: "30",
      _TIMEOUT_MS: "100",
      _PARAMETER_TIMEOUT_MS: "200",
      _PREFETCH_TIMEOUT_MS: "9000",
      _CACHE_SIZE: "10",
      _CACHE_ENABLED: "true",
      _ALLOW: "any",
      _HTTP_PORT: "8080",
      _TOKEN: "mine",
      _LOG_LEVEL: "debug",
      _INIT_ERROR: "fail",
    });
    expect(config).toMatchObject({
      sources: [
        {
          secretIds: ["app/database", ARN],
          parameterNames: ["/app/flag", PARAMETER_ARN],
          prefetchIds: ["app/database", ARN],
          externalId: "external",
          region: "eu-west-1",
        },
      ],
      roleSessionName: "session",
      sourceIdentity: "somebody",
      sessionTags: [
        { Key: "team", Value: "payments" },
        { Key: "stage", Value: "prod" },
        { Key: "empty", Value: "" },
      ],
      durationSeconds: 900,
      sessionPolicy: "none",
      failoverRegion: "eu-central-1",
      metrics: "emf",
      ttlMs: 60_000,
      parameterTtlMs: 30_000,
      timeoutMs: 100,
      parameterTimeoutMs: 200,
      prefetchTimeoutMs: 9_000,
      cacheSize: 10,
      allow: "any",
      httpPort: 8_080,
      token: { text: "mine", path: undefined },
      logLevel: "debug",
      initError: "fail",
    });
  });

  it.each(["", " ", "\t\r\n"])("treats %j as unset in every setting", (blank) => {
    const blanks = Object.values(settings).flatMap((setting) => [
      [`_${setting.name}`, blank],
      ...("alsoRead" in setting ? setting.alsoRead : []).map((name) => [name, blank]),
    ]);
    const own = { ...Object.fromEntries(blanks), SECRET_NAME: blank, _ROLE_ARN: ROLE, AWS_SESSION_TOKEN: CANARY_TOKEN };
    expect(configOf(own)).toMatchObject({ ...configOf(), aws: { region: "eu-west-1" } });
  });

  it("ignores white space around a value", () => {
    const own = { _ROLE_ARN: ` ${ROLE}\n`, _TTL_SECONDS: " 60 ", _TOKEN: " mine\r\n", _ALLOW: "\tany" };
    expect(configOf(own)).toMatchObject({
      ttlMs: 60_000,
      token: { text: "mine", path: undefined },
      allow: "any",
      sources: [{ roleArn: ROLE }],
    });
  });

  it("places bare names in the target role's account and in REGION, or in AWS_REGION", () => {
    const own = { AWS_REGION: "cn-northwest-1", _ROLE_ARN: "arn:aws-cn:iam::012345678901:role/r" };
    const home = { region: "cn-northwest-1", accountId: "012345678901" };
    expect(sourceOf(own).home).toEqual(home);
    expect(sourceOf({ ...own, _REGION: "cn-north-1" }).home).toEqual({ ...home, region: "cn-north-1" });
  });

  it("has the cache size 0 if the cache is off", () => {
    expect(configOf({ _CACHE_ENABLED: "FALSE" }).cacheSize).toBe(0);
    expect(configOf({ _CACHE_ENABLED: "false", _CACHE_SIZE: "10" }).cacheSize).toBe(0);
    expect(configOf({ _CACHE_ENABLED: "TRUE", _CACHE_SIZE: "10" }).cacheSize).toBe(10);
  });

  it("accepts the prefetch time-out 0 unless INIT_ERROR is fail", () => {
    expect(configOf({ _PREFETCH_TIMEOUT_MS: "0" }).prefetchTimeoutMs).toBe(0);
    expect(problemsOf({ _PREFETCH_TIMEOUT_MS: "0", _INIT_ERROR: "fail" })).toEqual([
      `${PREFIX}PREFETCH_TIMEOUT_MS must be above 0, because INIT_ERROR is "fail"; got "0"`,
    ]);
  });

  it("keeps the region of the secrets apart from the function's region", () => {
    const config = configOf({ _REGION: "us-east-1" });
    expect([config.sources[0].region, config.aws.region]).toEqual(["us-east-1", "eu-west-1"]);
  });

  it.each([undefined, ""])("uses the extension's name if the function's name is %j", (name) => {
    expect(configOf({ AWS_LAMBDA_FUNCTION_NAME: name }).functionName).toBe("cross-account-secrets");
  });
});

describe("a variable without the extension's prefix", () => {
  it.each<[string, string, keyof Config, unknown]>([
    ["SECRETS_MANAGER_TTL", "0", "ttlMs", 0],
    ["SECRETS_MANAGER_TTL", "120", "ttlMs", 120_000],
    ["SECRETS_MANAGER_TIMEOUT_MILLIS", "1500", "timeoutMs", 1_500],
    ["SECRETS_MANAGER_TIMEOUT_MILLIS", "0", "timeoutMs", 2_500],
    ["SSM_PARAMETER_STORE_TTL", "0", "parameterTtlMs", 0],
    ["SSM_PARAMETER_STORE_TTL", "120", "parameterTtlMs", 120_000],
    ["SSM_PARAMETER_STORE_TIMEOUT_MILLIS", "1500", "parameterTimeoutMs", 1_500],
    ["SSM_PARAMETER_STORE_TIMEOUT_MILLIS", "0", "parameterTimeoutMs", 2_500],
    ["PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", "0", "cacheSize", 0],
    ["PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", "5", "cacheSize", 5],
    ["PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", "TRUE", "cacheSize", 1_000],
    ["PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", "FALSE", "cacheSize", 0],
    ["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "2774", "httpPort", 2_774],
    ["PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL", "INFO", "logLevel", "info"],
    ["PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL", "NONE", "logLevel", "none"],
  ])("is read if the one with the prefix is unset: %s=%s", (name, text, key, value) => {
    expect(configOf({ _ROLE_ARN: undefined, ROLE_ARN: ROLE, [name]: text })[key]).toEqual(value);
    expect(configOf({ _ROLE_ARN: "", ROLE_ARN: ROLE, [name]: text })[key]).toEqual(value);
  });

  it("is read if the one with the prefix is unset: ROLE_ARN", () => {
    expect(sourceOf({ _ROLE_ARN: undefined, ROLE_ARN: OTHER_ROLE }).roleArn).toBe(OTHER_ROLE);
    expect(sourceOf({ _ROLE_ARN: "", ROLE_ARN: OTHER_ROLE }).roleArn).toBe(OTHER_ROLE);
  });

  it("is neither read nor validated if the one with the prefix is set", () => {
    const own = {
      ROLE_ARN: "the function's own",
      _TTL_SECONDS: "60",
      SECRETS_MANAGER_TTL: "five minutes",
      _TIMEOUT_MS: "200",
      SECRETS_MANAGER_TIMEOUT_MILLIS: "-1",
      _PARAMETER_TTL_SECONDS: "30",
      SSM_PARAMETER_STORE_TTL: "five minutes",
      _PARAMETER_TIMEOUT_MS: "300",
      SSM_PARAMETER_STORE_TIMEOUT_MILLIS: "-1",
      _CACHE_SIZE: "7",
      PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE: "9999",
      _CACHE_ENABLED: "true",
      PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED: "maybe",
      _HTTP_PORT: "8080",
      PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: "0",
      _LOG_LEVEL: "warn",
      PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL: "loud",
    };
    expect(configOf(own)).toMatchObject({
      sources: [{ roleArn: ROLE }],
      ttlMs: 60_000,
      timeoutMs: 200,
      parameterTtlMs: 30_000,
      parameterTimeoutMs: 300,
      cacheSize: 7,
      httpPort: 8_080,
      logLevel: "warn",
    });
  });

  it("for one service does not change the TTL or the time-out of the other service", () => {
    expect(configOf({ SECRETS_MANAGER_TTL: "1", SECRETS_MANAGER_TIMEOUT_MILLIS: "100" })).toMatchObject({
      parameterTtlMs: 300_000,
      parameterTimeoutMs: 2_500,
    });
    expect(configOf({ SSM_PARAMETER_STORE_TTL: "1", SSM_PARAMETER_STORE_TIMEOUT_MILLIS: "100" })).toMatchObject({
      ttlMs: 300_000,
      timeoutMs: 2_500,
    });
  });

  it("may be 0 to mean the default time-out, but the one with the prefix may not", () => {
    expect(problemsOf({ _TIMEOUT_MS: "0" })).toEqual([
      `${PREFIX}TIMEOUT_MS must be a whole number of milliseconds, 100 to 60000; got "0"`,
    ]);
  });

  it("is ignored if it is not a setting", () => {
    const own = {
      PARAMETERS_SECRETS_EXTENSION_MAX_CONNECTIONS: "-3",
      PARAMETERS_SECRETS_EXTENSION_MAX_RETRIES: "x",
      AWS_PROFILE: "p",
      AWS_DEFAULTS_MODE: "oops",
    };
    expect(parseVariables({ _ROLE_ARN: ROLE, ...own })).toEqual(parseVariables({ _ROLE_ARN: ROLE }));
  });
});

describe("the token", () => {
  const TOKENS = ["_TOKEN", "AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"] as const;

  it.each(TOKENS.map((name, index) => [name, TOKENS.slice(index + 1), TOKENS.slice(0, index)] as const))(
    "in %s takes precedence over %j if %j are empty",
    (name, later, earlier) => {
      const own = Object.fromEntries([
        [name, `in-${name}`],
        ...later.map((other) => [other, `in-${other}`]),
        ...earlier.map((other) => [other, ""]),
      ]);
      expect(configOf(own).token).toMatchObject({ text: `in-${name}`, path: undefined });
    },
  );

  it("is never a constant: if there is none, the problem says what to set", () => {
    const { config, problems } = parseVariables({ _ROLE_ARN: ROLE, AWS_SESSION_TOKEN: undefined });
    expect(config).toBeUndefined();
    expect(problems).toEqual([
      `${PREFIX}TOKEN must be set, because AWS_SESSION_TOKEN is not set here (sam local with long-term keys has none): ${settings.token.rule}; got nothing`,
    ]);
  });

  it.each([
    ["file:///run/token", "/run/token"],
    ["file:///a%20b/100%25", "/a b/100%"],
  ])("at %s is read from the file %s without surrounding white space", (text, expectedPath) => {
    const readFile = (path: string) => (path === expectedPath ? `\n  ${CANARY_TOKEN}-in-file\r\n` : noFile(path));
    const token = { text: `${CANARY_TOKEN}-in-file`, path: expectedPath };
    expect(configOf({ _TOKEN: text }, readFile).token).toMatchObject(token);
    expect(configOf({ AWS_SESSION_TOKEN: text }, readFile).token).toMatchObject(token);
  });

  it("in an unusable file is a problem of the variable that names the file", () => {
    expect(problemsOf({ AWS_TOKEN: "file:///a" }, () => "")).toEqual([
      'AWS_TOKEN must be file:///path of a readable file of this user or root with one token in it, writable only by its owner; got "file:///a"',
    ]);
  });

  it.each(TOKENS)("in %s is not shown if it breaks the rule", (name) => {
    const earlier = Object.fromEntries(TOKENS.slice(0, TOKENS.indexOf(name)).map((other) => [other, ""]));
    const parsed = parseVariables({ _ROLE_ARN: ROLE, ...earlier, [name]: `${CANARY_TOKEN} with a space` });
    expect(parsed.problems).toEqual([
      `${name.replace(/^_/, PREFIX)} must be ${settings.token.rule}; got "a value that is not shown"`,
    ]);
    expect(JSON.stringify(parsed)).not.toContain("CANARY");
  });
});

describe("ENABLED=false", () => {
  const OFF: ParsedConfig = { config: undefined, isEnabled: false, httpPort: 2_773, problems: [], logLevel: "info" };

  it.each(["false", "FALSE", " False\n"])("is recognized as %j", (text) => {
    expect(parseVariables({ _ROLE_ARN: ROLE, _ENABLED: text })).toEqual(OFF);
  });

  it.each<[string, Environment]>([
    ["nothing is set at all", Object.fromEntries(Object.keys(LAMBDA_VARIABLES).map((name) => [name, undefined]))],
    ["there is no role", {}],
    ["there is no token", { AWS_SESSION_TOKEN: "" }],
    ["the token is in a file that does not exist", { _TOKEN: "file:///nowhere" }],
    ["the token breaks its rule", { _TOKEN: "a b" }],
    ["the region is invalid", { AWS_REGION: "Ireland" }],
    ["an endpoint is not a URL", { AWS_ENDPOINT_URL: "x", AWS_CONTAINER_CREDENTIALS_FULL_URI: "x" }],
    ["names are misspelled", { _ROLE_ARM: "x", _TOKENS: "x", _TOMORROW: "x" }],
    ["CONFIG is not JSON", { _CONFIG: "{" }],
    ["CONFIG is a file that does not exist", { _CONFIG: "/nowhere" }],
    ["CONFIG is full of mistakes", { _CONFIG: '{"sources":[1,{"constructor":2}],"x":1}' }],
    ["CONFIG is set beside ROLE_ARN", { _CONFIG: "{}", _ROLE_ARN: ROLE, _SECRET_IDS: "*" }],
    ["settings contradict each other", { _ALLOW: "configured", _INIT_ERROR: "fail", _PREFETCH_TIMEOUT_MS: "0" }],
    [
      "every setting breaks its rule",
      Object.fromEntries(
        Object.values(settings)
          .filter(({ name }) => name !== "ENABLED")
          .map(({ name }) => [`_${name}`, "\u0000 ?"]),
      ),
    ],
  ])("ignores every mistake and reads no file: %s", (_, broken) => {
    expect(parseVariables({ ...broken, _ENABLED: "false" })).toEqual(OFF);
  });

  it("keeps the port and the log level if they are valid", () => {
    expect(parseVariables({ _ENABLED: "false", _HTTP_PORT: "8080", _LOG_LEVEL: "WARN" })).toEqual({
      ...OFF,
      httpPort: 8_080,
      logLevel: "warn",
    });
    expect(parseVariables({ _ENABLED: "false", PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: "2774" }).httpPort).toBe(2_774);
    expect(parseVariables({ _ENABLED: "false", _HTTP_PORT: "65536", _LOG_LEVEL: "loud" })).toEqual(OFF);
  });

  it("is not assumed from a mistake: another value or name is a problem, and the extension stays enabled", () => {
    expect(parseVariables({ _ROLE_ARN: ROLE, _ENABLED: "no" })).toMatchObject({
      isEnabled: true,
      config: undefined,
      problems: [`${PREFIX}ENABLED must be true or false; got "no"`],
    });
    expect(parseVariables({ _ROLE_ARN: ROLE, _ENABLE: "false" })).toMatchObject({
      isEnabled: true,
      problems: [`${PREFIX}ENABLE must be spelled ${PREFIX}ENABLED; got "${PREFIX}ENABLE"`],
    });
  });

  it.each(["", "true", "TRUE"])("is not assumed from %j", (text) => {
    expect(parseVariables({ _ROLE_ARN: ROLE, _ENABLED: text })).toEqual(parseVariables({ _ROLE_ARN: ROLE }));
  });
});

describe("the port", () => {
  it("is known even if other settings are invalid, and is the default if it is invalid itself", () => {
    expect(parseVariables({ _HTTP_PORT: "8080" })).toMatchObject({ config: undefined, httpPort: 8_080 });
    expect(parseVariables({ _HTTP_PORT: "-1" })).toMatchObject({ config: undefined, httpPort: 2_773 });
  });
});

describe("SnapStart", () => {
  it.each([
    ["snap-start", true],
    ["on-demand", false],
    ["provisioned-concurrency", false],
    ["lambda-managed-instances", false],
    [undefined, false],
  ])("is detected from the initialization type %j: %s", (AWS_LAMBDA_INITIALIZATION_TYPE, isSnapStart) => {
    expect(configOf({ AWS_LAMBDA_INITIALIZATION_TYPE }).isSnapStart).toBe(isSnapStart);
  });

  it("has its token in AWS_CONTAINER_AUTHORIZATION_TOKEN and its credentials at the container endpoint", () => {
    const { token, aws } = configOf({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SESSION_TOKEN: undefined,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:9001/2021-04-23/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "theirs",
      AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start",
    });
    expect(token).toMatchObject({ text: "theirs", path: undefined });
    expect(aws).toMatchObject({
      credentials: undefined,
      containerCredentials: { uri: "http://127.0.0.1:9001/2021-04-23/credentials", token: "theirs" },
    });
  });
});
