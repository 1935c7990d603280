import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Problem } from "../../../extension/config/setting-rules.ts";
import { type SettingValues, settings } from "../../../extension/config/settings.ts";
import { parseSources } from "../../../extension/config/sources.ts";
import { parameterIdRule } from "../../../extension/values/parameter.ts";
import { secretIdRule } from "../../../extension/values/secret.ts";
import type { Source } from "../../../extension/values/source.ts";
import {
  SECRET_ARN as ARN,
  HOME,
  OTHER_ROLE_ARN as OTHER_ROLE,
  PARAMETER_ARN,
  TARGET_ROLE_ARN as ROLE,
} from "../../support/values.ts";
import { noFile } from "../../support/variables.ts";

const NAME = "CROSS_ACCOUNT_SECRETS_CONFIG";
const CANARY = "CANARY-content-of-a-wrong-file";

/** A source with only a role. */
const PLAIN: Source = {
  roleArn: ROLE,
  externalId: undefined,
  region: undefined,
  home: HOME,
  secretIds: [],
  parameterNames: [],
  prefetchIds: [],
};

/** The values of all settings if nothing is set. */
const DEFAULTS = Object.fromEntries(
  Object.entries(settings).map(([key, setting]) => [
    key,
    "default" in setting ? setting.parse(setting.default) : undefined,
  ]),
) as unknown as SettingValues;

interface ParsedSources {
  readonly sources: readonly Source[];
  readonly problems: readonly Problem[];
}

function parse(values: Partial<SettingValues>, { secretName = "", readFile = noFile } = {}): ParsedSources {
  const problems: Problem[] = [];
  const sources = parseSources({
    values: { ...DEFAULTS, ...values },
    awsRegion: "eu-west-1",
    secretName: secretName || undefined,
    readFile,
    problems,
  });
  return { sources, problems };
}

/** Parses `config` as inline CONFIG. */
const parseConfigured = (config: unknown, values: Partial<SettingValues> = {}) =>
  parse({ ...values, config: JSON.stringify(config) });

const problemsOf = (config: unknown): readonly string[] =>
  parseConfigured(config).problems.map(({ name, rule, got }) => `${name} must be ${rule}; got ${got}`);

const placesOf = (config: unknown): readonly string[] =>
  parseConfigured(config).problems.map(({ name }) => name.replace(`${NAME} `, ""));

describe("the source that the variables describe", () => {
  it("is the target role, with its account and AWS_REGION as home", () => {
    expect(parse({ roleArn: ROLE })).toEqual({
      sources: [PLAIN],
      problems: [],
    });
  });

  it("has the values of the variables", () => {
    const named = { secretIds: ["a", ARN], parameterNames: ["flag", PARAMETER_ARN] };
    const values = { roleArn: ROLE, externalId: "external", region: "us-east-1", ...named };
    expect(parse(values, { secretName: "b" }).sources).toEqual([
      {
        ...values,
        home: { region: "us-east-1", accountId: "111111111111" },
        prefetchIds: ["a", ARN],
      },
    ]);
  });

  it("fetches the secret in SECRET_NAME in init if no other is configured, without adding it to the configured ones", () => {
    const [source] = parse({ roleArn: ROLE }, { secretName: "own" }).sources;
    expect(source).toMatchObject({ secretIds: [], prefetchIds: ["own"] });
  });

  it("needs a role, and a missing role is reported once", () => {
    expect(parse({})).toEqual({
      sources: [],
      problems: [{ name: "CROSS_ACCOUNT_SECRETS_ROLE_ARN", rule: settings.roleArn.rule, got: undefined }],
    });
  });

  it.each([
    ["an invalid role", { name: "ROLE_ARN", rule: settings.roleArn.rule, got: "x" }],
    ["an invalid CONFIG", { name: NAME, rule: settings.config.rule, got: "x" }],
  ])("is not reported as lacking a role if %s is reported already", (_, problem) => {
    const problems = [problem];
    const given = { awsRegion: "eu-west-1", secretName: undefined, readFile: noFile };
    expect(parseSources({ ...given, values: DEFAULTS, problems })).toEqual([]);
    expect(problems).toEqual([problem]);
  });
});

