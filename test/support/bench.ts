import { request } from "node:http";
import { text } from "node:stream/consumers";
import { expect, onTestFinished } from "vitest";
import { type LayerName, toOpt } from "../../scripts/build/build.ts";
import { type FakeLambda, type FakeLambdaOptions, startFakeLambda } from "../fakes/lambda.ts";
import { findLeaks, readFolder } from "./canary.ts";
import { findFreePort } from "./free-port.ts";
import { parseLogLine } from "./log.ts";
import {
  createCanary,
  SECRET_NAME,
  startTwoAccounts,
  type TwoAccounts,
  type TwoAccountsOptions,
} from "./two-accounts.ts";

/** The answer of the extension to a local request. */
export interface LocalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly ms: number;
}

/** The built layer between a fake Lambda and a fake AWS. By default it ends with the test, which fails if a secret is found where it must not be. */
export interface Bench extends TwoAccounts {
  readonly lambda: FakeLambda;
  readonly port: number;
  /** Sends a request to the extension as the function does: with the token, unless `headers` replace it. */
  ask(path: string, options?: { method?: string; headers?: Record<string, string> }): Promise<LocalAnswer>;
  /** Reads the secret. */
  askForSecret(): Promise<LocalAnswer>;
  /** The log lines of the extension with this event. */
  events(event: string): readonly Readonly<Record<string, unknown>>[];
}

type Variables = Readonly<Record<string, string | undefined>>;

export interface BenchOptions
  extends Omit<FakeLambdaOptions, "opt" | "environment">,
    Pick<TwoAccountsOptions, "now" | "regions" | "policyEngine" | "functionRoleArn"> {
  readonly layer?: LayerName;
  /** Instead of a built layer. */
  readonly opt?: string;
  /** Further variables of the function; undefined removes one. A function gets the accounts as `prepare` has left them. */
  readonly environment?: Variables | ((accounts: TwoAccounts) => Variables | Promise<Variables>);
  /** The accounts of another bench, whose function gets a new execution environment. Default: new accounts. */
  readonly accounts?: TwoAccounts;
  /** Registers the end of the bench. Default: it ends with the test. */
  readonly onEnd?: (end: () => Promise<void>) => void;
  /** Prepares AWS before Lambda starts. */
  readonly prepare?: (accounts: TwoAccounts) => void;
}

export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  const {
    layer = "nodejs",
    opt = toOpt(layer),
    prepare,
    now,
    regions,
    policyEngine,
    functionRoleArn,
    environment: further = {},
    onEnd = onTestFinished,
    ...lambdaOptions
  } = options;
  const aws = { ...(now && { now }), ...(regions && { regions }), policyEngine, functionRoleArn };
  const accounts = options.accounts ?? (await startTwoAccounts(aws));
  if (accounts !== options.accounts) onEnd(() => accounts.close());
  prepare?.(accounts);
  const port = await findFreePort();
  // The token of the metadata endpoint is in the environment of every function.
  const metadataToken = createCanary();
  const variables = {
    ...accounts.environment,
    AWS_LAMBDA_METADATA_TOKEN: metadataToken,
    CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
    ...(typeof further === "function" ? await further(accounts) : further),
  };
  const environment = Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const lambda = await startFakeLambda({ ...lambdaOptions, opt, environment });
  const refusals: string[] = [];
  onEnd(async () => {
    const outputs = readFolder(lambda.tempFolder);
    lambda.logs.forEach(({ source, line }, index) => void outputs.set(`log line ${index} of the ${source}`, line));
    lambda.journal.forEach((entry, index) => void outputs.set(`call ${index} of ${entry.from}`, JSON.stringify(entry)));
    refusals.forEach((body, index) => void outputs.set(`refusal ${index}`, body));
    await lambda.close();
    const keys = accounts.aws.listCredentials().flatMap((session) => [session.secretAccessKey, session.sessionToken]);
    expect(findLeaks(outputs, [...accounts.canaries, ...keys, metadataToken])).toEqual([]);
  });

  const token = environment.CROSS_ACCOUNT_SECRETS_TOKEN || environment.AWS_SESSION_TOKEN || "";
  async function ask(path: string, { method = "GET", headers = {} }: { method?: string; headers?: object } = {}) {
    const answer = await send(port, path, method, { "X-Aws-Parameters-Secrets-Token": token, ...headers });
    if (answer.status !== 200) refusals.push(JSON.stringify(answer));
    return answer;
  }
  return {
    ...accounts,
    lambda,
    port,
    ask,
    askForSecret: () => ask(`/secretsmanager/get?secretId=${SECRET_NAME}`),
    events: (event) =>
      lambda.logs.flatMap((log) => {
        const line = parseLogLine(log.line);
        return line?.event === event ? [line] : [];
      }),
  };
}

function send(port: number, path: string, method: string, headers: Record<string, string>): Promise<LocalAnswer> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, async (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      try {
        resolve({ status, headers: answered, body: await text(response), ms: performance.now() - startedMs });
      } catch (error) {
        reject(error);
      }
    });
    outgoing.on("error", reject).end();
  });
}
