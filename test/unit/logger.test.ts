import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { createLogger, createWriter, type LogLevel, logLevels } from "../../extension/logger.ts";

const NOW_EPOCH_MS = Date.UTC(2026, 1, 3, 4, 5, 6, 7);

function collect(level: LogLevel) {
  const written: string[] = [];
  const logger = createLogger({ level, now: () => NOW_EPOCH_MS, write: (line) => written.push(line) });
  return { logger, written };
}

describe("a log line", () => {
  it("is one JSON object with a line feed, and begins with its time, level, source and event", () => {
    const { logger, written } = collect("info");
    logger.info("starting", { version: "1.2.3", port: 2773, isFirst: true, secretIds: ["a", "b"] });
    expect(written).toEqual([
      '{"time":"2026-02-03T04:05:06.007Z","level":"info","extension":"cross-account-secrets","event":"starting",' +
        '"version":"1.2.3","port":2773,"isFirst":true,"secretIds":["a","b"]}\n',
    ]);
  });

  it("needs no fields", () => {
    const { logger, written } = collect("debug");
    logger.debug("registered");
    expect(JSON.parse(written[0] ?? "")).toEqual({
      time: "2026-02-03T04:05:06.007Z",
      level: "debug",
      extension: "cross-account-secrets",
      event: "registered",
    });
  });

  it("leaves undefined fields out", () => {
    const { logger, written } = collect("info");
    logger.warn("poll-lost", { code: undefined });
    expect(written[0]).not.toContain("code");
  });

  it("keeps its time, level, source and event if a field has the same name", () => {
    const { logger, written } = collect("info");
    logger.error("bug", { time: "never", level: "debug", extension: "another", event: "nothing", message: "m" });
    expect(written).toEqual([
      '{"time":"2026-02-03T04:05:06.007Z","level":"error","extension":"cross-account-secrets","event":"bug","message":"m"}\n',
    ]);
  });

  it("stays one line if a field has line breaks", () => {
    const { logger, written } = collect("info");
    logger.error("init-error", { message: 'a "quoted"\r\nsecond line' });
    expect(written).toHaveLength(1);
    expect(written[0]?.trimEnd()).not.toMatch(/[\r\n]/);
    expect(JSON.parse(written[0] ?? "")).toMatchObject({ message: 'a "quoted"\r\nsecond line' });
  });

  it("has the time at which it was written", () => {
    let nowEpochMs = 0;
    const written: string[] = [];
    const logger = createLogger({ level: "info", now: () => nowEpochMs, write: (line) => written.push(line) });
    for (nowEpochMs of [0, 1_000]) logger.info("tick");
    expect(written.map((line) => JSON.parse(line).time)).toEqual([
      "1970-01-01T00:00:00.000Z",
      "1970-01-01T00:00:01.000Z",
    ]);
  });
});

describe("the log level", () => {
  it.each<[LogLevel, string[]]>([
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
    ["none", []],
  ])("%s allows the lines of level %j", (level, expected) => {
    const { logger, written } = collect(level);
    logger.debug("event");
    logger.info("event");
    logger.warn("event");
    logger.error("event");
    expect(written.map((line) => JSON.parse(line).level)).toEqual(expected);
  });

  it("is one of five, listed from the most lines to none", () => {
    expect(logLevels).toEqual(["debug", "info", "warn", "error", "none"]);
  });
});

describe("the writer of the log", () => {
  /** Calls back for each write when `release` is called. */
  function createSlowStream() {
    const written: string[] = [];
    let release = () => {};
    const stream = new Writable({
      write(chunk, _, done) {
        written.push(String(chunk));
        release = done;
      },
    });
    return { stream, written, release: () => release() };
  }

  it("opens the stream with the first text, and once", () => {
    const { stream, written } = createSlowStream();
    let opened = 0;
    const write = createWriter(() => {
      opened += 1;
      return stream;
    });
    expect(opened).toBe(0);
    write("a");
    write("b");
    expect([opened, written]).toEqual([1, ["a"]]);
  });

  it("drops whole lines while 64 KiB wait for the reader, and writes again after that", async () => {
    const { stream, written, release } = createSlowStream();
    const write = createWriter(() => stream);
    const line = `${"x".repeat(1_023)}\n`;
    for (let lines = 0; lines < 1_000; lines += 1) write(line);
    expect(stream.writableLength).toBe(65 * 1_024);
    while (stream.writableLength > 0) {
      release();
      await new Promise(setImmediate);
    }
    write("again\n");
    expect([written.length, written.at(-1)]).toEqual([66, "again\n"]);
  });

  it.each([
    ["emits", (fail: (error: Error) => void) => fail(new Error("EPIPE"))],
    [
      "throws",
      () => {
        throw new Error("ENOSPC");
      },
    ],
  ])("ignores an error that the stream %s", async (_, write) => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => write(done) });
    const logged = createWriter(() => stream);
    for (let lines = 0; lines < 3; lines += 1) {
      expect(() => logged("x")).not.toThrow();
      await new Promise(setImmediate);
    }
  });

  it("ignores a stream that cannot be opened", () => {
    const write = createWriter(() => {
      throw new Error("EBADF");
    });
    expect(() => write("x")).not.toThrow();
  });
});
