/** How figures are gathered and worded. */
import { type Seconds, toPeak, toQuantile, toTotal } from "./tally.ts";

/** For each environment, the first number only. */
export function createFirsts() {
  const firsts = new Map<number, number>();
  return {
    add(environment: number, value: number): void {
      if (!firsts.has(environment)) firsts.set(environment, value);
    },
    all: () => [...firsts.values()],
  };
}

export const toSpread = (seconds: readonly number[]): string =>
  `${toText(toQuantile(seconds, 0.5))} s (median), ${toText(toQuantile(seconds, 0.99))} s (99 %), ${toText(toQuantile(seconds, 1))} s (last)`;

export function toRate(seconds: Seconds, fromS: number, toS: number): string {
  return `${toText(toTotal(seconds, fromS, toS) / (toS - fromS))} (peak ${toText(toPeak(seconds, fromS, toS))})`;
}

/** Three digits that mean something, and thousands apart. */
export function toText(number: number): string {
  if (number >= 100) return Math.round(number).toLocaleString("en-US");
  return number === 0 ? "0" : number.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}
