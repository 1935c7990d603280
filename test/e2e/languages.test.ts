/**
 * The functions of `examples/`, each on the runtime client that Lambda has for its language, with the layer that brings its own
 * Node.js beside it; and the layer that does not, on each Node.js that a runtime of Lambda brings.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { findCounterparts, toPython } from "../../scripts/setup/end-to-end.ts";
import { findLeaks } from "../support/canary.ts";
import { findFreePort } from "../support/free-port.ts";
import { expectHappyPath, KEYS } from "../support/happy-path.ts";
import { startTwoAccounts, type TwoAccounts } from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { endWithoutLeaks, secretsOf } from "./support/leaks.ts";
import { type Sandbox, startRie } from "./support/sandbox.ts";
import {
  examples,
  missingForNode,
  nodeRuntimes,
  optionalExamples,
  prepareNode,
  type RunnableFunction,
} from "./support/toolchains.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Cold, with compilers at work on two cores; a second run finds everything made. */
const SET_UP_MS = 400_000;
const needs = (missing: string | undefined) => (missing === undefined ? "" : ` (needs ${missing})`);

interface Environment {
  readonly sandbox: Sandbox;
  readonly accounts: TwoAccounts;
}

/** Ends with the test, which fails if a secret got out anywhere. */
async function startEnvironment(layer: LayerName, { task, runtime }: RunnableFunction): Promise<Environment> {
  const accounts = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  // The variables of a runtime's own image, for clients that ask for them; and a proxy, where nobody is.
  const environment = {
    ...accounts.environment,
    CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(await findFreePort()),
    LAMBDA_TASK_ROOT: "/var/task",
    http_proxy: "http://127.0.0.1:9",
    HTTP_PROXY: "http://127.0.0.1:9",
    NODE_USE_ENV_PROXY: "1",
    JAVA_TOOL_OPTIONS: "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9 -Dhttp.nonProxyHosts=",
  };
  const sandbox = await startRie({ opt: toOpt(layer), task, runtime, environment });
  endWithoutLeaks(sandbox, () => secretsOf(accounts));
  return { sandbox, accounts };
}

const toSubject = ({ sandbox, accounts }: Environment) => ({
  invoke: async () => {
    const { status, body } = await sandbox.invoke();
    if (status !== 200) throw new Error(`answered ${status}:\n${sandbox.logs.map(({ text }) => text).join("\n")}`);
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

describe.skipIf(unavailable)("the x86_64 layer, where there is no Node.js, serves a function in", () => {
  const all = [...examples, ...optionalExamples];
  const prepared = new Map<string, RunnableFunction | Error>();
  beforeAll(async () => {
    const preparations = all.map(async ({ language, missing, prepare }) => {
      if (missing !== undefined) return;
      prepared.set(language, await prepare().catch((error: unknown) => new Error("set-up failed", { cause: error })));
    });
    await Promise.all(preparations);
  }, SET_UP_MS);

  const find = (language: string): RunnableFunction => {
    const found = prepared.get(language);
    if (found === undefined || found instanceof Error) throw found ?? new Error("not prepared");
    return found;
  };

  for (const { language, missing } of all) {
    it.skipIf(missing)(`${language}${needs(missing)}`, async () => {
      await expectHappyPath(toSubject(await startEnvironment("x86_64", find(language))));
    });

    it.skipIf(missing)(`${language}, or says why not${needs(missing)}`, async () => {
      const environment = await startEnvironment("x86_64", find(language));
      environment.accounts.aws.fault("AssumeRole", { kind: "deny" });
      const { status, body } = await environment.sandbox.invoke();
      expect(status, body).toBe(200);
      for (const error of readErrors(body))
        expect(error).toMatch(/AccessDeniedException.*AssumeRole of .*SecretReader/);
    });

    it.skipIf(missing)(`${language}, which does not quote what is not JSON${needs(missing)}`, async () => {
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

/** Of static code and of the handler: as text, or as the extension words it. */
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
  const toTool = (name: string) => join(dirname(toPython(findCounterparts()?.venv ?? "")), name);

  it("for SAM has nothing that cfn-lint complains of", () => {
    expect(execFileSync(toTool("cfn-lint"), ["examples/sam/template.yaml"], { cwd: root, encoding: "utf8" })).toBe("");
  });

  it("for Terraform is HCL, and refers to nothing that it does not declare", () => {
    const script = "import hcl2, json, sys; print(json.dumps(hcl2.load(sys.stdin)))";
    const text = readFileSync(join(root, "examples/terraform/main.tf"), "utf8");
    const parsed = execFileSync(toTool("python3"), ["-c", script], { input: text, encoding: "utf8" });
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

  it.each(folders.map(({ name }) => name))("says what examples/%s is, and how to use it", (name) => {
    const files = readdirSync(join(root, "examples", name), { recursive: true, encoding: "utf8" });
    expect(files.some((file) => readme.includes(`(${name}/${file})`))).toBe(true);
  });

  it("links to nothing that is not there", () => {
    const links = [...readme.matchAll(/\]\((?!https:)([^)#]+)/g)].map(([, link = ""]) => link);
    expect(links.filter((link) => readFileSync(join(root, "examples", link), "utf8") === "")).toEqual([]);
  });

  it.each([...readme.matchAll(/^\| [^|]+ \| \[[^\]]+\]\(([^)]+)\)/gm)].map(([, file = ""]) => file))(
    "%s keeps to what all examples do",
    (file) => {
      const text = readFileSync(join(root, "examples", file), "utf8");
      expect(text).toContain("CROSS_ACCOUNT_SECRETS_HTTP_PORT");
      expect(text).toContain("X-Aws-Parameters-Secrets-Token");
      expect(text.indexOf("CROSS_ACCOUNT_SECRETS_TOKEN")).toBeLessThan(text.indexOf("AWS_SESSION_TOKEN"));
      expect(text).toContain("127.0.0.1");
      expect(text).toMatch(/\b5(_?000)?\b/); // seconds, above TIMEOUT_MS
      expect(text.split("\n").length).toBeLessThan(120);
    },
  );
});
