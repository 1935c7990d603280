import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createAwsCaller } from "../../../extension/aws/call.ts";
import { createLogger } from "../../../extension/logger.ts";
import { AWS_CALLS } from "../../support/aws-calls.ts";

const call = AWS_CALLS.AssumeRole;
const throttled = {
  name: "Throttling",
  message: "Rate exceeded",
  $fault: "client",
  $metadata: { httpStatusCode: 400 },
};
const denied = { name: "AccessDenied", message: "no", $fault: "client", $metadata: { httpStatusCode: 403 } };

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

function createBench(random = 0.5) {
  const lines: string[] = [];
  const logger = createLogger({ level: "debug", now: Date.now, write: (line) => lines.push(line) });
  return { lines, callAws: createAwsCaller({ logger, now: Date.now, random: () => random }) };
}

/** Runs all timers; returns the result of the promise and the time when it settled. */
async function settle<T>(promise: Promise<T>): Promise<{ value?: T; code?: unknown; atMs: number }> {
  const settled = promise.then(
    (value) => ({ value, atMs: Date.now() }),
    (error: { code?: unknown }) => ({ code: error.code, atMs: Date.now() }),
  );
  await vi.runAllTimersAsync();
  return settled;
}

describe("a call to AWS", () => {
  it("that succeeds is made once", async () => {
    const send = vi.fn(async () => "answer");
    expect(await settle(createBench().callAws(call, 1_000, send))).toEqual({ value: "answer", atMs: 0 });
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("that AWS denies is made once", async () => {
    const send = vi.fn(() => Promise.reject(denied));
    expect(await settle(createBench().callAws(call, 1_000, send))).toEqual({ code: "assume-role-denied", atMs: 0 });
    expect(send).toHaveBeenCalledTimes(1);
  });

  it.each([
    ["aws-error", { ...throttled, name: "InternalFailure", $metadata: { httpStatusCode: 500 } }, 0.5 * 100 + 0.5 * 200],
    ["unreachable", { code: "ECONNRESET" }, 0.5 * 100 + 0.5 * 200],
    ["aws-response-invalid", { name: "SyntaxError", $metadata: { httpStatusCode: 200 } }, 0.5 * 100 + 0.5 * 200],
    ["signature-invalid", { ...denied, name: "SignatureDoesNotMatch" }, 0],
    ["clock-skewed", { ...denied, name: "SignatureDoesNotMatch", message: "Signature expired: 2026…" }, 0],
  ])("that fails with %s is made three times, with jittered pauses", async (code, error, atMs) => {
    const send = vi.fn(() => Promise.reject(error));
    expect(await settle(createBench().callAws(call, 10_000, send))).toEqual({ code, atMs });
    expect(send).toHaveBeenCalledTimes(3);
  });

  it("that is throttled is made twice with a longer pause, so that a fleet sends less", async () => {
    const send = vi.fn(() => Promise.reject(throttled));
    expect(await settle(createBench().callAws(call, 10_000, send))).toEqual({ code: "throttled", atMs: 500 });
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("whose tries have all failed is tried only once until it succeeds, and other calls keep their tries", async () => {
    const { callAws } = createBench();
    const failing = vi.fn(() => Promise.reject({ code: "ECONNRESET" }));
    await settle(callAws(call, Date.now() + 10_000, failing));
    await settle(callAws(call, Date.now() + 10_000, failing));
    expect(failing).toHaveBeenCalledTimes(3 + 1);
    await settle(callAws({ ...call, roleArn: `${call.roleArn}2` }, Date.now() + 10_000, failing));
    expect(failing).toHaveBeenCalledTimes(3 + 1 + 3);
    await settle(callAws(call, Date.now() + 10_000, async () => "answer"));
    await settle(callAws(call, Date.now() + 10_000, failing));
    expect(failing).toHaveBeenCalledTimes(3 + 1 + 3 + 3);
  });

  it("that was signed with a wrong clock is made again, even if it failed before", async () => {
    const { callAws } = createBench();
    await settle(callAws(call, Date.now() + 10_000, () => Promise.reject({ code: "ECONNRESET" })));
    const send = vi
      .fn()
      .mockRejectedValueOnce({ ...denied, name: "SignatureDoesNotMatch" })
      .mockResolvedValueOnce("ok");
    expect(await settle(callAws(call, Date.now() + 1_000, send))).toMatchObject({ value: "ok" });
  });

  it("that AWS has denied before still has three tries", async () => {
    const { callAws } = createBench();
    await settle(callAws(call, Date.now() + 1_000, () => Promise.reject(denied)));
    const failing = vi.fn(() => Promise.reject({ code: "ECONNRESET" }));
    await settle(callAws(call, Date.now() + 10_000, failing));
    expect(failing).toHaveBeenCalledTimes(3);
  });

  it("that succeeds at the second try logs nothing above debug", async () => {
    const { callAws, lines } = createBench();
    const send = vi.fn().mockRejectedValueOnce(throttled).mockResolvedValueOnce("answer");
    expect(await settle(callAws(call, 1_000, send))).toEqual({ value: "answer", atMs: 500 });
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(["debug"]);
  });

  it("does not pause past its deadline, and fails with the last cause instead of a time-out", async () => {
    const send = vi.fn(() => Promise.reject(throttled));
    expect(await settle(createBench(0.99).callAws(call, 400, send))).toEqual({ code: "throttled", atMs: 0 });
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("that hangs is aborted at its deadline and not tried again", async () => {
    const signals: AbortSignal[] = [];
    const send = vi.fn((signal: AbortSignal) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    expect(await settle(createBench().callAws(call, 700, send))).toEqual({ code: "timeout", atMs: 700 });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it("that fails for good is logged once, with AWS's code and request ID but without AWS's text", async () => {
    const { callAws, lines } = createBench();
    const error = { ...denied, message: "CANARY", $metadata: { httpStatusCode: 403, requestId: "r-1" } };
    await settle(callAws(call, 1_000, () => Promise.reject(error)));
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: "warn", event: "aws-call-failed", operation: "AssumeRole", awsCode: "AccessDenied", requestId: "r-1" },
    ]);
    expect(lines.join()).not.toContain("CANARY");
  });

  it("has its remedy logged once, and again after a success or another cause", async () => {
    const { callAws, lines } = createBench();
    const fail = (error: object) => settle(callAws(call, Date.now() + 1_000, () => Promise.reject(error)));
    const withRemedy = () => lines.splice(0).map((line) => "remedy" in JSON.parse(line));
    await fail(denied);
    await fail(denied);
    expect(withRemedy()).toEqual([true, false]);
    await fail({ ...denied, message: "… with an explicit deny in a service control policy" });
    await fail(denied);
    expect(withRemedy()).toEqual([true, true]);
    await settle(callAws(call, Date.now() + 1_000, async () => "answer"));
    await fail(denied);
    expect(withRemedy()).toEqual([true]);
  });
});
