/** Environments that are not the usual one: SnapStart, Managed Instances, several roles, an extension that is switched off. */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build.ts";
import { fault } from "../support/faults.ts";
import { createCanary, FUNCTION_ROLE_ARN, REGION, TARGET_ROLE_ARN, type TwoAccounts } from "../support/two-accounts.ts";
import { type Asker, type AskerOptions, GET, startAsker, toDigest, toOutcomes, toText } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";
import { readVariableNames } from "./support/process.ts";
import type { Invocation } from "./support/sandbox.ts";

const on = "emulator";
const UNFETCHED = { CROSS_ACCOUNT_SECRETS_SECRET_IDS: "", SECRET_NAME: "" };
const KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

const toCounts = ({ aws }: Asker) =>
  `${aws.count("AssumeRole")} AssumeRole, ${aws.count("GetSecretValue")} GetSecretValue`;
const toSessionNames = ({ aws }: Asker) => aws.calls.flatMap(({ roleSessionName }) => roleSessionName ?? []);

/**
 * The emulator has SnapStart's endpoint for credentials, and nothing else of it: it takes no snapshot, restores none, and
 * leaves the keys in, which a fixture takes out for the extension, and `env` for the function. The function is not told what
 * it is in: its client would wait for a restore.
 */
const snapStart: AskerOptions = {
  flags: ["--enable-init-caching"],
  environment: { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" },
  opt: fileURLToPath(new URL("../fixtures/snapstart", import.meta.url)),
  toRuntime: (python) => ({
    ...python,
    files: { ...python.files, "/var/layer": toOpt("x86_64") },
    bootstrap: [
      "/usr/bin/env",
      ...KEYS.flatMap((name) => ["--unset", name]),
      "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
      ...python.bootstrap,
    ],
  }),
};

/** In this mode the emulator does init at its start, gives processes another user, and knows only `bootstrap`. */
const managedInstances: AskerOptions = {
  user: "0:0",
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
  const group = "SnapStart";
  fault(
    {
      group,
      on,
      name: "no keys in the environment, and an init that a snapshot is taken of",
      expected: "nothing is fetched until the function asks; then with the endpoint's credentials",
    },
    async (see) => {
      const asker = await startAsker(snapStart);
      await asker.ask({ paths: [] });
      const names = asker.sandbox.extensionPids().flatMap(readVariableNames);
      const asked = asker.aws.calls.length;
      const answer = await asker.askOnce();
      see(`${asked} calls in init; then ${toText(answer)}; ${toCounts(asker)}`);
      expect(names).toContain("AWS_CONTAINER_CREDENTIALS_FULL_URI");
      expect(names.filter((name) => KEYS.includes(name))).toEqual([]);
      expect(asked).toBe(0);
      expect(answer.status).toBe(200);
      expect(asker.aws.calls.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
    },
  );

  for (const [name, clocks, expected] of [
    [
      "a minute passes on the wall clock alone, as over a restore",
      "wall",
      "value, session and session name are new, though the TTL is not over",
    ],
    ["a minute passes on both clocks, as over a freeze", "wall and monotonic", "no restore: the value is served"],
  ] as const) {
    fault({ group, on, name, expected }, async (see) => {
      const asker = await startAsker({ ...snapStart, clocks });
      const before = await asker.askOnce();
      expect(before.status).toBe(200);
      const { digest } = asker.rotate();
      asker.pass(60_000);
      const answer = await asker.askOnce();
      const names = new Set(toSessionNames(asker));
      const isNew = answer.digest === digest;
      see(`${toText(answer)}, the ${isNew ? "new" : "old"} value; ${names.size} session names in ${toCounts(asker)}`);
      expect(answer).toMatchObject({ status: 200, digest: clocks === "wall" ? digest : before.digest });
      expect(names.size).toBe(clocks === "wall" ? 2 : 1);
      expect(asker.aws.count("AssumeRole")).toBe(names.size);
    });
  }

  fault(
    {
      group: "Managed Instances",
      on,
      name: "50 invocations ask at once for a secret not yet fetched",
      expected:
        "all get the secret, for 1 AssumeRole and 1 GetSecretValue; INVOKE, which is refused here, is not asked for",
    },
    async (see) => {
      const asker = await startAsker(managedInstances);
      await asker.sandbox.waitForLog(/"event":"init-over"/);
      const startMs = performance.now();
      const invocations = Array.from({ length: 50 }, () => invokeWhenIdle(asker, { paths: [GET], meet: true }));
      const outcomes = (await Promise.all(invocations)).flatMap(toOutcomes);
      const ms = performance.now() - startMs;
      const { exitCode } = await asker.sandbox.shutdown();
      const [summary] = asker.events("shutdown");
      see(`${outcomes.filter(({ status }) => status === 200).length} × 200 in ${ms.toFixed(0)} ms; ${toCounts(asker)}`);
      expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
      expect(toCounts(asker)).toBe("1 AssumeRole, 1 GetSecretValue");
      expect([exitCode, summary?.reason]).toEqual([0, "spindown"]);
    },
  );

  const requests = 1_000;
  fault(
    {
      group: "load",
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
        // All of the first 800 are there before the answer is.
        aws.fault("GetSecretValue", { kind: "slow", delayMs: 300 });
        return UNFETCHED;
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
      group: "configuration",
      on,
      name: "CONFIG with a role in each of two accounts, and the same function",
      expected: "both secrets are read, each role is assumed once",
    },
    async (see) => {
      const account = "333333333333";
      const roleArn = `arn:aws:iam::${account}:role/AnotherReader`;
      const canary = createCanary();
      const prepare = ({ aws }: TwoAccounts) => {
        aws.changeRole(FUNCTION_ROLE_ARN, { assumableRoles: [TARGET_ROLE_ARN, roleArn] });
        aws.createRole({ arn: roleArn, trusts: [FUNCTION_ROLE_ARN], readableSecrets: ["another-secret"] });
        aws.createSecret({ account, region: REGION, name: "another-secret", secretString: canary });
        const sources = [
          { roleArn: TARGET_ROLE_ARN, secretIds: ["my-shared-secret"] },
          { roleArn, secretIds: ["another-secret"] },
        ];
        const alone = { CROSS_ACCOUNT_SECRETS_ROLE_ARN: "", CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" };
        return { ...alone, CROSS_ACCOUNT_SECRETS_CONFIG: JSON.stringify({ sources }) };
      };
      const asker = await startAsker({ prepare, canaries: [canary] });
      const answers = await asker.ask({ paths: [GET, "/secretsmanager/get?secretId=another-secret"] });
      const roles = asker.aws.calls.flatMap(({ operation, roleArn = "" }) =>
        operation === "AssumeRole" ? roleArn : [],
      );
      see(`${answers.map(toText).join(", ")}; ${toCounts(asker)} of ${new Set(roles).size} roles`);
      expect(answers).toMatchObject([{ status: 200 }, { status: 200, digest: toDigest(canary) }]);
      expect(roles.toSorted()).toEqual([TARGET_ROLE_ARN, roleArn].toSorted());
    },
  );

  const off = {
    CROSS_ACCOUNT_SECRETS_ENABLED: "false",
    CROSS_ACCOUNT_SECRETS_ROLE_ARN: "not a role",
    CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "5m",
    CROSS_ACCOUNT_SECRETS_TIMEOUT_M: "2500",
  };
  fault(
    {
      group: "configuration",
      on,
      name: "ENABLED=false, and three mistakes beside it",
      expected: "init succeeds, who asks gets 503 Disabled, AWS is not called",
    },
    async (see) => {
      const asker = await startAsker({ environment: off });
      const answer = await asker.askOnce();
      see(`${toText(answer)}; ${toCounts(asker)}`);
      expect(answer).toMatchObject({ status: 503, type: "Disabled" });
      expect(asker.aws.calls).toEqual([]);
      expect(await asker.sandbox.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );

  fault(
    {
      group: "configuration",
      on,
      name: "ENABLED=false, three mistakes, and a port that another has",
      expected: "init succeeds, the function runs, the log says who does not listen",
    },
    async (see) => {
      const squatter = createServer();
      onTestFinished(() => void squatter.close());
      const asker = await startAsker({ environment: off });
      await new Promise<void>((resolve) => squatter.listen(asker.port, "127.0.0.1", resolve));
      const { status, body, ms } = await asker.sandbox.invoke({ paths: [] });
      const levels = asker.events("not-listening").map(({ level }) => level);
      see(`${status} in ${ms.toFixed(0)} ms; not-listening: ${levels}`);
      expect([status, body]).toEqual([200, "[]"]);
      expect(levels).toEqual(["warn"]);
      expect(await asker.sandbox.shutdown()).toMatchObject({ exitCode: 0 });
    },
  );
});
