/** The layers: what each holds, and what `dist/manifest.json` says of each. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Architecture } from "./elf.ts";

interface Layer {
  /** The files that come from `layer/`: path below /opt → name in `layer/`. */
  readonly files: Readonly<Record<string, string>>;
  /** The processor of the Node.js and the libraries in the layer; undefined if it has none. */
  readonly carries: Architecture | undefined;
  /** Lambda's identifiers, for `CompatibleArchitectures`. */
  readonly architectures: readonly Architecture[];
  /** For `CompatibleRuntimes`, which is only a filter in the console. */
  readonly runtimes: readonly string[];
}

/** The most that Lambda takes in `CompatibleRuntimes`: https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html */
export const RUNTIMES_LIMIT = 15;

/**
 * Lambda's runtimes that were not deprecated on `on`, those first that AWS deprecates last. A layer names as many as it may: it
 * works in the others as well. test/e2e/runtimes.test.ts compares this table with cfn-lint's.
 */
export const currentRuntimes = {
  on: "2026-11-29",
  nodejs: ["nodejs26.x", "nodejs24.x", "nodejs22.x"],
  others: [
    ...["python3.15", "java17.al2023", "java11.al2023", "java8.al2023"],
    ...["python3.14", "python3.13", "java25", "java21", "provided.al2023"],
    ...["ruby4.0", "dotnet10", "python3.12", "ruby3.4", "java17", "python3.11", "java11", "java8.al2", "ruby3.3"],
  ],
} as const;
const otherRuntimes = currentRuntimes.others.slice(0, RUNTIMES_LIMIT);

/** Lambda starts this file. */
const LAUNCHER = "extensions/cross-account-secrets";
/** A function names this file in AWS_LAMBDA_EXEC_WRAPPER. */
const EXEC_WRAPPER = "cross-account-secrets/exec-wrapper";
/** Starts the program with the code cache that the layer's own Node.js has made. */
const start = { "cross-account-secrets/main.cjs": "start.cjs" };
/** The nodejs layer has these for both processors, and two scripts that choose. */
const nativePrograms = ["launcher-x86_64", "launcher-arm64", "exec-wrapper-x86_64", "exec-wrapper-arm64"];

export const layers = {
  /** For the nodejs runtimes, which have Node.js and a shell. */
  nodejs: {
    files: {
      [LAUNCHER]: "extension.sh",
      [EXEC_WRAPPER]: "exec-wrapper.sh",
      ...Object.fromEntries(nativePrograms.map((name) => [`cross-account-secrets/${name}`, name])),
    },
    carries: undefined,
    architectures: ["x86_64", "arm64"],
    runtimes: currentRuntimes.nodejs,
  },
  x86_64: {
    files: { [LAUNCHER]: "launcher-x86_64", [EXEC_WRAPPER]: "exec-wrapper-x86_64", ...start },
    carries: "x86_64",
    architectures: ["x86_64"],
    runtimes: otherRuntimes,
  },
  arm64: {
    files: { [LAUNCHER]: "launcher-arm64", [EXEC_WRAPPER]: "exec-wrapper-arm64", ...start },
    carries: "arm64",
    architectures: ["arm64"],
    runtimes: otherRuntimes,
  },
} as const satisfies Record<string, Layer>;

export type LayerName = keyof typeof layers;
export const layerNames = Object.keys(layers) as readonly LayerName[];

/** The layer's name at Lambda. */
export const toLayerName = (name: LayerName): string => `cross-account-secrets-${name}`;
export const toZipName = (name: LayerName): string => `${toLayerName(name)}.zip`;

/** Something that a layer needs cannot be fetched on this machine. The source is not at fault. */
export class CannotBuildHere extends Error {
  override readonly name = "CannotBuildHere";
}

/** One layer in `dist/manifest.json`. */
export interface ManifestEntry {
  readonly name: LayerName;
  readonly version: string;
  /** The zip, in the folder of the manifest. */
  readonly file: string;
  /** The SHA-256 of the zip. */
  readonly sha256: string;
  readonly zippedBytes: number;
  /** Counts towards Lambda's 250 MB for a function and its layers. */
  readonly unzippedBytes: number;
  readonly architectures: readonly string[];
  readonly compatibleRuntimes: readonly string[];
  /** The version of the Node.js in the layer; null if the layer needs that of the runtime. */
  readonly nodeVersion: string | null;
}

/** The manifest of these layers, and of the other layers in the folder that are unchanged since an earlier build. */
export async function toManifest(dist: string, built: readonly ManifestEntry[]): Promise<string> {
  const entries = [...built];
  for (const entry of await readManifest(dist)) {
    const zip = await readFile(join(dist, entry.file)).catch(() => undefined);
    const isUnchanged = zip !== undefined && createHash("sha256").update(zip).digest("hex") === entry.sha256;
    if (isUnchanged && !entries.some(({ name }) => name === entry.name)) entries.push(entry);
  }
  entries.sort((a, b) => layerNames.indexOf(a.name) - layerNames.indexOf(b.name));
  return `${JSON.stringify({ layers: entries }, null, 2)}\n`;
}

/** Returns no layers if there is no manifest. */
export async function readManifest(dist: string): Promise<readonly ManifestEntry[]> {
  const text = await readFile(join(dist, "manifest.json"), "utf8").catch(() => '{"layers":[]}');
  return (JSON.parse(text) as { layers: readonly ManifestEntry[] }).layers;
}
