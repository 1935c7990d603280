import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Environment, Problem } from "../../../extension/config/rules.ts";
import { createTokenCheck, parseToken } from "../../../extension/config/token.ts";

const TOKEN = "CANARY-token-8b1f";
const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const RULE = "file:///path of a readable file with one token in it";

const noFile = (path: string): string => {
  throw new Error(`ENOENT: ${path}, ${TOKEN}`);
};

function parse(text: string | undefined, readFile = noFile, environment: Environment = {}, before: Problem[] = []) {
  const problems = [...before];
  return { token: parseToken(text, environment, readFile, problems), problems };
}

describe("a token", () => {
  it("is the text that is given, and no file is read for it", () => {
    expect(parse(TOKEN)).toEqual({ token: { text: TOKEN, path: undefined }, problems: [] });
  });

  it.each([
    ["file:///run/token", "/run/token"],
    ["file:///a%20b/100%25", "/a b/100%"],
  ])("at %s is what the file %s holds, without the space around it", (url, expectedPath) => {
    const readFile = (path: string) => (path === expectedPath ? `\n ${TOKEN}\r\n` : noFile(path));
    expect(parse(url, readFile)).toEqual({ token: { text: TOKEN, path: expectedPath }, problems: [] });
  });

  it("in a file is not followed to another file", () => {
    const readFile = (path: string) => (path === "/a" ? "file:///b" : noFile(path));
    expect(parse("file:///a", readFile).token).toEqual({ text: "file:///b", path: "/a" });
  });

  it.each<[string, string, (path: string) => string]>([
    ["is empty", "file:///a", () => ""],
    ["is blank", "file:///a", () => " \n"],
    ["holds two", "file:///a", () => `${TOKEN}\n${TOKEN}`],
    ["holds a letter beyond ASCII", "file:///a", () => `${TOKEN}é`],
    ["cannot be read", "file:///a", noFile],
    ["has a path that is not percent-encoded", "file:///100%", () => TOKEN],
  ])("in a file that %s is none, and the problem names the path and nothing else", (_, url, readFile) => {
    const { token, problems } = parse(url, readFile);
    expect(token).toBeUndefined();
    expect(problems).toEqual([{ name: "CROSS_ACCOUNT_SECRETS_TOKEN", rule: RULE, got: url }]);
  });

  it.each(["file://relative/token", "file://host/token", "file:/token", "file:token"])(
    "is in no file that is relative to something: %s is neither read nor shown",
    (text) => {
      const { token, problems } = parse(text, () => TOKEN);
      expect(token).toBeUndefined();
      expect(problems).toEqual([{ name: "CROSS_ACCOUNT_SECRETS_TOKEN", rule: RULE, got: "a value that is not shown" }]);
    },
  );

  it.each(["CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"])(
    "that is unusable is a problem of the variable that it stands in: %s",
    (name) => {
      const environment = { AWS_TOKEN: "another", [name]: " file:///a " };
      expect(parse("file:///a", noFile, environment).problems).toMatchObject([{ name }]);
    },
  );

  it("that is missing says what to set, and why there is none", () => {
    expect(parse(undefined)).toEqual({
      token: undefined,
      problems: [
        {
          name: "CROSS_ACCOUNT_SECRETS_TOKEN",
          rule: expect.stringMatching(/since there is no AWS_SESSION_TOKEN here .*sam local/),
          got: undefined,
        },
      ],
    });
  });

  it("that broke its rule is not missed besides", () => {
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

  /** A file whose text a test may change, and how often it is read after the start. */
  function setUp({ isInFile }: { isInFile: boolean } = { isInFile: true }) {
    const path = isInFile ? "/run/token" : undefined;
    const file: { text: string | undefined; reads: number } = { text: TOKEN, reads: 0 };
    const readFile = (asked: string) => {
      file.reads += 1;
      if (asked !== path || file.text === undefined) return noFile(asked);
      return file.text;
    };
    const isToken = createTokenCheck({ config: { token: { text: TOKEN, path } }, readFile, now: Date.now });
    return { file, isToken };
  }

  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

  it("takes the token, and nothing of another length or text", () => {
    const { isToken } = setUp({ isInFile: false });
    expect(isToken(TOKEN)).toBe(true);
    for (const guess of [
      "",
      TOKEN.slice(0, -1),
      `${TOKEN}x`,
      ` ${TOKEN}`,
      `${TOKEN}\0`,
      TOKEN.toLowerCase(),
      "x".repeat(TOKEN.length),
      "x".repeat(100_000),
      "ü".repeat(TOKEN.length),
    ]) {
      expect(isToken(guess), guess.slice(0, 40)).toBe(false);
    }
  });

  it("takes no header that is missing, or that was sent more than once", () => {
    const { isToken } = setUp({ isInFile: false });
    expect(isToken(undefined)).toBe(false);
    expect(isToken([TOKEN])).toBe(false);
    expect(isToken([])).toBe(false);
  });

  it("reads no file where the token was a text, however long it runs", () => {
    const { file, isToken } = setUp({ isInFile: false });
    pass(3_600_000);
    expect(isToken(TOKEN)).toBe(true);
    expect(file.reads).toBe(0);
  });

  it("follows a file that is replaced, and no longer takes what stood there before", () => {
    const { file, isToken } = setUp();
    file.text = "  the-next-one\n";
    pass(1_000);
    expect(isToken("the-next-one")).toBe(true);
    expect(isToken(TOKEN)).toBe(false);
  });

  it("follows it also where the first that asks shows the wrong one", () => {
    const { file, isToken } = setUp();
    file.text = "the-next-one";
    pass(1_000);
    expect(isToken(TOKEN)).toBe(false);
    expect(isToken("the-next-one")).toBe(true);
  });

  it("reads the file once a second at the most, and only when somebody asks", () => {
    const { file, isToken } = setUp();
    for (let ms = 0; ms < 999; ms += 111) {
      isToken(TOKEN);
      pass(111);
    }
    expect(file.reads).toBe(0);
    pass(1);
    for (let guess = 0; guess < 1_000; guess += 1) isToken(`guess-${guess}`);
    expect(file.reads).toBe(1);
    pass(999);
    isToken(TOKEN);
    expect(file.reads).toBe(1);
    pass(1);
    isToken(TOKEN);
    expect(file.reads).toBe(2);
    pass(3_600_000);
    expect(file.reads).toBe(2);
  });

  it("reads it a millisecond before the second is over no more than at once", () => {
    const { file, isToken } = setUp();
    file.text = "the-next-one";
    pass(999);
    expect([isToken("the-next-one"), isToken(TOKEN), file.reads]).toEqual([false, true, 0]);
  });

  it.each([
    ["missing", undefined],
    ["empty", ""],
    ["blank", " \n"],
    ["broken: two tokens", `${TOKEN}\nthe-next-one`],
    ["broken: beyond ASCII", "thé-next-one"],
  ])("goes on with the last token while the file is %s, and takes no empty one", (_, text) => {
    const { file, isToken } = setUp();
    file.text = text;
    pass(1_000);
    expect(isToken(TOKEN)).toBe(true);
    expect(isToken("")).toBe(false);
    expect(isToken(" ")).toBe(false);
    expect(isToken(text)).toBe(false);
    // No more often than a good one, either.
    expect(file.reads).toBe(1);
    file.text = "the-next-one";
    pass(1_000);
    expect([isToken("the-next-one"), isToken(TOKEN)]).toEqual([true, false]);
  });

  it("reads the file again when the clock has stepped back, and not for hours on end", () => {
    const { file, isToken } = setUp();
    file.text = "the-next-one";
    pass(-3_600_000);
    expect(isToken("the-next-one")).toBe(true);
    isToken(TOKEN);
    expect(file.reads).toBe(1);
  });
});
