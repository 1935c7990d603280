/** JSON as people write policies: each element of a statement is on one line, if it fits. Pure. */
import type { PolicyDocument } from "../documents.ts";

export const WIDTH_CHARACTERS = 100;
/** The levels of the document, its list of statements, and each statement. */
export const BROKEN_LEVELS = 3;

/** The first `broken` levels have a line for each member, whatever their length. */
export function toJson(value: unknown, broken = BROKEN_LEVELS, indent = ""): string {
  const line = toLine(value);
  if (typeof value !== "object" || value === null) return line;
  if (broken <= 0 && indent.length + line.length <= WIDTH_CHARACTERS) return line;
  const inner = `${indent}  `;
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const members = Object.entries(value).map(([name, member]) => {
    return `${inner}${Array.isArray(value) ? "" : `${JSON.stringify(name)}: `}${toJson(member, broken - 1, inner)}`;
  });
  return `${open}\n${members.join(",\n")}\n${indent}${close}`;
}

function toLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toLine).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([name, member]) => `${JSON.stringify(name)}: ${toLine(member)}`)
    .join(", ")} }`;
}

/** One object with the documents by their names, for `jq` and other programs. */
export const toJsonOfAll = (documents: Readonly<Record<string, PolicyDocument>>): string =>
  `${toJson(documents, 1 + BROKEN_LEVELS)}\n`;
