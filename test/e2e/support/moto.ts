// Account A and Account B in moto, which checks signatures and IAM policies:
//
//   execution role of B ── AssumeRole ──► target role of A ── GetSecretValue ──► secrets of A
//
// The function's calls go through a small proxy, which counts them. moto can record calls itself, but without their outcome, and
// into a file that then contains every session token. The proxy keeps the Host header, because callers sign it.
//
// moto does not check trust policies and external IDs across accounts, resource policies, session policies, and the end of a
// session. It knows permissions for Secrets Manager only on the resource "*", and its errors are XML although SDKs expect JSON.
// The fake in test/fakes does all this.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { findCounterparts, toPython } from "../../../scripts/setup/end-to-end.ts";
import type { PolicyStatement, SessionCredentials } from "../../fakes/aws.ts";
import { allow, toPolicy, trust } from "../../support/policy-documents.ts";
import {
  FUNCTION_ACCOUNT,
  FUNCTION_ROLE_ARN,
  REGION,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
  toFunctionEnvironment,
} from "../../support/two-accounts.ts";
import { send } from "./http.ts";
import { createOutput } from "./log.ts";
import { startChild } from "./process.ts";

/** A role in Account A that the execution role may not assume. */
export const FORBIDDEN_ROLE_ARN = `arn:aws:iam::${TARGET_ACCOUNT}:role/Forbidden`;
const OWNER_ROLE_ARN = `arn:aws:iam::${TARGET_ACCOUNT}:role/Owner`;

/** Long-term keys: there is no session token. */
export interface UserKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const FUNCTION_PERMISSION = allow("sts:AssumeRole", TARGET_ROLE_ARN);

/** The roles that exist, with the permission of each. */
const PERMISSIONS: Readonly<Record<string, PolicyStatement>> = {
  [FUNCTION_ROLE_ARN]: FUNCTION_PERMISSION,
  [TARGET_ROLE_ARN]: allow("secretsmanager:GetSecretValue", "*"),
  [OWNER_ROLE_ARN]: allow("secretsmanager:*", "*"),
};

/** A call from the function's side that moto has answered. */
export interface ProxiedCall {
  /** Such as `AssumeRole`. */
  readonly operation: string;
  readonly status: number;
}

/** `none`: calls pass. `hang`: calls are never answered. `reset`: their connections are reset. */
export type Outage = "none" | "hang" | "reset";

/** The proxy between the function's side and moto. */
export interface AwsProxy {
  /** The URL of STS and Secrets Manager. */
  readonly endpoint: string;
  /** The calls in order. Set `length` to 0 to start again. */
  readonly calls: ProxiedCall[];
  /** How many calls of `AssumeRole`, `GetSecretValue` and so on there were, whatever the answer. */
  count(operation: string): number;
  /** The first session and every session that was issued later. No output may contain their secret parts. */
  listCredentials(): readonly SessionCredentials[];
  /** Applies to all later calls. */
  setOutage(outage: Outage): void;
  close(): void;
}

export interface Moto extends Omit<AwsProxy, "close"> {
  /** A session of the execution role. */
  readonly credentials: SessionCredentials;
  /** The keys of a user of Account B, as in a developer's profile, where `sam local` finds them. */
  readonly userKeys: UserKeys;
  /** A function's variables: the credentials, the endpoint, and the layer's settings for `SECRET_NAME`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Secrets Manager for Account A's administrator, to rotate or delete. It bypasses the proxy. */
  readonly owner: SecretsManagerClient;
  close(): Promise<void>;
}

/** Starts moto with IAM enforced, and with these secrets in Account A: SecretString by name. */
export async function startMoto({ secrets }: { readonly secrets: Readonly<Record<string, string>> }): Promise<Moto> {
  const server = await startMotoServer();
  for (const [roleArn, permission] of Object.entries(PERMISSIONS)) await createRole(server.url, roleArn, permission);
  const credentials = await issueRoleSession(server.url, FUNCTION_ROLE_ARN);
  // A user who may do what the execution role may.
  const userKeys = await createUser(server.url, FUNCTION_ACCOUNT, FUNCTION_PERMISSION);
  const ownerCredentials = await issueRoleSession(server.url, OWNER_ROLE_ARN);
  const owner = new SecretsManagerClient({ region: REGION, endpoint: server.url, credentials: ownerCredentials });
  for (const [Name, SecretString] of Object.entries(secrets)) {
    await owner.send(new CreateSecretCommand({ Name, SecretString }));
  }
  // The body is the number of further requests that are not checked. https://docs.getmoto.org/en/latest/docs/iam.html
  await post(`${server.url}/moto-api/reset-auth`, { "content-type": "text/plain" }, "0");

  const proxy = await startAwsProxy(server.url, credentials);
  return {
    ...proxy,
    credentials,
    userKeys,
    environment: toFunctionEnvironment(credentials, proxy.endpoint),
    owner,
    async close() {
      owner.destroy();
      proxy.close();
      await server.close();
    },
  };
}

