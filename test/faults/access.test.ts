/** Access is removed in Account A, and granted again. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { startBench } from "../support/bench.ts";
import { createFaultRows } from "../support/faults.ts";
import {
  FUNCTION_ROLE_ARN,
  IN_TARGET_ACCOUNT,
  SECRET_NAME,
  TARGET_ROLE_ARN,
  type TwoAccounts,
} from "../support/two-accounts.ts";
import { startVirtualBench, type VirtualAnswer, type VirtualBench } from "../support/virtual-bench.ts";

const row = createFaultRows("access", "virtual clock");
const layerRow = createFaultRows("access", "layer");
const MINUTE_MS = 60_000;
const TTL_MS = 5 * MINUTE_MS;
/** How long the first denial is remembered. */
const REMEMBERED_MS = 10_000;

const tell = ({ status, headers, body }: VirtualAnswer) =>
  status === 200
    ? `200 ${headers["Cache-Status"]?.replace(/^[^;]+; |; ttl=.*$/g, "")}`
    : `${status} ${JSON.parse(body).__type}`;

interface AccessChange {
  readonly name: string;
  change(accounts: TwoAccounts): void;
  restore(accounts: TwoAccounts): void;
  /** The status and type that the caller then gets. */
  readonly failure: string;
}

const changes: readonly AccessChange[] = [
  {
    name: "the permission to read is removed",
    change: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] }),
    restore: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [SECRET_NAME] }),
    failure: "403 AccessDeniedException",
  },
  {
    name: "the permission to read is removed, and STS fails",
    change: ({ aws }) => {
      aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] });
      aws.fault("AssumeRole", { kind: "error", status: 500, code: "InternalFailure" });
    },
    restore: ({ aws }) => {
      aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [SECRET_NAME] });
      aws.heal();
    },
    failure: "403 AccessDeniedException",
  },
  {
    name: "the role may no longer use the KMS key",
    change: ({ aws }) =>
      aws.fault("GetSecretValue", {
        kind: "error",
        status: 400,
        code: "AccessDeniedException",
        message: "Access to KMS is not allowed",
      }),
    restore: ({ aws }) => aws.heal(),
    failure: "403 AccessDeniedException",
  },
  {
    name: "the secret is marked for deletion",
    change: ({ aws, secretArn }) => aws.markForDeletion(secretArn),
    restore: ({ aws, secretArn }) => aws.restoreSecret(secretArn),
    failure: "400 InvalidRequestException",
  },
  {
    name: "the secret is deleted, then created again",
    change: ({ aws, secretArn }) => {
      aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: "any" });
      aws.deleteSecret(secretArn);
    },
    restore: ({ aws, canaries }) =>
      void aws.createSecret({
        ...IN_TARGET_ACCOUNT,
        name: SECRET_NAME,
        secretString: canaries[0] ?? "",
      }),
    // Under the session policy, AWS denies a secret that does not exist like one that is not allowed.
    failure: "403 AccessDeniedException",
  },
];

for (const { name, change, restore, failure } of changes) {
  const expected = `served until the TTL is over, then ${failure} and never stale; after access is restored, served within 10 s`;
  row(name, expected, async (see) => {
    const bench = await startVirtualBench();
    await bench.askForSecret();
    change(bench);
    // A value is fresh for at least three quarters of the TTL. Later, the background refresh is already refused.
    bench.pass(0.7 * TTL_MS);
    const fresh = tell(await bench.askForSecret());
    bench.pass(0.3 * TTL_MS);
    const calls = bench.aws.count("GetSecretValue");
    const refused = await bench.askForSecret();
    const again = tell(await bench.askForSecret());
    const tries = bench.aws.count("GetSecretValue") - calls;
    restore(bench);
    bench.pass(REMEMBERED_MS - 2_000);
    const remembered = tell(await bench.askForSecret());
    bench.pass(2_000);
    const restored = tell(await bench.askForSecret());
    see(
      `${fresh}; ${tell(refused)}, Retry-After ${refused.headers["Retry-After"]}; restored: ${remembered}, after 10 s ${restored}`,
    );
    expect([fresh, tell(refused), again, remembered, restored]).toEqual([
      "200 hit",
      failure,
      failure,
      failure,
      "200 fwd=miss",
    ]);
    expect(refused.headers["Retry-After"]).toBe("10");
    // Before it accepts a denial, the extension replaces a session that is not new, and names the stage, once each.
    expect(tries).toBeLessThanOrEqual(3);
  });
}

row(
  "the permission is removed while the value is ageing",
  "refused as soon as the background refresh is denied, before the TTL is over",
  async (see) => {
    const bench = await startVirtualBench();
    await bench.askForSecret();
    bench.aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] });
    bench.pass(0.9 * TTL_MS);
    const ageing = tell(await bench.askForSecret());
    const next = tell(await bench.askForSecret());
    see(`${ageing}, then ${next}`);
    expect([ageing, next]).toEqual(["200 hit", "403 AccessDeniedException"]);
  },
);

