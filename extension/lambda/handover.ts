/** What earlier processes left: the launcher left a socket and a registration; an earlier init left a marker file. */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../config/setting-rules.ts";

/** What the launcher has done already. */
export interface Handover {
  /** A listening socket, as a file descriptor. */
  readonly descriptor: number | undefined;
  /** The extension identifier that Lambda gave at registration. */
  readonly identifier: string | undefined;
}

/** The first descriptor of socket activation: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
const FIRST_DESCRIPTOR = 3;

/**
 * Socket activation as systemd does it: `LISTEN_FDS` descriptors are ours if `LISTEN_PID` is our process. The launcher
 * becomes Node by `execve`, which keeps the process id.
 */
export function parseHandover(environment: Environment, pid: number): Handover {
  const isOurs = environment.LISTEN_PID === String(pid);
  return {
    descriptor: isOurs && environment.LISTEN_FDS === "1" ? FIRST_DESCRIPTOR : undefined,
    identifier: isOurs ? environment.LAMBDA_EXTENSION_IDENTIFIER || undefined : undefined,
  };
}

/**
 * Tells the first init of an execution environment from one inside an invocation. After a function's time-out or crash,
 * Lambda starts the extension again as a new process, on the next invocation's clock. It keeps `/tmp`:
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 *
 * The file is empty. If it cannot be created (no space, read-only), every init counts as the first.
 */
export function createInitMarker(folder: string | undefined): () => boolean {
  return () => {
    try {
      closeSync(openSync(join(folder || "/tmp", ".cross-account-secrets-init"), "wx", 0o600));
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== "EEXIST";
    }
  };
}
