/** What a self-contained layer carries: Node.js, the libraries that it needs, and V8's code cache of the program. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { arch, platform } from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Component } from "./component.ts";
import { type DebianPackage, debianPackages, libraryFolders, unpackDebianPackages } from "./debian.ts";
import { type Architecture, type Linkage, readLinkage, stripElf } from "./elf.ts";
import { fetchNode, type NodeBinary } from "./node-binary.ts";
import { readText } from "./text.ts";

/** The sonames of the loaders. */
export const LOADERS: Readonly<Record<Architecture, string>> = {
  x86_64: "ld-linux-x86-64.so.2",
  arm64: "ld-linux-aarch64.so.1",
};
/** The name under which layer/launcher.c starts the loader. */
const LOADER_FILE = "ld.so";
const codeCacheProgram = fileURLToPath(new URL("code-cache.mjs", import.meta.url));

export interface NodeAndLibraries {
  readonly node: NodeBinary;
  /** File name → content, for `lib/`. */
  readonly libraries: ReadonlyMap<string, Buffer>;
  readonly components: readonly Component[];
}

export interface NodeAndLibrariesOptions {
  readonly architecture: Architecture;
  /** Replaces the pinned Node.js. */
  readonly node: NodeBinary | undefined;
  /** A folder with libraries that replace Debian's. */
  readonly libraries: string | undefined;
  readonly cache: string;
  /** A folder with the licence texts that Debian's packages name but do not hold. */
  readonly licences: string;
}

/** Fails unless the libraries fit Node.js. */
export async function gatherNodeAndLibraries(options: NodeAndLibrariesOptions): Promise<NodeAndLibraries> {
  const { architecture, cache } = options;
  const own = options.libraries;
  const isOwn = own !== undefined && (await readdir(own)).includes(LOADERS[architecture]);
  // Before Node.js: that is a much larger download, in vain if the packages are missing.
  const folder = isOwn ? own : await unpackDebianPackages(architecture, cache);
  const node = options.node ?? (await fetchNode(architecture, cache));
  const files = await collectLibraries(node.binary, findIn(isOwn ? own : join(folder, libraryFolders[architecture])));
  const libraries = new Map([...files].map(([name, file]) => [name, stripElf(file)]));
  // A person who replaces the libraries must add their licences as well.
  const debianComponents = isOwn ? [] : await readDebianComponents(architecture, folder, options.licences);
  return { node, libraries, components: [node.component, ...debianComponents] };
}

const findIn =
  (folder: string): FindLibrary =>
  (soname) =>
    readFile(join(folder, soname)).catch(() => undefined);

async function readDebianComponents(
  architecture: Architecture,
  folder: string,
  licences: string,
): Promise<Component[]> {
  const document = (name: string) => readFile(join(folder, "usr/share/doc", name, "copyright"), "utf8");
  const terms = (name: string) => readText(join(licences, name));
  const [gcc, gpl, lgpl] = await Promise.all([
    document("gcc-12-cross-base"),
    terms("GPL-3.txt"),
    terms("LGPL-2.1.txt"),
  ]);
  const toComponent = async ({ name, version, sha256 }: DebianPackage): Promise<Component> => {
    const isGlibc = name.startsWith("libc6-");
    const plainVersion = version.slice(0, version.indexOf("-"));
    return {
      name,
      version,
      license: isGlibc ? "LGPL-2.1-or-later" : "GPL-3.0-or-later WITH GCC-exception-3.1",
      licenseText: isGlibc ? `${await document(name)}\n\n${lgpl}` : `${gcc}\n\n${gpl}`,
      purl: `pkg:deb/debian/${name}@${version}?arch=all&distro=debian-12`,
      ...(isGlibc ? { cpe: `cpe:2.3:a:gnu:glibc:${plainVersion}:*:*:*:*:*:*:*` } : {}),
      hash: { alg: "SHA-256", content: sha256 },
    };
  };
  const carried = debianPackages[architecture].filter(({ name }) => name.startsWith("lib"));
  return Promise.all(carried.map(toComponent));
}

/** Returns the library's file, or undefined if there is none with this soname. */
export type FindLibrary = (soname: string) => Promise<Buffer | undefined>;

/**
 * Returns the libraries that a program needs, and those that they need: soname → file, with the loader as `ld.so`. Fails
 * unless they offer every symbol version that any of them asks for: otherwise the loader would refuse the program, on Lambda.
 */
export async function collectLibraries(program: Buffer, find: FindLibrary): Promise<Map<string, Buffer>> {
  const { architecture } = readLinkage(program);
  if (architecture === undefined) throw new Error("Node.js is for a processor other than x86_64 and arm64");
  const files = new Map<string, Buffer>();
  const linkages = new Map<string, Linkage>([["node", readLinkage(program)]]);
  const problems: string[] = [];
  // The loop also visits the entries that it adds: it ends when no new library is needed.
  for (const [name, { needed }] of linkages) {
    for (const soname of [...needed, LOADERS[architecture]]) {
      if (linkages.has(soname)) continue;
      const file = await find(soname);
      if (file === undefined) {
        problems.push(`${name} needs ${soname}, which is missing`);
        continue;
      }
      const linkage = readLinkage(file);
      if (linkage.architecture !== architecture) {
        const found = linkage.architecture ?? "another processor";
        problems.push(`${name} needs ${soname} for ${architecture}; this one is for ${found}`);
      }
      linkages.set(soname, linkage);
      files.set(soname === LOADERS[architecture] ? LOADER_FILE : soname, file);
    }
  }
  for (const [name, { versionsNeeded }] of linkages) {
    for (const [soname, versions] of versionsNeeded) {
      const defined = linkages.get(soname)?.versionsDefined;
      const missing = versions.filter((version) => defined?.includes(version) === false);
      if (missing.length > 0)
        problems.push(`${name} needs ${missing.join(", ")} of ${soname}, which has no such version`);
    }
  }
  if (problems.length > 0)
    throw new Error(`the libraries do not fit Node.js:\n  ${[...new Set(problems)].join("\n  ")}`);
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether this machine can run the Node.js of a layer for this processor. */
export const canRunHere = (architecture: Architecture): boolean =>
  platform === "linux" && arch === { x86_64: "x64", arm64: "arm64" }[architecture];

/** Writes V8's code cache of each file in the layer's folder, `<name>.code`. Starts Node.js as launcher.c does. */
export async function writeCodeCache(folder: string): Promise<void> {
  const [loader, libraries, node] = [join(folder, "lib/ld.so"), join(folder, "lib"), join(folder, "bin/node")];
  const [file, ...args] = existsSync(loader) ? ([loader, "--library-path", libraries, node] as const) : [node];
  // A fixed seed gives V8's tables the same order, and so the cache the same bytes, in each build.
  await promisify(execFile)(file, [...args, "--hash-seed=1", codeCacheProgram, folder], { env: {} });
}
