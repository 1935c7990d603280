/** Region and credentials as every program on this machine finds them, and what to do if there are none. */

import type { BaseCredentials } from "../../extension/aws/base-credentials.ts";
import { within } from "../../extension/cache/deadline.ts";
import type { AwsCredentials } from "../../extension/config/aws-environment.ts";
import type { Environment } from "../../extension/config/setting-rules.ts";
import { parseAwsError } from "../../extension/failure/aws-error.ts";
import { Failure, type FailureCode } from "../../extension/failure/failure.ts";

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
export function createDefaultCredentials(region: string, now: () => number, caBundle?: string): BaseCredentials {
  async function find(): Promise<AwsCredentials> {
    const { findCredentials } = await loadAwsChain();
    const notes: string[] = [];
    const found = await findCredentials(region, caBundle, (text) => notes.push(text)).catch((error: unknown) => {
      throw toCredentialsFailure(error, notes);
    });
    const { accessKeyId, secretAccessKey, sessionToken } = found;
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

/** What is in the way, by the SDK's words. The first that matches counts; `$1` is the name of the profile. */
const OBSTACLES: readonly {
  readonly words: RegExp;
  readonly code: FailureCode;
  readonly message: string;
  readonly remedy: string;
}[] = [
  {
    words: /\baws (?:sso )?login\b/,
    code: "credentials-unavailable",
    message: "the sign-in of this AWS profile has expired, or was never made",
    remedy: "sign in with aws sso login, or aws login, for the profile that AWS_PROFILE names",
  },
  {
    words: /\brequires multi-factor authentication\b/,
    code: "credentials-unavailable",
    message: "this AWS profile needs a code of an MFA device (mfa_serial)",
    remedy:
      'in the same shell, eval "$(aws configure export-credentials --format env)" asks for the code, and sets the credentials; then unset AWS_PROFILE',
  },
  {
    words: /\bcredential_process (?:did not return|returned)\b|-> Command failed\b/,
    code: "credentials-unavailable",
    message: "the credential_process of this AWS profile failed",
    remedy:
      "run it yourself: it must end with exit code 0, and print JSON with Version 1, AccessKeyId and SecretAccessKey, that has not expired",
  },
  {
    words: /\bDetected a cycle\b/,
    code: "credentials-unavailable",
    message: "the source_profile of this AWS profile leads back to it",
    remedy: "correct source_profile: one of these profiles needs credentials of its own",
  },
  {
    words: /\bProfile (?!default )([\s\S]*) could not be found\b/,
    code: "credentials-missing",
    message: "there is no AWS profile $1",
    remedy: "correct AWS_PROFILE: aws configure list-profiles shows the names in ~/.aws/config and ~/.aws/credentials",
  },
  {
    words: /\busing profile: \[(?!default\])([^\]]*)\]/,
    code: "credentials-missing",
    message: "the AWS profile $1 does not exist, or has no credentials",
    remedy: `it needs keys, a sign-in (aws configure sso), a role_arn with source_profile, or a credential_process. ${MORE}`,
  },
];

/** The SDK's text is not repeated, because it may quote a file or the output of a program. */
function toCredentialsFailure(error: unknown, notes: readonly string[]): Failure {
  const text = error instanceof Error ? error.message : "";
  for (const { words, code, message, remedy } of OBSTACLES) {
    for (const said of [text, ...notes]) {
      const [found, name = ""] = words.exec(said) ?? [];
      const shown = /^[\w.@/+-]{1,64}$/.test(name) ? name : "of the name in AWS_PROFILE";
      if (found !== undefined) return new Failure(code, message.replace("$1", shown), { remedy });
    }
  }
  if (text === NONE_FOUND) {
    return new Failure("credentials-missing", "there are no AWS credentials on this machine", {
      remedy: `name a profile of ~/.aws/config in AWS_PROFILE (aws configure sso creates one), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a machine at AWS has the credentials of its role. ${MORE}`,
    });
  }
  const { awsCode } = parseAwsError(error);
  const message =
    awsCode === undefined
      ? "AWS credentials are configured here, but could not be loaded"
      : `AWS did not give this AWS profile credentials (${awsCode})`;
  return new Failure("credentials-unavailable", message, {
    remedy: `check the profile that AWS_PROFILE names. ${MORE}`,
  });
}
