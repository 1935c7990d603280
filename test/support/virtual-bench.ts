import { expect, onTestFinished, vi } from "vitest";
import type { Reply } from "../../extension/http/replies.ts";
import { findLeaks } from "./canary.ts";
import {
  FUNCTION_ROLE_ARN,
  listSecrets,
  SECRET_PATH,
  startTwoAccounts,
  type TwoAccounts,
  toFunctionEnvironment,
} from "./two-accounts.ts";
import { createVirtualEnvironment, installVirtualClock, type VirtualEnvironment } from "./virtual-environment.ts";

export interface VirtualAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The extension's parts and a fake AWS, with a virtual clock for both. It ends with the test, which fails if a secret leaked. */
export interface VirtualBench extends TwoAccounts, Pick<VirtualEnvironment, "counters" | "settled"> {
  /** Moves both clocks, AWS's and the extension's, forward. */
  pass(ms: number): void;
  /** Moves only the extension's clock by this much. */
  setClock(byMs: number): void;
  /** The time since the start of the bench, by AWS's clock. */
  elapsedMs(): number;
  /** Sends a request as the function would. Waits for the reply and for work that continues after it. */
  ask(target: string, method?: string): Promise<VirtualAnswer>;
  /** Requests the secret. */
  askForSecret(): Promise<VirtualAnswer>;
}

const THREE_DAYS_SECONDS = 3 * 86_400;

export async function startVirtualBench(
  variables: Readonly<Record<string, string>> = {},
  /** How far the extension's clock is ahead of AWS's clock. */
  aheadMs = 0,
  /** Further variables that depend on AWS's URL. */
  toVariables: (url: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<VirtualBench> {
  // The extension loads the SDK again, so that the SDK does not know AWS's clock yet.
  vi.resetModules();
  const clock = installVirtualClock();
  onTestFinished(clock.restore);
  let localAheadMs = aheadMs;
  clock.pass(aheadMs);
  const accounts = await startTwoAccounts({ now: () => clock.now() - localAheadMs });
  onTestFinished(() => accounts.close());
  const { aws } = accounts;
  // Longer than in Lambda, because these tests are not about the end of an execution environment.
  const base = aws.issueSession({
    roleArn: FUNCTION_ROLE_ARN,
    sessionName: "my-function",
    durationSeconds: THREE_DAYS_SECONDS,
  });
  const environment = {
    ...accounts.environment,
    ...toFunctionEnvironment(base, aws.url),
    AWS_LAMBDA_FUNCTION_NAME: "my-function",
    ...variables,
    ...toVariables(aws.url),
  };
  const virtual = createVirtualEnvironment({ environment, now: clock.now });
  const refusals: string[] = [];
  onTestFinished(() => {
    const outputs = new Map(Object.entries({ log: virtual.lines.join(""), refusals: refusals.join("\n") }));
    expect(findLeaks(outputs, listSecrets(accounts))).toEqual([]);
  });

  const began = clock.now() - localAheadMs;
  const headers = { host: "127.0.0.1:2773", "x-aws-parameters-secrets-token": virtual.token };
  async function ask(target: string, method = "GET"): Promise<VirtualAnswer> {
    const reply: Reply = await virtual.handler({ method, target, headers });
    await virtual.settled();
    const body = Buffer.from(reply.body).toString();
    if (reply.status !== 200) refusals.push(JSON.stringify({ ...reply, body }));
    return { status: reply.status, headers: reply.headers, body };
  }
  return {
    ...accounts,
    counters: virtual.counters,
    settled: virtual.settled,
    pass: clock.pass,
    setClock(byMs) {
      clock.pass(byMs);
      localAheadMs += byMs;
    },
    elapsedMs: () => clock.now() - localAheadMs - began,
    ask,
    askForSecret: () => ask(SECRET_PATH),
  };
}
