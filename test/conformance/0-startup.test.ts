/** The init for each environment: it succeeds, or Lambda and the log get the reason. */
import { tmpdir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { PREFIX } from "../../extension/config/setting-rules.ts";
import { settings } from "../../extension/config/settings.ts";
import { LambdaFailure } from "../fakes/lambda.ts";
import { type Bench, startBench } from "../support/bench.ts";
import { ask, conform } from "../support/conformance.ts";
import { takePort } from "../support/free-port.ts";
import { writeTempFile } from "../support/temp-files.ts";
import { SECRET_NAME, TARGET_ROLE_ARN } from "../support/two-accounts.ts";
import { toPartialArn } from "../support/values.ts";

type StartVariables = Readonly<Record<string, string | undefined>>;
/** The error type and the messages that Lambda gets; the log has one line for each message. */
type ReportedInitError = { readonly type: string; readonly tells: readonly string[] };

const group = "startup";
const own = (name: string) => PREFIX + name;

interface InitResult {
  readonly bench: Bench;
  readonly initError: ReportedInitError | undefined;
}

async function start(environment: StartVariables): Promise<InitResult> {
  const bench = await startBench({ environment });
  try {
    await bench.lambda.init();
    return { bench, initError: undefined };
  } catch (error) {
    if (!(error instanceof LambdaFailure) || error.reported === undefined) throw error;
    const { errorType: type, body } = error.reported;
    const tells = bench.events("init-error").map(({ message }) => String(message));
    expect(body).toMatchObject({ errorMessage: tells.join("\n") });
    return { bench, initError: { type, tells } };
  }
}

/** Defines a row: the init succeeds, and a request for the secret gets this status. */
function isStarted(
  name: string,
  toEnvironment: () => StartVariables | Promise<StartVariables>,
  status: number,
  warning?: string,
) {
  const toText = (answered: number, warnings: readonly unknown[]) =>
    `starts${warnings.map((of) => `, with a warning of ${of}`).join()}; the secret: ${answered}`;
  const warnings = warning === undefined ? [] : [warning];
  conform({ group, name, expected: toText(status, warnings) }, async (see) => {
    const environment = await toEnvironment();
    const { bench, initError } = await start(environment);
    see(initError === undefined ? "starts" : `${initError.type}: ${initError.tells.join(" | ")}`);
    expect(initError).toBeUndefined();
    const port = Number(environment[own("HTTP_PORT")] ?? bench.port);
    const token = environment.AWS_TOKEN?.trim() || bench.environment.AWS_SESSION_TOKEN;
    const headers = { "X-Aws-Parameters-Secrets-Token": token };
    const answer = await ask({ ...bench, port }, { target: `/secretsmanager/get?secretId=${SECRET_NAME}`, headers });
    const ignored = bench.events("setting-ignored").map((line) => line.name);
    see(toText(answer.status, ignored));
    expect([answer.status, ignored]).toEqual([status, warnings]);
  });
}

/** Defines a row: the init fails with messages that contain these parts, in this order. */
function isRefused(
  name: string,
  toEnvironment: () => StartVariables | Promise<StartVariables>,
  { type, tells }: ReportedInitError,
): void {
  conform({ group, name, expected: `${type}: … ${tells.join(" … | … ")} …` }, async (see) => {
    const { bench, initError } = await start(await toEnvironment());
    see(initError === undefined ? "starts" : `${initError.type}: ${initError.tells.join(" | ")}`);
    expect(initError).toEqual({ type, tells: tells.map((piece) => expect.stringContaining(piece)) });
    expect(bench.aws.calls).toEqual([]);
  });
}

const invalid = (...tells: string[]): ReportedInitError => ({ type: "Extension.ConfigInvalid", tells });

isRefused("no token available", () => ({ AWS_SESSION_TOKEN: undefined }), invalid(`${own("TOKEN")} must be `));
isRefused(
  "an empty token in every variable for one",
  () => ({ AWS_TOKEN: "", AWS_SESSION_TOKEN: "", AWS_CONTAINER_AUTHORIZATION_TOKEN: "", [own("TOKEN")]: "" }),
  invalid(`${own("TOKEN")} must be `),
);
isStarted("AWS_TOKEN alone, as for AWS's agent", () => ({ AWS_TOKEN: "the-agents" }), 200);
isRefused(
  "token file that does not exist",
  () => ({ [own("TOKEN")]: "file:///no/such/token" }),
  invalid(`${own("TOKEN")} must be file:///path of a readable file`),
);
isRefused(
  "token file that is a folder",
  () => ({ [own("TOKEN")]: `file://${tmpdir()}` }),
  invalid("of a readable file"),
);
isRefused(
  "token file that is empty",
  () => ({ [own("TOKEN")]: `file://${writeTempFile("\n")}` }),
  invalid(own("TOKEN")),
);
isStarted(
  "token file with a byte order mark",
  () => ({ AWS_TOKEN: "the-token", [own("TOKEN")]: `file://${writeTempFile("\uFEFFthe-token\r\n")}` }),
  200,
);
isStarted(
  "CONFIG in a file with a byte order mark",
  () => ({
    [own("ROLE_ARN")]: undefined,
    [own("SECRET_IDS")]: undefined,
    [own("CONFIG")]: writeTempFile(`\uFEFF${JSON.stringify({ sources: [{ roleArn: TARGET_ROLE_ARN }] })}`),
  }),
  200,
);
isRefused(
  "reference of Amazon ECS in SECRET_IDS",
  () => ({
    [own("SECRET_IDS")]: `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${SECRET_NAME}-AbCdEf:password::`,
  }),
  invalid("and no field, stage or version after it"),
);
isRefused(
  "target role of another partition than the region",
  () => ({ AWS_REGION: "us-gov-west-1" }),
  invalid(`${own("ROLE_ARN")} must be in partition aws-us-gov, like AWS_REGION us-gov-west-1; got "arn:aws:`),
);
isRefused(
  "REGION other than the region in an ARN of SECRET_IDS",
  () => ({ [own("SECRET_IDS")]: toPartialArn("app/database"), [own("REGION")]: "us-east-1" }),
  invalid(`${own("SECRET_IDS")} must be in region us-east-1, as set in ${own("REGION")} `),
);
isRefused("no target role", () => ({ [own("ROLE_ARN")]: undefined }), invalid(`${own("ROLE_ARN")} must be`));

const MISTAKES = {
  [own("ROLE_ARN")]: "arn:aws:iam::1:role/x",
  [own("TTL_SECONDS")]: "5m",
  [own("LOG_LEVEL")]: "loud",
  [own("SECRET_ID")]: "my-shared-secret",
};
isRefused(
  "several invalid settings: each one is reported",
  () => MISTAKES,
  invalid(
    `${own("SECRET_ID")} must be spelled ${own("SECRET_IDS")}`,
    `${own("ROLE_ARN")} must be the ARN of the target role`,
    `${own("TTL_SECONDS")} must be a whole number of seconds, 0 to 86400; got "5m"`,
    `${own("LOG_LEVEL")} must be debug, info, warn, error or none; got "loud"`,
  ),
);
isStarted("ENABLED=false with invalid settings", () => ({ ...MISTAKES, [own("ENABLED")]: "false" }), 503);
isStarted("ENABLED=FALSE without a token", () => ({ [own("ENABLED")]: "FALSE", AWS_SESSION_TOKEN: undefined }), 503);

/** Every setting except those that name the role and the port. */
const others = Object.values(settings).filter(({ name }) => !["ROLE_ARN", "HTTP_PORT"].includes(name));
const namesRead = others.flatMap((setting) => [own(setting.name), ...("alsoRead" in setting ? setting.alsoRead : [])]);
const namesLeft = namesRead.filter((name) => name !== "AWS_SESSION_TOKEN");
for (const [what, value] of [
  ["empty", ""],
  ["blank", " \t"],
]) {
  isStarted(`every other setting ${what}`, () => Object.fromEntries(namesLeft.map((name) => [name, value])), 200);
}
isStarted(
  "every keyword in upper case",
  () => ({
    [own("ENABLED")]: "TRUE",
    [own("CACHE_ENABLED")]: "TRUE",
    [own("ALLOW")]: "CONFIGURED",
    [own("SESSION_POLICY")]: "AUTO",
    [own("LOG_LEVEL")]: "INFO",
    [own("METRICS")]: "EMF",
    [own("INIT_ERROR")]: "FAIL",
    [own("EXEC_WRAPPER_ERROR")]: "UNSET",
  }),
  200,
);
isStarted(
  "AWS's variables, as the CDK writes them",
  () => ({
    [own("LOG_LEVEL")]: undefined,
    PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED: "true",
    PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE: "1000",
    PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL: "INFO",
    PARAMETERS_SECRETS_EXTENSION_MAX_CONNECTIONS: "3",
    SECRETS_MANAGER_TIMEOUT_MILLIS: "0",
    SECRETS_MANAGER_TTL: "300",
    SSM_PARAMETER_STORE_TIMEOUT_MILLIS: "0",
    SSM_PARAMETER_STORE_TTL: "300",
  }),
  200,
);

/** Defines a row: the values under one of AWS's names start, and the log says what is used instead of each. */
function isReplaced(name: string, used: Readonly<Record<string, string>>, beside: StartVariables = {}): void {
  const toText = (rows: readonly (readonly string[])[]) =>
    `starts, with a warning: ${rows.map(([got, instead]) => `${got}, used as ${instead}`).join("; ")}`;
  const expected = Object.entries(used);
  conform({ group, name, expected: toText(expected) }, async (see) => {
    const seen: string[][] = [];
    for (const [got] of expected) {
      const { bench, initError } = await start({ ...beside, [name]: got });
      expect(initError).toBeUndefined();
      const warnings = bench.events("setting-replaced");
      expect(warnings).toMatchObject([{ level: "warn", name }]);
      seen.push(...warnings.map((line) => [String(line.got), String(line.used)]));
      await bench.lambda.shutdown();
    }
    see(toText(seen));
    expect(seen).toEqual(expected);
  });
}

for (const name of ["SECRETS_MANAGER_TTL", "SSM_PARAMETER_STORE_TTL"]) {
  isReplaced(name, { "-1": "0", "86401": "86400", "5m": "300" });
}
for (const name of ["SECRETS_MANAGER_TIMEOUT_MILLIS", "SSM_PARAMETER_STORE_TIMEOUT_MILLIS"]) {
  isReplaced(name, { "50": "100", "120000": "60000", "-1": "2500" });
}
isReplaced("PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE", { "5000": "1000", "-1": "0" });
isReplaced("PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED", { "0": "false", "1": "true" });
isReplaced(
  "PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL",
  { warning: "warn", trace: "info" },
  { [own("LOG_LEVEL")]: undefined },
);

for (const [typo, meant] of [
  ["TTL_SECOND", "TTL_SECONDS"],
  ["TLL_SECONDS", "TTL_SECONDS"],
  ["ROLEARN", "ROLE_ARN"],
] as const) {
  isRefused(
    `typo in a name: …${typo}`,
    () => ({ [own(typo)]: "300" }),
    invalid(`${own(typo)} must be spelled ${own(meant)}`),
  );
}
for (const [what, name] of [
  ["AWS's name with our prefix", "SECRETS_MANAGER_TTL"],
  ["unknown setting", "A_SETTING_OF_TOMORROW"],
] as const) {
  isStarted(`${what}: …${name}`, () => ({ [own(name)]: "300" }), 200, own(name));
}

isRefused(
  "port in use, most likely by AWS's own extension",
  async () => ({ [own("HTTP_PORT")]: String((await takePort()).port) }),
  { type: "Extension.PortUnavailable", tells: ["taken; most often by AWS's own"] },
);
isStarted(
  "port in use for half a second more",
  async () => {
    const { port, free } = await takePort();
    void delay(500).then(free);
    return { [own("HTTP_PORT")]: String(port) };
  },
  200,
);

/**
 * Defines a row: the values `beyond` the range are refused, those `within` it start. test/unit/config/settings.test.ts holds
 * that a port may be 1 or 65535.
 */
function range(name: string, beyond: readonly string[], within: readonly string[], beside: StartVariables = {}): void {
  const toList = (what: string, texts: readonly string[]) =>
    texts.length === 0 ? [] : [`${what}: ${texts.map(toShort).join(", ")}`];
  const toText = (refused: readonly string[], started: readonly string[]) =>
    [...toList("refused", refused), ...toList("starts", started)].join("; ");
  conform({ group, name, expected: toText(beyond, within) }, async (see) => {
    const outcomes = await Promise.all(
      [...beyond, ...within].map(async (text) => ({ text, ...(await start({ ...beside, [name]: text })) })),
    );
    const started = outcomes.filter(({ initError }) => initError === undefined).map(({ text }) => text);
    const initErrors = outcomes.filter(({ initError }) => initError !== undefined);
    const refused = initErrors.map(({ text }) => text);
    see(toText(refused, started));
    expect([refused, started]).toEqual([beyond, within]);
    for (const { initError } of initErrors) expect(initError).toMatchObject(invalid(expect.stringContaining(name)));
  });
}

const toShort = (text: string): string => (text.length > 20 ? `${text.length} characters` : text);

const SECONDS = [
  ["-1", "86401"],
  ["0", "86400"],
] as const;
const MILLISECONDS = [
  ["99", "60001"],
  ["100", "60000"],
] as const;
for (const name of ["TTL_SECONDS", "PARAMETER_TTL_SECONDS", "MAX_STALE_SECONDS"]) range(own(name), ...SECONDS);
for (const name of ["TIMEOUT_MS", "PARAMETER_TIMEOUT_MS"]) range(own(name), ...MILLISECONDS);
range(own("DURATION_SECONDS"), ["899", "3601"], ["900", "3600"]);
range(own("PREFETCH_TIMEOUT_MS"), ["-1", "9001"], ["0", "9000"]);
range(own("CACHE_SIZE"), ["-1", "1001"], ["0", "1000"]);
range(own("HTTP_PORT"), ["0", "65536"], []);
for (const name of ["ROLE_SESSION_NAME", "SOURCE_IDENTITY"]) {
  range(own(name), ["x", "x".repeat(65)], ["xx", "x".repeat(64)]);
}
range(own("EXTERNAL_ID"), ["x", "x".repeat(1_225)], ["xx", "x".repeat(1_224)]);
for (const name of ["SECRET_IDS", "PARAMETER_NAMES"])
  range(own(name), [",", "x".repeat(2_049)], ["x", "x".repeat(2_048)]);
const toRole = (length: number) => TARGET_ROLE_ARN.replace(/[^/]+$/, "r".repeat(length));
range(own("ROLE_ARN"), [toRole(0), toRole(65)], [toRole(1), toRole(64)]);
for (const [name, words] of Object.entries({
  ENABLED: ["true", "false"],
  CACHE_ENABLED: ["true", "false"],
  ALLOW: ["configured", "any"],
  SESSION_POLICY: ["auto", "none"],
  LOG_LEVEL: ["debug", "info", "warn", "error", "none"],
  METRICS: ["emf", "none"],
  EXEC_WRAPPER_ERROR: ["fail", "unset"],
  INIT_ERROR: ["serve", "fail"],
})) {
  range(own(name), ["yes", "1"], words);
}
for (const name of ["REGION", "FAILOVER_REGION"])
  range(own(name), ["eu-west", "eu-west-1a", "us-gov-west-1"], ["eu-west-1", "us-east-1"]);
range(own("SESSION_TAGS"), ["team"], ["team=payments"]);
range(own("TOKEN"), ["two words"], ["one-word"]);
range(own("CONFIG"), ["nonsense", "{}"], [JSON.stringify({ sources: [{ roleArn: TARGET_ROLE_ARN }] })], {
  [own("ROLE_ARN")]: undefined,
  [own("SECRET_IDS")]: undefined,
});
