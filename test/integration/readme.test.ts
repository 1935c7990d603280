/** Runs the commands of the README on the fake AWS, with another port and other files, and compares their output. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { runCli } from "../support/cli.ts";
import { startLocalServer } from "../support/local-server.ts";
import { ask, startServe } from "../support/serve.ts";
import { createTempFolder } from "../support/temp-files.ts";
import { SECRET_NAME, startTwoAccounts, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const support = readFileSync(join(root, "SUPPORT.md"), "utf8");
const examples = readFileSync(join(root, "examples/README.md"), "utf8");
/** Returns the code blocks of a section: shell commands or, without a language, output. */
const toBlocks = (document: string, title: string, language = "sh") => {
  const section = document.split(new RegExp(`^## ${title}$`, "m"))[1]?.split(/^## /m)[0] ?? "";
  return [...section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, of, text = ""]) =>
    of === language ? [text] : [],
  );
};
const blocks = toBlocks(readme, "Outside Lambda");
const [serve = "", clients = "", fake = ""] = blocks;
const [samLocal = ""] = toBlocks(examples, "sam local");
/** The block of `Use it` that sends the token of a function. */
const [inFunction = ""] = toBlocks(readme, "Use it").filter((block) => block.includes("AWS_SESSION_TOKEN"));
const isThere = (command: string) => spawnSync(command, ["--version"]).error === undefined;
const missing = ["python3", "curl", "aws"].filter((command) => !isThere(command));

/** Returns the variables of a block, and the arguments of `serve` in its last line. */
function parseServe(block: string, folder: string) {
  const text = block.replaceAll("/tmp/", `${folder}/`);
  const variables = Object.fromEntries(
    [...text.matchAll(/\b([A-Z_]+)=(\S+)/g)].map(([, name = "", value]) => [name, value]),
  );
  const args = /npx cross-account-secrets serve (.*)$/m.exec(text)?.[1]?.split(" ") ?? [];
  return { text, variables, args };
}

async function setUp() {
  const accounts = await startTwoAccounts();
  onTestFinished(() => accounts.close());
  const { aws, environment } = accounts;
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  const keys = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN };
  const endpoints = { AWS_ENDPOINT_URL_STS: aws.url, AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.url };
  return { ...accounts, folder: createTempFolder(), variables: { ...keys, ...endpoints } };
}

/** Starts a proxy that notes each request, and answers none. `http_proxy` and its like send everything to it, whatever the address. */
async function startProxy() {
  const seen: string[] = [];
  const { port } = await startLocalServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.writeHead(502).end();
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    seen,
    variables: { http_proxy: url, HTTP_PROXY: url, ALL_PROXY: url, all_proxy: url, NODE_USE_ENV_PROXY: "1" },
  };
}

/** Returns a folder for PATH whose `aws` does not use the proxy: it sends no token of ours, and a company's may need it for AWS. */
function createAwsWithoutProxy(folder: string): string {
  const script = `#!/bin/sh\nPATH=\${PATH#*:} exec env -u http_proxy -u HTTP_PROXY -u ALL_PROXY -u all_proxy aws "$@"\n`;
  writeFileSync(join(folder, "aws"), script, { mode: 0o755 });
  return folder;
}

