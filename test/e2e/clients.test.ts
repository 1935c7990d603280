/**
 * Published clients of AWS's own extension, unchanged, with this layer instead of AWS's. The variables are those that users of
 * AWS's extension set, plus the role's ARN.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import type { NewParameter } from "../fakes/aws.ts";
import { findLeaks } from "../support/canary.ts";
import { findFreePort } from "../support/free-port.ts";
import {
  createCanary,
  FUNCTION_ROLE_ARN,
  listSecrets,
  REGION,
  SECRET_NAME,
  startTwoAccounts,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
  type TwoAccounts,
} from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { clients, type PublishedClient } from "./support/clients.ts";
import { endWithoutLeaks, prepareAll } from "./support/environment.ts";
import { startRie } from "./support/sandbox.ts";
import type { RunnableFunction } from "./support/toolchains.ts";

/** For the first run, which compiles on two cores. A second run reuses all results. */
const SET_UP_MS = 600_000;

/** The variables that the CDK sets, each with its default. */
const EXTENSION_VARIABLES = {
  PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED: "TRUE",
  PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE: "1000",
  PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL: "INFO",
  PARAMETERS_SECRETS_EXTENSION_MAX_CONNECTIONS: "3",
  SECRETS_MANAGER_TIMEOUT_MILLIS: "0",
  SECRETS_MANAGER_TTL: "300",
  SSM_PARAMETER_STORE_TIMEOUT_MILLIS: "0",
  SSM_PARAMETER_STORE_TTL: "300",
};

/** The parameter that the static code of every function reads, if its client reads parameters. */
const PARAMETER_NAME = "/app/database/host";

/** What a function answers for a secret or a parameter. */
type ReadResult = { readonly sha256: string } | { readonly error: string };
interface ReadResults {
  readonly init: { readonly secret: ReadResult; readonly parameter?: ReadResult };
  readonly handler: ReadResult;
}
type ReadRequest =
  | { readonly secretId: string }
  | { readonly parameterName: string; readonly withDecryption?: boolean };

interface ClientEnvironment {
  readonly accounts: TwoAccounts;
  createSecret(name: string, value: string | Uint8Array): string;
  createParameter(name: string, parameter: Pick<NewParameter, "type" | "value">): string;
  read(request: ReadRequest): Promise<ReadResults>;
}

const toReadResult = (value: string | undefined): ReadResult => ({
  sha256: createHash("sha256")
    .update(value ?? "")
    .digest("hex"),
});

/** Starts an environment that ends with the test, which fails if a secret leaked. */
async function startEnvironment({ task, runtime }: RunnableFunction): Promise<ClientEnvironment> {
  const accounts = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  const { aws } = accounts;
  const place = { account: TARGET_ACCOUNT, region: REGION };
  aws.changeRole(TARGET_ROLE_ARN, { trusts: [FUNCTION_ROLE_ARN], readableSecrets: "any", readableParameters: "any" });
  aws.createParameter({ ...place, name: PARAMETER_NAME, value: accounts.canaries[0] ?? "" });
  const unset = ["CROSS_ACCOUNT_SECRETS_SECRET_IDS", "CROSS_ACCOUNT_SECRETS_LOG_LEVEL"];
  const environment = {
    ...Object.fromEntries(Object.entries(accounts.environment).filter(([name]) => !unset.includes(name))),
    ...EXTENSION_VARIABLES,
    PARAMETER_NAME,
    PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: String(await findFreePort()),
    AWS_LAMBDA_FUNCTION_TIMEOUT: "30",
    LAMBDA_TASK_ROOT: "/var/task",
  };
  const sandbox = await startRie({ opt: toOpt("x86_64"), task, runtime, environment });
  const secrets = () => listSecrets(accounts);
  endWithoutLeaks(sandbox, secrets);
  return {
    accounts,
    createSecret(name, value) {
      const content = typeof value === "string" ? { secretString: value } : { secretBinary: value };
      return aws.createSecret({ ...place, name, ...content }).arn;
    },
    createParameter: (name, parameter) => aws.createParameter({ ...place, name, ...parameter }).arn,
    async read(request) {
      const { status, body } = await sandbox.invoke(request);
      if (status !== 200)
        throw new Error(`the function answered ${status}:\n${sandbox.logs.map(({ text }) => text).join("\n")}`);
      expect(findLeaks(new Map([["answer", body]]), secrets())).toEqual([]);
      return JSON.parse(body);
    },
  };
}

