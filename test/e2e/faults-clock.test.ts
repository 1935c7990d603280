/** The wall clock of the whole environment changes while it runs, or is wrong from the start. The monotonic clock does not. */
import { describe, expect } from "vitest";
import { fault } from "../support/faults.ts";
import { type Asker, type GroupedAnswer, startAsker, toAnswerText, toCallCounts } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";

const group = "wall clock";
const on = "emulator";
const MINUTE_MS = 60_000;
/** A little more than TTL_SECONDS. */
const PAST_TTL_MS = 5 * MINUTE_MS + 2_000;
const READS = 10;

const toValueAge = (answer: GroupedAnswer, { digest }: { readonly digest: string }) =>
  answer.digest === undefined ? "" : answer.digest === digest ? ", the new value" : ", the old value";

/** Rotates the secret, moves only the environment's clock, and returns the next answer. */
async function readAfter(asker: Asker, byMs: number) {
  expect((await asker.askOnce()).status).toBe(200);
  const rotated = asker.rotate();
  asker.pass(byMs, { at: "environment" });
  const answer = await asker.askOnce();
  return { answer, rotated };
}

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  for (const [name, byMs] of [
    ["2 h forward", 120 * MINUTE_MS],
    ["2 h back", -120 * MINUTE_MS],
  ] as const) {
    fault({ group, on, name, expected: "the secret is fetched again, not served from the cache" }, async (see) => {
      const asker = await startAsker({ clocks: "wall" });
      const { answer, rotated } = await readAfter(asker, byMs);
      see(`${toAnswerText(answer)}${toValueAge(answer, rotated)}`);
      expect(answer).toMatchObject({ status: 200, ...rotated });
    });
  }

  fault(
    {
      group,
      on,
      name: "30 min, then 2 h forward while AWS is down",
      expected: "the first answer is stale; the second, later than TTL + MAX_STALE (65 min), is an error",
    },
    async (see) => {
      const asker = await startAsker({ clocks: "wall" });
      expect((await asker.askOnce()).status).toBe(200);
      asker.aws.fault("AssumeRole", { kind: "reset" });
      asker.aws.fault("GetSecretValue", { kind: "reset" });
      const answers: GroupedAnswer[] = [];
      for (const byMs of [30 * MINUTE_MS, 90 * MINUTE_MS]) {
        asker.pass(byMs, { at: "environment" });
        answers.push(await asker.askOnce());
      }
      see(answers.map(toAnswerText).join("; then "));
      expect(answers).toMatchObject([
        { status: 200, cacheStatus: expect.stringContaining("fwd=stale") },
        { status: 503, type: "ConnectionError" },
      ]);
    },
  );

  // AWS accepts a signature that is up to 15 minutes off.
  for (const [name, byMs] of [
    ["16 min ahead", 16 * MINUTE_MS],
    ["16 min behind", -16 * MINUTE_MS],
  ] as const) {
    fault(
      {
        group,
        on,
        name: `${name} from the start; ${READS} reads, each after the end of the TTL`,
        expected: `each read fetches the secret; AssumeRole once, or twice if AWS refused the first signature`,
      },
      async (see) => {
        const asker = await startAsker({ clocks: "wall" });
        asker.pass(byMs, { at: "environment" });
        const statuses = new Set([toAnswerText(await asker.askOnce()).replace(/ttl=.*/, "ttl=…")]);
        let right = 0;
        for (let read = 1; read <= READS; read += 1) {
          const { digest } = asker.rotate();
          asker.pass(PAST_TTL_MS);
          const answer = await asker.askOnce();
          statuses.add(toAnswerText(answer));
          if (answer.digest === digest) right += 1;
        }
        const { aws } = asker;
        see(`${[...statuses].join(", ")}; ${right} of ${READS} values are new; ${toCallCounts(asker)}`);
        expect(right).toBe(READS);
        expect([1, 2]).toContain(aws.count("AssumeRole"));
        expect(
          aws.calls.filter(({ operation, outcome }) => operation === "AssumeRole" && outcome === "ok"),
        ).toHaveLength(1);
        expect(aws.count("GetSecretValue") - (READS + 1)).toBeLessThanOrEqual(1);
      },
    );
  }
});
