import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Component } from "./component.ts";
import { type DebianPackage, debianPackages, libraryFolders, unpackDebianPackages } from "./debian.ts";
import { type Architecture, stripElf } from "./elf.ts";
import { collectLibraries, type FindLibrary, LOADERS } from "./libraries.ts";
import { fetchNode, type NodeBinary } from "./node-binary.ts";

/** What makes a layer self-contained. */
export interface Carried {
  readonly node: NodeBinary;
  /** File name → file, for `lib/`. */
  readonly libraries: ReadonlyMap<string, Buffer>;
  readonly components: readonly Component[];
}

export interface CarriedOptions {
  readonly architecture: Architecture;
  /** Instead of the pinned one. */
  readonly node: NodeBinary | undefined;
  /** A folder with libraries to take instead of Debian's. */
  readonly libraries: string | undefined;
  readonly cache: string;
  /** A folder with the texts of licences that Debian's packages name and do not hold. */
  readonly licences: string;
}

/** Gathers Node and the libraries that it needs, and fails unless they fit. */
export async function gatherCarried(options: CarriedOptions): Promise<Carried> {
  const { architecture, cache } = options;
  const own = options.libraries;
  const isOwn = own !== undefined && (await readdir(own)).includes(LOADERS[architecture]);
  // Before Node, which is much more to fetch in vain.
  const folder = isOwn ? own : await unpackDebianPackages(architecture, cache);
  const node = options.node ?? (await fetchNode(architecture, cache));
  const files = await collectLibraries(node.binary, findIn(isOwn ? own : join(folder, libraryFolders[architecture])));
  const libraries = new Map([...files].map(([name, file]) => [name, stripElf(file)]));
  // Whoever brings libraries of their own ships their licences on their own account.
  const theirs = isOwn ? [] : await readDebianComponents(architecture, folder, options.licences);
  return { node, libraries, components: [node.component, ...theirs] };
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
  const terms = (name: string) => readFile(join(licences, name), "utf8");
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
