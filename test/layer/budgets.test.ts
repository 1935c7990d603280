/**
 * Budgets for what is the same on every machine; `npm run bench` measures times and memory. A change with a reason to exceed a
 * budget raises it here, and writes the new figure beside it.
 */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { readManifest } from "../../scripts/build/layers.ts";
import { startBench } from "../support/bench.ts";
import { findLoadedAtRegistration } from "../support/loaded-modules.ts";

/** Bytes of the files that Node.js reads and compiles. Figures of version 0.1.0: 78,334, 195,546 and 210,544. */
const bundleBudgets: readonly [string, number, string][] = [
  ["main.cjs", 88_000, "it is loaded before anything is served"],
  ["aws-sdk.cjs", 204_000, "it is loaded before the first secret is there, and the function may be waiting"],
  ["aws-ssm.cjs", 221_000, "it is loaded with the first parameter, and the function is waiting"],
];

/** Bytes of the zips. Figures of version 0.1.0: 0.21, 32.84 and 31.13 MB, the last without compiled code. */
const zipBudgets = {
  nodejs: 225_000, // two launchers and the bundles
  x86_64: 33_000_000, // nearly all of it Node.js, which grew by 0.2 MB from 24.21.0 to 24.22.3; by the API a zip of 50 MB at most can be uploaded
  arm64: 31_800_000,
};

/** The smallest program that registers. Node.js loads the modules of this one for every program. */
const FLOOR = new URL("../bench/programs/floor.cjs", import.meta.url);
/** The names that a program imports. Node.js loads all other modules for every program. */
const modulesBeforeRegistration = [
  ...["http", "net", "stream", "stream/promises", "string_decoder", "dns", "diagnostics_channel"], // for http, which listens and registers
  ...["cluster", "child_process", "dgram", "worker_threads", "inspector"], // for net, at the first listen
  "crypto", // the token is compared in constant time
];

/** One AssumeRole and one GetSecretValue: the minimum. */
const CALLS = { AssumeRole: 1, GetSecretValue: 1 };

describe("the budget", () => {
  it.each(bundleBudgets)("of %s is %d bytes, because %s", (file, budget) => {
    expect(statSync(join(toOpt("nodejs"), "cross-account-secrets", file)).size).toBeLessThanOrEqual(budget);
  });

  it("holds for the zip of each built layer", async () => {
    const entries = await readManifest(dirname(toOpt("nodejs")));
    expect(entries.map(({ name }) => name)).toContain("nodejs");
    const tooLarge = entries.filter(({ name, zippedBytes }) => zippedBytes > zipBudgets[name]);
    expect(tooLarge.map(({ name, zippedBytes }) => ({ name, zippedBytes }))).toEqual([]);
  });

  it("before the registration is one file and the modules that listen, without the AWS SDK", async () => {
    const floor = await findLoadedAtRegistration(fileURLToPath(FLOOR));
    const { builtIn, files } = await findLoadedAtRegistration(join(toOpt("nodejs"), "cross-account-secrets/main.cjs"));
    expect(files).toEqual(["main.cjs"]);
    const allowed = [...floor.builtIn, ...modulesBeforeRegistration];
    expect(builtIn.filter((name) => !allowed.includes(name))).toEqual([]);
  });

  it("of a cold start is two calls to AWS, and of the first read none", async () => {
    const { lambda, askForSecret, aws } = await startBench();
    await lambda.init();
    expect((await askForSecret()).status).toBe(200);
    expect(toCalls(aws.count)).toEqual(CALLS);
  });

  it("of a thousand reads of a secret that is not cached yet is two calls to AWS", async () => {
    const { lambda, askForSecret, aws } = await startBench({
      environment: { CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined, SECRET_NAME: undefined },
    });
    await lambda.init();
    expect(aws.count("GetSecretValue")).toBe(0);
    aws.fault("GetSecretValue", { kind: "slow", delayMs: 500 });
    const statuses = [];
    // First fewer than the limit of open connections at the same time, then the others.
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
