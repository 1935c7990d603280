/**
 * Every setting: its name, what else is read when it is unset, its default, its rule in words, and the rule itself.
 * The README's table is held to this one by a test. Pure.
 */
import { logLevels } from "../logger.ts";
import { isParameterId, parameterIdRule } from "../values/parameter.ts";
import { isSecretId, secretIdRule } from "../values/secret.ts";
import {
  list,
  matching,
  oneOf,
  parseSessionTags,
  type Setting,
  sessionTagsRule,
  wholeNumber,
} from "./setting-rules.ts";

/** STS's own patterns: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const STS_NAME = /^[\w+=,.@-]{2,64}$/;
export const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;
export const ROLE_ARN = /^arn:aws[a-z-]*:iam::(\d{12}):role\/(?=.{1,575}$)([!-.0-~]+\/)*[\w+=,.@-]{1,64}$/;
export const REGION = /^[a-z]{2,}(-[a-z]+)+-\d+$/;

export const settings = {
  enabled: {
    name: "ENABLED",
    default: "true",
    rule: "true or false",
    parse: oneOf("true", "false"),
  },
  config: {
    name: "CONFIG",
    // What stands in it is parsed by sources.ts.
    rule: "a JSON object, or the path of a file that holds one, which begins with /",
    parse: matching(/^[{/]/),
  },
  roleArn: {
    name: "ROLE_ARN",
    alsoRead: ["ROLE_ARN"],
    rule: "the ARN of the target role, arn:<partition>:iam::<12 digits>:role/<path/name>",
    parse: matching(ROLE_ARN),
  },
  secretIds: {
    name: "SECRET_IDS",
    rule: `a list, comma or space separated, of ${secretIdRule}`,
    parse: list(isSecretId),
  },
  parameterNames: {
    name: "PARAMETER_NAMES",
    rule: `a list, comma or space separated, of ${parameterIdRule}`,
    parse: list(isParameterId),
  },
  externalId: {
    name: "EXTERNAL_ID",
    rule: "2 to 1224 letters, digits and _+=,.@:/-",
    parse: matching(EXTERNAL_ID),
  },
  roleSessionName: {
    name: "ROLE_SESSION_NAME",
    rule: "2 to 64 letters, digits and _+=,.@-",
    parse: matching(STS_NAME),
  },
  sourceIdentity: {
    name: "SOURCE_IDENTITY",
    rule: "2 to 64 letters, digits and _+=,.@-",
    parse: matching(STS_NAME),
  },
  sessionTags: {
    name: "SESSION_TAGS",
    rule: sessionTagsRule,
    parse: parseSessionTags,
  },
  durationSeconds: {
    name: "DURATION_SECONDS",
    default: "3600",
    // A Lambda role is already a session, and role chaining ends at one hour:
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
    rule: "a whole number of seconds, 900 to 3600",
    parse: wholeNumber(900, 3_600),
  },
  sessionPolicy: {
    name: "SESSION_POLICY",
    default: "auto",
    rule: "auto or none",
    parse: oneOf("auto", "none"),
  },
  region: {
    name: "REGION",
    rule: "a region, such as eu-west-1",
    parse: matching(REGION),
  },
  failoverRegion: {
    name: "FAILOVER_REGION",
    rule: "a region, such as eu-central-1",
    parse: matching(REGION),
  },
  ttlMs: {
    name: "TTL_SECONDS",
    alsoRead: ["SECRETS_MANAGER_TTL"],
    default: "300",
    rule: "a whole number of seconds, 0 to 86400",
    parse: wholeNumber(0, 86_400, 1_000),
  },
  parameterTtlMs: {
    name: "PARAMETER_TTL_SECONDS",
    alsoRead: ["SSM_PARAMETER_STORE_TTL"],
    default: "300",
    rule: "a whole number of seconds, 0 to 86400",
    parse: wholeNumber(0, 86_400, 1_000),
  },
  maxStaleMs: {
    name: "MAX_STALE_SECONDS",
    default: "3600",
    rule: "a whole number of seconds, 0 to 86400",
    parse: wholeNumber(0, 86_400, 1_000),
  },
  timeoutMs: {
    name: "TIMEOUT_MS",
    alsoRead: ["SECRETS_MANAGER_TIMEOUT_MILLIS"],
    // Below Lambda's default function time-out of 3 s, so that the function gets an answer and not a time-out.
    default: "2500",
    rule: "a whole number of milliseconds, 100 to 60000",
    parse: wholeNumber(100, 60_000),
  },
  parameterTimeoutMs: {
    name: "PARAMETER_TIMEOUT_MS",
    alsoRead: ["SSM_PARAMETER_STORE_TIMEOUT_MILLIS"],
    default: "2500",
    rule: "a whole number of milliseconds, 100 to 60000",
    parse: wholeNumber(100, 60_000),
  },
  prefetchTimeoutMs: {
    name: "PREFETCH_TIMEOUT_MS",
    default: "1000",
    // Lambda gives init 10 s in all.
    rule: "a whole number of milliseconds, 0 to 9000",
    parse: wholeNumber(0, 9_000),
  },
  cacheSize: {
    name: "CACHE_SIZE",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE"],
    default: "1000",
    rule: "a whole number of secrets, 0 to 1000",
    parse: wholeNumber(0, 1_000),
  },
  cacheEnabled: {
    name: "CACHE_ENABLED",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED"],
    default: "true",
    rule: "true or false",
    parse: oneOf("true", "false"),
  },
  allow: {
    name: "ALLOW",
    rule: "configured or any",
    parse: oneOf("configured", "any"),
  },
  httpPort: {
    name: "HTTP_PORT",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"],
    default: "2773",
    rule: "a port, 1 to 65535",
    parse: wholeNumber(1, 65_535),
  },
  token: {
    name: "TOKEN",
    alsoRead: ["AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"],
    rule: "a token in printable ASCII, without spaces, or file:///path of one",
    parse: matching(/^[\x21-\x7e]+$/),
  },
  logLevel: {
    name: "LOG_LEVEL",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL"],
    default: "info",
    rule: "debug, info, warn, error or none",
    parse: oneOf(...logLevels),
  },
  metrics: {
    name: "METRICS",
    default: "none",
    rule: "emf or none",
    parse: oneOf("emf", "none"),
  },
  execWrapperError: {
    name: "EXEC_WRAPPER_ERROR",
    default: "fail",
    // layer/exec-wrapper.c heeds it; it is here so that a mistake in it is reported with all others.
    rule: "fail or unset",
    parse: oneOf("fail", "unset"),
  },
  initError: {
    name: "INIT_ERROR",
    default: "serve",
    rule: "serve or fail",
    parse: oneOf("serve", "fail"),
  },
} as const satisfies Record<string, Setting<unknown>>;

type Parsed<S> = S extends Setting<infer T> ? T : never;

/** The value of every setting; those without a default may be undefined. */
export type SettingValues = {
  readonly [K in keyof typeof settings]:
    | Parsed<(typeof settings)[K]>
    | ((typeof settings)[K] extends { readonly default: string } ? never : undefined);
};
