/** Set-up for tests of calls to AWS: the clients of the SDK are mocked, and time is fake. */
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { RoleCredentials } from "../../extension/aws/session.ts";
import { findLeaks } from "./canary.ts";
import { type ConfigOverrides, createConfig } from "./config.ts";

export const START_EPOCH_MS = Date.UTC(2026, 0, 1);
export const TIMEOUT_MS = 2_500;
export const CANARY = "CANARY-what-AWS-says-is-not-repeated";
export const ROLE_CREDENTIALS = { accessKeyId: "ASIAROLE", secretAccessKey: "role-key", sessionToken: "role-token" };
export const OTHER_CREDENTIALS = {
  accessKeyId: "ASIAOTHER",
  secretAccessKey: "other-key",
  sessionToken: "other-token",
};

/** Gives each service an endpoint, and sets FIPS and dual-stack. */
export const ENDPOINTS: ConfigOverrides = {
  aws: {
    ...createConfig().aws,
    endpoints: {
      sts: "https://sts.example.com",
      secretsManager: "https://secrets.example.com",
      ssm: "https://ssm.example.com",
    },
    clientOptions: { useFipsEndpoint: true, useDualstackEndpoint: true },
  },
};

/** Lets time begin at START_EPOCH_MS in each test, and makes a client reject the calls that a test does not expect. */
export function resetForEachTest(client: {
  reset(): unknown;
  onAnyCommand(): { rejects(error: Error): unknown };
}): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START_EPOCH_MS });
    client.reset();
    client.onAnyCommand().rejects(new Error("no such call was expected"));
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Makes the error that the SDK throws for a refusal of AWS. */
export function toSdkError(name: string, status: number): Error {
  return Object.assign(new Error(CANARY), {
    name,
    $fault: status < 500 ? "client" : "server",
    $metadata: { httpStatusCode: status, requestId: "the-request-id" },
    $response: { headers: { "x-amz-security-token": CANARY }, body: CANARY },
  });
}

/** Makes the credentials of a session that is so new that a refusal is final. A test may change each function. */
export const createSession = () => ({
  isAtHand: vi.fn(() => true),
  get: vi.fn<RoleCredentials["get"]>(async () => ROLE_CREDENTIALS),
  getInstead: vi.fn<RoleCredentials["getInstead"]>(async (refused) => refused),
});

/** Expects that neither the failure nor the log holds anything that AWS said. */
export function expectNoAwsText(failure: unknown, lines: readonly object[]): void {
  const outputs = new Map([
    ["the failure", inspect(failure, { depth: null, showHidden: true })],
    ["the log", JSON.stringify(lines)],
  ]);
  expect(findLeaks(outputs, [CANARY])).toEqual([]);
}

/** Expects that `wait` ends with a time-out after `timeoutMs`, not before, and that the first call is aborted then. */
export async function expectAbort(
  wait: Promise<unknown>,
  timeoutMs: number,
  client: { call(nth: number): { readonly args: unknown } },
): Promise<void> {
  const settled = vi.fn();
  wait.then(settled, settled);
  await vi.advanceTimersByTimeAsync(timeoutMs - 1);
  expect(settled).not.toHaveBeenCalled();
  const [, { abortSignal }] = client.call(0).args as readonly [unknown, { readonly abortSignal: AbortSignal }];
  expect(abortSignal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await expect(wait).rejects.toMatchObject({ code: "timeout" });
  expect(abortSignal.aborted).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
}
