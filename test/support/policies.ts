/** The command `policies`, run without a machine of its own. */
import { dispatch } from "../../scripts/cli/dispatch.ts";
import * as policies from "../../scripts/cli/policies/policies.ts";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runPolicies(
  args: readonly string[],
  {
    isTerminal = false,
    environment = {},
  }: { isTerminal?: boolean; environment?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
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
