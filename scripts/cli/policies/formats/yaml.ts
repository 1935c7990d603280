/** As much of YAML as a template of CloudFormation takes. Pure. */

/** What no reader of YAML 1.1 takes for a number, a date or a word of its own. */
const PLAIN = /^(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z](?:[\w./:@+=,-]*[\w./@+=,-])?$/i;

export function toYaml(value: unknown, indent = ""): string {
  if (typeof value === "string") return PLAIN.test(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) {
    return value.map((member) => `\n${indent}- ${toYaml(member, `${indent}  `).trimStart()}`).join("");
  }
  return Object.entries(value as object)
    .map(([name, member]) => {
      const text = toYaml(member, `${indent}  `);
      return `\n${indent}${toYaml(name)}:${text.startsWith("\n") ? "" : " "}${text}`;
    })
    .join("");
}
