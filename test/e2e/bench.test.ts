/** The emulator, moto and the sandboxes of the end-to-end tests: they do what the other tests assume. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { kill } from "node:process";
import { fileURLToPath } from "node:url";
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { REGION, SECRET_NAME, TARGET_ROLE_ARN } from "../support/two-accounts.ts";
import { unavailable } from "./support/availability.ts";
import { FORBIDDEN_ROLE_ARN, type Moto, startMoto } from "./support/moto.ts";
import { provided, python, type Runtime, withNode } from "./support/runtimes.ts";
import { type Sandbox, startRie } from "./support/sandbox.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/bench/${name}`, import.meta.url));

async function startSandbox(
  options: { task?: "python" | "shell"; runtime?: Runtime; environment?: Record<string, string> } = {},
): Promise<Sandbox> {
  const { task = "python", runtime = task === "python" ? python("app.handler") : provided, environment = {} } = options;
  const sandbox = await startRie({ opt: fixture("opt"), task: fixture(task), runtime, environment });
  onTestFinished(sandbox.close);
  return sandbox;
}

/** Runs a shell command in the function. */
async function runInside(sandbox: Sandbox, command: string): Promise<string> {
  const { status, body } = await sandbox.invoke({ command });
  expect(status, body).toBe(200);
  return JSON.parse(body).output;
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe.skipIf(unavailable)("under the Runtime Interface Emulator", () => {
  test("nothing of the layer or the function runs before the first invocation", async () => {
    const sandbox = await startSandbox();
    expect(sandbox.extensionPids()).toEqual([]);
    expect(sandbox.logs.map((line) => line.text).join()).not.toContain("static code");
  });

  test("the extension registers before the runtime starts, both as Lambda's user in /var/task", async () => {
    const sandbox = await startSandbox();
    await sandbox.invoke({ command: "true" });
    const registered = await sandbox.waitForLog(/External agent stand-in .* registered, subscribed to \[SHUTDOWN\]/);
    const started = await sandbox.waitForLog(/^python: static code/);
    expect(registered.ms).toBeLessThan(started.ms);
    await sandbox.waitForLog(/^stand-in: registered as 993:990 in \/var\/task$/);
    expect(await runInside(sandbox, 'echo "$(id -u):$(id -G) in $PWD"')).toBe("993:990 in /var/task");
  });

  test("a Python function answers through Lambda's own runtime client", async () => {
    const sandbox = await startSandbox();
    const { status, body } = await sandbox.invoke({ command: "echo $_HANDLER" });
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({ output: "app.handler", requestId: expect.stringMatching(/^[\da-f-]{36}$/) });
  });

  test("a function with a custom runtime in sh answers", async () => {
    const sandbox = await startSandbox({ task: "shell" });
    expect(await sandbox.invoke({ hello: "there" })).toMatchObject({ status: 200, body: '{"hello":"there"}' });
    expect(sandbox.extensionPids()).toHaveLength(1);
  });

  test("SIGTERM becomes a SHUTDOWN event, and every process ends with exit code 0 within two seconds", async () => {
    const sandbox = await startSandbox();
    await sandbox.invoke({ command: "true" });
    const pids = sandbox.extensionPids();
    const shutdown = await sandbox.shutdown();
    expect(shutdown).toMatchObject({ exitCode: 0, signal: null });
    expect(shutdown.ms).toBeLessThan(1500);
    await sandbox.waitForLog(/^stand-in: .*"eventType":"SHUTDOWN".*"shutdownReason":"SandboxTerminated"/);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("after a time-out the next invocation starts a new extension, and finds /tmp unchanged", async () => {
    const sandbox = await startSandbox({ environment: { AWS_LAMBDA_FUNCTION_TIMEOUT: "1" } });
    expect(await runInside(sandbox, "echo kept > /tmp/file")).toBe("");
    const before = sandbox.extensionPids();
    const { body } = await sandbox.invoke({ command: "sleep 5" });
    expect(body).toBe("Task timed out after 1.00 seconds");
    expect(await runInside(sandbox, "cat /tmp/file")).toBe("kept");
    expect(sandbox.extensionPids()).not.toEqual(before);
    await sandbox.waitForLog(/^stand-in: registered/, { nth: 2 });
    expect(readFileSync(`${sandbox.tmp}/file`, "utf8")).toBe("kept\n");
  });

  test("an invocation fails if its extension is killed, and the next invocation succeeds", async () => {
    const sandbox = await startSandbox();
    await sandbox.invoke({ command: "true" });
    const answer = sandbox.invoke({ command: "sleep 5" });
    await sandbox.waitForLog(/INVOKE START/, { nth: 2 });
    for (const pid of sandbox.extensionPids()) kill(pid, "SIGKILL");
    expect((await answer).body).toContain("Extension.Crash");
    expect(await runInside(sandbox, "echo succeeded")).toBe("succeeded");
  });
});

describe.skipIf(unavailable)("a sandbox", () => {
  test("gives the extension the variables of the function and of Lambda, and none of this machine", async () => {
    const sandbox = await startSandbox({ environment: { GIVEN: "two words" } });
    expect(await runInside(sandbox, 'echo "$GIVEN"')).toBe("two words");
    const [pid = 0] = sandbox.extensionPids();
    const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
    expect(variables).toContain("GIVEN=two words");
    const foreign = variables.filter((variable) => !/^(AWS_\w+|GIVEN|LANG|LD_LIBRARY_PATH|PATH|TZ)=/.test(variable));
    expect(foreign).toEqual([]);
  });

  test("lets the function write to /tmp and nowhere else", async () => {
    const sandbox = await startSandbox();
    const places = "/ /etc /opt /run /usr /usr/local /var /var/task /var/runtime /var/lang /root /dev";
    const script = `for place in ${places} /tmp; do (: > $place/x) 2>/dev/null && echo $place; done`;
    expect(await runInside(sandbox, script)).toBe("/tmp");
    expect(readdirSync(sandbox.tmp)).toEqual(["x"]);
  });

  test("hides this machine's Node.js, but shows it to nodejs runtimes at Lambda's path", async () => {
    const search = 'node=$(command -v node); [ -x "$node" ] && echo "$node"';
    expect(await runInside(await startSandbox(), search)).toBe("");
    const nodejs = await startSandbox({ runtime: withNode(python("app.handler")) });
    expect(await runInside(nodejs, search)).toBe("/var/lang/bin/node");
    expect(await runInside(nodejs, "node --version")).toBe(process.version);
  });

  test("runs beside another sandbox", async () => {
    const [first, second] = await Promise.all([startSandbox(), startSandbox()]);
    const answers = await Promise.all([runInside(first, "echo first"), runInside(second, "echo second")]);
    expect(answers).toEqual(["first", "second"]);
  });

  test("leaves no process, mount or file when it is closed during an invocation", async () => {
    const sandbox = await startSandbox();
    const answer = sandbox.invoke({ command: "(sleep 6100 &) & sleep 6101" });
    const failure = expect(answer).rejects.toThrow("socket hang up");
    await sandbox.waitForLog(/INVOKE START/);
    const pids = sandbox.extensionPids();
    expect(pids).toHaveLength(1);
    await sandbox.close();
    await failure;
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(sandbox.tmp)).toBe(false);
    const folder = dirname(sandbox.tmp);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(folder);
    expect(findProcesses(folder)).toEqual([]);
    expect(findProcesses("sleep\x006100")).toEqual([]);
    await sandbox.close();
  });

  test("that cannot start fails with the reason", async () => {
    const nowhere = { opt: "/no/such/folder", task: fixture("shell"), runtime: provided, environment: {} };
    await expect(startRie(nowhere)).rejects.toThrow(/the emulator did not start:.*such/s);
  });
});

describe.skipIf(unavailable)("moto", () => {
  let moto: Moto;
  beforeAll(async () => {
    moto = await startMoto({ secrets: { [SECRET_NAME]: '{"username":"app"}' } });
  });
  beforeEach(() => {
    moto.calls.length = 0;
    moto.setOutage("none");
  });
  afterAll(() => moto?.close());

  const connect = (credentials = moto.credentials) => ({
    region: REGION,
    endpoint: moto.endpoint,
    credentials,
    maxAttempts: 1,
  });

  async function assume(RoleArn: string) {
    const sts = new STSClient(connect());
    onTestFinished(() => sts.destroy());
    const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "bench" }));
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  }

  async function read(credentials = moto.credentials) {
    const secretsManager = new SecretsManagerClient(connect(credentials));
    onTestFinished(() => secretsManager.destroy());
    return secretsManager.send(new GetSecretValueCommand({ SecretId: SECRET_NAME }));
  }

  test("lets the execution role of Account B read Account A's secret by way of the target role, and counts", async () => {
    const session = await assume(TARGET_ROLE_ARN);
    const secret = await read(session);
    expect(secret.SecretString).toBe('{"username":"app"}');
    expect(secret.ARN).toMatch(/^arn:aws:secretsmanager:eu-west-1:111111111111:secret:my-shared-secret-\w{6}$/);
    await read(session);
    expect([moto.count("AssumeRole"), moto.count("GetSecretValue")]).toEqual([1, 2]);
    expect(moto.calls.map((call) => call.status)).toEqual([200, 200, 200]);
    expect(moto.listCredentials()).toContainEqual(expect.objectContaining({ sessionToken: session.sessionToken }));
  });

  test("refuses the execution role another role, and the secret itself", async () => {
    await expect(assume(FORBIDDEN_ROLE_ARN)).rejects.toMatchObject({ name: "AccessDenied" });
    await expect(read()).rejects.toThrow();
    expect(moto.calls).toEqual([
      { operation: "AssumeRole", status: 403 },
      { operation: "GetSecretValue", status: 403 },
    ]);
  });

  test("refuses a wrong signature", async () => {
    const session = await assume(TARGET_ROLE_ARN);
    await expect(read({ ...session, secretAccessKey: "wrong" })).rejects.toThrow();
    expect(moto.calls.at(-1)).toEqual({ operation: "GetSecretValue", status: 403 });
  });

  test("serves the new value after the owner has changed it, and does not count the owner's call", async () => {
    const session = await assume(TARGET_ROLE_ARN);
    const SecretString = '{"username":"app","password":"new"}';
    await moto.owner.send(new PutSecretValueCommand({ SecretId: SECRET_NAME, SecretString }));
    expect((await read(session)).SecretString).toBe(SecretString);
    expect(moto.calls).toHaveLength(2);
  });

  test("resets connections, or never answers, if it is told to", async () => {
    moto.setOutage("reset");
    await expect(assume(TARGET_ROLE_ARN)).rejects.toMatchObject({ code: "ECONNRESET" });
    moto.setOutage("hang");
    const abortSignal = AbortSignal.timeout(200);
    const sts = new STSClient(connect());
    onTestFinished(() => sts.destroy());
    const command = new AssumeRoleCommand({ RoleArn: TARGET_ROLE_ARN, RoleSessionName: "bench" });
    await expect(sts.send(command, { abortSignal })).rejects.toMatchObject({ name: "AbortError" });
    expect(moto.calls).toEqual([]);
  });

  test("can be reached by a function, with its endpoints and the execution role's credentials", async () => {
    const sandbox = await startSandbox({ environment: { ...moto.environment } });
    const script = `import boto3; print(boto3.client("sts").assume_role(RoleArn="${TARGET_ROLE_ARN}", RoleSessionName="inside")["AssumedRoleUser"]["Arn"])`;
    const arn = await runInside(sandbox, `/var/runtime/bin/python3 -c '${script}'`);
    expect(arn).toBe("arn:aws:sts::111111111111:assumed-role/SecretReader/inside");
    expect(moto.count("AssumeRole")).toBe(1);
  });
});

/** The processes of this machine whose command line contains a text. */
function findProcesses(text: string): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false; // the process has ended
    }
  });
}
