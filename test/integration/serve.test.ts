/** The built `cross-account-secrets serve` outside Lambda, with the fake AWS. */
import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { startLocalServer } from "../support/local-server.ts";
import { ask, type ServeRun, startServe, toMode } from "../support/serve.ts";
import { createTempFolder } from "../support/temp-files.ts";
import {
  FUNCTION_ROLE_ARN,
  SECRET_NAME,
  SECRET_PATH,
  startTwoAccounts,
  TARGET_ROLE_ARN,
} from "../support/two-accounts.ts";

const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const run = promisify(execFile);
const find = (command: string) =>
  run("/bin/sh", ["-c", command]).then(
    () => true,
    () => false,
  );
const hasPython = await find("python3 -c 0");
const hasCurl = await find("curl --version");

/** Sets up two accounts, and variables with the caller's credentials in the way of `aws configure export-credentials`. */
async function setUp() {
  const accounts = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  const home = createTempFolder();
  const environment: Record<string, string | undefined> = {
    ...accounts.environment,
    CROSS_ACCOUNT_SECRETS_LOG_LEVEL: undefined,
    XDG_RUNTIME_DIR: home,
  };
  const secrets = () => [
    ...accounts.canaries,
    ...accounts.aws.listCredentials().flatMap(({ secretAccessKey, sessionToken }) => [secretAccessKey, sessionToken]),
  ];
  const withoutKeys = { ...environment, ...without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN") };
  return { ...accounts, environment, withoutKeys, home, secrets };
}

const without = (...names: string[]) => Object.fromEntries(names.map((name) => [name, undefined]));

async function readToken(serve: ServeRun): Promise<string> {
  const { tokenFile } = await serve.waitFor("listening");
  return readFileSync(String(tokenFile), "utf8").trim();
}

describe("serve", () => {
  it("reads the secret in the other account with the caller's credentials, and logs when it is ready", async () => {
    const { environment, aws, secrets } = await setUp();
    const serve = await startServe({ environment, secrets });
    await serve.waitFor("ready");
    expect(aws.count("AssumeRole")).toBe(1);
    expect(aws.count("GetSecretValue")).toBe(1);
    const { status, body } = await ask(serve.port, SECRET_PATH, await readToken(serve));
    expect(status).toBe(200);
    expect(Object.keys(JSON.parse(JSON.parse(body).SecretString))).toEqual(["username", "password"]);
    expect(aws.count("GetSecretValue")).toBe(1);
    expect(serve.log.map(({ event }) => event)).toEqual([
      "starting",
      "listening",
      "role-assumed",
      "secret-fetched",
      "ready",
    ]);
    expect(serve.stderr()).toBe("");
  });

  it("serves on if the reader of its log goes away", async () => {
    const { environment, secrets } = await setUp();
    const serve = await startServe({ environment, secrets });
    await serve.waitFor("ready");
    const token = await readToken(serve);
    serve.closeOutput();
    for (let reads = 0; reads < 3; reads += 1) {
      // A fetch is logged.
      expect((await ask(serve.port, `${SECRET_PATH}&refreshNow=true`, token)).status).toBe(200);
    }
    serve.kill("SIGTERM");
    expect(await serve.ended).toBe(0);
  });

  it("reads the guide's own variables, ROLE_ARN and SECRET_NAME", async () => {
    const { environment, secrets } = await setUp();
    const prefixed = without("CROSS_ACCOUNT_SECRETS_ROLE_ARN", "CROSS_ACCOUNT_SECRETS_SECRET_IDS");
    const serve = await startServe({
      environment: { ...environment, ...prefixed, ROLE_ARN: TARGET_ROLE_ARN },
      secrets,
    });
    expect(await serve.waitFor("secret-fetched")).toMatchObject({ secretId: SECRET_NAME });
  });

  it.skipIf(!hasPython)("serves the unchanged Python function of the examples", async () => {
    const { environment, secrets } = await setUp();
    const serve = await startServe({ environment, secrets });
    const { stdout } = await run("python3", ["-c", "import app; app.handler({}, None)"], {
      cwd: join(examples, "python"),
      env: {
        PATH: process.env.SECRET_PATH,
        PYTHONDONTWRITEBYTECODE: "1",
        SECRET_NAME,
        CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(serve.port),
        CROSS_ACCOUNT_SECRETS_TOKEN: await readToken(serve),
      },
    });
    const keys = ["username", "password"];
    expect(JSON.parse(stdout)).toEqual({ init: keys, handler: keys });
  });

  it.skipIf(!hasCurl)("serves curl, which reads the token file itself", async () => {
    const { environment, canaries, secrets } = await setUp();
    const serve = await startServe({ environment, secrets });
    const { tokenFile } = await serve.waitFor("listening");
    const script = `printf 'X-Aws-Parameters-Secrets-Token: %s' "$(cat '${tokenFile}')" |
      curl --silent --fail -H @- 'http://127.0.0.1:${serve.port}/secrets/${SECRET_NAME}?key=password'`;
    expect((await run("/bin/sh", ["-c", script])).stdout).toBe(canaries[1]);
  });
});

describe("the token of serve", () => {
  it("is random, in a file for its owner only, and is deleted when the server ends", async () => {
    const { environment, home, secrets } = await setUp();
    const tokens: string[] = [];
    const serve = await startServe({ environment, secrets: () => [...secrets(), ...tokens] });
    const { tokenFile } = await serve.waitFor("listening");
    const folder = join(home, `cross-account-secrets-${process.geteuid?.()}`);
    expect(tokenFile).toBe(join(folder, `${serve.port}.token`));
    expect([toMode(folder), toMode(String(tokenFile))]).toEqual(["700", "600"]);
    tokens.push(await readToken(serve));
    expect((await ask(serve.port, "/stats", tokens[0])).status).toBe(200);
    serve.kill("SIGTERM");
    expect(await serve.ended).toBe(0);
    expect(existsSync(String(tokenFile))).toBe(false);
  });

  it("is written to the file that --token-file names", async () => {
    const { environment, home, secrets } = await setUp();
    const path = join(home, "token");
    const serve = await startServe({ args: ["--token-file", path], environment, secrets });
    expect(await serve.waitFor("listening")).toMatchObject({ tokenFile: path });
    expect((await ask(serve.port, "/stats", await readToken(serve))).status).toBe(200);
  });

  it("is not AWS_SESSION_TOKEN, and a caller that sends that is told where the log names the token file, but not its path", async () => {
    const { environment, secrets } = await setUp();
    const serve = await startServe({ environment, secrets });
    const { tokenFile } = await serve.waitFor("listening");
    const { status, body } = await ask(serve.port, SECRET_PATH, environment.AWS_SESSION_TOKEN);
    expect(tokenFile).toEqual(expect.any(String));
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({
      __type: "BadToken",
      remedy: expect.stringContaining('log line "listening"'),
    });
    expect(body).not.toContain(tokenFile);
  });

  it("is the configured one, which is not written to a file", async () => {
    const { environment, home, secrets } = await setUp();
    const token = "CANARY-given-token";
    const given = { ...environment, CROSS_ACCOUNT_SECRETS_TOKEN: token };
    const serve = await startServe({ environment: given, secrets: () => [...secrets(), token] });
    expect(await serve.waitFor("listening")).not.toHaveProperty("tokenFile");
    expect((await ask(serve.port, "/stats", token)).status).toBe(200);
    expect(await run("ls", ["-A", home])).toMatchObject({ stdout: "" });
  });

  it("replaces the token file of a killed server", async () => {
    const { environment, secrets } = await setUp();
    const killed = await startServe({ environment, secrets });
    const old = await readToken(killed);
    killed.kill("SIGKILL");
    await killed.ended;
    const serve = await startServe({ environment, secrets, port: killed.port });
    const token = await readToken(serve);
    expect(token).not.toBe(old);
    expect((await ask(serve.port, "/stats", token)).status).toBe(200);
    expect((await ask(serve.port, "/stats", old)).status).toBe(403);
  });
});

describe("a signal to serve", () => {
  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "%s ends it after the request under way, and no new request is accepted",
    async (signal) => {
      const { environment, aws, secrets } = await setUp();
      const serve = await startServe({ environment, secrets });
      const token = await readToken(serve);
      await serve.waitFor("ready");
      aws.fault("GetSecretValue", { kind: "slow", delayMs: 1_000 });
      const answer = ask(serve.port, `${SECRET_PATH}&refreshNow=true`, token);
      await expect.poll(() => aws.count("GetSecretValue")).toBe(2);
      serve.kill(signal);
      await expect.poll(() => ask(serve.port, "/ping").catch(({ code }) => code)).toBe("ECONNREFUSED");
      expect((await answer).status).toBe(200);
      expect(await serve.ended).toBe(0);
      expect(serve.log.at(-1)).toMatchObject({ event: "shutdown", reason: signal, getSecretValueCalls: 2 });
    },
  );

  it("that comes a second time ends it at once and deletes the token file", async () => {
    const { environment, aws, secrets } = await setUp();
    const serve = await startServe({
      environment: { ...environment, CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "60000" },
      secrets,
    });
    const { tokenFile } = await serve.waitFor("listening");
    await serve.waitFor("ready");
    aws.fault("GetSecretValue", { kind: "hang" });
    const answer = ask(serve.port, `${SECRET_PATH}&refreshNow=true`, await readToken(serve)).catch(({ code }) => code);
    await expect.poll(() => aws.count("GetSecretValue")).toBe(2);
    serve.kill("SIGTERM");
    await expect.poll(() => ask(serve.port, "/ping").catch(({ code }) => code)).toBe("ECONNREFUSED");
    serve.kill("SIGTERM");
    expect(await serve.ended).toBe(143);
    expect(await answer).toBe("ECONNRESET");
    expect(existsSync(String(tokenFile))).toBe(false);
  });
});

