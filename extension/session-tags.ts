/**
 * Session tags, `key=value,key=value`, by the rules of STS:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_know. Pure.
 */
export interface SessionTag {
  readonly Key: string;
  readonly Value: string;
}

const MAX_TAGS = 50;
/** STS allows more, `=` in a key too: here the first `=` ends the key. */
const TAG = /^([\p{L}\p{Z}\p{N}_.:/+@-]{1,128})=([\p{L}\p{Z}\p{N}_.:/=+@-]{0,256})$/u;

export const sessionTagsRule = `key=value,key=value: up to ${MAX_TAGS} tags, keys of 1 to 128 and values of up to 256 letters, digits, spaces and _.:/=+@-, each key once in whatever case, none that begins with aws:`;

export function parseSessionTags(text: string): readonly SessionTag[] | undefined {
  const tags: SessionTag[] = [];
  for (const pair of text.split(",")) {
    const [, key = "", value = ""] = TAG.exec(pair)?.map((part) => part.trim()) ?? [];
    if (key === "" || /^aws:/i.test(key)) return undefined;
    if (tags.some(({ Key }) => Key.toLowerCase() === key.toLowerCase())) return undefined;
    tags.push({ Key: key, Value: value });
  }
  return tags.length <= MAX_TAGS ? tags : undefined;
}
