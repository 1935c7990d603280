/**
 * Remembers failures, so that one that is sure to come again is not provoked at every request: the next try comes after a
 * pause that doubles. Success clears. Nothing is due by a timer: whether the pause is over is decided when somebody asks.
 */
import type { Failure } from "../failure/failure.ts";

/** How long a failure is remembered. */
export interface BackOff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** Each pause is cut by up to a half at random, so that a fleet does not come back at once. */
  readonly isJittered: boolean;
}

export interface FailureMemory {
  /**
   * The failure that is remembered, which says when to ask again; undefined when the next try may be made. Who insists is
   * kept from it for `mostMs` at the most.
   */
  recall(key: string, mostMs?: number): Failure | undefined;
  /** Gives the failure back, which now says when to ask again. */
  remember(key: string, failure: Failure): Failure;
  forget(key: string): void;
}

interface Memory {
  readonly failure: Failure;
  readonly times: number;
  readonly sinceEpochMs: number;
  readonly pauseMs: number;
}

/** Failures of keys that nobody asks for any more are dropped, the oldest first. */
const MAX_MEMORIES = 1_000;

export function createFailureMemory(parts: {
  readonly backOffOf: (failure: Failure) => BackOff | undefined;
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
}): FailureMemory {
  const { backOffOf, now, random } = parts;
  const memories = new Map<string, Memory>();

  return {
    recall(key, mostMs = Number.POSITIVE_INFINITY) {
      const memory = memories.get(key);
      if (memory === undefined) return undefined;
      const passedMs = now() - memory.sinceEpochMs;
      // A clock that has stepped back says nothing about how long it still is.
      const leftMs = passedMs < 0 ? 0 : Math.min(memory.pauseMs, mostMs) - passedMs;
      return leftMs > 0 ? memory.failure.withRetryAfter(leftMs) : undefined;
    },
    remember(key, failure) {
      const backOff = backOffOf(failure);
      if (backOff === undefined) return failure;
      // A failure of another kind begins anew: a first denial is not paid for by the throttling before it.
      const last = memories.get(key);
      const times = last !== undefined && backOffOf(last.failure) === backOff ? last.times + 1 : 1;
      memories.delete(key);
      const longestMs = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (times - 1));
      const pauseMs = backOff.isJittered ? longestMs * (1 - random() / 2) : longestMs;
      memories.set(key, { failure, times, sinceEpochMs: now(), pauseMs });
      for (const oldest of memories.keys()) {
        if (memories.size <= MAX_MEMORIES) break;
        memories.delete(oldest);
      }
      return failure.withRetryAfter(pauseMs);
    },
    forget: (key) => void memories.delete(key),
  };
}
