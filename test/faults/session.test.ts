/** STS limits a session of role chaining to one hour. Here sessions last 15 minutes, and the secret is read for a day. */
import { expect } from "vitest";
import { fault } from "../support/faults.ts";
import { startVirtualBench } from "../support/virtual-bench.ts";

const LIFE_MS = 900_000;
const DAY_MS = 86_400_000;
const SECRET_READER = /^arn:aws:sts::111111111111:assumed-role\/SecretReader\//;

const rhythms: readonly (readonly [name: string, toPauseMs: (nth: number) => number])[] = [
  ["a read a minute", () => 60_000],
  [
    "reads between a second and half an hour apart",
    (nth) => [1_000, 7_000, 61_000, 290_000, 840_000, 1_800_000][nth % 6] ?? 0,
  ],
];

for (const [name, toPauseMs] of rhythms) {
  const expected = "AssumeRole ≤ ⌈span ÷ (0.9 × life)⌉, by the base credentials; no failed read";
  fault(
    { group: "session", on: "virtual clock", name: `sessions of 15 min over a day, ${name}`, expected },
    async (see) => {
      const bench = await startVirtualBench({ CROSS_ACCOUNT_SECRETS_DURATION_SECONDS: String(LIFE_MS / 1_000) });
      const statuses = new Map<number, number>();
      for (let nth = 0; bench.elapsedMs() < DAY_MS; nth += 1) {
        const { status } = await bench.askForSecret();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        bench.pass(toPauseMs(nth));
      }
      const most = Math.ceil(bench.elapsedMs() / (0.9 * LIFE_MS));
      const assumed = bench.aws.calls.filter(({ operation }) => operation === "AssumeRole");
      const read = bench.aws.calls.filter(({ operation }) => operation === "GetSecretValue");
      const callers = new Set(assumed.map(({ caller }) => caller));
      see(
        `${assumed.length} AssumeRole (≤ ${most}) by ${[...callers].join(", ")}; ${read.length} GetSecretValue; reads: ${[...statuses].map(([status, times]) => `${times} × ${status}`).join(", ")}`,
      );
      expect(assumed.length).toBeLessThanOrEqual(most);
      expect([...callers]).toEqual(["arn:aws:sts::222222222222:assumed-role/my-lambda-role/my-function"]);
      expect(new Set(assumed.map(({ durationSeconds }) => durationSeconds))).toEqual(new Set([LIFE_MS / 1_000]));
      for (const { caller, outcome } of read)
        expect([caller, outcome]).toEqual([expect.stringMatching(SECRET_READER), "ok"]);
      expect([...statuses.keys()]).toEqual([200]);
    },
  );
}
