/** The session of a target role: assumed once for all who need it, kept, renewed, and replaced if AWS refuses it. */
import { type DeadlineEpochMs, watchForFreeze } from "../cache/deadline.ts";
import { type Fetched, Kept } from "../cache/kept.ts";
import type { AwsCredentials } from "../config/aws-environment.ts";
import { toTimeout } from "../failure/diagnosis.ts";
import { type BackOff, type FailureCode, toFailure, toFailureRow } from "../failure/failure.ts";
import { type AssumeRoleDeps, createAssumeRole } from "./assume-role.ts";

export interface RoleCredentials {
  /** Whether `get` returns without a call to STS. */
  isAtHand(): boolean;
  /** Returns the credentials of a session. All callers that need a new session share one AssumeRole. */
  get(deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials>;
  /**
   * AWS refused these credentials: their session may have been revoked, or its role created again. Returns those of another
   * session, or the same ones if their session is so new that the refusal must be true.
   */
  getInstead(refused: AwsCredentials, deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials>;
}

interface Session {
  readonly credentials: AwsCredentials;
  readonly newForMs: number;
}

/** In this last part of its life a session is renewed: 6 minutes of an hour. */
const RENEWAL_PART = 0.1;
/**
 * How long a session counts as new: 60 s. If it replaces a refused one, 120 s, and then 240 s. While the session is new, a
 * refusal starts no other session, so that a permanent denial costs at most one AssumeRole in that time.
 */
const NEW_SESSION_MS = { least: 60_000, most: 240_000 };
/** The pause after a failed AssumeRole is short: the cache remembers the failure of each secret for longer. */
const DENIED_PAUSE: BackOff = { firstMs: 1_000, mostMs: 1_000, isJittered: false };
/** AWS may answer again at any moment. */
const UNAVAILABLE_PAUSE: BackOff = { firstMs: 200, mostMs: 200, isJittered: false };

export function createRoleCredentials(deps: AssumeRoleDeps): RoleCredentials {
  const { now, random } = deps;
  const assumeRole = createAssumeRole(deps);
  const kept = new Kept<Session>(now);
  const id = deps.source.roleArn;
  let order = 0;

  async function renew(deadlineEpochMs: DeadlineEpochMs, newForMs: number): Promise<AwsCredentials> {
    const late = () => toTimeout(assumeRole.call);
    const start = async (): Promise<Fetched<Session>> => {
      const recalled = kept.recall();
      if (recalled !== undefined) return { id, failure: recalled };
      order += 1;
      const renewal = order;
      return watchForFreeze(deadlineEpochMs - now(), now, async (wasFrozen) => {
        try {
          const { credentials, askedAtEpochMs, lifeMs } = await assumeRole.send(deadlineEpochMs);
          const ages = { freshMs: lifeMs * (1 - RENEWAL_PART), ttlMs: lifeMs, keepMs: lifeMs };
          const held = { value: { credentials, newForMs }, askedAtEpochMs, order: renewal, ...ages };
          kept.hold(held);
          return { id, held };
        } catch (thrown) {
          const failure = toFailure(thrown);
          const pause = toFailureRow(failure).mayServeStale ? UNAVAILABLE_PAUSE : DENIED_PAUSE;
          if (!wasFrozen()) kept.fail(failure, renewal, pause, random);
          return { id, failure };
        }
      });
    };
    const fetched = await kept.fetch({ deadlineEpochMs, start, late });
    if ("failure" in fetched) throw fetched.failure;
    return fetched.held.value.credentials;
  }

  async function get(deadlineEpochMs: DeadlineEpochMs): Promise<AwsCredentials> {
    const held = kept.find();
    if (held === undefined) return renew(deadlineEpochMs, NEW_SESSION_MS.least);
    // Near its end, the next session is fetched behind the request. A failure of STS is logged and costs nothing.
    if (!kept.isFresh(held)) renew(deadlineEpochMs, NEW_SESSION_MS.least).catch(() => {});
    return held.value.credentials;
  }

  return {
    isAtHand: () => kept.find() !== undefined,
    get,
    async getInstead(refused, deadlineEpochMs) {
      const held = kept.find();
      if (held?.value.credentials !== refused) return get(deadlineEpochMs);
      const { newForMs } = held.value;
      if (kept.toAgeMs(held) < newForMs) return refused;
      return renew(deadlineEpochMs, Math.min(2 * newForMs, NEW_SESSION_MS.most));
    },
  };
}

/** Denials that stand if no new session can be had. A revoked session meets an explicit deny. */
const DENIED: readonly FailureCode[] = [
  "get-secret-value-denied",
  "get-parameter-denied",
  "kms-denied",
  "explicit-deny",
];

/** Failures that may come from the session instead of the permissions. They are believed only of a new session. */
const DOUBTFUL: readonly FailureCode[] = [...DENIED, "credentials-expired", "credentials-invalid"];

/** Asks as the target role. If the session may be the cause of a failure, asks once more in a new session. */
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
