/** The token that a caller must send: a text, or the text in a file, which may be replaced while we run. */
import { timingSafeEqual } from "node:crypto";
import type { FileReader } from "./read-file.ts";
import { type Environment, PREFIX, type Problem } from "./setting-rules.ts";
import { settings } from "./settings.ts";

export interface Token {
  readonly text: string;
  /** The path of the file that it was read from. */
  readonly path: string | undefined;
  /** Where a caller finds it, in words. A caller without the token reads this, so it does not tell the file's path. */
  readonly phrase: string;
}

/** The text of the setting, or of the file that it names. Without a token: undefined, and a problem. */
export function parseToken(
  text: string | undefined,
  environment: Environment,
  readFile: FileReader,
  problems: Problem[],
): Token | undefined {
  const { rule, alsoRead } = settings.token;
  if (text === undefined) {
    if (problems.some((problem) => problem.rule === rule)) return undefined;
    const why = "set, because AWS_SESSION_TOKEN is not set here (sam local with long-term keys has none)";
    problems.push({ name: `${PREFIX}TOKEN`, rule: `${why}: ${rule}`, got: undefined });
    return undefined;
  }
  const names = [`${PREFIX}TOKEN`, ...alsoRead];
  const name = names.find((candidate) => environment[candidate]?.trim() === text) ?? `${PREFIX}TOKEN`;
  const hasEndpoint = Boolean(environment.AWS_CONTAINER_CREDENTIALS_FULL_URI?.trim());
  const orSession = hasEndpoint
    ? ", or the session token of the credentials that an AWS SDK finds in the function"
    : "";
  if (!text.startsWith("file:")) return { text, path: undefined, phrase: `the value of ${name}${orSession}` };
  const path = toPath(text);
  const read = path === undefined ? undefined : readToken(path, readFile);
  if (read !== undefined) return { text: read, path, phrase: `the text in the file that ${name} names${orSession}` };
  const got = text.startsWith("file:///") ? text : "a value that is not shown";
  problems.push({
    name,
    rule: "file:///path of a readable file of this user or root with one token in it, writable only by its owner",
    got,
  });
  return undefined;
}

function toPath(url: string): string | undefined {
  try {
    return url.startsWith("file:///") ? decodeURIComponent(url.slice("file://".length)) : undefined;
  } catch {
    return undefined;
  }
}

/** An unusable file and an unusable text are the same mistake. The error may quote the text, so it is dropped. */
function readToken(path: string, readFile: FileReader): string | undefined {
  try {
    return settings.token.parse(readFile(path, "ours").trim());
  } catch {
    return undefined;
  }
}

/** A request reads the token's file again after this time. */
const READ_EVERY_MS = 1_000;

/** Returns whether a header is the token. The time that this takes does not depend on the header's text or length. */
export function createTokenCheck(deps: {
  readonly config: { readonly token: Pick<Token, "text" | "path"> };
  readonly readFile: FileReader;
  readonly now: () => number;
}): (header: string | string[] | undefined) => boolean {
  const { readFile, now } = deps;
  const { text, path } = deps.config.token;
  let expected = Buffer.from(text, "latin1");
  let shown = Buffer.alloc(expected.length);
  let readAtEpochMs = now();
  return (header) => {
    if (path !== undefined && Math.abs(now() - readAtEpochMs) >= READ_EVERY_MS) {
      readAtEpochMs = now();
      // While the file is being replaced there may be none, or one of another user. The last token is valid until there is another.
      const read = readToken(path, readFile);
      if (read !== undefined) {
        expected = Buffer.from(read, "latin1");
        shown = Buffer.alloc(expected.length);
      }
    }
    if (typeof header !== "string") return false;
    // Only as much of the header as fits: every comparison takes the same time.
    shown.fill(0);
    shown.write(header, "latin1");
    return timingSafeEqual(shown, expected) && header.length === expected.length;
  };
}
