/**
 * `cross-account-secrets serve`: what main.ts is in Lambda, on any other machine. The parts are the same; the credentials are
 * those that the SDK finds, the token may be made up, and it is a signal that ends it.
 */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { resolve } from "node:path";
import type { BaseCredentials } from "../../../extension/aws/base-credentials.ts";
import type * as AwsSdk from "../../../extension/aws/sdk.ts";
import type * as AwsSsm from "../../../extension/aws/sdk-ssm.ts";
import { type Config, parseConfig } from "../../../extension/config/config.ts";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import { createExtension } from "../../../extension/extension.ts";
import { toFailure, toPublicText } from "../../../extension/failure/failure.ts";
import { createHttpServer } from "../../../extension/http/server.ts";
import { parseHandover } from "../../../extension/lambda/handover.ts";
import { random } from "../../../extension/lambda/snapshot.ts";
import { createLogger } from "../../../extension/logger.ts";
import { version } from "../../../package.json";
import { createDefaultCredentials, findDefaultRegion } from "../aws-defaults.ts";
import { CommandError, type CommandWorld, USAGE } from "../world.ts";
import { createFakeAws } from "./fake.ts";
import { HELP } from "./help.ts";
import { liveOutside } from "./life.ts";
import { toPlainLine } from "./plain-line.ts";
import { lacksToken, parseArguments, toFakeSettings, toSettings } from "./arguments.ts";
import { choosePath, createToken, writeTokenFile } from "./token-file.ts";

/** What AWS is to a server: the real one, or a file. */
interface Aws {
  readonly region: string;
  readonly baseCredentials: BaseCredentials;
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
  readonly loadAwsSsm: () => Promise<typeof AwsSsm>;
}

const readFile = (path: string) => readFileSync(path, "utf8");

export async function run(args: readonly string[], world: CommandWorld): Promise<number> {
  const { environment, now } = world;
  const wishes = parseArguments(args, environment);
  if (wishes === "help") {
    world.stdout(`${HELP}\n`);
    return 0;
  }
  const { fake } = wishes;
  const aws = fake === undefined ? await findAws(wishes.region, now) : toFakeAws(fake, wishes.region, now);
  const token = lacksToken(environment) ? createToken() : undefined;
  const settings = toSettings(environment, { region: aws.region, token });
  const given = toConfig(fake === undefined ? settings : toFakeSettings(settings));
  const chosen = resolve(wishes.tokenFile ?? choosePath(environment, given.httpPort));
  const path = token === undefined ? given.token.path : chosen;
  const config = { ...given, token: { ...given.token, path } };

  const write = (line: string) => world.stdout(world.isTerminal ? toPlainLine(line, world.paint) : line);
  const logger = createLogger({ level: config.logLevel, now, write });
  const monotonicNow = () => performance.now();
  const extension = createExtension({ ...aws, config, logger, version, now, monotonicNow, random, readFile, write });
  const { handler } = extension;
  const server = createHttpServer({ config, handover: parseHandover(environment, process.pid), handler });

  process.on("uncaughtException", (error) => logger.error("bug", { message: toPublicText(error) }));
  const [{ roleArn }, ...others] = config.sources;
  const roleArns = others.length === 0 ? roleArn : config.sources.map((source) => source.roleArn);
  logger.info("starting", { version, region: aws.region, roleArn: roleArns, ttlSeconds: config.ttlMs / 1_000 });
  for (const name of config.unknownSettings) logger.warn("setting-ignored", { name });
  if (fake === undefined) await expectCredentials(aws.baseCredentials);
  else logger.warn("fake", { message: `the secrets are those of ${fake}, and not AWS's` });
  return liveOutside({
    config,
    server,
    extension,
    signal: untilSignal(),
    writeToken: () => (token === undefined ? undefined : keepToken(chosen, token)),
    logger,
    now,
  });
}

async function findAws(wished: string | undefined, now: () => number): Promise<Aws> {
  const region = wished ?? (await findDefaultRegion());
  if (region === undefined) {
    throw new CommandError(USAGE, "there is no region: give --region, or set AWS_REGION, or region in the AWS profile");
  }
  return {
    region,
    baseCredentials: createDefaultCredentials(region, now),
    loadAwsSdk: () => import("../../../extension/aws/sdk.ts"),
    loadAwsSsm: () => import("../../../extension/aws/sdk-ssm.ts"),
  };
}

function toFakeAws(path: string, wished: string | undefined, now: () => number): Aws {
  const nobody = { accessKeyId: "FAKE", secretAccessKey: "FAKE" };
  const baseCredentials = { mayChange: false, get: async () => nobody };
  return { region: wished ?? "eu-west-1", baseCredentials, ...createFakeAws({ path, readFile, now }) };
}

function toConfig(settings: Environment): Config {
  const { config, isEnabled, problems } = parseConfig(settings, readFile);
  if (!isEnabled) throw new CommandError(USAGE, "CROSS_ACCOUNT_SECRETS_ENABLED is false: nothing is served");
  if (config === undefined) throw new CommandError(USAGE, problems.join("\n  "));
  return config;
}

/** In Lambda there are some. Here they are the first thing that can be missing. */
async function expectCredentials(baseCredentials: BaseCredentials): Promise<void> {
  try {
    await baseCredentials.get();
  } catch (thrown) {
    const { message, details } = toFailure(thrown);
    throw new CommandError(1, [message, details.remedy].filter(Boolean).join(": "));
  }
}

/** The file goes with the process, however that ends. */
function keepToken(path: string, token: string): string {
  process.on("exit", writeTokenFile(path, token));
  return path;
}

/** The first signal asks to leave; whoever sends a second does not want to wait. */
function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    let isAsked = false;
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.on(name, () => {
        if (isAsked) process.exit(128 + constants.signals[name]);
        isAsked = true;
        resolve(name);
      });
    }
  });
}
