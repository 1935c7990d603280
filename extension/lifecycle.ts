/**
 * The life of an execution environment, in order: listen, register (the launcher may have done these two), prefetch, end
 * init, serve, shut down.
 */
import { type Config, warnOfSettings } from "./config/config.ts";
import type { Extension } from "./extension.ts";
import { toFailure, toPublicText } from "./failure/failure.ts";
import type { HttpServer } from "./http/server.ts";
import type { ExtensionsApi } from "./lambda/extensions-api.ts";
import type { Logger } from "./logger.ts";

export type ExitCode = 0 | 1;

/** Lambda gives extensions some 1.7 s after SHUTDOWN. The runtime, which sends the requests, has ended by then. */
const SHUTDOWN_GRACE_MS = 300;

export interface LifecycleDeps {
  readonly config: Config;
  readonly api: ExtensionsApi;
  readonly server: HttpServer;
  readonly extension: Pick<Extension, "prefetch" | "counters" | "metrics">;
  /** False if Lambda runs init again inside an invocation, and its time counts for the invocation. */
  readonly isFirstInit: () => boolean;
  readonly logger: Logger;
  readonly version: string;
}

/** The last resort: logs what was thrown, and ends with exit code 1. */
export async function toExitCode(lifecycle: Promise<ExitCode>, logger: Logger): Promise<ExitCode> {
  try {
    return await lifecycle;
  } catch (error) {
    logger.error("stopped", { message: toPublicText(error) });
    return 1;
  }
}

/** Runs until SHUTDOWN, and returns the exit code of the process. */
export async function runLifecycle(deps: LifecycleDeps): Promise<ExitCode> {
  const { config, api, server, extension, isFirstInit, logger } = deps;
  const [{ roleArn, home }] = config.sources;
  logger.info("starting", {
    version: deps.version,
    roleArn: config.sources.length === 1 ? roleArn : config.sources.map((source) => source.roleArn),
    region: config.sources.length === 1 ? home.region : config.sources.map((source) => source.home.region),
    ttlSeconds: config.ttlMs / 1_000,
    port: config.httpPort,
  });
  warnOfSettings(config, logger);
  try {
    await server.listen();
  } catch (error) {
    return await failInit(api, logger, "Extension.PortUnavailable", [toPublicText(error)]);
  }
  // Lambda starts the function's runtime as soon as this is done, so nothing slow comes before it.
  await api.register();
  logger.debug("registered");

  // A value in a snapshot would be as old as the snapshot in every environment that is restored from it.
  if (!config.isSnapStart) {
    const mustSucceed = config.initError === "fail";
    const holdMs = isFirstInit() || mustSucceed ? config.prefetchTimeoutMs : 0;
    const outcome = await settledWithin(extension.prefetch(), holdMs);
    if (mustSucceed && outcome !== "fetched") {
      return await failInit(api, logger, "Extension.PrefetchFailed", [toPrefetchMessage(outcome, holdMs)]);
    }
    logger.debug("init-over", { prefetch: outcome instanceof Error ? "failed" : outcome });
  }

  const { reason } = await api.untilShutdown();
  await server.close(SHUTDOWN_GRACE_MS);
  extension.metrics.finish();
  logger.info("shutdown", { reason, ...extension.counters });
  return 0;
}

/** Runs an extension that is switched off: it answers every request with `disabled`, and nothing ends the init. */
export async function runDisabled({
  api,
  server,
  logger,
}: Pick<LifecycleDeps, "api" | "server" | "logger">): Promise<ExitCode> {
  logger.warn("disabled", { message: "CROSS_ACCOUNT_SECRETS_ENABLED is false: nothing is fetched, nothing is served" });
  // A taken port is tried for a second, and init does not wait for that.
  server.listen().catch((error: unknown) => logger.warn("not-listening", { message: toPublicText(error) }));
  await api.register();
  await api.untilShutdown();
  await server.close(SHUTDOWN_GRACE_MS);
  return 0;
}

/** Fails the init. Lambda does not show the body of /init/error to anyone, so each message is also a line in the log. */
export async function failInit(
  api: ExtensionsApi,
  logger: Logger,
  errorType: string,
  messages: readonly string[],
): Promise<ExitCode> {
  for (const message of messages) logger.error("init-error", { errorType, message });
  await api.register();
  await api.initError(errorType, messages.join("\n"));
  return 1;
}

/**
 * Waits for `work`, at most `holdMs`. During init, the extension has init's full processor, and no freeze can interrupt a
 * call.
 */
async function settledWithin(work: Promise<unknown>, holdMs: number): Promise<"fetched" | "still under way" | Error> {
  const settled = work.then(
    () => "fetched" as const,
    (error: unknown) => toFailure(error),
  );
  let timer: NodeJS.Timeout | undefined;
  const held = new Promise<"still under way">((resolve) => {
    timer = setTimeout(() => resolve("still under way"), holdMs);
  });
  const outcome = await Promise.race([settled, held]);
  clearTimeout(timer);
  return outcome;
}

function toPrefetchMessage(outcome: "still under way" | Error, holdMs: number): string {
  return outcome instanceof Error
    ? outcome.message
    : `the configured secrets and parameters were not fetched within ${holdMs} ms`;
}
