/** The built layers that this machine can run, and what each is measured against. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { arch, platform } from "node:process";
import { toOpt } from "../../scripts/build/build.ts";
import type { Architecture } from "../../scripts/build/elf.ts";
import { type LayerName, layerNames, layers } from "../../scripts/build/layers.ts";
import { type Command, floorProgram, toLayerCommand, toNodeCommand } from "./extension.ts";

const own: Architecture | undefined = platform !== "linux" ? undefined : arch === "x64" ? "x86_64" : "arm64";

export const findLayers = (): readonly LayerName[] =>
  layerNames
    .filter((name) => layers[name].carries === undefined || layers[name].carries === own)
    .filter((name) => existsSync(join(toOpt(name), "extensions")));

export interface Contestant {
  readonly layer: string;
  readonly floor: string;
  readonly commands: { readonly layer: Command; readonly floor: Command };
}

/** A layer, and the floor on the Node.js that the layer runs on. */
export function toContestant(name: LayerName): Contestant {
  const opt = toOpt(name);
  return {
    layer: `${name} layer`,
    floor: `floor, ${layers[name].carries === undefined ? "Node.js of this machine" : "carried Node.js"}`,
    commands: { layer: toLayerCommand(opt), floor: [...toNodeCommand(opt), floorProgram] },
  };
}
