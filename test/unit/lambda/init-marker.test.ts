import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createInitMarker } from "../../../extension/lambda/handover.ts";

const MARKER = ".cross-account-secrets-init";

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "init-marker-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe("the init marker", () => {
  it("distinguishes the first init of an execution environment from all later ones", () => {
    const folder = makeFolder();
    expect(createInitMarker(folder)()).toBe(true);
    expect(createInitMarker(folder)()).toBe(false);
    expect(createInitMarker(folder)()).toBe(false);
  });

  it("is created when it is checked, not before", () => {
    const folder = makeFolder();
    createInitMarker(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is one empty file that only its owner may read and write", () => {
    const folder = makeFolder();
    createInitMarker(folder)();
    expect(readdirSync(folder)).toEqual([MARKER]);
    expect(readFileSync(join(folder, MARKER), "utf8")).toBe("");
    expect(statSync(join(folder, MARKER)).mode & 0o777).toBe(0o600);
  });

  it("follows no link that the function left in its place", () => {
    const folder = makeFolder();
    symlinkSync(join(folder, "elsewhere"), join(folder, MARKER));
    expect(createInitMarker(folder)()).toBe(false);
    expect(readdirSync(folder)).toEqual([MARKER]);
  });

  it("reports every init as the first if the folder does not exist", () => {
    const isFirstInit = createInitMarker(join(makeFolder(), "nowhere"));
    expect([isFirstInit(), isFirstInit()]).toEqual([true, true]);
  });

  it("reports every init as the first if the folder is a file", () => {
    const file = join(makeFolder(), "file");
    writeFileSync(file, "");
    const isFirstInit = createInitMarker(file);
    expect([isFirstInit(), isFirstInit()]).toEqual([true, true]);
  });
});
