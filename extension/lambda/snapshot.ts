/** What SnapStart needs: state that does not outlive a restore, and random numbers that are not part of a snapshot. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/** Far more than a clock is slewed between two requests, and less than it takes to restore a snapshot. */
const JUMP_MS = 2_000;

/**
 * Creates state that must not outlive a restore from a snapshot (values, credentials, what tells this environment from
 * others). After a restore, the next call creates it again.
 *
 * Lambda does not tell an extension about a restore. But only the wall clock goes on between snapshot and restore, while
 * both clocks go on during a freeze: https://github.com/aws/aws-lambda-web-adapter/issues/830 has measurements.
 */
export function createRestorable<T>(deps: {
  readonly create: () => T;
  readonly config: { readonly isSnapStart: boolean };
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** In milliseconds, from any moment on. */
  readonly monotonicNow: () => number;
}): () => T {
  const { create, config, now, monotonicNow } = deps;
  const toOffsetMs = () => now() - monotonicNow();
  let offsetMs = toOffsetMs();
  let state = create();
  // Without SnapStart a jump is only a clock that was set. Values and sessions handle that themselves.
  if (!config.isSnapStart) return () => state;
  return () => {
    if (Math.abs(toOffsetMs() - offsetMs) > JUMP_MS) state = create();
    offsetMs = toOffsetMs();
    return state;
  };
}

/**
 * A number from 0 to 1, without 1, from the kernel. The state of `Math.random`, the numbers that `randomInt` keeps ready
 * and OpenSSL's generator are all part of a snapshot: every environment restored from it would get the same numbers.
 * https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
 */
export function random(): number {
  return readRandomBytes().readUInt32BE() / 2 ** 32;
}

function readRandomBytes(): Buffer {
  try {
    const file = openSync("/dev/urandom", "r");
    try {
      const bytes = Buffer.alloc(4);
      readSync(file, bytes);
      return bytes;
    } finally {
      closeSync(file);
    }
  } catch {
    // A system without this device has no snapshots.
    return randomBytes(4);
  }
}

/** A suffix that tells one execution environment from another, made from a number from 0 to 1. */
export const toSuffix = (fraction: number): string =>
  Math.floor(fraction * 2 ** 32)
    .toString(16)
    .padStart(8, "0");
