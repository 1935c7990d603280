/**
 * Wires the parts, and is the only file that touches `process`. The map:
 *   function ── HTTP ──► http-server ─► http-handler ─► secret-cache ─► secrets-manager ─► role-credentials
 *                                                      (source-parts)    parameter-store          │
 *   Lambda ◄── extensions-api ◄── lifecycle                              Secrets Manager          STS
 */
import { readFileSync } from "node:fs";
import { version } from "../package.json";
import { createBaseCredentials } from "./aws/base-credentials.ts";
import { createAwsCaller } from "./aws/call.ts";
import { type ParsedConfig, parseConfig } from "./config/config.ts";
import { createTokenCheck } from "./config/token.ts";
import { createSourceParts } from "./extension.ts";
import { toPublicText } from "./failure/failure.ts";
import { createDisabledHandler, createHttpHandler, type HttpHandler } from "./http/handler.ts";
import { createHttpServer } from "./http/server.ts";
import { createExtensionsApi } from "./lambda/extensions-api.ts";
import { createInitMarker, parseInheritance } from "./lambda/handover.ts";
import { createRestorable, random } from "./lambda/snapshot.ts";
import { type ExitCode, live, liveDisabled, refuseInit, toExitCode } from "./lifecycle.ts";
import { createLogger } from "./logger.ts";
import { createCounters, createMetrics } from "./metrics.ts";

const environment = { ...process.env };
// The SDK would read some forty AWS_… variables by itself; it is told everything, and sees none.
for (const name of Object.keys(environment)) if (name.startsWith("AWS_")) delete process.env[name];

const readFile = (path: string) => readFileSync(path, "utf8");
const parsed = parseConfig(environment, readFile);
const write = (line: string) => process.stdout.write(line);
// The global `performance` would load a module for it.
const monotonicNow = () => Number(process.hrtime.bigint()) / 1e6;
const world = { now: Date.now, monotonicNow, random, readFile, write };
const logger = createLogger({ level: parsed.logLevel, ...world });
const inherited = parseInheritance(environment, process.pid);
const api = createExtensionsApi({ runtimeApi: environment.AWS_LAMBDA_RUNTIME_API, inherited, logger });

async function run({ config, isEnabled, httpPort, problems }: ParsedConfig): Promise<ExitCode> {
  const serve = (handler: HttpHandler) => createHttpServer({ config: { httpPort }, inherited, handler });
  if (!isEnabled) return liveDisabled({ api, logger, server: serve(createDisabledHandler()) });
  if (config === undefined) return refuseInit(api, logger, "Extension.ConfigInvalid", problems);
  const load = { loadAwsSdk: () => import("./aws/sdk.ts"), loadAwsSsm: () => import("./aws/sdk-ssm.ts") };
  const common = { config, counters: createCounters(), logger, version, ...load, ...world };
  const metrics = createMetrics(common);
  const behind = { ...common, baseCredentials: createBaseCredentials(common), callAws: createAwsCaller(common) };
  const sources = createRestorable({ ...common, make: () => config.sources.map(createSourceParts(behind)) });
  const server = serve(createHttpHandler({ ...common, isToken: createTokenCheck(common), metrics, sources }));
  return live({ ...common, api, server, sources, metrics, isFirstInit: createInitMarker(environment.TMPDIR) });
}

// Leaving would crash the function, and a stack or a message may quote a secret.
process.on("SIGUSR1", () => {}); // which would open the inspector
// One that came before has opened it, where Node is not ours to start with --disable-sigusr1.
if (!process.execArgv.includes("--disable-sigusr1")) setImmediate(async () => (await import("node:inspector")).close());
process.on("uncaughtException", (error) => logger.error("bug", { message: toPublicText(error) }));
void toExitCode(run(parsed), logger).then((exitCode) => process.exit(exitCode));
