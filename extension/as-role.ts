import type { AwsCredentials } from "./aws-environment.ts";
import type { DeadlineEpochMs } from "./deadline.ts";
import { type FailureCode, toFailure } from "./errors.ts";
import type { RoleCredentials } from "./role-credentials.ts";

/** What AWS refused stays refused, though no new session is to be had. A session that was revoked meets an explicit deny. */
const DENIED: readonly FailureCode[] = [
  "get-secret-value-denied",
  "get-parameter-denied",
  "kms-denied",
  "explicit-deny",
];

/** What may be the session's fault and not the permissions': believed only of a new session. */
const DOUBTFUL: readonly FailureCode[] = [...DENIED, "credentials-expired", "credentials-invalid"];

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
    const { code } = toFailure(thrown);
    if (!DOUBTFUL.includes(code)) throw thrown;
    const others = await credentials.getInstead(held, deadlineEpochMs).catch((failure: unknown) => {
      throw DENIED.includes(code) ? thrown : failure;
    });
    if (others === held) throw thrown;
    return await ask(others);
  }
}
