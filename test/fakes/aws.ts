/**
 * A fake AWS on 127.0.0.1: STS, Secrets Manager and Parameter Store of any number of accounts and regions, at one URL.
 *
 *   received ─► parseAwsRequest ─► authenticate ─► answerSts | answerSecretsManager | answerSystemsManager ─► sent
 *                  │ journal          │ signature        │ policies | permissions, session-policy
 *                  └ faults           └ iam              └ iam, accounts, secrets, parameters, keys
 *
 * It checks what AWS checks, signatures too, and refuses in AWS's own words and shapes; where these could not be verified,
 * a comment says so. With a policy engine it evaluates policies; without, roles carry lists in place of theirs.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type AccountOptions, createAccounts, type EndpointService } from "./aws/accounts.ts";
import { authenticate } from "./aws/authentication.ts";
import { createFaultPlan, type Fault, type FaultScope, refusalOfFault, toMalformed } from "./aws/faults.ts";
import { createIam, type Role, type RoleChanges, type RoleOptions, type SessionCredentials } from "./aws/iam.ts";
import { type AwsCall, toCall } from "./aws/journal.ts";
import { createKeys, type KeyOptions } from "./aws/keys.ts";
import { parseAwsRequest } from "./aws/operation.ts";
import { createParameterStore, type NewParameter, type Parameter } from "./aws/parameters.ts";
import { denialByLists } from "./aws/permissions.ts";
import { createDenialByPolicies, type PolicyDocument, type PolicyEngine } from "./aws/policies.ts";
import { createSecretStore, type NewSecret, type Secret, type SecretValue } from "./aws/secrets.ts";
import { answerSecretsManager } from "./aws/secrets-manager.ts";
import { parseAuthorization, type ReceivedRequest } from "./aws/signature.ts";
import { answerSts } from "./aws/sts.ts";
import { answerSystemsManager } from "./aws/systems-manager.ts";
import { isRefusal, WIRES } from "./aws/wire.ts";

export type { Fault, FaultScope } from "./aws/faults.ts";
export type { RoleChanges, RoleOptions, SessionCredentials } from "./aws/iam.ts";
export type { AwsCall } from "./aws/journal.ts";
export type { NewParameter } from "./aws/parameters.ts";
export type { PolicyDocument, PolicyEngine, PolicyStatement } from "./aws/policies.ts";
export type { NewSecret, SecretValue } from "./aws/secrets.ts";

/** The operations that the fake knows. */
export type AwsOperation = "AssumeRole" | "GetCallerIdentity" | "GetSecretValue" | "GetParameter";

export interface FakeAwsOptions {
  /** AWS's clock, in milliseconds since 1970. Default: the machine's. */
  readonly now?: () => number;
  /** The regions there are. Default: any that looks like one. */
  readonly regions?: readonly string[];
  /** Evaluates the policies of roles, accounts, secrets and keys. Default: they do not count, and the lists of roles do. */
  readonly policyEngine?: PolicyEngine | undefined;
}

export interface FakeAws {
  /** For `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL_SSM`. */
  readonly url: string;
  /** Every request that came, in order, with what came of it. It holds no secret value, no key and no token. */
  readonly calls: readonly Readonly<AwsCall>[];
  /** How many requests for this operation came, whatever came of them. */
  count(operation: AwsOperation): number;

