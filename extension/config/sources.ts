/**
 * The target roles, and what may be read through each. Either there is one, in its own variables, or as many as CONFIG
 * lists.
 */
import { isParameterId, parameterIdRule } from "../values/parameter.ts";
import { isSecretId, secretIdRule } from "../values/secret.ts";
import type { Source } from "../values/source.ts";
import { PREFIX, type Problem } from "./setting-rules.ts";
import { EXTERNAL_ID_PATTERN, REGION_PATTERN, ROLE_ARN_PATTERN, type SettingValues, settings } from "./settings.ts";

/** A source as the variables describe it, or as one member of CONFIG's `sources` does. */
interface Entry {
  readonly roleArn: string;
  readonly externalId?: string | undefined;
  readonly region?: string | undefined;
  readonly secretIds?: readonly string[] | undefined;
  readonly parameterNames?: readonly string[] | undefined;
}

const NAME = `${PREFIX}CONFIG`;
/** Each source has its own credentials, and a part of the memory for values. */
const MAX_SOURCES = 20;
/** Unknown fields are not quoted: the file may be the wrong one, and hold anything. */
const NOT_SHOWN = "a value that is not shown";

/** Adds every problem to `problems`, with its place. */
export function parseSources(parts: {
  readonly values: SettingValues;
  readonly awsRegion: string;
  /** The function's own SECRET_NAME, if it is a secret's id. It is fetched in init, unless there is a CONFIG. */
  readonly secretName: string | undefined;
  readonly readFile: (path: string) => string;
  readonly problems: Problem[];
}): readonly Source[] {
  const { values, problems } = parts;
  const { roleArn, secretIds, parameterNames, externalId, region } = values;
  const toSource = (entry: Entry, prefetchIds = entry.secretIds ?? []): Source => ({
    roleArn: entry.roleArn,
    externalId: entry.externalId ?? externalId,
    region: entry.region ?? region,
    home: {
      region: entry.region ?? region ?? parts.awsRegion,
      accountId: ROLE_ARN_PATTERN.exec(entry.roleArn)?.[1] ?? "",
    },
    secretIds: entry.secretIds ?? [],
    parameterNames: entry.parameterNames ?? [],
    prefetchIds,
  });
  if (values.config !== undefined) {
    for (const [name, value] of Object.entries({
      ROLE_ARN: roleArn,
      SECRET_IDS: secretIds,
      PARAMETER_NAMES: parameterNames,
    })) {
      if (value !== undefined)
        problems.push({ name: PREFIX + name, rule: `unset, because ${NAME} is set, too`, got: "both" });
    }
    return parseEntries(values.config, parts.readFile, problems).map((entry) => toSource(entry));
  }
  if (roleArn === undefined) {
    if (!problems.some(({ rule }) => rule === settings.roleArn.rule || rule === settings.config.rule)) {
      problems.push({ name: `${PREFIX}ROLE_ARN`, rule: settings.roleArn.rule, got: undefined });
    }
    return [];
  }
  // If only parameters may be asked for, the session policy allows no secret either.
  const isAllowed = parameterNames === undefined || values.allow === "any";
  const prefetchIds = secretIds ?? (parts.secretName !== undefined && isAllowed ? [parts.secretName] : []);
  return [toSource({ roleArn, secretIds, parameterNames }, prefetchIds)];
}

function parseEntries(text: string, readFile: (path: string) => string, problems: Problem[]): readonly Entry[] {
  const root = toJson(text, readFile);
  if (typeof root === "string") {
    problems.push({ name: NAME, rule: root, got: text.startsWith("/") ? text : NOT_SHOWN });
    return [];
  }
  const refuse = (place: string, rule: string, got: unknown) =>
    void problems.push({ name: `${NAME} ${place}`, rule, got: got === undefined ? undefined : toText(got) });
  const { sources, ...unknown } = root as { sources?: unknown };
  for (const name of Object.keys(unknown)) refuse(name, "removed: the only known field is sources", NOT_SHOWN);
  if (!Array.isArray(sources) || sources.length < 1 || sources.length > MAX_SOURCES) {
    refuse("sources", `a list of 1 to ${MAX_SOURCES} objects, each with a roleArn`, sources);
    return [];
  }
  const entries: Entry[] = [];
  for (const [index, entry] of sources.entries()) {
    const place = `sources[${index}]`;
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
      refuse(place, "an object with a roleArn", entry);
      continue;
    }
    // As in a variable, an empty value counts as unset.
    const given = Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== "")) as Partial<Entry>;
    for (const [name, value] of Object.entries(given)) {
      const field = fields.get(name);
      if (field === undefined)
        refuse(`${place}.${name}`, `removed: the known fields are ${[...fields.keys()].join(", ")}`, NOT_SHOWN);
      else if (!field.isValid(value)) refuse(`${place}.${name}`, field.rule, value);
    }
    if (given.roleArn === undefined) refuse(`${place}.roleArn`, settings.roleArn.rule, undefined);
    // Callers choose a source by its `roleArn`.
    else if (entries.some(({ roleArn }) => roleArn === given.roleArn)) {
      refuse(`${place}.roleArn`, "different from those of the sources before it", given.roleArn);
    }
    entries.push({ ...given, roleArn: given.roleArn ?? "" });
  }
  return problems.some(({ name }) => name.startsWith(`${NAME} `)) ? [] : entries;
}

function isListOf(isMember: (text: string) => boolean) {
  return (value: unknown) =>
    Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === "string" && isMember(id));
}

const isMatch = (pattern: RegExp) => (value: unknown) => typeof value === "string" && pattern.test(value);

/** A Map, because an object also has a `constructor`. */
const fields = new Map([
  ["roleArn", { rule: settings.roleArn.rule, isValid: isMatch(ROLE_ARN_PATTERN) }],
  ["externalId", { rule: settings.externalId.rule, isValid: isMatch(EXTERNAL_ID_PATTERN) }],
  ["region", { rule: settings.region.rule, isValid: isMatch(REGION_PATTERN) }],
  ["secretIds", { rule: `a list of ${secretIdRule}`, isValid: isListOf(isSecretId) }],
  ["parameterNames", { rule: `a list of ${parameterIdRule}`, isValid: isListOf(isParameterId) }],
]);

/** Returns the object, or the rule that the text breaks. */
function toJson(text: string, readFile: (path: string) => string): object | string {
  let json = text;
  if (text.startsWith("/")) {
    try {
      json = readFile(text);
    } catch {
      return "the path of a readable file";
    }
  }
  try {
    // `trim` also removes the byte order mark, which Windows writes.
    const parsed: unknown = JSON.parse(json.trim());
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // The parser's message would quote the text, which may be secret.
  }
  return text.startsWith("/")
    ? "the path of a file that holds a JSON object, in UTF-8"
    : "a JSON object, or the path of a file with one";
}

const toText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
