/**
 * The exec wrapper in front of Lambda's own runtime clients. The `bootstrap` script of Lambda's runtimes reads
 * AWS_LAMBDA_EXEC_WRAPPER; Lambda and the emulator do not. Here the wrapper is in front of the client's command, as in that
 * script. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { SECRET_NAME } from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { type SandboxWithAccounts, startWithAccounts } from "./support/environment.ts";
import { provided, python, type Runtime } from "./support/runtimes.ts";
import { examples, missingForNode, prepareNode } from "./support/toolchains.ts";

const WRAPPER = "/opt/cross-account-secrets/exec-wrapper";
/** For the first run, which compiles. A second run reuses all results. */
const SET_UP_MS = 400_000;

/** Each function answers with the SHA-256 of the variables in its static code, or with "unset". */
const PYTHON = `
import hashlib, os
def digest(name):
    return hashlib.sha256(os.environb[name.encode()]).hexdigest() if name in os.environ else "unset"
FOUND = {name: digest(name) for name in ["WHOLE", "FIELD", "POINTER", "PLAIN"]}
def handler(event, context):
    return FOUND
`;
const NODE = `
import { createHash } from "node:crypto";
const digest = (text) => text === undefined ? "unset" : createHash("sha256").update(text).digest("hex");
const found = Object.fromEntries(["WHOLE", "FIELD", "POINTER", "PLAIN"].map((name) => [name, digest(process.env[name])]));
export const handler = async () => found;
`;
const JAVA = `
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
public class Handler {
  static final Map<String, String> FOUND = new TreeMap<>();
  static {
    for (String name : new String[] {"WHOLE", "FIELD", "POINTER", "PLAIN"}) FOUND.put(name, digest(System.getenv(name)));
  }
  static String digest(String text) {
    try {
      if (text == null) return "unset";
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (Exception error) {
      throw new RuntimeException(error);
    }
  }
  public Map<String, String> handle(Map<String, Object> event) {
    return FOUND;
  }
}
`;
/** In a custom runtime the `bootstrap` is the function's own, and the wrapper is its first command. */
const BOOTSTRAP = `#!/bin/sh\nexec ${WRAPPER} ./real-bootstrap "two words"\n`;
const REAL_BOOTSTRAP = `#!/bin/sh
digest() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
found="{\\"WHOLE\\":\\"$(digest "$WHOLE")\\",\\"FIELD\\":\\"$(digest "$FIELD")\\",\\"POINTER\\":\\"$(digest "$POINTER")\\""
found="$found,\\"PLAIN\\":\\"$(digest "$PLAIN")\\"}"
[ "$1" = "two words" ] || exit 9
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while headers=$(curl --silent --fail --dump-header - --output /dev/null "$api/next"); do
  id=$(echo "$headers" | tr -d '\\r' | grep -i '^lambda-runtime-aws-request-id:' | cut -d ' ' -f 2)
  curl --silent --output /dev/null --data-binary "$found" "$api/$id/response"
done
`;

interface WrappedFunction {
  readonly layer: LayerName;
  readonly task: Readonly<Record<string, string>>;
  readonly runtime: () => Promise<Runtime>;
  /** A command that is needed, and missing on this machine. */
  readonly missing: string | undefined;
}

const java = examples.find(({ language }) => language === "Java");

const wrapped = (runtime: Runtime): Runtime => ({ ...runtime, bootstrap: [WRAPPER, ...runtime.bootstrap] });

const functions = {
  Python: {
    layer: "x86_64",
    task: { "app.py": PYTHON },
    runtime: async () => wrapped(python("app.handler")),
    missing: undefined,
  },
  "Node.js, with the layer without Node.js": {
    layer: "nodejs",
    task: { "index.mjs": NODE },
    runtime: async () => wrapped(await prepareNode("nodejs24.x", "/var/lang/bin/node")),
    missing: missingForNode,
  },
  "Node.js": {
    layer: "x86_64",
    task: { "index.mjs": NODE },
    runtime: async () => wrapped(await prepareNode("nodejs24.x", "/var/nodejs/node")),
    missing: missingForNode,
  },
  Java: {
    layer: "x86_64",
    task: { "Handler.java": JAVA },
    runtime: async () => {
      if (java === undefined) throw new Error("the examples contain no Java");
      return wrapped((await java.prepare()).runtime);
    },
    missing: java?.missing,
  },
  "sh and curl, with the wrapper first in its bootstrap": {
    layer: "x86_64",
    task: { bootstrap: BOOTSTRAP, "real-bootstrap": REAL_BOOTSTRAP },
    runtime: async () => provided,
    missing: undefined,
  },
} as const satisfies Record<string, WrappedFunction>;

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "exec-wrapper-"));
  chmodSync(folder, 0o755); // Lambda's user must read it
  return folder;
}

