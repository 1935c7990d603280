/** The extension of one execution environment, assembled from the code that is shipped. */

import { type Config, parseConfig } from "../../extension/config/config.ts";
import { createExtension, type Extension } from "../../extension/extension.ts";
import { createLogger } from "../../extension/logger.ts";
import { SECRET_NAME, type SimulatedAws } from "./aws.ts";
import type { Clock } from "./clock.ts";

/** The settings that a function needs, and defaults for the others. */
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

export function createSimulatedExtension(deps: {
  readonly config: Config;
  readonly aws: SimulatedAws;
  readonly clock: Clock;
  readonly random: () => number;
}): Extension {
  const { config, aws, clock, random } = deps;
  const { now } = clock;
  // An error in the log is a bug in the extension.
  const write = (text: string) => console.error(text.trimEnd());
  return createExtension({
    config,
    logger: createLogger({ level: "error", now, write }),
    version: "simulated",
    now,
    monotonicNow: now,
    random,
    write,
    readFile: () => "",
    loadAwsSdk: async () => aws.sdk,
    loadAwsSsm: async () => {
      throw new Error("the simulation asks for no parameter");
    },
  });
}
