/** The time that the layer adds to a cold start: init and the first invocation, with the layer and without it. */
import { findObstacle } from "../../e2e/support/availability.ts";
import type { BenchmarkAws } from "../aws.ts";
import {
  type FunctionImages,
  type Language,
  languages,
  measureEnvironment,
  withFunctionImages,
} from "../environment.ts";
import { type Figure, interleave, type MeasureSection } from "../figure.ts";
import { type CommandLine, startExtension, toMeasuredLayer } from "../processes.ts";

/** The delay of each of the two calls to AWS. */
const DELAYS_MS = [0, 10, 40];
/** About the delay within a region. This one is in the plot. */
const KEY_DELAY_MS = 10;
/** Only the runtime, and the time of a large dependency. */
const IMPORTS_MS = [0, 200];
const PREFETCHES = [
  { name: "", isDefault: true, variables: {} },
  {
    name: ", PREFETCH_TIMEOUT_MS=0",
    isDefault: false,
    variables: { CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0" },
  },
];
const cases = IMPORTS_MS.flatMap((importsMs) =>
  PREFETCHES.flatMap((prefetch) => DELAYS_MS.map((delayMs) => ({ importsMs, delayMs, ...prefetch }))),
);

interface Measured {
  /** For an environment: the time until the first answer. For a process: the time until the event that is measured. */
  readonly ms: number;
  /** For an environment: the time until the function's static code has run. */
  readonly initMs?: number;
}
type NamedMeasurements = readonly (readonly [string, () => Promise<Measured>])[];

export const measureInit: MeasureSection = async ({ layers, aws, isQuick }) => {
  const obstacle = await findObstacle(console.error);
  if (obstacle !== undefined) return { figures: [], notes: [`init: ${obstacle}`] };
  const present = languages.filter((language) => layers.includes(language.layers[0]));
  const measured = await withFunctionImages(undefined, (images) => {
    const measurements = present.flatMap((language) => toMeasurements(language, images, aws));
    return interleave(isQuick ? 2 : 15, new Map(measurements));
  });
  await aws.delay({ stsMs: 0, secretsManagerMs: 0 });
  return { figures: present.flatMap((language) => toFigures(language, measured)), notes: NOTES };
};

const toName = ({ name }: Language, importsMs: number) => `${name}, ${importsMs} ms of imports`;
const toCaseName = (language: Language, { importsMs, delayMs, name }: (typeof cases)[number]) =>
  `${toName(language, importsMs)}, AWS ${delayMs} ms${name}`;
const toAloneName = (layer: string, delayMs: number) => `${layer}, alone, AWS ${delayMs} ms`;

function toMeasurements(language: Language, images: FunctionImages, aws: BenchmarkAws): NamedMeasurements {
  const { floor, layer, commands } = toMeasuredLayer(language.layers[0]);
  const slow = (delayMs: number, measure: () => Promise<Measured>) => async () => {
    await aws.delay({ stsMs: delayMs, secretsManagerMs: delayMs });
    return measure();
  };
  const start = async (variant: "idle" | "layer", importsMs: number, variables = {}) => {
    const { firstAnswerMs, staticMs } = await measureEnvironment({
      opt: images.toOpt(variant, language.layers[0]),
      task: images.toTask(language, "idle"),
      runtime: language.runtime(),
      aws,
      variables: { BENCH_IMPORTS_MS: String(importsMs), ...variables },
    });
    return { ms: firstAnswerMs, initMs: staticMs };
  };
  return [
    [floor, () => time(commands.floor, aws, "registerMs")],
    ...DELAYS_MS.map(
      (delayMs) => [toAloneName(layer, delayMs), slow(delayMs, () => time(commands.layer, aws, "readyMs"))] as const,
    ),
    ...IMPORTS_MS.map((importsMs) => [toName(language, importsMs), () => start("idle", importsMs)] as const),
    ...cases.map((one) => {
      const measure = () => start("layer", one.importsMs, one.variables);
      return [toCaseName(language, one), slow(one.delayMs, measure)] as const;
    }),
  ];
}

async function time(command: CommandLine, aws: BenchmarkAws, which: "registerMs" | "readyMs"): Promise<Measured> {
  const extension = await startExtension({ command, aws });
  await extension.close();
  return { ms: extension[which] };
}

function toFigures(language: Language, measured: (name: string) => readonly Measured[]): Figure[] {
  const { layer, floor } = toMeasuredLayer(language.layers[0]);
  const take = (name: string) => measured(name).map(({ ms }) => ms);
  const figure = { who: layer, unit: "ms" } as const;
  const absolute = IMPORTS_MS.map((importsMs): Figure => {
    const what = toName(language, importsMs);
    return { ...figure, what: `${what}, without a layer`, who: "none", numbers: take(what) };
  });
  const added = cases.map((one): Figure => {
    const alone = measured(toName(language, one.importsMs));
    const afterInit = subtract(
      take(toAloneName(layer, one.delayMs)),
      alone.map(({ initMs = 0 }) => initMs),
    );
    const isLimitedByUs = one.importsMs === 0 && one.isDefault;
    return {
      ...figure,
      what: `added: ${toCaseName(language, one)}`,
      numbers: subtract(
        take(toCaseName(language, one)),
        alone.map(({ ms }) => ms),
      ),
      isKey: one.isDefault && one.delayMs === KEY_DELAY_MS,
      against: [
        { who: `${floor}, register`, numbers: take(floor) },
        ...(isLimitedByUs ? [{ who: "ready by itself, less the function's init", numbers: afterInit }] : []),
      ],
    };
  });
  return [...absolute, ...added];
}

const subtract = (numbers: readonly number[], others: readonly number[]): number[] =>
  numbers.map((number, index) => number - (others[index] ?? Number.NaN));

const NOTES = [
  "added: init and first invocation of a function that reads nothing, under the emulator, less the same without the layer",
  "each of the two calls to AWS takes as long as said; Python has Lambda's own runtime client, Node.js a small one of ours",
];
