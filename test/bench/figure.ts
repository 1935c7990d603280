/** A figure of the bench, and what a section needs and returns. */
import type { LayerName } from "../../scripts/build/layers.ts";
import { type Spread, toRatios, toSpread } from "../support/statistics.ts";
import type { BenchmarkAws } from "./aws.ts";

export type Unit = "ms" | "MB" | "bytes" | "calls" | "per s";

export interface Figure {
  readonly what: string;
  readonly who: string;
  readonly unit: Unit;
  /** One for each repetition. */
  readonly numbers: readonly number[];
  /** Key figures are in the plot, each beside the first of `against`. */
  readonly isKey?: boolean;
  /** The figures that were measured in turn with this one, repetition by repetition. */
  readonly against?: readonly { readonly who: string; readonly numbers: readonly number[] }[];
}

/** The name of AWS's agent in the figures. */
export const AGENT = "AWS's agent";

export interface SectionFindings {
  readonly figures: readonly Figure[];
  /** What a reader of the figures must know, and what could not be measured on this machine: one line each. */
  readonly notes?: readonly string[];
}

export interface BenchmarkContext {
  /** The built layers that this machine can run. */
  readonly layers: readonly LayerName[];
  readonly aws: BenchmarkAws;
  /** Few repetitions. */
  readonly isQuick: boolean;
  /** The program of AWS's agent. */
  readonly agent: string | undefined;
}

export type MeasureSection = (context: BenchmarkContext) => Promise<SectionFindings>;

/** A figure with its medians, quartiles and ratios, for the table, the plot and the JSON file. */
export interface FigureSummary extends Omit<Figure, "against"> {
  readonly spread: Spread;
  readonly against: readonly { readonly who: string; readonly spread: Spread; readonly ratio: Spread }[];
}

export const toSummary = ({ against = [], ...figure }: Figure): FigureSummary => ({
  ...figure,
  spread: toSpread(figure.numbers),
  against: against.map(({ who, numbers }) => ({
    who,
    spread: toSpread(numbers),
    ratio: toRatios(figure.numbers, numbers),
  })),
});

/**
 * Runs all measurements in rounds. Each round begins with another one, so that a slower minute of the machine or the order
 * favours none. The first round is not counted: it loads files into memory and wakes the processors.
 */
export async function interleave<Measured>(
  rounds: number,
  measurements: ReadonlyMap<string, () => Promise<Measured>>,
): Promise<(name: string) => readonly Measured[]> {
  const measured = new Map([...measurements.keys()].map((name): [string, Measured[]] => [name, []]));
  const row = [...measurements];
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, measure] of row) {
      const result = await measure();
      if (round > 0) measured.get(name)?.push(result);
    }
    row.push(...row.splice(0, 1));
  }
  return (name) => measured.get(name) ?? [];
}
