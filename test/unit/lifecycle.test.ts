import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RoleCredentials } from "../../extension/aws/session.ts";
import { prefetch, type SourceReader } from "../../extension/extension.ts";
import { Failure, PublicError } from "../../extension/failure/failure.ts";
import { failInit, type LifecycleDeps, runDisabled, runLifecycle, toExitCode } from "../../extension/lifecycle.ts";
import { createCounters } from "../../extension/metrics.ts";
import { type ConfigOverrides, createConfig } from "../support/config.ts";
import { failureOf } from "../support/failure-of.ts";
import { createLog } from "../support/log.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const CANARY = "CANARY-not-to-be-repeated";

const denied = () => new Failure("assume-role-denied", "AssumeRole was refused");

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What each part does when it is its turn; without a word, what it should. */
interface Acts {
  readonly listen?: () => Promise<void>;
  readonly register?: () => Promise<void>;
  readonly fetch?: () => Promise<unknown>;
  readonly untilShutdown?: () => Promise<void>;
  readonly close?: () => Promise<void>;
  readonly isFirstInit?: boolean;
}

/** A life of fakes, with a journal of what was asked of them in which order, and when it was done. */
function setUp(overrides: ConfigOverrides = {}, acts: Acts = {}) {
  const journal: string[] = [];
  const { logger, lines } = createLog();
  /** Time is told as what is left of it. */
  const act = async (name: string, deed: (() => Promise<unknown>) | undefined) => {
    journal.push(name);
    await deed?.();
    journal.push(`${name}: done`);
  };
  const left = (deadlineEpochMs: number) => `${deadlineEpochMs - Date.now()} ms`;
  const config = createConfig(overrides);
  const credentials: RoleCredentials = {
    isAtHand: () => false,
    get: async (deadlineEpochMs) => {
      await act(`assume role within ${left(deadlineEpochMs)}`, acts.fetch);
      return { accessKeyId: "ASIA", secretAccessKey: CANARY, sessionToken: CANARY };
    },
    getInstead: async (refused) => {
      await act("assume role again", undefined);
      return refused;
    },
  };
  const secrets: SourceReader["secrets"] = {
    get: async ({ secretId }, { deadlineEpochMs }) => {
      await act(`fetch ${secretId} within ${left(deadlineEpochMs)}`, acts.fetch);
      const [arn, name, versionId] = ["arn", secretId, "1"];
      const identity = { arn, name, versionId, versionStages: [], createdDate: new Date(0) };
      const value = { ...identity, secretString: CANARY, secretBinary: undefined };
      return { value, from: "fetch", ageMs: 0, ttlMs: 0 };
    },
    invalidate: async ({ secretId }) => act(`invalidate ${secretId}`, undefined),
  };
  const parameters: SourceReader["parameters"] = {
    get: async ({ parameterId, withDecryption }, { deadlineEpochMs }) => {
      const how = withDecryption ? "decrypted " : "";
      await act(`fetch ${parameterId} ${how}within ${left(deadlineEpochMs)}`, acts.fetch);
      const identity = { arn: "arn", name: parameterId, versionId: "1", type: "SecureString" };
      const others = { dataType: undefined, lastModifiedDate: undefined, selector: undefined, sourceResult: undefined };
      return { value: { ...identity, ...others, value: CANARY }, from: "fetch", ageMs: 0, ttlMs: 0 };
    },
    invalidate: async ({ parameterId }) => act(`invalidate ${parameterId}`, undefined),
  };
  const readers = config.sources.map((source) => ({ source, credentials, secrets, parameters }));
  const life = {
    config,
    api: {
      register: () => act("register", acts.register),
      untilShutdown: async () => {
        await act("untilShutdown", acts.untilShutdown);
        return { reason: "spindown", deadlineEpochMs: Date.now() + 2_000 };
      },
      initError: (type: string, message: string) => act(`initError ${type}: ${message}`, undefined),
      exitError: (type: string) => act(`exitError ${type}`, undefined),
    },
    server: {
      listen: () => act("listen", acts.listen),
      close: (graceMs: number) => act(`close within ${graceMs} ms`, acts.close),
    },
    isFirstInit: () => acts.isFirstInit ?? true,
    extension: {
      prefetch: () => prefetch(config, readers, Date.now),
      counters: { ...createCounters(), requests: 3 },
      metrics: { report() {}, finish: () => void journal.push("finish metrics") },
    },
    logger,
    version: "1.2.3",
  } satisfies LifecycleDeps;
  const events = () => lines.map(({ level, event }) => `${level} ${event}`);
  return { life, readers, journal, lines, events };
}