describe("README.md, outside Lambda", () => {
  it("has three blocks of commands", () => {
    expect(blocks).toHaveLength(3);
  });

  it.skipIf(missing.length > 0)(
    `gives curl, Python and the AWS CLI the same secret (needs ${missing.join() || "python3, curl, aws"})`,
    async () => {
      const { folder, variables, canaries } = await setUp();
      const { args, variables: own } = parseServe(serve, folder);
      const { port, waitFor } = await startServe({ args, environment: { ...variables, ...own } });
      await waitFor("ready");
      const proxy = await startProxy();
      const text = clients.replaceAll("/tmp/", `${folder}/`).replaceAll(":2773", `:${port}`);
      const env = {
        PATH: [createAwsWithoutProxy(folder), process.env.PATH].join(delimiter),
        HOME: process.env.HOME,
        PYTHONDONTWRITEBYTECODE: "1",
        CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
        ...variables,
        ...proxy.variables,
      };
      // Asynchronously, because the fake AWS is in this process.
      const { stdout } = await promisify(execFile)("/bin/sh", ["-euc", text], { cwd: root, env });
      const [username, password] = canaries;
      const secret = JSON.stringify({ username, password });
      const keys = ["username", "password"];
      // curl prints no line break.
      expect(stdout).toBe(
        `${secret}${JSON.stringify({ init: keys, handler: keys }).replaceAll(/([:,])/g, "$1 ")}\n${secret}\n`,
      );
      expect(proxy.seen).toEqual([]);
    },
  );

  it.skipIf(!isThere("curl"))(
    "serves the secrets of a file to tests, and no command sends its token to a proxy",
    async () => {
      const folder = createTempFolder();
      const { text, args, variables } = parseServe(fake, folder);
      const [write = "", , read = ""] = text.split("\n");
      execFileSync("/bin/sh", ["-euc", write]);
      const { port, waitFor } = await startServe({ args, environment: variables });
      await waitFor("ready");
      const token = variables.CROSS_ACCOUNT_SECRETS_TOKEN;
      const proxy = await startProxy();
      for (const command of [read, inFunction]) {
        const env = { PATH: process.env.PATH, AWS_SESSION_TOKEN: token, ...proxy.variables };
        const commands = command.replaceAll(":2773", `:${port}`);
        const { stdout } = await promisify(execFile)("/bin/sh", ["-euc", commands], { env });
        expect(stdout).toBe("test");
      }
      expect(proxy.seen).toEqual([]);
      expect(await ask(port, `/secrets/${SECRET_NAME}?key=password`, token)).toEqual({ status: 200, body: "test" });
      const parameter = await ask(port, "/systemsmanager/parameters/get?name=/app/host", token);
      expect(JSON.parse(parameter.body)).toMatchObject({ Parameter: { Value: "localhost" } });
    },
  );
});

describe("examples/README.md, sam local", () => {
  it("points SAM to the folder of the built layer, and uses the names of the template", async () => {
    const folder = createTempFolder();
    const template = readFileSync(join(root, "template.yaml"), "utf8");
    writeFileSync(join(folder, "template.yaml"), template);
    const [build = "", change = "", invoke = ""] = samLocal.split("\n");
    expect(build).toBe("npm run build -- x86_64");
    execFileSync("/bin/sh", ["-euc", change], { cwd: folder });
    const changed = readFileSync(join(folder, "sam-local.yaml"), "utf8");
    expect(changed).toMatch(/^ +ContentUri: dist\/x86_64\/$/m);
    expect(changed).not.toMatch("x86_64.zip");
    expect(template).toMatch(new RegExp(`^  ${/invoke (\w+) /.exec(invoke)?.[1]}:$`, "m"));
    const names = [...samLocal.matchAll(/(\w+)=/g)].map(([, name]) => name);
    expect(names).toEqual(["TargetRoleArn", "ExternalId", "SecretId"]);
    for (const name of names) expect(template).toMatch(new RegExp(`^  ${name}:$`, "m"));
  });
});

/** Splits a block into the arguments of its command and its output. */
function parseSeen(block: string): { readonly args: readonly string[]; readonly seen: string } {
  const [typed = "", ...lines] = block.split("\n");
  return { args: typed.replace("$ npx cross-account-secrets ", "").split(" "), seen: lines.join("\n") };
}

describe("the documented output is the real output of", () => {
  it("policies --check", async () => {
    const [block = ""] = toBlocks(readme, "Use it", "");
    const { args, seen } = parseSeen(block);
    const folder = createTempFolder();
    const Resource = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-shared-secret";
    const Statement = [{ Effect: "Allow", Action: "secretsmanager:GetSecretValue", Resource }];
    const file = join(folder, "role.json");
    writeFileSync(file, JSON.stringify({ Version: "2012-10-17", Statement }));
    const { stdout } = await runCli(args.with(-1, file), {});
    expect(stdout.replaceAll(file, "role.json")).toBe(seen);
  });

  it("doctor, except for times and IDs", async () => {
    const [block = ""] = toBlocks(support, "What doctor shows", "");
    const { args, seen } = parseSeen(block);
    const { aws, environment } = await startTwoAccounts();
    onTestFinished(() => aws.close());
    aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [] });
    const { stdout } = await runCli(["doctor", ...args.slice(1)], environment);
    const settle = (text: string) =>
      text
        .replaceAll(/ +\d+ ms/g, " # ms")
        .replaceAll(/doctor-[0-9a-f]{8}/g, "doctor-#")
        .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "#");
    expect(settle(stdout).startsWith(settle(seen).trimEnd())).toBe(true);
  });
});
