/**
 * A fake AWS on 127.0.0.1: STS, Secrets Manager and Parameter Store of any number of accounts and regions, at one URL.
 *
 *   received ─► parseAwsRequest ─► authenticate ─► answerSts | answerSecretsManager | answerSystemsManager ─► sent
 *                  │ journal          │ signature        │ policies | permissions, session-policy
 *                  └ faults           └ iam              └ iam, accounts, secrets, parameters, keys
 *
 * It checks what AWS checks, signatures too, and answers errors in AWS's own words and shapes. A comment says "not verified"
 * if these could not be verified. With a policy engine it evaluates policies. Without one, roles carry lists instead.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Accounts, createAccounts } from "./aws/accounts.ts";
import { authenticate } from "./aws/authentication.ts";
import { createFaultPlan, type Fault, type FaultScope, toFaultAnswer, toMalformed } from "./aws/faults.ts";
import { createIam, type Iam, type SessionCredentials } from "./aws/iam.ts";
import { type RecordedCall, toRecordedCall } from "./aws/journal.ts";
import { createKmsKeys, type KmsKeys } from "./aws/keys.ts";
import { parseAwsRequest } from "./aws/operation.ts";
import { createFakeParameterStore, type FakeParameterStore } from "./aws/parameters.ts";
import { findDenialByLists } from "./aws/permissions.ts";
import { createPolicyEvaluator, type PolicyEngine } from "./aws/policies.ts";
import { createFakeSecretStore, type FakeSecretStore } from "./aws/secrets.ts";
import { answerSecretsManager } from "./aws/secrets-manager.ts";
import { parseAuthorization, type ReceivedRequest } from "./aws/signature.ts";
import { answerSts } from "./aws/sts.ts";
import { answerSystemsManager } from "./aws/systems-manager.ts";
import { isErrorAnswer, WIRES } from "./aws/wire.ts";

export type { Fault } from "./aws/faults.ts";
export type { SessionCredentials } from "./aws/iam.ts";
export type { NewParameter } from "./aws/parameters.ts";
export type { PolicyDocument, PolicyEngine, PolicyStatement } from "./aws/policies.ts";

/** The operations that the fake knows. */
export type AwsOperation = "AssumeRole" | "GetCallerIdentity" | "GetSecretValue" | "GetParameter";

export interface FakeAwsOptions {
  /** AWS's clock, in milliseconds since 1970. Default: the machine's clock. */
  readonly now?: () => number;
  /** The regions that exist. Default: every name that looks like a region. */
  readonly regions?: readonly string[];
  /** Evaluates the policies of roles, accounts, secrets and keys. Default: policies are ignored, and the lists of roles count. */
  readonly policyEngine?: PolicyEngine | undefined;
}

export interface FakeAws
  extends Omit<Iam, "issueSession" | "findSession">,
    Accounts,
    FakeSecretStore,
    KmsKeys,
    FakeParameterStore {
  /** For `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL_SSM`. */
  readonly url: string;
  /** Every request, in order, with its outcome. It holds no secret value, no key and no token. */
  readonly calls: readonly Readonly<RecordedCall>[];
  /** How many requests for this operation arrived, whatever their outcome. */
  count(operation: AwsOperation): number;

  /** Issues the execution role's own credentials, which Lambda puts into a function's environment. Default: for twelve hours. */
  issueSession(session: {
    roleArn: string;
    sessionName?: string;
    durationSeconds?: number;
    tokenBytes?: number;
  }): SessionCredentials;

  /** Makes the operation fail from now on. A call gets the oldest fault that applies to it and has times left. */
  fault(operation: AwsOperation, fault: Fault, scope?: FaultScope): void;
  /** Ends the faults of the operation, or all faults. Calls that hang continue to hang. */
  heal(operation?: AwsOperation): void;
  /** Stops listening and ends all connections, also those that hang. */
  close(): Promise<void>;
}

/** Starts a fake AWS without roles and secrets on a free port. */
export async function startFakeAws(options: FakeAwsOptions = {}): Promise<FakeAws> {
  const { now = Date.now, regions, policyEngine } = options;
  const iam = createIam(now);
  const accounts = createAccounts();
  const keys = createKmsKeys();
  const findDenial = policyEngine === undefined ? findDenialByLists : createPolicyEvaluator(policyEngine, accounts);
  const secrets = createFakeSecretStore(now);
  const parameters = createFakeParameterStore(now);
  const faults = createFaultPlan();
  const calls: RecordedCall[] = [];

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = await receive(incoming);
    const nowMs = now();
    const request = parseAwsRequest(received);
    const { service } = request;
    const authorization = parseAuthorization(received.headers.authorization ?? "");
    const region = authorization?.region ?? "";
    const call = toRecordedCall(request, { atMs: nowMs, region, userAgent: received.headers["user-agent"] ?? "" });
    calls.push(call);

    const fault = faults.take(request, region);
    if (fault?.kind === "hang" || fault?.kind === "reset") {
      call.outcome = fault.kind;
      if (fault.kind === "reset") incoming.socket.resetAndDestroy();
      return;
    }

    const requestId = randomUUID();
    const caller = await authenticate({ request: received, authorization, service, iam, regions, nowMs });
    const context = { request, region, requestId, findDenial, iam, accounts, keys, secrets, parameters };
    const answer = isErrorAnswer(caller)
      ? caller
      : (toFaultAnswer(fault, request, caller) ?? (await ANSWERS[service]({ ...context, caller })));
    if (!isErrorAnswer(caller)) call.caller = caller.session.arn;
    if (fault?.kind === "slow") await delay(fault.delayMs, undefined, { ref: false });

    const { contentType, toBody } = WIRES[service];
    const text = isErrorAnswer(answer) ? toBody(answer, requestId) : answer.body;
    const body = Buffer.from(fault?.kind === "malformed" ? toMalformed(text) : text);
    const breaks = fault?.kind === "reset-mid-body" || fault?.kind === "malformed";
    call.outcome = isErrorAnswer(answer) ? answer.code : breaks ? fault.kind : "ok";
    response.writeHead(isErrorAnswer(answer) ? answer.status : 200, {
      "x-amzn-RequestId": requestId,
      "Content-Type": contentType,
      "Content-Length": body.length,
      // An SDK corrects its own clock by this one.
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
    // A client may close its connection. Any other error is a bug of the fake and must be seen.
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
    ...iam,
    ...accounts,
    ...secrets,
    ...keys,
    ...parameters,
    issueSession({ roleArn, sessionName = "function", durationSeconds = 43_200, tokenBytes }) {
      const role = iam.findRole(roleArn);
      if (role === undefined) throw new Error(`fake AWS: there is no role ${roleArn}`);
      const { accessKeyId, secretAccessKey, sessionToken } = iam.issueSession({
        role,
        sessionName,
        durationSeconds,
        tokenBytes: tokenBytes ?? role.sessionTokenBytes,
      });
      return { accessKeyId, secretAccessKey, sessionToken };
    },
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
