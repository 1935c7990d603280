/** Runs once per release, because it waits for more than five minutes. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { startBench } from "../support/bench.ts";
import { fault } from "../support/faults.ts";
import { exampleFunctions } from "../support/functions.ts";
import { KEYS } from "../support/happy-path.ts";

/** Longer than the 300 s after which Node's `fetch`, for example, gives up on an answer. */
const IDLE_SECONDS = 310;

fault(
  {
    group: "idle",
    on: "layer",
    name: `${IDLE_SECONDS} s in /event/next, then an invocation and SHUTDOWN`,
    expected: "one poll, still under way; the secret; exit code 0",
  },
  async (see) => {
    // A function in a real process: the one inside the test waits with `fetch`, which would give up.
    const runtime = exampleFunctions.find(({ language }) => language === "Node.js")?.runtime ?? {};
    const bench = await startBench({ runtime });
    const { lambda } = bench;
    await lambda.init();
    const { extensionPid } = lambda;
    await delay(IDLE_SECONDS * 1_000);
    const polls = lambda.journal.filter(({ from, call }) => from === "cross-account-secrets" && call === "next").length;
    const invocation = await lambda.invoke();
    const isSame = lambda.extensionPid === extensionPid;
    const { exitCode, ms } = await lambda.shutdown();
    see(
      `${polls} poll, ${isSame ? "the same" : "another"} process, ${"payload" in invocation ? JSON.stringify(invocation.payload) : invocation.error.errorType}, exit code ${exitCode} after ${Math.round(ms)} ms`,
    );
    expect([polls, isSame, exitCode]).toEqual([1, true, 0]);
    expect(invocation).toMatchObject({ payload: { init: KEYS, handler: KEYS }, initInside: false });
    expect(ms).toBeLessThan(2_000);
  },
);
