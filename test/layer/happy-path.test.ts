import { describe, it } from "vitest";
import type { LayerName } from "../../scripts/build/build.ts";
import { startBench } from "../support/bench.ts";
import { exampleFunctions } from "../support/functions.ts";
import { expectHappyPath } from "../support/happy-path.ts";

const canRunX86 = process.platform === "linux" && process.arch === "x64";
const layers: readonly [LayerName, boolean][] = [
  ["nodejs", true],
  ["x86_64", canRunX86],
];

describe.each(layers)("the %s layer, on the fakes", (layer, canRun) => {
  for (const { language, version, runtime } of exampleFunctions) {
    const needs = version === undefined ? ` (needs ${language})` : canRun ? "" : " (needs Linux on x86_64)";
    it.skipIf(needs !== "")(
      `gives a function in ${language} the secret in static code and in each invocation${needs}`,
      async () => {
        const { lambda, aws } = await startBench({ layer, runtime });
        await lambda.init();
        await expectHappyPath({
          invoke: async () => {
            const invocation = await lambda.invoke();
            return "payload" in invocation ? invocation.payload : invocation.error;
          },
          shutdown: async () => void (await lambda.shutdown()),
          count: aws.count,
        });
      },
    );
  }
});
