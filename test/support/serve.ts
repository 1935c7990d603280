import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { request } from "node:http";
import { execPath } from "node:process";
import { text } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";
import { findLeaks } from "./canary.ts";
import { CLI } from "./cli.ts";
import { findFreePort } from "./free-port.ts";
import { parseLogLine } from "./log.ts";

type ServeLogLine = Readonly<Record<string, unknown>>;

export interface ServeRun {
  readonly port: number;
  /** The lines that it has logged so far. */
  readonly log: readonly ServeLogLine[];
  readonly stderr: () => string;
  /** Settles with the first line of this event. Rejects if the process ends without one. */
  waitFor(event: string): Promise<ServeLogLine>;
  kill(signal: NodeJS.Signals): void;
  /** Closes the pipes that it writes to. */
  closeOutput(): void;
  /** The exit code, or 128 and the number of the signal that ended it. */
  readonly ended: Promise<number | null>;
}

/**
 * Starts `cross-account-secrets serve` as a process with only these variables. It ends with the test, which fails if any output
 * contains one of `secrets`.
 */
export async function startServe(options: {
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly secrets?: () => readonly string[];
  readonly command?: readonly string[];
  readonly port?: number;
}): Promise<ServeRun> {
  const port = options.port ?? (await findFreePort());
  const [program = execPath, ...before] = options.command ?? [execPath];
  const env = {
    PATH: process.env.PATH,
    HOME: "/nonexistent",
    // Outside EC2 the search for its credentials fails, and slowly if packets to its address are dropped.
    AWS_EC2_METADATA_DISABLED: "true",
    CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
    ...options.environment,
  };
  const child = spawn(program, [...before, CLI, "serve", ...(options.args ?? [])], { env });
  const output = { stdout: "", stderr: "" };
  const log: ServeLogLine[] = [];
  let unfinished = "";
  let look = () => {};
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output.stdout += chunk;
    const lines = (unfinished + chunk).split("\n");
    unfinished = lines.pop() ?? "";
    for (const line of lines) log.push(parseLogLine(line) ?? { line });
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    output.stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
    expect(findLeaks(new Map(Object.entries(output)), options.secrets?.() ?? [])).toEqual([]);
  });
  return {
    port,
    log,
    stderr: () => output.stderr,
    async waitFor(event) {
      const find = () => log.find((line) => line.event === event);
      const found = new Promise<ServeLogLine>((resolve) => {
        look = () => {
          const line = find();
          if (line !== undefined) resolve(line);
        };
        look();
      });
      const missed = ended.then((code): never => {
        throw new Error(`ended with ${code} without a line ${event}: ${output.stdout}${output.stderr}`);
      });
      return Promise.race([found, missed]);
    },
    kill: (signal) => void child.kill(signal),
    closeOutput() {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    ended,
  };
}

/** Sends a request as a function would, on a connection that is not reused. */
export function ask(port: number, path: string, token?: string): Promise<{ status: number; body: string }> {
  const headers = token === undefined ? {} : { "X-Aws-Parameters-Secrets-Token": token };
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: "127.0.0.1", path, headers, agent: false }, async (response) => {
      resolve({ status: response.statusCode ?? 0, body: await text(response) });
    });
    outgoing.on("error", reject).end();
  });
}

export const toMode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
