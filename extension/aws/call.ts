/** One call to AWS: under one deadline, tried again if that may help, logged. It fails with a Failure only. */
import { type DeadlineEpochMs, within } from "../cache/deadline.ts";
import type { AwsCall } from "../failure/aws-error.ts";
import { diagnose, toTimeout } from "../failure/diagnosis.ts";
import { type FailureCode, failureTable, toFailureRow } from "../failure/failure.ts";
import type { Logger } from "../logger.ts";
import { deleteOldest } from "../values/memoize.ts";

/** Far more calls than are ever in flight. */
const MAX_FAILING = 1_000;

/**
 * `send` makes one try, signed at that moment, and should end it when the signal fires. Rejects with a Failure, at the
 * deadline at the latest.
 */
export type AwsCaller = <T>(
  call: AwsCall,
  deadlineEpochMs: DeadlineEpochMs,
  send: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

export function createAwsCaller(deps: {
  readonly logger: Logger;
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
}): AwsCaller {
  const { logger, now, random } = deps;
  /**
   * The calls that failed last time, and why. While a fault that may pass lasts, each call gets one try: a fleet that asks
   * three times triples an outage, and the cache already waits between calls. A remedy is logged once.
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
        const { tries: most = 1, pauseMs: longestPauseMs } = toFailureRow(failure);
        const pauseMs = random() * (longestPauseMs ?? 0) * 2 ** (tries - 1);
        const last = failing.get(key);
        const hasFailedBefore = last !== undefined && isRetried(last) && longestPauseMs !== 0;
        // At the deadline, this failure says more than "too late".
        const isFinal = hasFailedBefore || tries >= most || now() + pauseMs >= deadlineEpochMs;
        const { remedy, statements, ...rest } = details;
        const advice = isFinal && last !== code ? { remedy, statements } : {};
        logger[isFinal ? "warn" : "debug"]("aws-call-failed", { operation, code, tries, message, ...rest, ...advice });
        if (isFinal) {
          failing.delete(key);
          failing.set(key, code);
          deleteOldest(failing, MAX_FAILING);
          throw failure;
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  };
}

const isRetried = (code: FailureCode): boolean => "tries" in failureTable[code];
