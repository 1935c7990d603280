/**
 * Removes from a 64-bit little-endian ELF executable what only linkers and debuggers read: the section headers, and all
 * that lies behind the last segment, which is the symbol table. A loader reads segments alone. What `strip` does, for
 * any architecture, on a machine without binutils.
 *
 * Format: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
 */
export function stripElf(file: Buffer): Buffer {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) {
    throw new Error("not a 64-bit little-endian ELF file");
  }
  const programHeadersAt = Number(file.readBigUInt64LE(32));
  const programHeaderSize = file.readUInt16LE(54);
  const programHeaders = file.readUInt16LE(56);
  let end = programHeadersAt + programHeaders * programHeaderSize;
  for (let index = 0; index < programHeaders; index += 1) {
    const header = programHeadersAt + index * programHeaderSize;
    end = Math.max(end, Number(file.readBigUInt64LE(header + 8)) + Number(file.readBigUInt64LE(header + 32)));
  }
  const stripped = Buffer.from(file.subarray(0, end));
  stripped.writeBigUInt64LE(0n, 40); // e_shoff
  stripped.writeUInt16LE(0, 60); // e_shnum
  stripped.writeUInt16LE(0, 62); // e_shstrndx
  return stripped;
}
