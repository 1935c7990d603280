import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** How a process ended. */
export interface Exit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that dies with this one, however this one ends; `onLine` gets what it prints. */
export function startProcess(options: {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
}): { readonly child: ChildProcess; readonly ended: Promise<Exit> } {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(
    "setpriv",
    ["--pdeathsig", "SIGKILL", "--", ...options.command],
    { stdio: ["ignore", "pipe", "pipe"], ...(options.environment ? { env: { ...options.environment } } : {}) },
  );
  createInterface({ input: child.stdout }).on("line", options.onLine);
  createInterface({ input: child.stderr }).on("line", options.onLine);
  const ended = new Promise<Exit>((resolve) => {
    child.once("error", (error) => {
      options.onLine(String(error));
      resolve({ exitCode: null, signal: null });
    });
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal }));
  });
  return { child, ended };
}

/** The processes that a process has started, by any of its threads. */
export function readChildren(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.flatMap((thread) => readWords(`/proc/${pid}/task/${thread}/children`).map(Number));
}

/** Those, and what they have started in turn. */
export function readDescendants(pid: number): number[] {
  const children = ifAlive(() => readChildren(pid)) ?? [];
  return children.flatMap((child) => [child, ...readDescendants(child)]);
}

/** The names of a process's variables. */
export function readVariableNames(pid: number): string[] {
  const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  return variables.map((variable) => variable.replace(/=.*/s, ""));
}

/** Runs something that needs a process which may end at any time; `undefined` when it has. */
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