describe("the credentials of serve", () => {
  it("can come from a profile in AWS's files, with its region", async () => {
    const { environment, withoutKeys, home, secrets } = await setUp();
    const file = join(home, "config");
    writeFileSync(
      file,
      `[profile work]
region = ${environment.AWS_REGION}
aws_access_key_id = ${environment.AWS_ACCESS_KEY_ID}
aws_secret_access_key = ${environment.AWS_SECRET_ACCESS_KEY}
aws_session_token = ${environment.AWS_SESSION_TOKEN}
`,
    );
    const profile = { AWS_CONFIG_FILE: file, AWS_PROFILE: "work", ...without("AWS_REGION", "AWS_DEFAULT_REGION") };
    const serve = await startServe({ environment: { ...withoutKeys, ...profile }, secrets });
    expect(await serve.waitFor("starting")).toMatchObject({ region: environment.AWS_REGION });
    await serve.waitFor("ready");
  });

  it("can come from the role of an instance, and are fetched again if AWS refuses them", async () => {
    const { aws, withoutKeys, secrets } = await setUp();
    let asked = 0;
    // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
    const metadata = await startLocalServer(({ url = "" }, response) => {
      if (url === "/latest/api/token") return void response.end("metadata-token");
      if (url === "/latest/meta-data/iam/security-credentials/") return void response.end("my-instance-role");
      if (url !== "/latest/meta-data/iam/security-credentials/my-instance-role")
        return void response.writeHead(404).end();
      asked += 1;
      // The start checks the first credentials. It calls AWS with the second ones, which AWS refuses.
      const durationSeconds = asked === 2 ? -1 : 3_600;
      const session = aws.issueSession({ roleArn: FUNCTION_ROLE_ARN, durationSeconds });
      const credentials = {
        Code: "Success",
        AccessKeyId: session.accessKeyId,
        SecretAccessKey: session.secretAccessKey,
        Token: session.sessionToken,
        Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      };
      response.end(JSON.stringify(credentials));
    });
    const instance = {
      AWS_EC2_METADATA_DISABLED: undefined,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
    };
    const serve = await startServe({ environment: { ...withoutKeys, ...instance }, secrets });
    await serve.waitFor("ready");
    expect(asked).toBe(3);
  });

  it("stop the start with a remedy if they are missing, and nothing is served", async () => {
    const { withoutKeys, home, secrets } = await setUp();
    const serve = await startServe({ environment: withoutKeys, secrets });
    expect(await serve.ended).toBe(1);
    expect(serve.stderr()).toMatch(
      /^cross-account-secrets serve: there are no AWS credentials on this machine: .*AWS_PROFILE.*\n$/,
    );
    expect(serve.log.map(({ event }) => event)).toEqual(["starting"]);
    expect(await run("ls", ["-A", home])).toMatchObject({ stdout: "" });
  });
});

