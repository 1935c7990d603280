/** A generated token, in a file that only its owner can read. */
import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../../extension/config/setting-rules.ts";
import { CommandError } from "../world.ts";

/** 256 bits. */
export const createRandomText = (): string => randomBytes(32).toString("base64url");

/** The port tells another server whether the server that wrote the token still runs. */
export const toToken = (port: number, random: string): string => `${port}.${random}`;
const toPort = (token: string): number => Number(token.split(".")[0]);
const GENERATED = /^\d{1,5}\.[\w-]{43}\n$/;

/** How long a server may take to say whether a token is its own. */
const PROBE_TIMEOUT_MS = 1_000;

/**
 * Returns the path of a file for each port, in a folder that only this user can open, and creates the folder. It is in the folder
 * of systemd or of the login session, or else in the temporary folder, which all users share.
 */
export function prepareDefaultPath(environment: Environment, token: string, userId: number | undefined): string {
  // systemd lists all folders of the unit: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#RuntimeDirectory=
  const [runtime] = (environment.RUNTIME_DIRECTORY ?? "").split(":");
  const folder = join(runtime || environment.XDG_RUNTIME_DIR || tmpdir(), `cross-account-secrets-${userId ?? "user"}`);
  const path = join(folder, `${toPort(token)}.token`);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (toCode(error) !== "EEXIST") throw toCommandError(path, toCode(error));
  }
  // Another user may have created it first. Without a user ID, as on Windows, there is no mode to check.
  const found = lstatSync(folder);
  const isOurs = userId === undefined || (found.uid === userId && (found.mode & 0o077) === 0);
  if (found.isDirectory() && isOurs) return path;
  throw toCommandError(path, `${folder} is not a folder that only this user can open`, ", or remove it");
}

/**
 * Creates the file, so that no other process has it open. Replaces the token that a killed server left behind. Returns a
 * function that removes the file, unless another server has replaced it.
 */
export async function writeTokenFile(path: string, token: string): Promise<() => void> {
  const text = `${token}\n`;
  const found = read(path) ?? "";
  if (GENERATED.test(found) && (await isAccepted(found.trim()))) {
    const why = `the server on port ${toPort(found)} uses the file`;
    throw toCommandError(path, why, ", or stop that server");
  }
  try {
    if (GENERATED.test(found)) rmSync(path);
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const code = toCode(error);
    throw toCommandError(path, code === "EEXIST" ? "the file exists, and is not a token of serve" : code);
  }
  return () => {
    if (read(path) === text) rmSync(path, { force: true });
  };
}

/** Whether a server runs on the token's port and accepts it. A server that does not answer in time may be one. */
function isAccepted(token: string): Promise<boolean> {
  const headers = { "X-Aws-Parameters-Secrets-Token": token };
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port: toPort(token), path: "/stats", headers, agent: false };
    const probe = request(options, ({ statusCode }) => {
      resolve(statusCode === 200);
      probe.destroy();
    });
    probe.setTimeout(PROBE_TIMEOUT_MS, () => {
      resolve(true);
      probe.destroy();
    });
    probe.on("error", () => resolve(false)).end();
  });
}

/** The text of a regular file; undefined for a link. */
function read(path: string): string | undefined {
  try {
    return lstatSync(path).isFile() ? readFileSync(path, "latin1") : undefined;
  } catch {
    return undefined;
  }
}

const toCode = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

const toCommandError = (path: string, why: string | undefined, or = ""): CommandError =>
  new CommandError(1, `cannot write the token to ${path}: ${why}; name another file with --token-file${or}`);
