import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Environment, Problem } from "../../../extension/config/setting-rules.ts";
import { createTokenCheck, parseToken } from "../../../extension/config/token.ts";
import { CANARY_TOKEN, noFile } from "../../support/variables.ts";

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const RULE = "file:///path of a readable file of this user or root with one token in it, writable only by its owner";

function parse(text: string | undefined, readFile = noFile, environment: Environment = {}, before: Problem[] = []) {
  const problems = [...before];
  return { token: parseToken(text, environment, readFile, problems), problems };
}

describe("a token", () => {
  it("is the given text, and no file is read", () => {
    expect(parse(CANARY_TOKEN)).toMatchObject({ token: { text: CANARY_TOKEN, path: undefined }, problems: [] });
  });

  it.each([
    ["file:///run/token", "/run/token"],
    ["file:///a%20b/100%25", "/a b/100%"],
  ])("at %s is the content of the file %s without surrounding white space", (url, expectedPath) => {
    const readFile = (path: string) => (path === expectedPath ? `\n ${CANARY_TOKEN}\r\n` : noFile(path));
    expect(parse(url, readFile)).toMatchObject({ token: { text: CANARY_TOKEN, path: expectedPath }, problems: [] });
  });

  it("in a file is taken literally, even if it is the URL of another file", () => {
    const readFile = (path: string) => (path === "/a" ? "file:///b" : noFile(path));
    expect(parse("file:///a", readFile).token).toMatchObject({ text: "file:///b", path: "/a" });
  });

  it("in a file may stand behind a byte order mark", () => {
    expect(parse("file:///a", () => `\uFEFF${CANARY_TOKEN}\r\n`).token?.text).toBe(CANARY_TOKEN);
  });

  it.each(["CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"])(
    "is described by the variable that it was read from, and never by itself or a path: %s",
    (name) => {
      const phraseOf = (text: string, others = {}) =>
        parse(text, () => CANARY_TOKEN, { [name]: text, ...others }).token?.phrase;
      expect(phraseOf(CANARY_TOKEN)).toBe(`the value of ${name}`);
      expect(phraseOf("file:///run/token")).toBe(`the text in the file that ${name} names`);
      expect(phraseOf(CANARY_TOKEN, { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:9001/c" })).toBe(
        `the value of ${name}, or the session token of the credentials that an AWS SDK finds in the function`,
      );
    },
  );

  it("in a file must be in one that another user cannot have written", () => {
    const readFile = vi.fn(() => CANARY_TOKEN);
    parse("file:///a", readFile);
    expect(readFile).toHaveBeenCalledWith("/a", "ours");
  });

  it.each<[string, string, (path: string) => string]>([
    ["is empty", "file:///a", () => ""],
    ["is blank", "file:///a", () => " \n"],
    ["holds two tokens", "file:///a", () => `${CANARY_TOKEN}\n${CANARY_TOKEN}`],
    ["holds a letter beyond ASCII", "file:///a", () => `${CANARY_TOKEN}é`],
    ["cannot be read", "file:///a", noFile],
    ["has a path that is not percent-encoded", "file:///100%", () => CANARY_TOKEN],
  ])("in a file that %s is undefined, and the problem shows only the path", (_, url, readFile) => {
    const { token, problems } = parse(url, readFile);
    expect(token).toBeUndefined();
    expect(problems).toEqual([{ name: "CROSS_ACCOUNT_SECRETS_TOKEN", rule: RULE, got: url }]);
  });

  it.each(["file://relative/token", "file://host/token", "file:/token", "file:token"])(
    "may not be a relative or remote file URL: %s is neither read nor shown",
    (text) => {
      const { token, problems } = parse(text, () => CANARY_TOKEN);
      expect(token).toBeUndefined();
      expect(problems).toEqual([{ name: "CROSS_ACCOUNT_SECRETS_TOKEN", rule: RULE, got: "a value that is not shown" }]);
    },
  );

  it.each(["CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"])(
    "that is unusable is a problem of the variable that holds it: %s",
    (name) => {
      const environment = { AWS_TOKEN: "another", [name]: " file:///a " };
      expect(parse("file:///a", noFile, environment).problems).toMatchObject([{ name }]);
    },
  );

  it("that is missing is a problem that says what to set and why there is none", () => {
    expect(parse(undefined)).toEqual({
      token: undefined,
      problems: [
        {
          name: "CROSS_ACCOUNT_SECRETS_TOKEN",
          rule: expect.stringMatching(/because AWS_SESSION_TOKEN is not set here .*sam local/),
          got: undefined,
        },
      ],
    });
  });

  it("that broke its rule is not also reported as missing", () => {
    const rule = "a token in printable ASCII, without spaces, or file:///path of one";
    const broken = { name: "AWS_TOKEN", rule, got: "a value that is not shown" };
    expect(parse(undefined, noFile, {}, [broken])).toEqual({ token: undefined, problems: [broken] });
  });
});

describe("the check of a token", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: START_EPOCH_MS });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A token file whose text a test may change, and the number of reads after the start. */
  function setUp({ isInFile }: { isInFile: boolean } = { isInFile: true }) {
    const path = isInFile ? "/run/token" : undefined;
    const file: { text: string | undefined; reads: number } = { text: CANARY_TOKEN, reads: 0 };
    const readFile = (asked: string) => {
      file.reads += 1;
      if (asked !== path || file.text === undefined) return noFile(asked);
      return file.text;
    };
    const isToken = createTokenCheck({ config: { token: { text: CANARY_TOKEN, path } }, readFile, now: Date.now });
    return { file, isToken };
  }

  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

  it("accepts the token and rejects any other text", () => {
    const { isToken } = setUp({ isInFile: false });
    expect(isToken(CANARY_TOKEN)).toBe(true);
    for (const guess of [
      "",
      CANARY_TOKEN.slice(0, -1),
      `${CANARY_TOKEN}x`,
      ` ${CANARY_TOKEN}`,
      `${CANARY_TOKEN}\0`,
      CANARY_TOKEN.toLowerCase(),
      "x".repeat(CANARY_TOKEN.length),
      "x".repeat(100_000),
      "ü".repeat(CANARY_TOKEN.length),
    ]) {
      expect(isToken(guess), guess.slice(0, 40)).toBe(false);
    }
  });

  it("rejects a header that is missing or was sent more than once", () => {
    const { isToken } = setUp({ isInFile: false });
    expect(isToken(undefined)).toBe(false);
    expect(isToken([CANARY_TOKEN])).toBe(false);
    expect(isToken([])).toBe(false);
  });

  it("never reads a file if the token was given as text", () => {
    const { file, isToken } = setUp({ isInFile: false });
    pass(3_600_000);
    expect(isToken(CANARY_TOKEN)).toBe(true);
    expect(file.reads).toBe(0);
  });

  it("accepts the token of a replaced file and rejects the previous one", () => {
    const { file, isToken } = setUp();
    file.text = "  the-next-one\n";
    pass(1_000);
    expect(isToken("the-next-one")).toBe(true);
    expect(isToken(CANARY_TOKEN)).toBe(false);
  });

  it("reads a replaced file even if the first request shows a wrong token", () => {
    const { file, isToken } = setUp();
    file.text = "the-next-one";
    pass(1_000);
    expect(isToken(CANARY_TOKEN)).toBe(false);
    expect(isToken("the-next-one")).toBe(true);
  });

  it("believes a replaced file only if another user cannot have written it", () => {
    const readFile = vi.fn(() => "the-next-one");
    const isToken = createTokenCheck({
      config: { token: { text: CANARY_TOKEN, path: "/a" } },
      readFile,
      now: Date.now,
    });
    pass(1_000);
    expect(isToken("the-next-one")).toBe(true);
    expect(readFile.mock.calls).toEqual([["/a", "ours"]]);
  });

  it("reads the file at most once a second, and only at a request", () => {
    const { file, isToken } = setUp();
    for (let ms = 0; ms < 999; ms += 111) {
      isToken(CANARY_TOKEN);
      pass(111);
    }
    expect(file.reads).toBe(0);
    pass(1);
    for (let guess = 0; guess < 1_000; guess += 1) isToken(`guess-${guess}`);
    expect(file.reads).toBe(1);
    pass(999);
    isToken(CANARY_TOKEN);
    expect(file.reads).toBe(1);
    pass(1);
    isToken(CANARY_TOKEN);
    expect(file.reads).toBe(2);
    pass(3_600_000);
    expect(file.reads).toBe(2);
  });

  it("does not read the file again one millisecond before the second is over", () => {
    const { file, isToken } = setUp();
    file.text = "the-next-one";
    pass(999);
    expect([isToken("the-next-one"), isToken(CANARY_TOKEN), file.reads]).toEqual([false, true, 0]);
  });

  it.each([
    ["missing", undefined],
    ["empty", ""],
    ["blank", " \n"],
    ["broken: two tokens", `${CANARY_TOKEN}\nthe-next-one`],
    ["broken: beyond ASCII", "thé-next-one"],
  ])("keeps the last token while the file is %s, and rejects an empty token", (_, text) => {
    const { file, isToken } = setUp();
    file.text = text;
    pass(1_000);
    expect(isToken(CANARY_TOKEN)).toBe(true);
    expect(isToken("")).toBe(false);
    expect(isToken(" ")).toBe(false);
    expect(isToken(text)).toBe(false);
    // A broken file is not read more often than a good one.
    expect(file.reads).toBe(1);
    file.text = "the-next-one";
    pass(1_000);
    expect([isToken("the-next-one"), isToken(CANARY_TOKEN)]).toEqual([true, false]);
  });

  it("reads the file again, once, if the clock has stepped back", () => {
    const { file, isToken } = setUp();
    file.text = "the-next-one";
    pass(-3_600_000);
    expect(isToken("the-next-one")).toBe(true);
    isToken(CANARY_TOKEN);
    expect(file.reads).toBe(1);
  });
});
