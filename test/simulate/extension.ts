/** One execution environment's extension, put together as main.ts does it, from the code that is shipped. */

import { createBaseCredentials } from "../../extension/aws/base-credentials.ts";
import { createAwsCaller } from "../../extension/aws/call.ts";
import { type Config, parseConfig } from "../../extension/config/config.ts";
import { createSourceParts, type SourceParts } from "../../extension/extension.ts";
import { createLogger } from "../../extension/logger.ts";
import { createCounters } from "../../extension/metrics.ts";
import { type Aws, SECRET_NAME } from "./aws.ts";
import type { Clock } from "./clock.ts";

export interface Extension {
  readonly credentials: SourceParts["credentials"];
  readonly cache: SourceParts["secrets"];
  readonly prefetchIds: readonly string[];
}

/** What a function has to set, and else the defaults. */
export function createConfig(): Config {
  const { config, problems } = parseConfig(
    {
      CROSS_ACCOUNT_SECRETS_ROLE_ARN: "arn:aws:iam::111111111111:role/SecretReader",
      CROSS_ACCOUNT_SECRETS_SECRET_IDS: SECRET_NAME,
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "ASIAEXAMPLE",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_SESSION_TOKEN: "token",
    },
    () => "",
  );
  if (config === undefined) throw new Error(problems.join("\n"));
  return config;
}

export function createExtension(parts: {
  readonly config: Config;
  readonly aws: Aws;
  readonly clock: Clock;
  readonly random: () => number;
}): Extension {
  const { config, aws, clock, random } = parts;
  const { now } = clock;
  const [source] = config.sources;
  // Of errors there is but one: a bug.
  const logger = createLogger({ level: "error", now, write: (line) => console.error(line.trimEnd()) });
  const loadAwsSdk = async () => aws.sdk;
  const loadAwsSsm = async (): Promise<never> => {
    throw new Error("no parameter is asked for in the simulation");
  };
  const common = {
    config,
    counters: createCounters(),
    loadAwsSdk,
    loadAwsSsm,
    logger,
    version: "simulated",
    now,
    random,
  };
  const behind = { ...common, baseCredentials: createBaseCredentials(common), callAws: createAwsCaller(common) };
  const { credentials, secrets: cache } = createSourceParts(behind)(source);
  return { credentials, cache, prefetchIds: source.prefetchIds };
}
