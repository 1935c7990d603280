/**
 * Blanks the part of Node's built-in ICU data that the extension does not use: languages other than English, dictionaries for
 * line breaks, transliteration, old character sets. That is 29 MB of 33, and a quarter of a layer's zip. The rest is about
 * what Node has if it is built `--with-intl=small-icu`: a missing locale falls back to ICU's root. The file keeps its length
 * and its addresses; zeros take almost no room in a zip.
 *
 * The data is a header, a sorted table of contents, and the entries in the order of the table: UDataInfo in
 * https://unicode-org.github.io/icu-docs/apidoc/released/icu4c/udata_8h.html, the table in icu4c/source/common/ucmndata.h
 */

/** `dataFormat` of UDataInfo, "common data", at this offset from its start: udata.h */
const COMMON_DATA = "CmnD";
const FORMAT_AT = 12;
/** The start of every entry's name: ICU's version, and `l` for little-endian. */
const NAME = /^icudt\d+l\/(?:[a-z]+\/)?/;

const LOCALE = /^(?!en(_US)?\.res$)[a-z]{2,3}(_\w+)?\.res$/;
const OTHER = /\.(cnv|dict)$|^unames\.icu$/;
const isDispensable = (path: string): boolean => {
  const name = path.replace(NAME, "");
  return LOCALE.test(name) || OTHER.test(name) || path.includes("/translit/");
};

/** Returns the program itself if it has no such data, or data of another form: then it only stays larger. */
export function trimIcu(program: Buffer): Buffer {
  const start = program.indexOf(COMMON_DATA) - FORMAT_AT;
  if (start < 0) return program;
  const table = start + program.readUInt16LE(start);
  const count = program.readUInt32LE(table);
  const entries = Array.from({ length: count }, (_, index) => {
    const at = table + 4 + index * 8;
    const name = table + program.readUInt32LE(at);
    const path = program.toString("latin1", name, program.indexOf(0, name));
    return { path, name: program.readUInt32LE(at), content: program.readUInt32LE(at + 4) };
  });
  if (!entries.every(({ path }) => NAME.test(path))) return program;

  const trimmed = Buffer.from(program);
  // The last entry stays, because the table does not say where it ends.
  const kept = entries.filter(({ path }, index) => index === count - 1 || !isDispensable(path));
  entries.forEach((entry, index) => {
    const next = entries[index + 1];
    if (!kept.includes(entry) && next !== undefined) trimmed.fill(0, table + entry.content, table + next.content);
  });
  trimmed.fill(0, table + 4, table + 4 + count * 8);
  trimmed.writeUInt32LE(kept.length, table);
  kept.forEach(({ name, content }, index) => {
    trimmed.writeUInt32LE(name, table + 4 + index * 8);
    trimmed.writeUInt32LE(content, table + 8 + index * 8);
  });
  return trimmed;
}
