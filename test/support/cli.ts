import { execFile } from "node:child_process";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { dispatch } from "../../scripts/cli/dispatch.ts";
import * as policies from "../../scripts/cli/policies/policies.ts";

/** The built command of the npm package. `npm ci` and `npm test` build it. */
export const CLI = fileURLToPath(new URL("../../dist/cli/cli.cjs", import.meta.url));

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `cross-account-secrets` as a process with only these variables, until it ends. */
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

/** Runs the command `policies` inside the test. */
export async function runPolicies(
  args: readonly string[],
  {
    isTerminal = false,
    environment = {},
  }: { isTerminal?: boolean; environment?: Readonly<Record<string, string>> } = {},
): Promise<CliResult> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const exitCode = await dispatch(["policies", ...args], {
    commands: { policies: { summary: "", load: async () => policies } },
    version: "",
    world: {
      environment,
      stdout: (text) => void stdout.push(text),
      stderr: (text) => void stderr.push(text),
      isTerminal,
      paint: (style, text) => (isTerminal ? `<${style}>${text}</>` : text),
      now: Date.now,
    },
  });
  return { exitCode, stdout: stdout.join(""), stderr: stderr.join("") };
}
