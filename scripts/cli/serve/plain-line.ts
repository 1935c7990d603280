import type { CommandWorld } from "../world.ts";

/** A line of the log as a person likes to read it: when, what, and the rest as `name=value`. Any other line stays as it is. */
export function toPlainLine(line: string, paint: CommandWorld["paint"]): string {
  const { time, level, extension, event, ...fields }: Record<string, unknown> = JSON.parse(line);
  if (extension === undefined) return line;
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${toText(value)}`);
  const style = level === "error" ? "red" : level === "warn" ? "yellow" : "bold";
  return `${[paint("dim", String(time).slice(11, 19)), paint(style, String(event)), ...rest].join(" ")}\n`;
}

const toText = (value: unknown): string => {
  // The statements to paste are objects.
  const isList = Array.isArray(value) && value.every((member) => typeof member === "string");
  if (typeof value === "object" && !isList) return JSON.stringify(value);
  const text = String(value);
  return /[\s"]/.test(text) ? JSON.stringify(text) : text;
};
