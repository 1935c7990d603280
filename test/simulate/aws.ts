/**
 * STS and Secrets Manager as a fleet sees them: a call takes some time, is throttled above AWS's default quotas, fails
 * if its session has ended, and fails in an outage. Errors have the shape of the SDK's errors.
 */
import type * as AwsSdk from "../../extension/aws/sdk.ts";
import type { Clock } from "./clock.ts";

/** Calls per second, by account and region. */
export const quotas = {
  /**
   * Shared with GetCallerIdentity and others. The quota is that of the calling account, and not of the target account.
   * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
   */
  AssumeRole: 600,
  /**
   * Shared with DescribeSecret. The quota is that of the account whose identity calls: here that of the target role.
   * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
   */
  GetSecretValue: 10_000,
} as const;
export type Operation = keyof typeof quotas;

export type AwsCondition = "well" | "outage" | "denying";

export interface SimulatedAws {
  readonly sdk: typeof AwsSdk;
  condition: AwsCondition;
  /** The version that has the stage AWSCURRENT. */
  versionId: string;
}

export const SECRET_NAME = "my-shared-secret";
const SECRET_ARN = `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${SECRET_NAME}-a1b2c3`;
const CREATED = new Date("2026-01-01T00:00:00Z");
const LATENCY_MS = { least: 10, most: 40 };

export function createAws(parts: {
  readonly clock: Clock;
  readonly random: () => number;
  readonly onCall: (operation: Operation, isThrottled: boolean) => void;
}): SimulatedAws {
  const { clock, random, onCall } = parts;
  const buckets = {
    AssumeRole: createBucket("AssumeRole", clock),
    GetSecretValue: createBucket("GetSecretValue", clock),
  };
  const latency = () => clock.pause(LATENCY_MS.least + (LATENCY_MS.most - LATENCY_MS.least) * random());

  async function receive(operation: Operation, signal: AbortSignal): Promise<void> {
    const isThrottled = !buckets[operation].take();
    onCall(operation, isThrottled);
    if (aws.condition === "outage") return fail(signal);
    await latency();
    const name = operation === "AssumeRole" ? "Throttling" : "ThrottlingException";
    if (isThrottled) throw toSdkError(name, 400);
  }

  /** As in a real outage, some calls get a 5xx, some cannot connect, and some hang. */
  async function fail(signal: AbortSignal): Promise<never> {
    const chance = random();
    if (chance < 0.2) {
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))),
      );
    }
    await latency();
    if (chance < 0.6) throw toSdkError("InternalFailure", 500);
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  }

  const aws: SimulatedAws = {
    condition: "well",
    versionId: "version-1",
    sdk: {
      async assumeRole({ DurationSeconds = 3_600 }, _options, signal) {
        await receive("AssumeRole", signal);
        const expiresAtEpochMs = clock.now() + DurationSeconds * 1_000;
        const Credentials = {
          AccessKeyId: "ASIAEXAMPLE",
          SecretAccessKey: "secret",
          // Secrets Manager only needs the end of the session.
          SessionToken: String(expiresAtEpochMs),
          Expiration: new Date(expiresAtEpochMs),
        };
        return { answer: { Credentials, $metadata: {} }, dateEpochMs: clock.now() };
      },
      connectSecretsManager: () => ({}),
      getContainerCredentials: () => Promise.reject(new Error("an execution environment has no container credentials")),
      async getSecretValue(_input, { credentials }, signal) {
        await receive("GetSecretValue", signal);
        if (clock.now() >= Number(credentials.sessionToken)) throw toSdkError("ExpiredTokenException", 400);
        if (aws.condition === "denying") throw toSdkError("AccessDeniedException", 400);
        return {
          ARN: SECRET_ARN,
          Name: SECRET_NAME,
          VersionId: aws.versionId,
          VersionStages: ["AWSCURRENT"],
          CreatedDate: CREATED,
          SecretString: "{}",
          $metadata: {},
        };
      },
    },
  };
  return aws;
}

/**
 * A token bucket that is refilled at the rate of the quota, as AWS describes its own. It holds the tokens of one second:
 * AWS does not publish the size of its buckets. https://aws.amazon.com/blogs/security/how-to-monitor-and-query-iam-resources-at-scale-part-2/
 */
function createBucket(operation: Operation, clock: Clock) {
  const quota = quotas[operation];
  let tokens: number = quota;
  let filledAtEpochMs = clock.now();
  return {
    take(): boolean {
      tokens = Math.min(quota, tokens + ((clock.now() - filledAtEpochMs) / 1_000) * quota);
      filledAtEpochMs = clock.now();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}

function toSdkError(name: string, httpStatusCode: number): Error {
  const $fault = httpStatusCode >= 500 ? "server" : "client";
  return Object.assign(new Error(name), { name, $fault, $metadata: { httpStatusCode } });
}
