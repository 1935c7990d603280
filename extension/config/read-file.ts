import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from "node:fs";

/** Throws if the file cannot be read or, for a file that decides who is trusted, if another user may have written it. */
export type FileReader = (path: string, whose?: "ours") => string;

const WRITABLE_BY_OTHERS = 0o022;

/** Without a user ID, as on Windows, there is no owner to check. */
export function createFileReader(userId: number | undefined): FileReader {
  return (path, whose) => {
    if (!whose || userId === undefined) return readFileSync(path, "utf8");
    // A pipe would block the process when it is opened.
    const descriptor = openSync(path, constants.O_NONBLOCK);
    try {
      const file = fstatSync(descriptor);
      // The name may be a link, perhaps another user's, to a file of root whose text everybody knows. Root is user 0.
      const isForeign = [file, lstatSync(path)].some(({ uid }) => uid && uid !== userId);
      if (isForeign || !file.isFile() || file.mode & WRITABLE_BY_OTHERS) throw new Error("foreign");
      return readFileSync(descriptor, "utf8");
    } finally {
      closeSync(descriptor);
    }
  };
}
