import { createLogger, type Logger } from "../../extension/logger.ts";

/** Makes a logger of level `debug`, and returns its lines: event and fields, without the fields that all lines have. */
export function createLog(): { readonly logger: Logger; readonly lines: readonly Readonly<Record<string, unknown>>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (text: string) => {
    const { time: _time, extension: _extension, ...line } = JSON.parse(text);
    lines.push(line);
  };
  return { logger: createLogger({ level: "debug", now: Date.now, write }), lines };
}

/** Parses one line of the extension's log. Returns undefined for any other line. */
export function parseLogLine(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith("{")) return undefined;
  const parsed: Record<string, unknown> = JSON.parse(line);
  return parsed.extension === "cross-account-secrets" ? parsed : undefined;
}
