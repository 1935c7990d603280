/** As wide as people read with ease; what is longer than a line and has no space stays whole, to be copied. */
const WIDTH = 100;

/** The text, or phrases that stay whole, in lines, the first behind `first`, the others indented. Pure. */
export function wrap(
  text: string | readonly string[],
  { first, indent }: { readonly first: string; readonly indent: number },
): string {
  const lines: string[] = [];
  let line = first;
  let isBare = true;
  for (const word of typeof text === "string" ? text.split(" ") : text) {
    if (!isBare && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = " ".repeat(indent);
      isBare = true;
    }
    line += isBare ? word : ` ${word}`;
    isBare = false;
  }
  return [...lines, line].join("\n");
}
