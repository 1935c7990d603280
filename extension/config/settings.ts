/**
 * THE table of settings. `SettingValues` is derived from it. Copy a new row to the README's table; a test compares them. A
 * new `alsoRead` name also goes into layer/launcher.c and layer/extension.sh. Pure.
 */
import { logLevels } from "../logger.ts";
import { isParameterId, parameterIdRule } from "../values/parameter.ts";
import { isSecretId, secretIdRule } from "../values/secret.ts";
import {
  list,
  matching,
  nearestBoolean,
  nearestNumber,
  nearestWord,
  oneOf,
  parseSessionTags,
  type Setting,
  sessionTagsRule,
  wholeNumber,
} from "./setting-rules.ts";

/** STS's own patterns: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const STS_NAME = /^[\w+=,.@-]{2,64}$/;
export const EXTERNAL_ID_PATTERN = /^[\w+=,.@:/-]{2,1224}$/;
export const ROLE_ARN_PATTERN = /^arn:aws[a-z-]*:iam::(\d{12}):role\/(?=.{1,575}$)([!-.0-~]+\/)*[\w+=,.@-]{1,64}$/;
export const REGION_PATTERN = /^[a-z]{2,}(-[a-z]+)+-\d+$/;

/** AWS's 0 means "no time-out". We have no such value: 0 and all that is below it mean our default. */
const nearestTimeout = (text: string) => (Number(text) <= 0 ? undefined : nearestNumber(100, 60_000)(text));

