/** The credentials of the function's own role, which assume the target role. */
import type { AwsCredentials, AwsEnvironment } from "../config/aws-environment.ts";
import { Failure } from "../failure/failure.ts";
import type * as AwsSdk from "./sdk.ts";

export interface BaseCredentials {
  /**
   * The current credentials. Fails with `credentials-missing` or `credentials-unavailable`.
   *
   * An ordinary execution environment has them in its variables for all its life. Under SnapStart, Lambda's credentials
   * endpoint gives them: it is asked each time, because only the endpoint knows how long they are valid.
   * https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
   */
  get(): Promise<AwsCredentials>;
  /** Whether the next call may return others. */
  readonly mayChange: boolean;
}

export function createBaseCredentials(deps: {
  readonly config: { readonly aws: Pick<AwsEnvironment, "credentials" | "containerCredentials"> };
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
}): BaseCredentials {
  const { credentials, containerCredentials } = deps.config.aws;
  return {
    mayChange: containerCredentials !== undefined,
    async get() {
      if (containerCredentials !== undefined) {
        const { getContainerCredentials } = await deps.loadAwsSdk();
        // The error is dropped: the answers of this endpoint hold credentials.
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
