import type { DeadlineEpochMs } from "../cache/deadline.ts";
import type { AwsCredentials } from "../config/aws-environment.ts";
import type { Config } from "../config/config.ts";
import type { AwsCall } from "../failure/aws-error.ts";
import { diagnose } from "../failure/diagnosis.ts";
import { type FailureCode, toFailure } from "../failure/failure.ts";
import type { Logger } from "../logger.ts";
import type { Counters } from "../metrics.ts";
import { inRegion, type SecretQuery, type SecretValue, toRegion } from "../values/secret.ts";
import type { Source } from "../values/source.ts";
import type { AwsCaller } from "./call.ts";
import type { Agents } from "./connection.ts";
import type * as AwsSdk from "./sdk.ts";
import { asRole, type RoleCredentials } from "./session.ts";

export interface SecretsManager {
  /**
   * Calls GetSecretValue as the target role. Fails with a Failure only, at the deadline at the latest. A replica's answer
   * never replaces a `held` version that was created later: replication takes time.
   */
  getSecretValue(
    query: SecretQuery,
    deadlineEpochMs: DeadlineEpochMs,
    held?: SecretValue | undefined,
  ): Promise<SecretValue>;
}

/** Failures that may come from one region, so that a replica in another region may answer. */
const REGIONAL: readonly FailureCode[] = ["aws-error", "aws-response-invalid", "unreachable", "timeout"];

export function createSecretsManager(deps: {
  readonly source: Source;
  readonly config: Config;
  readonly credentials: RoleCredentials;
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
  readonly callAws: AwsCaller;
  readonly version: string;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly now: () => number;
}): SecretsManager {
  const { config, source, counters, logger, now } = deps;
  const { failoverRegion } = config;
  const { endpoints, clientOptions } = config.aws;
  /** A configured endpoint belongs to the secret's own region. The replica's region has its own. */
  const toOptions = (region: string, isFailover = false) => ({
    ...clientOptions,
    region,
    endpoint: isFailover ? undefined : endpoints.secretsManager,
    version: deps.version,
  });
  const toHome = (secretId: string) => toRegion(secretId) ?? source.region ?? config.aws.region;
  /**
   * Some roles may read only with the condition `secretsmanager:VersionStage` = AWSCURRENT. A request that names no stage
   * does not meet it: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html
   */
  let mustNameStage = false;
  /** The agents of the next call, if its connection was opened in advance. */
  let early: Agents | undefined;

  /** Without a session the request cannot be signed, but its connection can be opened. */
  async function connectEarly(secretId: string): Promise<void> {
    const awsSdk = await deps.loadAwsSdk();
    early ??= awsSdk.connectSecretsManager(toOptions(toHome(secretId)));
  }

  /** One GetSecretValue call, with its tries. */
  async function ask(
    { secretId, versionId, versionStage }: SecretQuery,
    region: string,
    credentials: AwsCredentials,
    deadlineEpochMs: DeadlineEpochMs,
    isFailover = false,
  ) {
    const call: AwsCall = { operation: "GetSecretValue", roleArn: source.roleArn, region, id: secretId };
    const awsSdk = await deps.loadAwsSdk();
    const startedAtEpochMs = now();
    const { requestId, ...value } = await deps.callAws(call, deadlineEpochMs, async (signal) => {
      counters.getSecretValueCalls += 1;
      const agents = early;
      early = undefined;
      const answer = await awsSdk.getSecretValue(
        {
          SecretId: secretId,
          ...(versionId === undefined ? {} : { VersionId: versionId }),
          ...(versionStage === undefined ? {} : { VersionStage: versionStage }),
        },
        { ...toOptions(region, isFailover), credentials, agents },
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
    logger.info("secret-fetched", { secretId, versionId: value.versionId, requestId, ms: now() - startedAtEpochMs });
    return value;
  }

  /** Asks the secret's own region and, if that fails, the replica's region, which has the remaining time. */
  async function askAnywhere(
    query: SecretQuery,
    credentials: AwsCredentials,
    deadlineEpochMs: DeadlineEpochMs,
    held: SecretValue | undefined,
  ) {
    const region = toHome(query.secretId);
    if (failoverRegion === undefined || failoverRegion === region) {
      return ask(query, region, credentials, deadlineEpochMs);
    }
    try {
      return await ask(query, region, credentials, (now() + deadlineEpochMs) / 2);
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (!REGIONAL.includes(failure.code)) throw failure;
      logger.warn("failover", { secretId: query.secretId, region: failoverRegion, code: failure.code });
      const there = { ...query, secretId: inRegion(query.secretId, failoverRegion) };
      // A failure of the replica says nothing about the original.
      const value = await ask(there, failoverRegion, credentials, deadlineEpochMs, true).catch(() => undefined);
      if (value === undefined || isOlder(value, held)) throw failure;
      // The caller gets the original's ARN.
      return { ...value, arn: inRegion(value.arn, region) };
    }
  }

  return {
    async getSecretValue(query, deadlineEpochMs, held) {
      const isPlain = query.versionId === undefined && query.versionStage === undefined;
      const withStage = { ...query, versionStage: "AWSCURRENT" };
      const first = isPlain && mustNameStage ? withStage : query;
      const answer = asRole(deps.credentials, deadlineEpochMs, (credentials) =>
        askAnywhere(first, credentials, deadlineEpochMs, held),
      );
      // An error here is ignored: the request itself will meet and report it.
      if (!deps.credentials.isAtHand()) connectEarly(query.secretId).catch(() => {});
      try {
        return await answer;
      } catch (thrown) {
        if (!isPlain || mustNameStage || toFailure(thrown).code !== "get-secret-value-denied") throw thrown;
        try {
          const credentials = await deps.credentials.get(deadlineEpochMs);
          const value = await askAnywhere(withStage, credentials, deadlineEpochMs, held);
          mustNameStage = true;
          return value;
        } catch {
          // The stage makes no difference.
          throw thrown;
        }
      }
    },
  };
}

const isOlder = (value: SecretValue, held: SecretValue | undefined): boolean =>
  held !== undefined && held.versionId !== value.versionId && value.createdDate < held.createdDate;
