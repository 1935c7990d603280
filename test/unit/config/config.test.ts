import { describe, expect, it } from "vitest";
import { type Config, type ParsedConfig, parseConfig } from "../../../extension/config/config.ts";
import { type Environment, PREFIX } from "../../../extension/config/setting-rules.ts";
import { settings } from "../../../extension/config/settings.ts";
import type { Source } from "../../../extension/values/source.ts";

const ROLE = "arn:aws:iam::111111111111:role/readers/SecretReader";
const OTHER_ROLE = "arn:aws:iam::333333333333:role/Other";
const ARN = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:app/database-AbCdEf";
const PARAMETER_ARN = "arn:aws:ssm:eu-west-1:111111111111:parameter/app/flag";
const TOKEN = "CANARY-token-8b1f";

/** The variables of Lambda that the config depends on. */
const LAMBDA: Environment = {
  AWS_REGION: "eu-west-1",
  AWS_LAMBDA_FUNCTION_NAME: "my-function",
  AWS_ACCESS_KEY_ID: "ASIAEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "CANARY-key-5c2d",
  AWS_SESSION_TOKEN: TOKEN,
};

const noFile = (path: string): string => {
  throw new Error(`${path} was not expected to be read`);
};

/** Parses Lambda's variables and `own`, in which a leading underscore stands for the extension's prefix. */
function parse(own: Environment, readFile = noFile): ParsedConfig {
  const named = Object.entries(own).map(([name, text]) => [name.replace(/^_/, PREFIX), text]);
  return parseConfig(Object.fromEntries([...Object.entries(LAMBDA), ...named]), readFile);
}

/** The config of `own` and a target role; fails the test if there is a problem. */
function configure(own: Environment = {}, readFile = noFile): Config {
  const { config, problems } = parse({ _ROLE_ARN: ROLE, ...own }, readFile);
  expect(problems).toEqual([]);
  if (config === undefined) throw new Error("there is no config, and no problem either");
  return config;
}

const sourceOf = (own: Environment): Source => configure(own).sources[0];

const problemsOf = (own: Environment, readFile = noFile) => parse({ _ROLE_ARN: ROLE, ...own }, readFile).problems;

