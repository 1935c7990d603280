/**
 * The functions of `examples/`, each on Lambda's runtime client for its language, with the layer that contains a Node.js. The
 * layer without a Node.js runs on the Node.js of each nodejs runtime of Lambda.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { findLeaks } from "../support/canary.ts";
import { startCredentialsEndpoint } from "../support/credentials-endpoint.ts";
import { expectHappyPath, KEYS } from "../support/happy-path.ts";
import { nodeRuntimes } from "../support/node-runtimes.ts";
import { type TwoAccounts, toCredentialVariables } from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { prepareAll, type SandboxWithAccounts, startWithAccounts } from "./support/environment.ts";
import { runPythonTool, toJsonOfHcl } from "./support/python-tools.ts";
import {
  examples,
  missingForNode,
  optionalExamples,
  prepareNode,
  type RunnableFunction,
} from "./support/toolchains.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** For the first run, which compiles on two cores. A second run reuses all results. */
const SET_UP_MS = 400_000;
const needs = (missing: string | undefined) => (missing === undefined ? "" : ` (needs ${missing})`);

/** A proxy that does not exist: requests to the extension must bypass it. */
const PROXY_VARIABLES = {
  http_proxy: "http://127.0.0.1:9",
  HTTP_PROXY: "http://127.0.0.1:9",
  NODE_USE_ENV_PROXY: "1",
  JAVA_TOOL_OPTIONS: "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9 -Dhttp.nonProxyHosts=",
};

/** Nearly twice AWS's limit of today, which is "not a permanent cap". */
const TOKEN_BYTES = 8_000;

/** Starts an environment that ends with the test, which fails if a secret leaked. */
const startEnvironment = (
  layer: LayerName,
  example: RunnableFunction,
  toFurther: (accounts: TwoAccounts) => Readonly<Record<string, string>> = () => ({}),
): Promise<SandboxWithAccounts> =>
  startWithAccounts({
    opt: toOpt(layer),
    ...example,
    toVariables: (accounts) => ({
      ...PROXY_VARIABLES,
      ...toCredentialVariables(
        accounts.aws.issueSession({ roleArn: accounts.functionRoleArn, tokenBytes: TOKEN_BYTES }),
      ),
      ...toFurther(accounts),
    }),
  });

const toSubject = ({ sandbox, accounts }: SandboxWithAccounts) => ({
  invoke: async () => {
    const { status, body } = await sandbox.invoke();
    if (status !== 200)
      throw new Error(`the function answered ${status}:\n${sandbox.logs.map(({ text }) => text).join("\n")}`);
    const answer: unknown = JSON.parse(body);
    return answer instanceof Object ? Object.fromEntries(Object.entries(answer).map(inSecretOrder)) : answer;
  },
  shutdown: async () => expect((await sandbox.shutdown()).exitCode).toBe(0),
  count: accounts.aws.count,
});

/** A Go map has no order. */
function inSecretOrder([name, keys]: [string, unknown]): [string, unknown] {
  return [name, Array.isArray(keys) ? keys.toSorted((a, b) => KEYS.indexOf(a) - KEYS.indexOf(b)) : keys];
}

describe.skipIf(unavailable)("the x86_64 layer, in runtimes without Node.js, serves a function in", () => {
  const all = [...examples, ...optionalExamples];
  const find = prepareAll(
    all.map(({ language, ...example }) => ({ name: language, ...example })),
    SET_UP_MS,
  );

  for (const { language, missing } of all) {
    it.skipIf(missing)(`${language}${needs(missing)}`, async () => {
      await expectHappyPath(toSubject(await startEnvironment("x86_64", find(language))));
    });

    it.skipIf(missing)(`${language}, without AWS_SESSION_TOKEN, as under SnapStart${needs(missing)}`, async () => {
      const endpoint = await startCredentialsEndpoint();
      const toVariables = ({ aws, functionRoleArn }: TwoAccounts) => {
        endpoint.give(aws.issueSession({ roleArn: functionRoleArn }));
        return endpoint.variables;
      };
      await expectHappyPath(toSubject(await startEnvironment("x86_64", find(language), toVariables)));
    });

    it.skipIf(missing)(`${language}, or tells it that AssumeRole is denied${needs(missing)}`, async () => {
      const environment = await startEnvironment("x86_64", find(language));
      environment.accounts.aws.fault("AssumeRole", { kind: "deny" });
      const { status, body } = await environment.sandbox.invoke();
      expect(status, body).toBe(200);
      for (const error of readErrors(body))
        expect(error).toMatch(/AccessDeniedException.*AssumeRole of .*SecretReader/);
    });

    it.skipIf(missing)(`${language}, which does not quote a secret that is not JSON${needs(missing)}`, async () => {
      const environment = await startEnvironment("x86_64", find(language));
      const { aws, secretArn, canaries } = environment.accounts;
      aws.putSecretValue(secretArn, { secretString: `{"password": ${canaries[0]}` });
      const { status, body } = await environment.sandbox.invoke();
      expect(status, body).toBe(200);
      for (const error of readErrors(body)) expect(error).toMatch(/\w/);
      expect(findLeaks(new Map([["answer", body]]), canaries)).toEqual([]);
    });
  }
});

