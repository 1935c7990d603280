/** Files and folders that are deleted when the test ends. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";

export function createTempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "cross-account-secrets-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file in a new folder, and returns its path. */
export function writeTempFile(content: string): string {
  const file = join(createTempFolder(), "file");
  writeFileSync(file, content);
  return file;
}

/** Copies the image of the nodejs layer, so that a test may change it. */
export function copyLayer(): string {
  const opt = createTempFolder();
  cpSync(toOpt("nodejs"), opt, { recursive: true });
  return opt;
}

/** An image of /opt with the extension of the nodejs layer, which may open at most this number of files and sockets. */
export function createLimitedLayer(descriptors: number): string {
  const opt = createTempFolder();
  const extension = "extensions/cross-account-secrets";
  mkdirSync(join(opt, "extensions"));
  const script = `#!/bin/sh\nulimit -n ${descriptors} && exec '${join(toOpt("nodejs"), extension)}'\n`;
  writeFileSync(join(opt, extension), script, { mode: 0o755 });
  return opt;
}
