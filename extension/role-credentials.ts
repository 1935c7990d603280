import type { AwsCaller } from "./aws-call.ts";
import type { AwsCredentials } from "./aws-environment.ts";
import type * as AwsSdk from "./aws-sdk.ts";
import type { Config } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { type AwsCall, diagnose, toTimeout } from "./diagnosis.ts";
import { Failure } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { createSingleFlight } from "./single-flight.ts";

export interface RoleCredentials {
  /** Credentials of a session of the target role: those at hand while they live, else new ones, asked for once however many wait. */
  get(deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials>;
  /**
   * Others than these, which AWS has refused: their session may have been revoked, or its role created anew. The same,
   * if the session is so new that the refusal must be meant.
   */
  getInstead(refused: AwsCredentials, deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials>;
}

interface Session {
  readonly credentials: AwsCredentials;
  /** A clock that is behind this has stepped back, and says nothing about how long the session still lives. */
  readonly obtainedAtEpochMs: number;
  readonly renewAtEpochMs: number;
  readonly expiresAtEpochMs: number;
}

/** The last part of a session's life in which a new one is asked for; 6 minutes of an hour. */
const RENEWAL_WINDOW = 0.1;
/** So long a session is new. A secret that is denied for good costs an AssumeRole in that time, and not more. */
const NEW_SESSION_MS = 60_000;

export function createRoleCredentials(parts: {
  readonly config: Config;
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
  readonly version: string;
  readonly callAws: AwsCaller;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly now: () => number;
}): RoleCredentials {
  const { config, counters, logger, now } = parts;
  const call: AwsCall = { operation: "AssumeRole", roleArn: config.roleArn, region: config.aws.region };
  // It names the consumer in Account A's CloudTrail; STS takes 64 characters.
  const roleSessionName = config.roleSessionName ?? `${config.functionName.slice(0, 55)}-${toHex(parts.random())}`;
  let session: Session | undefined;
  const fly = createSingleFlight<Session>(now);

  async function assumeRole(deadlineEpochMs: DeadlineEpochMs): Promise<Session> {
    const base = config.aws.credentials;
    if (base === undefined) throw noCredentials(logger);
    const awsSdk = await parts.loadAwsSdk();
    if (counters.assumeRoleCalls === 0) logger.debug("aws-sdk-loaded");
    const startedAtEpochMs = now();
    const { requestId, lifeMs, ...credentials } = await parts.callAws(call, deadlineEpochMs, async (signal) => {
      counters.assumeRoleCalls += 1;
      const { region, endpoints, clientOptions } = config.aws;
      const { answer, dateEpochMs = now() } = await awsSdk.assumeRole(
        {
          RoleArn: config.roleArn,
          RoleSessionName: roleSessionName,
          DurationSeconds: config.durationSeconds,
          ...(config.externalId === undefined ? {} : { ExternalId: config.externalId }),
        },
        { ...clientOptions, region, credentials: base, endpoint: endpoints.sts, version: parts.version },
        signal,
      );
      const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
      if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration?.getTime()) throw diagnose(undefined, call);
      return {
        requestId: answer.$metadata.requestId,
        // Counted from the answer's own Date, so that a wrong clock of ours does not matter.
        lifeMs: Expiration.getTime() - dateEpochMs,
        accessKeyId: AccessKeyId,
        secretAccessKey: SecretAccessKey,
        sessionToken: SessionToken,
      };
    });
    logger.debug("role-assumed", { roleArn: config.roleArn, requestId, ms: now() - startedAtEpochMs });
    const obtainedAtEpochMs = now();
    const expiresAtEpochMs = obtainedAtEpochMs + lifeMs;
    const renewAtEpochMs = expiresAtEpochMs - lifeMs * RENEWAL_WINDOW;
    return { credentials, obtainedAtEpochMs, renewAtEpochMs, expiresAtEpochMs };
  }

  /** The session itself is set in the work, so that nobody finds neither the work nor what it made. */
  const renew = (deadlineEpochMs: DeadlineEpochMs) =>
    fly({
      key: "session",
      deadlineEpochMs,
      late: () => toTimeout(call),
      start: async () => {
        session = await assumeRole(deadlineEpochMs);
        return session;
      },
    });

  async function get(deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials> {
    const atEpochMs = now();
    const held = session;
    const lives = held !== undefined && atEpochMs >= held.obtainedAtEpochMs && atEpochMs < held.expiresAtEpochMs;
    if (!lives) return (await renew(deadlineEpochMs)).credentials;
    // Towards its end the next one is fetched behind the request, and a failure of STS, which is logged, costs it nothing.
    if (atEpochMs >= held.renewAtEpochMs) renew(deadlineEpochMs).catch(() => {});
    return held.credentials;
  }

  return {
    get,
    async getInstead(refused, deadlineEpochMs) {
      if (session?.credentials !== refused) return get(deadlineEpochMs);
      const ageMs = now() - session.obtainedAtEpochMs;
      return ageMs >= 0 && ageMs < NEW_SESSION_MS ? refused : (await renew(deadlineEpochMs)).credentials;
    },
  };
}

/** Eight characters that tell this execution environment from another. */
const toHex = (fraction: number) =>
  Math.floor(fraction * 2 ** 32)
    .toString(16)
    .padStart(8, "0");

function noCredentials(logger: Logger): Failure {
  const message = "there are no AWS credentials to assume the role with";
  const remedy =
    "Lambda gives a function those of its execution role as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; elsewhere, set them";
  logger.warn("credentials-missing", { message, remedy });
  return new Failure("credentials-missing", message, { remedy });
}
