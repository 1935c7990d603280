import { randomBytes } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

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
