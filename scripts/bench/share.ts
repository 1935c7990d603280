/** Start and memory with what Lambda gives a function of little memory: a share of a processor, and that memory. */
import { setTimeout as wait } from "node:timers/promises";
import { type Group, makeGroup } from "./cgroup.ts";
import { type Command, startExtension } from "./extension.ts";
import { type Figure, interleave, type Section } from "./figure.ts";
import { toContestant } from "./layers.ts";
import { type Memory, readMemory } from "./memory.ts";

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: a whole processor at 1,769 MB, and in proportion. */
const shares = [
  { megabytes: 128, cores: 1 / 14 },
  { megabytes: 256, cores: 1 / 7 },
  { megabytes: 884, cores: 1 / 2 },
  { megabytes: 1_769, cores: 1 },
] as const;
const SETTLE_MS = 500;

const NOTES = [
  "in init Lambda gives every function a whole processor or more; the share applies to what is done in an invocation, and to an init that is done again inside one",
  "the clock starts in the group, where the command begins: what starting a process costs the one who starts it is not in it",
  "the period of the group is the kernel's default, 100 ms; what one process uses up of it is not there for the next start",
];

export const measureShare: Section = async ({ layers, aws, isQuick }) => {
  const figures: Figure[] = [];
  for (const { megabytes, cores } of shares) {
    let group: Group;
    try {
      group = await makeGroup({ cores, bytes: megabytes * 1_048_576 });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return { figures: [], notes: [`share: no control group can be made here (${code}); it needs Linux and root`] };
    }
    const measure = (command: Command) => async () => {
      const extension = await startExtension({ command: group.toCommand(command), startSign: group.sign, aws });
      await wait(SETTLE_MS);
      const memory = await readMemory(extension.pid);
      await extension.close();
      return { ...extension, memory };
    };
    const contestants = layers.map(toContestant);
    const measured = await interleave(
      isQuick ? 2 : 5,
      new Map(
        contestants.flatMap(({ layer, floor, commands }) => [
          [layer, measure(commands.layer)],
          [floor, measure(commands.floor)],
        ]),
      ),
    );
    await group.close();
    figures.push(...contestants.flatMap(({ layer, floor }) => toFigures(layer, floor, `${megabytes} MB`, measured)));
  }
  return { figures, notes: NOTES };
};

interface Measured {
  readonly registerMs: number;
  readonly readyMs: number;
  readonly memory: Memory;
}

function toFigures(layer: string, floor: string, where: string, measured: (who: string) => readonly Measured[]) {
  const take = (who: string, pick: (one: Measured) => number) => measured(who).map(pick);
  const toRegister = ({ registerMs }: Measured) => registerMs;
  const toDirty = ({ memory }: Measured) => memory["private dirty"];
  const beside = { who: `${floor}, register`, numbers: take(floor, toRegister) };
  const figure = { who: layer, unit: "ms", against: [beside] } as const;
  return [
    { ...figure, what: `${where}: start to register`, numbers: take(layer, toRegister) },
    { ...figure, what: `${where}: start to ready`, numbers: take(layer, ({ readyMs }) => readyMs), isKey: true },
    {
      ...figure,
      what: `${where}: private dirty memory after init`,
      unit: "MB",
      numbers: take(layer, toDirty),
      against: [{ who: floor, numbers: take(floor, toDirty) }],
    },
  ] as const satisfies readonly Figure[];
}