describe("CONFIG", () => {
  it("lists roles in their order, each with its own values", () => {
    const { sources, problems } = parseConfigured({
      sources: [
        {
          roleArn: OTHER_ROLE,
          externalId: "theirs",
          region: "us-west-2",
          secretIds: ["a", ARN],
          parameterNames: ["/app/flag"],
        },
        { roleArn: ROLE },
      ],
    });
    expect(problems).toEqual([]);
    expect(sources).toEqual([
      {
        roleArn: OTHER_ROLE,
        externalId: "theirs",
        region: "us-west-2",
        home: { region: "us-west-2", accountId: "333333333333" },
        secretIds: ["a", ARN],
        parameterNames: ["/app/flag"],
        prefetchIds: ["a", ARN],
      },
      PLAIN,
    ]);
  });

  it("uses EXTERNAL_ID and REGION as defaults", () => {
    const sources = [{ roleArn: ROLE }, { roleArn: OTHER_ROLE, externalId: "theirs", region: "us-west-2" }];
    expect(parseConfigured({ sources }, { externalId: "ours", region: "ap-south-1" }).sources).toMatchObject([
      { externalId: "ours", region: "ap-south-1", home: { region: "ap-south-1" } },
      { externalId: "theirs", region: "us-west-2", home: { region: "us-west-2" } },
    ]);
  });

  it("may be the path of a file, which is read once and may have white space around its text", () => {
    const text = `\n ${JSON.stringify({ sources: [{ roleArn: ROLE }] }, undefined, 2)}\r\n`;
    const paths: string[] = [];
    const readFile = (path: string) => {
      paths.push(path);
      return text;
    };
    const { sources, problems } = parse({ config: "/opt/sources.json" }, { readFile });
    expect(problems).toEqual([]);
    expect(sources).toMatchObject([{ roleArn: ROLE }]);
    expect(paths).toEqual(["/opt/sources.json"]);
  });

  it("in a file may not be the path of another file", () => {
    const readFile = (path: string) => (path === "/a" ? "/b" : noFile(path));
    expect(parse({ config: "/a" }, { readFile }).problems).toEqual([
      { name: NAME, rule: "the path of a file that holds a JSON object, in UTF-8", got: "/a" },
    ]);
  });

  it("ignores the function's own SECRET_NAME", () => {
    const config = JSON.stringify({ sources: [{ roleArn: ROLE }] });
    expect(parse({ config }, { secretName: "own" }).sources).toMatchObject([{ secretIds: [], prefetchIds: [] }]);
  });

  it("excludes PARAMETER_NAMES", () => {
    expect(parseConfigured({ sources: [{ roleArn: ROLE }] }, { parameterNames: ["/app/flag"] }).problems).toEqual([
      { name: "CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES", rule: `unset, because ${NAME} is set, too`, got: "both" },
    ]);
  });

  it("excludes ROLE_ARN and SECRET_IDS, and is parsed anyway, so that all problems are reported at once", () => {
    const both = { roleArn: ROLE, secretIds: ["a"] };
    expect(parseConfigured({ sources: [{ roleArn: "x" }] }, both).problems).toMatchObject([
      { name: "CROSS_ACCOUNT_SECRETS_ROLE_ARN", rule: `unset, because ${NAME} is set, too` },
      { name: "CROSS_ACCOUNT_SECRETS_SECRET_IDS", rule: `unset, because ${NAME} is set, too` },
      { name: `${NAME} sources[0].roleArn`, got: "x" },
    ]);
    expect(parseConfigured({ sources: [{ roleArn: ROLE }] }, { secretIds: ["a"] }).problems).toHaveLength(1);
  });

  it("accepts at most twenty sources", () => {
    const toSources = (count: number) =>
      Array.from({ length: count }, (_, nth) => ({ roleArn: `arn:aws:iam::111111111111:role/r${nth}` }));
    expect(problemsOf({ sources: toSources(20) })).toEqual([]);
    expect(placesOf({ sources: toSources(21) })).toEqual(["sources"]);
    expect(parseConfigured({ sources: toSources(21) }).sources).toEqual([]);
  });
});

