/** The life of a server outside Lambda, in order: listen, write the token, fetch, serve, and leave at a signal. */
import type { Config } from "../../../extension/config/config.ts";
import type { Extension } from "../../../extension/extension.ts";
import { toFailure, toPublicText } from "../../../extension/failure/failure.ts";
import type { HttpServer } from "../../../extension/http/server.ts";
import type { Logger } from "../../../extension/logger.ts";
import { CommandError } from "../world.ts";

export interface ServeLife {
  readonly config: Pick<Config, "httpPort" | "initError" | "timeoutMs" | "parameterTimeoutMs">;
  readonly server: HttpServer;
  readonly extension: Pick<Extension, "prefetch" | "counters" | "metrics">;
  /** Gives the path of the file; undefined where a token is given. Called once the port is ours. */
  readonly writeToken: () => string | undefined;
  /** Settles with the name of the signal that says to leave. */
  readonly signal: Promise<string>;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Beyond the longest that a request may wait: it has an answer by then. */
const CLOSE_GRACE_MS = 500;

/** Lives it, and gives the exit code; throws a refusal if it cannot begin. */
export async function liveOutside(life: ServeLife): Promise<0 | 1> {
  const { config, server, extension, logger, now } = life;
  try {
    await server.listen();
  } catch (error) {
    throw new CommandError(1, toPublicText(error));
  }
  const tokenFile = life.writeToken();
  logger.info("listening", { url: `http://127.0.0.1:${config.httpPort}`, tokenFile });

  const startedAtEpochMs = now();
  const failed = new Promise<"failed">((resolve) => {
    extension.prefetch().then(
      () => logger.info("ready", { ms: now() - startedAtEpochMs }),
      (thrown: unknown) => {
        // Without its remedy, which the line of the call itself has.
        logger.warn("not-ready", { message: toFailure(thrown).message });
        if (config.initError === "fail") resolve("failed");
      },
    );
  });
  const reason = await Promise.race([life.signal, failed]);
  await server.close(Math.max(config.timeoutMs, config.parameterTimeoutMs) + CLOSE_GRACE_MS);
  extension.metrics.finish();
  logger.info("shutdown", { reason, ...extension.counters });
  return reason === "failed" ? 1 : 0;
}