describe.skipIf(unavailable)("with this layer instead of AWS's extension,", () => {
  const findPrepared = prepareAll(clients, SET_UP_MS);
  const start = (name: string): Promise<ClientEnvironment> => startEnvironment(findPrepared(name));

  for (const client of clients) {
    const { name, missing, triesOn400, nullStringResult } = client;
    const title = toTitle(client);

    it.skipIf(missing)(`${title} reads a secret in init and in three invocations for one request to AWS`, async () => {
      const { accounts, read } = await start(name);
      const [username, password] = accounts.canaries;
      const reading = toReadResult(JSON.stringify({ username, password }));
      for (let invocation = 1; invocation <= 3; invocation += 1) {
        const { init, handler } = await read({ secretId: SECRET_NAME });
        expect([init.secret, handler]).toEqual([reading, reading]);
      }
      expect(accounts.aws.count("AssumeRole")).toBe(1);
      expect(accounts.aws.count("GetSecretValue")).toBe(1);
    });

    it.skipIf(missing)(`${title} reads secrets with any text, by name and by ARN`, async () => {
      const { accounts, createSecret, read } = await start(name);
      const [canary = ""] = accounts.canaries;
      const texts = {
        password: canary,
        "team/app/credentials": JSON.stringify({
          'Zoë\'s "key"': `${canary} \\ <&> \u2028 密码 🔑`,
          nested: { a: [1, null] },
        }),
        "a.b-c_d=e@f/0123456789": `${canary}\r\n\t"\\u0041" {not JSON`,
        large: canary.padEnd(65_536, "e"),
      };
      for (const [secretId, text] of Object.entries(texts)) {
        const arn = createSecret(secretId, text);
        expect((await read({ secretId })).handler, secretId).toEqual(toReadResult(text));
        expect((await read({ secretId: arn })).handler, arn).toEqual(toReadResult(text));
      }
      expect(accounts.aws.count("AssumeRole")).toBe(1);
    });

    it.skipIf(missing)(`${title} finds no text in a binary secret`, async () => {
      const { createSecret, read } = await start(name);
      createSecret("binary", Buffer.from([0, 255, 10]));
      const { handler } = await read({ secretId: "binary" });
      if ("value" in nullStringResult) expect(handler).toEqual(toReadResult(nullStringResult.value));
      else expect(handler).toEqual({ error: expect.stringMatching(nullStringResult.error) });
    });

    it.skipIf(missing)(`${title} does not retry if a secret is denied or missing`, async () => {
      const { accounts, createSecret, read } = await start(name);
      createSecret("denied", createCanary());
      accounts.aws.fault("GetSecretValue", { kind: "deny" }, { secretId: "denied" });
      expect((await read({ secretId: "denied" })).handler).toEqual({ error: expect.stringMatching(/\b403\b/) });
      expect((await read({ secretId: "missing" })).handler).toEqual({ error: expect.stringMatching(/\b404\b/) });
      // One is from the static code. The denied secret is tried with the stage, too.
      expect(accounts.aws.count("GetSecretValue")).toBe(4);
    });

    it.skipIf(missing)(`${title} gives up after its retries if a secret is marked for deletion`, async () => {
      const { accounts, createSecret, read } = await start(name);
      accounts.aws.markForDeletion(createSecret("deleted", createCanary()));
      const retried = triesOn400 > 1 ? `giving up after ${triesOn400} attempt` : "\\b400\\b";
      expect((await read({ secretId: "deleted" })).handler).toEqual({ error: expect.stringMatching(retried) });
      expect(accounts.aws.count("GetSecretValue")).toBe(2); // the extension caches the failure
    });
  }

  for (const client of clients.filter(({ readsParameters }) => readsParameters)) {
    const { name, missing } = client;
    const title = toTitle(client);

    it.skipIf(missing)(
      `${title} reads a parameter in init and in three invocations for one request to AWS`,
      async () => {
        const { accounts, read } = await start(name);
        const reading = toReadResult(accounts.canaries[0]);
        for (let invocation = 1; invocation <= 3; invocation += 1) {
          const { init, handler } = await read({ parameterName: PARAMETER_NAME });
          expect([init.parameter, handler]).toEqual([reading, reading]);
        }
        expect(accounts.aws.count("AssumeRole")).toBe(1);
        expect(accounts.aws.count("GetParameter")).toBe(1);
      },
    );

    it.skipIf(missing)(`${title} reads parameters of every type, by name and by ARN`, async () => {
      const { accounts, createParameter, read } = await start(name);
      const [canary = "", other = ""] = accounts.canaries;
      const parameters = {
        plain: { type: "String", value: `${canary} "Zoë" \\ <&> \u2028 密码 🔑\r\n\t{not JSON` },
        "/team/app/hosts": { type: "StringList", value: `${canary},${other}` },
        "/team/a.b-c_d/0123456789": { type: "SecureString", value: canary.padEnd(4_096, "e") },
      } as const;
      for (const [parameterName, parameter] of Object.entries(parameters)) {
        const arn = createParameter(parameterName, parameter);
        const withDecryption = parameter.type === "SecureString";
        const reading = toReadResult(parameter.value);
        expect((await read({ parameterName, withDecryption })).handler, parameterName).toEqual(reading);
        expect((await read({ parameterName: arn, withDecryption })).handler, arn).toEqual(reading);
      }
    });

    it.skipIf(missing)(`${title} gets a ciphertext if it does not ask for decryption`, async () => {
      const { accounts, createParameter, read } = await start(name);
      const [value = ""] = accounts.canaries;
      createParameter("/secure", { type: "SecureString", value });
      const { handler } = await read({ parameterName: "/secure" });
      expect(handler).toEqual({ sha256: expect.any(String) });
      expect(handler).not.toEqual(toReadResult(value));
      expect((await read({ parameterName: "/secure", withDecryption: true })).handler).toEqual(toReadResult(value));
    });

    it.skipIf(missing)(`${title} does not retry if a parameter is denied or missing`, async () => {
      const { accounts, createParameter, read } = await start(name);
      createParameter("/denied", { value: createCanary() });
      accounts.aws.changeRole(TARGET_ROLE_ARN, {
        trusts: [FUNCTION_ROLE_ARN],
        readableParameters: ["/missing"],
      });
      expect((await read({ parameterName: "/denied" })).handler).toEqual({ error: expect.stringMatching(/\b403\b/) });
      expect((await read({ parameterName: "/missing" })).handler).toEqual({ error: expect.stringMatching(/\b404\b/) });
      expect(accounts.aws.count("GetParameter")).toBe(3); // one of them is from the static code
    });
  }
});

const toTitle = ({ name, language, missing }: PublishedClient): string =>
  `${name} (${language})${missing === undefined ? "" : ` (needs ${missing})`}`;

describe("README.md", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const section = /\n## HTTP interface\n(.*?)\n## /s.exec(readme)?.[1] ?? "";

  it.each(clients)("lists the client $name with the version in its lock file", (client) => {
    const { name, url, version, language, licence, lockFile } = client;
    expect(section.replaceAll("\n", " ")).toContain(`[${name}](${url}) ${version} (${language}, ${licence})`);
    expect(readFileSync(lockFile, "utf8")).toMatch(toPin(client));
  });
});

/** Matches the entry of a client in its lock file, with the hash. */
function toPin({ name, version }: PublishedClient): RegExp {
  const forms = [
    `\\b${name} ${version} h1:`,
    `"${name}"\nversion = "${version}"\nsource = "registry.*\nchecksum = `,
    `"node_modules/${name}": \\{\n +"version": "${version}",\n +"integrity": "sha512-`,
  ];
  return new RegExp(forms.join("|"));
}
