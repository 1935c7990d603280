/** The templates of both accounts, deployed into moto with the commands of examples/README.md. */
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { policyEngine } from "../support/policy-engine.ts";
import { FUNCTION_ACCOUNT, REGION, SECRET_NAME, toKeys } from "../support/two-accounts.ts";
import { unzip } from "../support/unzip.ts";
import { unavailable } from "./support/availability.ts";
import { type MotoAccounts, startMotoAccounts } from "./support/deployment.ts";
import { endWithoutLeaks } from "./support/environment.ts";
import { evaluate } from "./support/evaluation.ts";
import { issueRoleSession, startAwsProxy } from "./support/moto.ts";
import { runPythonTool } from "./support/python-tools.ts";
import { python } from "./support/runtimes.ts";
import { type Sandbox, startRie } from "./support/sandbox.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "examples/README.md"), "utf8");
const section = /\n## Deploy both accounts\n(.*)/s.exec(readme)?.[1] ?? "";
// The second command builds dist/, which exists already.
const [deployA = "", , deployB = "", invoke = ""] = [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text);
/** Two command-line tools deploy, and moto stores the zips. */
const SET_UP_MS = 60_000;
const ANSWER = /answers with its keys: `(.*)`/.exec(section)?.[1] ?? "none is documented";

describe.skipIf(unavailable)("the templates", () => {
  const templates = ["template.yaml", "examples/account-a.yaml"];

  it.each(templates)("%s passes cfn-lint in every partition", (template) => {
    const args = ["--regions", REGION, "cn-north-1", "us-gov-west-1", "--", template];
    expect(runPythonTool("cfn-lint", args)).toBe("");
  });

  describe("deployed with the commands of examples/README.md", () => {
    let accounts: MotoAccounts;
    let fn: DeployedFunction;
    beforeAll(async () => {
      accounts = await startMotoAccounts();
      await accounts.sh(deployA);
      await accounts.sh(deployB);
      fn = await readFunction(accounts, "cross-account-secrets");
    }, SET_UP_MS);
    afterAll(() => accounts.close());

    it.each(templates)("%s passes sam validate", async (template) => {
      expect(await accounts.sh(`sam validate --lint --region ${REGION} --template-file ${template}`)).toMatch(
        "is a valid",
      );
    });

    it("give a function that reads the secret", async () => {
      const { SecretString } = await accounts.aws<{ SecretString: string }>(
        "account-a",
        ...["secretsmanager", "get-secret-value", "--secret-id", SECRET_NAME],
      );
      const credentials = await issueRoleSession(accounts.endpoint, fn.roleArn);
      const proxy = await startAwsProxy(accounts.endpoint, credentials);
      onTestFinished(() => proxy.close());
      const sandbox = await startRie({
        opt: await unpackZip(fn.layer),
        task: await unpackZip(fn.code),
        runtime: python(fn.handler),
        environment: {
          ...fn.variables,
          AWS_LAMBDA_FUNCTION_TIMEOUT: String(fn.timeoutSeconds),
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          AWS_SESSION_TOKEN: credentials.sessionToken,
          AWS_ENDPOINT_URL_STS: proxy.endpoint,
          AWS_ENDPOINT_URL_SECRETS_MANAGER: proxy.endpoint,
        },
      });
      endWithoutLeaks(sandbox, () => [JSON.parse(SecretString).password, ...toKeys(proxy.listCredentials())]);

      const printed = await accounts.sh(invoke, { AWS_ENDPOINT_URL_LAMBDA: await startInvokeApi(fn.name, sandbox) });
      expect(printed).toContain(ANSWER);
      expect((await sandbox.shutdown()).exitCode).toBe(0);
      expect(proxy.calls).toEqual([
        { operation: "AssumeRole", status: 200 },
        { operation: "GetSecretValue", status: 200 },
      ]);
    });

    it.skipIf(policyEngine === undefined)(
      "allow the function's role to assume only the target role, and only with the function's external ID",
      async () => {
        const target = await accounts.readRole("account-a", "SecretReader");
        const { arn, policies } = await accounts.readRole("account-b", "my-lambda-role");
        expect([fn.variables.CROSS_ACCOUNT_SECRETS_ROLE_ARN, fn.roleArn]).toEqual([target.arn, arn]);
        const assume = (resource: string, externalId: string | undefined) =>
          evaluate(
            { roleArn: arn, policies },
            {
              action: "sts:AssumeRole",
              resource,
              resourcePolicy: target.trustPolicy,
              context: { "sts:ExternalId": externalId },
            },
          );
        const externalId = fn.variables.CROSS_ACCOUNT_SECRETS_EXTERNAL_ID;
        expect(await assume(target.arn, externalId)).toBe("Allowed");
        expect(await assume(target.arn, undefined)).toMatch(/Denied/);
        expect(await assume(target.arn.replace("SecretReader", "Other"), externalId)).toMatch(/Denied/);
      },
    );

    it.skipIf(policyEngine === undefined)(
      "and the snippet for SAM give a role that may assume the target role, with the external ID that the function sends",
      async () => {
        const [externalId, names] = ["another-id", "FunctionRoleName=sam-role TargetRoleName=SamReader"];
        const deploy = (tool: string, account: string, template: string, overrides: string) =>
          accounts.sh(`${tool} deploy --profile account-${account} --stack-name sam-snippet --template-file examples/${template} \
            --capabilities CAPABILITY_NAMED_IAM --parameter-overrides ${overrides}`);
        const parametersOfA = `FunctionAccountId=${FUNCTION_ACCOUNT} ExternalId=${externalId} ${names}`;
        await deploy("aws cloudformation", "a", "account-a.yaml", parametersOfA);
        const target = await accounts.readRole("account-a", "SamReader");
        const parametersOfB = `LayerArn=${fn.layerArn} TargetRoleArn=${target.arn} ExternalId=${externalId} FunctionRoleName=sam-role`;
        await deploy("sam", "b", "sam/template.yaml", `${parametersOfB} --resolve-s3`);
        const { arn, policies } = await accounts.readRole("account-b", "sam-role");
        const { roleArn, variables } = await readFunction(accounts, "sam-snippet");
        expect(roleArn).toBe(arn);
        const context = { "sts:ExternalId": variables.CROSS_ACCOUNT_SECRETS_EXTERNAL_ID };
        const call = { action: "sts:AssumeRole", resource: target.arn, resourcePolicy: target.trustPolicy, context };
        expect(await evaluate({ roleArn: arn, policies }, call)).toBe("Allowed");
      },
    );
  });
});

