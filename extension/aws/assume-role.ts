/** AssumeRole of a source's target role, with everything that the settings add to it. */
import type { DeadlineEpochMs } from "../cache/deadline.ts";
import type { AwsCredentials } from "../config/aws-environment.ts";
import type { Config } from "../config/config.ts";
import type { AwsCall } from "../failure/aws-error.ts";
import { diagnose } from "../failure/diagnosis.ts";
import { type FailureCode, toFailure } from "../failure/failure.ts";
import { toSuffix } from "../lambda/snapshot.ts";
import type { Logger } from "../logger.ts";
import type { Counters } from "../metrics.ts";
import type { Source } from "../values/source.ts";
import type { BaseCredentials } from "./base-credentials.ts";
import type { AwsCaller } from "./call.ts";
import type * as AwsSdk from "./sdk.ts";
import { toSessionPolicy } from "./session-policy.ts";

export interface AssumedRole {
  readonly credentials: AwsCredentials;
  /** During a freeze, the answer may wait in the socket for hours. */
  readonly askedAtEpochMs: number;
  readonly lifeMs: number;
}

export interface AssumeRole {
  /** What diagnosis knows of the call. */
  readonly call: AwsCall;
  /** Fails with a Failure only, at the deadline at the latest. */
  send(deadlineEpochMs: DeadlineEpochMs): Promise<AssumedRole>;
}

export interface AssumeRoleDeps {
  readonly source: Source;
  readonly config: Config;
  readonly baseCredentials: BaseCredentials;
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
  readonly version: string;
  readonly callAws: AwsCaller;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly now: () => number;
}

/** The failures of base credentials that are no longer valid. */
const NO_LONGER_VALID: readonly FailureCode[] = ["credentials-expired", "credentials-invalid"];

export function createAssumeRole(deps: AssumeRoleDeps): AssumeRole {
  const { config, source, baseCredentials, counters, logger, now } = deps;
  const { roleArn, externalId } = source;
  const { sessionTags, sourceIdentity } = config;
  const { region, endpoints, clientOptions } = config.aws;
  const options = { externalId, hasTags: sessionTags !== undefined, hasSourceIdentity: sourceIdentity !== undefined };
  const call: AwsCall = { operation: "AssumeRole", roleArn, region, ...options };
  // It names the consumer in Account A's CloudTrail. STS allows 64 characters.
  const roleSessionName = config.roleSessionName ?? `${config.functionName.slice(0, 55)}-${toSuffix(deps.random())}`;
  const hasPolicy = config.sessionPolicy === "auto" && config.allow === "configured";
  let policy = hasPolicy ? toSessionPolicy(source, config.failoverRegion) : undefined;
  if (hasPolicy && policy === undefined) warnOfNoPolicy("it would be longer than STS allows");

  function warnOfNoPolicy(reason: string): void {
    logger.warn("session-policy-left-out", { roleArn, reason });
  }

  async function sendOnce(deadlineEpochMs: DeadlineEpochMs): Promise<AssumedRole> {
    const awsSdk = await deps.loadAwsSdk();
    if (counters.assumeRoleCalls === 0) logger.debug("aws-sdk-loaded");
    const startedAtEpochMs = now();
    // `callAws` turns AWS's error into a Failure: call.ts.
    const { requestId, ...assumed } = await deps.callAws(call, deadlineEpochMs, async (signal) => {
      const credentials = await baseCredentials.get();
      const askedAtEpochMs = now();
      counters.assumeRoleCalls += 1;
      const { answer, dateEpochMs = now() } = await awsSdk.assumeRole(
        {
          RoleArn: roleArn,
          RoleSessionName: roleSessionName,
          DurationSeconds: config.durationSeconds,
          ...(externalId === undefined ? {} : { ExternalId: externalId }),
          ...(policy === undefined ? {} : { Policy: policy }),
          ...(sourceIdentity === undefined ? {} : { SourceIdentity: sourceIdentity }),
          ...(sessionTags === undefined ? {} : { Tags: [...sessionTags] }),
        },
        { ...clientOptions, region, credentials, endpoint: endpoints.sts, version: deps.version },
        signal,
      );
      const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
      if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration?.getTime()) throw diagnose(undefined, call);
      return {
        requestId: answer.$metadata.requestId,
        askedAtEpochMs,
        // Relative to the answer's own Date, so that our clock may be wrong.
        lifeMs: Expiration.getTime() - dateEpochMs,
        credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken },
      };
    });
    logger.info("role-assumed", { roleArn, requestId, ms: now() - startedAtEpochMs });
    return assumed;
  }

  return {
    call,
    async send(deadlineEpochMs) {
      try {
        return await sendOnce(deadlineEpochMs);
      } catch (thrown) {
        const { code, details } = toFailure(thrown);
        // Lambda may have replaced the base credentials between reading and using them.
        const mayHaveNewCredentials = baseCredentials.mayChange && NO_LONGER_VALID.includes(code);
        const isTooLarge = policy !== undefined && details.awsCode?.startsWith("PackedPolicyTooLarge");
        if (!mayHaveNewCredentials && !isTooLarge) throw thrown;
        if (isTooLarge) {
          policy = undefined;
          warnOfNoPolicy("with it, the session token would be larger than STS allows");
        }
        return sendOnce(deadlineEpochMs);
      }
    },
  };
}
