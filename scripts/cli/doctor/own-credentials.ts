import type { BaseCredentials } from "../../../extension/aws/base-credentials.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";

/** Found once: with SSO or an instance's role it takes calls, whose time would be taken for that of another step. */
export function createOwnCredentials(found: BaseCredentials): BaseCredentials {
  let held: AwsCredentials | undefined;
  return {
    mayChange: false,
    async get() {
      held ??= await found.get();
      return held;
    },
  };
}
