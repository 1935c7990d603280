/**
 * STS and Secrets Manager, as far as a fleet can tell: they take some time, throttle above AWS's default quotas, know
 * when a session has ended, and can be out of order. Errors have the shape of the SDK's.
 */
import type * as AwsSdk from "../../extension/aws/sdk.ts";
import type { Clock } from "./clock.ts";

/** Calls per second, by account and region. */
export const quotas = {
  /**
   * Together with GetCallerIdentity and others, of the account that calls; the target account's is not touched.
   * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
   */
  AssumeRole: 600,
  /**
   * Together with DescribeSecret, of the account whose identity calls: here that of the target role.
   * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
   */
  GetSecretValue: 10_000,
} as const;
export type Operation = keyof typeof quotas;

export type Condition = "well" | "out of order" | "denying";

export interface Aws {
  readonly sdk: typeof AwsSdk;
  condition: Condition;
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
}): Aws {
  const { clock, random, onCall } = parts;
  const buckets = {
    AssumeRole: createBucket("AssumeRole", clock),
    GetSecretValue: createBucket("GetSecretValue", clock),
  };
  const latency = () => clock.pause(LATENCY_MS.least + (LATENCY_MS.most - LATENCY_MS.least) * random());

  async function receive(operation: Operation, signal: AbortSignal): Promise<void> {
    const isThrottled = !buckets[operation].take();
    onCall(operation, isThrottled);
    if (aws.condition === "out of order") return fail(signal);
    await latency();
    const name = operation === "AssumeRole" ? "Throttling" : "ThrottlingException";
    if (isThrottled) throw toSdkError(name, 400);
  }

  /** As in a real outage, some calls are answered with 5xx, some cannot connect, and some hang. */
  async function fail(signal: AbortSignal): Promise<never> {
    const kind = random();
    if (kind < 0.2) {
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))),
      );
    }
    await latency();
    if (kind < 0.6) throw toSdkError("InternalFailure", 500);
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  }

  const aws: Aws = {
    condition: "well",
    versionId: "version-1",
    sdk: {
      async assumeRole({ DurationSeconds = 3_600 }, _options, signal) {
        await receive("AssumeRole", signal);
        const expiresAtEpochMs = clock.now() + DurationSeconds * 1_000;
        const Credentials = {
          AccessKeyId: "ASIAEXAMPLE",
          SecretAccessKey: "secret",
          // Its own end is all that Secrets Manager has to know of a session.
          SessionToken: String(expiresAtEpochMs),
          Expiration: new Date(expiresAtEpochMs),
        };
        return { answer: { Credentials, $metadata: {} }, dateEpochMs: clock.now() };
      },
      connectSecretsManager: () => ({}),
      getContainerCredentials: () => Promise.reject(new Error("a plain execution environment has none")),
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
 * A bucket of tokens that is refilled at the quota's rate, as AWS says its own work. It holds one second's worth: what
 * AWS's hold is not published. https://aws.amazon.com/blogs/security/how-to-monitor-and-query-iam-resources-at-scale-part-2/
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
