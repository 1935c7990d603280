import { createLogger, type Logger } from "../../extension/logger.ts";

type ParsedLine = Readonly<Record<string, unknown>>;

/** Makes a logger of level `debug`, and returns its lines: event and fields, without the fields that all lines have. */
export function createLog(): { readonly logger: Logger; readonly lines: readonly ParsedLine[] } {
  const lines: ParsedLine[] = [];
  const write = (text: string) => {
    const { time: _time, extension: _extension, ...line } = JSON.parse(text);
    lines.push(line);
  };
  return { logger: createLogger({ level: "debug", now: Date.now, write }), lines };
}

/** Returns the lines of the extension's log with this event, out of all printed lines. */
export const findEvents = (printed: readonly { readonly text: string }[], event: string): ParsedLine[] =>
  printed.flatMap(({ text }) => [parseLogLine(text) ?? {}].filter((line) => line.event === event));

/** Parses one line of the extension's log. Returns undefined for any other line. */
export function parseLogLine(line: string): ParsedLine | undefined {
  if (!line.startsWith("{")) return undefined;
  const parsed: Record<string, unknown> = JSON.parse(line);
  return parsed.extension === "cross-account-secrets" ? parsed : undefined;
}
