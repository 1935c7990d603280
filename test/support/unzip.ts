import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";

/** Unpacks a zip as Lambda does, with the modes that are in it. */
export function unzip(file: string, folder: string): void {
  const zip = readFileSync(file);
  const modes = readModes(zip);
  for (const [name, content] of Object.entries(unzipSync(zip))) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content, { mode: modes.get(name) ?? 0o644 });
  }
}

/** Reads the Unix modes in a zip's central directory: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.12 */
export function readModes(zip: Buffer): Map<string, number> {
  const modes = new Map<string, number>();
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const lengthAt = (offset: number) => zip.readUInt16LE(at + offset);
    const [name, extra, comment] = [lengthAt(28), lengthAt(30), lengthAt(32)];
    modes.set(zip.toString("utf8", at + 46, at + 46 + name), zip.readUInt32LE(at + 38) >>> 16);
    at += 46 + name + extra + comment;
  }
  return modes;
}
