import { execFile } from "node:child_process";
import { execPath } from "node:process";
import { CLI } from "./serve.ts";

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `cross-account-secrets` to its end, on a machine with these variables and no others. */
export function runCli(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<CliResult> {
  const env = { PATH: process.env.PATH, HOME: "/nonexistent", AWS_EC2_METADATA_DISABLED: "true", ...environment };
  return new Promise((resolve) => {
    const child = execFile(execPath, [CLI, ...args], { env }, (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}
