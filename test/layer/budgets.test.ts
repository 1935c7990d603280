/**
 * What must not grow unseen: budgets on what is the same on every machine. `npm run bench` has the times and the memory.
 * Who has a reason raises a budget, here, and writes the new figure beside it.
 */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { readManifest } from "../../scripts/build/layers.ts";
import { startBench } from "../support/bench.ts";
import { findLoadedAtRegistration } from "../support/loaded-modules.ts";

/** Bytes of what Node.js reads and compiles. Figures of version 0.1.0: 72,448, 195,546 and 210,544. */
const bundleBudgets: readonly [string, number, string][] = [
  ["main.cjs", 74_000, "it is loaded before anything is served"],
  ["aws-sdk.cjs", 204_000, "it is loaded before the first secret is there, and the function may be waiting"],
  ["aws-ssm.cjs", 221_000, "it is loaded with the first parameter, and the function is waiting"],
];

/** Bytes of the zips. Figures of version 0.1.0: 0.21, 32.64 and 30.94 MB, the last without compiled code. */
const zipBudgets = {
  nodejs: 225_000, // two launchers and the bundles
  x86_64: 32_800_000, // nearly all of it Node.js; by the API a zip of 50 MB at most can be uploaded
  arm64: 31_800_000,
};

/** The least program that registers: what Node.js loads for it, Node.js loads for everybody. */
const FLOOR = new URL("../bench/programs/floor.cjs", import.meta.url);
/** By the names that a program gives them. What is not here, Node.js loads for every program. */
const modulesBeforeRegistration = [
  ...["http", "net", "stream", "stream/promises", "string_decoder", "dns", "diagnostics_channel"], // of http, which listens and registers
  ...["cluster", "child_process", "dgram", "worker_threads", "inspector"], // of net, by the first listen
  "crypto", // the token is compared in constant time
];

/** One AssumeRole and one GetSecretValue: it cannot be done with less. */
const CALLS = { AssumeRole: 1, GetSecretValue: 1 };

describe("within its budget", () => {
  it.each(bundleBudgets)("%s is at most %d bytes long: %s", (file, budget) => {
    expect(statSync(join(toOpt("nodejs"), "cross-account-secrets", file)).size).toBeLessThanOrEqual(budget);
  });

  it("the zip of each built layer is no larger than it may be", async () => {
    const entries = await readManifest(dirname(toOpt("nodejs")));
    expect(entries.map(({ name }) => name)).toContain("nodejs");
    const tooLarge = entries.filter(({ name, zippedBytes }) => zippedBytes > zipBudgets[name]);
    expect(tooLarge.map(({ name, zippedBytes }) => ({ name, zippedBytes }))).toEqual([]);
  });

  it("what is loaded before it registers is the program and what it listens with, and nothing of AWS's SDK", async () => {
    const floor = await findLoadedAtRegistration(fileURLToPath(FLOOR));
    const { builtIn, files } = await findLoadedAtRegistration(join(toOpt("nodejs"), "cross-account-secrets/main.cjs"));
    expect(files).toEqual(["main.cjs"]);
    const allowed = [...floor.builtIn, ...modulesBeforeRegistration];
    expect(builtIn.filter((name) => !allowed.includes(name))).toEqual([]);
  });

  it("a cold start costs two calls to AWS, and the first read none", async () => {
    const { lambda, askForSecret, aws } = await startBench();
    await lambda.init();
    expect((await askForSecret()).status).toBe(200);
    expect(toCalls(aws.count)).toEqual(CALLS);
  });

  it("a thousand readers of a secret that is not there yet cost two calls to AWS", async () => {
    const { lambda, askForSecret, aws } = await startBench({
      environment: { CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined, SECRET_NAME: undefined },
    });
    await lambda.init();
    expect(aws.count("GetSecretValue")).toBe(0);
    aws.fault("GetSecretValue", { kind: "slow", delayMs: 500 });
    const statuses = [];
    // As many at the same time as connections are open at the most, with room to spare; the others follow.
    for (const readers of [800, 200]) {
      const answers = await Promise.all(Array.from({ length: readers }, () => askForSecret()));
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(statuses).toEqual(Array(1_000).fill(200));
    expect(toCalls(aws.count)).toEqual(CALLS);
  });
});

const toCalls = (count: (operation: keyof typeof CALLS) => number) => ({
  AssumeRole: count("AssumeRole"),
  GetSecretValue: count("GetSecretValue"),
});
