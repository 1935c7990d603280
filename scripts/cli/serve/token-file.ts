/** A token that is made up, in a file that its owner alone can read. */
import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import { CommandError } from "../world.ts";

/** 256 bits. */
export const createToken = (): string => randomBytes(32).toString("base64url");
const MADE_UP = /^[\w-]{43}\n$/;

/**
 * systemd's folder, or the session's, which are ours alone; there a port has one file. Else the one that is everybody's,
 * under a name that nobody can take before us.
 */
export function choosePath(environment: Environment, port: number): string {
  const name = `cross-account-secrets-${port}`;
  // systemd lists all that a unit asks for: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#RuntimeDirectory=
  const [runtime] = (environment.RUNTIME_DIRECTORY ?? "").split(":");
  const folder = runtime || environment.XDG_RUNTIME_DIR;
  return folder ? join(folder, `${name}.token`) : join(tmpdir(), `${name}-${randomBytes(6).toString("hex")}.token`);
}

/**
 * Created here and now, so that nobody else holds it open; a token that a server left behind, which was killed, is replaced.
 * Gives what removes it, unless it is another's by then.
 */
export function writeTokenFile(path: string, token: string): () => void {
  const text = `${token}\n`;
  try {
    if (MADE_UP.test(read(path) ?? "")) rmSync(path);
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "there is a file, which is not a token of ours" : code;
    throw new CommandError(1, `cannot write the token to ${path}: ${why}; name another file with --token-file`);
  }
  return () => {
    if (read(path) === text) rmSync(path, { force: true });
  };
}

/** The text of a plain file; no link is followed. */
function read(path: string): string | undefined {
  try {
    return lstatSync(path).isFile() ? readFileSync(path, "latin1") : undefined;
  } catch {
    return undefined;
  }
}