export const settings = {
  enabled: {
    name: "ENABLED",
    description:
      "the kill switch, read first: with `false`, nothing is fetched, all other settings are ignored, every request is answered with 503, and the exec wrapper leaves all variables as they are",
    default: "true",
    rule: "true or false",
    parse: oneOf("true", "false"),
  },
  config: {
    name: "CONFIG",
    description: "several target roles, instead of `ROLE_ARN`, `SECRET_IDS` and `PARAMETER_NAMES`: see below",
    // sources.ts parses it.
    rule: "a JSON object, or an absolute path of a JSON file",
    parse: matching(/^[{/]/),
  },
  roleArn: {
    name: "ROLE_ARN",
    description: "the target role in Account A, `arn:<partition>:iam::<12 digits>:role/<path/name>`",
    alsoRead: ["ROLE_ARN"],
    rule: "the ARN of the target role, arn:<partition>:iam::<12 digits>:role/<path/name>",
    parse: matching(ROLE_ARN_PATTERN),
  },
  secretIds: {
    name: "SECRET_IDS",
    description:
      "names or ARNs, comma or space separated: they are fetched in init, and nothing else may be requested (see `ALLOW`). If neither this nor `PARAMETER_NAMES` is set, the secret in `SECRET_NAME` is fetched in init, and any id may be requested",
    rule: `a list, comma or space separated, of ${secretIdRule}`,
    parse: list(isSecretId),
  },
  parameterNames: {
    name: "PARAMETER_NAMES",
    description:
      "the same for Parameter Store. They are fetched decrypted. Only a request with `withDecryption=true` finds them in memory",
    rule: `a list, comma or space separated, of ${parameterIdRule}`,
    parse: list(isParameterId),
  },
  externalId: {
    name: "EXTERNAL_ID",
    description: "the external ID that the role's trust policy requires",
    rule: "2 to 1224 letters, digits and _+=,.@:/-",
    parse: matching(EXTERNAL_ID_PATTERN),
  },
  roleSessionName: {
    name: "ROLE_SESSION_NAME",
    description: "names the consumer in Account A's CloudTrail",
    rule: "2 to 64 letters, digits and _+=,.@-",
    parse: matching(STS_NAME),
  },
  sourceIdentity: {
    name: "SOURCE_IDENTITY",
    description: "the source identity of the role's session, which CloudTrail shows",
    rule: "2 to 64 letters, digits and _+=,.@-",
    parse: matching(STS_NAME),
  },
  sessionTags: {
    name: "SESSION_TAGS",
    description: "tags of the role's session, `key=value,key=value`; the trust policy must allow `sts:TagSession`",
    rule: sessionTagsRule,
    parse: parseSessionTags,
  },
  durationSeconds: {
    name: "DURATION_SECONDS",
    description: "life of the role's session, 900 to 3600: AWS limits role chaining to one hour",
    default: "3600",
    // A Lambda role is already a session, and role chaining is limited to one hour:
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
    rule: "a whole number of seconds, 900 to 3600",
    parse: wholeNumber(900, 3_600),
  },
  sessionPolicy: {
    name: "SESSION_POLICY",
    description:
      "`auto`: the role's session may only read `SECRET_IDS` and `PARAMETER_NAMES`, if `ALLOW` is `configured` and the policy is not too long for STS; `none`: the session has all permissions of the role",
    default: "auto",
    rule: "auto or none",
    parse: oneOf("auto", "none"),
  },
  region: {
    name: "REGION",
    description:
      "the region of the secrets and parameters; an ARN in `SECRET_IDS` or `PARAMETER_NAMES` must not name another one",
    rule: "a region, such as eu-west-1",
    parse: matching(REGION_PATTERN),
  },
  failoverRegion: {
    name: "FAILOVER_REGION",
    description:
      "a region with replicas of the secrets. It is asked, at its own endpoint, if the secrets' own region fails, or does not answer within half of the request's time limit",
    rule: "a region, such as eu-central-1",
    parse: matching(REGION_PATTERN),
  },
  ttlMs: {
    name: "TTL_SECONDS",
    description: "how long a value is served from memory, 0 to 86400; 0 keeps nothing",
    alsoRead: ["SECRETS_MANAGER_TTL"],
    default: "300",
    rule: "a whole number of seconds, 0 to 86400",
    parse: wholeNumber(0, 86_400, 1_000),
    nearest: nearestNumber(0, 86_400),
  },
  parameterTtlMs: {
    name: "PARAMETER_TTL_SECONDS",
    description: "the same for parameters",
    alsoRead: ["SSM_PARAMETER_STORE_TTL"],
    default: "300",
    rule: "a whole number of seconds, 0 to 86400",
    parse: wholeNumber(0, 86_400, 1_000),
    nearest: nearestNumber(0, 86_400),
  },
  maxStaleMs: {
    name: "MAX_STALE_SECONDS",
    description: "how long past its TTL a value may be served while AWS cannot be reached, 0 to 86400",
    default: "3600",
    rule: "a whole number of seconds, 0 to 86400",
    parse: wholeNumber(0, 86_400, 1_000),
  },
  timeoutMs: {
    name: "TIMEOUT_MS",
    description:
      "the longest time that one local request waits in all, 100 to 60000; a `SECRETS_MANAGER_TIMEOUT_MILLIS` of 0 means the default",
    alsoRead: ["SECRETS_MANAGER_TIMEOUT_MILLIS"],
    // Below Lambda's default function time-out of 3 s, so that the function gets an answer and not a time-out.
    default: "2500",
    rule: "a whole number of milliseconds, 100 to 60000",
    parse: wholeNumber(100, 60_000),
    nearest: nearestTimeout,
  },
  parameterTimeoutMs: {
    name: "PARAMETER_TIMEOUT_MS",
    description: "the same for parameters",
    alsoRead: ["SSM_PARAMETER_STORE_TIMEOUT_MILLIS"],
    default: "2500",
    rule: "a whole number of milliseconds, 100 to 60000",
    parse: wholeNumber(100, 60_000),
    nearest: nearestTimeout,
  },
  prefetchTimeoutMs: {
    name: "PREFETCH_TIMEOUT_MS",
    description: "how long init waits for the fetches, 0 to 9000; after that they go on during the first invocation",
    default: "1000",
    // Lambda gives init 10 s in all.
    rule: "a whole number of milliseconds, 0 to 9000",
    parse: wholeNumber(0, 9_000),
  },
  cacheSize: {
    name: "CACHE_SIZE",
    description: "how many secrets, and how many parameters, are kept, 0 to 1000",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE"],
    default: "1000",
    rule: "a whole number of secrets, 0 to 1000",
    parse: wholeNumber(0, 1_000),
    nearest: nearestNumber(0, 1_000),
  },
  cacheEnabled: {
    name: "CACHE_ENABLED",
    description: "`false` keeps nothing",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED"],
    default: "true",
    rule: "true or false",
    parse: oneOf("true", "false"),
    nearest: nearestBoolean,
  },
  allow: {
    name: "ALLOW",
    description: "what may be requested: `configured`: only the listed ids; `any`: every id",
    rule: "configured or any",
    parse: oneOf("configured", "any"),
  },
  httpPort: {
    name: "HTTP_PORT",
    description: "the port on 127.0.0.1",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"],
    default: "2773",
    rule: "a port, 1 to 65535",
    parse: wholeNumber(1, 65_535),
    // Clients know the default. They would not look for a nearest port.
    nearest: () => undefined,
  },
  token: {
    name: "TOKEN",
    description:
      "the token that a caller must send, or `file:///path`, a file that contains the token. The file may be replaced at any time; it must be owned by the function's user or root, and writable only by its owner. Lambda sets `AWS_SESSION_TOKEN`",
    alsoRead: ["AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"],
    rule: "a token in printable ASCII, without spaces, or file:///path of one",
    parse: matching(/^[\x21-\x7e]+$/),
  },
  logLevel: {
    name: "LOG_LEVEL",
    description: "`debug`, `info`, `warn`, `error` or `none`",
    alsoRead: ["PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL"],
    default: "info",
    rule: "debug, info, warn, error or none",
    parse: oneOf(...logLevels),
    nearest: nearestWord(...logLevels),
  },
  metrics: {
    name: "METRICS",
    description: "`emf` prints CloudWatch metrics in the embedded metric format, at most once a minute",
    default: "none",
    rule: "emf or none",
    parse: oneOf("emf", "none"),
  },
  execWrapperError: {
    name: "EXEC_WRAPPER_ERROR",
    description:
      "what happens if the exec wrapper cannot resolve a variable: `fail` stops the start, `unset` leaves the variable out",
    default: "fail",
    // layer/exec-wrapper.c uses it. It is here so that a mistake in it is reported with all others.
    rule: "fail or unset",
    parse: oneOf("fail", "unset"),
  },
  initError: {
    name: "INIT_ERROR",
    description:
      "`serve`: a failed fetch in init is answered per request; `fail`: it fails the init, and so does a fetch that takes longer than `PREFETCH_TIMEOUT_MS`",
    default: "serve",
    rule: "serve or fail",
    parse: oneOf("serve", "fail"),
  },
} as const satisfies Record<string, Setting<unknown>>;

type Parsed<S> = S extends Setting<infer T> ? T : never;

/** The value of every setting. A setting without a default may be undefined. */
export type SettingValues = {
  readonly [K in keyof typeof settings]:
    | Parsed<(typeof settings)[K]>
    | ((typeof settings)[K] extends { readonly default: string } ? never : undefined);
};
