/** A generated token, in a file that only its owner can read. */
import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import { CommandError } from "../world.ts";

/** 256 bits. */
export const createToken = (): string => randomBytes(32).toString("base64url");
const GENERATED = /^[\w-]{43}\n$/;

/**
 * In the folder of systemd or of the login session, which only the user can write to, each port has one file. In the
 * temporary folder, which all users share, the name is random, so that no one can create the file first.
 */
export function choosePath(environment: Environment, port: number): string {
  const name = `cross-account-secrets-${port}`;
  // systemd lists all folders of the unit: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#RuntimeDirectory=
  const [runtime] = (environment.RUNTIME_DIRECTORY ?? "").split(":");
  const folder = runtime || environment.XDG_RUNTIME_DIR;
  return folder ? join(folder, `${name}.token`) : join(tmpdir(), `${name}-${randomBytes(6).toString("hex")}.token`);
}

/**
 * Creates the file, so that no other process has it open. Replaces the token that a killed server left behind. Returns a
 * function that removes the file, unless another server has replaced it.
 */
export function writeTokenFile(path: string, token: string): () => void {
  const text = `${token}\n`;
  try {
    if (GENERATED.test(read(path) ?? "")) rmSync(path);
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "the file exists, and is not a token of serve" : code;
    throw new CommandError(1, `cannot write the token to ${path}: ${why}; name another file with --token-file`);
  }
  return () => {
    if (read(path) === text) rmSync(path, { force: true });
  };
}

/** The text of a regular file; undefined for a link. */
function read(path: string): string | undefined {
  try {
    return lstatSync(path).isFile() ? readFileSync(path, "latin1") : undefined;
  } catch {
    return undefined;
  }
}