async function afterRenewal(bench: VirtualBench, change: () => void) {
  await bench.askForSecret();
  bench.pass(TTL_MS);
  change();
  const before = bench.aws.count("AssumeRole");
  const answer = tell(await bench.askForSecret());
  bench.pass(TTL_MS);
  const later = tell(await bench.askForSecret());
  return { answer, later, renewals: bench.aws.count("AssumeRole") - before };
}

row("the sessions of the target role are revoked", "read again after exactly one new session", async (see) => {
  const bench = await startVirtualBench();
  const { answer, later, renewals } = await afterRenewal(bench, () => bench.aws.revokeSessions(TARGET_ROLE_ARN));
  see(`${answer}, later ${later}; ${renewals} AssumeRole`);
  expect([answer, later, renewals]).toEqual(["200 fwd=miss", "200 fwd=miss", 1]);
});

row("the target role is deleted and created again", "read again after exactly one new session", async (see) => {
  const bench = await startVirtualBench();
  const { answer, later, renewals } = await afterRenewal(bench, () => {
    bench.aws.deleteRole(TARGET_ROLE_ARN);
    bench.aws.createRole({ arn: TARGET_ROLE_ARN, trusts: [FUNCTION_ROLE_ARN], readableSecrets: [SECRET_NAME] });
  });
  see(`${answer}, later ${later}; ${renewals} AssumeRole`);
  expect([answer, later, renewals]).toEqual(["200 fwd=miss", "200 fwd=miss", 1]);
});

row(
  "sessions are revoked, one of them less than a minute old",
  "403 and not stale; served again when the session is a minute old and the remembered denial (10, 20, 40 s) is over",
  async (see) => {
    const bench = await startVirtualBench({ CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "5" });
    await bench.askForSecret();
    bench.pass(10_000);
    bench.aws.revokeSessions(TARGET_ROLE_ARN);
    const refused = tell(await bench.askForSecret());
    let answer = refused;
    for (; answer !== "200 fwd=miss" && bench.elapsedMs() < 5 * MINUTE_MS; bench.pass(1_000))
      answer = tell(await bench.askForSecret());
    const backMs = bench.elapsedMs();
    see(
      `${refused}; ${answer} after ${Math.round(backMs / 1_000)} s; ${bench.aws.count("AssumeRole")} AssumeRole in all`,
    );
    expect([refused, answer, bench.aws.count("AssumeRole")]).toEqual(["403 AccessDeniedException", "200 fwd=miss", 2]);
    // After 10 s, the denial is remembered for 10, 20 and 40 s.
    expect(backMs).toBeLessThan(90_000);
  },
);

row(
  "the trust policy no longer names the function's role",
  "served until the session's hour is over, then 403, not stale; restored: served after Retry-After (≤ 60 s)",
  async (see) => {
    const bench = await startVirtualBench();
    await bench.askForSecret();
    bench.aws.changeRole(TARGET_ROLE_ARN, { trusts: [] });
    let lastMs = 0;
    let last = "";
    for (; !last.startsWith("403") && bench.elapsedMs() < 120 * MINUTE_MS; bench.pass(MINUTE_MS)) {
      last = tell(await bench.askForSecret());
      if (last.startsWith("200")) lastMs = bench.elapsedMs();
    }
    const refused = await bench.askForSecret();
    const retryAfterSeconds = Number(refused.headers["Retry-After"]);
    bench.aws.changeRole(TARGET_ROLE_ARN, { trusts: [FUNCTION_ROLE_ARN] });
    bench.pass(retryAfterSeconds * 1_000);
    const restored = tell(await bench.askForSecret());
    see(
      `served for ${Math.round(lastMs / MINUTE_MS)} min, then ${tell(refused)}; restored, after ${retryAfterSeconds} s: ${restored}`,
    );
    expect([tell(refused), restored]).toEqual(["403 AccessDeniedException", "200 fwd=miss"]);
    expect(retryAfterSeconds).toBeLessThanOrEqual(60);
    expect(lastMs).toBeGreaterThan(58 * MINUTE_MS);
    // A value that was read in the last moment of the session is fresh for one TTL.
    expect(lastMs).toBeLessThan(60 * MINUTE_MS + TTL_MS);
  },
);

layerRow(
  "the permission to read is removed, and granted again",
  "403 at the refresh, not stale; 200 after Retry-After (10 s)",
  async (see) => {
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" } });
    await bench.lambda.init();
    bench.aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] });
    await delay(1_050);
    const refused = await bench.askForSecret();
    bench.aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [SECRET_NAME] });
    const retryAfterSeconds = Number(refused.headers["retry-after"]);
    await delay(retryAfterSeconds * 1_000);
    const restored = await bench.askForSecret();
    see(`${refused.status} ${JSON.parse(refused.body).__type}; after ${retryAfterSeconds} s ${restored.status}`);
    expect([refused.status, retryAfterSeconds, restored.status]).toEqual([403, 10, 200]);
  },
);
