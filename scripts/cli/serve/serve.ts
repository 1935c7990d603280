/**
 * `cross-account-secrets serve`: does on any machine what main.ts does in Lambda, with the same code. It differs in three
 * things: the SDK finds the credentials, it may generate a token, and it runs until a signal.
 */
import { constants } from "node:os";
import { resolve } from "node:path";
import type { BaseCredentials } from "../../../extension/aws/base-credentials.ts";
import type * as AwsSdk from "../../../extension/aws/sdk.ts";
import type * as AwsSsm from "../../../extension/aws/sdk-ssm.ts";
import { type Config, parseConfig, warnOfSettings } from "../../../extension/config/config.ts";
import { createFileReader } from "../../../extension/config/read-file.ts";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import type { Token } from "../../../extension/config/token.ts";
import { createExtension, type Extension } from "../../../extension/extension.ts";
import { toFailure, toPublicText } from "../../../extension/failure/failure.ts";
import { createHttpServer, type HttpServer } from "../../../extension/http/server.ts";
import { parseHandover } from "../../../extension/lambda/handover.ts";
import { random } from "../../../extension/lambda/snapshot.ts";
import { createLogger, type Logger } from "../../../extension/logger.ts";
import { version } from "../../../package.json";
import { createDefaultCredentials, findDefaultRegion, NO_REGION } from "../aws-defaults.ts";
import { CommandError, type CommandWorld, USAGE } from "../world.ts";
import { HELP, lacksToken, parseArguments, toEnvironment, toFakeEnvironment } from "./arguments.ts";
import { createFakeSdk } from "./fake.ts";
import { createRandomText, prepareDefaultPath, toToken, writeTokenFile } from "./token-file.ts";

/** AWS, or the file that replaces it. */
interface SecretSource {
  readonly baseCredentials: BaseCredentials;
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
  readonly loadAwsSsm: () => Promise<typeof AwsSsm>;
}

const readFile = createFileReader(process.geteuid?.());

export async function run(args: readonly string[], world: CommandWorld): Promise<number> {
  const { environment, now } = world;
  const options = parseArguments(args, environment);
  if (options === "help") {
    world.stdout(`${HELP}\n`);
    return 0;
  }
  const { fake } = options;
  const region = options.region ?? (fake === undefined ? await findDefaultRegion() : "eu-west-1");
  if (region === undefined) throw new CommandError(USAGE, NO_REGION);
  const text = lacksToken(environment) ? createRandomText() : undefined;
  const settings = toEnvironment(environment, { region, token: text });
  const given = parseServeConfig(fake === undefined ? settings : toFakeEnvironment(settings));
  const source = fake === undefined ? createAws(given, now) : createFakeAws(fake, now);
  const token = text === undefined ? undefined : toToken(given.httpPort, text);
  const config = token === undefined ? given : { ...given, token: toGeneratedToken(token) };

  const write = (line: string) => world.stdout(world.isTerminal ? toPlainLine(line, world.paint) : line);
  const logger = createLogger({ level: config.logLevel, now, write });
  const monotonicNow = () => performance.now();
  const extension = createExtension({ ...source, config, logger, version, now, monotonicNow, random, readFile, write });
  const { handler } = extension;
  const server = createHttpServer({ config, handover: parseHandover(environment, process.pid), handler, readFile });

  process.on("uncaughtException", (error) => logger.error("bug", { message: toPublicText(error) }));
  const [{ roleArn }, ...others] = config.sources;
  const roleArns = others.length === 0 ? roleArn : config.sources.map((one) => one.roleArn);
  logger.info("starting", { version, region, roleArn: roleArns, ttlSeconds: config.ttlMs / 1_000 });
  warnOfSettings(config, logger);
  if (fake === undefined) await expectCredentials(source.baseCredentials);
  else logger.warn("fake", { message: `the secrets come from ${fake}, not from AWS` });
  return serveUntil(waitForSignal(), {
    config,
    server,
    extension,
    writeToken: async () => (token === undefined ? undefined : keepToken(options.tokenFile, token, environment)),
    logger,
    now,
  });
}

/** How much longer than its time-out a request may take until it has its answer. */
const CLOSE_GRACE_MS = 500;

/**
 * Listens, writes the token, prefetches, and serves until the signal, whose name `signal` resolves with. Returns the exit
 * code, or throws a CommandError if it cannot start.
 */
