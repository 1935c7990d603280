import type { Writable } from "node:stream";

/** From the most to the least that is logged. */
export const logLevels = ["debug", "info", "warn", "error", "none"] as const;
export type LogLevel = (typeof logLevels)[number];

/** The fields of a line beside its event. They are public: never a value, a token, or a text that we did not word. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly (string | object)[] | undefined>>;

export type Log = (event: string, fields?: LogFields) => void;
export type Logger = Readonly<Record<Exclude<LogLevel, "none">, Log>>;

/**
 * Writes one JSON object a line to standard output, which Lambda sends to the function's log group. `time` is when the
 * line was written, as RFC 3339. CloudWatch's own time is when the line arrived.
 */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly now: () => number;
  readonly write: (text: string) => void;
}): Logger {
  const log =
    (level: LogLevel): Log =>
    (event, fields) => {
      if (logLevels.indexOf(level) < logLevels.indexOf(options.level)) return;
      const time = new Date(options.now()).toISOString();
      const head = { time, level, extension: "cross-account-secrets", event };
      options.write(`${JSON.stringify({ ...head, ...fields, ...head })}\n`);
    };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

/** As much as a pipe holds: https://man7.org/linux/man-pages/man7/pipe.7.html */
const LONGEST_BACKLOG_BYTES = 65_536;

/**
 * Returns a function that writes to the stream, and drops what the stream does not take: its reader has gone (EPIPE) or does
 * not read, or the disk is full. Nobody is told, because the log is where we would tell it.
 */
export function createWriter(open: () => Pick<Writable, "on" | "write" | "writableLength">): (text: string) => void {
  let stream: ReturnType<typeof open> | undefined;
  return (text) => {
    try {
      stream ??= open().on("error", () => {});
      if (stream.writableLength <= LONGEST_BACKLOG_BYTES) stream.write(text);
    } catch {
      // A file is written at once, and its error is thrown.
    }
  };
}
