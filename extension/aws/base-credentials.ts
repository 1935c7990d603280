/** The credentials of the function's own role, which assume the target role. */
import { createHash } from "node:crypto";
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
  /**
   * SHA-256 of the session tokens that the credentials endpoint gave: the last, and the one before. Not the tokens, because
   * they would be in a snapshot. Undefined if there is no such endpoint.
   */
  readonly sessionTokens?: () => readonly Buffer[];
}

export const toHash = (text: string): Buffer => createHash("sha256").update(text).digest();

/** The error of the endpoint is never kept: its answers hold credentials. */
export const toEndpointFailure = (): Failure =>
  new Failure(
    "credentials-unavailable",
    "the credentials endpoint of this environment does not give the function's credentials",
    { remedy: "AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN are Lambda's to set" },
  );

export function createBaseCredentials(deps: {
  readonly config: { readonly aws: Pick<AwsEnvironment, "credentials" | "containerCredentials"> };
  readonly loadAwsSdk: () => Promise<typeof AwsSdk>;
}): BaseCredentials {
  const { credentials, containerCredentials } = deps.config.aws;
  if (containerCredentials !== undefined) {
    let tokens: readonly Buffer[] = [];
    return {
      mayChange: true,
      sessionTokens: () => tokens,
      async get() {
        const { getContainerCredentials } = await deps.loadAwsSdk();
        const given = await getContainerCredentials(containerCredentials).catch(() => {
          throw toEndpointFailure();
        });
        const token = toHash(given.sessionToken ?? "");
        if (given.sessionToken !== undefined && !tokens[0]?.equals(token)) tokens = [token, ...tokens.slice(0, 1)];
        return given;
      },
    };
  }
  return {
    mayChange: false,
    async get() {
      if (credentials !== undefined) return credentials;
      throw new Failure("credentials-missing", "there are no AWS credentials to assume the role with", {
        remedy:
          "Lambda gives a function those of its execution role as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; elsewhere, set them",
      });
    },
  };
}
