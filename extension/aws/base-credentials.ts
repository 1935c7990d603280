/** The credentials of the function's own role, with which the target role is assumed. */
import type { AwsCredentials, AwsEnvironment } from "../config/aws-environment.ts";
import { Failure } from "../failure/failure.ts";
import type * as AwsSdk from "./sdk.ts";

export interface BaseCredentials {
  /**
   * Those of this moment. Fails with `credentials-missing` or `credentials-unavailable`.
   *
   * In a plain execution environment they stand in its variables for as long as it lives. A snapshot holds none: they are
   * asked for at an endpoint of Lambda's each time, since only it knows how long they are good.
   * https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
   */
  get(): Promise<AwsCredentials>;
  /** Whether those of the next moment may be others. */
  readonly mayChange: boolean;
}

export function createBaseCredentials(parts: {
  readonly config: { readonly aws: Pick<AwsEnvironment, "credentials" | "containerCredentials"> };
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
}): BaseCredentials {
  const { credentials, containerCredentials } = parts.config.aws;
  return {
    mayChange: containerCredentials !== undefined,
    async get() {
      if (containerCredentials !== undefined) {
        const { getContainerCredentials } = await parts.loadAwsSdk();
        // The cause is dropped: what such an endpoint answers with are credentials.
        return getContainerCredentials(containerCredentials).catch(() => {
          const message = "the credentials endpoint of this environment does not give the function's credentials";
          const remedy = "AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN are Lambda's to set";
          throw new Failure("credentials-unavailable", message, { remedy });
        });
      }
      if (credentials !== undefined) return credentials;
      throw new Failure("credentials-missing", "there are no AWS credentials to assume the role with", {
        remedy:
          "Lambda gives a function those of its execution role as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; elsewhere, set them",
      });
    },
  };
}
