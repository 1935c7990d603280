/**
 * From the environment to a Config, or to every problem at once. An empty value counts as unset, because templates produce
 * empty values.
 */
import type { Logger } from "../logger.ts";
import { isSecretId } from "../values/secret.ts";
import type { Source } from "../values/source.ts";
import { type AwsEnvironment, parseAwsEnvironment } from "./aws-environment.ts";
import { checkPlaces } from "./partitions.ts";
import type { FileReader } from "./read-file.ts";
import { type Environment, PREFIX, type Problem, type Setting } from "./setting-rules.ts";
import { type SettingValues, settings } from "./settings.ts";
import { parseSources } from "./sources.ts";
import { parseToken, type Token } from "./token.ts";

/** Settings that a Config holds in another form, or not at all. */
type NotInConfig =
  | "roleArn"
  | "secretIds"
  | "parameterNames"
  | "externalId"
  | "region"
  | "config"
  | "enabled"
  | "allow"
  | "cacheEnabled"
  | "token";

export interface Config extends Omit<SettingValues, NotInConfig> {
  readonly sources: readonly [Source, ...Source[]];
  readonly allow: "configured" | "any";
  readonly token: Token;
  readonly functionName: string;
  /** Whether init ends in a snapshot, from which many execution environments may be restored. */
  readonly isSnapStart: boolean;
  /** Variables with our prefix that this version does not know. */
  readonly unknownSettings: readonly string[];
  readonly replacedSettings: readonly ReplacedSetting[];
  readonly aws: AwsEnvironment;
}

/** A value under one of AWS's names that breaks our rule, and what is used instead. */
interface ReplacedSetting extends Problem {
  readonly got: string;
  readonly used: string;
}

export interface ParsedConfig {
  readonly config: Config | undefined;
  /** The kill switch. If it is false, problems in other settings are ignored. */
  readonly isEnabled: boolean;
  /** Known even if other settings are wrong. */
  readonly httpPort: number;
  /** Why there is no config: a sentence for each mistake. Empty if there is a config. */
  readonly problems: readonly string[];
  /** Known even if other settings are wrong, so that the problems can be logged. */
  readonly logLevel: SettingValues["logLevel"];
}

/** If a problem has one of these rules, the list was set, but wrongly. */
const LIST_RULES: readonly string[] = [settings.secretIds.rule, settings.parameterNames.rule];

function toSentence({ name, rule, got }: Problem): string {
  return `${name} must be ${rule}; got ${got === undefined ? "nothing" : JSON.stringify(got.slice(0, 200))}`;
}

export function parseConfig(environment: Environment, readFile: FileReader): ParsedConfig {
  const problems: Problem[] = [];
  const { unknown, typos } = findUnknown(environment);
  problems.push(...typos);

  const replaced: ReplacedSetting[] = [];
  const values = Object.fromEntries(
    Object.entries(settings).map(([key, setting]) => [key, readSetting(setting, environment, problems, replaced)]),
  ) as unknown as SettingValues;

  const httpPort = values.httpPort ?? Number(settings.httpPort.default);
  if (values.enabled === "false") {
    return { config: undefined, isEnabled: false, httpPort, problems: [], logLevel: values.logLevel ?? "info" };
  }
  const aws = parseAwsEnvironment(environment, problems, readFile);
  // SECRET_NAME belongs to the function. It never narrows what may be requested, and is never a problem.
  const secretName = [environment.SECRET_NAME?.trim() ?? ""].find(isSecretId);
  const sources = parseSources({ values, awsRegion: aws.region, secretName, readFile, problems });
  checkPlaces({ ...values, sources, awsRegion: aws.region, toName: toFieldName(values, environment), problems });
  const [source, ...others] = sources;
  const token = parseToken(values.token, environment, readFile, problems);
  const allow = values.allow ?? (sources.some(isConfigured) ? "configured" : "any");
  if (allow === "configured" && !problems.some(({ rule }) => LIST_RULES.includes(rule))) {
    const without = sources.filter((candidate) => !isConfigured(candidate));
    const ofConfig = without.map(({ roleArn }) => `${PREFIX}CONFIG secretIds of ${roleArn}`);
    const isNone = values.secretIds === undefined && values.parameterNames === undefined;
    for (const name of values.config !== undefined ? ofConfig : isNone ? [`${PREFIX}SECRET_IDS`] : []) {
      problems.push({ name, rule: 'set, because ALLOW is "configured"', got: undefined });
    }
  }
  if (values.initError === "fail" && values.prefetchTimeoutMs === 0) {
    problems.push({ name: `${PREFIX}PREFETCH_TIMEOUT_MS`, rule: 'above 0, because INIT_ERROR is "fail"', got: "0" });
  }

  const {
    logLevel,
    cacheEnabled,
    roleArn,
    secretIds,
    parameterNames,
    externalId,
    region,
    config: _,
    enabled,
    ...rest
  } = values;
  if (problems.length > 0 || source === undefined || token === undefined) {
    const remarks = unknown.map((name) => `${name} is not a setting of this version`);
    return {
      config: undefined,
      isEnabled: true,
      httpPort,
      problems: [...new Set([...problems.map(toSentence), ...remarks])],
      logLevel: logLevel ?? "info",
    };
  }
  const config: Config = {
    ...rest,
    logLevel,
    sources: [source, ...others],
    allow,
    token,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME || "cross-account-secrets",
    isSnapStart: environment.AWS_LAMBDA_INITIALIZATION_TYPE === "snap-start",
    unknownSettings: unknown,
    replacedSettings: replaced,
    cacheSize: cacheEnabled === "true" ? values.cacheSize : 0,
    aws,
  };
  return { config, isEnabled: true, httpPort, problems: [], logLevel };
}

