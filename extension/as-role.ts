import type { AwsCredentials } from "./aws-environment.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { type FailureCode, toFailure } from "./errors.ts";
import type { RoleCredentials } from "./role-credentials.ts";

/** What may be the session's fault and not the permissions': believed only of a new session. */
const DOUBTFUL: readonly FailureCode[] = [
  "get-secret-value-denied",
  "get-parameter-denied",
  "kms-denied",
  "credentials-expired",
  "credentials-invalid",
];

/** Asks as the target role; once more, in a new session, where the refusal may be the old one's fault. */
export async function asRole<T>(
  credentials: RoleCredentials,
  deadlineEpochMs: DeadlineEpochMs,
  ask: (credentials: AwsCredentials) => Promise<T>,
): Promise<T> {
  const held = await credentials.get(deadlineEpochMs);
  try {
    return await ask(held);
  } catch (thrown) {
    if (!DOUBTFUL.includes(toFailure(thrown).code)) throw thrown;
    const others = await credentials.getInstead(held, deadlineEpochMs);
    if (others === held) throw thrown;
    return await ask(others);
  }
}
