/**
 * A row of the table of misconfigurations: one thing is wrong, the layer says what, what it says is done to the letter, and
 * the secret is read.
 */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { FailureCode } from "../../extension/failure/failure.ts";
import { type Bench, type BenchOptions, startBench } from "./bench.ts";
import { policyEngine } from "./policy-engine.ts";
import { type Printed, paste, removeDenials } from "./printed-remedies.ts";
import { testRow } from "./rows.ts";
import { SECRET_NAME, type TwoAccounts } from "./two-accounts.ts";

export interface Misconfiguration extends Pick<BenchOptions, "environment" | "functionRoleArn" | "now"> {
  readonly name: string;
  /** Makes it real. */
  readonly change?: (accounts: TwoAccounts) => void;
  readonly cause: FailureCode;
  /** What the remedy must say: every candidate, where AWS's answer leaves more than one. */
  readonly tells: readonly string[];
  /**
   * Does what is printed in words. Default: the printed statements go into the printed policies or, where there are none,
   * each `Deny` out of the printed places.
   */
  readonly mend?: (accounts: TwoAccounts, printed: Printed) => unknown;
  /** Of a new execution environment, where that is what is printed. */
  readonly newEnvironment?: BenchOptions["environment"];
  /** Default: the secret. */
  readonly path?: string;
}

/** The extension insists on nothing more than once a second. */
const INSIST_MS = 1_050;

export function misconfiguration(group: string, row: Misconfiguration): void {
  const { name, cause, tells, mend = mendAsPrinted, path = `/secretsmanager/get?secretId=${SECRET_NAME}` } = row;
  const { environment = {}, functionRoleArn, now, newEnvironment } = row;
  const expected = `${cause}; mended as printed: 200`;
  testRow({ table: "misconfiguration", group, name, expected }, undefined, async (see) => {
    const bench = await startBench({
      functionRoleArn,
      policyEngine,
      environment,
      ...(now && { now }),
      ...(row.change && { prepare: row.change }),
    });
    await bench.lambda.init();
    const refused = await bench.ask(path);
    const printed: Printed & { readonly cause?: string } = JSON.parse(refused.body);
    see(`${refused.status} ${printed.cause}`);
    expect(printed).toMatchObject({ cause });
    for (const told of tells) expect(printed.remedy).toContain(told);

    await mend(bench, printed);
    const mended =
      newEnvironment === undefined ? await insist(bench, path) : await askAnew(bench, newEnvironment, path);
    see(`${refused.status} ${printed.cause}; then ${mended.status}`);
    expect(mended.status, mended.body).toBe(200);
  });
}

function mendAsPrinted(accounts: TwoAccounts, { remedy, statements }: Printed): void {
  if (statements === undefined) removeDenials(accounts, remedy);
  else paste(accounts, statements);
}

async function insist(bench: Bench, path: string) {
  await delay(INSIST_MS);
  return bench.ask(`${path}&refreshNow=true`);
}

async function askAnew(accounts: TwoAccounts, environment: NonNullable<BenchOptions["environment"]>, path: string) {
  const bench = await startBench({ accounts, environment });
  await bench.lambda.init();
  return bench.ask(path);
}
