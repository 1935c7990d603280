/** A thousand requests in one invocation, and concurrent invocations, as on Managed Instances. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect } from "vitest";
import { fault } from "../support/faults.ts";
import {
  createCanary,
  REGION,
  SECRET_PATH,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
  type TwoAccounts,
} from "../support/two-accounts.ts";
import {
  type Asker,
  type AskerOptions,
  NO_PREFETCH,
  startAsker,
  toCallCounts,
  toDigest,
  toGroupedAnswers,
} from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";
import type { EmulatorAnswer } from "./support/sandbox.ts";

const group = "crowd";
const on = "emulator";

/** In this mode the emulator does init at its start, runs processes as another user, and supports only `bootstrap`. */
const managedInstances: AskerOptions = {
  user: "0:0",
  flags: ["--log-level", "debug"], // logs the events that an extension registers for
  environment: {
    ...NO_PREFETCH,
    AWS_LAMBDA_INITIALIZATION_TYPE: "lambda-managed-instances",
    AWS_LAMBDA_MAX_CONCURRENCY: "50",
  },
  toRuntime: (python) => ({ ...python, bootstrap: [] }),
};

/** The emulator refuses an invocation if no thread of the runtime waits for one yet. Lambda would use another environment. */
async function invokeWhenIdle({ sandbox }: Asker, payload: unknown): Promise<EmulatorAnswer> {
  for (;;) {
    const invocation = await sandbox.invoke(payload);
    if (!invocation.body.includes("Runtime.Unavailable")) return invocation;
    await delay(20);
  }
}

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  const requests = 1_000;
  fault(
    {
      group,
      on,
      name: `${requests} requests in one invocation, 800 at once, for a secret that is not fetched yet, with three forms of its id`,
      expected: `${requests} × 200, 1 AssumeRole, 1 GetSecretValue, with 1,024 descriptors`,
    },
    async (see) => {
      // The guide's `my-shared-secret` ends like an ARN, so AWS does not find it by a partial ARN.
      const name = "shop/database";
      let arn = "";
      const canary = createCanary();
      const prepare = ({ aws }: TwoAccounts) => {
        aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [name] });
        ({ arn } = aws.createSecret({ account: TARGET_ACCOUNT, region: REGION, name, secretString: canary }));
        aws.fault("AssumeRole", { kind: "slow", delayMs: 200 });
        // The first 800 requests arrive before this answer.
        aws.fault("GetSecretValue", { kind: "slow", delayMs: 300 });
        // When the first request arrives, there is also no session.
        const noSession = { CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0" };
        return { ...NO_PREFETCH, ...noSession, CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "10000" };
      };
      const asker = await startAsker({ prepare, canaries: [canary] });
      const ids = [name, arn, arn.slice(0, -"-AbCdEf".length)];
      const paths = ids.map((id) => `/secretsmanager/get?secretId=${id}`);
      const startMs = performance.now();
      const outcomes = await asker.ask({ paths, times: requests, atOnce: 800 });
      const ms = performance.now() - startMs;
      const statuses = new Map<number, number>();
      for (const { status, count } of outcomes) statuses.set(status, (statuses.get(status) ?? 0) + count);
      const text = [...statuses].map(([status, count]) => `${count} × ${status}`).join(", ");
      const limits = asker.sandbox.extensionPids().map((pid) => readFileSync(`/proc/${pid}/limits`, "utf8"));
      see(`${text}; ${toCallCounts(asker)}; ${ms.toFixed(0)} ms, including the cold start`);
      expect(limits).toEqual([expect.stringMatching(/^Max open files +1024 +1024 /m)]);
      expect([...statuses]).toEqual([[200, requests]]);
      expect(new Set(outcomes.map(({ digest }) => digest))).toEqual(new Set([toDigest(canary)]));
      expect(toCallCounts(asker)).toBe("1 AssumeRole, 1 GetSecretValue");
    },
  );

  fault(
    {
      group,
      on,
      name: "Managed Instances: 50 concurrent invocations request a secret that is not fetched yet",
      expected: "all get the secret with 1 AssumeRole and 1 GetSecretValue; the extension registers only for SHUTDOWN",
    },
    async (see) => {
      const asker = await startAsker(managedInstances);
      const registration = await asker.sandbox.waitForLog(/External agent registered.* events=/);
      const events = /events=(.*)/.exec(registration.text)?.[1];
      await asker.sandbox.waitForLog(/"event":"init-over"/);
      const startMs = performance.now();
      const invocations = Array.from({ length: 50 }, () => invokeWhenIdle(asker, { paths: [SECRET_PATH], meet: true }));
      const outcomes = (await Promise.all(invocations)).flatMap((invocation) =>
        toGroupedAnswers(invocation, asker.sandbox),
      );
      const ms = performance.now() - startMs;
      const { exitCode } = await asker.sandbox.shutdown();
      const [summary] = asker.events("shutdown");
      see(
        `${outcomes.filter(({ status }) => status === 200).length} × 200 in ${ms.toFixed(0)} ms; ${toCallCounts(asker)}; ${events}`,
      );
      expect(events).toBe("[SHUTDOWN]");
      expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
      expect(toCallCounts(asker)).toBe("1 AssumeRole, 1 GetSecretValue");
      expect([exitCode, summary?.reason]).toEqual([0, "spindown"]);
    },
  );
});
