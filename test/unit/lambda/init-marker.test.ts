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
  it("makes the first init of an execution environment the first, and any other not", () => {
    const folder = makeFolder();
    expect(createInitMarker(folder)()).toBe(true);
    expect(createInitMarker(folder)()).toBe(false);
    expect(createInitMarker(folder)()).toBe(false);
  });

  it("is made when it is asked for, not before", () => {
    const folder = makeFolder();
    createInitMarker(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("is one empty file, its owner's alone", () => {
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

  it("leaves every init the first where the folder does not exist", () => {
    const isFirstInit = createInitMarker(join(makeFolder(), "nowhere"));
    expect([isFirstInit(), isFirstInit()]).toEqual([true, true]);
  });

  it("leaves every init the first where the folder is none", () => {
    const file = join(makeFolder(), "file");
    writeFileSync(file, "");
    const isFirstInit = createInitMarker(file);
    expect([isFirstInit(), isFirstInit()]).toEqual([true, true]);
  });
});
