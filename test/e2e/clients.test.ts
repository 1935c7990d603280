/**
 * Published clients of AWS's own extension, unchanged, with this layer in its place: the variables are those that its users set,
 * and the role's ARN is the only one of ours.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import type { NewParameter } from "../fakes/aws/parameters.ts";
import { findLeaks } from "../support/canary.ts";
import { findFreePort } from "../support/free-port.ts";
import {
  createCanary,
  FUNCTION_ROLE_ARN,
  REGION,
  SECRET_NAME,
  startTwoAccounts,
  TARGET_ROLE_ARN,
  type TwoAccounts,
} from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { type Client, clients } from "./support/clients.ts";
import { endWithoutLeaks, secretsOf } from "./support/leaks.ts";
import { startRie } from "./support/sandbox.ts";
import type { RunnableFunction } from "./support/toolchains.ts";

/** Cold, with compilers at work on two cores; a second run finds everything made. */
const SET_UP_MS = 600_000;

/** As the CDK sets them, each to its default. */
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

/** What every function's static code reads, if its client reads parameters. */
const PARAMETER_NAME = "/app/database/host";

/** What a function says of a secret or a parameter. */
type Reading = { readonly sha256: string } | { readonly error: string };
interface Readings {
  readonly init: { readonly secret: Reading; readonly parameter?: Reading };
  readonly handler: Reading;
}
type Asked = { readonly secretId: string } | { readonly parameterName: string; readonly withDecryption?: boolean };

interface Environment {
  readonly accounts: TwoAccounts;
  createSecret(name: string, value: string | Uint8Array): string;
  createParameter(name: string, parameter: Pick<NewParameter, "type" | "value">): string;
  read(asked: Asked): Promise<Readings>;
}

const toReading = (value: string | undefined): Reading => ({
  sha256: createHash("sha256")
    .update(value ?? "")
    .digest("hex"),
});

/** Ends with the test, which fails if a secret got out anywhere. */
async function startEnvironment({ task, runtime }: RunnableFunction): Promise<Environment> {
  const accounts = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  const { aws } = accounts;
  const place = { account: "111111111111", region: REGION };
  aws.changeRole(TARGET_ROLE_ARN, { trusts: [FUNCTION_ROLE_ARN], readableSecrets: "any", readableParameters: "any" });
  aws.createParameter({ ...place, name: PARAMETER_NAME, value: accounts.canaries[0] ?? "" });
  const ours = ["CROSS_ACCOUNT_SECRETS_SECRET_IDS", "CROSS_ACCOUNT_SECRETS_LOG_LEVEL"];
  const environment = {
    ...Object.fromEntries(Object.entries(accounts.environment).filter(([name]) => !ours.includes(name))),
    ...EXTENSION_VARIABLES,
    PARAMETER_NAME,
    PARAMETERS_SECRETS_EXTENSION_HTTP_PORT: String(await findFreePort()),
    AWS_LAMBDA_FUNCTION_TIMEOUT: "30",
    LAMBDA_TASK_ROOT: "/var/task",
  };
  const sandbox = await startRie({ opt: toOpt("x86_64"), task, runtime, environment });
  const secrets = () => secretsOf(accounts);
  endWithoutLeaks(sandbox, secrets);
  return {
    accounts,
    createSecret(name, value) {
      const content = typeof value === "string" ? { secretString: value } : { secretBinary: value };
      return aws.createSecret({ ...place, name, ...content }).arn;
    },
    createParameter: (name, parameter) => aws.createParameter({ ...place, name, ...parameter }).arn,
    async read(asked) {
      const { status, body } = await sandbox.invoke(asked);
      if (status !== 200) throw new Error(`answered ${status}:\n${sandbox.logs.map(({ text }) => text).join("\n")}`);
      expect(findLeaks(new Map([["answer", body]]), secrets())).toEqual([]);
      return JSON.parse(body);
    },
  };
}