function makeTask(files: Readonly<Record<string, string>>): string {
  const task = makeFolder();
  onTestFinished(() => rmSync(task, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    const file = join(task, name);
    writeFileSync(file, text, { mode: 0o755 });
    if (name.endsWith(".java")) execFileSync("javac", ["--release", "17", "-d", task, file]);
  }
  return task;
}

const toReference = (text: string) => `cross-account-secret:${text}`;
const digest = (text: string) => createHash("sha256").update(text).digest("hex");

describe.skipIf(unavailable)("under the Runtime Interface Emulator, the exec wrapper", () => {
  /** Starts an environment that ends with the test, which fails if a secret leaked. */
  const startEnvironment = async (
    { layer, task, runtime }: WrappedFunction,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<SandboxWithAccounts> =>
    startWithAccounts({
      opt: toOpt(layer),
      task: makeTask(task),
      runtime: await runtime(),
      toVariables: ({ secretArn }) => ({
        AWS_LAMBDA_EXEC_WRAPPER: WRAPPER,
        HTTP_PROXY: "http://127.0.0.1:9",
        WHOLE: toReference(SECRET_NAME),
        FIELD: toReference(`${secretArn}#password`),
        POINTER: toReference(`${SECRET_NAME}#/username`),
        PLAIN: "plain",
        ...variables,
      }),
    });

  function toExpected({ accounts }: SandboxWithAccounts) {
    const [username = "", password = ""] = accounts.canaries;
    const whole = JSON.stringify({ username, password });
    return { WHOLE: digest(whole), FIELD: digest(password), POINTER: digest(username), PLAIN: digest("plain") };
  }

  it.each(Object.entries(functions))(
    "sets the variables to the secret's values before static code runs in %s",
    async (_, wrappedFunction) => {
      const environment = await startEnvironment(wrappedFunction);
      const { status, body } = await environment.sandbox.invoke();
      expect(status, environment.sandbox.logs.map(({ text }) => text).join("\n")).toBe(200);
      expect(JSON.parse(body)).toEqual(toExpected(environment));
      expect(environment.accounts.aws.count("AssumeRole")).toBe(1);
      expect((await environment.sandbox.shutdown()).exitCode).toBe(0);
    },
    SET_UP_MS,
  );

  it.each([
    [
      "a field that does not exist",
      { FIELD: toReference(`${SECRET_NAME}#passwort`) },
      /FIELD cannot be set: status 404 ResourceNotFoundException: my-shared-secret has no field "passwort"$/,
    ],
    [
      "a secret that is not allowed",
      { POINTER: toReference("another-secret") },
      /POINTER cannot be set: status 403 AccessDeniedException: .*; remedy: /,
    ],
    ["a reference without a name", { WHOLE: toReference("#x") }, /WHOLE cannot be set: it names no secret; /],
    [
      "SnapStart",
      { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" },
      /WHOLE cannot be set: SnapStart would keep it in the snapshot; /,
    ],
  ])("stops the start and logs the reason for %s", async (_, variables, expected) => {
    const { sandbox } = await startEnvironment(functions.Python, variables);
    expect((await sandbox.invoke()).status).toBe(502);
    await sandbox.waitForLog(expected);
    await sandbox.waitForLog(/exit status 1/);
  });

  it("leaves unresolved variables unset and starts the function with EXEC_WRAPPER_ERROR=unset", async () => {
    const variables = {
      CROSS_ACCOUNT_SECRETS_EXEC_WRAPPER_ERROR: "unset",
      FIELD: toReference(`${SECRET_NAME}#passwort`),
    };
    const environment = await startEnvironment(functions.Python, variables);
    const { status, body } = await environment.sandbox.invoke();
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({ ...toExpected(environment), FIELD: "unset" });
    await environment.sandbox.waitForLog(/FIELD is left unset: status 404 ResourceNotFoundException: /);
  });

  it("is not started by the emulator or the Python client, so the references stay in the variables", async () => {
    const unwrapped = { ...functions.Python, runtime: async () => python("app.handler") };
    const environment = await startEnvironment(unwrapped, { AWS_LAMBDA_EXEC_WRAPPER: "/nope" });
    const { body } = await environment.sandbox.invoke();
    expect(JSON.parse(body)).toMatchObject({
      FIELD: digest(toReference(`${environment.accounts.secretArn}#password`)),
    });
  });
});