/** Names a field of a source as it was set: in CONFIG, or in a variable. */
const toFieldName =
  ({ config }: SettingValues, environment: Environment): Parameters<typeof checkPlaces>[0]["toName"] =>
  (field, index) => {
    if (config !== undefined) return `${PREFIX}CONFIG sources[${index}].${field}`;
    const own = PREFIX + settings[field].name;
    return field !== "roleArn" || environment[own]?.trim() ? own : "ROLE_ARN";
  };

const isConfigured = ({ secretIds, parameterNames }: Source): boolean =>
  secretIds.length > 0 || parameterNames.length > 0;

/** One warning for each variable that is not used as it is. */
export function warnOfSettings(
  { unknownSettings, replacedSettings }: Pick<Config, "unknownSettings" | "replacedSettings">,
  logger: Logger,
): void {
  for (const name of unknownSettings) logger.warn("setting-ignored", { name });
  for (const { name, rule, got, used } of replacedSettings) logger.warn("setting-replaced", { name, rule, got, used });
}

function readSetting(
  setting: Setting<unknown>,
  environment: Environment,
  problems: Problem[],
  replaced: ReplacedSetting[],
): unknown {
  const { rule, parse, nearest } = setting;
  for (const name of [PREFIX + setting.name, ...(setting.alsoRead ?? [])]) {
    const text = environment[name]?.trim() ?? "";
    // 0 is AWS's default of SECRETS_MANAGER_TIMEOUT_MILLIS, "no time-out". The CDK always sets it, so it counts as unset.
    if (text === "" || (name.endsWith("_TIMEOUT_MILLIS") && /^0+$/.test(text))) continue;
    // Next to a CONFIG, which has its own roles, ROLE_ARN belongs to the function.
    if (name === "ROLE_ARN" && environment[`${PREFIX}CONFIG`]?.trim()) continue;
    const value = parse(text);
    if (value !== undefined) return value;
    const used = nearest && !name.startsWith(PREFIX) ? (nearest(text) ?? setting.default) : undefined;
    if (used === undefined) {
      problems.push({ name, rule, got: setting.name === "TOKEN" ? "a value that is not shown" : text });
      return undefined;
    }
    replaced.push({ name, rule, got: text.slice(0, 200), used });
    return parse(used);
  }
  return setting.default === undefined ? undefined : parse(setting.default);
}

/** Names with our prefix that are not settings. A name within two edits of a setting is a typo; any other is unknown. */
function findUnknown(environment: Environment): { unknown: string[]; typos: Problem[] } {
  const known = Object.values(settings).map(({ name }) => PREFIX + name);
  const unknown: string[] = [];
  const typos: Problem[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || known.includes(name) || !value?.trim()) continue;
    const meant = known.find((candidate) => editDistance(name, candidate) <= 2);
    if (meant) typos.push({ name, rule: `spelled ${meant}`, got: name });
    else unknown.push(name);
  }
  return { unknown, typos };
}

/** The Levenshtein distance: how many letters must be changed, added or removed. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