async function serveUntil(
  signal: Promise<string>,
  deps: {
    readonly config: Config;
    readonly server: HttpServer;
    readonly extension: Extension;
    /** Called when the port is ours. Returns the path of the file; undefined if the token was given. */
    readonly writeToken: () => Promise<string | undefined>;
    readonly logger: Logger;
    readonly now: () => number;
  },
): Promise<0 | 1> {
  const { config, server, extension, logger, now } = deps;
  try {
    await server.listen();
  } catch (error) {
    throw new CommandError(1, toPublicText(error));
  }
  const tokenFile = await deps.writeToken();
  logger.info("listening", { url: `http://127.0.0.1:${config.httpPort}`, tokenFile });

  const startedAtEpochMs = now();
  const failed = new Promise<"failed">((resolveFailed) => {
    extension.prefetch().then(
      () => logger.info("ready", { ms: now() - startedAtEpochMs }),
      (thrown: unknown) => {
        // The log line of the call itself has the remedy.
        logger.warn("not-ready", { message: toFailure(thrown).message });
        if (config.initError === "fail") resolveFailed("failed");
      },
    );
  });
  const reason = await Promise.race([signal, failed]);
  await server.close(Math.max(config.timeoutMs, config.parameterTimeoutMs) + CLOSE_GRACE_MS);
  extension.metrics.finish();
  logger.info("shutdown", { reason, ...extension.counters });
  return reason === "failed" ? 1 : 0;
}

function createAws({ aws }: Config, now: () => number): SecretSource {
  return {
    baseCredentials: createDefaultCredentials(aws.region, now, aws.clientOptions.caBundle),
    loadAwsSdk: () => import("../../../extension/aws/sdk.ts"),
    loadAwsSsm: () => import("../../../extension/aws/sdk-ssm.ts"),
  };
}

function createFakeAws(path: string, now: () => number): SecretSource {
  const credentials = { accessKeyId: "FAKE", secretAccessKey: "FAKE" };
  const baseCredentials = { mayChange: false, get: async () => credentials };
  return { baseCredentials, ...createFakeSdk({ path, readFile, now }) };
}

function parseServeConfig(environment: Environment): Config {
  const { config, isEnabled, problems } = parseConfig(environment, readFile);
  if (!isEnabled) throw new CommandError(USAGE, "CROSS_ACCOUNT_SECRETS_ENABLED is false: nothing is served");
  if (config === undefined) throw new CommandError(USAGE, problems.join("\n  "));
  return config;
}

/** Lambda always has credentials. Other machines may have none. */
async function expectCredentials(baseCredentials: BaseCredentials): Promise<void> {
  try {
    await baseCredentials.get();
  } catch (thrown) {
    const { message, details } = toFailure(thrown);
    throw new CommandError(1, [message, details.remedy].filter(Boolean).join(": "));
  }
}

/** It has no path: somebody else could replace the file, so it is only written, and never read. */
const toGeneratedToken = (text: string): Token => ({
  text,
  path: undefined,
  phrase: 'the text in the file that the log line "listening" names',
});

/** Writes the token file, and removes it when the process exits. */
async function keepToken(given: string | undefined, token: string, environment: Environment): Promise<string> {
  const path = given === undefined ? prepareDefaultPath(environment, token, process.geteuid?.()) : resolve(given);
  process.on("exit", await writeTokenFile(path, token));
  return path;
}

/** Resolves at the first signal. A second signal ends the process at once. */
function waitForSignal(): Promise<string> {
  return new Promise((resolveName) => {
    let isStopping = false;
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(name, () => {
        if (isStopping) process.exit(128 + constants.signals[name]);
        isStopping = true;
        resolveName(name);
      });
    }
  });
}

/** Turns a line of the log into one that a person reads easily: time, event, and `name=value`. Other lines stay unchanged. */
export function toPlainLine(line: string, paint: CommandWorld["paint"]): string {
  const { time, level, extension, event, ...fields }: Record<string, unknown> = JSON.parse(line);
  if (extension === undefined) return line;
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${toValueText(value)}`);
  const style = level === "error" ? "red" : level === "warn" ? "yellow" : "bold";
  return `${[paint("dim", String(time).slice(11, 19)), paint(style, String(event)), ...rest].join(" ")}\n`;
}

const toValueText = (value: unknown): string => {
  // The statements of a remedy are objects.
  const isList = Array.isArray(value) && value.every((member) => typeof member === "string");
  if (typeof value === "object" && !isList) return JSON.stringify(value);
  const text = String(value);
  return /[\s"]/.test(text) ? JSON.stringify(text) : text;
};
