import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
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
import {
  createRandomText,
  prepareDefaultPath,
  toToken,
  writeTokenFile,
} from "../../../../scripts/cli/serve/token-file.ts";
import { startLocalServer } from "../../../support/local-server.ts";
import { createTempFolder } from "../../../support/temp-files.ts";
import { TARGET_ROLE_ARN as ROLE } from "../../../support/values.ts";

const userId = process.geteuid?.();

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

/** Writes a token as a server on this port does. Nothing runs there. */
const PORT = 1;
const createToken = () => toToken(PORT, createRandomText());

describe("the token file", () => {
  it.each([
    ["systemd's folder", (folder: string) => ({ RUNTIME_DIRECTORY: `${folder}:/run/other`, XDG_RUNTIME_DIR: "/x" })],
    ["the session's folder", (folder: string) => ({ XDG_RUNTIME_DIR: folder })],
  ])("is in a folder of the user's own in %s, with one file for each port", (_, toVariables) => {
    const folder = createTempFolder();
    const own = join(folder, `cross-account-secrets-${userId}`);
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    for (const port of [2773, 65_535, 2773]) {
      const path = prepareDefaultPath(toVariables(folder), toToken(port, createRandomText()), userId);
      expect(path).toBe(join(own, `${port}.token`));
      expect((statSync(own).mode & 0o777).toString(8)).toBe("700");
    }
  });

  it("is otherwise in the temporary folder", () => {
    const folder = createTempFolder();
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(prepareDefaultPath({}, createToken(), userId)).toBe(
      join(folder, `cross-account-secrets-${userId}`, `${PORT}.token`),
    );
  });

  it.each<[string, (own: string) => void]>([
    ["others can open", (own) => mkdirSync(own, { mode: 0o750 })],
    ["is a link to a folder of the user", (own) => symlinkSync(createTempFolder(), own)],
    ["is a file", (own) => writeFileSync(own, "", { mode: 0o600 })],
  ])("is not in a default folder that %s", (_, make) => {
    const folder = createTempFolder();
    make(join(folder, `cross-account-secrets-${userId}`));
    expect(() => prepareDefaultPath({ XDG_RUNTIME_DIR: folder }, createToken(), userId)).toThrow(
      /is not a folder that only this user can open; name another file with --token-file, or remove it$/,
    );
  });

  it("is not in a default folder of another user", () => {
    const folder = createTempFolder();
    const other = Number(userId) + 1;
    mkdirSync(join(folder, `cross-account-secrets-${other}`), { mode: 0o700 });
    expect(() => prepareDefaultPath({ XDG_RUNTIME_DIR: folder }, createToken(), other)).toThrow(
      /only this user can open/,
    );
  });

  it("can be read only by its owner, whatever the umask is", async () => {
    const path = join(createTempFolder(), "token");
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    await writeTokenFile(path, "t");
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    expect(readFileSync(path, "utf8")).toBe("t\n");
  });

  /** A server on a free port, which answers like one that has this token, or not at all. */
  async function startOther(answers: (token: unknown, response: ServerResponse) => void) {
    const { url } = await startLocalServer(({ headers }, response) =>
      answers(headers["x-aws-parameters-secrets-token"], response),
    );
    return { port: Number(new URL(url).port) };
  }

  it.each<[string, (response: ServerResponse, isItsToken: boolean) => void]>([
    ["accepts the token", (response, isItsToken) => void response.writeHead(isItsToken ? 200 : 403).end()],
    ["does not answer", () => {}],
  ])("is not replaced while a server on its port %s", async (_, answer) => {
    const random = createRandomText();
    const { port } = await startOther((token, response) => answer(response, token === toToken(port, random)));
    const path = join(createTempFolder(), "token");
    await writeTokenFile(path, toToken(port, random));
    const message = `cannot write the token to ${path}: the server on port ${port} uses the file; name another file with --token-file, or stop that server`;
    await expect(writeTokenFile(path, createToken())).rejects.toMatchObject({ exitCode: 1, message });
    expect(readFileSync(path, "utf8")).toBe(`${toToken(port, random)}\n`);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ["refuses the token", (response) => void response.writeHead(403).end()],
    ["is no HTTP server", (response) => void response.socket?.end("SSH-2.0-OpenSSH_9.6\r\n")],
  ])("is replaced if what is on its port %s", async (_, answer) => {
    const { port } = await startOther((_token, response) => answer(response));
    const path = join(createTempFolder(), "token");
    await writeTokenFile(path, toToken(port, createRandomText()));
    const token = createToken();
    await writeTokenFile(path, token);
    expect(readFileSync(path, "utf8")).toBe(`${token}\n`);
  });

  it("is replaced if nothing is on its port", async () => {
    const path = join(createTempFolder(), "token");
    await writeTokenFile(path, createToken());
    const token = createToken();
    await writeTokenFile(path, token);
    expect(readFileSync(path, "utf8")).toBe(`${token}\n`);
  });

  it.each([
    [
      "a file without a token",
      (path: string) => writeFileSync(path, "precious"),
      "the file exists, and is not a token of serve",
    ],
    ["a link", (path: string) => symlinkSync("/nowhere", path), "the file exists, and is not a token of serve"],
  ])("does not replace %s", async (_, make, why) => {
    const path = join(createTempFolder(), "token");
    make(path);
    const message = `cannot write the token to ${path}: ${why}; name another file with --token-file`;
    await expect(writeTokenFile(path, createToken())).rejects.toMatchObject({ exitCode: 1, message });
  });

  it("is not written through a link to a token", async () => {
    const folder = createTempFolder();
    const path = join(folder, "link");
    await writeTokenFile(join(folder, "token"), createToken());
    symlinkSync(join(folder, "token"), path);
    await expect(writeTokenFile(path, createToken())).rejects.toThrow(/^cannot write the token/);
  });

  it("cannot be created in a folder that does not exist", async () => {
    const enoent = /^cannot write the token to .*: ENOENT;/;
    await expect(writeTokenFile("/nonexistent/token", "t")).rejects.toThrow(enoent);
    expect(() => prepareDefaultPath({ XDG_RUNTIME_DIR: "/nonexistent" }, createToken(), userId)).toThrow(enoent);
  });

  it("is removed, unless it belongs to another server now or no longer exists", async () => {
    const path = join(createTempFolder(), "token");
    const [mine, others] = [createToken(), createToken()];
    const removeMine = await writeTokenFile(path, mine);
    const removeOthers = await writeTokenFile(path, others);
    removeOthers();
    removeMine();
    await writeTokenFile(path, others);
    removeMine();
    expect(readFileSync(path, "utf8")).toBe(`${others}\n`);
  });

  it("holds 256 bits that are different each time", () => {
    const tokens = Array.from({ length: 100 }, createRandomText);
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
