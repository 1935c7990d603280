/**
 * Libraries of the C toolchain as Debian 12 packages them for cross-compilers: glibc 2.36 and GCC 12's runtime.
 *
 * These packages are for any machine, so that either can be fetched for both processors, and have stayed the same since
 * Debian 12 came out, so that a commit can be built again next year: `libc6` itself is replaced with every point release,
 * and Debian's mirrors then drop the old one. The price is that they lack the fixes since; SECURITY.md has what that means.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Architecture } from "./elf.ts";
import { Unavailable } from "./unavailable.ts";

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Of the .deb. */
  readonly sha256: string;
}

const GLIBC = "2.36-8cross1";
const GCC = "12.2.0-14cross1";
const pin = (name: string, version: string, sha256: string): DebianPackage => ({ name, version, sha256 });

/** Has the licence of all that is built from GCC's sources. */
const gccBase = pin("gcc-12-cross-base", GCC, "8dcb9dc293df9069f09dbe68d73f4a8ec2d4e3da4dcfbfe14a821d94e257e9d5");

export const debianPackages: Readonly<Record<Architecture, readonly DebianPackage[]>> = {
  x86_64: [
    pin("libc6-amd64-cross", GLIBC, "e410f3d2da35bccf757976d38e6a309d4d94d25c0dfde565a9662e3f75951b2c"),
    pin("libgcc-s1-amd64-cross", GCC, "b432ba4cfc37d81fc9efe03da3c706eaa64859513f496397c56d11c08262994f"),
    pin("libstdc++6-amd64-cross", GCC, "ad91d29ea6b2a819fe6f79138fee2ce4c1a1dbe7fcd355c3a8f27e8c3d13dd88"),
    gccBase,
  ],
  arm64: [
    pin("libc6-arm64-cross", GLIBC, "91936cbbee75771c360ed16513f6e734a25ca5517fe7c3e13dfd7835d7553186"),
    pin("libgcc-s1-arm64-cross", GCC, "af1e686fc6a416228222e7bfb68317dd2fa2685236301ae29141fc6108a66cac"),
    pin("libstdc++6-arm64-cross", GCC, "9cba984b64d0cf11698978fc5e0fe93c7441d29b9f42f70f1c6c734cc9e2ea41"),
    gccBase,
  ],
};

/** Below an unpacked folder. */
export const libraryFolders: Readonly<Record<Architecture, string>> = {
  x86_64: "usr/x86_64-linux-gnu/lib",
  arm64: "usr/aarch64-linux-gnu/lib",
};

/** Fetches the packages of an architecture, once, and gives the folder that they are unpacked to. */
export async function unpackDebianPackages(architecture: Architecture, cache: string): Promise<string> {
  const debs = join(cache, "debian");
  await mkdir(debs, { recursive: true });
  const packages = debianPackages[architecture];
  const archives: string[] = [];
  for (const wanted of packages) archives.push((await findArchive(wanted, debs)) ?? (await download(wanted, debs)));

  const pins = createHash("sha256").update(JSON.stringify(packages)).digest("hex").slice(0, 12);
  const folder = join(debs, `${architecture}-${pins}`);
  if ((await readdir(folder).catch(() => [])).length > 0) return folder;
  const part = await mkdtemp(join(debs, "part-"));
  for (const archive of archives) await run("dpkg-deb", ["-x", archive, part]);
  // Renamed when it is whole; another build may have been faster.
  await rename(part, folder).catch(() => rm(part, { recursive: true, force: true }));
  return folder;
}

/** A package's file in the folder, told by its checksum, whatever it is called. */
async function findArchive({ name, sha256 }: DebianPackage, debs: string): Promise<string | undefined> {
  for (const file of await readdir(debs)) {
    if (!file.startsWith(`${name}_`)) continue;
    const archive = join(debs, file);
    if (
      createHash("sha256")
        .update(await readFile(archive))
        .digest("hex") === sha256
    )
      return archive;
  }
  return undefined;
}

async function download({ name, version, sha256 }: DebianPackage, debs: string): Promise<string> {
  const archive = await downloadPackage(`${name}=${version}`, debs);
  const found = createHash("sha256")
    .update(await readFile(archive))
    .digest("hex");
  if (found !== sha256) throw new Error(`${archive} has sha256 ${found}, expected ${sha256}`);
  return archive;
}

/** `name` or `name=version`, as apt-get spells it, into a folder; gives the path of the .deb. */
export async function downloadPackage(spelled: string, folder: string): Promise<string> {
  const part = await mkdtemp(join(folder, "part-"));
  const lists = join(part, "lists");
  await mkdir(lists);
  const fetch = (options: readonly string[]) => run("apt-get", [...options, "download", spelled], part);
  try {
    await fetch([]).catch(async (error: unknown) => {
      if (error instanceof Unavailable) throw error;
      // A fresh container has no lists of packages: then lists of our own, for which nobody has to be root.
      const own = ["-o", `Dir::State::Lists=${lists}`, "-o", `Dir::Cache=${part}`];
      await run("apt-get", [...own, "update"], part);
      await fetch(own);
    });
    const file = (await readdir(part)).find((name) => name.endsWith(".deb")) ?? "";
    await rename(join(part, file), join(folder, file));
    return join(folder, file);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    throw new Unavailable(`apt-get cannot fetch ${spelled}, which Debian 12 has`);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

async function run(command: string, args: readonly string[], cwd?: string): Promise<void> {
  try {
    await promisify(execFile)(command, args, { ...(cwd === undefined ? {} : { cwd }) });
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw isMissing ? new Unavailable(`Debian 12's packages are needed, and there is no ${command} here`) : error;
  }
}