/** Reads the errors of static code and of the handler: as text, or as the extension's JSON. */
function readErrors(body: string): string[] {
  const { init, handler } = JSON.parse(body);
  return [init, handler].map(({ error }) => (typeof error === "string" ? error : JSON.stringify(error)));
}

describe.skipIf(unavailable)("the nodejs layer, on the runtime's own Node.js, serves a function on", () => {
  it.skipIf(missingForNode).each(nodeRuntimes)(
    `%s${needs(missingForNode)}`,
    async (name) => {
      const runtime = await prepareNode(name, "/var/lang/bin/node");
      const subject = { task: join(root, "examples/nodejs"), runtime };
      await expectHappyPath(toSubject(await startEnvironment("nodejs", subject)));
    },
    SET_UP_MS,
  );
});

describe.skipIf(unavailable)("an infrastructure snippet", () => {
  it("for SAM passes cfn-lint", () => {
    expect(runPythonTool("cfn-lint", ["examples/sam/template.yaml"])).toBe("");
  });

  it("for Terraform is HCL, and declares everything that it refers to", () => {
    const text = readFileSync(join(root, "examples/terraform/main.tf"), "utf8");
    const parsed = toJsonOfHcl(text);
    const declared = [...text.matchAll(/^(variable|resource|data) "(\w+)"(?: "(\w+)")?/gm)].map(
      ([, kind, first, second]) =>
        kind === "variable" ? `var.${first}` : `${kind === "data" ? "data." : ""}${first}.${second}`,
    );
    const used = [...parsed.matchAll(/\b(?:var\.\w+|(?:data\.)?(?:aws|archive)_\w+\.\w+)/g)].map(
      ([reference]) => reference,
    );
    expect(used).not.toEqual([]);
    expect(used.filter((reference) => !declared.includes(reference))).toEqual([]);
  });
});

describe("examples/README.md", () => {
  const readme = readFileSync(join(root, "examples/README.md"), "utf8");
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());

  it.each(folders.map(({ name }) => name))("links to a file of examples/%s", (name) => {
    const files = readdirSync(join(root, "examples", name), { recursive: true, encoding: "utf8" });
    expect(files.some((file) => readme.includes(`(${name}/${file})`))).toBe(true);
  });

  it("links only to files that exist", () => {
    const links = [...readme.matchAll(/\]\((?!https:)([^)#]+)/g)].map(([, link = ""]) => link);
    expect(links.filter((link) => readFileSync(join(root, "examples", link), "utf8") === "")).toEqual([]);
  });

  it.each([...readme.matchAll(/^\| [^|]+ \| \[[^\]]+\]\(([^)]+)\)/gm)].map(([, file = ""]) => file))(
    "%s uses the port, the token and the time-out like all examples, in fewer than 120 lines",
    (file) => {
      const text = readFileSync(join(root, "examples", file), "utf8");
      expect(text).toContain("CROSS_ACCOUNT_SECRETS_HTTP_PORT");
      expect(text).toContain("X-Aws-Parameters-Secrets-Token");
      const names = ["CROSS_ACCOUNT_SECRETS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
      expect(text.match(/\w+_TOKEN\b/g)).toEqual(names);
      expect(text).toContain("127.0.0.1");
      expect(text).toMatch(/\b5(_?000)?\b/); // seconds, longer than TIMEOUT_MS
      expect(text.split("\n").length).toBeLessThan(120);
    },
  );
});