  createRole(role: RoleOptions): void;
  /** Sessions that were issued live on, under the changed permissions. */
  changeRole(arn: string, changes: RoleChanges): void;
  findRole(arn: string): Role | undefined;
  /** Its sessions are unknown from then on, also if the role is created again. */
  deleteRole(arn: string): void;
  /** An account is in no organization unless it is said so. */
  changeAccount(account: string, changes: AccountOptions): void;
  findAccount(account: string): AccountOptions;
  /** Requests to the service come by a VPC endpoint with this policy from now on; undefined: by none. */
  changeEndpoint(service: EndpointService, policy: PolicyDocument | undefined): void;
  /** Of the endpoint that a request for this action comes by. */
  findEndpointPolicy(action: string): PolicyDocument | undefined;
  /** The execution role's own credentials, as Lambda puts them into a function's environment; twelve hours, unless said otherwise. */
  issueSession(session: { roleArn: string; sessionName?: string; durationSeconds?: number }): SessionCredentials;
  /** All sessions of the role issued so far are denied everything, as by the console's "Revoke active sessions". */
  revokeSessions(roleArn: string): void;
  /** Of every session ever issued, so that a test can look for them where they must not be. */
  listCredentials(): SessionCredentials[];

  /** The ARN gets AWS's six random characters. Without a value there is no version, and its id is empty. */
  createSecret(secret: NewSecret): { readonly arn: string; readonly versionId: string };
  /** A new version; by default it becomes AWSCURRENT, and the one that was becomes AWSPREVIOUS. */
  putSecretValue(arn: string, value: SecretValue, stages?: readonly string[]): { readonly versionId: string };
  findSecret(secretId: string, account: string, region: string): Secret | undefined;
  changeSecret(arn: string, changes: { resourcePolicy: PolicyDocument | undefined }): void;
  /** Its name, its six characters and its versions are in that region too, from now on. */
  replicateSecret(arn: string, region: string): void;
  /** It still has its name, but its value cannot be read. */
  markForDeletion(arn: string): void;
  /** Ends a mark for deletion. */
  restoreSecret(arn: string): void;
  /** Gone for good; its name is free again. */
  deleteSecret(arn: string): void;

  /** A customer managed key. */
  createKey(key: { account: string; region: string; policy: PolicyDocument }): { readonly arn: string };
  changeKey(arn: string, changes: Partial<KeyOptions>): void;
  findKey(arn: string): KeyOptions | undefined;

  /** Its first version is 1. */
  createParameter(parameter: NewParameter): { readonly arn: string };
  putParameter(arn: string, value: string): { readonly version: number };
  /** A label stands on one version at a time. */
  labelParameter(arn: string, version: number, label: string): void;
  deleteParameter(arn: string): void;
  findParameter(arn: string): Parameter | undefined;

  /** From now on the operation fails so. The oldest fault that fits a call and has times left is the one that it runs into. */
  fault(operation: AwsOperation, fault: Fault, scope?: FaultScope): void;
  /** Ends the faults of the operation, or all. Calls that hang go on hanging. */
  heal(operation?: AwsOperation): void;
  /** Stops listening and ends all connections, those that hang too. */
  close(): Promise<void>;
}

