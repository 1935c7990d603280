/**
 * The C libraries, from Debian 12's packages for cross-compilers: glibc 2.36 and GCC 12's runtime.
 *
 * Any machine can install these packages, so each machine can fetch them for both processors. They have not changed since
 * Debian 12 was released, so a commit can be built again next year: every point release replaces `libc6` itself, and then
 * Debian's mirrors drop the old one. The price is that they lack later fixes; SECURITY.md says what that means.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Architecture } from "./elf.ts";
import { CannotBuildHere } from "./layers.ts";

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** The SHA-256 of the .deb. */
  readonly sha256: string;
}

const GLIBC = "2.36-8cross1";
const GCC = "12.2.0-14cross1";
const pin = (name: string, version: string, sha256: string): DebianPackage => ({ name, version, sha256 });

/** Holds the licence of all libraries that are built from GCC's sources. */
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

/** The folder of the libraries in the unpacked packages. */
export const libraryFolders: Readonly<Record<Architecture, string>> = {
  x86_64: "usr/x86_64-linux-gnu/lib",
  arm64: "usr/aarch64-linux-gnu/lib",
};

/** Fetches the packages of an architecture, unless the cache has them. Returns the folder that they are unpacked to. */
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
  // Renamed when it is complete. It may exist already, if another build was faster.
  await rename(part, folder).catch(() => rm(part, { recursive: true, force: true }));
  return folder;
}

/** Finds the file of a package by its checksum: the version in the file name may be spelled in several ways. */
async function findArchive({ name, sha256 }: DebianPackage, debs: string): Promise<string | undefined> {
  for (const file of await readdir(debs)) {
    if (!file.startsWith(`${name}_`)) continue;
    const archive = join(debs, file);
    if ((await hashFile(archive)) === sha256) return archive;
  }
  return undefined;
}

async function download({ name, version, sha256 }: DebianPackage, debs: string): Promise<string> {
  const archive = await downloadPackage(`${name}=${version}`, debs);
  const found = await hashFile(archive);
  if (found !== sha256) throw new Error(`${archive} has sha256 ${found}, expected ${sha256}`);
  return archive;
}

const hashFile = async (file: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(file))
    .digest("hex");

/** Downloads `name` or `name=version`, apt-get's notation, into a folder. Returns the path of the .deb. */
export async function downloadPackage(spec: string, folder: string): Promise<string> {
  const part = await mkdtemp(join(folder, "part-"));
  const lists = join(part, "lists");
  await mkdir(lists);
  const fetch = (options: readonly string[]) => run("apt-get", [...options, "download", spec], part);
  try {
    await fetch([]).catch(async (error: unknown) => {
      if (error instanceof CannotBuildHere) throw error;
      // A new container has no package lists. They are fetched into a folder of their own, which needs no root.
      const own = ["-o", `Dir::State::Lists=${lists}`, "-o", `Dir::Cache=${part}`];
      await run("apt-get", [...own, "update"], part);
      await fetch(own);
    });
    const file = (await readdir(part)).find((name) => name.endsWith(".deb")) ?? "";
    await rename(join(part, file), join(folder, file));
    return join(folder, file);
  } catch (error) {
    if (error instanceof CannotBuildHere) throw error;
    throw new CannotBuildHere(`apt-get cannot fetch ${spec}, a package of Debian 12`);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

async function run(command: string, args: readonly string[], cwd?: string): Promise<void> {
  try {
    await promisify(execFile)(command, args, { ...(cwd === undefined ? {} : { cwd }) });
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw isMissing ? new CannotBuildHere(`Debian 12's packages are needed, but ${command} is missing`) : error;
  }
}
