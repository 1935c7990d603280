import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseConfig } from "../../../../extension/config/config.ts";
import { settings } from "../../../../extension/config/settings.ts";
import {
  HELP,
  lacksToken,
  parseArguments,
  toEnvironment,
  toFakeEnvironment,
} from "../../../../scripts/cli/serve/arguments.ts";
import { toPlainLine } from "../../../../scripts/cli/serve/serve.ts";
import { choosePath, createToken, writeTokenFile } from "../../../../scripts/cli/serve/token-file.ts";
import { createTempFolder } from "../../../support/temp-files.ts";
import { TARGET_ROLE_ARN as ROLE } from "../../../support/values.ts";

describe("the options of serve", () => {
  it("name a region, a file for the token and a file in place of AWS", () => {
    expect(parseArguments(["--region", "eu-west-1", "--token-file", "/t", "--fake=s.json"], {})).toEqual({
      region: "eu-west-1",
      tokenFile: "/t",
      fake: "s.json",
    });
  });

  it.each([
    ["the option before the variables", ["--region", "eu-west-1"], { AWS_REGION: "us-east-1" }, "eu-west-1"],
    [
      "AWS_REGION before AWS_DEFAULT_REGION",
      [],
      { AWS_REGION: "us-east-1", AWS_DEFAULT_REGION: "us-west-2" },
      "us-east-1",
    ],
    [
      "AWS_DEFAULT_REGION if AWS_REGION is blank",
      [],
      { AWS_REGION: " ", AWS_DEFAULT_REGION: "us-west-2" },
      "us-west-2",
    ],
    ["the profile otherwise", [], {}, undefined],
  ])("take the region from %s", (_, args, environment, region) => {
    expect(parseArguments(args, environment)).toMatchObject({ region });
  });

  it.each([
    [["--port", "1"], "unknown option '--port'; --help lists the options"],
    [["--region="], "--region is empty"],
    [["--fake", ""], "--fake is empty"],
  ])("%j are refused", (args, message) => {
    expect(() => parseArguments(args, {})).toThrow(expect.objectContaining({ exitCode: 2, message }));
  });

  it("exclude --token-file if a variable gives the token", () => {
    expect(() => parseArguments(["--token-file", "/t"], { AWS_TOKEN: "t" })).toThrow(/^AWS_TOKEN gives the token/);
  });

  it.each([[["--help"]], [["-h"]]])("%j ask for the help, which names every option", (args) => {
    expect(parseArguments(args, {})).toBe("help");
    for (const option of ["region", "token-file", "fake", "help"]) expect(HELP).toMatch(`--${option} `);
  });

  it("have a help of at most 120 columns", () => {
    expect(Math.max(...HELP.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
  });
});

describe("the settings of serve", () => {
  const read = (environment: Record<string, string>, token = "made-up") =>
    parseConfig(toEnvironment(environment, { region: "eu-west-1", token }), () => "");

  it("are those of a function, with the region that was found and the token that was generated", () => {
    const { config } = read({ ROLE_ARN: ROLE, SECRET_NAME: "s", CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "1" });
    expect(config).toMatchObject({ token: { text: "made-up" }, ttlMs: 1_000, aws: { region: "eu-west-1" } });
    expect(config?.sources[0]).toMatchObject({ roleArn: ROLE, prefetchIds: ["s"] });
  });

  // Otherwise a client would need keys to AWS to ask for a secret, and new ones after each sign-in.
  it.each(settings.token.alsoRead.filter((name) => name !== "AWS_TOKEN"))(
    "do not use %s as the token, because it is a credential here",
    (name) => {
      const environment = { ROLE_ARN: ROLE, [name]: "a-credential" };
      expect(lacksToken(environment)).toBe(true);
      expect(read(environment).config?.token.text).toBe("made-up");
      expect(JSON.stringify(read(environment))).not.toContain("a-credential");
    },
  );

  it.each(["CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_TOKEN"])("use %s as the token", (name) => {
    const environment = { ROLE_ARN: ROLE, AWS_REGION: "eu-west-1", [name]: "given" };
    expect(lacksToken(environment)).toBe(false);
    const given = toEnvironment(environment, { region: "eu-west-1", token: undefined });
    expect(parseConfig(given, () => "").config?.token.text).toBe("given");
  });

  it("ignore the keys and the container endpoint, which the SDK itself reads", () => {
    const { config, problems } = read({
      ROLE_ARN: ROLE,
      AWS_ACCESS_KEY_ID: "AKIA",
      AWS_SECRET_ACCESS_KEY: "key",
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "nonsense",
    });
    expect(problems).toEqual([]);
    expect(config?.aws).toMatchObject({ credentials: undefined, containerCredentials: undefined });
  });

  it("need no role if AWS is a fake, and keep a given one", () => {
    const roleOf = (environment: Record<string, string>) =>
      parseConfig(toFakeEnvironment(toEnvironment(environment, { region: "eu-west-1", token: "t" })), () => "").config
        ?.sources[0].roleArn;
    expect(roleOf({})).toBe("arn:aws:iam::111111111111:role/Fake");
    expect(roleOf({ ROLE_ARN: ROLE })).toBe(ROLE);
    expect(roleOf({ CROSS_ACCOUNT_SECRETS_CONFIG: JSON.stringify({ sources: [{ roleArn: ROLE }] }) })).toBe(ROLE);
  });
});

describe("the token file", () => {
  it.each([
    ["systemd's folder", { RUNTIME_DIRECTORY: "/run/app:/run/other", XDG_RUNTIME_DIR: "/run/user/1" }, "/run/app"],
    ["the session's folder", { XDG_RUNTIME_DIR: "/run/user/1" }, "/run/user/1"],
  ])("is in %s, with one file for each port", (_, environment, folder) => {
    expect(choosePath(environment, 2773)).toBe(`${folder}/cross-account-secrets-2773.token`);
  });

  it("is otherwise in the temporary folder, under an unpredictable name", () => {
    const [one, other] = [choosePath({}, 2773), choosePath({}, 2773)];
    expect([dirname(one), dirname(other)]).toEqual([tmpdir(), tmpdir()]);
    expect(one).toMatch(/cross-account-secrets-2773-[0-9a-f]{12}\.token$/);
    expect(one).not.toBe(other);
  });

  it("can be read only by its owner, whatever the umask is", () => {
    const path = join(createTempFolder(), "token");
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    writeTokenFile(path, "t");
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    expect(readFileSync(path, "utf8")).toBe("t\n");
  });

  it("replaces one that was left behind", () => {
    const path = join(createTempFolder(), "token");
    writeTokenFile(path, createToken());
    const token = createToken();
    writeTokenFile(path, token);
    expect(readFileSync(path, "utf8")).toBe(`${token}\n`);
  });

  it.each([
    [
      "a file without a token",
      (path: string) => writeFileSync(path, "precious"),
      "the file exists, and is not a token of serve",
    ],
    ["a link", (path: string) => symlinkSync("/nowhere", path), "the file exists, and is not a token of serve"],
  ])("does not replace %s", (_, make, why) => {
    const path = join(createTempFolder(), "token");
    make(path);
    const message = `cannot write the token to ${path}: ${why}; name another file with --token-file`;
    expect(() => writeTokenFile(path, createToken())).toThrow(expect.objectContaining({ exitCode: 1, message }));
  });

  it("is not written through a link to a token", () => {
    const folder = createTempFolder();
    const path = join(folder, "link");
    writeTokenFile(join(folder, "token"), createToken());
    symlinkSync(join(folder, "token"), path);
    expect(() => writeTokenFile(path, createToken())).toThrow(/^cannot write the token/);
  });

  it("cannot be created in a folder that does not exist", () => {
    expect(() => writeTokenFile("/nonexistent/token", "t")).toThrow(/^cannot write the token to .*: ENOENT;/);
  });

  it("is removed, unless it belongs to another server now or no longer exists", () => {
    const path = join(createTempFolder(), "token");
    const [mine, others] = [createToken(), createToken()];
    const removeMine = writeTokenFile(path, mine);
    writeTokenFile(path, others)();
    removeMine();
    writeTokenFile(path, others);
    removeMine();
    expect(readFileSync(path, "utf8")).toBe(`${others}\n`);
  });

  it("holds 256 bits that are different each time", () => {
    const tokens = Array.from({ length: 100 }, createToken);
    expect(new Set(tokens).size).toBe(100);
    expect(tokens.filter((token) => Buffer.from(token, "base64url").length !== 32)).toEqual([]);
  });
});

describe("a line of the log on a terminal", () => {
  const head = { time: "2026-01-02T03:04:05.678Z", level: "info", extension: "cross-account-secrets" };
  const paint = (style: unknown, text: string) => `<${style}>${text}</>`;
  const draw = (fields: object) => toPlainLine(`${JSON.stringify({ ...head, ...fields })}\n`, paint);

  it("shows the time, the event and the fields, and quotes values with spaces", () => {
    expect(draw({ event: "listening", url: "http://127.0.0.1:2773", ms: 5, message: "a b", roleArn: ["r", "s"] })).toBe(
      '<dim>03:04:05</> <bold>listening</> url=http://127.0.0.1:2773 ms=5 message="a b" roleArn=r,s\n',
    );
  });

  it.each([
    ["warn", "yellow"],
    ["error", "red"],
  ])("of the level %s is %s", (level, style) => {
    expect(draw({ level, event: "e" })).toBe(`<dim>03:04:05</> <${style}>e</>\n`);
  });

  it("is left unchanged if it is not an entry of the log", () => {
    expect(toPlainLine('{"_aws":{}}\n', paint)).toBe('{"_aws":{}}\n');
  });
});
