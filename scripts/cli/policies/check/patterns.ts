/** What a pattern of a policy lets through: `*` stands for any characters, `?` for one. Pure. */

export function matches(pattern: string, text: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`, "s").test(text);
}

/** AWS does not mind the case of actions. */
export const matchesAction = (pattern: string, action: string): boolean =>
  matches(pattern.toLowerCase(), action.toLowerCase());

export const isPattern = (text: string): boolean => /[*?]/.test(text);

/** What stands there is another text for each request, such as `${aws:PrincipalAccount}`. */
export const isVariable = (text: string): boolean => text.includes("${");

export const SIX = "-??????";
/** Two that have no character in common. */
const EXAMPLES = ["-AbCdEf", "-z9Y8x7"];
const SIX_CHARACTERS = /^-[A-Za-z0-9]{6}$/;

/** Whether what is wanted is let through; of a secret that is called by its name, whatever its six characters are. */
export function covers(pattern: string, wanted: string): boolean {
  if (!wanted.endsWith(SIX)) return matches(pattern, wanted);
  const name = wanted.slice(0, -SIX.length);
  if (EXAMPLES.every((six) => matches(pattern, name + six))) return true;
  // The whole ARN: whether these are the right six, AWS alone knows.
  return pattern.startsWith(name) && SIX_CHARACTERS.test(pattern.slice(name.length));
}
