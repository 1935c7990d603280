/** Patterns of policies: `*` matches any characters, `?` matches one. Pure. */

export function matches(pattern: string, text: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`, "s").test(text);
}

/** AWS ignores the case of actions. */
export const matchesAction = (pattern: string, action: string): boolean =>
  matches(pattern.toLowerCase(), action.toLowerCase());

export const isPattern = (text: string): boolean => /[*?]/.test(text);

/** Whether the text depends on the request, as with `${aws:PrincipalAccount}`. */
export const isVariable = (text: string): boolean => text.includes("${");

export const SIX = "-??????";
/** Two examples without a common character. */
const EXAMPLES = ["-AbCdEf", "-z9Y8x7"];
const SIX_CHARACTERS = /^-[A-Za-z0-9]{6}$/;

/** Whether the pattern matches. For a secret that is named without an ARN, it must match any six characters. */
export function covers(pattern: string, wanted: string): boolean {
  if (!wanted.endsWith(SIX)) return matches(pattern, wanted);
  const name = wanted.slice(0, -SIX.length);
  if (EXAMPLES.every((six) => matches(pattern, name + six))) return true;
  // A whole ARN: only AWS knows whether its six characters are right.
  return pattern.startsWith(name) && SIX_CHARACTERS.test(pattern.slice(name.length));
}
