import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type LayerName, layerNames } from "./layers.ts";

/** What `dist/manifest.json` says of a layer. */
export interface ManifestEntry {
  readonly name: LayerName;
  readonly version: string;
  /** The zip, in the manifest's own folder. */
  readonly file: string;
  /** Of the zip. */
  readonly sha256: string;
  readonly zippedBytes: number;
  /** What counts towards Lambda's 250 MB for a function and its layers. */
  readonly unzippedBytes: number;
  readonly architectures: readonly string[];
  readonly compatibleRuntimes: readonly string[];
  /** Of the Node that it carries; null where the runtime has to have one. */
  readonly nodeVersion: string | null;
}

export const toZipName = (name: LayerName): string => `cross-account-secrets-${name}.zip`;

/** The manifest of a folder, for these layers and for whatever others are there as an earlier build has left them. */
export async function toManifest(dist: string, made: readonly ManifestEntry[]): Promise<string> {
  const entries = [...made];
  for (const entry of await readManifest(dist)) {
    const zip = await readFile(join(dist, entry.file)).catch(() => undefined);
    const isThere = zip !== undefined && createHash("sha256").update(zip).digest("hex") === entry.sha256;
    if (isThere && !entries.some(({ name }) => name === entry.name)) entries.push(entry);
  }
  entries.sort((a, b) => layerNames.indexOf(a.name) - layerNames.indexOf(b.name));
  return `${JSON.stringify({ layers: entries }, null, 2)}\n`;
}

/** Of a folder that nothing was built to: no layers. */
export async function readManifest(dist: string): Promise<readonly ManifestEntry[]> {
  const text = await readFile(join(dist, "manifest.json"), "utf8").catch(() => '{"layers":[]}');
  return (JSON.parse(text) as { layers: readonly ManifestEntry[] }).layers;
}
