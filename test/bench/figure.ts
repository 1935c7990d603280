/** What the bench finds out, and who finds it out. */
import type { LayerName } from "../../scripts/build/layers.ts";
import { type Spread, toRatios, toSpread } from "../support/statistics.ts";
import type { BenchAws } from "./aws.ts";

export type Unit = "ms" | "MB" | "bytes" | "calls" | "per s";

export interface Figure {
  readonly what: string;
  readonly who: string;
  readonly unit: Unit;
  /** One for each repetition. */
  readonly numbers: readonly number[];
  /** One of the few that a reader should see first: it is in the plot, beside the first of the others. */
  readonly isKey?: boolean;
  /** What was measured beside it, repetition by repetition. */
  readonly against?: readonly { readonly who: string; readonly numbers: readonly number[] }[];
}

/** As a contestant, wherever it is measured. */
export const AGENT = "AWS's agent";

export interface SectionFindings {
  readonly figures: readonly Figure[];
  /** What a reader of the figures has to know, and what could not be measured here: one line each. */
  readonly notes?: readonly string[];
}

export interface BenchContext {
  /** Those that are built, and run on this machine. */
  readonly layers: readonly LayerName[];
  readonly aws: BenchAws;
  /** A rough answer, soon. */
  readonly isQuick: boolean;
  /** The program of AWS's agent. */
  readonly agent: string | undefined;
}

export type MeasureSection = (world: BenchContext) => Promise<SectionFindings>;

/** A figure as the table, the plot and the file show it. */
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
 * Measures all contestants again and again, each time beginning with another one, so that a slower minute of the machine or
 * a place in the row is nobody's advantage. A first round is not counted: files come into memory, and processors wake.
 */
export async function interleave<Measured>(
  rounds: number,
  contestants: ReadonlyMap<string, () => Promise<Measured>>,
): Promise<(name: string) => readonly Measured[]> {
  const measured = new Map([...contestants.keys()].map((name): [string, Measured[]] => [name, []]));
  const row = [...contestants];
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, measure] of row) {
      const result = await measure();
      if (round > 0) measured.get(name)?.push(result);
    }
    row.push(...row.splice(0, 1));
  }
  return (name) => measured.get(name) ?? [];
}
