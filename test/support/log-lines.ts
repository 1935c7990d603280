/** One line of the extension's log; undefined for a line that is not its own. */
export function parseLogLine(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith("{")) return undefined;
  const parsed: Record<string, unknown> = JSON.parse(line);
  return parsed.extension === "cross-account-secrets" ? parsed : undefined;
}
