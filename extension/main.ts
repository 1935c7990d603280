/**
 * Wires the parts, and is the only file that touches `process`. The map:
 *   function ── HTTP ──► http-server ─► http-handler ─► secret-cache ─► secrets-manager ─► role-credentials
 *                                                                             │                  │
 *   Lambda ◄── extensions-api ◄── lifecycle                          Secrets Manager            STS
 */
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { version } from "../package.json";
import { createAwsCaller } from "./aws-call.ts";
import { type ParsedConfig, parseConfig } from "./config.ts";
import { createCounters } from "./counters.ts";
import { toPolicy } from "./error-reply.ts";
import { toPublicText } from "./errors.ts";
import { createExtensionsApi } from "./extensions-api.ts";
import { createHttpHandler } from "./http-handler.ts";
import { createHttpServer } from "./http-server.ts";
import { parseInheritance } from "./inheritance.ts";
import { createInitMarker } from "./init-marker.ts";
import { type ExitCode, live, refuseInit } from "./lifecycle.ts";
import { createLogger } from "./logger.ts";
import { createRoleCredentials } from "./role-credentials.ts";
import { createSecretCache } from "./secret-cache.ts";
import { createSecretsManager } from "./secrets-manager.ts";

const environment = { ...process.env };
// The SDK would read some forty AWS_… variables by itself; it is told everything, and sees none.
for (const name of Object.keys(environment)) if (name.startsWith("AWS_")) delete process.env[name];

const parsed = parseConfig(environment, (path) => readFileSync(path, "utf8"));
const logger = createLogger({ level: parsed.logLevel, now: Date.now, write: (line) => process.stdout.write(line) });
const inherited = parseInheritance(environment, process.pid);
const api = createExtensionsApi({ runtimeApi: environment.AWS_LAMBDA_RUNTIME_API, inherited, logger });

function run({ config, problems }: ParsedConfig): Promise<ExitCode> {
  if (config === undefined) return refuseInit(api, logger, "Extension.ConfigInvalid", problems);
  const random = () => randomInt(2 ** 32) / 2 ** 32; // of crypto: the state of Math.random is part of a snapshot
  const clock = { now: Date.now, random };
  const callAws = createAwsCaller({ logger, ...clock });
  const loadAwsSdk = () => import("./aws-sdk.ts");
  const shared = { config, callAws, loadAwsSdk, version, counters: createCounters(), logger, ...clock };
  const credentials = createRoleCredentials(shared);
  const secretsManager = createSecretsManager({ ...shared, credentials });
  const cache = createSecretCache({ ...shared, fetch: secretsManager.getSecretValue, policyOf: toPolicy });
  const server = createHttpServer({ ...shared, inherited, handler: createHttpHandler({ ...shared, cache }) });
  return live({ ...shared, api, server, cache, credentials, isFirstInit: createInitMarker(environment.TMPDIR) });
}

async function main(): Promise<ExitCode> {
  try {
    return await run(parsed);
  } catch (error) {
    logger.error("stopped", { message: toPublicText(error) });
    return 1;
  }
}

// Leaving would crash the function, and a stack or a message may quote a secret.
process.on("uncaughtException", (error) => logger.error("bug", { message: toPublicText(error) }));
void main().then((exitCode) => process.exit(exitCode));
