/** The life of an execution environment, in order: listen, register, fetch, say that init is over, serve, leave. */
import type { Config } from "./config/config.ts";
import type { SourceParts } from "./extension.ts";
import { toFailure, toPublicText } from "./failure/failure.ts";
import type { HttpServer } from "./http/server.ts";
import type { ExtensionsApi } from "./lambda/extensions-api.ts";
import type { Logger } from "./logger.ts";
import type { Counters, Metrics } from "./metrics.ts";

export type ExitCode = 0 | 1;

/** Lambda gives extensions some 1.7 s after SHUTDOWN; the runtime, whose requests these are, is gone by then. */
const SHUTDOWN_GRACE_MS = 300;

export interface Life {
  readonly config: Config;
  readonly api: ExtensionsApi;
  readonly server: HttpServer;
  readonly sources: () => readonly SourceParts[];
  /** False when Lambda runs init again inside an invocation, on the invocation's clock. */
  readonly isFirstInit: () => boolean;
  readonly counters: Counters;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly now: () => number;
  readonly version: string;
}

/** What is left to do when nothing can be done: Lambda sees a process that ends, and the log says why. */
export async function toExitCode(life: Promise<ExitCode>, logger: Logger): Promise<ExitCode> {
  try {
    return await life;
  } catch (error) {
    logger.error("stopped", { message: toPublicText(error) });
    return 1;
  }
}

/** Lives it; the returned code is what the process has to exit with. */
export async function live(life: Life): Promise<ExitCode> {
  const { config, api, server, isFirstInit, counters, metrics, logger } = life;
  const [{ roleArn, home }] = config.sources;
  logger.info("starting", {
    version: life.version,
    roleArn: config.sources.length === 1 ? roleArn : config.sources.map((source) => source.roleArn),
    region: config.sources.length === 1 ? home.region : config.sources.map((source) => source.home.region),
    ttlSeconds: config.ttlMs / 1_000,
    port: config.httpPort,
  });
  for (const name of config.unknownSettings) logger.warn("setting-ignored", { name });
  try {
    await server.listen();
  } catch (error) {
    return await refuseInit(api, logger, "Extension.PortUnavailable", [toPublicText(error)]);
  }
  // Lambda starts the function's runtime as soon as this is done: nothing slow may stand before it.
  await api.register();
  logger.debug("registered");

  // A value in a snapshot would be as old as the snapshot in every environment that is restored from it.
  if (!config.isSnapStart) {
    const mustSucceed = config.initError === "fail";
    const holdMs = isFirstInit() || mustSucceed ? config.prefetchTimeoutMs : 0;
    const outcome = await settledWithin(prefetch(life), holdMs);
    if (mustSucceed && outcome !== "fetched") {
      return await refuseInit(api, logger, "Extension.PrefetchFailed", [toPrefetchMessage(outcome, holdMs)]);
    }
    logger.debug("init-over", { prefetch: outcome instanceof Error ? "failed" : outcome });
  }

  const { reason } = await api.untilShutdown();
  await server.close(SHUTDOWN_GRACE_MS);
  metrics.finish();
  logger.info("shutdown", { reason, ...counters });
  return 0;
}

/** Out of everything's way: what asks is told so, and no mistake and no taken port ends the init. */
export async function liveDisabled({
  api,
  server,
  logger,
}: Pick<Life, "api" | "server" | "logger">): Promise<ExitCode> {
  logger.warn("disabled", { message: "CROSS_ACCOUNT_SECRETS_ENABLED is false: nothing is fetched, nothing is served" });
  // A port that is taken is tried again for a second, which nobody is to wait for.
  server.listen().catch((error: unknown) => logger.warn("not-listening", { message: toPublicText(error) }));
  await api.register();
  await api.untilShutdown();
  await server.close(SHUTDOWN_GRACE_MS);
  return 0;
}

/** Says why there is no going on: to Lambda, and line by line to the log, because Lambda shows nobody what it is told. */
export async function refuseInit(
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

/** Fails when any of it fails. Requests that come meanwhile wait for the same flights. */
export async function prefetch({ config, sources, now }: Pick<Life, "config" | "sources" | "now">): Promise<void> {
  const longestMs = Math.max(config.timeoutMs, config.parameterTimeoutMs, config.prefetchTimeoutMs);
  const deadlineEpochMs = now() + longestMs;
  await Promise.all(
    sources().flatMap(({ source, credentials, secrets, parameters }) => [
      credentials.get(deadlineEpochMs),
      ...source.prefetchIds.map((secretId) => secrets.get({ secretId }, { deadlineEpochMs })),
      ...source.parameterNames.map((parameterId) =>
        parameters.get({ parameterId, withDecryption: true }, { deadlineEpochMs }),
      ),
    ]),
  );
}

/** While init lasts, the function has init's full processor, and no freeze can cut a call short. */
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
  return outcome instanceof Error ? outcome.message : `what is configured was not fetched within ${holdMs} ms`;
}
