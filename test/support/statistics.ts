/** Quantiles, and ratios of paired numbers. Pure. */

export interface Spread {
  readonly lower: number;
  readonly median: number;
  readonly upper: number;
}

/** Interpolates between neighbours, as spreadsheets and R do by default. */
export function toQuantile(numbers: Iterable<number>, part: number): number {
  const sorted = Float64Array.from(numbers).sort();
  if (sorted.length === 0) throw new Error("there is no quantile of no numbers");
  const place = part * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** The median and the quartiles: a rare pause of the machine changes none of them. */
export const toSpread = (numbers: readonly number[]): Spread => ({
  lower: toQuantile(numbers, 0.25),
  median: toQuantile(numbers, 0.5),
  upper: toQuantile(numbers, 0.75),
});

/** Divides each number by the one that was measured directly beside it, so that a slower machine changes both. */
export function toRatios(numbers: readonly number[], others: readonly number[]): Spread {
  if (numbers.length !== others.length) throw new Error(`${numbers.length} numbers beside ${others.length}`);
  return toSpread(numbers.map((number, index) => number / (others[index] ?? Number.NaN)));
}
