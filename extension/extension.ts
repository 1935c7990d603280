/**
 * The one assembly of the extension: what Lambda runs, what the commands run elsewhere, and what tests run on a clock of
 * their own.
 */
import { type BaseCredentials, createBaseCredentials } from "./aws/base-credentials.ts";
import { type AwsCaller, createAwsCaller } from "./aws/call.ts";
import { createParameterStore } from "./aws/parameters.ts";
import type * as AwsSdk from "./aws/sdk.ts";
import type * as AwsSsm from "./aws/sdk-ssm.ts";
import { createSecretsManager } from "./aws/secrets.ts";
import { createRoleCredentials, type RoleCredentials } from "./aws/session.ts";
import { createValueCache } from "./cache/cache.ts";
import type { Config } from "./config/config.ts";
import type { FileReader } from "./config/read-file.ts";
import { createTokenCheck } from "./config/token.ts";
import { createCallerCheck } from "./http/caller-check.ts";
import { createHttpHandler, type HttpHandler, type SourceCaches } from "./http/handler.ts";
import { createRestorable } from "./lambda/snapshot.ts";
import type { Logger } from "./logger.ts";
import { type Counters, createCounters, createMetrics, type Metrics } from "./metrics.ts";
import { parameterRules } from "./values/parameter.ts";
import { secretRules } from "./values/secret.ts";
import type { Source } from "./values/source.ts";

/** Everything impure that the extension uses, apart from sockets and AWS. */
export interface World {
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** A clock in milliseconds that is never set. */
  readonly monotonicNow: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  /** Writes to standard output. */
  readonly write: (text: string) => void;
  readonly readFile: FileReader;
}

/** How AWS is reached. The SDK is loaded when it is first needed. */
export interface AwsAccess {
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
  readonly loadAwsSsm: () => Promise<typeof AwsSsm>;
  /** Default: the credentials that Lambda gives the function. */
  readonly baseCredentials?: BaseCredentials;
  readonly callAws?: AwsCaller;
}

export interface SourceReader extends SourceCaches {
  readonly credentials: RoleCredentials;
}

export interface Extension {
  readonly handler: HttpHandler;
  /** One reader for each source. After a restore from a snapshot they are new ones. */
  readonly readers: () => readonly [SourceReader, ...SourceReader[]];
  readonly counters: Counters;
  readonly metrics: Metrics;
  /** Fetches everything that is configured. Requests that come meanwhile join the same fetches. */
  prefetch(): Promise<void>;
}

export function createExtension(
  deps: World & AwsAccess & { readonly config: Config; readonly logger: Logger; readonly version: string },
): Extension {
  const { config, now } = deps;
  const counters = createCounters();
  const metrics = createMetrics({ ...deps, counters });
  const shared = {
    ...deps,
    counters,
    baseCredentials: deps.baseCredentials ?? createBaseCredentials(deps),
    callAws: deps.callAws ?? createAwsCaller(deps),
  };

  function createReader(source: Source): SourceReader {
    const credentials = createRoleCredentials({ ...shared, source });
    const { getSecretValue } = createSecretsManager({ ...shared, source, credentials });
    const { getParameter } = createParameterStore({ ...shared, source, credentials });
    const parameterConfig = { ...config, ttlMs: config.parameterTtlMs, timeoutMs: config.parameterTimeoutMs };
    return {
      source,
      credentials,
      secrets: createValueCache({ ...shared, source, rules: secretRules, fetch: getSecretValue }),
      parameters: createValueCache({
        ...shared,
        source,
        config: parameterConfig,
        rules: parameterRules,
        fetch: getParameter,
      }),
    };
  }

  const [first, ...others] = config.sources;
  const readers = createRestorable({
    ...deps,
    create: () => [createReader(first), ...others.map(createReader)] as const,
  });
  return {
    handler: createHttpHandler({
      ...deps,
      counters,
      metrics,
      readers,
      isTrusted: createCallerCheck({ ...shared, isToken: createTokenCheck(deps) }),
    }),
    readers,
    counters,
    metrics,
    prefetch: () => prefetch(config, readers(), now),
  };
}

/** Assumes every role and fetches everything that is configured, all at once. Rejects with the first Failure. */
export async function prefetch(config: Config, readers: readonly SourceReader[], now: () => number): Promise<void> {
  const longestMs = Math.max(config.timeoutMs, config.parameterTimeoutMs, config.prefetchTimeoutMs);
  const deadlineEpochMs = now() + longestMs;
  await Promise.all(
    readers.flatMap(({ source, credentials, secrets, parameters }) => [
      credentials.get(deadlineEpochMs),
      ...source.prefetchIds.map((secretId) => secrets.get({ secretId }, { deadlineEpochMs })),
      ...source.parameterNames.map((parameterId) =>
        parameters.get({ parameterId, withDecryption: true }, { deadlineEpochMs }),
      ),
    ]),
  );
}
