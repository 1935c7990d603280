/** Start and memory with the share of a processor and the memory that Lambda gives a small function. */
import { existsSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { toQuantile } from "../../support/statistics.ts";
import { type Figure, interleave, type MeasureSection } from "../figure.ts";
import { type Loaded, type Loader, read, startLoader, toMarks, toRequest } from "../load.ts";
import { type CommandLine, SECRET_NAME, startExtension, toMeasuredLayer } from "../processes.ts";
import { type MemoryUse, readMemory } from "./memory.ts";

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: a whole processor at 1,769 MB, and in proportion. */
const shares = [
  { megabytes: 128, cores: 1 / 14 },
  { megabytes: 256, cores: 1 / 7 },
  { megabytes: 884, cores: 1 / 2 },
  { megabytes: 1_769, cores: 1 },
] as const;
/** The default of the setting. */
const PREFETCH_TIMEOUT_MS = 1_000;
const SETTLE_MS = 500;
/** As many as one environment may get. With more reads, the first ones, which are slow, would not show in the figures. */
const READS = 200;

const NOTES = [
  "in init Lambda gives every function a whole processor or more; the share applies to what is done in an invocation, and to an init that is done again inside one",
  "the clock starts in the group, when the command begins: the cost of starting a process for its parent is not in it",
  "the period of the group is the kernel's default, 100 ms; what one process uses of a period is not available to the next start",
];

export const measureShare: MeasureSection = async ({ layers, aws, isQuick }) => {
  const figures: Figure[] = [];
  const loader = startLoader();
  for (const { megabytes, cores } of shares) {
    let group: ControlGroup;
    try {
      group = await createControlGroup({ cores, bytes: megabytes * 1_048_576 });
    } catch (error) {
      loader.close();
      const { code } = error as NodeJS.ErrnoException;
      return { figures: [], notes: [`share: no control group can be made here (${code}); it needs Linux and root`] };
    }
    const measure =
      (command: CommandLine, { isLayer }: { isLayer: boolean }) =>
      async () => {
        const extension = await startExtension({ command: group.toCommand(command), startSign: group.sign, aws });
        await wait(SETTLE_MS);
        const memory = await readMemory(extension.pid);
        const reads = isLayer ? await measureReads(loader, extension.port) : undefined;
        await extension.close();
        return { ...extension, memory, reads };
      };
    const measuredLayers = layers.map(toMeasuredLayer);
    const measured = await interleave(
      isQuick ? 2 : 5,
      new Map(
        measuredLayers.flatMap(({ layer, floor, commands }) => [
          [layer, measure(commands.layer, { isLayer: true })],
          [floor, measure(commands.floor, { isLayer: false })],
        ]),
      ),
    );
    await group.close();
    figures.push(...measuredLayers.flatMap(({ layer, floor }) => toFigures(layer, floor, megabytes, measured)));
  }
  loader.close();
  return { figures, notes: [...NOTES, toSensible(figures)] };
};

/** The least memory with which an init inside an invocation has its secrets before the layer stops waiting for them. */
function toSensible(figures: readonly Figure[]): string {
  const isReady = ({ megabytes }: (typeof shares)[number]) =>
    figures
      .filter(({ what }) => what === toReadyName(megabytes))
      .every(({ numbers }) => toQuantile(numbers, 0.5) <= PREFETCH_TIMEOUT_MS);
  const least = shares.find(isReady)?.megabytes;
  const within = `ready within its PREFETCH_TIMEOUT_MS of ${PREFETCH_TIMEOUT_MS} ms`;
  return least === undefined
    ? `with none of these memories is every layer ${within}`
    : `the least of these memories with which every layer is ${within} is ${least} MB`;
}

interface ShareFigures {
  readonly registerMs: number;
  readonly readyMs: number;
  readonly memory: MemoryUse;
  /** Undefined for the floor. */
  readonly reads: Loaded | undefined;
}

/** One reader outside the control group. In Lambda, the function itself takes a part of the same share. */
async function measureReads(loader: Loader, port: number): Promise<Loaded> {
  const marks = toMarks(await read(port, SECRET_NAME));
  const load = { port, requests: [toRequest(port, SECRET_NAME)], ...marks, connections: 1, isKeepAlive: true };
  return loader.run({ ...load, until: { count: READS } });
}

const toReadyName = (megabytes: number): string => `${megabytes} MB: start to ready`;

function toFigures(
  layer: string,
  floor: string,
  megabytes: number,
  measured: (who: string) => readonly ShareFigures[],
) {
  const where = `${megabytes} MB`;
  const take = (who: string, pick: (one: ShareFigures) => number) => measured(who).map(pick);
  const toRegister = ({ registerMs }: ShareFigures) => registerMs;
  const toDirty = ({ memory }: ShareFigures) => memory["private dirty"];
  const toReads = (pick: (loaded: Loaded) => number) =>
    take(layer, ({ reads }) => (reads === undefined ? Number.NaN : pick(reads)));
  const beside = { who: `${floor}, register`, numbers: take(floor, toRegister) };
  const figure = { who: layer, unit: "ms", against: [beside] } as const;
  const reading = { who: layer, unit: "ms" } as const;
  return [
    { ...figure, what: `${where}: start to register`, numbers: take(layer, toRegister) },
    { ...figure, what: toReadyName(megabytes), numbers: take(layer, ({ readyMs }) => readyMs) },
    { ...reading, what: `${where}: a read, p50 of the first ${READS}`, numbers: toReads(({ p50Ms }) => p50Ms) },
    { ...reading, what: `${where}: a read, p99 of the first ${READS}`, numbers: toReads(({ p99Ms }) => p99Ms) },
    {
      ...figure,
      what: `${where}: private dirty memory after init`,
      unit: "MB",
      numbers: take(layer, toDirty),
      against: [{ who: floor, numbers: take(floor, toDirty) }],
    },
  ] as const satisfies readonly Figure[];
}

interface ControlGroup {
  /** The same command in the group. */
  toCommand(command: CommandLine): CommandLine;
  /** The line that the shell prints when it has entered the group, which takes some time, and before it becomes the command. */
  readonly sign: string;
  close(): Promise<void>;
}

const ROOT = "/sys/fs/cgroup";
const SIGN = "inside";
/** The kernel's default. The kernel rejects a quota below 1 ms. */
const PERIOD_US = 100_000;

/** Folder → file → content. */
function toFolders(cores: number, bytes: number): Record<string, Record<string, string>> {
  const name = `cross-account-secrets-bench-${process.pid}`;
  const quotaUs = String(Math.round(PERIOD_US * cores));
  if (existsSync(join(ROOT, "cgroup.controllers"))) {
    return { [join(ROOT, name)]: { "cpu.max": `${quotaUs} ${PERIOD_US}`, "memory.max": String(bytes) } };
  }
  return {
    [join(ROOT, "cpu", name)]: { "cpu.cfs_period_us": String(PERIOD_US), "cpu.cfs_quota_us": quotaUs },
    [join(ROOT, "memory", name)]: { "memory.limit_in_bytes": String(bytes) },
  };
}

/** A share of a processor and a limit of memory, by control groups of version 1 or 2. Rejects if they are not available or not allowed. */
async function createControlGroup({ cores, bytes }: { cores: number; bytes: number }): Promise<ControlGroup> {
  const folders = toFolders(cores, bytes);
  const close = async () => {
    for (const folder of Object.keys(folders)) await rmdir(folder).catch(() => {}); // it may not exist
  };
  try {
    for (const [folder, files] of Object.entries(folders)) {
      await mkdir(folder);
      for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const enter = Object.keys(folders).map((folder) => `echo $$ >${folder}/cgroup.procs`);
  return {
    toCommand: (command) => ["/bin/sh", "-c", [...enter, `echo ${SIGN}`, 'exec "$@"'].join(" && "), "sh", ...command],
    sign: SIGN,
    close,
  };
}
