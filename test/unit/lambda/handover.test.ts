import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import { createInitMarker, parseHandover } from "../../../extension/lambda/handover.ts";

const PID = 17;
const GIVEN = { LISTEN_PID: "17", LISTEN_FDS: "1", LAMBDA_EXTENSION_IDENTIFIER: "an-identifier" };

describe("a handover", () => {
  it("is the first descriptor and the identifier, if the launcher has become this process", () => {
    expect(parseHandover(GIVEN, PID)).toEqual({ descriptor: 3, identifier: "an-identifier" });
  });

  it.each<[string, Environment]>([
    ["no variable is set", {}],
    ["LISTEN_PID is another process", { ...GIVEN, LISTEN_PID: "18" }],
    ["LISTEN_PID is unset", { ...GIVEN, LISTEN_PID: undefined }],
    ["LISTEN_PID is empty", { ...GIVEN, LISTEN_PID: "" }],
    ["LISTEN_PID has a leading zero", { ...GIVEN, LISTEN_PID: "017" }],
    ["only an identifier is set", { LAMBDA_EXTENSION_IDENTIFIER: "an-identifier" }],
  ])("is empty if %s", (_, environment) => {
    expect(parseHandover(environment, PID)).toEqual({ descriptor: undefined, identifier: undefined });
  });

  it.each([undefined, "", "0", "2", "01", "one"])("has no descriptor if LISTEN_FDS is %j", (LISTEN_FDS) => {
    expect(parseHandover({ ...GIVEN, LISTEN_FDS }, PID)).toEqual({
      descriptor: undefined,
      identifier: "an-identifier",
    });
  });

  it.each([undefined, ""])("has no identifier if LAMBDA_EXTENSION_IDENTIFIER is %j", (identifier) => {
    const environment = { ...GIVEN, LAMBDA_EXTENSION_IDENTIFIER: identifier };
    expect(parseHandover(environment, PID)).toEqual({ descriptor: 3, identifier: undefined });
  });
});

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
