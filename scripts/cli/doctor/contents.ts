/** What may be told of a secret: how it is built, and nothing of what it says. Pure. */

export interface Contents {
  /** Of a JSON object: the names of its fields, sorted. */
  readonly keys?: readonly string[];
  /** Of anything else: what it is, and how long. */
  readonly form?: string;
}

export function toContents(value: string | Uint8Array): Contents {
  if (typeof value !== "string") return { form: `binary, ${toCount(value.length, "byte")}` };
  const keys = toKeys(value);
  return keys === undefined ? { form: `a text of ${toCount([...value].length, "character")}` } : { keys };
}

function toKeys(text: string): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
    return isObject ? Object.keys(parsed).sort() : undefined;
  } catch {
    // The parser's message would repeat the text.
    return undefined;
  }
}

const toCount = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`;

/** In one line. A name is as its owner chose it, and may hold what a terminal would obey. */
export function toContentsText({ keys, form }: Contents): string {
  if (keys === undefined) return form ?? "";
  return keys.map(toKeyText).join(", ") || "a JSON object without fields";
}

const toKeyText = (key: string): string =>
  /^[\w./@-]+$/.test(key)
    ? key
    : JSON.stringify(key).replace(/\p{C}/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);
