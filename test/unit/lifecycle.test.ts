import { describe, expect, it, vi } from "vitest";
import type { RoleCredentials } from "../../extension/aws/session.ts";
import { prefetch, type SourceReader } from "../../extension/extension.ts";
import { Failure, PublicError } from "../../extension/failure/failure.ts";
import { failInit, type LifecycleDeps, runDisabled, runLifecycle, toExitCode } from "../../extension/lifecycle.ts";
import { createCounters } from "../../extension/metrics.ts";
import { type ConfigOverrides, createConfig } from "../support/config.ts";
import { failureOf } from "../support/failure-of.ts";
import { createLog } from "../support/log.ts";
import { START_EPOCH_MS, useFakeClock } from "../support/unit-clock.ts";
import { OTHER_ROLE_ARN, TARGET_ROLE_ARN, toParameterValue, toSecretValue } from "../support/values.ts";

const CANARY = "CANARY-not-to-be-repeated";

const denied = () => new Failure("assume-role-denied", "AssumeRole was refused");

useFakeClock();

/** What each part does when it is called. Default: it succeeds at once. */
interface Behaviour {
  readonly listen?: () => Promise<void>;
  readonly register?: () => Promise<void>;
  readonly fetch?: () => Promise<unknown>;
  readonly untilShutdown?: () => Promise<void>;
  readonly close?: () => Promise<void>;
  readonly isFirstInit?: boolean;
}

/** Fakes of all parts, with a journal of their calls and when each ended. */
function setUp(overrides: ConfigOverrides = {}, behaviour: Behaviour = {}) {
  const journal: string[] = [];
  const { logger, lines } = createLog();
  const call = async (name: string, work: (() => Promise<unknown>) | undefined) => {
    journal.push(name);
    await work?.();
    journal.push(`${name}: done`);
  };
  const toTimeLeft = (deadlineEpochMs: number) => `${deadlineEpochMs - Date.now()} ms`;
  const config = createConfig(overrides);
  const credentials: RoleCredentials = {
    isAtHand: () => false,
    get: async (deadlineEpochMs) => {
      await call(`assume role within ${toTimeLeft(deadlineEpochMs)}`, behaviour.fetch);
      return { accessKeyId: "ASIA", secretAccessKey: CANARY, sessionToken: CANARY };
    },
    getInstead: async (refused) => {
      await call("assume role again", undefined);
      return refused;
    },
  };
  const secrets: SourceReader["secrets"] = {
    get: async ({ secretId }, { deadlineEpochMs }) => {
      await call(`fetch ${secretId} within ${toTimeLeft(deadlineEpochMs)}`, behaviour.fetch);
      const value = toSecretValue({ name: secretId, secretString: CANARY });
      return { value, from: "fetch", ageMs: 0, ttlMs: 0 };
    },
    invalidate: async ({ secretId }) => call(`invalidate ${secretId}`, undefined),
  };
  const parameters: SourceReader["parameters"] = {
    get: async ({ parameterId, withDecryption }, { deadlineEpochMs }) => {
      const how = withDecryption ? "decrypted " : "";
      await call(`fetch ${parameterId} ${how}within ${toTimeLeft(deadlineEpochMs)}`, behaviour.fetch);
      return { value: toParameterValue({ name: parameterId, value: CANARY }), from: "fetch", ageMs: 0, ttlMs: 0 };
    },
    invalidate: async ({ parameterId }) => call(`invalidate ${parameterId}`, undefined),
  };
  const readers = config.sources.map((source) => ({ source, credentials, secrets, parameters }));
  const deps = {
    config,
    api: {
      register: () => call("register", behaviour.register),
      untilShutdown: async () => {
        await call("untilShutdown", behaviour.untilShutdown);
        return { reason: "spindown", deadlineEpochMs: Date.now() + 2_000 };
      },
      initError: (type: string, message: string) => call(`initError ${type}: ${message}`, undefined),
      exitError: (type: string) => call(`exitError ${type}`, undefined),
    },
    server: {
      listen: () => call("listen", behaviour.listen),
      close: (graceMs: number) => call(`close within ${graceMs} ms`, behaviour.close),
    },
    isFirstInit: () => behaviour.isFirstInit ?? true,
    extension: {
      prefetch: () => prefetch(config, readers, Date.now),
      counters: { ...createCounters(), requests: 3 },
      metrics: { report() {}, finish: () => void journal.push("finish metrics") },
    },
    logger,
    version: "1.2.3",
  } satisfies LifecycleDeps;
  const events = () => lines.map(({ level, event }) => `${level} ${event}`);
  return { deps, readers, journal, lines, events };
}

