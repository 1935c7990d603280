/** Values in Terraform's language, as `terraform fmt` leaves them. Pure. */
import { WIDTH_CHARACTERS } from "./json.ts";

/** In quotes `${` and `%{` would begin a template. */
export const toHclString = (text: string): string => JSON.stringify(text).replace(/[$%](?=\{)/g, "$&$&");

const toName = (name: string): string => (/^[A-Za-z][\w-]*$/.test(name) ? name : toHclString(name));

/** `broken` levels have a line for each member, whatever their length. */
export function toHcl(value: unknown, broken: number, indent: string): string {
  const line = toLine(value);
  if (typeof value !== "object" || value === null) return line;
  if (broken <= 0 && indent.length + line.length <= WIDTH_CHARACTERS) return line;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((member) => `${inner}${toHcl(member, broken - 1, inner)}`).join(",\n")}\n${indent}]`;
  }
  const members = Object.entries(value).map(([name, member]): [string, string] => [
    toName(name),
    toHcl(member, broken - 1, inner),
  ]);
  return `{\n${toAssignments(members, inner)}\n${indent}}`;
}

/** In neighbouring lines, signs of equality stand below each other; a value of several lines has no neighbours. */
export function toAssignments(members: readonly (readonly [string, string])[], indent: string): string {
  const isLong = ([, value]: readonly [string, string]) => value.includes("\n");
  return members
    .map((member, index) => {
      if (isLong(member)) return `${indent}${member[0]} = ${member[1]}`;
      const start = members.slice(0, index).findLastIndex(isLong) + 1;
      const end = members.findIndex((other, at) => at > index && isLong(other));
      const neighbours = members.slice(start, end === -1 ? undefined : end);
      const width = Math.max(...neighbours.map(([name]) => name.length));
      return `${indent}${member[0].padEnd(width)} = ${member[1]}`;
    })
    .join("\n");
}

function toLine(value: unknown): string {
  if (typeof value === "string") return toHclString(value);
  if (Array.isArray(value)) return `[${value.map(toLine).join(", ")}]`;
  return `{ ${Object.entries(value as object)
    .map(([name, member]) => `${toName(name)} = ${toLine(member)}`)
    .join(", ")} }`;
}
