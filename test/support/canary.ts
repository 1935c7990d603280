import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** A piece of a secret of this length is a leak. */
const PIECE_LENGTH = 8;

/**
 * Returns the `outputs` that contain one of `secrets`, or a piece of it of eight characters: as it is, URL-encoded, or in Base64
 * at any of the three alignments. The result does not quote the secrets, so that a failing test does not leak them.
 */
export function findLeaks(outputs: ReadonlyMap<string, string>, secrets: readonly string[]): string[] {
  const pieces = new Map<string, string>();
  for (const secret of new Set(secrets)) {
    const mark = `secret ${createHash("sha256").update(secret).digest("hex").slice(0, 6)}`;
    for (const form of toForms(secret)) {
      for (let at = 0; at + PIECE_LENGTH <= form.length; at += 1) pieces.set(form.slice(at, at + PIECE_LENGTH), mark);
    }
  }
  const leaks: string[] = [];
  for (const [name, text] of outputs) {
    for (let at = 0; at + PIECE_LENGTH <= text.length; at += 1) {
      const mark = pieces.get(text.slice(at, at + PIECE_LENGTH));
      if (mark !== undefined) {
        leaks.push(`${name} contains a piece of ${mark}`);
        break;
      }
    }
  }
  return leaks;
}

function toForms(secret: string): string[] {
  const base64 = [0, 1, 2].map((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)]).toString("base64");
    // The first and last four characters depend on the neighbouring bytes.
    return bytes.slice(shift === 0 ? 0 : 4, -4);
  });
  return [secret, encodeURIComponent(secret), ...base64];
}

/** Reads every file below a folder, by path, as Latin-1, which preserves every byte. */
export function readFolder(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  return new Map(names.filter((name) => statSync(name).isFile()).map((name) => [name, readFileSync(name, "latin1")]));
}
