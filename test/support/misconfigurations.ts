/**
 * Rows of the table of misconfigurations: one thing is wrong, the layer names the cause, the printed remedy is applied exactly,
 * and the secret is read.
 */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { FailureCode } from "../../extension/failure/failure.ts";
import { type Bench, type BenchOptions, startBench } from "./bench.ts";
import { policyEngine } from "./policy-engine.ts";
import { type PrintedRemedy, paste, removeDenials } from "./printed-remedies.ts";
import { testRow } from "./rows.ts";
import { SECRET_PATH, type TwoAccounts } from "./two-accounts.ts";

export interface Misconfiguration extends Pick<BenchOptions, "environment" | "functionRoleArn" | "now" | "regions"> {
  readonly name: string;
  /** Makes the mistake. */
  readonly change?: (accounts: TwoAccounts) => void;
  readonly cause: FailureCode;
  /** What the remedy must contain: every possible cause, if AWS's answer leaves more than one. */
  readonly tells: readonly string[];
  /**
   * Applies a remedy that is printed in words. Default: the printed statements go into the printed policies or, if there are
   * no statements, each `Deny` is removed from the printed policies.
   */
  readonly repair?: (accounts: TwoAccounts, printed: PrintedRemedy) => unknown;
  /** The variables of a new execution environment, if the remedy asks for one. */
  readonly newEnvironment?: BenchOptions["environment"];
  /** The target of the request. Default: the secret. */
  readonly path?: string;
}

/** The extension allows one refreshNow a second. */
const REFRESH_INTERVAL_MS = 1_050;

export function misconfiguration(group: string, row: Misconfiguration): void {
  const { name, cause, tells, repair = repairAsPrinted, path = SECRET_PATH } = row;
  const { environment = {}, functionRoleArn, now, regions, newEnvironment } = row;
  const expected = `${cause}; repaired as printed: 200`;
  testRow({ table: "misconfiguration", group, name, expected }, undefined, async (see) => {
    const bench = await startBench({
      functionRoleArn,
      policyEngine,
      environment,
      ...(now && { now }),
      ...(regions && { regions }),
      ...(row.change && { prepare: row.change }),
    });
    await bench.lambda.init();
    const refused = await bench.ask(path);
    const printed: PrintedRemedy & { readonly cause?: string } = JSON.parse(refused.body);
    see(`${refused.status} ${printed.cause}`);
    expect(printed).toMatchObject({ cause });
    for (const told of tells) expect(printed.remedy).toContain(told);

    await repair(bench, printed);
    const repaired =
      newEnvironment === undefined
        ? await askWithRefresh(bench, path)
        : await askNewEnvironment(bench, newEnvironment, path);
    see(`${refused.status} ${printed.cause}; then ${repaired.status}`);
    expect(repaired.status, repaired.body).toBe(200);
  });
}

function repairAsPrinted(accounts: TwoAccounts, { remedy, statements }: PrintedRemedy): void {
  if (statements === undefined) removeDenials(accounts, remedy);
  else paste(accounts, statements);
}

async function askWithRefresh(bench: Bench, path: string) {
  await delay(REFRESH_INTERVAL_MS);
  return bench.ask(`${path}&refreshNow=true`);
}

async function askNewEnvironment(
  accounts: TwoAccounts,
  environment: NonNullable<BenchOptions["environment"]>,
  path: string,
) {
  const bench = await startBench({ accounts, environment });
  await bench.lambda.init();
  return bench.ask(path);
}
