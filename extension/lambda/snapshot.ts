import { randomBytes } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/**
 * What must not outlive a restore from a SnapStart snapshot: values, credentials, and what tells this environment from
 * others. It is made anew when it is next asked for.
 *
 * Lambda tells no extension of a restore. But of the two clocks only the wall clock goes on between snapshot and restore,
 * while over a freeze both do, as measured by https://github.com/aws/aws-lambda-web-adapter/issues/830.
 */
export function createRestorable<T>(parts: {
  readonly make: () => T;
  readonly config: { readonly isSnapStart: boolean };
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** In milliseconds, from any moment on. */
  readonly monotonicNow: () => number;
}): () => T {
  const { make, config, now, monotonicNow } = parts;
  const toOffsetMs = () => now() - monotonicNow();
  let offsetMs = toOffsetMs();
  let made = make();
  // Anywhere else it is but a clock that was set, of which values and sessions take care themselves.
  if (!config.isSnapStart) return () => made;
  return () => {
    if (Math.abs(toOffsetMs() - offsetMs) > JUMP_MS) made = make();
    offsetMs = toOffsetMs();
    return made;
  };
}

/** Far above what a clock is slewed by between two requests, and below the time that it takes to restore a snapshot. */
const JUMP_MS = 2_000;

/**
 * A number from 0 to 1, without 1, from the kernel: the state of `Math.random`, the numbers that `randomInt` holds ready
 * and OpenSSL's own generator are all part of a snapshot, and would give every execution environment that is restored
 * from it the same. https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
 */
export function random(): number {
  return toBytes().readUInt32BE() / 2 ** 32;
}

function toBytes(): Buffer {
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
    // There are no snapshots where there is no such device.
    return randomBytes(4);
  }
}

/** Of a fraction from 0 to 1: what tells one execution environment from another. */
export const toSuffix = (fraction: number): string =>
  Math.floor(fraction * 2 ** 32)
    .toString(16)
    .padStart(8, "0");
