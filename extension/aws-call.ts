/** One call to AWS, by whatever client: under one deadline, tried again where that may help, logged, and failing with a Failure. */
import { type DeadlineEpochMs, within } from "./deadline.ts";
import { type AwsCall, diagnose, toTimeout } from "./diagnosis.ts";
import type { FailureCode } from "./errors.ts";
import type { Logger } from "./logger.ts";

const MAX_TRIES = 3;

/**
 * What is worth another try, and the longest that the first pause may be; each later one may be twice as long. A throttled
 * fleet must spread out, an unsteady network only has to be asked again. After a wrong signature the client has set its
 * clock by AWS's. Pauses are jittered in full: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
const pausesMs: Partial<Record<FailureCode, number>> = {
  throttled: 500,
  "aws-error": 100,
  "aws-response-invalid": 100,
  unreachable: 100,
  "signature-invalid": 0,
};

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
  return async (call, deadlineEpochMs, send) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await within({ deadlineEpochMs, now, start: send, late: () => toTimeout(call) });
      } catch (thrown) {
        const failure = diagnose(thrown, call);
        const { code, message, details } = failure;
        const longestPauseMs = pausesMs[code];
        const pauseMs = random() * (longestPauseMs ?? 0) * 2 ** (tries - 1);
        // Whoever would still be pausing at the deadline knows more now than "too late".
        const isFinal = longestPauseMs === undefined || tries === MAX_TRIES || now() + pauseMs >= deadlineEpochMs;
        const { operation } = call;
        logger[isFinal ? "warn" : "debug"]("aws-call-failed", { operation, code, tries, message, ...details });
        if (isFinal) throw failure;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  };
}
