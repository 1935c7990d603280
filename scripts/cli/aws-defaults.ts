/** Credentials and region from where every program on this machine has them, and what to do where there are none. */

import type { BaseCredentials } from "../../extension/aws/base-credentials.ts";
import { within } from "../../extension/cache/deadline.ts";
import type { AwsCredentials } from "../../extension/config/aws-environment.ts";
import type { Environment } from "../../extension/config/setting-rules.ts";
import { Failure } from "../../extension/failure/failure.ts";

/** What the SDK finds; loaded when it is asked for the first time. */
const loadAwsChain = () => import("./aws-chain.ts");

/** The AWS CLI reads the second, too, and so people set it. */
export const toVariableRegion = (environment: Environment): string | undefined =>
  environment.AWS_REGION?.trim() || environment.AWS_DEFAULT_REGION?.trim() || undefined;

/** That of AWS_REGION, or of the profile; undefined where there is none, or no such profile. */
export async function findDefaultRegion(): Promise<string | undefined> {
  const { findRegion } = await loadAwsChain();
  return await findRegion().catch(() => undefined);
}

/** A program that gives credentials may ask a person first. */
const TIMEOUT_MS = 30_000;

/** Looked for each time: whoever writes new keys into a file, or signs in again, need not start us again. */
export function createDefaultCredentials(region: string, now: () => number): BaseCredentials {
  async function find(): Promise<AwsCredentials> {
    const { findCredentials } = await loadAwsChain();
    const { accessKeyId, secretAccessKey, sessionToken } = await findCredentials(region).catch((error: unknown) => {
      throw toFailure(error);
    });
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  }
  const late = () => new Failure("credentials-unavailable", "AWS credentials do not come within 30 s");
  return {
    mayChange: true,
    get: () => within({ deadlineEpochMs: now() + TIMEOUT_MS, now, start: find, late }),
  };
}

/** What the chain says when it has come to its end. */
const NONE_FOUND = "Could not load credentials from any providers";

const MORE = "In the same shell, aws sts get-caller-identity tells more";

/** The SDK's text may quote a file or what a program has printed: it is looked at, and not repeated. */
function toFailure(error: unknown): Failure {
  const text = error instanceof Error ? error.message : "";
  if (/\baws (sso )?login\b/.test(text)) {
    return new Failure("credentials-unavailable", "the sign-in behind this AWS profile is over, or was never made", {
      remedy: "sign in with aws sso login, or aws login, for the profile that AWS_PROFILE names",
    });
  }
  if (text === NONE_FOUND) {
    return new Failure("credentials-missing", "there are no AWS credentials on this machine", {
      remedy: `name a profile of ~/.aws/config in AWS_PROFILE (aws configure sso makes one), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a machine at AWS has those of its role. ${MORE}`,
    });
  }
  return new Failure("credentials-unavailable", "where AWS credentials are to come from on this machine, none come", {
    remedy: `look at the profile that AWS_PROFILE names. ${MORE}`,
  });
}
