/** Lambda may stop all processes of an environment at any moment, for hours. Here the kernel's freezer does it. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { fault, until } from "../support/faults.ts";
import { SECRET_PATH } from "../support/two-accounts.ts";
import { NO_PREFETCH, startAsker, toAnswerText, toCallCounts } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";

const group = "freeze";
const on = "emulator";
const MINUTE_MS = 60_000;
const TWO_HOURS_MS = 120 * MINUTE_MS;
const TIMEOUT_MS = 1_000;
/** Longer than a request may take, and longer than the extension needs to notice a freeze. */
const FREEZE_MS = 1_700;
/** For a processor that other programs use too. */
const MARGIN_MS = 1_500;

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  fault(
    {
      group,
      on,
      name: "two hours between two invocations: value, session and signature have expired",
      expected: "the new value, with one more AssumeRole and one more GetSecretValue",
    },
    async (see) => {
      const asker = await startAsker({ clocks: "wall and monotonic" });
      const { sandbox } = asker;
      expect((await asker.askOnce()).status).toBe(200);
      await sandbox.freeze();
      const { versionId, digest } = asker.rotate();
      asker.pass(TWO_HOURS_MS);
      await sandbox.thaw();
      const answer = await asker.askOnce();
      const counts = toCallCounts(asker);
      see(`${toAnswerText(answer)}, the ${answer.digest === digest ? "new" : "old"} value; ${counts}`);
      expect(answer).toMatchObject({ status: 200, versionId, digest });
      expect(counts).toBe("2 AssumeRole, 2 GetSecretValue");
    },
  );

  fault(
    {
      group,
      on,
      name: "two hours between two invocations, and a refresh is requested before our clock is corrected",
      expected: "the new value; the session that AWS calls expired is renewed",
    },
    async (see) => {
      const asker = await startAsker({ clocks: "wall and monotonic" });
      const { aws, sandbox } = asker;
      expect((await asker.askOnce()).status).toBe(200);
      // In its first minute a session is not renewed, whatever AWS answers.
      asker.pass(2 * MINUTE_MS);
      await sandbox.freeze();
      const { versionId, digest } = asker.rotate();
      asker.pass(TWO_HOURS_MS, { at: "AWS" });
      await sandbox.thaw();
      const answer = await asker.askOnce(`${SECRET_PATH}&refreshNow=true`);
      const outcomes = aws.calls.map(({ operation, outcome }) => `${operation} ${outcome}`);
      see(
        `${toAnswerText(answer)}, the ${answer.digest === digest ? "new" : "old"} value; ${outcomes.slice(2).join(", ")}`,
      );
      expect(answer).toMatchObject({ status: 200, versionId, digest });
      expect(outcomes.filter((outcome) => outcome === "AssumeRole ok")).toHaveLength(2);
    },
  );

  const faults: readonly (readonly [string, Fault])[] = [
    ["whose answer never arrives", { kind: "hang" }],
    ["whose answer arrives meanwhile", { kind: "slow", delayMs: 500 }],
  ];
  for (const [name, firstFault] of faults) {
    fault(
      {
        group,
        on,
        name: `extension and function are frozen during a GetSecretValue ${name}; nothing is cached`,
        expected: "the value, at most one more deadline after the thaw",
      },
      async (see) => {
        const environment = { ...NO_PREFETCH, CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: String(TIMEOUT_MS) };
        const asker = await startAsker({ environment });
        const { aws, sandbox } = asker;
        await asker.ask({ paths: [] });
        aws.fault("GetSecretValue", firstFault, { times: 1 });
        const answered = asker.askOnce();
        await until(() => aws.count("GetSecretValue") === 1);
        const freezer = await sandbox.freeze();
        await delay(FREEZE_MS);
        await sandbox.thaw();
        const thawedMs = performance.now();
        const answer = await answered;
        const ms = performance.now() - thawedMs;
        see(
          `${toAnswerText(answer)} ${ms.toFixed(0)} ms after the thaw; ${aws.count("GetSecretValue")} GetSecretValue; ${freezer}`,
        );
        expect(answer.status).toBe(200);
        expect(ms).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
      },
    );
  }
});
