import { expect, onTestFinished } from "vitest";
import { findLeaks, readFolder } from "../../support/canary.ts";
import type { TwoAccounts } from "../../support/two-accounts.ts";
import type { Sandbox } from "./sandbox.ts";

/** Ends the sandbox with the test, which fails if any line of its log or any file in its `/tmp` holds one of these secrets. */
export function endWithoutLeaks(sandbox: Sandbox, secrets: () => readonly string[]): void {
  onTestFinished(async () => {
    const outputs = readFolder(sandbox.tmp);
    sandbox.logs.forEach(({ text }, index) => void outputs.set(`log line ${index}`, text));
    await sandbox.close();
    expect(findLeaks(outputs, secrets())).toEqual([]);
  });
}

/** The secret parts of sessions. */
export const toKeys = (sessions: readonly { secretAccessKey: string; sessionToken: string }[]): string[] =>
  sessions.flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]);

/** All that no output may hold where the fake AWS is AWS. */
export const secretsOf = ({ aws, canaries }: TwoAccounts): string[] => [...canaries, ...toKeys(aws.listCredentials())];