describe("a mistake in CONFIG", () => {
  it("is reported with its place, rule and value, together with all others, and there is no source then", () => {
    const config = {
      comment: "ours",
      sources: [
        { roleArn: ROLE, externalId: "x", region: "Ireland", secretIds: "a,b" },
        { roleArn: "SecretReader", secretIDs: ["a"] },
        { externalId: "theirs" },
        { roleArn: ROLE, secretIds: ["ok", "app/*"], parameterNames: ["/ok", "/app/*"] },
        "role",
      ],
    };
    expect(problemsOf(config)).toEqual([
      `${NAME} comment must be removed: the only known field is sources; got a value that is not shown`,
      `${NAME} sources[0].externalId must be ${settings.externalId.rule}; got x`,
      `${NAME} sources[0].region must be ${settings.region.rule}; got Ireland`,
      `${NAME} sources[0].secretIds must be a list of ${secretIdRule}; got a,b`,
      `${NAME} sources[1].roleArn must be ${settings.roleArn.rule}; got SecretReader`,
      `${NAME} sources[1].secretIDs must be removed: the known fields are roleArn, externalId, region, secretIds, parameterNames; got a value that is not shown`,
      `${NAME} sources[2].roleArn must be ${settings.roleArn.rule}; got undefined`,
      `${NAME} sources[3].secretIds must be a list of ${secretIdRule}; got ["ok","app/*"]`,
      `${NAME} sources[3].parameterNames must be a list of ${parameterIdRule}; got ["/ok","/app/*"]`,
      `${NAME} sources[3].roleArn must be different from those of the sources before it; got ${ROLE}`,
      `${NAME} sources[4] must be an object with a roleArn; got role`,
    ]);
    expect(parseConfigured(config).sources).toEqual([]);
  });

  it.each<[string, unknown, readonly string[]]>([
    ["no sources", {}, ["sources"]],
    ["an empty list of sources", { sources: [] }, ["sources"]],
    ["a source outside a list", { sources: { roleArn: ROLE } }, ["sources"]],
    ["null for the list of sources", { sources: null }, ["sources"]],
    ["a text for the list of sources", { sources: ROLE }, ["sources"]],
    ["null for a source", { sources: [null] }, ["sources[0]"]],
    ["a list for a source", { sources: [[{ roleArn: ROLE }]] }, ["sources[0]"]],
    ["a number for a role", { sources: [{ roleArn: 1 }] }, ["sources[0].roleArn"]],
    ["null for a role", { sources: [{ roleArn: null }] }, ["sources[0].roleArn"]],
    ["a list for a role", { sources: [{ roleArn: [ROLE] }] }, ["sources[0].roleArn"]],
    ["null for an external ID", { sources: [{ roleArn: ROLE, externalId: null }] }, ["sources[0].externalId"]],
    ["a number for an external ID", { sources: [{ roleArn: ROLE, externalId: 1234 }] }, ["sources[0].externalId"]],
    ["an empty role", { sources: [{ roleArn: "" }] }, ["sources[0].roleArn"]],
    ["an empty list of secrets", { sources: [{ roleArn: ROLE, secretIds: [] }] }, ["sources[0].secretIds"]],
    ["a number for a secret", { sources: [{ roleArn: ROLE, secretIds: [7] }] }, ["sources[0].secretIds"]],
    ["an empty secret", { sources: [{ roleArn: ROLE, secretIds: [""] }] }, ["sources[0].secretIds"]],
    ["a wildcard", { sources: [{ roleArn: ROLE, secretIds: ["a*"] }] }, ["sources[0].secretIds"]],
    [
      "an empty list of parameters",
      { sources: [{ roleArn: ROLE, parameterNames: [] }] },
      ["sources[0].parameterNames"],
    ],
    ["a text for parameters", { sources: [{ roleArn: ROLE, parameterNames: "/a" }] }, ["sources[0].parameterNames"]],
    [
      "a secret's ARN for a parameter",
      { sources: [{ roleArn: ROLE, parameterNames: [ARN] }] },
      ["sources[0].parameterNames"],
    ],
    [
      "a parameter's ARN for a secret",
      { sources: [{ roleArn: ROLE, secretIds: [PARAMETER_ARN] }] },
      ["sources[0].secretIds"],
    ],
    [
      "a parameter with a version",
      { sources: [{ roleArn: ROLE, parameterNames: ["/a:3"] }] },
      ["sources[0].parameterNames"],
    ],
    ["one role twice", { sources: [{ roleArn: ROLE }, { roleArn: ROLE }] }, ["sources[1].roleArn"]],
    ["a mistake in the second source", { sources: [{ roleArn: ROLE }, { roleArn: "x" }] }, ["sources[1].roleArn"]],
    ["two unknown fields", { sources: [{ roleArn: ROLE }], a: 1, b: 2 }, ["a", "b"]],
    [
      "a field that every object inherits",
      { sources: [{ roleArn: ROLE, constructor: "x" }] },
      ["sources[0].constructor"],
    ],
    [
      "a field that is a method of every object",
      { sources: [{ roleArn: ROLE, toString: "x" }] },
      ["sources[0].toString"],
    ],
  ])("may be %s", (_, config, places) => {
    expect(placesOf(config)).toEqual(places);
    expect(parseConfigured(config).sources).toEqual([]);
  });

  it("may be the field __proto__", () => {
    const config = `{"sources":[{"roleArn":"${ROLE}","__proto__":{"externalId":"theirs"}}]}`;
    const { sources, problems } = parse({ config });
    expect(sources).toEqual([]);
    expect(problems.map(({ name }) => name)).toEqual([`${NAME} sources[0].__proto__`]);
  });

  it.each([
    ["text that is not JSON", "{sources: []}"],
    ["half of a JSON object", '{"sources":['],
    ["JSON with something after it", '{"sources":[]} x'],
  ])("may be %s", (_, config) => {
    expect(parse({ config })).toEqual({
      sources: [],
      problems: [
        { name: NAME, rule: "a JSON object, or the path of a file with one", got: "a value that is not shown" },
      ],
    });
  });

  it.each([
    ["text that is not JSON", `export PASSWORD=${CANARY}`],
    ["JSON that ends in the middle", `{"password":"${CANARY}`],
    ["a list", `[{"password":"${CANARY}"}]`],
    ["a text", `"${CANARY}"`],
    ["null", "null"],
    ["no text", ""],
  ])("may be a file that holds %s, of which only the path is reported", (_, text) => {
    expect(parse({ config: "/var/task/x" }, { readFile: () => text })).toEqual({
      sources: [],
      problems: [{ name: NAME, rule: "the path of a file that holds a JSON object, in UTF-8", got: "/var/task/x" }],
    });
  });

  it("may be the path of a wrong file, whose values are not reported", () => {
    const text = JSON.stringify({ password: CANARY, sources: [{ roleArn: ROLE, password: CANARY }] });
    const { problems } = parse({ config: "/var/task/x" }, { readFile: () => text });
    expect(problems.map(({ name }) => name)).toEqual([`${NAME} password`, `${NAME} sources[0].password`]);
    expect(JSON.stringify(problems)).not.toContain("CANARY");
  });

  it("may be a file that cannot be read, and the reason is not reported, because it may quote anything", () => {
    const readFile = () => {
      throw new Error(`EACCES: ${CANARY}`);
    };
    expect(parse({ config: "/var/task/x" }, { readFile }).problems).toEqual([
      { name: NAME, rule: "the path of a readable file", got: "/var/task/x" },
    ]);
  });
});

