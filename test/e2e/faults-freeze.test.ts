/** Lambda stops all processes of an environment at once, at any moment, for hours; here the kernel's freezer does. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { fault, until } from "../support/faults.ts";
import { GET, startAsker, toCounts, toText, UNFETCHED } from "./support/asker.ts";
import { unavailable } from "./support/availability.ts";

const group = "freeze";
const on = "emulator";
const MINUTE_MS = 60_000;
const TWO_HOURS_MS = 120 * MINUTE_MS;
const TIMEOUT_MS = 1_000;
/** Longer than a request may take, and than it takes to be sure of a freeze. */
const FREEZE_MS = 1_700;
/** For a processor that others use too. */
const MARGIN_MS = 1_500;

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  fault(
    {
      group,
      on,
      name: "two hours between two invocations: value, session and signature are over",
      expected: "the value of now, for one more AssumeRole and one more GetSecretValue",
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
      const counts = toCounts(asker);
      see(`${toText(answer)}, the ${answer.digest === digest ? "new" : "old"} value; ${counts}`);
      expect(answer).toMatchObject({ status: 200, versionId, digest });
      expect(counts).toBe("2 AssumeRole, 2 GetSecretValue");
    },
  );

  fault(
    {
      group,
      on,
      name: "two hours between two invocations, and our clock has not been set yet when a refresh is asked for",
      expected: "the value of now; the session that AWS calls expired is renewed",
    },
    async (see) => {
      const asker = await startAsker({ clocks: "wall and monotonic" });
      const { aws, sandbox } = asker;
      expect((await asker.askOnce()).status).toBe(200);
      // In its first minute a session is not renewed, whatever AWS says of it.
      asker.pass(2 * MINUTE_MS);
      await sandbox.freeze();
      const { versionId, digest } = asker.rotate();
      asker.pass(TWO_HOURS_MS, { at: "AWS" });
      await sandbox.thaw();
      const answer = await asker.askOnce(`${GET}&refreshNow=true`);
      const outcomes = aws.calls.map(({ operation, outcome }) => `${operation} ${outcome}`);
      see(`${toText(answer)}, the ${answer.digest === digest ? "new" : "old"} value; ${outcomes.slice(2).join(", ")}`);
      expect(answer).toMatchObject({ status: 200, versionId, digest });
      expect(outcomes.filter((outcome) => outcome === "AssumeRole ok")).toHaveLength(2);
    },
  );

  const faults: readonly (readonly [string, Fault])[] = [
    ["whose answer never comes", { kind: "hang" }],
    ["whose answer comes meanwhile", { kind: "slow", delayMs: 500 }],
  ];
  for (const [name, ofFirst] of faults) {
    fault(
      {
        group,
        on,
        name: `extension and function, in the middle of a GetSecretValue ${name}; nothing is cached`,
        expected: "the value, within one more deadline after the thaw",
      },
      async (see) => {
        const environment = { ...UNFETCHED, CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: String(TIMEOUT_MS) };
        const asker = await startAsker({ environment });
        const { aws, sandbox } = asker;
        await asker.ask({ paths: [] });
        aws.fault("GetSecretValue", ofFirst, { times: 1 });
        const answered = asker.askOnce();
        await until(() => aws.count("GetSecretValue") === 1);
        const freezer = await sandbox.freeze();
        await delay(FREEZE_MS);
        await sandbox.thaw();
        const thawedMs = performance.now();
        const answer = await answered;
        const ms = performance.now() - thawedMs;
        see(
          `${toText(answer)} ${ms.toFixed(0)} ms after the thaw; ${aws.count("GetSecretValue")} GetSecretValue; ${freezer}`,
        );
        expect(answer.status).toBe(200);
        expect(ms).toBeLessThan(TIMEOUT_MS + MARGIN_MS);
      },
    );
  }
});
