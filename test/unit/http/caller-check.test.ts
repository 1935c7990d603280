import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createBaseCredentials } from "../../../extension/aws/base-credentials.ts";
import * as awsSdk from "../../../extension/aws/sdk.ts";
import type { AwsCredentials } from "../../../extension/config/aws-environment.ts";
import { createCallerCheck } from "../../../extension/http/caller-check.ts";
import { failureOf } from "../../support/failure-of.ts";

const CONFIGURED = "the-configured-token";
const toCredentials = (sessionToken: string): AwsCredentials => ({
  accessKeyId: "A",
  secretAccessKey: "S",
  sessionToken,
});

/** A check beside an endpoint, whose session token a test may change. */
function setUp(sessionToken = "session-1") {
  const endpoint = { sessionToken };
  const getContainerCredentials = vi.fn<typeof awsSdk.getContainerCredentials>(async () =>
    toCredentials(endpoint.sessionToken),
  );
  const containerCredentials = { uri: "http://127.0.0.1:1/", token: CONFIGURED, tokenFile: undefined };
  const baseCredentials = createBaseCredentials({
    config: { aws: { credentials: undefined, containerCredentials } },
    loadAwsSdk: async () => ({ ...awsSdk, getContainerCredentials }),
  });
  const isToken = (header: string) => header === CONFIGURED;
  const check = createCallerCheck({ config: { timeoutMs: 700 }, isToken, baseCredentials, now: Date.now });
  return { baseCredentials, check, endpoint, getContainerCredentials };
}

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe("a caller", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("without an endpoint is trusted only with the configured token, in any header", async () => {
    const baseCredentials = { mayChange: false, get: vi.fn(async () => toCredentials("session-1")) };
    const isToken = (header: string) => header === CONFIGURED;
    const check = createCallerCheck({ config: { timeoutMs: 700 }, isToken, baseCredentials, now: Date.now });
    expect([check([CONFIGURED]), check(["x", CONFIGURED]), check(["session-1"]), check([undefined])]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(baseCredentials.get).not.toHaveBeenCalled();
  });

  it("is trusted with the configured token, and with the session token that the endpoint gives", async () => {
    const { check } = setUp();
    expect(await check([CONFIGURED, undefined])).toBe(true);
    expect(await check([undefined, "session-1"])).toBe(true);
    for (const wrong of ["", "session-", "session-11", "x".repeat(100_000)]) {
      expect(await check([wrong]), wrong.slice(0, 20)).toBe(false);
    }
    expect(await check([[CONFIGURED, "session-1"], undefined])).toBe(false);
  });

  it("is trusted with the session token before the last one, and not with an older one", async () => {
    const { check, endpoint } = setUp();
    for (const token of ["session-1", "session-2", "session-3"]) {
      endpoint.sessionToken = token;
      pass(1_000);
      expect(await check([token])).toBe(true);
    }
    expect(await check(["session-2"])).toBe(true);
    expect(await check(["session-1"])).toBe(false);
  });

  it("is trusted with a session token that was only used to assume the role", async () => {
    const { baseCredentials, check, endpoint } = setUp();
    await baseCredentials.get();
    endpoint.sessionToken = "session-2";
    expect(await check(["session-2"])).toBe(true);
    expect(await check(["session-1"])).toBe(true);
  });

  it("with the configured token, with a known session token, or with none costs no look-up", async () => {
    const { check, getContainerCredentials } = setUp();
    await check(["session-1"]);
    pass(3_600_000);
    await check([CONFIGURED]);
    await check(["session-1"]);
    await check([undefined, ""]);
    expect(getContainerCredentials).toHaveBeenCalledTimes(1);
  });

  it("with a wrong token costs at most one look-up a second, even if the clock steps back", async () => {
    const { check, getContainerCredentials } = setUp();
    const guess = async () => {
      const all = await Promise.all(Array.from({ length: 100 }, (_, nth) => check([`guess-${nth}`])));
      expect(all).not.toContain(true);
      return getContainerCredentials.mock.calls.length;
    };
    expect(await guess()).toBe(1);
    pass(999);
    expect(await guess()).toBe(1);
    pass(1);
    expect(await guess()).toBe(2);
    pass(-3_600_000);
    expect(await guess()).toBe(3);
  });

  it("waits for the look-up that is under way", async () => {
    const { check, getContainerCredentials } = setUp();
    expect(await Promise.all(Array.from({ length: 100 }, () => check(["session-1"])))).not.toContain(false);
    expect(getContainerCredentials).toHaveBeenCalledTimes(1);
  });

  it("gets the endpoint's failure, and not the claim that the token is wrong, if the look-up fails", async () => {
    const { check, getContainerCredentials } = setUp();
    getContainerCredentials.mockRejectedValueOnce(new Error("CANARY"));
    expect(await failureOf(Promise.resolve(check(["session-1"])))).toMatchObject({ code: "credentials-unavailable" });
    expect(await check([CONFIGURED])).toBe(true);
    pass(1_000);
    expect(await check(["session-1"])).toBe(true);
  });

  it("waits at most as long as a request may, and the next one starts another look-up", async () => {
    const { check, getContainerCredentials } = setUp();
    getContainerCredentials.mockReturnValueOnce(new Promise(() => {}));
    const waiting = failureOf(Promise.resolve(check(["session-1"])));
    await vi.advanceTimersByTimeAsync(700);
    expect(await waiting).toMatchObject({ code: "credentials-unavailable" });
    pass(300);
    expect(await check(["session-1"])).toBe(true);
  });
});
