/** The memory of a layer, which it shares with the function. */
import { readFile } from "node:fs/promises";
import { platform } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { toOpt } from "../../../scripts/build/build.ts";
import { AGENT, type Figure, interleave, type MeasureSection } from "../figure.ts";
import { type LoadOptions, read, startLoader, toMarks, toRequest } from "../load.ts";
import {
  type CommandLine,
  type MeasuredServer,
  SECRET_NAME,
  startAgent,
  startExtension,
  startProgram,
  toMeasuredLayer,
  toNodeCommand,
} from "../processes.ts";

export const memoryMeasures = ["RSS", "PSS", "private", "private dirty"] as const;
export type MemoryUse = Readonly<Record<(typeof memoryMeasures)[number], number>>;

/** In megabytes. https://docs.kernel.org/filesystems/proc.html: smaps_rollup */
export async function readMemory(pid: number): Promise<MemoryUse> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const take = (name: string) => (Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]) * 1_024) / 1e6;
  const dirty = take("Private_Dirty");
  return { RSS: take("Rss"), PSS: take("Pss"), private: take("Private_Clean") + dirty, "private dirty": dirty };
}

/** The time in which Node.js still works after its start. */
const SETTLE_MS = 500;
const bareProgram = fileURLToPath(new URL("../programs/bare.cjs", import.meta.url));
const NOTES = [
  "private counts the pages of Node.js's own file if no other process runs the same file, as this bench does if a layer carries none; private dirty never counts them: it is what the kernel cannot drop",
];
const MANY_OF_AGENT = `${AGENT}, many`;
/** The variables of a function have no room for a thousand names: the secrets are fetched when they are read. */
const NO_PREFETCH = { CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" };
const MANY = Array.from({ length: 1_000 }, (_, index) => `secret-${index}`);

export const measureMemory: MeasureSection = async ({ layers, aws, isQuick, agent: program }) => {
  if (platform !== "linux") return { figures: [], notes: ["memory: /proc is Linux's"] };
  const loader = startLoader();
  /** The number of reads until V8 has compiled the hot code, and a larger number. */
  const counts = isQuick ? [1_000, 10_000] : [10_000, 100_000];
  const [early = "", reads = ""] = counts.map((count) => `after ${count.toLocaleString("en-US")} reads`);
  const measuredLayers = layers.map((name) => ({ ...toMeasuredLayer(name), node: toNodeCommand(toOpt(name)) }));

  const measureServer =
    (start: () => Promise<MeasuredServer>, secretIds: readonly string[], readOptions: LoadOptions = {}) =>
    async (): Promise<MemoryUse[]> => {
      const server = await start();
      try {
        const requests = secretIds.map((id) => toRequest(server.port, id, readOptions));
        const marks = toMarks(await read(server.port, SECRET_NAME, readOptions));
        const load = { port: server.port, requests, isKeepAlive: true, ...marks };
        if (secretIds.length > 1) await loader.run({ ...load, connections: 1, until: { count: secretIds.length } });
        await wait(SETTLE_MS);
        const memories = [await readMemory(server.pid)];
        for (const [index, count] of counts.entries()) {
          await loader.run({ ...load, connections: 8, until: { count: count - (counts[index - 1] ?? 0) } });
          await wait(SETTLE_MS);
          memories.push(await readMemory(server.pid));
        }
        return memories;
      } finally {
        await server.close();
      }
    };
  const startLayer = (command: CommandLine, variables = {}) => startExtension({ command, aws, variables });
  const measureProgram = (start: () => Promise<{ pid: number; close(): Promise<void> }>) => async () => {
    const program = await start();
    await wait(SETTLE_MS);
    const memory = await readMemory(program.pid);
    await program.close();
    return [memory];
  };
  const measured = await interleave(
    isQuick ? 2 : 3,
    new Map([
      ...measuredLayers.flatMap(
        ({ layer, floor, commands, node }) =>
          [
            [layer, measureServer(() => startLayer(commands.layer), [SECRET_NAME])],
            [`${layer}, many`, measureServer(() => startLayer(commands.layer, NO_PREFETCH), MANY)],
            [floor, measureProgram(() => startExtension({ command: commands.floor, aws }))],
            [`${floor}, bare`, measureProgram(async () => startProgram({ command: [...node, bareProgram] }))],
          ] as const,
      ),
      ...(program === undefined
        ? []
        : ([
            [AGENT, measureServer(() => startAgent(program, aws), [SECRET_NAME], { isAgent: true })],
            [MANY_OF_AGENT, measureServer(() => startAgent(program, aws), MANY, { isAgent: true })],
          ] as const)),
    ]),
  );
  loader.close();

  const take = (who: string, measure: (typeof memoryMeasures)[number], when: number) =>
    measured(who).map((memories) => memories[when]?.[measure] ?? Number.NaN);
  const figures = measuredLayers.flatMap(({ layer, floor }) =>
    memoryMeasures.flatMap((measure): Figure[] => {
      const ofFloor = { who: floor, numbers: take(floor, measure, 0) };
      const ofBare = { who: floor.replace("floor", "bare"), numbers: take(`${floor}, bare`, measure, 0) };
      const ofAgent = (name: string, when: number) =>
        program === undefined ? [] : [{ who: AGENT, numbers: take(name, measure, when) }];
      const [afterInit, afterEarly] = [take(layer, measure, 0), take(layer, measure, 1)];
      const manyBefore = take(`${layer}, many`, measure, 0);
      const isKey = measure === "private dirty";
      const figure = { who: layer, unit: "MB" } as const;
      return [
        {
          ...figure,
          what: `${measure}, 1 secret, after init`,
          numbers: afterInit,
          isKey,
          against: [ofFloor, ofBare, ...ofAgent(AGENT, 0)],
        },
        {
          ...figure,
          what: `${measure}, 1 secret, ${reads}`,
          numbers: take(layer, measure, 2),
          isKey,
          against: [
            ofFloor,
            { who: "itself after init", numbers: afterInit },
            { who: `itself ${early}`, numbers: afterEarly },
            ...ofAgent(AGENT, 2),
          ],
        },
        {
          ...figure,
          what: `${measure}, 1,000 secrets, read once`,
          numbers: manyBefore,
          isKey,
          against: [ofFloor, ...ofAgent(MANY_OF_AGENT, 0)],
        },
        {
          ...figure,
          what: `${measure}, 1,000 secrets, ${reads}`,
          numbers: take(`${layer}, many`, measure, 2),
          against: [ofFloor, { who: "itself, read once", numbers: manyBefore }, ...ofAgent(MANY_OF_AGENT, 2)],
        },
      ];
    }),
  );
  return { figures, notes: NOTES };
};
