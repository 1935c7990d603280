import { type DeadlineEpochMs, watchForFreeze } from "../cache/deadline.ts";
import { type BackOff, createFailureMemory } from "../cache/failure-memory.ts";
import { createSingleFlight } from "../cache/single-flight.ts";
import type { AwsCredentials } from "../config/aws-environment.ts";
import type { Config } from "../config/config.ts";
import type { AwsCall } from "../failure/aws-error.ts";
import { diagnose, toTimeout } from "../failure/diagnosis.ts";
import { type Failure, type FailureCode, toFailure, toRow } from "../failure/failure.ts";
import { toSuffix } from "../lambda/snapshot.ts";
import type { Logger } from "../logger.ts";
import type { Counters } from "../metrics.ts";
import type { Source } from "../values/source.ts";
import type { BaseCredentials } from "./base-credentials.ts";
import type { AwsCaller } from "./call.ts";
import type * as AwsSdk from "./sdk.ts";
import { toSessionPolicy } from "./session-policy.ts";

export interface RoleCredentials {
  /** Whether `get` returns without a call to STS. */
  isAtHand(): boolean;
  /** Returns the credentials of a session of the target role. All callers that need a new session share one AssumeRole. */
  get(deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials>;
  /**
   * Returns others than these, which AWS refused: their session may have been revoked, or its role created again. Returns
   * the same if the session is so new that the refusal must be true.
   */
  getInstead(refused: AwsCredentials, deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials>;
}

/** In this last part of its life a session is renewed: 6 minutes of an hour. */
const RENEWAL_WINDOW = 0.1;
/**
 * How long a session counts as new. The time doubles, up to `most`, for each session that replaces a refused one: a
 * permanent denial costs at most one AssumeRole in that time.
 */
const NEW_SESSION_MS = { least: 60_000, most: 240_000 };
/**
 * The pause after an AssumeRole that failed. It is short, because the cache remembers the failure of each secret for longer.
 * It is shorter still if AWS may answer again at any moment.
 */
const DENIED_PAUSE: BackOff = { firstMs: 1_000, mostMs: 1_000, isJittered: false };
const FAILED_PAUSE: BackOff = { firstMs: 200, mostMs: 200, isJittered: false };
/** The failures of credentials that are no longer valid. */
const REFUSED: readonly FailureCode[] = ["credentials-expired", "credentials-invalid"];

export function createRoleCredentials(deps: {
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
}): RoleCredentials {
  const { config, source, baseCredentials, counters, logger, now } = deps;
  const { roleArn, externalId } = source;
  const options = {
    externalId,
    hasTags: config.sessionTags !== undefined,
    hasSourceIdentity: config.sourceIdentity !== undefined,
  };
  const call: AwsCall = { operation: "AssumeRole", roleArn, region: config.aws.region, ...options };
  // It names the consumer in Account A's CloudTrail. STS allows 64 characters.
  const roleSessionName = config.roleSessionName ?? `${config.functionName.slice(0, 55)}-${toSuffix(deps.random())}`;
  const hasPolicy = config.sessionPolicy === "auto" && config.allow === "configured";
  let policy = hasPolicy ? toSessionPolicy(source, config.failoverRegion) : undefined;
  if (hasPolicy && policy === undefined) warnOfNoPolicy("it would be longer than STS allows");
  let session: Session | undefined;
  let renewals = 0;
  const fly = createSingleFlight<Session>(now);
  const backOffOf = (failure: Failure) => (toRow(failure).mayServeStale ? FAILED_PAUSE : DENIED_PAUSE);
  const failures = createFailureMemory({ backOffOf, now, random: deps.random });

  async function assumeRole(deadlineEpochMs: DeadlineEpochMs, newForMs: number): Promise<Session> {
    const awsSdk = await deps.loadAwsSdk();
    if (counters.assumeRoleCalls === 0) logger.debug("aws-sdk-loaded");
    const startedAtEpochMs = now();
    renewals += 1;
    const order = renewals;
    const { requestId, lifeMs, askedAtEpochMs, ...credentials } = await deps.callAws(
      call,
      deadlineEpochMs,
      async (signal) => {
        const credentials = await baseCredentials.get();
        const askedAtEpochMs = now();
        counters.assumeRoleCalls += 1;
        const { region, endpoints, clientOptions } = config.aws;
        const { answer, dateEpochMs = now() } = await awsSdk.assumeRole(
          {
            RoleArn: roleArn,
            RoleSessionName: roleSessionName,
            DurationSeconds: config.durationSeconds,
            ...(externalId === undefined ? {} : { ExternalId: externalId }),
            ...(policy === undefined ? {} : { Policy: policy }),
            ...(config.sourceIdentity === undefined ? {} : { SourceIdentity: config.sourceIdentity }),
            ...(config.sessionTags === undefined ? {} : { Tags: [...config.sessionTags] }),
          },
          { ...clientOptions, region, credentials, endpoint: endpoints.sts, version: deps.version },
          signal,
        );
        const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
        if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration?.getTime())
          throw diagnose(undefined, call);
        return {
          requestId: answer.$metadata.requestId,
          askedAtEpochMs,
          // Relative to the answer's own Date, so that our clock may be wrong.
          lifeMs: Expiration.getTime() - dateEpochMs,
          accessKeyId: AccessKeyId,
          secretAccessKey: SecretAccessKey,
          sessionToken: SessionToken,
        };
      },
    );
    logger.info("role-assumed", { roleArn, requestId, ms: now() - startedAtEpochMs });
    const expiresAtEpochMs = askedAtEpochMs + lifeMs;
    const renewAtEpochMs = expiresAtEpochMs - lifeMs * RENEWAL_WINDOW;
    return { credentials, order, askedAtEpochMs, newForMs, renewAtEpochMs, expiresAtEpochMs };
  }

  function warnOfNoPolicy(reason: string): void {
    logger.warn("session-policy-left-out", { roleArn, reason });
  }

  /** Sets the session before the flight ends: a caller always finds one of the two. */
  async function begin(deadlineEpochMs: DeadlineEpochMs, newForMs: number): Promise<Session> {
    const renewed = await assumeRole(deadlineEpochMs, newForMs).catch((thrown: unknown) => {
      const { code, details } = toFailure(thrown);
      // Lambda may have replaced the base credentials between reading and using them.
      const isWorthwhile = baseCredentials.mayChange && REFUSED.includes(code);
      const isTooLarge = policy !== undefined && details.awsCode?.startsWith("PackedPolicyTooLarge");
      if (!isWorthwhile && !isTooLarge) throw thrown;
      if (isTooLarge) {
        policy = undefined;
        warnOfNoPolicy("STS cannot pack it");
      }
      return assumeRole(deadlineEpochMs, newForMs);
    });
    // A call that was frozen may bring an older session than the one that is held.
    if (session === undefined || renewed.order > session.order) session = renewed;
    return renewed;
  }

  const renew = (deadlineEpochMs: DeadlineEpochMs, newForMs = NEW_SESSION_MS.least) =>
    fly({
      key: "session",
      deadlineEpochMs,
      late: () => toTimeout(call),
      start: async () => {
        const failure = failures.recall("session");
        if (failure !== undefined) throw failure;
        const watch = watchForFreeze(deadlineEpochMs - now(), now);
        try {
          return await begin(deadlineEpochMs, newForMs);
        } catch (thrown) {
          if (!watch.wasFrozen()) failures.remember("session", toFailure(thrown));
          throw thrown;
        } finally {
          watch.end();
        }
      },
    });

  async function get(deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials> {
    const atEpochMs = now();
    const held = session;
    if (!isAlive(held, atEpochMs)) return (await renew(deadlineEpochMs)).credentials;
    // Near its end, the next session is fetched behind the request. A failure of STS is logged and costs nothing.
    if (atEpochMs >= held.renewAtEpochMs) renew(deadlineEpochMs).catch(() => {});
    return held.credentials;
  }

  return {
    isAtHand: () => isAlive(session, now()),
    get,
    async getInstead(refused, deadlineEpochMs) {
      if (session?.credentials !== refused) return get(deadlineEpochMs);
      const { askedAtEpochMs, newForMs } = session;
      const ageMs = now() - askedAtEpochMs;
      if (ageMs >= 0 && ageMs < newForMs) return refused;
      return (await renew(deadlineEpochMs, Math.min(2 * newForMs, NEW_SESSION_MS.most))).credentials;
    },
  };
}

/** A session of the target role. */
export interface Session {
  readonly credentials: AwsCredentials;
  /** Sequence number of the renewal that brought it. */
  readonly order: number;
  /** When it was asked for. During a freeze, the answer may have waited in the socket for hours. */
  readonly askedAtEpochMs: number;
  readonly newForMs: number;
  readonly renewAtEpochMs: number;
  readonly expiresAtEpochMs: number;
}

/** If the clock is before the session's start, it has stepped back, and does not tell how long the session is valid. */
export const isAlive = (session: Session | undefined, atEpochMs: number): session is Session =>
  session !== undefined && atEpochMs >= session.askedAtEpochMs && atEpochMs < session.expiresAtEpochMs;

/** Denials that stand if no new session can be had. A revoked session meets an explicit deny. */
const DENIED: readonly FailureCode[] = [
  "get-secret-value-denied",
  "get-parameter-denied",
  "kms-denied",
  "explicit-deny",
];

/** Failures that may come from the session instead of the permissions. They are believed only of a new session. */
const DOUBTFUL: readonly FailureCode[] = [...DENIED, "credentials-expired", "credentials-invalid"];

/** Asks as the target role. If the session may be the cause of a failure, asks once more in a new session. */
export async function asRole<T>(
  credentials: RoleCredentials,
  deadlineEpochMs: DeadlineEpochMs,
  ask: (credentials: AwsCredentials) => Promise<T>,
): Promise<T> {
  const held = await credentials.get(deadlineEpochMs);
  try {
    return await ask(held);
  } catch (thrown) {
    const { code } = toFailure(thrown);
    if (!DOUBTFUL.includes(code)) throw thrown;
    const others = await credentials.getInstead(held, deadlineEpochMs).catch((failure: unknown) => {
      throw DENIED.includes(code) ? thrown : failure;
    });
    if (others === held) throw thrown;
    return await ask(others);
  }
}
