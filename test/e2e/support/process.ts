import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** How a process ended. */
export interface ProcessExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts a process that is killed when this one ends, whatever the reason. `onLine` gets its output. */
export function startChild(options: {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
}): { readonly child: ChildProcess; readonly ended: Promise<ProcessExit> } {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(
    "setpriv",
    ["--pdeathsig", "SIGKILL", "--", ...options.command],
    { stdio: ["ignore", "pipe", "pipe"], ...(options.environment ? { env: { ...options.environment } } : {}) },
  );
  createInterface({ input: child.stdout }).on("line", options.onLine);
  createInterface({ input: child.stderr }).on("line", options.onLine);
  const ended = new Promise<ProcessExit>((resolve) => {
    child.once("error", (error) => {
      options.onLine(String(error));
      resolve({ exitCode: null, signal: null });
    });
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal }));
  });
  return { child, ended };
}

/** Lists the processes that any thread of a process has started. */
export function readChildren(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.flatMap((thread) => readWords(`/proc/${pid}/task/${thread}/children`).map(Number));
}

/** Lists the children of a process, their children, and so on. */
export function readDescendants(pid: number): number[] {
  const children = ifAlive(() => readChildren(pid)) ?? [];
  return children.flatMap((child) => [child, ...readDescendants(child)]);
}

/** Reads the names of a process's variables. */
export function readVariableNames(pid: number): string[] {
  const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  return variables.map((variable) => variable.replace(/=.*/s, ""));
}

/** Runs a function that needs a process. Returns `undefined` if the process has ended meanwhile. */
export function ifAlive<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}

const readWords = (file: string): string[] => readFileSync(file, "latin1").split(" ").filter(Boolean);
