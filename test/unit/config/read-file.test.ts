import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFileReader } from "../../../extension/config/read-file.ts";
import { createTempFolder, writeTempFile } from "../../support/temp-files.ts";

const userId = process.geteuid?.();
const isRoot = userId === 0;
const OTHER = 65_534;
const read = createFileReader(userId);

function createFile(mode: number): string {
  const file = writeTempFile("text");
  chmodSync(file, mode);
  return file;
}

describe.skipIf(userId === undefined)("a file that must be ours (needs a system with user IDs)", () => {
  it.each([0o600, 0o400, 0o640, 0o644])("is read with the mode %o", (mode) => {
    expect(read(createFile(mode), "ours")).toBe("text");
  });

  it.each([0o620, 0o602, 0o666, 0o777])("is refused with the mode %o", (mode) => {
    expect(() => read(createFile(mode), "ours")).toThrow("foreign");
  });

  it("is read if it belongs to root", () => {
    expect(read("/etc/passwd", "ours")).toMatch(/^root:/m);
  });

  it("is refused if it belongs to another user", () => {
    const file = createFile(0o600);
    if (isRoot) chownSync(file, OTHER, OTHER);
    expect(() => createFileReader(isRoot ? OTHER - 1 : OTHER)(file, "ours")).toThrow("foreign");
  });

  it("is read through a link", () => {
    const link = join(createTempFolder(), "link");
    symlinkSync(createFile(0o600), link);
    expect(read(link, "ours")).toBe("text");
  });

  it("may not be a folder or a pipe, which is refused at once", () => {
    const folder = createTempFolder();
    mkdirSync(join(folder, "folder"), { mode: 0o700 });
    expect(spawnSync("mkfifo", ["-m", "600", join(folder, "pipe")]).status).toBe(0);
    for (const name of ["folder", "pipe"]) expect(() => read(join(folder, name), "ours")).toThrow("foreign");
  });

  it.skipIf(!isRoot)("may not be another user's, nor be reached through another user's link (needs root)", () => {
    const file = createFile(0o644);
    const link = join(createTempFolder(), "link");
    symlinkSync(file, link);
    lchownSync(link, OTHER, OTHER);
    expect(() => read(link, "ours")).toThrow("foreign");
    chownSync(file, OTHER, OTHER);
    expect(() => read(file, "ours")).toThrow("foreign");
    expect(createFileReader(OTHER)(file, "ours")).toBe("text");
  });
});

describe("another file", () => {
  it("is read whatever its mode is", () => {
    expect(read(createFile(0o666))).toBe("text");
  });

  it("is read without its owner on a system without user IDs", () => {
    expect(createFileReader(undefined)(createFile(0o666), "ours")).toBe("text");
  });
});
