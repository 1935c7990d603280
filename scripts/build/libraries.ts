import { type Architecture, type Linkage, readLinkage } from "./elf.ts";

/** The loaders, by the sonames that programs know them by. */
export const LOADERS: Readonly<Record<Architecture, string>> = {
  x86_64: "ld-linux-x86-64.so.2",
  arm64: "ld-linux-aarch64.so.1",
};
/** What the launcher starts the loader as. */
const LOADER_FILE = "ld.so";

/** A library's file, by its soname; undefined where there is none. */
export type FindLibrary = (soname: string) => Promise<Buffer | undefined>;

/**
 * The libraries that a program needs, and that those need: soname → file, the loader as `ld.so`. Fails unless they offer
 * every symbol version that any of them asks for: the loader would refuse the program otherwise, on Lambda.
 */
export async function collectLibraries(program: Buffer, find: FindLibrary): Promise<Map<string, Buffer>> {
  const { architecture } = readLinkage(program);
  if (architecture === undefined) throw new Error("Node is for another processor than x86_64 and arm64");
  const files = new Map<string, Buffer>();
  const linkages = new Map<string, Linkage>([["node", readLinkage(program)]]);
  const problems: string[] = [];
  // A map shows what is added to it while it is walked: this ends when nothing new is needed.
  for (const [name, { needed }] of linkages) {
    for (const soname of [...needed, LOADERS[architecture]]) {
      if (linkages.has(soname)) continue;
      const file = await find(soname);
      if (file === undefined) {
        problems.push(`${name} needs ${soname}, which is not there`);
        continue;
      }
      const linkage = readLinkage(file);
      if (linkage.architecture !== architecture) {
        problems.push(
          `${name} needs ${soname} for ${architecture}; this one is for ${linkage.architecture ?? "another processor"}`,
        );
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
    throw new Error(`the carried libraries do not suffice:\n  ${[...new Set(problems)].join("\n  ")}`);
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