const never = () => new Promise<void>(() => {});
/** Work of that length. */
const lasting = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe("the life of an execution environment", () => {
  it("is: listen, register, fetch, say that init is over, serve, leave", async () => {
    const { life, journal, lines } = setUp(
      { source: { prefetchIds: ["app/a", "app/b"] } },
      { fetch: lasting(100), close: lasting(50) },
    );
    const exitCode = runLifecycle(life).finally(() => journal.push("exit"));
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
        roleArn: "arn:aws:iam::111111111111:role/SecretReader",
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

  it("assumes the role even where no secret is configured, since that is the slower half", async () => {
    const { life, journal } = setUp();
    expect(await runLifecycle(life)).toBe(0);
    expect(journal).toContain("assume role within 2500 ms");
    expect(journal.filter((entry) => entry.startsWith("fetch"))).toEqual([]);
  });

  it("begins by naming the settings that it does not know", async () => {
    const { life, lines } = setUp({ unknownSettings: ["CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS"] });
    await runLifecycle(life);
    expect(lines[1]).toEqual({
      level: "warn",
      event: "setting-ignored",
      name: "CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS",
    });
  });

  it("fetches every configured parameter too, decrypted, and beside the secrets", async () => {
    const source = { prefetchIds: ["app/a"], parameterNames: ["/app/flag", "/app/key"] };
    const { life, journal } = setUp({ source }, { fetch: lasting(100) });
    const exitCode = runLifecycle(life);
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

  it("goes on until SHUTDOWN, and closes nothing before", async () => {
    const { life, journal } = setUp({}, { untilShutdown: never });
    void runLifecycle(life);
    await vi.advanceTimersByTimeAsync(24 * 3_600_000);
    expect(journal.at(-1)).toBe("untilShutdown");
  });

  it("is refused by Lambda where it cannot register, before anything is fetched", async () => {
    const register = () => Promise.reject(new PublicError("register was answered with status 403"));
    const { life, journal } = setUp({}, { register });
    expect(await failureOf(runLifecycle(life))).toMatchObject({ message: "register was answered with status 403" });
    expect(journal).toEqual(["listen", "listen: done", "register"]);
  });

  it("ends where Lambda cannot be polled", async () => {
    const untilShutdown = () => Promise.reject(new PublicError("event/next cannot be reached"));
    const { life } = setUp({}, { untilShutdown });
    expect(await failureOf(runLifecycle(life))).toMatchObject({ message: "event/next cannot be reached" });
  });
});

describe("init", () => {
  it("is held until the fetch has settled, and no longer", async () => {
    const { life, journal, lines } = setUp({}, { fetch: lasting(400), untilShutdown: never });
    void runLifecycle(life);
    await vi.advanceTimersByTimeAsync(399);
    expect(journal).not.toContain("untilShutdown");
    await vi.advanceTimersByTimeAsync(1);
    expect(journal).toContain("untilShutdown");
    expect(lines.at(-1)).toMatchObject({ event: "init-over", prefetch: "fetched" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is held for PREFETCH_TIMEOUT_MS at most, and the fetch goes on", async () => {
    const { life, journal, lines } = setUp(
      { prefetchTimeoutMs: 1_000 },
      { fetch: lasting(1_500), untilShutdown: lasting(5_000) },
    );
    const exitCode = runLifecycle(life);
    await vi.advanceTimersByTimeAsync(999);
    expect(journal).not.toContain("untilShutdown");
    await vi.advanceTimersByTimeAsync(1);
    expect(journal).toContain("untilShutdown");
    expect(lines.at(-1)).toMatchObject({ event: "init-over", prefetch: "still under way" });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(journal).toContain("assume role within 2500 ms: done");
    expect(await exitCode).toBe(0);
  });

  it("gives the fetch as much time as it is held for, where that is more than a request gets", async () => {
    const { life, journal } = setUp({ timeoutMs: 100, prefetchTimeoutMs: 9_000 });
    await runLifecycle(life);
    expect(journal).toContain("assume role within 9000 ms");
  });

  it("is not held at all where PREFETCH_TIMEOUT_MS is 0, and fetches all the same", async () => {
    const { life, journal } = setUp({ prefetchTimeoutMs: 0 }, { fetch: lasting(400), untilShutdown: never });
    void runLifecycle(life);
    await vi.advanceTimersByTimeAsync(1);
    expect(journal.slice(-2)).toEqual(["assume role within 2500 ms", "untilShutdown"]);
  });

  it("is not held inside an invocation, on the invocation's clock, and fetches all the same", async () => {
    const { life, journal } = setUp({}, { isFirstInit: false, fetch: lasting(400), untilShutdown: never });
    void runLifecycle(life);
    await vi.advanceTimersByTimeAsync(1);
    expect(journal.slice(-2)).toEqual(["assume role within 2500 ms", "untilShutdown"]);
  });

  it("is over at once when the fetch fails, and requests are served", async () => {
    const { life, journal, lines } = setUp({}, { fetch: () => Promise.reject(denied()) });
    expect(await runLifecycle(life)).toBe(0);
    expect(journal).toContain("untilShutdown");
    expect(lines).toContainEqual({ level: "debug", event: "init-over", prefetch: "failed" });
    expect(Date.now()).toBe(START_EPOCH_MS);
  });

  it("fails with nobody's unhandled rejection, when the fetch fails after it", async () => {
    const fetch = () => lasting(1_500)().then(() => Promise.reject(denied()));
    const { life } = setUp({ source: { prefetchIds: ["app/a"] } }, { fetch, untilShutdown: lasting(5_000) });
    const exitCode = runLifecycle(life);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await exitCode).toBe(0);
  });
});

describe("INIT_ERROR=fail", () => {
  const fail = { initError: "fail" } as const;

  it("changes nothing where the fetch succeeds", async () => {
    const { life, journal } = setUp(fail);
    expect(await runLifecycle(life)).toBe(0);
    expect(journal).toContain("untilShutdown");
  });

  it("fails the init where the fetch fails, and says why", async () => {
    const { life, journal, lines } = setUp(fail, { fetch: () => Promise.reject(denied()) });
    expect(await runLifecycle(life)).toBe(1);
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

  it.each([true, false])("fails the init where the fetch takes too long (first init: %s)", async (isFirstInit) => {
    const { life, journal } = setUp({ ...fail, prefetchTimeoutMs: 700 }, { isFirstInit, fetch: never });
    const exitCode = runLifecycle(life);
    await vi.advanceTimersByTimeAsync(699);
    expect(journal.some((entry) => entry.startsWith("initError"))).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await exitCode).toBe(1);
    expect(journal).toContain("initError Extension.PrefetchFailed: the configured secrets and parameters were not fetched within 700 ms");
    expect(journal).not.toContain("untilShutdown");
  });

  it("tells nobody the words of a bug", async () => {
    const { life, journal, lines } = setUp(fail, { fetch: () => Promise.reject(new Error(CANARY)) });
    expect(await runLifecycle(life)).toBe(1);
    expect(JSON.stringify([journal, lines])).not.toContain(CANARY);
  });
});

describe("an init that cannot go on", () => {
  it("registers, because only then may it say why, and tells Lambda and the log", async () => {
    const listen = () => Promise.reject(new PublicError("port 2773 on 127.0.0.1 is taken"));
    const { life, journal, lines } = setUp({}, { listen });
    expect(await runLifecycle(life)).toBe(1);
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

  it("repeats no words that are not ours", async () => {
    const { life, journal, lines } = setUp({}, { listen: () => Promise.reject(new Error(CANARY)) });
    expect(await runLifecycle(life)).toBe(1);
    expect(JSON.stringify([journal, lines])).not.toContain(CANARY);
  });

  it("has a line in the log for each reason, before anything that may fail", async () => {
    const { life, journal, events } = setUp({}, { register: () => Promise.reject(new PublicError("no")) });
    const refused = failInit(life.api, life.logger, "Extension.ConfigInvalid", ["one", "two"]);
    expect(await failureOf(refused)).toMatchObject({ message: "no" });
    expect(events()).toEqual(["error init-error", "error init-error"]);
    expect(journal).toEqual(["register"]);
  });

  it("gives Lambda all reasons at once", async () => {
    const { life, journal } = setUp();
    expect(await failInit(life.api, life.logger, "Extension.ConfigInvalid", ["one", "two"])).toBe(1);
    expect(journal[2]).toBe("initError Extension.ConfigInvalid: one\ntwo");
  });
});

describe("SnapStart", () => {
  const snapStart = { isSnapStart: true, source: { prefetchIds: ["app/a"] } } as const;

  it.each(["serve", "fail"] as const)(
    "has nothing fetched in init, which is over at once, INIT_ERROR being %s",
    async (initError) => {
      const { life, journal, events } = setUp(
        { ...snapStart, initError },
        { fetch: () => Promise.reject(denied()), untilShutdown: never },
      );
      void runLifecycle(life);
      await vi.advanceTimersByTimeAsync(0);
      expect(journal).toEqual(["listen", "listen: done", "register", "register: done", "untilShutdown"]);
      expect(events()).toEqual(["info starting", "debug registered"]);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it("ends as any other life does", async () => {
    const { life, journal } = setUp(snapStart);
    expect(await runLifecycle(life)).toBe(0);
    expect(journal.slice(-3)).toEqual(["close within 300 ms", "close within 300 ms: done", "finish metrics"]);
  });
});

describe("several sources", () => {
  const OTHER_ROLE = "arn:aws:iam::333333333333:role/Other";

  it("are all fetched from in init, each with its own role, and named at the start", async () => {
    const { life, readers, journal, lines } = setUp();
    const [part] = readers;
    if (part === undefined) throw new Error("there is no source");
    const other = { ...part.source, roleArn: OTHER_ROLE, home: { ...part.source.home, region: "us-east-1" } };
    const sources = [
      { ...part, source: { ...part.source, prefetchIds: ["app/a"] } },
      { ...part, source: { ...other, prefetchIds: ["app/b"] } },
    ] as const;
    const config = { ...life.config, sources: [sources[0].source, sources[1].source] } as const;
    const extension = { ...life.extension, prefetch: () => prefetch(config, sources, Date.now) };
    expect(await runLifecycle({ ...life, config, extension })).toBe(0);
    expect(journal.filter((entry) => entry.endsWith("ms"))).toEqual([
      "assume role within 2500 ms",
      "fetch app/a within 2500 ms",
      "assume role within 2500 ms",
      "fetch app/b within 2500 ms",
      "close within 300 ms",
    ]);
    expect(lines[0]).toMatchObject({
      event: "starting",
      roleArn: ["arn:aws:iam::111111111111:role/SecretReader", OTHER_ROLE],
      region: ["eu-west-1", "us-east-1"],
    });
  });

  it("fail the init together where one of them fails, and INIT_ERROR is fail", async () => {
    const { life, readers, journal } = setUp({ initError: "fail" });
    const [part] = readers;
    if (part === undefined) throw new Error("there is no source");
    const broken = { ...part, credentials: { ...part.credentials, get: () => Promise.reject(denied()) } };
    const extension = { ...life.extension, prefetch: () => prefetch(life.config, [part, broken], Date.now) };
    expect(await runLifecycle({ ...life, extension })).toBe(1);
    expect(journal.at(-1)).toBe("initError Extension.PrefetchFailed: AssumeRole was refused: done");
  });
});

describe("the last metrics", () => {
  it("are printed when all requests are answered, and before the summary, which is the last line", async () => {
    const { life, journal, events } = setUp({}, { close: lasting(50) });
    let linesBefore: readonly string[] = [];
    const finish = () => {
      journal.push("finish metrics");
      linesBefore = events();
    };
    const exitCode = runLifecycle({ ...life, metrics: { report() {}, finish } });
    await vi.advanceTimersByTimeAsync(50);
    expect(await exitCode).toBe(0);
    expect(journal.slice(-2)).toEqual(["close within 300 ms: done", "finish metrics"]);
    expect(linesBefore).not.toContain("info shutdown");
    expect(events().at(-1)).toBe("info shutdown");
  });
});

describe("an extension that is switched off", () => {
  it("listens, registers, and waits for SHUTDOWN: nothing else", async () => {
    const { life, journal, lines } = setUp({}, { untilShutdown: lasting(1_000) });
    const exitCode = runDisabled(life);
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

  it("does not wait for a port that stays taken for a while", async () => {
    const { life, journal } = setUp({}, { listen: never, untilShutdown: never });
    void runDisabled(life);
    await vi.advanceTimersByTimeAsync(0);
    expect(journal).toContain("untilShutdown");
  });

  it("minds no port that is taken, and says so", async () => {
    const listen = () => Promise.reject(new PublicError("port 2773 on 127.0.0.1 is taken"));
    const { life, journal, lines } = setUp({}, { listen });
    expect(await runDisabled(life)).toBe(0);
    expect(journal).toContain("register: done");
    expect(journal.some((entry) => entry.startsWith("initError"))).toBe(false);
    expect(lines.at(-1)).toEqual({
      level: "warn",
      event: "not-listening",
      message: "port 2773 on 127.0.0.1 is taken",
    });
  });

  it("repeats no words that are not ours", async () => {
    const { life, lines } = setUp({}, { listen: () => Promise.reject(new Error(CANARY)) });
    expect(await runDisabled(life)).toBe(0);
    expect(JSON.stringify(lines)).not.toContain(CANARY);
  });
});

describe("the exit code", () => {
  it.each([0, 1] as const)("is that of the life: %d", async (code) => {
    const { life, lines } = setUp();
    expect(await toExitCode(Promise.resolve(code), life.logger)).toBe(code);
    expect(lines).toEqual([]);
  });

  it("is 1 for a life that fails, and the log says why", async () => {
    const { life, lines } = setUp();
    expect(await toExitCode(Promise.reject(new PublicError("event/next cannot be reached")), life.logger)).toBe(1);
    expect(lines).toEqual([{ level: "error", event: "stopped", message: "event/next cannot be reached" }]);
  });

  it.each([new TypeError(CANARY), CANARY, undefined])(
    "is 1 for a life that meets a bug, whose words are not repeated (%#)",
    async (thrown) => {
      const { life, lines } = setUp();
      expect(await toExitCode(Promise.reject(thrown), life.logger)).toBe(1);
      expect(lines).toMatchObject([{ level: "error", event: "stopped" }]);
      expect(JSON.stringify(lines)).not.toContain(CANARY);
    },
  );
});