export async function startAwsProxy(url: string, credentials: SessionCredentials): Promise<AwsProxy> {
  const calls: ProxiedCall[] = [];
  const sessions = [credentials];
  let outage: Outage = "none";
  const proxy = createServer((incoming, reply) => {
    if (outage === "reset") incoming.socket.resetAndDestroy();
    if (outage === "none")
      void forward(url, incoming, reply, (call, body) => {
        calls.push(call);
        if (call.operation === "AssumeRole" && call.status === 200) sessions.push(parseCredentials(body));
      });
  });
  return {
    endpoint: await listen(proxy),
    calls,
    count: (operation) => calls.filter((call) => call.operation === operation).length,
    listCredentials: () => sessions,
    setOutage(next) {
      outage = next;
    },
    close() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

/** Starts a moto server. It is empty, and accepts every caller. */
export async function startMotoServer(
  program: readonly string[] = ["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const counterparts = findCounterparts();
  if (counterparts === undefined) throw new Error("no moto: run npx tsx scripts/setup/end-to-end.ts");
  const log = createOutput();
  const command = [toPython(counterparts.venv), ...program];
  const { child, ended } = startChild({ command, onLine: log.add });
  void ended.then(log.end);
  const line = await log.waitFor(/Running on http:/, { timeoutMs: 30_000 });
  return {
    url: line.text.replace(/.*(http:\/\/[\d.:]+).*/, "$1"),
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** The trust policy allows every principal, because moto does not check it. */
async function createRole(url: string, roleArn: string, permission: PolicyStatement): Promise<void> {
  const [, , , , account = "", resource = ""] = roleArn.split(":");
  const RoleName = resource.replace("role/", "");
  const AssumeRolePolicyDocument = JSON.stringify(toPolicy(trust("*", "sts:AssumeRole")));
  await callIam(url, account, { Action: "CreateRole", RoleName, AssumeRolePolicyDocument });
  await callIam(url, account, { Action: "PutRolePolicy", RoleName, ...toInlinePolicy(permission) });
}

export async function createUser(url: string, account: string, permission: PolicyStatement): Promise<UserKeys> {
  const UserName = "developer";
  await callIam(url, account, { Action: "CreateUser", UserName });
  await callIam(url, account, { Action: "PutUserPolicy", UserName, ...toInlinePolicy(permission) });
  const xml = await callIam(url, account, { Action: "CreateAccessKey", UserName });
  return { accessKeyId: readElement(xml, "AccessKeyId"), secretAccessKey: readElement(xml, "SecretAccessKey") };
}

function callIam(url: string, account: string, parameters: Record<string, string>): Promise<string> {
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "x-moto-account-id": account,
    // moto does not check it yet, but it needs it to know the service.
    authorization: `AWS4-HMAC-SHA256 Credential=none/20260101/${REGION}/iam/aws4_request, SignedHeaders=host, Signature=none`,
  };
  return post(url, headers, new URLSearchParams({ Version: "2010-05-08", ...parameters }).toString());
}

const toInlinePolicy = (statement: PolicyStatement) => ({
  PolicyName: "allow",
  PolicyDocument: JSON.stringify(toPolicy(statement)),
});

/** Issues a session of a role. It works only while moto checks no caller. */
export async function issueRoleSession(endpoint: string, RoleArn: string): Promise<SessionCredentials> {
  const sts = new STSClient({
    region: REGION,
    endpoint,
    credentials: { accessKeyId: "none", secretAccessKey: "none" },
  });
  try {
    const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "seed" }));
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  } finally {
    sts.destroy();
  }
}

async function forward(
  url: string,
  incoming: IncomingMessage,
  reply: ServerResponse,
  onAnswer: (call: ProxiedCall, body: string) => void,
): Promise<void> {
  try {
    const requested = await buffer(incoming);
    const { method, url: path, headers } = incoming;
    const answer = await send({ url, method, path, headers, body: requested });
    const { statusCode: status = 0, headers: answeredHeaders } = answer;
    const answered = await buffer(answer);
    onAnswer({ operation: readOperation(incoming, requested), status }, answered.toString());
    reply.writeHead(status, answeredHeaders).end(answered);
  } catch {
    reply.destroy(); // the caller or moto is gone
  }
}

/** Reads the credentials in an answer of AssumeRole. */
function parseCredentials(xml: string): SessionCredentials {
  const [accessKeyId, secretAccessKey, sessionToken] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map((name) =>
    readElement(xml, name),
  ) as [string, string, string];
  return { accessKeyId, secretAccessKey, sessionToken };
}

const readElement = (xml: string, name: string): string => new RegExp(`<${name}>([^<]+)<`).exec(xml)?.[1] ?? "";

/** Secrets Manager's requests name the operation in a header, STS's in a form. */
function readOperation({ headers }: IncomingMessage, body: Buffer): string {
  const target = headers["x-amz-target"];
  return typeof target === "string"
    ? target.slice(target.indexOf(".") + 1)
    : (new URLSearchParams(body.toString()).get("Action") ?? "unknown");
}

async function post(url: string, headers: Record<string, string>, body: string): Promise<string> {
  const response = await send({ url, headers, body });
  const answered = await text(response);
  if (response.statusCode !== 200) throw new Error(`moto answered ${response.statusCode}: ${answered}`);
  return answered;
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}
