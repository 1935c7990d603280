import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { toOpt } from "../../../scripts/build/build.ts";
import { findFreePort } from "../../support/free-port.ts";
import { parseLogLine } from "../../support/log-lines.ts";
import { createCanary, SECRET_NAME, startTwoAccounts, type TwoAccounts } from "../../support/two-accounts.ts";
import { type Clocks, clockEnvironment, setClock, withClock } from "./clock.ts";
import { endWithoutLeaks, secretsOf } from "./leaks.ts";
import { python, type Runtime } from "./runtimes.ts";
import { type Invocation, type RieOptions, type Sandbox, startRie } from "./sandbox.ts";

/** What came of requests that all went the same way. */
export interface Outcome {
  readonly count: number;
  /** 0: there was no connection. */
  readonly status: number;
  readonly cacheStatus?: string;
  readonly versionId?: string;
  readonly digest?: string;
  readonly type?: string;
  readonly message?: string;
}

export interface Questions {
  readonly paths: readonly string[];
  /** How many requests, for the paths in turn. Default: one for each. */
  readonly times?: number;
  /** Default: one after the other. */
  readonly atOnce?: number;
}

/** Variables with which nothing is fetched before somebody asks for it, but for the session. */
export const UNFETCHED = { CROSS_ACCOUNT_SECRETS_SECRET_IDS: "", SECRET_NAME: "" };
export const GET = `/secretsmanager/get?secretId=${SECRET_NAME}`;

/** An execution environment with the layer, a function that asks it for what the test says, and a fake AWS with a clock. */
export interface Asker extends TwoAccounts {
  readonly sandbox: Sandbox;
  readonly port: number;
  /** One invocation, in which the function asks. */
  ask(questions?: Questions): Promise<readonly Outcome[]>;
  /** The same for one request. */
  askOnce(path?: string): Promise<Outcome>;
  /** Time goes on, for AWS, for the environment, or both. */
  pass(ms: number, where?: { readonly at: "AWS" | "environment" }): void;
  /** A new value: how the function tells of it. */
  rotate(): { readonly versionId: string; readonly digest: string };
  /** The extension's own log lines of this event. */
  events(event: string): Readonly<Record<string, unknown>>[];
}

export interface AskerOptions extends Partial<Pick<RieOptions, "flags" | "opt" | "user">> {
  /** Default: both are this machine's, and `pass` is AWS's time alone. */
  readonly clocks?: Clocks;
  readonly environment?: Readonly<Record<string, string>>;
  /** Prepares AWS, and gives further variables. */
  readonly prepare?: (accounts: TwoAccounts) => Readonly<Record<string, string>>;
  /** Further values that no output may hold. */
  readonly canaries?: readonly string[];
  /** What is not as in Lambda's Python runtime. */
  readonly toRuntime?: (python: Runtime) => Runtime;
}

export async function startAsker(options: AskerOptions = {}): Promise<Asker> {
  const { clocks, prepare, toRuntime = (python) => python, opt = toOpt("x86_64"), ...rest } = options;
  const aheadMs = { AWS: 0, environment: 0 };
  const accounts = await startTwoAccounts({ now: () => Date.now() + aheadMs.AWS });
  onTestFinished(() => accounts.close());
  const port = await findFreePort();
  const runtime = toRuntime(python("app.handler"));
  const sandbox = await startRie({
    ...rest,
    opt,
    task: fileURLToPath(new URL("../../fixtures/asker", import.meta.url)),
    runtime: clocks === undefined ? runtime : withClock(runtime),
    environment: {
      ...accounts.environment,
      CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
      ...(clocks === undefined ? {} : clockEnvironment(clocks)),
      ...options.environment,
      ...prepare?.(accounts),
    },
  });
  const canaries = [...accounts.canaries, ...(options.canaries ?? [])];
  endWithoutLeaks(sandbox, () => secretsOf({ ...accounts, canaries }));

  async function ask(questions: Questions = { paths: [GET] }): Promise<readonly Outcome[]> {
    return toOutcomes(await sandbox.invoke(questions), sandbox);
  }
  return {
    ...accounts,
    sandbox,
    port,
    ask,
    async askOnce(path = GET) {
      const [outcome] = await ask({ paths: [path] });
      if (outcome === undefined) throw new Error("the function says nothing");
      return outcome;
    },
    pass(ms, where) {
      if (where?.at !== "environment") aheadMs.AWS += ms;
      if (where?.at === "AWS" || clocks === undefined) return;
      aheadMs.environment += ms;
      setClock(sandbox, aheadMs.environment);
    },
    rotate() {
      const canary = createCanary();
      canaries.push(canary);
      const { versionId } = accounts.aws.putSecretValue(accounts.secretArn, { secretString: canary });
      return { versionId, digest: toDigest(canary) };
    },
    events: (event) =>
      sandbox.logs.flatMap(({ text }) => {
        const line = parseLogLine(text);
        return line?.event === event ? [line] : [];
      }),
  };
}

export function toOutcomes({ status, body }: Invocation, { logs }: Sandbox): readonly Outcome[] {
  const outcomes: unknown = status === 200 ? JSON.parse(body) : undefined;
  if (Array.isArray(outcomes)) return outcomes;
  throw new Error(`the invocation failed: ${status} ${body}\n${logs.map(({ text }) => text).join("\n")}`);
}

/** Of a value, as the function tells of it. */
export const toDigest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** For the table: `200 fwd=miss` or `503 ConnectionError`. */
export const toText = ({ status, cacheStatus = "", type = "" }: Outcome): string =>
  `${status} ${cacheStatus.replace("cross-account-secrets; ", "")}${type}`.trim();

/** For the table: how many calls reached AWS, whatever came of them. */
export const toCounts = ({ aws }: Asker): string =>
  `${aws.count("AssumeRole")} AssumeRole, ${aws.count("GetSecretValue")} GetSecretValue`;