/** A file of another user can only be made by root. */
const isRoot = process.geteuid?.() === 0;
const NOBODY = 65_534;
/** A token file is read again after a second. */
const UNTIL_NEXT_READ_MS = 1_100;

describe("the token file of serve", () => {
  it("is never read again if serve generated the token: a text that replaces it is not believed", async () => {
    const { environment, home, secrets } = await setUp();
    for (const args of [[], ["--token-file", join(home, "token")]]) {
      const serve = await startServe({ args, environment, secrets });
      const token = await readToken(serve);
      const tokenFile = String((await serve.waitFor("listening")).tokenFile);
      rmSync(tokenFile);
      writeFileSync(tokenFile, "of-somebody-else\n", { mode: 0o600 });
      await delay(UNTIL_NEXT_READ_MS);
      expect((await ask(serve.port, SECRET_PATH, "of-somebody-else")).status).toBe(403);
      expect((await ask(serve.port, SECRET_PATH, token)).status).toBe(200);
    }
  });

  it("is not replaced while its server runs: a second server on another port does not start", async () => {
    const { environment, home, secrets } = await setUp();
    const args = ["--token-file", join(home, "token")];
    const first = await startServe({ args, environment, secrets });
    const token = await readToken(first);
    const second = await startServe({ args, environment, secrets });
    expect(await second.ended).toBe(1);
    expect(second.stderr()).toBe(
      `cross-account-secrets serve: cannot write the token to ${args[1]}: the server on port ${first.port} uses the file; name another file with --token-file, or stop that server\n`,
    );
    expect(await readToken(first)).toBe(token);
    expect((await ask(first.port, SECRET_PATH, token)).status).toBe(200);
  });

  it("is replaced if its server was killed", async () => {
    const { environment, home, secrets } = await setUp();
    const args = ["--token-file", join(home, "token")];
    const first = await startServe({ args, environment, secrets });
    const token = await readToken(first);
    first.kill("SIGKILL");
    await first.ended;
    // Another server on the port does not know the token.
    const other = await startServe({ environment, secrets, port: first.port });
    await other.waitFor("listening");
    const second = await startServe({ args, environment, secrets });
    expect(await readToken(second)).not.toBe(token);
    expect((await ask(second.port, SECRET_PATH, await readToken(second))).status).toBe(200);
  });

  const spoilers: readonly [string, (folder: string) => void][] = [
    ["is open to others", (folder) => chmodSync(folder, 0o755)],
    ["belongs to another user (needs root)", (folder) => chownSync(folder, NOBODY, NOBODY)],
  ];
  it.each(spoilers.slice(0, isRoot ? 2 : 1))("is not written to the default folder if that %s", async (_, spoil) => {
    const { environment, home, secrets } = await setUp();
    const folder = join(home, `cross-account-secrets-${process.geteuid?.()}`);
    mkdirSync(folder, { mode: 0o700 });
    spoil(folder);
    const serve = await startServe({ environment, secrets });
    expect(await serve.ended).toBe(1);
    expect(serve.stderr()).toBe(
      `cross-account-secrets serve: cannot write the token to ${folder}/${serve.port}.token: ${folder} is not a folder that only this user can open; name another file with --token-file, or remove it\n`,
    );
  });

  it("that was given is refused at start if others may write it", async () => {
    const { environment, home } = await setUp();
    const file = join(home, "token");
    writeFileSync(file, "given");
    chmodSync(file, 0o664);
    const given = { ...environment, CROSS_ACCOUNT_SECRETS_TOKEN: `file://${file}` };
    const serve = await startServe({ environment: given });
    expect(await serve.ended).toBe(2);
    expect(serve.stderr()).toMatch(/CROSS_ACCOUNT_SECRETS_TOKEN must be .*writable only by its owner/);
    chmodSync(file, 0o644);
    await (await startServe({ environment: given })).waitFor("listening");
  });

  it.skipIf(!isRoot)("that was given is not believed after another user replaced it (needs root)", async () => {
    const { environment, home, secrets } = await setUp();
    const file = join(home, "token");
    writeFileSync(file, "given", { mode: 0o600 });
    const serve = await startServe({ environment: { ...environment, AWS_TOKEN: `file://${file}` }, secrets });
    await serve.waitFor("listening");
    writeFileSync(join(home, "other"), "of-somebody-else", { mode: 0o600 });
    chownSync(join(home, "other"), NOBODY, NOBODY);
    renameSync(join(home, "other"), file);
    await delay(UNTIL_NEXT_READ_MS);
    expect((await ask(serve.port, SECRET_PATH, "of-somebody-else")).status).toBe(403);
    expect((await ask(serve.port, SECRET_PATH, "given")).status).toBe(200);
  });
});