const never = () => new Promise<void>(() => {});
/** Work that takes this long. */
const lasting = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe("the lifecycle", () => {
  it("listens, registers, fetches, ends init, serves and shuts down, in this order", async () => {
    const { deps, journal, lines } = setUp(
      { source: { prefetchIds: ["app/a", "app/b"] } },
      { fetch: lasting(100), close: lasting(50) },
    );
    const exitCode = runLifecycle(deps).finally(() => journal.push("exit"));
    await vi.advanceTimersByTimeAsync(150);
    expect(await exitCode).toBe(0);
    expect(journal).toEqual([
      "listen",
      "listen: done",
      "register",
      "register: done",
      "assume role within 2500 ms",
      "fetch app/a within 2500 ms",
      "fetch app/b within 2500 ms",
      "assume role within 2500 ms: done",
      "fetch app/a within 2500 ms: done",
      "fetch app/b within 2500 ms: done",
      "untilShutdown",
      "untilShutdown: done",
      "close within 300 ms",
      "close within 300 ms: done",
      "finish metrics",
      "exit",
    ]);
    expect(lines).toEqual([
      {
        level: "info",
        event: "starting",
        version: "1.2.3",
        roleArn: TARGET_ROLE_ARN,
        region: "eu-west-1",
        ttlSeconds: 300,
        port: 2773,
      },
      { level: "debug", event: "registered" },
      { level: "debug", event: "init-over", prefetch: "fetched" },
      { level: "info", event: "shutdown", reason: "spindown", ...createCounters(), requests: 3 },
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("assumes the role even if no secret is configured, because that is the slower half", async () => {
    const { deps, journal } = setUp();
    expect(await runLifecycle(deps)).toBe(0);
    expect(journal).toContain("assume role within 2500 ms");
    expect(journal.filter((entry) => entry.startsWith("fetch"))).toEqual([]);
  });

  it("logs each unknown setting at the start", async () => {
    const { deps, lines } = setUp({ unknownSettings: ["CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS"] });
    await runLifecycle(deps);
    expect(lines[1]).toEqual({
      level: "warn",
      event: "setting-ignored",
      name: "CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS",
    });
  });

  it("fetches every configured parameter too, decrypted, at the same time as the secrets", async () => {
    const source = { prefetchIds: ["app/a"], parameterNames: ["/app/flag", "/app/key"] };
    const { deps, journal } = setUp({ source }, { fetch: lasting(100) });
    const exitCode = runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(100);
    expect(await exitCode).toBe(0);
    expect(journal.slice(4, 8)).toEqual([
      "assume role within 2500 ms",
      "fetch app/a within 2500 ms",
      "fetch /app/flag decrypted within 2500 ms",
      "fetch /app/key decrypted within 2500 ms",
    ]);
    const last = journal.indexOf("fetch /app/key decrypted within 2500 ms: done");
    expect(journal.indexOf("untilShutdown")).toBeGreaterThan(last);
  });

  it("serves until SHUTDOWN, and closes nothing before", async () => {
    const { deps, journal } = setUp({}, { untilShutdown: never });
    void runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    expect(journal.at(-1)).toBe("untilShutdown");
  });

  it("fails if Lambda refuses the registration, before anything is fetched", async () => {
    const register = () => Promise.reject(new PublicError("register was answered with status 403"));
    const { deps, journal } = setUp({}, { register });
    expect(await failureOf(runLifecycle(deps))).toMatchObject({ message: "register was answered with status 403" });
    expect(journal).toEqual(["listen", "listen: done", "register"]);
  });

  it("fails if the next event cannot be requested", async () => {
    const untilShutdown = () => Promise.reject(new PublicError("event/next cannot be reached"));
    const { deps } = setUp({}, { untilShutdown });
    expect(await failureOf(runLifecycle(deps))).toMatchObject({ message: "event/next cannot be reached" });
  });
});

describe("init", () => {
  it("lasts until the fetch has settled, and no longer", async () => {
    const { deps, journal, lines } = setUp({}, { fetch: lasting(400), untilShutdown: never });
    void runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(399);
    expect(journal).not.toContain("untilShutdown");
    await vi.advanceTimersByTimeAsync(1);
    expect(journal).toContain("untilShutdown");
    expect(lines.at(-1)).toMatchObject({ event: "init-over", prefetch: "fetched" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("lasts PREFETCH_TIMEOUT_MS at most, and the fetch continues after it", async () => {
    const { deps, journal, lines } = setUp(
      { prefetchTimeoutMs: 1_000 },
      { fetch: lasting(1_500), untilShutdown: lasting(5_000) },
    );
    const exitCode = runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(999);
    expect(journal).not.toContain("untilShutdown");
    await vi.advanceTimersByTimeAsync(1);
    expect(journal).toContain("untilShutdown");
    expect(lines.at(-1)).toMatchObject({ event: "init-over", prefetch: "still under way" });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(journal).toContain("assume role within 2500 ms: done");
    expect(await exitCode).toBe(0);
  });

  it("gives the fetch PREFETCH_TIMEOUT_MS if that is more than a request gets", async () => {
    const { deps, journal } = setUp({ timeoutMs: 100, prefetchTimeoutMs: 9_000 });
    await runLifecycle(deps);
    expect(journal).toContain("assume role within 9000 ms");
  });

  it("does not wait if PREFETCH_TIMEOUT_MS is 0, but starts the fetch", async () => {
    const { deps, journal } = setUp({ prefetchTimeoutMs: 0 }, { fetch: lasting(400), untilShutdown: never });
    void runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(1);
    expect(journal.slice(-2)).toEqual(["assume role within 2500 ms", "untilShutdown"]);
  });

  it("does not wait if Lambda repeats it inside an invocation, but starts the fetch", async () => {
    const { deps, journal } = setUp({}, { isFirstInit: false, fetch: lasting(400), untilShutdown: never });
    void runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(1);
    expect(journal.slice(-2)).toEqual(["assume role within 2500 ms", "untilShutdown"]);
  });

  it("ends at once if the fetch fails, and requests are served", async () => {
    const { deps, journal, lines } = setUp({}, { fetch: () => Promise.reject(denied()) });
    expect(await runLifecycle(deps)).toBe(0);
    expect(journal).toContain("untilShutdown");
    expect(lines).toContainEqual({ level: "debug", event: "init-over", prefetch: "failed" });
    expect(Date.now()).toBe(START_EPOCH_MS);
  });

  it("leaves no unhandled rejection if the fetch fails after it", async () => {
    const fetch = () => lasting(1_500)().then(() => Promise.reject(denied()));
    const { deps } = setUp({ source: { prefetchIds: ["app/a"] } }, { fetch, untilShutdown: lasting(5_000) });
    const exitCode = runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await exitCode).toBe(0);
  });
});

describe("INIT_ERROR=fail", () => {
  const fail = { initError: "fail" } as const;

  it("changes nothing if the fetch succeeds", async () => {
    const { deps, journal } = setUp(fail);
    expect(await runLifecycle(deps)).toBe(0);
    expect(journal).toContain("untilShutdown");
  });

  it("fails the init if the fetch fails, and tells Lambda and the log why", async () => {
    const { deps, journal, lines } = setUp(fail, { fetch: () => Promise.reject(denied()) });
    expect(await runLifecycle(deps)).toBe(1);
    expect(journal.slice(-2)).toEqual([
      "initError Extension.PrefetchFailed: AssumeRole was refused",
      "initError Extension.PrefetchFailed: AssumeRole was refused: done",
    ]);
    expect(journal).not.toContain("untilShutdown");
    expect(lines.at(-1)).toEqual({
      level: "error",
      event: "init-error",
      errorType: "Extension.PrefetchFailed",
      message: "AssumeRole was refused",
    });
  });

  it.each([true, false])("fails the init if the fetch takes too long (first init: %s)", async (isFirstInit) => {
    const { deps, journal } = setUp({ ...fail, prefetchTimeoutMs: 700 }, { isFirstInit, fetch: never });
    const exitCode = runLifecycle(deps);
    await vi.advanceTimersByTimeAsync(699);
    expect(journal.some((entry) => entry.startsWith("initError"))).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await exitCode).toBe(1);
    expect(journal).toContain(
      "initError Extension.PrefetchFailed: the configured secrets and parameters were not fetched within 700 ms",
    );
    expect(journal).not.toContain("untilShutdown");
  });

  it("keeps the text of an unknown error out of the report and the log", async () => {
    const { deps, journal, lines } = setUp(fail, { fetch: () => Promise.reject(new Error(CANARY)) });
    expect(await runLifecycle(deps)).toBe(1);
    expect(JSON.stringify([journal, lines])).not.toContain(CANARY);
  });
});

describe("a failing init", () => {
  it("registers, because only then it may report an error, and tells Lambda and the log why", async () => {
    const listen = () => Promise.reject(new PublicError("port 2773 on 127.0.0.1 is taken"));
    const { deps, journal, lines } = setUp({}, { listen });
    expect(await runLifecycle(deps)).toBe(1);
    expect(journal).toEqual([
      "listen",
      "register",
      "register: done",
      "initError Extension.PortUnavailable: port 2773 on 127.0.0.1 is taken",
      "initError Extension.PortUnavailable: port 2773 on 127.0.0.1 is taken: done",
    ]);
    expect(lines.at(-1)).toEqual({
      level: "error",
      event: "init-error",
      errorType: "Extension.PortUnavailable",
      message: "port 2773 on 127.0.0.1 is taken",
    });
  });

  it("keeps the text of an unknown error out of the log", async () => {
    const { deps, journal, lines } = setUp({}, { listen: () => Promise.reject(new Error(CANARY)) });
    expect(await runLifecycle(deps)).toBe(1);
    expect(JSON.stringify([journal, lines])).not.toContain(CANARY);
  });

  it("logs a line for each reason before it registers", async () => {
    const { deps, journal, events } = setUp({}, { register: () => Promise.reject(new PublicError("no")) });
    const refused = failInit(deps.api, deps.logger, "Extension.ConfigInvalid", ["one", "two"]);
    expect(await failureOf(refused)).toMatchObject({ message: "no" });
    expect(events()).toEqual(["error init-error", "error init-error"]);
    expect(journal).toEqual(["register"]);
  });

  it("reports all reasons to Lambda in one message", async () => {
    const { deps, journal } = setUp();
    expect(await failInit(deps.api, deps.logger, "Extension.ConfigInvalid", ["one", "two"])).toBe(1);
    expect(journal[2]).toBe("initError Extension.ConfigInvalid: one\ntwo");
  });
});

describe("SnapStart", () => {
  const snapStart = { isSnapStart: true, source: { prefetchIds: ["app/a"] } } as const;

  it.each(["serve", "fail"] as const)(
    "fetches nothing in init, which ends at once, with INIT_ERROR=%s",
    async (initError) => {
      const { deps, journal, events } = setUp(
        { ...snapStart, initError },
        { fetch: () => Promise.reject(denied()), untilShutdown: never },
      );
      void runLifecycle(deps);
      await vi.advanceTimersByTimeAsync(0);
      expect(journal).toEqual(["listen", "listen: done", "register", "register: done", "untilShutdown"]);
      expect(events()).toEqual(["info starting", "debug registered"]);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it("shuts down as any other environment does", async () => {
    const { deps, journal } = setUp(snapStart);
    expect(await runLifecycle(deps)).toBe(0);
    expect(journal.slice(-3)).toEqual(["close within 300 ms", "close within 300 ms: done", "finish metrics"]);
  });
});

describe("two sources", () => {
  it("are both read in init, each with its own role, and named in the first log line", async () => {
    const { deps, readers, journal, lines } = setUp();
    const [part] = readers;
    if (part === undefined) throw new Error("there is no source");
    const other = { ...part.source, roleArn: OTHER_ROLE_ARN, home: { ...part.source.home, region: "us-east-1" } };
    const sources = [
      { ...part, source: { ...part.source, prefetchIds: ["app/a"] } },
      { ...part, source: { ...other, prefetchIds: ["app/b"] } },
    ] as const;
    const config = { ...deps.config, sources: [sources[0].source, sources[1].source] } as const;
    const extension = { ...deps.extension, prefetch: () => prefetch(config, sources, Date.now) };
    expect(await runLifecycle({ ...deps, config, extension })).toBe(0);
    expect(journal.filter((entry) => entry.endsWith("ms"))).toEqual([
      "assume role within 2500 ms",
      "fetch app/a within 2500 ms",
      "assume role within 2500 ms",
      "fetch app/b within 2500 ms",
      "close within 300 ms",
    ]);
    expect(lines[0]).toMatchObject({
      event: "starting",
      roleArn: [TARGET_ROLE_ARN, OTHER_ROLE_ARN],
      region: ["eu-west-1", "us-east-1"],
    });
  });

  it("fail the init if one of them fails and INIT_ERROR is fail", async () => {
    const { deps, readers, journal } = setUp({ initError: "fail" });
    const [part] = readers;
    if (part === undefined) throw new Error("there is no source");
    const broken = { ...part, credentials: { ...part.credentials, get: () => Promise.reject(denied()) } };
    const extension = { ...deps.extension, prefetch: () => prefetch(deps.config, [part, broken], Date.now) };
    expect(await runLifecycle({ ...deps, extension })).toBe(1);
    expect(journal.at(-1)).toBe("initError Extension.PrefetchFailed: AssumeRole was refused: done");
  });
});

describe("the last metrics", () => {
  it("are printed after the last reply and before the summary, which is the last log line", async () => {
    const { deps, journal, events } = setUp({}, { close: lasting(50) });
    let linesBefore: readonly string[] | undefined;
    const finish = () => {
      journal.push("finish metrics");
      linesBefore = events();
    };
    const extension = { ...deps.extension, metrics: { report() {}, finish } };
    const exitCode = runLifecycle({ ...deps, extension });
    await vi.advanceTimersByTimeAsync(50);
    expect(await exitCode).toBe(0);
    expect(journal.slice(-2)).toEqual(["close within 300 ms: done", "finish metrics"]);
    expect(linesBefore).not.toContain("info shutdown");
    expect(events().at(-1)).toBe("info shutdown");
  });
});

describe("a disabled extension", () => {
  it("listens, registers and waits for SHUTDOWN, and does nothing else", async () => {
    const { deps, journal, lines } = setUp({}, { untilShutdown: lasting(1_000) });
    const exitCode = runDisabled(deps);
    await vi.advanceTimersByTimeAsync(999);
    expect(journal.at(-1)).toBe("untilShutdown");
    await vi.advanceTimersByTimeAsync(1);
    expect(await exitCode).toBe(0);
    expect(journal).toEqual([
      "listen",
      "register",
      "listen: done",
      "register: done",
      "untilShutdown",
      "untilShutdown: done",
      "close within 300 ms",
      "close within 300 ms: done",
    ]);
    expect(lines).toEqual([
      { level: "warn", event: "disabled", message: expect.stringContaining("CROSS_ACCOUNT_SECRETS_ENABLED is false") },
    ]);
  });

  it("does not wait for a port that is taken", async () => {
    const { deps, journal } = setUp({}, { listen: never, untilShutdown: never });
    void runDisabled(deps);
    await vi.advanceTimersByTimeAsync(0);
    expect(journal).toContain("untilShutdown");
  });

  it("runs without its port if that stays taken, and logs a warning", async () => {
    const listen = () => Promise.reject(new PublicError("port 2773 on 127.0.0.1 is taken"));
    const { deps, journal, lines } = setUp({}, { listen });
    expect(await runDisabled(deps)).toBe(0);
    expect(journal).toContain("register: done");
    expect(journal.some((entry) => entry.startsWith("initError"))).toBe(false);
    expect(lines.at(-1)).toEqual({
      level: "warn",
      event: "not-listening",
      message: "port 2773 on 127.0.0.1 is taken",
    });
  });

  it("keeps the text of an unknown error out of the log", async () => {
    const { deps, lines } = setUp({}, { listen: () => Promise.reject(new Error(CANARY)) });
    expect(await runDisabled(deps)).toBe(0);
    expect(JSON.stringify(lines)).not.toContain(CANARY);
  });
});

describe("the exit code", () => {
  it.each([0, 1] as const)("is that of the lifecycle: %d", async (code) => {
    const { deps, lines } = setUp();
    expect(await toExitCode(Promise.resolve(code), deps.logger)).toBe(code);
    expect(lines).toEqual([]);
  });

  it("is 1 if the lifecycle fails, and the log says why", async () => {
    const { deps, lines } = setUp();
    expect(await toExitCode(Promise.reject(new PublicError("event/next cannot be reached")), deps.logger)).toBe(1);
    expect(lines).toEqual([{ level: "error", event: "stopped", message: "event/next cannot be reached" }]);
  });

  it.each([new TypeError(CANARY), CANARY, undefined])(
    "is 1 if the lifecycle fails because of a bug, and the log does not quote its text (%#)",
    async (thrown) => {
      const { deps, lines } = setUp();
      expect(await toExitCode(Promise.reject(thrown), deps.logger)).toBe(1);
      expect(lines).toMatchObject([{ level: "error", event: "stopped" }]);
      expect(JSON.stringify(lines)).not.toContain(CANARY);
    },
  );
});
