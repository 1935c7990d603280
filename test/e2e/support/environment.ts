/** Execution environments that end with the test. The test fails if a secret leaked. */
import { beforeAll, expect, onTestFinished } from "vitest";
import { findLeaks, readFolder } from "../../support/canary.ts";
import { findFreePort } from "../../support/free-port.ts";
import { listSecrets, startTwoAccounts, type TwoAccounts } from "../../support/two-accounts.ts";
import { type RieOptions, type Sandbox, startRie } from "./sandbox.ts";
import type { RunnableExample, RunnableFunction } from "./toolchains.ts";

export interface SandboxWithAccounts {
  readonly sandbox: Sandbox;
  readonly accounts: TwoAccounts;
}

export interface SandboxOptions extends Omit<RieOptions, "environment"> {
  /** Further variables of the function. */
  readonly toVariables: (accounts: TwoAccounts) => Readonly<Record<string, string>>;
}

/** Starts a sandbox and a fake AWS, with the variables that a runtime's own image has. */
export async function startWithAccounts({ toVariables, ...options }: SandboxOptions): Promise<SandboxWithAccounts> {
  const accounts = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  const environment = {
    ...accounts.environment,
    CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(await findFreePort()),
    LAMBDA_TASK_ROOT: "/var/task",
    ...toVariables(accounts),
  };
  const sandbox = await startRie({ ...options, environment });
  endWithoutLeaks(sandbox, () => listSecrets(accounts));
  return { sandbox, accounts };
}

/** Ends the sandbox with the test, which fails if a line of its log or a file in its `/tmp` contains one of these secrets. */
export function endWithoutLeaks(sandbox: Sandbox, secrets: () => readonly string[]): void {
  onTestFinished(async () => {
    const outputs = readFolder(sandbox.tmp);
    sandbox.logs.forEach(({ text }, index) => void outputs.set(`log line ${index}`, text));
    await sandbox.close();
    expect(findLeaks(outputs, secrets())).toEqual([]);
  });
}

/** Prepares all functions before the tests, at the same time. A test then gets its function by name, or the error. */
export function prepareAll(
  functions: readonly ({ readonly name: string } & Pick<RunnableExample, "missing" | "prepare">)[],
  timeoutMs: number,
): (name: string) => RunnableFunction {
  const prepared = new Map<string, RunnableFunction | Error>();
  beforeAll(async () => {
    const preparations = functions.map(async ({ name, missing, prepare }) => {
      if (missing !== undefined) return;
      prepared.set(name, await prepare().catch((error: unknown) => new Error("set-up failed", { cause: error })));
    });
    await Promise.all(preparations);
  }, timeoutMs);
  return (name) => {
    const found = prepared.get(name);
    if (found === undefined || found instanceof Error) throw found ?? new Error("not prepared");
    return found;
  };
}
