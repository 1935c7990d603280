/** The size of the zip, of the unzipped layer (of the 250 MB for a function and its layers), and of the files that Node.js loads. */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toOpt } from "../../../scripts/build/build.ts";
import { readManifest } from "../../../scripts/build/layers.ts";
import type { Figure, MeasureSection } from "../figure.ts";

const bundles = ["main.cjs", "aws-sdk.cjs", "aws-ssm.cjs"];

export const measureSize: MeasureSection = async () => {
  const entries = await readManifest(dirname(toOpt("nodejs")));
  const ofLayers = entries.flatMap(({ name, zippedBytes, unzippedBytes }): Figure[] => [
    { what: "zip", who: `${name} layer`, unit: "bytes", numbers: [zippedBytes] },
    { what: "unzipped", who: `${name} layer`, unit: "bytes", numbers: [unzippedBytes] },
  ]);
  const ofBundles = bundles.map(async (file): Promise<Figure> => {
    const { size } = await stat(join(toOpt("nodejs"), "cross-account-secrets", file));
    return { what: file, who: "every layer", unit: "bytes", numbers: [size] };
  });
  return { figures: [...ofLayers, ...(await Promise.all(ofBundles))] };
};
