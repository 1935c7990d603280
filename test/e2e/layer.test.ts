/** The built layer in Lambda's own emulator, with Lambda's own runtime client, against moto and against the fake AWS. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { startBench } from "../support/bench.ts";
import { findFreePort } from "../support/free-port.ts";
import { expectHappyPath, KEYS } from "../support/happy-path.ts";
import { findEvents } from "../support/log.ts";
import {
  createCanary,
  listSecrets,
  SECRET_NAME,
  startTwoAccounts,
  type TwoAccounts,
  toKeys,
} from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { endWithoutLeaks } from "./support/environment.ts";
import { FORBIDDEN_ROLE_ARN, type Moto, startMoto } from "./support/moto.ts";
import { provided, python, type Runtime, withNode } from "./support/runtimes.ts";
import { type Sandbox, startRie } from "./support/sandbox.ts";

const toFolder = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

interface LayerFunction {
  readonly task: string;
  readonly runtime: () => Runtime;
}
/** The functions of `examples/`, and a function that runs the shell command in its event. */
const functions = {
  Python: { task: toFolder("examples/python"), runtime: () => python("app.handler") },
  "sh and curl": { task: toFolder("examples/bash"), runtime: () => provided },
  shell: { task: toFolder("test/fixtures/bench/python"), runtime: () => python("app.handler") },
} as const satisfies Record<string, LayerFunction>;

interface EnvironmentOptions {
  readonly layer?: LayerName;
  readonly function?: keyof typeof functions;
  readonly environment: Readonly<Record<string, string>>;
  /** The secrets that no line and no file may contain. */
  readonly secrets: () => readonly string[];
}

/** Starts an execution environment with the layer. It ends with the test, which fails if a secret leaked. */
async function startEnvironment(
  options: EnvironmentOptions,
): Promise<Sandbox & { events(event: string): Readonly<Record<string, unknown>>[] }> {
  const { layer = "x86_64", environment } = options;
  const { task, runtime } = functions[options.function ?? "Python"];
  const onNode = layer === "nodejs" ? withNode(runtime()) : runtime();
  const sandbox = await startRie({ opt: toOpt(layer), task, runtime: onNode, environment });
  endWithoutLeaks(sandbox, options.secrets);
  return Object.assign(sandbox, { events: (event: string) => findEvents(sandbox.logs, event) });
}

/** Starts a fake AWS for one test, and chooses a port. */
async function startFakeAccounts(): Promise<TwoAccounts & { secrets(): readonly string[] }> {
  const accounts = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  const port = String(await findFreePort());
  return {
    ...accounts,
    environment: { ...accounts.environment, CROSS_ACCOUNT_SECRETS_HTTP_PORT: port },
    secrets: () => listSecrets(accounts),
  };
}

const toSubject = (sandbox: Sandbox, aws: { count(operation: string): number }) => ({
  invoke: async () => JSON.parse((await sandbox.invoke()).body),
  shutdown: async () => {
    const { exitCode, ms } = await sandbox.shutdown();
    expect(exitCode).toBe(0);
    expect(ms).toBeLessThan(1_500);
    expect(sandbox.logs.filter(({ text }) => text.includes("Killing it"))).toEqual([]);
  },
  count: (operation: "AssumeRole" | "GetSecretValue") => aws.count(operation),
});

/** Long-term keys have no session token, and a template's unset variables are empty strings. */
const SAM_LOCAL = { AWS_SESSION_TOKEN: "", AWS_SAM_LOCAL: "true", CROSS_ACCOUNT_SECRETS_EXTERNAL_ID: "" };