describe.skipIf(unavailable)("where AWS's extension was,", () => {
  const prepared = new Map<string, RunnableFunction | Error>();
  beforeAll(async () => {
    const preparations = clients.map(async ({ name, missing, prepare }) => {
      if (missing !== undefined) return;
      prepared.set(name, await prepare().catch((error: unknown) => new Error("set-up failed", { cause: error })));
    });
    await Promise.all(preparations);
  }, SET_UP_MS);

  const start = (name: string): Promise<Environment> => {
    const found = prepared.get(name);
    if (found === undefined || found instanceof Error) throw found ?? new Error("not prepared");
    return startEnvironment(found);
  };

  for (const client of clients) {
    const { name, missing, triesOn400, ofNoString } = client;
    const title = toTitle(client);

    it.skipIf(missing)(`${title} reads a secret, whenever and however often, for one request to AWS`, async () => {
      const { accounts, read } = await start(name);
      const [username, password] = accounts.canaries;
      const reading = toReading(JSON.stringify({ username, password }));
      for (let invocation = 1; invocation <= 3; invocation += 1) {
        const { init, handler } = await read({ secretId: SECRET_NAME });
        expect([init.secret, handler]).toEqual([reading, reading]);
      }
      expect(accounts.aws.count("AssumeRole")).toBe(1);
      expect(accounts.aws.count("GetSecretValue")).toBe(1);
    });

    it.skipIf(missing)(`${title} reads whatever text a secret may be, under whatever id`, async () => {
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
        expect((await read({ secretId })).handler, secretId).toEqual(toReading(text));
        expect((await read({ secretId: arn })).handler, arn).toEqual(toReading(text));
      }
      expect(accounts.aws.count("AssumeRole")).toBe(1);
    });

    it.skipIf(missing)(`${title} finds no text in a binary secret`, async () => {
      const { createSecret, read } = await start(name);
      createSecret("binary", Buffer.from([0, 255, 10]));
      const { handler } = await read({ secretId: "binary" });
      if ("value" in ofNoString) expect(handler).toEqual(toReading(ofNoString.value));
      else expect(handler).toEqual({ error: expect.stringMatching(ofNoString.error) });
    });

    it.skipIf(missing)(`${title} gives up at once where a secret is denied or missing`, async () => {
      const { accounts, createSecret, read } = await start(name);
      createSecret("denied", createCanary());
      accounts.aws.fault("GetSecretValue", { kind: "deny" }, { secretId: "denied" });
      expect((await read({ secretId: "denied" })).handler).toEqual({ error: expect.stringMatching(/\b403\b/) });
      expect((await read({ secretId: "missing" })).handler).toEqual({ error: expect.stringMatching(/\b404\b/) });
      expect(accounts.aws.count("GetSecretValue")).toBe(3); // one of them is the static code's
    });

    it.skipIf(missing)(`${title} gives up in the end where AWS has an error of the caller's own`, async () => {
      const { accounts, createSecret, read } = await start(name);
      accounts.aws.markForDeletion(createSecret("deleted", createCanary()));
      const retried = triesOn400 > 1 ? `giving up after ${triesOn400} attempt` : "\\b400\\b";
      expect((await read({ secretId: "deleted" })).handler).toEqual({ error: expect.stringMatching(retried) });
      expect(accounts.aws.count("GetSecretValue")).toBe(2); // the failure is remembered
    });
  }

  for (const client of clients.filter(({ readsParameters }) => readsParameters)) {
    const { name, missing } = client;
    const title = toTitle(client);

    it.skipIf(missing)(`${title} reads a parameter, whenever and however often, for one request to AWS`, async () => {
      const { accounts, read } = await start(name);
      const reading = toReading(accounts.canaries[0]);
      for (let invocation = 1; invocation <= 3; invocation += 1) {
        const { init, handler } = await read({ parameterName: PARAMETER_NAME });
        expect([init.parameter, handler]).toEqual([reading, reading]);
      }
      expect(accounts.aws.count("AssumeRole")).toBe(1);
      expect(accounts.aws.count("GetParameter")).toBe(1);
    });

    it.skipIf(missing)(`${title} reads parameters of every type, under name and ARN`, async () => {
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
        const reading = toReading(parameter.value);
        expect((await read({ parameterName, withDecryption })).handler, parameterName).toEqual(reading);
        expect((await read({ parameterName: arn, withDecryption })).handler, arn).toEqual(reading);
      }
    });

    it.skipIf(missing)(`${title} gets a ciphertext where it does not ask for decryption`, async () => {
      const { accounts, createParameter, read } = await start(name);
      const [value = ""] = accounts.canaries;
      createParameter("/secure", { type: "SecureString", value });
      const { handler } = await read({ parameterName: "/secure" });
      expect(handler).toEqual({ sha256: expect.any(String) });
      expect(handler).not.toEqual(toReading(value));
      expect((await read({ parameterName: "/secure", withDecryption: true })).handler).toEqual(toReading(value));
    });

    it.skipIf(missing)(`${title} gives up at once where a parameter is denied or missing`, async () => {
      const { accounts, createParameter, read } = await start(name);
      createParameter("/denied", { value: createCanary() });
      accounts.aws.changeRole(TARGET_ROLE_ARN, {
        trusts: [FUNCTION_ROLE_ARN],
        readableParameters: ["/missing"],
      });
      expect((await read({ parameterName: "/denied" })).handler).toEqual({ error: expect.stringMatching(/\b403\b/) });
      expect((await read({ parameterName: "/missing" })).handler).toEqual({ error: expect.stringMatching(/\b404\b/) });
      expect(accounts.aws.count("GetParameter")).toBe(3); // one of them is the static code's
    });
  }
});

const toTitle = ({ name, language, missing }: Client): string =>
  `${name} (${language})${missing === undefined ? "" : ` (needs ${missing})`}`;

describe("README.md", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const section = /\n## HTTP interface\n(.*?)\n## /s.exec(readme)?.[1] ?? "";

  it.each(clients)("says that $name is one of these clients, and of which version", (client) => {
    const { name, url, version, language, licence, lockFile } = client;
    expect(section.replaceAll("\n", " ")).toContain(`[${name}](${url}) ${version} (${language}, ${licence})`);
    expect(readFileSync(lockFile, "utf8")).toMatch(toPin(client));
  });
});

/** How a lock file names a client, with its hash. */
function toPin({ name, version }: Client): RegExp {
  const forms = [
    `\\b${name} ${version} h1:`,
    `"${name}"\nversion = "${version}"\nsource = "registry.*\nchecksum = `,
    `"node_modules/${name}": \\{\n +"version": "${version}",\n +"integrity": "sha512-`,
  ];
  return new RegExp(forms.join("|"));
}
