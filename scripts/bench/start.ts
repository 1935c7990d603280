/** From the start of the process to its registration, for which Lambda waits, and to its first `/event/next`, which ends init. */
import { type Extension, startExtension } from "./extension.ts";
import { type Figure, interleave, type Section } from "./figure.ts";
import { toContestant } from "./layers.ts";

export const measureStart: Section = async ({ layers, aws, isQuick }) => {
  const contestants = layers.map(toContestant);
  const measure = (command: Parameters<typeof startExtension>[0]["command"]) => async () => {
    const extension = await startExtension({ command, aws });
    await extension.close();
    return extension;
  };
  const measured = await interleave(
    isQuick ? 5 : 30,
    new Map(
      contestants.flatMap(({ layer, floor, commands }) => [
        [layer, measure(commands.layer)],
        [floor, measure(commands.floor)],
      ]),
    ),
  );
  const figures = contestants.flatMap(({ layer, floor }): Figure[] => {
    const take = (who: string, which: "registerMs" | "readyMs") =>
      measured(who).map((extension: Extension) => extension[which]);
    const against = [{ who: `${floor}, register`, numbers: take(floor, "registerMs") }];
    const figure = { who: layer, unit: "ms", against, isKey: true } as const;
    return [
      { ...figure, what: "start to register", numbers: take(layer, "registerMs") },
      { ...figure, what: "start to ready", numbers: take(layer, "readyMs") },
    ];
  });
  return { figures };
};
