import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../config/setting-rules.ts";

/** What the launcher has done already, so that it need not be done again. */
export interface Inheritance {
  /** A listening socket, as a file descriptor. */
  readonly descriptor: number | undefined;
  /** The extension identifier that Lambda gave at registration. */
  readonly identifier: string | undefined;
}

/** The first descriptor that socket activation hands over: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
const FIRST_DESCRIPTOR = 3;

/**
 * Socket activation as systemd does it: `LISTEN_FDS` descriptors are ours if `LISTEN_PID` is our process. The launcher
 * becomes us by `execve`, and so keeps its process id.
 */
export function parseInheritance(environment: Environment, pid: number): Inheritance {
  const isOurs = environment.LISTEN_PID === String(pid);
  return {
    descriptor: isOurs && environment.LISTEN_FDS === "1" ? FIRST_DESCRIPTOR : undefined,
    identifier: isOurs ? environment.LAMBDA_EXTENSION_IDENTIFIER || undefined : undefined,
  };
}

/**
 * Tells the first init of an execution environment from one inside an invocation. After a function's time-out or crash
 * Lambda starts the extension again, as a new process and on the next invocation's clock, but keeps `/tmp`:
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 *
 * The file is empty. Where it cannot be made (no space, read-only), every init counts as the first.
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
