/** What was worked out before, and comes out the same: a function asks for the same secrets again and again. */

/** Of a text. The oldest of more than `most` is forgotten; what is thrown is worked out again. */
export function rememberTexts<T>(workOut: (text: string) => T, most: number): (text: string) => T {
  const known = new Map<string, { readonly outcome: T }>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before.outcome;
    const outcome = workOut(text);
    known.set(text, { outcome });
    for (const oldest of known.keys()) {
      if (known.size <= most) break;
      known.delete(oldest);
    }
    return outcome;
  };
}

/** Of an object, for as long as that is there for another reason: a secret that is dropped is not kept here. */
export function rememberObjects<K extends object, T>(workOut: (object: K) => T): (object: K) => T {
  const known = new WeakMap<K, { readonly outcome: T }>();
  return (object) => {
    const before = known.get(object);
    if (before !== undefined) return before.outcome;
    const outcome = workOut(object);
    known.set(object, { outcome });
    return outcome;
  };
}
