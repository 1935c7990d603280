/** The time from the start of an execution environment until the function has its secret, and the time of a read in a later invocation. */

import type { LayerName } from "../../../scripts/build/layers.ts";
import { findObstacle } from "../../e2e/support/availability.ts";
import {
  type EnvironmentTimes,
  type FunctionVariant,
  type Language,
  languages,
  measureEnvironment,
  withFunctionImages,
} from "../environment.ts";
import { AGENT, type Figure, interleave, type MeasureSection } from "../figure.ts";
import { toMeasuredLayer } from "../processes.ts";

const DELAYS = { stsMs: 40, secretsManagerMs: 30 };
const MEASURES = [
  ["cold start until static code has it", "staticMs"],
  ["cold start until the handler has it", "handlerMs"],
  ["a warm invocation's read", "warmMs"],
] as const;

export const measureSecret: MeasureSection = async ({ layers, aws, isQuick, agent }) => {
  const obstacle = await findObstacle(console.error);
  if (obstacle !== undefined) return { figures: [], notes: [`secret: ${obstacle}`] };
  const present = languages.flatMap((language) =>
    language.layers.filter((layer) => layers.includes(layer)).map((layer) => ({ language, layer })),
  );
  /** Without a layer, the figure is the same for every layer of the language. */
  const toName = ({ name }: Language, variant: FunctionVariant, layer: LayerName) =>
    `${name}, ${variant === "layer" ? layer : variant}`;
  const variants: readonly FunctionVariant[] = agent === undefined ? ["layer", "guide"] : ["layer", "guide", "agent"];
  await aws.delay(DELAYS);
  const measured = await withFunctionImages(agent, (images) =>
    interleave(
      isQuick ? 2 : 15,
      new Map(
        present.flatMap(({ language, layer }) =>
          variants.map((variant): [string, () => Promise<EnvironmentTimes>] => [
            toName(language, variant, layer),
            () =>
              measureEnvironment({
                opt: images.toOpt(variant, layer),
                task: images.toTask(language, variant),
                runtime: language.runtime(),
                aws,
              }),
          ]),
        ),
      ),
    ),
  );
  await aws.delay({ stsMs: 0, secretsManagerMs: 0 });

  const figures = present.flatMap(({ language, layer }) =>
    MEASURES.map(([what, key]): Figure => {
      const take = (variant: FunctionVariant) => measured(toName(language, variant, layer)).map((times) => times[key]);
      const guide = { who: "the guides' code", numbers: take("guide") };
      const isAgentAble = agent !== undefined && key !== "staticMs";
      return {
        what: `${language.name}, ${what}`,
        who: toMeasuredLayer(layer).layer,
        unit: "ms",
        numbers: take("layer"),
        isKey: true,
        against: isAgentAble ? [guide, { who: AGENT, numbers: take("agent") }] : [guide],
      };
    }),
  );
  return { figures, notes: [...NOTES, agent === undefined ? NO_AGENT : OF_AGENT] };
};

const NOTES = [
  `STS takes ${DELAYS.stsMs} ms, Secrets Manager ${DELAYS.secretsManagerMs} ms, over plain HTTP: the time of TLS is in no figure`,
  "the functions are those of examples/ with the layer, and the guides' with boto3 and the AWS SDK for JavaScript",
];
const OF_AGENT =
  "AWS's agent (aws-workload-credentials-provider) starts with the first invocation, as in its own example, and static code cannot read from it; its function asks every 10 ms until the agent answers";
const NO_AGENT = "AWS's agent is left out: --wcp names its program";
