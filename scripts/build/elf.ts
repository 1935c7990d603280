/**
 * Reads and strips an ELF file (64-bit, little-endian) for any processor, on a machine without binutils.
 *
 * Format: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, symbol versions:
 * https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
 */

/** Lambda's names of processors. */
export type Architecture = "x86_64" | "arm64";
/** `e_machine`: EM_X86_64 and EM_AARCH64. */
const MACHINES: Readonly<Record<number, Architecture>> = { 62: "x86_64", 183: "arm64" };

/** What a program or library needs from the loader, and offers to others. */
export interface Linkage {
  readonly architecture: Architecture | undefined;
  /** The sonames of the libraries that it needs. */
  readonly needed: readonly string[];
  /** Soname → the symbol versions that this library must offer. */
  readonly versionsNeeded: ReadonlyMap<string, readonly string[]>;
  /** The symbol versions that it offers. */
  readonly versionsDefined: readonly string[];
}

const SEGMENT = { LOAD: 1, DYNAMIC: 2 };
const TAG = {
  NEEDED: 1,
  STRTAB: 5,
  VERDEF: 0x6ffffffc,
  VERDEFNUM: 0x6ffffffd,
  VERNEED: 0x6ffffffe,
  VERNEEDNUM: 0x6fffffff,
};
/** `vna_flags`: only weak symbols need the version, and the loader accepts that it is missing. */
const VER_FLG_WEAK = 2;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/**
 * Does what `strip` does: removes the section headers and all bytes after the last segment, that is, the symbol table. Only
 * linkers and debuggers read these. A loader reads only segments.
 */
export function stripElf(file: Buffer): Buffer {
  const segments = readSegments(file);
  const headersEnd = toNumber(file, 32) + segments.length * file.readUInt16LE(54);
  const end = Math.max(headersEnd, ...segments.map(({ offset, size }) => offset + size));
  const stripped = Buffer.from(file.subarray(0, end));
  stripped.writeBigUInt64LE(0n, 40); // e_shoff
  stripped.writeUInt16LE(0, 60); // e_shnum
  stripped.writeUInt16LE(0, 62); // e_shstrndx
  return stripped;
}

/** Reads the dynamic segment, as the loader does. So it works for a stripped file, too. */
export function readLinkage(file: Buffer): Linkage {
  const segments = readSegments(file);
  const dynamic = segments.find(({ type }) => type === SEGMENT.DYNAMIC);
  const entries: [tag: number, value: number][] = [];
  for (let at = dynamic?.offset ?? 0; dynamic !== undefined && at < dynamic.offset + dynamic.size; at += 16) {
    entries.push([toNumber(file, at), toNumber(file, at + 8)]);
  }
  const read = (wanted: number) => entries.find(([tag]) => tag === wanted)?.[1] ?? 0;
  const offsetOf = (wanted: number) => toOffset(segments, read(wanted));
  const textAt = (index: number) => {
    const from = offsetOf(TAG.STRTAB) + index;
    return file.toString("latin1", from, file.indexOf(0, from));
  };

  const versionsDefined: string[] = [];
  for (let left = read(TAG.VERDEFNUM), at = left && offsetOf(TAG.VERDEF); left > 0; left -= 1) {
    versionsDefined.push(textAt(file.readUInt32LE(at + file.readUInt32LE(at + 12)))); // vd_aux → vda_name
    at += file.readUInt32LE(at + 16); // vd_next
  }
  const versionsNeeded = new Map<string, string[]>();
  for (let left = read(TAG.VERNEEDNUM), at = left && offsetOf(TAG.VERNEED); left > 0; left -= 1) {
    const names: string[] = [];
    let auxiliary = at + file.readUInt32LE(at + 8); // vn_aux
    for (let count = file.readUInt16LE(at + 2); count > 0; count -= 1) {
      const isWeak = (file.readUInt16LE(auxiliary + 4) & VER_FLG_WEAK) !== 0;
      if (!isWeak) names.push(textAt(file.readUInt32LE(auxiliary + 8))); // vna_name
      auxiliary += file.readUInt32LE(auxiliary + 12); // vna_next
    }
    versionsNeeded.set(textAt(file.readUInt32LE(at + 4)), names); // vn_file
    at += file.readUInt32LE(at + 12); // vn_next
  }
  return {
    architecture: MACHINES[file.readUInt16LE(18)],
    needed: entries.filter(([tag]) => tag === TAG.NEEDED).map(([, value]) => textAt(value)),
    versionsNeeded,
    versionsDefined,
  };
}

function readSegments(file: Buffer): Segment[] {
  const isElf = file.length >= 64 && file.readUInt32BE(0) === 0x7f454c46 && file[4] === 2 && file[5] === 1;
  if (!isElf) throw new Error("not a 64-bit little-endian ELF file");
  const [start, size, count] = [toNumber(file, 32), file.readUInt16LE(54), file.readUInt16LE(56)];
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    const [offset, address, length] = [toNumber(file, at + 8), toNumber(file, at + 16), toNumber(file, at + 32)];
    return { type: file.readUInt32LE(at), offset, address, size: length };
  });
}

/** The place in the file of the bytes that are loaded to an address. */
function toOffset(segments: readonly Segment[], address: number): number {
  const segment = segments.find(
    (load) => load.type === SEGMENT.LOAD && address >= load.address && address < load.address + load.size,
  );
  if (segment === undefined) throw new Error(`an ELF file has nothing at address ${address}`);
  return address - segment.address + segment.offset;
}

const toNumber = (file: Buffer, at: number): number => Number(file.readBigUInt64LE(at));
