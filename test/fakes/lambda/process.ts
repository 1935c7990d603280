import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** How a process ended. All are `null` if it has not ended, or if there was none. */
export interface Exit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly launchError: string | null;
}

export type OutputStream = "stdout" | "stderr";

/** A running extension or runtime. */
export interface RunningProcess {
  readonly pid: number | undefined;
  /** Settles when the process has ended and its last line was read. Never rejects. */
  readonly ended: Promise<Exit>;
  /** Signals its whole process group, as Lambda does. Does nothing after it has ended. */
  signal(signal: NodeJS.Signals): void;
}

/** Starts a process as Lambda does: in a group of its own, with only these variables. */
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
    // Node emits the usual errors of `spawn` and throws the others, such as the error for a binary of another system.
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
      // ESRCH (on macOS also EPERM, when only zombies are left): no process is left to signal.
    }
  };
  const killGroup = () => signalGroup("SIGKILL");
  const forget = killWithUs(killGroup);

  let launchError: string | null = null;
  child.once("error", (error) => {
    launchError = error.message;
  });
  // A process that an extension leaves running would keep the pipes open, and `close` would not come.
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
 * Whether the kernel can execute a file: a script with an interpreter line, or a binary. Lambda's `execve` fails for any other
 * file, but Node's `spawn` uses `execvp`, which runs it with `/bin/sh`, so a test would not notice the mistake.
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

/** Waits for the end of a process, and kills it with SIGKILL after the limit. */
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

/** Functions that kill the running process groups. */
const killers = new Set<() => void>();
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Kills a process group when this process ends: a group of its own gets no Ctrl-C from the terminal, and an extension
 * continues without Lambda. Returns a function that stops this. A SIGKILL of this process cannot be noticed.
 */
function killWithUs(kill: () => void): () => void {
  if (killers.size === 0) watchSignals();
  killers.add(kill);
  return () => {
    killers.delete(kill);
    if (killers.size === 0) unwatchSignals();
  };
}

function watchSignals(): void {
  process.on("exit", killAll);
  for (const signal of SIGNALS) process.on(signal, endWith);
}

function unwatchSignals(): void {
  process.off("exit", killAll);
  for (const signal of SIGNALS) process.off(signal, endWith);
}

function killAll(): void {
  for (const kill of killers) kill();
}

/** A listener disables the default action of a signal, so the signal is sent again, unless there are other listeners. */
function endWith(signal: NodeJS.Signals): void {
  killAll();
  unwatchSignals();
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
