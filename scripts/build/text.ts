import { readFile } from "node:fs/promises";

/** Git may have checked a text out with CR LF: https://git-scm.com/docs/gitattributes#_end_of_line_conversion */
const toUnixText = (bytes: Buffer): string => bytes.toString("utf8").replaceAll("\r\n", "\n");

/** Reads a text of this repository, with the line ends that the repository has. */
export const readText = async (path: string): Promise<string> => toUnixText(await readFile(path));

/** Reads a text or a program of this repository. */
export async function readTextOrProgram(path: string): Promise<string | Buffer> {
  const bytes = await readFile(path);
  return bytes.includes(0) ? bytes : toUnixText(bytes);
}