/** What Lambda needs to start a function. */
interface DeployedFunction {
  readonly name: string;
  readonly handler: string;
  readonly roleArn: string;
  readonly timeoutSeconds: number;
  readonly variables: Readonly<Record<string, string>>;
  /** The paths of zips. */
  readonly code: string;
  readonly layer: string;
  readonly layerArn: string;
}

async function readFunction({ aws }: MotoAccounts, stack: string): Promise<DeployedFunction> {
  const { Functions } = await aws<{ Functions: { FunctionName: string }[] }>("account-b", "lambda", "list-functions");
  const name = Functions.find(({ FunctionName }) => FunctionName.startsWith(stack))?.FunctionName ?? "";
  const { Configuration, Code } = await aws<{
    Configuration: {
      Handler: string;
      Role: string;
      Timeout: number;
      Environment: { Variables: Record<string, string> };
      Layers: { Arn: string }[];
    };
    Code: { Location: string };
  }>("account-b", "lambda", "get-function", "--function-name", name);
  const [, layerName = "", version = ""] = /(.*):(\d+)$/.exec(Configuration.Layers[0]?.Arn ?? "") ?? [];
  const layer = await aws<{ Content: { Location: string } }>(
    "account-b",
    ...["lambda", "get-layer-version", "--layer-name", layerName, "--version-number", version],
  );
  return {
    name,
    handler: Configuration.Handler,
    roleArn: Configuration.Role,
    timeoutSeconds: Configuration.Timeout,
    variables: Configuration.Environment.Variables,
    code: Code.Location,
    layer: layer.Content.Location,
    layerArn: Configuration.Layers[0]?.Arn ?? "",
  };
}

/** Unpacks a zip into a folder that is removed with the test. */
async function unpackZip(zip: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "deployed-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  unzip(zip, folder);
  return folder;
}

/** Starts the part of Lambda's API that invokes this function. It ends with the test. */
async function startInvokeApi(name: string, sandbox: Sandbox): Promise<string> {
  const server = createServer(async ({ url }, reply) => {
    const isKnown = url === `/2015-03-31/functions/${name}/invocations`;
    const { status, body } = isKnown ? await sandbox.invoke() : { status: 404, body: "{}" };
    reply.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
