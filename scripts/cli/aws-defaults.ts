/** Region and credentials as every program on this machine finds them, and what to do if there are none. */

import type { BaseCredentials } from "../../extension/aws/base-credentials.ts";
import { within } from "../../extension/cache/deadline.ts";
import type { AwsCredentials } from "../../extension/config/aws-environment.ts";
import type { Environment } from "../../extension/config/setting-rules.ts";
import { Failure } from "../../extension/failure/failure.ts";

/** Loads the SDK only when it is needed. */
const loadAwsChain = () => import("./aws-chain.ts");

/** AWS_DEFAULT_REGION is what the AWS CLI also reads. */
export const toVariableRegion = (environment: Environment): string | undefined =>
  environment.AWS_REGION?.trim() || environment.AWS_DEFAULT_REGION?.trim() || undefined;

/** What is said if neither an option, nor a variable, nor the profile has a region. */
export const NO_REGION = "there is no region: give --region, or set AWS_REGION, or region in the AWS profile";

/** The region of AWS_REGION or of the profile; undefined if there is no region or no such profile. */
export async function findDefaultRegion(): Promise<string | undefined> {
  const { findRegion } = await loadAwsChain();
  return await findRegion().catch(() => undefined);
}

/** A program that provides credentials may ask a person first. */
const TIMEOUT_MS = 30_000;

/** Looks the credentials up each time, so that new keys in a file, or a new sign-in, take effect without a restart. */
export function createDefaultCredentials(region: string, now: () => number): BaseCredentials {
  async function find(): Promise<AwsCredentials> {
    const { findCredentials } = await loadAwsChain();
    const { accessKeyId, secretAccessKey, sessionToken } = await findCredentials(region).catch((error: unknown) => {
      throw toFailure(error);
    });
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  }
  const late = () => new Failure("credentials-unavailable", "AWS credentials were not available within 30 s");
  return {
    mayChange: true,
    get: () => within({ deadlineEpochMs: now() + TIMEOUT_MS, now, start: find, late }),
  };
}

/** The SDK's message if no provider has credentials. */
const NONE_FOUND = "Could not load credentials from any providers";

const MORE = "In the same shell, aws sts get-caller-identity shows more";

/** The SDK's text is not repeated, because it may quote a file or the output of a program. */
function toFailure(error: unknown): Failure {
  const text = error instanceof Error ? error.message : "";
  if (/\baws (sso )?login\b/.test(text)) {
    return new Failure("credentials-unavailable", "the sign-in of this AWS profile has expired, or was never made", {
      remedy: "sign in with aws sso login, or aws login, for the profile that AWS_PROFILE names",
    });
  }
  if (text === NONE_FOUND) {
    return new Failure("credentials-missing", "there are no AWS credentials on this machine", {
      remedy: `name a profile of ~/.aws/config in AWS_PROFILE (aws configure sso creates one), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a machine at AWS has the credentials of its role. ${MORE}`,
    });
  }
  return new Failure("credentials-unavailable", "AWS credentials are configured here, but could not be loaded", {
    remedy: `check the profile that AWS_PROFILE names. ${MORE}`,
  });
}
