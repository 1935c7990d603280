/** A process of the execution environment ends or hangs, and Lambda starts all processes again with the same /tmp. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Invocation } from "../fakes/lambda.ts";
import { type Bench, type BenchOptions, startBench } from "../support/bench.ts";
import { createFaultRows, until } from "../support/faults.ts";
import { SECRET_PATH } from "../support/two-accounts.ts";

const row = createFaultRows("crash", "layer");
const NEXT = "the next invocation reads the secret, on the same port";

const toResultText = (invocation: Invocation) =>
  "error" in invocation ? invocation.error.errorType : JSON.stringify(invocation.payload);

/** Starts a function that reads the secret in its handler after `onInvoke`. */
async function startReader(
  options: BenchOptions = {},
  onInvoke: (payload: unknown) => unknown = () => {},
): Promise<Bench> {
  const bench: Bench = await startBench({
    ...options,
    runtime: {
      onInvoke: async (payload) => {
        await onInvoke(payload);
        return (await bench.askForSecret()).status;
      },
    },
  });
  await bench.lambda.init();
  expect(await bench.lambda.invoke()).toMatchObject({ payload: 200 });
  return bench;
}

/** Ends the extension, and waits until Lambda has noticed. */
async function end({ lambda }: Bench, signal: NodeJS.Signals): Promise<void> {
  const { extensionPid } = lambda;
  lambda.kill("extension", signal);
  await until(() => lambda.extensionPid !== extensionPid);
}

/** Asserts that the next invocation runs with a new process on the same port. */
async function expectNext(
  bench: Bench,
  first: Invocation | undefined,
  formerPid: number | undefined,
  see: (seen: string) => void,
) {
  const { initInside, ...next } = await bench.lambda.invoke();
  const isAnother = bench.lambda.extensionPid !== formerPid && bench.lambda.extensionPid !== undefined;
  const firstText = first === undefined ? "" : `${toResultText(first)}; `;
  see(`${firstText}then ${toResultText({ ...next, initInside })} from ${isAnother ? "another" : "the same"} process`);
  expect(next).toMatchObject({ payload: 200 });
  expect([isAnother, initInside]).toEqual([true, true]);
  expect((await bench.ask("/ping")).status).toBe(200);
}

for (const signal of ["SIGKILL", "SIGTERM", "SIGSEGV"] as const) {
  row(`${signal} for the extension between two invocations`, `one failed invocation; ${NEXT}`, async (see) => {
    const bench = await startReader();
    const { extensionPid } = bench.lambda;
    await end(bench, signal);
    const failed = await bench.lambda.invoke();
    expect(failed).toHaveProperty("error");
    await expectNext(bench, failed, extensionPid, see);
  });
}

/** What a function does in its invocation when a test says "fail". */
const failures: readonly (readonly [name: string, fail: (bench: Bench) => unknown, BenchOptions?])[] = [
  [
    "kill -9 of the extension in the middle of an invocation",
    ({ lambda }) => {
      lambda.kill("extension", "SIGKILL");
      return delay(5_000);
    },
  ],
  ["the function crashes", ({ lambda }) => lambda.kill("runtime", "SIGKILL")],
  ["the function times out", () => delay(60_000, undefined, { ref: false }), { functionTimeoutMs: 2_500 }],
];

for (const [name, fail, options = {}] of failures) {
  row(name, `one failed invocation; ${NEXT}`, async (see) => {
    const bench: Bench = await startReader(options, async (payload) => {
      if (payload === "fail") await fail(bench);
    });
    const { extensionPid } = bench.lambda;
    const failed = await bench.lambda.invoke("fail");
    expect(failed).toHaveProperty("error");
    if (options.functionTimeoutMs !== undefined) expect(toResultText(failed)).toBe("Sandbox.Timedout");
    await expectNext(bench, failed, extensionPid, see);
  });
}

row("kill -9 of the extension while fifty callers wait for AWS", `one failed invocation; ${NEXT}`, async (see) => {
  const bench = await startReader();
  const { extensionPid } = bench.lambda;
  bench.aws.fault("GetSecretValue", { kind: "hang" }, { times: 3 });
  const calls = bench.aws.count("GetSecretValue");
  const asked = Promise.allSettled(Array.from({ length: 50 }, () => bench.ask(`${SECRET_PATH}&refreshNow=true`)));
  await until(() => bench.aws.count("GetSecretValue") > calls);
  bench.aws.heal();
  await end(bench, "SIGKILL");
  await asked;
  const failed = await bench.lambda.invoke();
  await expectNext(bench, failed, extensionPid, see);
});

row("the extension hangs at shutdown", `killed after 2 s; ${NEXT}`, async (see) => {
  const bench = await startReader();
  const { extensionPid } = bench.lambda;
  bench.lambda.kill("extension", "SIGSTOP");
  const { signal, ms } = await bench.lambda.reset("timeout");
  expect(signal).toBe("SIGKILL");
  const { initInside, ...next } = await bench.lambda.invoke();
  see(`${signal} after ${Math.round(ms)} ms; then ${toResultText({ ...next, initInside })}`);
  expect(next).toMatchObject({ payload: 200 });
  expect(bench.lambda.extensionPid).not.toBe(extensionPid);
});

row(
  "ten crashes, one after another",
  "each next invocation reads the secret; AWS is called once for each start",
  async (see) => {
    const bench = await startReader();
    let good = 0;
    for (let nth = 0; nth < 10; nth += 1) {
      await end(bench, "SIGKILL");
      await bench.lambda.invoke();
      if (toResultText(await bench.lambda.invoke()) === "200") good += 1;
    }
    see(
      `${good} of 10; ${bench.aws.count("AssumeRole")} AssumeRole, ${bench.aws.count("GetSecretValue")} GetSecretValue`,
    );
    expect(good).toBe(10);
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([11, 11]);
  },
);
