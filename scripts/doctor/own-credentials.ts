import type { AwsCredentials } from "../../extension/aws-environment.ts";
import type { BaseCredentials } from "../../extension/base-credentials.ts";
import { within } from "../../extension/deadline.ts";
import { Failure } from "../../extension/errors.ts";

/** A program that gives credentials may ask a person first. */
const CREDENTIALS_TIMEOUT_MS = 30_000;

/** Found once: with SSO or an instance's role it takes calls, whose time would be taken for that of another step. */
export function createOwnCredentials(found: BaseCredentials, now: () => number): BaseCredentials {
  let held: AwsCredentials | undefined;
  return {
    mayChange: false,
    async get() {
      held ??= await within({
        deadlineEpochMs: now() + CREDENTIALS_TIMEOUT_MS,
        now,
        start: found.get,
        late: () => new Failure("credentials-unavailable", "AWS credentials do not come within 30 s"),
      });
      return held;
    },
  };
}
