/** A thousand requests at once from one invocation, and invocations that come at once, as Managed Instances have them. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect } from "vitest";
import { fault } from "../support/faults.ts";
import { createCanary, REGION, TARGET_ROLE_ARN, type TwoAccounts } from "../support/two-accounts.ts";
import {
  type Asker,
  type AskerOptions,
  GET,
  startAsker,
  toCounts,
  toDigest,
  toOutcomes,
  UNFETCHED,
} from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";
import type { Invocation } from "./support/sandbox.ts";

const group = "crowd";
const on = "emulator";

/** In this mode the emulator does init at its start, gives processes another user, and knows only `bootstrap`. */
const managedInstances: AskerOptions = {
  user: "0:0",
  flags: ["--log-level", "debug"], // says who registered for what
  environment: {
    ...UNFETCHED,
    AWS_LAMBDA_INITIALIZATION_TYPE: "lambda-managed-instances",
    AWS_LAMBDA_MAX_CONCURRENCY: "50",
  },
  toRuntime: (python) => ({ ...python, bootstrap: [] }),
};

/** The emulator refuses an invocation that no thread of the runtime waits for yet; Lambda would give it another environment. */
async function invokeWhenIdle({ sandbox }: Asker, payload: unknown): Promise<Invocation> {
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
      name: `${requests} requests in one invocation, 800 at once, for a secret not yet fetched, by four spellings`,
      expected: `${requests} × 200, 1 AssumeRole, 1 GetSecretValue, with 1,024 descriptors`,
    },
    async (see) => {
      // The guide's own `my-shared-secret` ends like an ARN, so that AWS knows it by no partial one.
      const name = "shop/database";
      let arn = "";
      const canary = createCanary();
      const prepare = ({ aws }: TwoAccounts) => {
        aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [name] });
        ({ arn } = aws.createSecret({ account: "111111111111", region: REGION, name, secretString: canary }));
        aws.fault("AssumeRole", { kind: "slow", delayMs: 200 });
        // All of the first 800 are there before the answer is.
        aws.fault("GetSecretValue", { kind: "slow", delayMs: 300 });
        // Nor is there a session, when the first of them comes.
        const unassumed = { CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0" };
        return { ...UNFETCHED, ...unassumed, CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "10000" };
      };
      const asker = await startAsker({ prepare, canaries: [canary] });
      const spellings = [name, arn, arn.slice(0, -"-AbCdEf".length), `${name}&versionStage=AWSCURRENT`];
      const paths = spellings.map((spelling) => `/secretsmanager/get?secretId=${spelling}`);
      const startMs = performance.now();
      const outcomes = await asker.ask({ paths, times: requests, atOnce: 800 });
      const ms = performance.now() - startMs;
      const statuses = new Map<number, number>();
      for (const { status, count } of outcomes) statuses.set(status, (statuses.get(status) ?? 0) + count);
      const text = [...statuses].map(([status, count]) => `${count} × ${status}`).join(", ");
      const limits = asker.sandbox.extensionPids().map((pid) => readFileSync(`/proc/${pid}/limits`, "utf8"));
      see(`${text}; ${toCounts(asker)}; ${ms.toFixed(0)} ms, cold start included`);
      expect(limits).toEqual([expect.stringMatching(/^Max open files +1024 +1024 /m)]);
      expect([...statuses]).toEqual([[200, requests]]);
      expect(new Set(outcomes.map(({ digest }) => digest))).toEqual(new Set([toDigest(canary)]));
      expect(toCounts(asker)).toBe("1 AssumeRole, 1 GetSecretValue");
    },
  );

  fault(
    {
      group,
      on,
      name: "Managed Instances: 50 invocations ask at once for a secret not yet fetched",
      expected: "all get the secret, for 1 AssumeRole and 1 GetSecretValue; SHUTDOWN alone was registered for",
    },
    async (see) => {
      const asker = await startAsker(managedInstances);
      const registration = await asker.sandbox.waitForLog(/External agent registered.* events=/);
      const events = /events=(.*)/.exec(registration.text)?.[1];
      await asker.sandbox.waitForLog(/"event":"init-over"/);
      const startMs = performance.now();
      const invocations = Array.from({ length: 50 }, () => invokeWhenIdle(asker, { paths: [GET], meet: true }));
      const outcomes = (await Promise.all(invocations)).flatMap((invocation) => toOutcomes(invocation, asker.sandbox));
      const ms = performance.now() - startMs;
      const { exitCode } = await asker.sandbox.shutdown();
      const [summary] = asker.events("shutdown");
      see(
        `${outcomes.filter(({ status }) => status === 200).length} × 200 in ${ms.toFixed(0)} ms; ${toCounts(asker)}; ${events}`,
      );
      expect(events).toBe("[SHUTDOWN]");
      expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
      expect(toCounts(asker)).toBe("1 AssumeRole, 1 GetSecretValue");
      expect([exitCode, summary?.reason]).toEqual([0, "spindown"]);
    },
  );
});
