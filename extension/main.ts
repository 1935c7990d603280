/**
 * What Lambda starts. The only file that touches `process`. The map:
 *
 *   function ── HTTP ──► http/server ─► http/handler ─► cache ─► aws/secrets, aws/parameters ─► Secrets Manager, SSM
 *                                                                  └► aws/session ──────────────► STS
 *   Lambda ◄── lambda/extensions-api ◄── lifecycle
 */
import { version } from "../package.json";
import { type ParsedConfig, parseConfig } from "./config/config.ts";
import { createFileReader } from "./config/read-file.ts";
import { createExtension } from "./extension.ts";
import { toPublicText } from "./failure/failure.ts";
import { createDisabledHandler, type HttpHandler } from "./http/handler.ts";
import { createHttpServer } from "./http/server.ts";
import { createExtensionsApi } from "./lambda/extensions-api.ts";
import { createInitMarker, parseHandover } from "./lambda/handover.ts";
import { random } from "./lambda/snapshot.ts";
import { type ExitCode, failInit, runDisabled, runLifecycle, toExitCode } from "./lifecycle.ts";
import { createLogger, createWriter } from "./logger.ts";

// The SDK would read some forty AWS_… variables by itself. We pass it everything as an argument, and it sees none.
const environment = { ...process.env };
for (const name of Object.keys(environment)) if (name.startsWith("AWS_")) delete process.env[name];

const world = {
  now: Date.now,
  // The global `performance` would load a module.
  monotonicNow: () => Number(process.hrtime.bigint()) / 1e6,
  random,
  write: createWriter(() => process.stdout),
  readFile: createFileReader(process.geteuid?.()),
};

// The settings, or every problem in them.
const parsed = parseConfig(environment, world.readFile);
const logger = createLogger({ level: parsed.logLevel, ...world });

// The launcher may have bound the port and registered already.
const handover = parseHandover(environment, process.pid);
const api = createExtensionsApi({ runtimeApi: environment.AWS_LAMBDA_RUNTIME_API, handover, logger });

async function run({ config, isEnabled, httpPort, problems }: ParsedConfig): Promise<ExitCode> {
  const serve = (handler: HttpHandler) => createHttpServer({ ...world, config: { httpPort }, handover, handler });
  if (!isEnabled) return runDisabled({ api, logger, server: serve(createDisabledHandler()) });
  if (config === undefined) return failInit(api, logger, "Extension.ConfigInvalid", problems);
  // The AWS SDK is loaded after registration, and its part for Parameter Store with the first parameter.
  const aws = { loadAwsSdk: () => import("./aws/sdk.ts"), loadAwsSsm: () => import("./aws/sdk-ssm.ts") };
  const extension = createExtension({ ...world, ...aws, config, logger, version });
  const server = serve(extension.handler);
  const isFirstInit = createInitMarker(environment.TMPDIR);
  return runLifecycle({ config, api, server, extension, isFirstInit, logger, version });
}

// A process that ends crashes the function, so a bug is logged. Its stack and message may quote a secret, and are not.
process.on("uncaughtException", (error) => logger.error("bug", { message: toPublicText(error) }));
// The signal would open the inspector. One that came earlier has opened it, if Node runs without --disable-sigusr1.
process.on("SIGUSR1", () => {});
if (!process.execArgv.includes("--disable-sigusr1")) setImmediate(async () => (await import("node:inspector")).close());

void toExitCode(run(parsed), logger).then((exitCode) => process.exit(exitCode));
