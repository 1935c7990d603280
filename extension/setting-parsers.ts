/** From the text of a setting to its value, or to undefined when the text breaks the rule. Pure. */

export const matching = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined);

/** From `least` to `most`, as written; given back in the unit of which one written unit has `factor`. */
export const wholeNumber =
  (least: number, most: number, factor = 1) =>
  (text: string) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= most ? number * factor : undefined;
  };

/** In any case: AWS writes TRUE and INFO. */
export const oneOf =
  <W extends string>(...words: readonly W[]) =>
  (text: string) =>
    words.find((word) => word === text.toLowerCase());

/** Comma or space separated; each member once. */
export const list = (isMember: (text: string) => boolean) => (text: string) => {
  const members = text.split(/[\s,]+/).filter((member) => member !== "");
  return members.length > 0 && members.every(isMember) ? [...new Set(members)] : undefined;
};
