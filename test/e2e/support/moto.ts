// Account A and Account B in moto, which checks signatures and IAM policies:
//
//   execution role of B ── AssumeRole ──► target role of A ── GetSecretValue ──► secrets of A
//
// The function's calls pass a small proxy, which counts them. moto can record calls itself, but without their outcome, and
// into a file that then holds every session token. The proxy keeps the Host header, which is part of what callers sign.
//
// What moto does not check: trust policies and external IDs across accounts, resource policies, session policies, the end of
// a session. It knows permissions for Secrets Manager only on the resource "*", and refuses with XML where SDKs expect JSON.
// The fake in test/fakes does all this.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { findCounterparts, toPython } from "../../../scripts/setup/end-to-end.ts";
import type { SessionCredentials } from "../../fakes/aws.ts";
import { FUNCTION_ROLE_ARN, REGION, TARGET_ROLE_ARN, toFunctionEnvironment } from "../../support/two-accounts.ts";
import { send } from "./http.ts";
import { createLog } from "./log.ts";
import { startProcess } from "./process.ts";

/** In Account A; the execution role may not assume it. */
export const FORBIDDEN_ROLE_ARN = "arn:aws:iam::111111111111:role/Forbidden";
const OWNER_ROLE_ARN = "arn:aws:iam::111111111111:role/Owner";

interface Permission {
  readonly Action: string;
  readonly Resource: string;
}

/** Long-term keys: there is no session token. */
export interface UserKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const FUNCTION_PERMISSION: Permission = { Action: "sts:AssumeRole", Resource: TARGET_ROLE_ARN };

/** The roles that exist, and what each is allowed. */
const PERMISSIONS: Readonly<Record<string, Permission>> = {
  [FUNCTION_ROLE_ARN]: FUNCTION_PERMISSION,
  [TARGET_ROLE_ARN]: { Action: "secretsmanager:GetSecretValue", Resource: "*" },
  [OWNER_ROLE_ARN]: { Action: "secretsmanager:*", Resource: "*" },
};

/** A call of the function's side that moto has answered. */
export interface AwsCall {
  /** Such as `AssumeRole`. */
  readonly operation: string;
  readonly status: number;
}

/** What becomes of a call: it passes, it is never answered, or its connection is reset. */
export type Outage = "none" | "hang" | "reset";

/** The way from the function's side to moto. */
export interface Proxy {
  /** Of STS and Secrets Manager. */
  readonly endpoint: string;
  /** In order. Set its `length` to 0 to start anew. */
  readonly calls: AwsCall[];
  /** How many calls there were of `AssumeRole`, `GetSecretValue`, …, whatever the answer. */
  count(operation: string): number;
  /** What no output may hold: of the session that it was started with, and of every one that was handed out since. */
  listCredentials(): readonly SessionCredentials[];
  /** Decides about all calls that follow. */
  setOutage(outage: Outage): void;
  close(): void;
}

export interface Moto extends Omit<Proxy, "close"> {
  /** A session of the execution role. */
  readonly credentials: SessionCredentials;
  /** Of a user of Account B, as `sam local` finds them in a developer's profile. */
  readonly userKeys: UserKeys;
  /** A function's variables: these two, and the layer's settings for `SECRET_NAME`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Secrets Manager for Account A's administrator, to rotate or delete: past the proxy. */
  readonly owner: SecretsManagerClient;
  close(): Promise<void>;
}