describe("any text in CONFIG", () => {
  const field = fc.oneof(
    fc.constantFrom(
      "roleArn",
      "externalId",
      "region",
      "secretIds",
      "parameterNames",
      "__proto__",
      "constructor",
      "sources",
    ),
    fc.string(),
  );
  const value = fc.oneof(
    fc.constantFrom<unknown>(ROLE, OTHER_ROLE, "eu-west-1", "external", ["a"], [], null, 1, true),
    fc.jsonValue(),
  );
  const toObject = (pairs: readonly (readonly [string, unknown])[]) => {
    const object: Record<string, unknown> = {};
    for (const [name, content] of pairs) {
      Object.defineProperty(object, name, { value: content, enumerable: true, configurable: true, writable: true });
    }
    return object;
  };
  const object = (content: fc.Arbitrary<unknown>) => fc.array(fc.tuple(field, content), { maxLength: 5 }).map(toObject);
  const config = fc.oneof(
    fc.string().map((text) => `{${text}`),
    fc.jsonValue().map((json) => JSON.stringify(json)),
    fc.array(fc.oneof(object(value), value), { maxLength: 22 }).map((sources) => JSON.stringify({ sources })),
    object(fc.array(object(value))).map((root) => JSON.stringify(root)),
  );

  it("is parsed without an exception, either into problems or into complete sources, never into both or neither", () => {
    fc.assert(
      fc.property(config, fc.boolean(), (text, isInFile) => {
        const given = isInFile ? "/a" : text;
        const { sources, problems } = parse({ config: given }, { readFile: () => text });
        expect(sources.length > 0).toBe(problems.length === 0);
        expect(new Set(sources.map(({ roleArn }) => roleArn)).size).toBe(sources.length);
        for (const { roleArn, home } of sources) {
          expect([ROLE, OTHER_ROLE]).toContain(roleArn);
          expect(roleArn).toContain(`::${home.accountId}:`);
        }
      }),
      { numRuns: 500 },
    );
  });
});
