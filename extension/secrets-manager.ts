import type { AwsCaller } from "./aws-call.ts";
import type { AwsCredentials } from "./aws-environment.ts";
import type * as AwsSdk from "./aws-sdk.ts";
import type { Config } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { type AwsCall, diagnose } from "./diagnosis.ts";
import { Failure, type FailureCode } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { RoleCredentials } from "./role-credentials.ts";
import { toRegion } from "./secret-id.ts";

/** Which value is asked for. Without version and stage it is AWSCURRENT's. */
export interface SecretQuery {
  readonly secretId: string;
  readonly versionId?: string;
  readonly versionStage?: string;
}

/** One version of a secret; exactly one of string and binary is there. */
export interface SecretValue {
  readonly arn: string;
  readonly name: string;
  readonly versionId: string;
  readonly versionStages: readonly string[];
  readonly createdDate: Date;
  readonly secretString: string | undefined;
  readonly secretBinary: Uint8Array | undefined;
}

export interface SecretsManager {
  /** GetSecretValue as the target role. Fails with a `Failure` only, and at the deadline at the latest. */
  getSecretValue(query: SecretQuery, deadlineEpochMs: DeadlineEpochMs): Promise<SecretValue>;
}

/** What may be the session's fault and not the permissions': believed only of a new session. */
const DOUBTFUL: readonly FailureCode[] = [
  "get-secret-value-denied",
  "kms-denied",
  "credentials-expired",
  "credentials-invalid",
];

export function createSecretsManager(parts: {
  readonly config: Config;
  readonly credentials: RoleCredentials;
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
  readonly callAws: AwsCaller;
  readonly version: string;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly now: () => number;
}): SecretsManager {
  const { config, counters, logger, now } = parts;

  async function ask(query: SecretQuery, credentials: AwsCredentials, deadlineEpochMs: DeadlineEpochMs) {
    const { secretId, versionId, versionStage } = query;
    const region = config.region ?? toRegion(secretId) ?? config.aws.region;
    const call: AwsCall = { operation: "GetSecretValue", roleArn: config.roleArn, region, secretId };
    const { endpoints, clientOptions } = config.aws;
    const awsSdk = await parts.loadAwsSdk();
    const startedAtEpochMs = now();
    const { requestId, ...value } = await parts.callAws(call, deadlineEpochMs, async (signal) => {
      counters.getSecretValueCalls += 1;
      const answer = await awsSdk.getSecretValue(
        {
          SecretId: secretId,
          ...(versionId === undefined ? {} : { VersionId: versionId }),
          ...(versionStage === undefined ? {} : { VersionStage: versionStage }),
        },
        { ...clientOptions, region, credentials, endpoint: endpoints.secretsManager, version: parts.version },
        signal,
      );
      const { ARN, Name, VersionId, VersionStages, CreatedDate, SecretString, SecretBinary } = answer;
      const hasOneValue = (SecretString === undefined) !== (SecretBinary === undefined);
      if (!ARN || !Name || !VersionId || !CreatedDate?.getTime() || !hasOneValue) throw diagnose(undefined, call);
      return {
        requestId: answer.$metadata.requestId,
        arn: ARN,
        name: Name,
        versionId: VersionId,
        versionStages: VersionStages ?? [],
        createdDate: CreatedDate,
        secretString: SecretString,
        secretBinary: SecretBinary,
      };
    });
    logger.debug("secret-fetched", { secretId, versionId: value.versionId, requestId, ms: now() - startedAtEpochMs });
    return value;
  }

  return {
    async getSecretValue(query, deadlineEpochMs) {
      const credentials = await parts.credentials.get(deadlineEpochMs);
      try {
        return await ask(query, credentials, deadlineEpochMs);
      } catch (thrown) {
        if (!(thrown instanceof Failure) || !DOUBTFUL.includes(thrown.code)) throw thrown;
        const others = await parts.credentials.getInstead(credentials, deadlineEpochMs);
        if (others === credentials) throw thrown;
        return await ask(query, others, deadlineEpochMs);
      }
    },
  };
}
