import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { toOpt } from "../../../scripts/build/build.ts";
import { findFreePort } from "../../support/free-port.ts";
import { findEvents } from "../../support/log.ts";
import {
  createCanary,
  listSecrets,
  SECRET_PATH,
  startTwoAccounts,
  type TwoAccounts,
} from "../../support/two-accounts.ts";
import { type Clocks, clockEnvironment, setClock, withClock } from "./clock.ts";
import { endWithoutLeaks } from "./environment.ts";
import { python, type Runtime } from "./runtimes.ts";
import { type EmulatorAnswer, type RieOptions, type Sandbox, startRie } from "./sandbox.ts";

/** The answer to one or more requests, with their number. */
export interface GroupedAnswer {
  readonly count: number;
  /** 0 if there was no connection. */
  readonly status: number;
  readonly cacheStatus?: string;
  readonly versionId?: string;
  readonly digest?: string;
  readonly type?: string;
  readonly message?: string;
}

export interface AskOptions {
  readonly paths: readonly string[];
  /** How many requests. They use the paths in turn. Default: one for each path. */
  readonly times?: number;
  /** How many requests at once. Default: one. */
  readonly atOnce?: number;
}

/** Variables with which only the session is fetched before the first request. */
export const NO_PREFETCH = { CROSS_ACCOUNT_SECRETS_SECRET_IDS: "", SECRET_NAME: "" };

/** An execution environment with the layer, a function that sends it the requests of the test, and a fake AWS with a clock. */
export interface Asker extends TwoAccounts {
  readonly sandbox: Sandbox;
  readonly port: number;
  /** Invokes the function, which sends the requests. Answers that are equal are grouped. */
  ask(options?: AskOptions): Promise<readonly GroupedAnswer[]>;
  /** Invokes the function, which sends one request. */
  askOnce(path?: string): Promise<GroupedAnswer>;
  /** Moves AWS's clock, the environment's, or both. */
  pass(ms: number, where?: { readonly at: "AWS" | "environment" }): void;
  /** Gives the secret a new value. Returns what the function answers for it. */
  rotate(): { readonly versionId: string; readonly digest: string };
  /** The extension's own log lines of this event. */
  events(event: string): Readonly<Record<string, unknown>>[];
}

export interface AskerOptions extends Partial<Pick<RieOptions, "flags" | "opt" | "user">> {
  /** Default: the environment has this machine's clocks, and `pass` moves only AWS's. */
  readonly clocks?: Clocks;
  readonly environment?: Readonly<Record<string, string>>;
  /** Prepares AWS and returns further variables. */
  readonly prepare?: (accounts: TwoAccounts) => Readonly<Record<string, string>>;
  /** Further values that no output may contain. */
  readonly canaries?: readonly string[];
  /** Changes Lambda's Python runtime. */
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
    runtime: clocks === undefined ? runtime : await withClock(runtime),
    environment: {
      ...accounts.environment,
      CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
      ...(clocks === undefined ? {} : clockEnvironment(clocks)),
      ...options.environment,
      ...prepare?.(accounts),
    },
  });
  const canaries = [...accounts.canaries, ...(options.canaries ?? [])];
  endWithoutLeaks(sandbox, () => listSecrets({ ...accounts, canaries }));

  async function ask(request: AskOptions = { paths: [SECRET_PATH] }): Promise<readonly GroupedAnswer[]> {
    return toGroupedAnswers(await sandbox.invoke(request), sandbox);
  }
  return {
    ...accounts,
    sandbox,
    port,
    ask,
    async askOnce(path = SECRET_PATH) {
      const [answer] = await ask({ paths: [path] });
      if (answer === undefined) throw new Error("the function answered nothing");
      return answer;
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
    events: (event) => findEvents(sandbox.logs, event),
  };
}

export function toGroupedAnswers({ status, body }: EmulatorAnswer, { logs }: Sandbox): readonly GroupedAnswer[] {
  const answers: unknown = status === 200 ? JSON.parse(body) : undefined;
  if (Array.isArray(answers)) return answers;
  throw new Error(`the invocation failed: ${status} ${body}\n${logs.map(({ text }) => text).join("\n")}`);
}

/** The digest of a value, as the function answers it. */
export const toDigest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** For the table: `200 fwd=miss` or `503 ConnectionError`. */
export const toAnswerText = ({ status, cacheStatus = "", type = "" }: GroupedAnswer): string =>
  `${status} ${cacheStatus.replace("cross-account-secrets; ", "")}${type}`.trim();

/** For the table: how many calls reached AWS, whatever their outcome. */
export const toCallCounts = ({ aws }: Asker): string =>
  `${aws.count("AssumeRole")} AssumeRole, ${aws.count("GetSecretValue")} GetSecretValue`;
