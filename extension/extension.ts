/** Wires what stands behind one source: a role's session, what is asked with it, and what is kept of the answers. */

import type { BaseCredentials } from "./aws/base-credentials.ts";
import type { AwsCaller } from "./aws/call.ts";
import { createParameterStore } from "./aws/parameters.ts";
import type * as AwsSdk from "./aws/sdk.ts";
import type * as AwsSsm from "./aws/sdk-ssm.ts";
import { createSecretsManager } from "./aws/secrets.ts";
import { createRoleCredentials, type RoleCredentials } from "./aws/session.ts";
import { createSecretCache, type SecretCache } from "./cache/cache.ts";
import type { Config } from "./config/config.ts";
import type { Logger } from "./logger.ts";
import type { Counters } from "./metrics.ts";
import { type ParameterQuery, type ParameterValue, parameterRules } from "./values/parameter.ts";
import { type SecretQuery, type SecretValue, secretRules } from "./values/secret.ts";
import type { Source } from "./values/source.ts";

export interface SourceParts {
  readonly source: Source;
  readonly credentials: RoleCredentials;
  readonly secrets: SecretCache<SecretQuery, SecretValue>;
  readonly parameters: SecretCache<ParameterQuery, ParameterValue>;
}

export const createSourceParts =
  (parts: {
    readonly config: Config;
    readonly baseCredentials: BaseCredentials;
    readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
    readonly loadAwsSsm: () => Promise<typeof AwsSsm>;
    readonly callAws: AwsCaller;
    readonly version: string;
    readonly counters: Counters;
    readonly logger: Logger;
    readonly now: () => number;
    /** From 0 to 1, without 1. */
    readonly random: () => number;
  }) =>
  (source: Source): SourceParts => {
    const { config } = parts;
    const shared = { ...parts, source };
    const credentials = createRoleCredentials(shared);
    const { getSecretValue } = createSecretsManager({ ...shared, credentials });
    const { getParameter } = createParameterStore({ ...shared, credentials });
    const ofParameters = { ...config, ttlMs: config.parameterTtlMs, timeoutMs: config.parameterTimeoutMs };
    const caching = { ...shared };
    return {
      source,
      credentials,
      secrets: createSecretCache({ ...caching, rules: secretRules, fetch: getSecretValue }),
      parameters: createSecretCache({ ...caching, config: ofParameters, rules: parameterRules, fetch: getParameter }),
    };
  };
