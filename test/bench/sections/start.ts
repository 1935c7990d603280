/** The time from the start of the process to its registration, for which Lambda waits, and to its first `/event/next`, which ends init. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toOpt } from "../../../scripts/build/build.ts";
import { type Figure, interleave, type MeasureSection } from "../figure.ts";
import {
  type CommandLine,
  type MeasuredExtension,
  startExtension,
  toLayerCommand,
  toMeasuredLayer,
} from "../processes.ts";

const SHELL_LAUNCHER = fileURLToPath(new URL("../../../layer/extension.sh", import.meta.url));

export const measureStart: MeasureSection = async ({ layers, aws, isQuick }) => {
  const folder = await mkdtemp(join(tmpdir(), "bench-shell-"));
  try {
    const measuredLayers = await Promise.all(
      layers.map(async (name) => ({
        ...toMeasuredLayer(name),
        shell: await makeShellImage(join(folder, name), toOpt(name)),
      })),
    );
    const measure = (command: CommandLine) => async () => {
      const extension = await startExtension({ command, aws });
      await extension.close();
      return extension;
    };
    const measured = await interleave(
      isQuick ? 5 : 30,
      new Map(
        measuredLayers.flatMap(({ layer, floor, commands, shell }) => [
          [layer, measure(commands.layer)],
          [toShellName(layer), measure(shell)],
          [floor, measure(commands.floor)],
        ]),
      ),
    );
    const figures = measuredLayers.flatMap(({ layer, floor }): Figure[] => {
      const take = (who: string, which: "registerMs" | "readyMs") =>
        measured(who).map((extension: MeasuredExtension) => extension[which]);
      const against = [{ who: `${floor}, register`, numbers: take(floor, "registerMs") }];
      return [layer, toShellName(layer)].flatMap((who): Figure[] => {
        const figure = { who, unit: "ms", against, isKey: who === layer } as const;
        return [
          { ...figure, what: "start to register", numbers: take(who, "registerMs") },
          { ...figure, what: "start to ready", numbers: take(who, "readyMs") },
        ];
      });
    });
    return { figures };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const toShellName = (layer: string): string => `${layer}, shell launcher`;

/** The same image without the native launchers, so that the shell launcher starts Node.js. */
async function makeShellImage(image: string, opt: string): Promise<CommandLine> {
  const command = toLayerCommand(image);
  await mkdir(join(image, "extensions"), { recursive: true });
  await symlink(join(opt, "cross-account-secrets"), join(image, "cross-account-secrets"));
  const lines = (await readFile(SHELL_LAUNCHER, "utf8")).split("\n");
  await writeFile(command[0], lines.filter((line) => !line.includes("/launcher-")).join("\n"), { mode: 0o755 });
  return command;
}
