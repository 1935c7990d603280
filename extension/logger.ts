/** How much is said, from most to least. */
export const logLevels = ["debug", "info", "warn", "error", "none"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a line may carry beside its event: public things only. Never a value, a token or a text that we did not word. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly (string | object)[] | undefined>>;

export type Log = (event: string, fields?: LogFields) => void;
export type Logger = Readonly<Record<Exclude<LogLevel, "none">, Log>>;

/**
 * One JSON object a line, on standard output, which Lambda sends line by line to the function's log group.
 * `time` is when we wrote it, as RFC 3339: CloudWatch's own time is when the line arrived.
 */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly now: () => number;
  readonly write: (line: string) => void;
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
