import { createLogger, type Logger } from "../../extension/logger.ts";

/** A logger at its most talkative, and what it has written: event and fields of each line, without what all lines share. */
export function createLog(): { readonly logger: Logger; readonly lines: readonly Readonly<Record<string, unknown>>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (text: string) => {
    const { time: _time, extension: _extension, ...line } = JSON.parse(text);
    lines.push(line);
  };
  return { logger: createLogger({ level: "debug", now: Date.now, write }), lines };
}
