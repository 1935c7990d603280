/** The self-contained layers carry the libraries that their Node needs, and the build fails if one is missing or unsuitable. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { readLinkage } from "../../scripts/build/elf.ts";
import { collectLibraries, type FindLibrary, LOADERS } from "../../scripts/build/self-contained.ts";

describe.each(["x86_64", "arm64"] as const)("the libraries of the %s layer", (architecture) => {
  const program = join(toOpt(architecture), "cross-account-secrets");
  const test = it.skipIf(!existsSync(join(program, "bin/node")));
  const readNode = () => readFile(join(program, "bin/node"));
  const find: FindLibrary = (soname) =>
    readFile(join(program, "lib", soname === LOADERS[architecture] ? "ld.so" : soname)).catch(() => undefined);
  /** Finds libraries like `find`, except for one. */
  const findBut =
    (name: string, change: (file: Buffer | undefined) => Promise<Buffer | undefined>): FindLibrary =>
    async (soname) => {
      const file = await find(soname);
      return soname === name ? change(file) : file;
    };

  test("are those that its Node needs, and no other", async () => {
    const sonames = [...(await collectLibraries(await readNode(), find)).keys()];
    const expected = ["libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libstdc++.so.6"];
    expect(sonames).toEqual(["ld.so", ...expected]);
  });

  test("are needed: its Node requires a newer C library than the 2.26 of Amazon Linux 2", async () => {
    const { versionsNeeded } = readLinkage(await readNode());
    expect(versionsNeeded.get("libc.so.6")).toContain("GLIBC_2.28");
    expect([...versionsNeeded.keys()]).toEqual(expect.arrayContaining(["libc.so.6", "libm.so.6", "libstdc++.so.6"]));
  });

  test("fail the build when one is missing", async () => {
    const broken = findBut("libgcc_s.so.1", async () => undefined);
    await expect(collectLibraries(await readNode(), broken)).rejects.toThrow(
      "the libraries do not fit Node.js:\n  node needs libgcc_s.so.1, which is missing",
    );
  });

  test("fail the build when one is older than Node requires", async () => {
    const broken = findBut("libc.so.6", async (file) => toOlder(file, "GLIBC_2.28"));
    await expect(collectLibraries(await readNode(), broken)).rejects.toThrow(
      /\n {2}node needs GLIBC_2\.28 of libc\.so\.6, which has no such version/,
    );
  });

  test("fail the build when one is older than another library requires", async () => {
    const broken = findBut(LOADERS[architecture], async (file) => toOlder(file, "GLIBC_PRIVATE"));
    await expect(collectLibraries(await readNode(), broken)).rejects.toThrow(
      /\n {2}libc\.so\.6 needs GLIBC_PRIVATE of ld-linux.*, which has no such version/,
    );
  });

  test("fail the build when one is for another processor", async () => {
    const broken = findBut("libm.so.6", async (file) => {
      file?.writeUInt16LE(8, 18); // e_machine: MIPS
      return file;
    });
    await expect(collectLibraries(await readNode(), broken)).rejects.toThrow(
      `node needs libm.so.6 for ${architecture}; this one is for another processor`,
    );
  });
});

/** Renames one symbol version of a library, so that the library seems older. */
function toOlder(file: Buffer | undefined, version: string): Buffer | undefined {
  for (let at = file?.indexOf(`${version}\0`) ?? -1; at >= 0; at = file?.indexOf(`${version}\0`, at) ?? -1) {
    file?.write("X", at, "latin1");
  }
  return file;
}
