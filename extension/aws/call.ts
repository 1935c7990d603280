/** One call to AWS, by whatever client: under one deadline, tried again where that may help, logged, and failing with a Failure. */
import { type DeadlineEpochMs, within } from "../cache/deadline.ts";
import { type AwsCall, diagnose, toTimeout } from "../failure/diagnosis.ts";
import type { FailureCode } from "../failure/failure.ts";
import type { Logger } from "../logger.ts";

/**
 * What is worth another try: how many there are in all, and the longest that the first pause may be; each later one may be
 * twice as long. An unsteady network only has to be asked again, but a throttled fleet must spread out and ask less. After
 * a wrong signature the client has set its clock by AWS's. Pauses are jittered in full:
 * https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
const retries: Partial<Record<FailureCode, { readonly tries: number; readonly pauseMs: number }>> = {
  throttled: { tries: 2, pauseMs: 1_000 },
  "aws-error": { tries: 3, pauseMs: 100 },
  "aws-response-invalid": { tries: 3, pauseMs: 100 },
  unreachable: { tries: 3, pauseMs: 100 },
  // Lambda may hold its endpoint back while it restores a snapshot.
  "credentials-unavailable": { tries: 3, pauseMs: 100 },
  "signature-invalid": { tries: 3, pauseMs: 0 },
  "clock-skewed": { tries: 3, pauseMs: 0 },
};

/** Calls that failed are forgotten, the oldest first: more than are ever under way. */
const MAX_FAILING = 1_000;

/** `send` makes one try, signed anew, and is to end it when the signal fires. Rejects with a Failure, at the deadline at the latest. */
export type AwsCaller = <T>(
  call: AwsCall,
  deadlineEpochMs: DeadlineEpochMs,
  send: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

export function createAwsCaller(parts: {
  readonly logger: Logger;
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
}): AwsCaller {
  const { logger, now, random } = parts;
  /**
   * Calls that failed, and of what, until one succeeds. Of what may pass each gets one try: in an outage a fleet that asks
   * three times is three outages; who tells the next pause is the cache. What to do about it is logged once.
   */
  const failing = new Map<string, FailureCode>();

  return async (call, deadlineEpochMs, send) => {
    const { operation, region, roleArn, id = "" } = call;
    const key = `${operation} ${region} ${roleArn} ${id}`;
    for (let tries = 1; ; tries += 1) {
      try {
        const answer = await within({ deadlineEpochMs, now, start: send, late: () => toTimeout(call) });
        failing.delete(key);
        return answer;
      } catch (thrown) {
        const failure = diagnose(thrown, call);
        const { code, message, details } = failure;
        const retry = retries[code];
        const pauseMs = random() * (retry?.pauseMs ?? 0) * 2 ** (tries - 1);
        const last = failing.get(key);
        const isHopeless = last !== undefined && retries[last] !== undefined && retry?.pauseMs !== 0;
        // Whoever would still be pausing at the deadline knows more now than "too late".
        const isFinal = retry === undefined || isHopeless || tries >= retry.tries || now() + pauseMs >= deadlineEpochMs;
        const { remedy, statements, ...rest } = details;
        const advice = isFinal && last !== code ? { remedy, statements } : {};
        logger[isFinal ? "warn" : "debug"]("aws-call-failed", { operation, code, tries, message, ...rest, ...advice });
        if (isFinal) {
          // The latest stands last.
          failing.delete(key);
          failing.set(key, code);
          for (const oldest of failing.keys()) {
            if (failing.size <= MAX_FAILING) break;
            failing.delete(oldest);
          }
          throw failure;
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  };
}