describe("serve does not start", () => {
  test("if the port is in use: it names the port, and does not change the token of the other server", async () => {
    const { environment, secrets } = await setUp();
    const first = await startServe({ environment, secrets });
    const token = await readToken(first);
    const second = await startServe({ environment, secrets, port: first.port });
    expect(await second.ended).toBe(1);
    expect(second.stderr()).toMatch(
      new RegExp(`^cross-account-secrets serve: port ${first.port} on 127.0.0.1 is taken; .*HTTP_PORT\n$`),
    );
    expect(await readToken(first)).toBe(token);
  });

  test("if settings are invalid: it names all of them", async () => {
    const { environment } = await setUp();
    const wrong = { CROSS_ACCOUNT_SECRETS_ROLE_ARN: "SecretReader", CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "5m" };
    const serve = await startServe({ environment: { ...environment, ...wrong } });
    expect(await serve.ended).toBe(2);
    expect(serve.stderr()).toMatch(/^cross-account-secrets serve: CROSS_ACCOUNT_SECRETS_ROLE_ARN must be the ARN/);
    expect(serve.stderr()).toMatch(/^ {2}CROSS_ACCOUNT_SECRETS_TTL_SECONDS must be /m);
    expect(serve.log).toEqual([]);
  });

  test("if there is no region", async () => {
    const { environment } = await setUp();
    const serve = await startServe({ environment: { ...environment, ...without("AWS_REGION", "AWS_DEFAULT_REGION") } });
    expect(await serve.ended).toBe(2);
    expect(serve.stderr()).toBe(
      "cross-account-secrets serve: there is no region: give --region, or set AWS_REGION, or region in the AWS profile\n",
    );
  });

  test("if the token file is an existing file, which it does not change", async () => {
    const { environment, home } = await setUp();
    const path = join(home, "precious");
    writeFileSync(path, "precious");
    const serve = await startServe({ args: ["--token-file", path], environment });
    expect(await serve.ended).toBe(1);
    expect(serve.stderr()).toMatch(`cannot write the token to ${path}`);
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test("if CROSS_ACCOUNT_SECRETS_ENABLED is false", async () => {
    const { environment } = await setUp();
    const serve = await startServe({ environment: { ...environment, CROSS_ACCOUNT_SECRETS_ENABLED: "false" } });
    expect(await serve.ended).toBe(2);
    expect(serve.stderr()).toMatch("CROSS_ACCOUNT_SECRETS_ENABLED is false");
  });

  test("if the role is denied and INIT_ERROR is fail; otherwise requests get the failure", async () => {
    const { aws, environment, secrets } = await setUp();
    aws.changeRole(TARGET_ROLE_ARN, { trusts: [] });
    const serve = await startServe({ environment, secrets });
    expect(await serve.waitFor("not-ready")).toMatchObject({ message: expect.stringMatching(/^AssumeRole of /) });
    expect((await ask(serve.port, SECRET_PATH, await readToken(serve))).status).toBe(403);

    const strict = { ...environment, CROSS_ACCOUNT_SECRETS_INIT_ERROR: "fail" };
    const failing = await startServe({ environment: strict, secrets });
    expect(await failing.ended).toBe(1);
    expect(failing.log.at(-1)).toMatchObject({ event: "shutdown", reason: "failed" });
  });
});

describe("serve --fake", () => {
  async function startFake(secrets: object | string) {
    const home = createTempFolder();
    const file = join(home, "secrets.json");
    const write = (content: object | string) =>
      writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    write(secrets);
    const serve = await startServe({ args: ["--fake", file], environment: { XDG_RUNTIME_DIR: home } });
    return { serve, file, write };
  }

  it("serves the secrets and parameters of a file without AWS, and logs a warning", async () => {
    const { serve, file } = await startFake({
      [SECRET_NAME]: { password: "p" },
      "/app/host": "db.example",
      plain: "text",
    });
    expect(await serve.waitFor("fake")).toMatchObject({ level: "warn", message: expect.stringContaining(file) });
    const token = await readToken(serve);
    const read = async (path: string) => (await ask(serve.port, path, token)).body;
    expect(await read(`/secrets/${SECRET_NAME}?key=password`)).toBe("p");
    expect(await read("/secrets/plain")).toBe("text");
    expect(JSON.parse(await read(SECRET_PATH))).toMatchObject({ Name: SECRET_NAME, SecretString: '{"password":"p"}' });
    const parameter = JSON.parse(await read("/systemsmanager/parameters/get?name=%2Fapp%2Fhost")).Parameter;
    expect(parameter).toMatchObject({ Name: "/app/host", Value: "db.example" });
    expect(JSON.parse(await read("/secrets/missing"))).toMatchObject({ __type: "ResourceNotFoundException" });
  });

  it("serves a changed value after refreshNow, as after a rotation", async () => {
    const { serve, write } = await startFake({ s: "old" });
    const token = await readToken(serve);
    expect((await ask(serve.port, "/secrets/s", token)).body).toBe("old");
    write({ s: "new" });
    expect((await ask(serve.port, "/secrets/s", token)).body).toBe("old");
    expect((await ask(serve.port, "/secrets/s?refreshNow=true", token)).body).toBe("new");
  });

  it.each([
    ["[]", "is not a JSON object in UTF-8"],
    ["{", "is not a JSON object in UTF-8"],
    ['"CANARY"', "is not a JSON object in UTF-8"],
  ])("refuses a file that holds %j, and does not quote it", async (content, why) => {
    const { serve, file } = await startFake(content);
    expect(await serve.ended).toBe(2);
    expect(serve.stderr()).toBe(`cross-account-secrets serve: --fake ${file} ${why}, {"name": "value" or {…}, …}\n`);
  });

  it("refuses a file that does not exist", async () => {
    const serve = await startServe({ args: ["--fake", "/nonexistent.json"] });
    expect(await serve.ended).toBe(2);
    expect(serve.stderr()).toMatch("--fake /nonexistent.json cannot be read (ENOENT)");
  });
});
