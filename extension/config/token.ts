/**
 * What a caller has to show: a text, or one in a file, which may be replaced while we run. Pure but for the file, which it is
 * handed a way to read.
 */
import { timingSafeEqual } from "node:crypto";
import { type Environment, PREFIX, type Problem } from "./setting-rules.ts";
import { settings } from "./settings.ts";

export interface Token {
  readonly text: string;
  /** Of the file that it was read from. */
  readonly path: string | undefined;
}

/** For who does not show it, and may not know. */
export const whereItStands = ({ path }: Token): string =>
  path === undefined
    ? "the value of CROSS_ACCOUNT_SECRETS_TOKEN or, in a Lambda function where that is not set, of AWS_SESSION_TOKEN"
    : `what stands in the file ${path}`;

/** The text of the setting, or the file that it names; undefined, with a problem, where there is no token in either. */
export function parseToken(
  text: string | undefined,
  environment: Environment,
  readFile: (path: string) => string,
  problems: Problem[],
): Token | undefined {
  const { rule, alsoRead } = settings.token;
  if (text === undefined) {
    if (problems.some((problem) => problem.rule === rule)) return undefined;
    const where = "since there is no AWS_SESSION_TOKEN here (sam local with long-term keys has none)";
    problems.push({ name: `${PREFIX}TOKEN`, rule: `${rule}, ${where}`, got: undefined });
    return undefined;
  }
  if (!text.startsWith("file:")) return { text, path: undefined };
  const path = toPath(text);
  const read = path === undefined ? undefined : readToken(path, readFile);
  if (read !== undefined) return { text: read, path };
  const names = [`${PREFIX}TOKEN`, ...alsoRead];
  const name = names.find((candidate) => environment[candidate]?.trim() === text) ?? `${PREFIX}TOKEN`;
  const got = text.startsWith("file:///") ? text : "a value that is not shown";
  problems.push({ name, rule: "file:///path of a readable file with one token in it", got });
  return undefined;
}

function toPath(url: string): string | undefined {
  try {
    return url.startsWith("file:///") ? decodeURIComponent(url.slice("file://".length)) : undefined;
  } catch {
    return undefined;
  }
}

/** An unreadable file and an unusable one are the same mistake, and the cause may quote its text. */
function readToken(path: string, readFile: (path: string) => string): string | undefined {
  try {
    return settings.token.parse(readFile(path).trim());
  } catch {
    return undefined;
  }
}

/** So often a token's file is read, when somebody asks. */
const READ_EVERY_MS = 1_000;

/** Whether a header shows the token. It takes as long whatever the caller guessed, and however long. */
export function createTokenCheck(parts: {
  readonly config: { readonly token: Token };
  readonly readFile: (path: string) => string;
  readonly now: () => number;
}): (header: string | string[] | undefined) => boolean {
  const { readFile, now } = parts;
  const { text, path } = parts.config.token;
  let expected = Buffer.from(text, "latin1");
  let shown = Buffer.alloc(expected.length);
  let readAtEpochMs = now();
  return (header) => {
    if (path !== undefined && Math.abs(now() - readAtEpochMs) >= READ_EVERY_MS) {
      readAtEpochMs = now();
      // While the file is being replaced there may be none: the last token is good until there is another.
      const read = readToken(path, readFile);
      if (read !== undefined) {
        expected = Buffer.from(read, "latin1");
        shown = Buffer.alloc(expected.length);
      }
    }
    if (typeof header !== "string") return false;
    // As much of the header as there is room for: the comparison takes as long for all of them.
    shown.fill(0);
    shown.write(header, "latin1");
    return timingSafeEqual(shown, expected) && header.length === expected.length;
  };
}