/** Starts a fake AWS without accounts, roles and secrets, on a free port. */
export async function startFakeAws(options: FakeAwsOptions = {}): Promise<FakeAws> {
  const { now = Date.now, regions, policyEngine } = options;
  const iam = createIam(now);
  const accounts = createAccounts();
  const keys = createKeys();
  const denialOf = policyEngine === undefined ? denialByLists : createDenialByPolicies(policyEngine, accounts);
  const secrets = createSecretStore(now);
  const parameters = createParameterStore(now);
  const faults = createFaultPlan();
  const calls: AwsCall[] = [];

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = await receive(incoming);
    const nowMs = now();
    const request = parseAwsRequest(received);
    const { service } = request;
    const authorization = parseAuthorization(received.headers.authorization ?? "");
    const region = authorization?.region ?? "";
    const call = toCall(request, { atMs: nowMs, region, userAgent: received.headers["user-agent"] ?? "" });
    calls.push(call);

    const fault = faults.take(request, region);
    if (fault?.kind === "hang" || fault?.kind === "reset") {
      call.outcome = fault.kind;
      if (fault.kind === "reset") incoming.socket.resetAndDestroy();
      return;
    }

    const requestId = randomUUID();
    const caller = await authenticate({ request: received, authorization, service, iam, regions, nowMs });
    const context = { request, region, requestId, denialOf, iam, accounts, keys, secrets, parameters };
    const answer = isRefusal(caller)
      ? caller
      : (refusalOfFault(fault, request, caller) ?? (await ANSWERS[service]({ ...context, caller })));
    if (!isRefusal(caller)) call.caller = caller.session.arn;
    if (fault?.kind === "slow") await delay(fault.delayMs, undefined, { ref: false });

    const { contentType, toBody } = WIRES[service];
    const text = isRefusal(answer) ? toBody(answer, requestId) : answer.body;
    const body = Buffer.from(fault?.kind === "malformed" ? toMalformed(text) : text);
    const breaks = fault?.kind === "reset-mid-body" || fault?.kind === "malformed";
    call.outcome = isRefusal(answer) ? answer.code : breaks ? fault.kind : "ok";
    response.writeHead(isRefusal(answer) ? answer.status : 200, {
      "x-amzn-RequestId": requestId,
      "Content-Type": contentType,
      "Content-Length": body.length,
      // The fake's clock, by which an SDK corrects its own.
      Date: new Date(now()).toUTCString(),
    });
    if (fault?.kind === "reset-mid-body") {
      response.write(body.subarray(0, body.length / 2), () => incoming.socket.resetAndDestroy());
    } else if (fault?.kind === "drip") {
      for (let at = 0; at < body.length && !response.destroyed; at += 1) {
        response.write(body.subarray(at, at + 1));
        await delay(fault.everyMs, undefined, { ref: false });
      }
      response.end();
    } else {
      response.end(body);
    }
  }

  const server = createServer((incoming, response) => {
    // A client that goes away is none of our business; anything else is a bug of the fake, and shall be seen.
    serve(incoming, response).catch((error: unknown) => {
      if (!incoming.destroyed || incoming.complete) process.emitWarning(`fake AWS: ${String(error)}`);
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    count: (operation) => calls.filter((call) => call.operation === operation).length,
    createRole: iam.createRole,
    changeRole: iam.changeRole,
    findRole: iam.findRole,
    deleteRole: iam.deleteRole,
    changeAccount: accounts.changeAccount,
    findAccount: accounts.find,
    findEndpointPolicy: accounts.findEndpointPolicy,
    changeEndpoint: accounts.changeEndpoint,
    issueSession({ roleArn, sessionName = "function", durationSeconds = 43_200 }) {
      const role = iam.findRole(roleArn);
      if (role === undefined) throw new Error(`fake AWS: there is no role ${roleArn}`);
      const { accessKeyId, secretAccessKey, sessionToken } = iam.issueSession(role, sessionName, durationSeconds);
      return { accessKeyId, secretAccessKey, sessionToken };
    },
    revokeSessions: iam.revokeSessions,
    listCredentials: iam.listCredentials,
    createSecret: secrets.createSecret,
    putSecretValue: secrets.putSecretValue,
    findSecret: secrets.find,
    changeSecret: secrets.changeSecret,
    replicateSecret: secrets.replicateSecret,
    markForDeletion: secrets.markForDeletion,
    restoreSecret: secrets.restoreSecret,
    deleteSecret: secrets.deleteSecret,
    createKey: keys.createKey,
    changeKey: keys.changeKey,
    findKey: keys.find,
    createParameter: parameters.createParameter,
    putParameter: parameters.putParameter,
    labelParameter: parameters.labelParameter,
    deleteParameter: parameters.deleteParameter,
    findParameter: parameters.find,
    fault: (operation, fault, scope = {}) => faults.add(operation, fault, scope),
    heal: faults.heal,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const ANSWERS = { sts: answerSts, secretsmanager: answerSecretsManager, ssm: answerSystemsManager };

async function receive(incoming: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value ?? "")]);
  return {
    method: incoming.method ?? "",
    target: incoming.url ?? "/",
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks),
  };
}
