import { expect, onTestFinished, vi } from "vitest";
import type { Reply } from "../../extension/http/replies.ts";
import { findLeaks } from "./canary.ts";
import {
  FUNCTION_ROLE_ARN,
  SECRET_NAME,
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

/** The extension's parts beside a fake AWS, with a clock for both. Ends with the test, which fails if a secret got out. */
export interface VirtualBench extends TwoAccounts, Pick<VirtualEnvironment, "counters" | "settled"> {
  /** Lets time pass, for AWS and for the extension. */
  pass(ms: number): void;
  /** Sets the extension's clock alone, by so much. */
  setClock(byMs: number): void;
  /** How long the bench has been there, by AWS's clock. */
  elapsedMs(): number;
  /** Asks as the function would, and waits for what goes on behind the reply, too. */
  ask(target: string, method?: string): Promise<VirtualAnswer>;
  /** Asks for the one secret. */
  askForSecret(): Promise<VirtualAnswer>;
}

const DAYS_SECONDS = 3 * 86_400;

export async function startVirtualBench(
  variables: Readonly<Record<string, string>> = {},
  /** How far the extension's clock is ahead of AWS's. */
  aheadMs = 0,
  /** Further variables, that depend on where AWS is. */
  toVariables: (url: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<VirtualBench> {
  // Its copy of the SDK's file knows nothing yet of AWS's clock.
  vi.resetModules();
  const clock = installVirtualClock();
  onTestFinished(clock.restore);
  let localAheadMs = aheadMs;
  clock.pass(aheadMs);
  const accounts = await startTwoAccounts({ now: () => clock.now() - localAheadMs });
  onTestFinished(() => accounts.close());
  const { aws } = accounts;
  // Longer than Lambda's own: how an execution environment ends is not what these tests are about.
  const base = aws.issueSession({
    roleArn: FUNCTION_ROLE_ARN,
    sessionName: "my-function",
    durationSeconds: DAYS_SECONDS,
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
    const keys = aws.listCredentials().flatMap((session) => [session.secretAccessKey, session.sessionToken]);
    expect(findLeaks(outputs, [...accounts.canaries, ...keys])).toEqual([]);
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
    askForSecret: () => ask(`/secretsmanager/get?secretId=${SECRET_NAME}`),
  };
}