/** Starts moto with these secrets in Account A, name -> SecretString, and IAM enforced. */
export async function startMoto({ secrets }: { readonly secrets: Readonly<Record<string, string>> }): Promise<Moto> {
  const server = await startServer();
  for (const [roleArn, permission] of Object.entries(PERMISSIONS)) await createRole(server.url, roleArn, permission);
  const credentials = await assumeRole(server.url, FUNCTION_ROLE_ARN);
  // A user who may do what the execution role may.
  const userKeys = await createUser(server.url, "222222222222", FUNCTION_PERMISSION);
  const ownerCredentials = await assumeRole(server.url, OWNER_ROLE_ARN);
  const owner = new SecretsManagerClient({ region: REGION, endpoint: server.url, credentials: ownerCredentials });
  for (const [Name, SecretString] of Object.entries(secrets)) {
    await owner.send(new CreateSecretCommand({ Name, SecretString }));
  }
  // The body is how many more requests pass unchecked. https://docs.getmoto.org/en/latest/docs/iam.html
  await post(`${server.url}/moto-api/reset-auth`, { "content-type": "text/plain" }, "0");

  const proxy = await startProxy(server.url, credentials);
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

export async function startProxy(url: string, credentials: SessionCredentials): Promise<Proxy> {
  const calls: AwsCall[] = [];
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

/** A server that has nothing yet, and believes everybody. */
export async function startServer(
  program: readonly string[] = ["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const counterparts = findCounterparts();
  if (counterparts === undefined) throw new Error("no moto: run npx tsx scripts/setup/end-to-end.ts");
  const log = createLog();
  const command = [toPython(counterparts.venv), ...program];
  const { child, ended } = startProcess({ command, onLine: log.add });
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

/** Anybody may assume the role who is allowed to: trust is not what moto checks. */
async function createRole(url: string, roleArn: string, permission: Permission): Promise<void> {
  const [, , , , account = "", resource = ""] = roleArn.split(":");
  const RoleName = resource.replace("role/", "");
  const AssumeRolePolicyDocument = toPolicy({ Principal: { AWS: "*" }, Action: "sts:AssumeRole" });
  await callIam(url, account, { Action: "CreateRole", RoleName, AssumeRolePolicyDocument });
  const policy = { PolicyName: "allow", PolicyDocument: toPolicy(permission) };
  await callIam(url, account, { Action: "PutRolePolicy", RoleName, ...policy });
}

export async function createUser(url: string, account: string, permission: Permission): Promise<UserKeys> {
  const UserName = "developer";
  await callIam(url, account, { Action: "CreateUser", UserName });
  const policy = { PolicyName: "allow", PolicyDocument: toPolicy(permission) };
  await callIam(url, account, { Action: "PutUserPolicy", UserName, ...policy });
  const xml = await callIam(url, account, { Action: "CreateAccessKey", UserName });
  return { accessKeyId: readElement(xml, "AccessKeyId"), secretAccessKey: readElement(xml, "SecretAccessKey") };
}

function callIam(url: string, account: string, parameters: Record<string, string>): Promise<string> {
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "x-moto-account-id": account,
    // Not checked yet, but it is how moto tells one service from another.
    authorization: `AWS4-HMAC-SHA256 Credential=none/20260101/${REGION}/iam/aws4_request, SignedHeaders=host, Signature=none`,
  };
  return post(url, headers, new URLSearchParams({ Version: "2010-05-08", ...parameters }).toString());
}

const toPolicy = (statement: object): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });

/** A session of a role, while nobody asks who wants it. */
export async function assumeRole(endpoint: string, RoleArn: string): Promise<SessionCredentials> {
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
  onAnswer: (call: AwsCall, body: string) => void,
): Promise<void> {
  try {
    const asked = await buffer(incoming);
    const { method, url: path, headers } = incoming;
    const answer = await send({ url, method, path, headers, body: asked });
    const { statusCode: status = 0, headers: answeredHeaders } = answer;
    const answered = await buffer(answer);
    onAnswer({ operation: readOperation(incoming, asked), status }, answered.toString());
    reply.writeHead(status, answeredHeaders).end(answered);
  } catch {
    reply.destroy(); // whoever asked, or moto, is gone
  }
}

/** What AssumeRole answers. */
function parseCredentials(xml: string): SessionCredentials {
  const [accessKeyId, secretAccessKey, sessionToken] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map((name) =>
    readElement(xml, name),
  ) as [string, string, string];
  return { accessKeyId, secretAccessKey, sessionToken };
}

const readElement = (xml: string, name: string): string => new RegExp(`<${name}>([^<]+)<`).exec(xml)?.[1] ?? "";

/** Secrets Manager names an operation in a header, STS in its form. */
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
