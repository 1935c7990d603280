/**
 * What the AWS SDK finds by itself, as it does for every program on this machine: of variables, profiles, SSO, a container
 * or an instance's role. Its clients do so where they are told nothing; this one is never asked for more.
 * https://docs.aws.amazon.com/sdk-for-javascript/v3/developer-guide/setting-credentials-node.html
 */
import { STSClient } from "@aws-sdk/client-sts";
import type { AwsCredentials } from "../../extension/aws-environment.ts";
import type { BaseCredentials } from "../../extension/base-credentials.ts";
import { Failure } from "../../extension/errors.ts";

/** That of AWS_REGION, or of the profile; undefined where there is none, or no such profile. */
export async function findDefaultRegion(): Promise<string | undefined> {
  return await new STSClient().config.region().catch(() => undefined);
}

/** The SDK looks where they are at the first call, and gets others in time. */
export function createDefaultCredentials(region: string): BaseCredentials {
  const { credentials } = new STSClient({ region }).config;
  return {
    mayChange: true,
    async get(): Promise<AwsCredentials> {
      const { accessKeyId, secretAccessKey, sessionToken } = await credentials().catch((error: unknown) => {
        throw toFailure(error);
      });
      return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
    },
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
