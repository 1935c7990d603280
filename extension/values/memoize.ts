/** Results that are kept because they do not change: a function asks for the same secrets again and again. */

/** Deletes the oldest entries until `most` are left. A Map keeps the order in which its entries were set. */
export function deleteOldest(map: Map<unknown, unknown>, most: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
}

/** Keeps the results for the last `most` texts. An error is not kept. */
export function memoizeTexts<T>(compute: (text: string) => T, most: number): (text: string) => T {
  const known = new Map<string, { readonly result: T }>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before.result;
    const result = compute(text);
    known.set(text, { result });
    deleteOldest(known, most);
    return result;
  };
}

/** Keeps the result for an object while something else keeps the object: a dropped secret is not kept here. */
export function memoizeObjects<K extends object, T>(compute: (object: K) => T): (object: K) => T {
  const known = new WeakMap<K, { readonly result: T }>();
  return (object) => {
    const before = known.get(object);
    if (before !== undefined) return before.result;
    const result = compute(object);
    known.set(object, { result });
    return result;
  };
}