describe("a config", () => {
  it("needs only the target role, and has a default for everything else", () => {
    expect(parse({ _ROLE_ARN: ROLE })).toEqual({
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
        token: { text: TOKEN, path: undefined },
        logLevel: "info",
        execWrapperError: "fail",
        initError: "serve",
        functionName: "my-function",
        unknownSettings: [],
        aws: {
          region: "eu-west-1",
          containerCredentials: undefined,
          credentials: {
            accessKeyId: "ASIAEXAMPLE",
            secretAccessKey: "CANARY-key-5c2d",
            sessionToken: TOKEN,
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
    const config = configure({
      _SECRET_IDS: `app/database ${ARN}`,
      _PARAMETER_NAMES: `/app/flag, ${PARAMETER_ARN}`,
      _EXTERNAL_ID: "external",
      _ROLE_SESSION_NAME: "session",
      _SOURCE_IDENTITY: "somebody",
      _SESSION_TAGS: "team=payments, stage = prod,empty=",
      _DURATION_SECONDS: "900",
      _SESSION_POLICY: "None",
      _REGION: "eu-central-1",
      _FAILOVER_REGION: "eu-west-1",
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
          region: "eu-central-1",
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
      failoverRegion: "eu-west-1",
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
    const own = { ...Object.fromEntries(blanks), SECRET_NAME: blank, _ROLE_ARN: ROLE, AWS_SESSION_TOKEN: TOKEN };
    expect(configure(own)).toMatchObject({ ...configure(), aws: { region: "eu-west-1" } });
  });

  it("ignores white space around a value", () => {
    const own = { _ROLE_ARN: ` ${ROLE}\n`, _TTL_SECONDS: " 60 ", _TOKEN: " mine\r\n", _ALLOW: "\tany" };
    expect(configure(own)).toMatchObject({
      ttlMs: 60_000,
      token: { text: "mine", path: undefined },
      allow: "any",
      sources: [{ roleArn: ROLE }],
    });
  });

  it("places bare names in the target role's account and in REGION, or in AWS_REGION", () => {
    const roleArn = "arn:aws-cn:iam::012345678901:role/r";
    const home = { region: "eu-west-1", accountId: "012345678901" };
    expect(sourceOf({ _ROLE_ARN: roleArn }).home).toEqual(home);
    expect(sourceOf({ _ROLE_ARN: roleArn, _REGION: "cn-north-1" }).home).toEqual({ ...home, region: "cn-north-1" });
  });

  it("has the cache size 0 if the cache is off", () => {
    expect(configure({ _CACHE_ENABLED: "FALSE" }).cacheSize).toBe(0);
    expect(configure({ _CACHE_ENABLED: "false", _CACHE_SIZE: "10" }).cacheSize).toBe(0);
    expect(configure({ _CACHE_ENABLED: "TRUE", _CACHE_SIZE: "10" }).cacheSize).toBe(10);
  });

  it("accepts the prefetch time-out 0 unless INIT_ERROR is fail", () => {
    expect(configure({ _PREFETCH_TIMEOUT_MS: "0" }).prefetchTimeoutMs).toBe(0);
    expect(problemsOf({ _PREFETCH_TIMEOUT_MS: "0", _INIT_ERROR: "fail" })).toEqual([
      `${PREFIX}PREFETCH_TIMEOUT_MS must be above 0 where INIT_ERROR is fail; got "0"`,
    ]);
  });

  it("keeps the region of the secrets apart from the function's region", () => {
    const config = configure({ _REGION: "us-east-1" });
    expect([config.sources[0].region, config.aws.region]).toEqual(["us-east-1", "eu-west-1"]);
  });

  it.each([undefined, ""])("uses the extension's name if the function's name is %j", (name) => {
    expect(configure({ AWS_LAMBDA_FUNCTION_NAME: name }).functionName).toBe("cross-account-secrets");
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
  ])("%s=%s is read if the one with the prefix is unset", (name, text, key, value) => {
    expect(configure({ _ROLE_ARN: undefined, ROLE_ARN: ROLE, [name]: text })[key]).toEqual(value);
    expect(configure({ _ROLE_ARN: "", ROLE_ARN: ROLE, [name]: text })[key]).toEqual(value);
  });

  it("ROLE_ARN is read if the one with the prefix is unset", () => {
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
    expect(configure(own)).toMatchObject({
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

  it("is named in the problem that it causes", () => {
    expect(problemsOf({ SECRETS_MANAGER_TTL: "86401", PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: "0" })).toEqual([
      'SECRETS_MANAGER_TTL must be a whole number of seconds, 0 to 86400; got "86401"',
      'PARAMETERS_SECRETS_EXTENSION_HTTP_PORT must be a port, 1 to 65535; got "0"',
    ]);
  });

  it("for one service does not change the TTL or the time-out of the other service", () => {
    expect(configure({ SECRETS_MANAGER_TTL: "1", SECRETS_MANAGER_TIMEOUT_MILLIS: "100" })).toMatchObject({
      parameterTtlMs: 300_000,
      parameterTimeoutMs: 2_500,
    });
    expect(configure({ SSM_PARAMETER_STORE_TTL: "1", SSM_PARAMETER_STORE_TIMEOUT_MILLIS: "100" })).toMatchObject({
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
    expect(parse({ _ROLE_ARN: ROLE, ...own })).toEqual(parse({ _ROLE_ARN: ROLE }));
  });
});

describe("what a caller may ask for", () => {
  it.each<[string, Environment, Partial<Config & Source>]>([
    ["anything if nothing is configured", {}, { allow: "any", secretIds: [] }],
    ["what is configured if something is", { _SECRET_IDS: "a,b" }, { allow: "configured", secretIds: ["a", "b"] }],
    ["anything if ALLOW is any", { _SECRET_IDS: "a", _ALLOW: "ANY" }, { allow: "any", secretIds: ["a"] }],
    ["anything if only SECRET_NAME is set", { SECRET_NAME: "a" }, { allow: "any", secretIds: [] }],
    [
      "what is configured, even if SECRET_NAME is another secret",
      { _SECRET_IDS: "a", SECRET_NAME: "b" },
      { allow: "configured", secretIds: ["a"] },
    ],
  ])("is %s", (_, own, { allow, secretIds }) => {
    expect(configure(own).allow).toBe(allow);
    expect(sourceOf(own).secretIds).toEqual(secretIds);
  });

  it.each<[string, Environment]>([
    ["none is configured", {}],
    ["only SECRET_NAME is set", { SECRET_NAME: "a" }],
  ])("cannot be limited to configured secrets if %s", (_, own) => {
    expect(problemsOf({ _ALLOW: "configured", ...own })).toEqual([
      `${PREFIX}SECRET_IDS must be set where ALLOW is configured; got nothing`,
    ]);
  });

  it("cannot be limited to configured secrets if none is, which is reported together with a missing role", () => {
    expect(parse({ _ALLOW: "configured" }).problems).toEqual([
      `${PREFIX}ROLE_ARN must be ${settings.roleArn.rule}; got nothing`,
      `${PREFIX}SECRET_IDS must be set where ALLOW is configured; got nothing`,
    ]);
  });

  it.each([",", " , ,, "])("is not opened by a list that is set but empty: %j", (list) => {
    for (const own of [{}, { _ALLOW: "configured" }]) {
      expect(problemsOf({ _SECRET_IDS: list, ...own })).toEqual([
        `${PREFIX}SECRET_IDS must be ${settings.secretIds.rule}; got "${list.trim()}"`,
      ]);
    }
  });
});

describe("parameters that a caller may ask for", () => {
  it.each<[string, Environment, Config["allow"], readonly string[]]>([
    ["those that are configured, and no secret", { _PARAMETER_NAMES: "/a,/b" }, "configured", ["/a", "/b"]],
    ["those beside secrets", { _PARAMETER_NAMES: "/a", _SECRET_IDS: "a" }, "configured", ["/a"]],
    ["none if only secrets are configured", { _SECRET_IDS: "a" }, "configured", []],
    ["anything if ALLOW is any", { _PARAMETER_NAMES: "/a", _ALLOW: "any" }, "any", ["/a"]],
  ])("are %s", (_, own, allow, parameterNames) => {
    expect(configure(own).allow).toBe(allow);
    expect(sourceOf(own).parameterNames).toEqual(parameterNames);
  });

  it("are enough for ALLOW=configured without secrets", () => {
    expect(configure({ _ALLOW: "configured", _PARAMETER_NAMES: "/a" })).toMatchObject({ allow: "configured" });
  });

  it.each([",", "/app/*", "/a:3", ARN])("are not opened by an invalid list: %j", (list) => {
    for (const own of [{}, { _ALLOW: "configured" }]) {
      expect(problemsOf({ _PARAMETER_NAMES: list, ...own })).toEqual([
        `${PREFIX}PARAMETER_NAMES must be ${settings.parameterNames.rule}; got "${list}"`,
      ]);
    }
  });
});

describe("what is fetched in init", () => {
  it.each<[string, Environment, readonly string[]]>([
    ["nothing if nothing is configured", {}, []],
    ["what is configured", { _SECRET_IDS: "a,b" }, ["a", "b"]],
    ["what is configured, even if a caller may ask for anything", { _SECRET_IDS: "a", _ALLOW: "any" }, ["a"]],
    ["the secret in SECRET_NAME if none is configured", { SECRET_NAME: "a" }, ["a"]],
    ["the secret in SECRET_NAME without surrounding white space", { SECRET_NAME: " app/database\n" }, ["app/database"]],
    ["what is configured, and not the secret in SECRET_NAME", { _SECRET_IDS: "a", SECRET_NAME: "b" }, ["a"]],
    ["no secret that a caller may not ask for", { _PARAMETER_NAMES: "/a", SECRET_NAME: "b" }, []],
    [
      "the secret in SECRET_NAME beside parameters if a caller may ask for anything",
      { _PARAMETER_NAMES: "/a", _ALLOW: "any", SECRET_NAME: "b" },
      ["b"],
    ],
  ])("is %s", (_, own, expected) => {
    expect(sourceOf(own).prefetchIds).toEqual(expected);
  });

  it.each(["my secret", "app/*", "arn:aws:ssm:eu-west-1:111111111111:parameter/p", "é", "s".repeat(2_049), "", " "])(
    "is not changed by a SECRET_NAME that names no secret, such as %j",
    (SECRET_NAME) => {
      expect(configure({ SECRET_NAME })).toEqual(configure());
    },
  );
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
      expect(configure(own).token).toEqual({ text: `in-${name}`, path: undefined });
    },
  );

  it("is never a constant: if there is none, the problem says what to set", () => {
    const { config, problems } = parse({ _ROLE_ARN: ROLE, AWS_SESSION_TOKEN: undefined });
    expect(config).toBeUndefined();
    expect(problems).toEqual([
      `${PREFIX}TOKEN must be ${settings.token.rule}, since there is no AWS_SESSION_TOKEN here (sam local with long-term keys has none); got nothing`,
    ]);
  });

  it.each([
    ["file:///run/token", "/run/token"],
    ["file:///a%20b/100%25", "/a b/100%"],
  ])("at %s is read from the file %s without surrounding white space", (text, expectedPath) => {
    const readFile = (path: string) => (path === expectedPath ? `\n  ${TOKEN}-in-file\r\n` : noFile(path));
    const token = { text: `${TOKEN}-in-file`, path: expectedPath };
    expect(configure({ _TOKEN: text }, readFile).token).toEqual(token);
    expect(configure({ AWS_SESSION_TOKEN: text }, readFile).token).toEqual(token);
  });

  it("in an unusable file is a problem of the variable that names the file", () => {
    expect(problemsOf({ AWS_TOKEN: "file:///a" }, () => "")).toEqual([
      'AWS_TOKEN must be file:///path of a readable file with one token in it; got "file:///a"',
    ]);
  });

  it.each(TOKENS)("in %s is not shown if it breaks the rule", (name) => {
    const earlier = Object.fromEntries(TOKENS.slice(0, TOKENS.indexOf(name)).map((other) => [other, ""]));
    const parsed = parse({ _ROLE_ARN: ROLE, ...earlier, [name]: `${TOKEN} with a space` });
    expect(parsed.problems).toEqual([
      `${name.replace(/^_/, PREFIX)} must be ${settings.token.rule}; got "a value that is not shown"`,
    ]);
    expect(JSON.stringify(parsed)).not.toContain("CANARY");
  });
});

describe("the problems of a config", () => {
  it("are reported all at once, each with its name, its rule and the given value", () => {
    const { config, problems } = parse({
      AWS_REGION: "",
      AWS_SESSION_TOKEN: "",
      _ROLE_ARN: "SecretReader",
      _SECRET_IDS: "app/*",
      _PARAMETER_NAMES: "/app/*",
      _EXTERNAL_ID: "x",
      _ROLE_SESSION_NAME: "a b",
      _SOURCE_IDENTITY: "a b",
      _SESSION_TAGS: "aws:team=payments",
      _DURATION_SECONDS: "7200",
      _SESSION_POLICY: "strict",
      _REGION: "Ireland",
      _FAILOVER_REGION: "Frankfurt",
      _METRICS: "prometheus",
      _ENABLED: "off",
      _CONFIG: "sources.json",
      _TTL_SECONDS: "5m",
      _PARAMETER_TTL_SECONDS: "5m",
      _MAX_STALE_SECONDS: "1h",
      _TIMEOUT_MS: "99",
      _PARAMETER_TIMEOUT_MS: "99",
      _PREFETCH_TIMEOUT_MS: "9001",
      _CACHE_SIZE: "1001",
      _CACHE_ENABLED: "yes",
      _ALLOW: "some",
      _HTTP_PORT: "0",
      _TOKEN: `${TOKEN} x`,
      _LOG_LEVEL: "loud",
      _EXEC_WRAPPER_ERROR: "skip",
      _INIT_ERROR: "ignore",
    });
    expect(config).toBeUndefined();
    const bySetting = Object.values(settings).map(({ name }) =>
      problems.filter((text) => text.startsWith(PREFIX + name)),
    );
    expect(bySetting.map(({ length }) => length)).toEqual(bySetting.map(() => 1));
    expect(problems).toContain(`${PREFIX}DURATION_SECONDS must be a whole number of seconds, 900 to 3600; got "7200"`);
    expect(problems).toContain(`${PREFIX}ROLE_ARN must be ${settings.roleArn.rule}; got "SecretReader"`);
    expect(problems).toContain("AWS_REGION must be a region, as Lambda sets it; got nothing");
    expect(problems).toHaveLength(bySetting.length + 1);
    expect(problems.join()).not.toContain("CANARY");
  });

  it.each([undefined, "", " "])("say that the target role is needed if it is %j", (role) => {
    expect(parse({ _ROLE_ARN: role, ROLE_ARN: role }).problems).toEqual([
      `${PREFIX}ROLE_ARN must be ${settings.roleArn.rule}; got nothing`,
    ]);
  });

  it("name ROLE_ARN without the prefix if its value is invalid", () => {
    expect(parse({ ROLE_ARN: "mine" }).problems).toEqual([`ROLE_ARN must be ${settings.roleArn.rule}; got "mine"`]);
  });

  it("quote the given value, escaped and cut to 200 characters", () => {
    expect(problemsOf({ _ALLOW: `"\n${"x".repeat(5_000)}` })).toEqual([
      `${PREFIX}ALLOW must be configured or any; got "\\"\\n${"x".repeat(198)}"`,
    ]);
  });

  it("are reported once, even if they affect several settings", () => {
    expect(problemsOf({ AWS_ENDPOINT_URL: "not a url" })).toEqual([
      'AWS_ENDPOINT_URL must be an http or https URL; got "not a url"',
    ]);
  });

  it("keep a valid log level, so that they can be logged", () => {
    expect(parse({ _LOG_LEVEL: "ERROR" })).toMatchObject({ config: undefined, logLevel: "error" });
    expect(parse({ _LOG_LEVEL: "loud" })).toMatchObject({ config: undefined, logLevel: "info" });
  });
});

describe("an unknown setting", () => {
  it.each([
    ["ROLEARN", "ROLE_ARN"],
    ["ROLE_ARM", "ROLE_ARN"],
    ["ROLE_ARNS_", "ROLE_ARN"],
    ["SECRET_ID", "SECRET_IDS"],
    ["SECRETS_IDS", "SECRET_IDS"],
    ["TTL_SECOND", "TTL_SECONDS"],
    ["TTL_SCEONDS", "TTL_SECONDS"],
    ["TOKENS", "TOKEN"],
    ["LOGLEVEL", "LOG_LEVEL"],
    ["ALLOWED", "ALLOW"],
    ["REGION_", "REGION"],
  ])("is a problem if it is within two edits of a setting: %s for %s", (typo, meant) => {
    const { config, problems } = parse({ _ROLE_ARN: ROLE, [`_${typo}`]: "CANARY-value" });
    expect(config).toBeUndefined();
    expect(problems).toEqual([`${PREFIX + typo} must be spelled ${PREFIX + meant}; got "${PREFIX + typo}"`]);
  });

  it.each(["TTL_SECS", "ROLE", "TOKEN_123", "A_SETTING_OF_TOMORROW", ""])(
    "is only reported as unknown if it is farther from every setting: %j",
    (name) => {
      const config = configure({ [`_${name}`]: "CANARY-value" });
      expect(config).toEqual({ ...configure(), unknownSettings: [PREFIX + name] });
    },
  );

  it("is reported together with other unknown settings", () => {
    expect(configure({ _TOMORROW: "1", _DAY_AFTER: "2" }).unknownSettings).toEqual([
      `${PREFIX}TOMORROW`,
      `${PREFIX}DAY_AFTER`,
    ]);
    expect(problemsOf({ _TOKENN: "1", _ALLOWS: "2" })).toHaveLength(2);
  });

  it("is ignored if it is empty", () => {
    expect(configure({ _YESTERDAY: "", _TOKENS: " " })).toEqual(configure());
  });

  it("is reported together with the other problems", () => {
    const { problems } = parse({ _TOMORROW: "CANARY-value", _ALLOW: "some", _TOKENN: "CANARY-value", ROLE_ARN: ROLE });
    expect(problems).toEqual([
      `${PREFIX}TOKENN must be spelled ${PREFIX}TOKEN; got "${PREFIX}TOKENN"`,
      `${PREFIX}ALLOW must be configured or any; got "some"`,
      `${PREFIX}TOMORROW is not a setting of this version`,
    ]);
  });

  it("is ignored without the extension's prefix", () => {
    const own = { ROLE_ARM: "x", TTL_SECONDS: "x", TOKEN: "x", SECRET_IDS: "*", LOG_LEVEL: "x", REGION: "x" };
    expect(configure(own)).toEqual(configure());
  });
});

describe("CONFIG", () => {
  const SOURCES = [
    { roleArn: ROLE, secretIds: ["a", ARN] },
    { roleArn: OTHER_ROLE, secretIds: ["b"] },
  ];
  const CONFIG = JSON.stringify({ sources: SOURCES });

  it("holds the target roles, inline or in a file, and needs no other role", () => {
    const inline = parse({ _CONFIG: CONFIG });
    expect(inline.problems).toEqual([]);
    expect(inline.config?.sources).toMatchObject([
      { roleArn: ROLE, secretIds: ["a", ARN], prefetchIds: ["a", ARN], home: { accountId: "111111111111" } },
      { roleArn: OTHER_ROLE, secretIds: ["b"], prefetchIds: ["b"], home: { accountId: "333333333333" } },
    ]);
    const readFile = (path: string) => (path === "/opt/sources.json" ? CONFIG : noFile(path));
    expect(parse({ _CONFIG: " /opt/sources.json\n" }, readFile)).toEqual(inline);
  });

  it("makes the extension ignore the function's own ROLE_ARN and SECRET_NAME, valid or not", () => {
    const alone = parse({ _CONFIG: CONFIG });
    for (const [ROLE_ARN, SECRET_NAME] of [
      [OTHER_ROLE, "mine"],
      ["not for us", "not for us"],
    ]) {
      expect(parse({ _CONFIG: CONFIG, ROLE_ARN, SECRET_NAME })).toEqual(alone);
    }
  });

  it("excludes ROLE_ARN, SECRET_IDS and PARAMETER_NAMES with the extension's prefix", () => {
    const own = { _ROLE_ARN: ROLE, _SECRET_IDS: "a", _PARAMETER_NAMES: "/a" };
    expect(parse({ _CONFIG: CONFIG, ...own }).problems).toEqual([
      `${PREFIX}ROLE_ARN must be unset where ${PREFIX}CONFIG is set; got "both"`,
      `${PREFIX}SECRET_IDS must be unset where ${PREFIX}CONFIG is set; got "both"`,
      `${PREFIX}PARAMETER_NAMES must be unset where ${PREFIX}CONFIG is set; got "both"`,
    ]);
  });

  it("counts as unset if it is empty, and the function's own ROLE_ARN is used", () => {
    expect(sourceOf({ _ROLE_ARN: "", _CONFIG: " ", ROLE_ARN: OTHER_ROLE, SECRET_NAME: "mine" })).toMatchObject({
      roleArn: OTHER_ROLE,
      prefetchIds: ["mine"],
    });
  });

  it("is one problem if it is neither an object nor a path, without a second one about a missing role", () => {
    expect(parse({ _CONFIG: "sources.json", ROLE_ARN: ROLE }).problems).toEqual([
      `${PREFIX}CONFIG must be ${settings.config.rule}; got "sources.json"`,
    ]);
  });

  it("has its problems reported together with all others", () => {
    const own = { _CONFIG: '{"sources":[{},{"roleArn":"x"}]}', _ALLOW: "some", AWS_REGION: "" };
    expect(parse(own).problems).toEqual([
      `${PREFIX}ALLOW must be configured or any; got "some"`,
      "AWS_REGION must be a region, as Lambda sets it; got nothing",
      `${PREFIX}CONFIG sources[0].roleArn must be ${settings.roleArn.rule}; got nothing`,
      `${PREFIX}CONFIG sources[1].roleArn must be ${settings.roleArn.rule}; got "x"`,
    ]);
  });

  it.each([
    ["anything if no source names a secret", [{ roleArn: ROLE }, { roleArn: OTHER_ROLE }], {}, "any"],
    [
      "anything if ALLOW is any",
      [{ roleArn: ROLE, secretIds: ["a"] }, { roleArn: OTHER_ROLE }],
      { _ALLOW: "any" },
      "any",
    ],
    ["what is configured if every source names some secrets", SOURCES, {}, "configured"],
    [
      "what is configured if one source names secrets and the other names parameters",
      [
        { roleArn: ROLE, secretIds: ["a"] },
        { roleArn: OTHER_ROLE, parameterNames: ["/a"] },
      ],
      {},
      "configured",
    ],
  ])("lets a caller ask for %s", (_, sources, own, allow) => {
    expect(parse({ _CONFIG: JSON.stringify({ sources }), ...own })).toMatchObject({ problems: [], config: { allow } });
  });

  it.each([{}, { _ALLOW: "configured" }])(
    "must name secrets for every role if it does for one, so that an omission opens no role: %o",
    (own) => {
      const sources = [{ roleArn: ROLE, secretIds: ["a"] }, { roleArn: OTHER_ROLE }];
      expect(parse({ _CONFIG: JSON.stringify({ sources }), ...own }).problems).toEqual([
        `${PREFIX}CONFIG secretIds of ${OTHER_ROLE} must be set where ALLOW is configured; got nothing`,
      ]);
    },
  );
});

describe("ENABLED=false", () => {
  const OFF: ParsedConfig = { config: undefined, isEnabled: false, httpPort: 2_773, problems: [], logLevel: "info" };

  it.each(["false", "FALSE", " False\n"])("is recognized as %j", (text) => {
    expect(parse({ _ROLE_ARN: ROLE, _ENABLED: text })).toEqual(OFF);
  });

  it.each<[string, Environment]>([
    ["nothing is set at all", Object.fromEntries(Object.keys(LAMBDA).map((name) => [name, undefined]))],
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
    expect(parse({ ...broken, _ENABLED: "false" })).toEqual(OFF);
  });

  it("keeps the port and the log level if they are valid", () => {
    expect(parse({ _ENABLED: "false", _HTTP_PORT: "8080", _LOG_LEVEL: "WARN" })).toEqual({
      ...OFF,
      httpPort: 8_080,
      logLevel: "warn",
    });
    expect(parse({ _ENABLED: "false", PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: "2774" }).httpPort).toBe(2_774);
    expect(parse({ _ENABLED: "false", _HTTP_PORT: "65536", _LOG_LEVEL: "loud" })).toEqual(OFF);
  });

  it("is not assumed from a mistake: another value or name is a problem, and the extension stays enabled", () => {
    expect(parse({ _ROLE_ARN: ROLE, _ENABLED: "no" })).toMatchObject({
      isEnabled: true,
      config: undefined,
      problems: [`${PREFIX}ENABLED must be true or false; got "no"`],
    });
    expect(parse({ _ROLE_ARN: ROLE, _ENABLE: "false" })).toMatchObject({
      isEnabled: true,
      problems: [`${PREFIX}ENABLE must be spelled ${PREFIX}ENABLED; got "${PREFIX}ENABLE"`],
    });
  });

  it.each(["", "true", "TRUE"])("is not assumed from %j", (text) => {
    expect(parse({ _ROLE_ARN: ROLE, _ENABLED: text })).toEqual(parse({ _ROLE_ARN: ROLE }));
  });
});

describe("the port", () => {
  it("is known even if other settings are invalid, and is the default if it is invalid itself", () => {
    expect(parse({ _HTTP_PORT: "8080" })).toMatchObject({ config: undefined, httpPort: 8_080 });
    expect(parse({ _HTTP_PORT: "-1" })).toMatchObject({ config: undefined, httpPort: 2_773 });
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
    expect(configure({ AWS_LAMBDA_INITIALIZATION_TYPE }).isSnapStart).toBe(isSnapStart);
  });

  it("has its token in AWS_CONTAINER_AUTHORIZATION_TOKEN and its credentials at the container endpoint", () => {
    const { token, aws } = configure({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SESSION_TOKEN: undefined,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:9001/2021-04-23/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "theirs",
      AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start",
    });
    expect(token).toEqual({ text: "theirs", path: undefined });
    expect(aws).toMatchObject({
      credentials: undefined,
      containerCredentials: { uri: "http://127.0.0.1:9001/2021-04-23/credentials", token: "theirs" },
    });
  });
});
