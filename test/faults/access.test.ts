/** Somebody in Account A takes back what was allowed, or gives it back. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { startBench } from "../support/bench.ts";
import { fault } from "../support/faults.ts";
import { FUNCTION_ROLE_ARN, REGION, SECRET_NAME, TARGET_ROLE_ARN, type TwoAccounts } from "../support/two-accounts.ts";
import { startVirtualBench, type VirtualAnswer, type VirtualBench } from "../support/virtual-bench.ts";

const group = "access";
const on = "virtual clock";
const MINUTE_MS = 60_000;
const TTL_MS = 5 * MINUTE_MS;
/** How long the first refusal is remembered. */
const REMEMBERED_MS = 10_000;

const tell = ({ status, headers, body }: VirtualAnswer) =>
  status === 200
    ? `200 ${headers["Cache-Status"]?.replace(/^[^;]+; |; ttl=.*$/g, "")}`
    : `${status} ${JSON.parse(body).__type}`;

interface Change {
  readonly name: string;
  change(accounts: TwoAccounts): void;
  mend(accounts: TwoAccounts): void;
  readonly refusal: string;
}

const changes: readonly Change[] = [
  {
    name: "the permission to read is removed",
    change: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] }),
    mend: ({ aws }) => aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [SECRET_NAME] }),
    refusal: "403 AccessDeniedException",
  },
  {
    name: "the permission to read is removed, and STS fails",
    change: ({ aws }) => {
      aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] });
      aws.fault("AssumeRole", { kind: "error", status: 500, code: "InternalFailure" });
    },
    mend: ({ aws }) => {
      aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [SECRET_NAME] });
      aws.heal();
    },
    refusal: "403 AccessDeniedException",
  },
  {
    name: "the KMS key may not be used any more",
    change: ({ aws }) =>
      aws.fault("GetSecretValue", {
        kind: "error",
        status: 400,
        code: "AccessDeniedException",
        message: "Access to KMS is not allowed",
      }),
    mend: ({ aws }) => aws.heal(),
    refusal: "403 AccessDeniedException",
  },
  {
    name: "the secret is marked for deletion",
    change: ({ aws, secretArn }) => aws.markForDeletion(secretArn),
    mend: ({ aws, secretArn }) => aws.restoreSecret(secretArn),
    refusal: "400 InvalidRequestException",
  },
  {
    name: "the secret is gone, then made anew",
    change: ({ aws, secretArn }) => {
      aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: "any" });
      aws.deleteSecret(secretArn);
    },
    mend: ({ aws, canaries }) =>
      void aws.createSecret({
        account: "111111111111",
        region: REGION,
        name: SECRET_NAME,
        secretString: canaries[0] ?? "",
      }),
    // Under the session policy AWS says the same of what is not there as of what is not allowed.
    refusal: "403 AccessDeniedException",
  },
];

for (const { name, change, mend, refusal } of changes) {
  const expected = `served till the TTL is over, then ${refusal} and never stale; mended: served after 10 s at the latest`;
  fault({ group, on, name, expected }, async (see) => {
    const bench = await startVirtualBench();
    await bench.askForSecret();
    change(bench);
    // Fresh for three quarters of the TTL at the least; what is then asked behind a reply is refused already.
    bench.pass(0.7 * TTL_MS);
    const fresh = tell(await bench.askForSecret());
    bench.pass(0.3 * TTL_MS);
    const calls = bench.aws.count("GetSecretValue");
    const refused = await bench.askForSecret();
    const again = tell(await bench.askForSecret());
    const tries = bench.aws.count("GetSecretValue") - calls;
    mend(bench);
    bench.pass(REMEMBERED_MS - 2_000);
    const remembered = tell(await bench.askForSecret());
    bench.pass(2_000);
    const mended = tell(await bench.askForSecret());
    see(
      `${fresh}; ${tell(refused)}, Retry-After ${refused.headers["Retry-After"]}; mended: ${remembered}, after 10 s ${mended}`,
    );
    expect([fresh, tell(refused), again, remembered, mended]).toEqual([
      "200 hit",
      refusal,
      refusal,
      refusal,
      "200 fwd=miss",
    ]);
    expect(refused.headers["Retry-After"]).toBe("10");
    // A session that is not new is replaced once, before a denial is believed.
    expect(tries).toBeLessThanOrEqual(2);
  });
}

fault(
  {
    group,
    on,
    name: "the permission is removed while the value is ageing",
    expected: "gone as soon as AWS said so behind a reply, before the TTL is over",
  },
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

fault(
  { group, on, name: "the sessions of the target role are revoked", expected: "read again after exactly one renewal" },
  async (see) => {
    const bench = await startVirtualBench();
    const { answer, later, renewals } = await afterRenewal(bench, () => bench.aws.revokeSessions(TARGET_ROLE_ARN));
    see(`${answer}, later ${later}; ${renewals} AssumeRole`);
    expect([answer, later, renewals]).toEqual(["200 fwd=miss", "200 fwd=miss", 1]);
  },
);

fault(
  { group, on, name: "the target role is deleted and made anew", expected: "read again after exactly one renewal" },
  async (see) => {
    const bench = await startVirtualBench();
    const { answer, later, renewals } = await afterRenewal(bench, () => {
      bench.aws.deleteRole(TARGET_ROLE_ARN);
      bench.aws.createRole({ arn: TARGET_ROLE_ARN, trusts: [FUNCTION_ROLE_ARN], readableSecrets: [SECRET_NAME] });
    });
    see(`${answer}, later ${later}; ${renewals} AssumeRole`);
    expect([answer, later, renewals]).toEqual(["200 fwd=miss", "200 fwd=miss", 1]);
  },
);

fault(
  {
    group,
    on,
    name: "sessions are revoked, one of them less than a minute old",
    expected: "403 and not stale; served again once it is a minute old and the refusal (10, 20, 40 s) forgotten",
  },
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
    // 10 s + 10, 20, 40 s of being remembered.
    expect(backMs).toBeLessThan(90_000);
  },
);

fault(
  {
    group,
    on,
    name: "the trust policy names somebody else",
    expected: "served until the session's hour is over, then 403, not stale; mended: served after Retry-After (≤ 60 s)",
  },
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
    const mended = tell(await bench.askForSecret());
    see(
      `served for ${Math.round(lastMs / MINUTE_MS)} min, then ${tell(refused)}; mended, after ${retryAfterSeconds} s: ${mended}`,
    );
    expect([tell(refused), mended]).toEqual(["403 AccessDeniedException", "200 fwd=miss"]);
    expect(retryAfterSeconds).toBeLessThanOrEqual(60);
    expect(lastMs).toBeGreaterThan(58 * MINUTE_MS);
    // What was read in the session's last moment is fresh for a TTL.
    expect(lastMs).toBeLessThan(60 * MINUTE_MS + TTL_MS);
  },
);

fault(
  {
    group,
    on: "layer",
    name: "the permission to read is removed, and given back",
    expected: "403 at the refresh, not stale; 200 after Retry-After (10 s)",
  },
  async (see) => {
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" } });
    await bench.lambda.init();
    bench.aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] });
    await delay(1_050);
    const refused = await bench.askForSecret();
    bench.aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [SECRET_NAME] });
    const retryAfterSeconds = Number(refused.headers["retry-after"]);
    await delay(retryAfterSeconds * 1_000);
    const mended = await bench.askForSecret();
    see(`${refused.status} ${JSON.parse(refused.body).__type}; after ${retryAfterSeconds} s ${mended.status}`);
    expect([refused.status, retryAfterSeconds, mended.status]).toEqual([403, 10, 200]);
  },
);
