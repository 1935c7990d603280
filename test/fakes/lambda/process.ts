import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { killWithUs } from "./orphans.ts";

/** How a process ended. All `null`: it has not, or there was none. */
export interface Exit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started at all. */
  readonly launchError: string | null;
}

export type OutputStream = "stdout" | "stderr";

/** A running extension or runtime. */
export interface RunningProcess {
  readonly pid: number | undefined;
  /** Settles when the process is gone and its last line was read; never rejects. */
  readonly ended: Promise<Exit>;
  /** Signals its whole process group, as Lambda does; nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
}

/** Starts a process as Lambda does: in a group of its own, with this environment and no other. */
export function startProcess(options: {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly onLine: (stream: OutputStream, line: string) => void;
}): RunningProcess {
  const { command, cwd, environment } = options;
  try {
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    return watchChild(
      spawn(command, options.arguments, { cwd, env: environment, detached: true, stdio }),
      options.onLine,
    );
  } catch (error) {
    // Node emits the usual errors of `spawn` and throws the rest, such as that of a binary for another system.
    return failedLaunch(String(error));
  }
}

function watchChild(
  child: ChildProcessByStdio<null, Readable, Readable>,
  onLine: (stream: OutputStream, line: string) => void,
): RunningProcess {
  let hasEnded = false;
  const signalGroup = (signal: NodeJS.Signals) => {
    if (hasEnded || child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // ESRCH (on macOS also EPERM, when only zombies are left): nobody there to signal.
    }
  };
  const killGroup = () => signalGroup("SIGKILL");
  const forget = killWithUs(killGroup);

  let launchError: string | null = null;
  child.once("error", (error) => {
    launchError = error.message;
  });
  // What an extension leaves running would keep its pipes, and so `close`, open.
  child.once("exit", killGroup);
  createInterface({ input: child.stdout }).on("line", (line) => onLine("stdout", line));
  createInterface({ input: child.stderr }).on("line", (line) => onLine("stderr", line));

  const ended = new Promise<Exit>((resolve) => {
    child.once("close", (exitCode, signal) => {
      hasEnded = true;
      forget();
      resolve({ exitCode: launchError === null ? exitCode : null, signal, launchError });
    });
  });
  return { pid: child.pid, ended, signal: signalGroup };
}

/** A process that could not be started. */
export function failedLaunch(launchError: string): RunningProcess {
  return { pid: undefined, ended: Promise.resolve({ exitCode: null, signal: null, launchError }), signal() {} };
}

/**
 * Whether the kernel knows what to do with a file: a script with an interpreter line, or a binary. Lambda's `execve` fails
 * on anything else, but Node's `spawn` ends up in `execvp`, which hands it to `/bin/sh`, and the mistake would pass.
 * https://man7.org/linux/man-pages/man3/exec.3.html
 */
export function isExecFormat(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const start = Buffer.alloc(4);
    readSync(file, start);
    if (start.toString("latin1", 0, 2) === "#!") return true;
    return ["7f454c46", "cffaedfe", "cafebabe"].includes(start.toString("hex"));
  } finally {
    closeSync(file);
  }
}

/** Waits for the end of a process, and brings it about with SIGKILL once the time is over. */
export async function endWithin(running: RunningProcess, limitMs: number, onKill: () => void): Promise<Exit> {
  const timer = setTimeout(() => {
    onKill();
    running.signal("SIGKILL");
  }, limitMs);
  try {
    return await running.ended;
  } finally {
    clearTimeout(timer);
  }
}