const layers: readonly LayerName[] = ["x86_64", "nodejs"];
const languages = ["Python", "sh and curl"] as const;

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  describe("with moto as AWS", () => {
    const canaries = [createCanary(), createCanary()];
    let moto: Moto;
    beforeAll(async () => {
      const [username, password] = canaries;
      moto = await startMoto({ secrets: { [SECRET_NAME]: JSON.stringify({ username, password }) } });
    });
    afterAll(() => moto.close());
    const secrets = () => [...canaries, ...moto.userKeys.secretAccessKey, ...toKeys(moto.listCredentials())];

    for (const layer of layers) {
      it.each(languages)(
        `the ${layer} layer serves the secret to a function in %s on the default port`,
        async (language) => {
          moto.calls.length = 0;
          const sandbox = await startEnvironment({ layer, function: language, environment: moto.environment, secrets });
          await expectHappyPath(toSubject(sandbox, moto));
          expect(sandbox.events("shutdown")).toMatchObject([{ reason: "SandboxTerminated" }]);
        },
      );
    }

    it("the layer works with the long-term keys of sam local and a token in CROSS_ACCOUNT_SECRETS_TOKEN", async () => {
      moto.calls.length = 0;
      const environment = {
        ...moto.environment,
        AWS_ACCESS_KEY_ID: moto.userKeys.accessKeyId,
        AWS_SECRET_ACCESS_KEY: moto.userKeys.secretAccessKey,
        ...SAM_LOCAL,
        CROSS_ACCOUNT_SECRETS_TOKEN: "a-token-for-local-tests",
      };
      const sandbox = await startEnvironment({ environment, secrets });
      await expectHappyPath(toSubject(sandbox, moto));
    });

    it("the init succeeds and the function gets AccessDeniedException if its role may not assume the target role", async () => {
      const environment = {
        ...moto.environment,
        CROSS_ACCOUNT_SECRETS_ROLE_ARN: FORBIDDEN_ROLE_ARN,
      };
      const sandbox = await startEnvironment({ environment, secrets });
      const { init, handler } = JSON.parse((await sandbox.invoke()).body);
      expect(init.error).toMatch(/^403 AccessDeniedException: AssumeRole of .*Forbidden/);
      expect(handler.error).toMatch(/^403 AccessDeniedException: AssumeRole of .*Forbidden/);
    });
  });

  describe("with the fake AWS", () => {
    it.each(languages)("the layer serves the secret to a function in %s", async (language) => {
      const accounts = await startFakeAccounts();
      const sandbox = await startEnvironment({ function: language, ...accounts });
      await expectHappyPath(toSubject(sandbox, accounts.aws));
    });

    it.each([
      ["denies", { kind: "deny" }, /^403 AccessDeniedException/],
      ["hangs", { kind: "hang" }, /^504 TimeoutError/],
      ["resets connections", { kind: "reset" }, /^503 ConnectionError/],
    ] as const)("the function runs and gets the reason when STS %s", async (_, fault, expected) => {
      const accounts = await startFakeAccounts();
      accounts.aws.fault("AssumeRole", fault);
      const environment = { ...accounts.environment, CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "1000" };
      const sandbox = await startEnvironment({ ...accounts, environment });
      const { status, body, ms } = await sandbox.invoke();
      expect(status).toBe(200);
      expect(JSON.parse(body)).toMatchObject({
        init: { error: expect.stringMatching(expected) },
        handler: { error: expect.stringMatching(expected) },
      });
      // Static code and handler each wait at most TIMEOUT_MS, in addition to the cold start.
      expect(ms).toBeLessThan(5_000);
    });

    it("a denied AssumeRole fails the init with INIT_ERROR=fail, and a later invocation does init again", async () => {
      const accounts = await startFakeAccounts();
      accounts.aws.fault("AssumeRole", { kind: "deny" }, { times: 1 });
      const environment = { ...accounts.environment, CROSS_ACCOUNT_SECRETS_INIT_ERROR: "fail" };
      const sandbox = await startEnvironment({ ...accounts, environment });
      expect((await sandbox.invoke()).status).toBe(502);
      await sandbox.waitForLog(/Extension\.PrefetchFailed/);
      // The emulator loses one more invocation than Lambda: it does the second init before it has cleaned up the first.
      const answers = [await sandbox.invoke(), await sandbox.invoke()].map(({ body }) => body);
      expect(answers.map((body) => body && JSON.parse(body))).toContainEqual({ init: KEYS, handler: KEYS });
    });

    it("a function that timed out while STS did not answer can be invoked three more times", async () => {
      const accounts = await startFakeAccounts();
      accounts.aws.fault("AssumeRole", { kind: "hang" });
      const environment = { ...accounts.environment, AWS_LAMBDA_FUNCTION_TIMEOUT: "3" };
      const sandbox = await startEnvironment({ ...accounts, function: "shell", environment });
      expect((await sandbox.invoke({ command: "sleep 10" })).body).toMatch(/timed out after 3\.00 seconds/);
      for (let invocation = 1; invocation <= 3; invocation += 1) {
        const { status, body } = await sandbox.invoke({ command: "echo well" });
        expect([status, JSON.parse(body).output]).toEqual([200, "well"]);
      }
    });

    describe("the layer serves the secret despite the function's own settings or files in /tmp:", () => {
      const hostile: Record<string, string> = {
        NODE_OPTIONS: "--require=/nope.js",
        NODE_PATH: "/nope",
        NODE_DEBUG: "net,tls,http",
        NODE_TLS_REJECT_UNAUTHORIZED: "0",
        NODE_UNIQUE_ID: "1",
        LD_PRELOAD: "/nope.so",
        LD_LIBRARY_PATH: "/tmp/lib",
        OPENSSL_CONF: "/nope.cnf",
        AWS_DEFAULTS_MODE: "x",
        AWS_PROFILE: "nope",
        AWS_CONFIG_FILE: "/tmp/.aws/config",
        HOME: "/tmp",
      };

      // In every sandbox, the root file system is read-only, and the user has no entry in /etc/passwd.
      it.each([...Object.keys(hostile), "all together"])("%s", async (name) => {
        const accounts = await startFakeAccounts();
        const own = name === "all together" ? hostile : { [name]: hostile[name] ?? "" };
        // Not Python, because that library would break its runtime client.
        const options = {
          ...accounts,
          function: "sh and curl",
          environment: { ...accounts.environment, ...own },
        } as const;
        const sandbox = await startEnvironment(options);
        mkdirSync(join(sandbox.tmp, ".aws"));
        writeFileSync(join(sandbox.tmp, ".aws/config"), "[default]\nendpoint_url = http://127.0.0.1:9\n");
        mkdirSync(join(sandbox.tmp, "lib"));
        writeFileSync(join(sandbox.tmp, "lib/libstdc++.so.6"), "not a library");
        await expectHappyPath(toSubject(sandbox, accounts.aws));
      });

      it("a full /tmp", async () => {
        const bench = await startBench({ layer: "x86_64" });
        // There is no space for a further byte or a further file, even an empty one.
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "tmpfs", bench.lambda.tempFolder]);
        onTestFinished(() => void execFileSync("umount", [bench.lambda.tempFolder]));
        writeFileSync(join(bench.lambda.tempFolder, "filler"), "x".repeat(4_096));
        expect(() => writeFileSync(join(bench.lambda.tempFolder, "more"), "")).toThrow(/ENOSPC/);
        await bench.lambda.init();
        expect((await bench.askForSecret()).status).toBe(200);
        expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
      });

      it("a read-only /tmp", async () => {
        const accounts = await startFakeAccounts();
        const sandbox = await startEnvironment(accounts);
        chmodSync(sandbox.tmp, 0o555);
        await expectHappyPath(toSubject(sandbox, accounts.aws));
      });
    });

    it("a port in use fails the init, and the log names the port and the usual cause", async () => {
      const accounts = await startFakeAccounts();
      const occupant = createServer();
      const port = Number(accounts.environment.CROSS_ACCOUNT_SECRETS_HTTP_PORT);
      await new Promise<void>((resolve) => occupant.listen(port, "127.0.0.1", resolve));
      onTestFinished(() => void occupant.close());
      const sandbox = await startEnvironment(accounts);
      expect((await sandbox.invoke()).status).toBe(502);
      await sandbox.waitForLog(new RegExp(`"port ${port} on 127\\.0\\.0\\.1 is taken; most often by AWS's own`));
    });

    it("four mistakes in the configuration fail the init, with one log line for each", async () => {
      const accounts = await startFakeAccounts();
      const environment = {
        ...accounts.environment,
        CROSS_ACCOUNT_SECRETS_ROLE_ARN: "SecretReader",
        CROSS_ACCOUNT_SECRETS_SECRET_IDS: "my-shared-secret-*",
        CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "5m",
        CROSS_ACCOUNT_SECRETS_TIMEOUT_M: "2500",
      };
      const sandbox = await startEnvironment({ ...accounts, environment });
      expect((await sandbox.invoke()).status).toBe(502);
      for (const name of ["ROLE_ARN", "SECRET_IDS", "TTL_SECONDS", "TIMEOUT_M"]) {
        await sandbox.waitForLog(new RegExp(`CROSS_ACCOUNT_SECRETS_${name} must be .*; got `));
      }
    });

    it("a missing session token, as in sam local, fails the init, and the log says which variable to set", async () => {
      const accounts = await startFakeAccounts();
      const sandbox = await startEnvironment({ ...accounts, environment: { ...accounts.environment, ...SAM_LOCAL } });
      expect((await sandbox.invoke()).status).toBe(502);
      await sandbox.waitForLog(/CROSS_ACCOUNT_SECRETS_TOKEN must be .*sam local/);
    });
  });
});
