import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import type { LayerName, ManifestEntry } from "../../scripts/build/layers.ts";
import { NODE_VERSION } from "../../scripts/build/node-binary.ts";
import type { PublishResult } from "../../scripts/publish/report.ts";
import { findLeaks } from "./canary.ts";
import { createCanary } from "./two-accounts.ts";

export interface PublishRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stderr. */
  readonly message: string;
  /** The JSON on stdout; undefined if there is none. */
  readonly report: { version: string; layerVersions: PublishResult[]; failures: object[] } | undefined;
  readonly ms: number;
}

/**
 * Runs scripts/publish/publish-layer.ts as a process, with Lambda at `endpoint` and keys that its output must not contain. The
 * value undefined in `environment` removes a variable.
 */
export async function publishLayer(
  args: readonly string[],
  { endpoint, environment = {} }: { endpoint: string; environment?: Record<string, string | undefined> },
): Promise<PublishRun> {
  const keys = [createCanary(), createCanary()];
  const env = {
    PATH: process.env.PATH,
    HOME: await createFolder(),
    AWS_ENDPOINT_URL_LAMBDA: endpoint,
    // Outside EC2 the SDK would look for EC2's credentials in vain, and slowly if packets to its address are dropped.
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_ACCESS_KEY_ID: "ASIAPUBLISHER",
    AWS_SECRET_ACCESS_KEY: keys[0],
    AWS_SESSION_TOKEN: keys[1],
    ...environment,
  };
  const startedMs = performance.now();
  const { exitCode, stdout, stderr } = await runScript(args, env);
  const ms = performance.now() - startedMs;
  expect(findLeaks(new Map(Object.entries({ stdout, stderr })), keys)).toEqual([]);
  const report = stdout.startsWith("{") ? JSON.parse(stdout) : undefined;
  return { exitCode, stdout, stderr, message: stderr.trimEnd().split("\n").at(-1) ?? "", report, ms };
}

function runScript(args: readonly string[], env: NodeJS.ProcessEnv) {
  const script = ["--import", "tsx", "scripts/publish/publish-layer.ts", ...args];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  return new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(execPath, script, { cwd, env }, (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

/** Creates a folder like the one that `npm run build` makes, except that the zips hold other bytes. */
export async function createDist(
  names: readonly LayerName[],
): Promise<{ readonly folder: string; readonly layers: readonly ManifestEntry[] }> {
  const folder = await createFolder();
  const layers = names.map((name) => createEntry(name));
  for (const { file, name } of layers) await writeFile(join(folder, file), toBytes(name));
  await writeFile(join(folder, "manifest.json"), JSON.stringify({ layers }));
  return { folder, layers };
}

export function createEntry(name: LayerName, overrides: Partial<ManifestEntry> = {}): ManifestEntry {
  return {
    name,
    version: "0.1.0",
    file: `cross-account-secrets-${name}.zip`,
    sha256: createHash("sha256").update(toBytes(name)).digest("hex"),
    zippedBytes: toBytes(name).length,
    unzippedBytes: 1000,
    architectures: name === "nodejs" ? ["x86_64", "arm64"] : [name],
    compatibleRuntimes: name === "nodejs" ? ["nodejs24.x"] : ["java21", "python3.14"],
    nodeVersion: name === "nodejs" ? null : NODE_VERSION,
    ...overrides,
  };
}

const toBytes = (name: LayerName): Buffer => Buffer.from(`the bytes of ${name}`);

/** Creates a folder that is removed at the end of the test. */
export async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-layer-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
