/** The built layer as a process, on a fake Lambda and a fake AWS that are set up so that the layer can give each kind of answer. */
import { readdirSync, readFileSync } from "node:fs";
import { startFakeLambda } from "../fakes/lambda.ts";
import { findLeaks, readFolder } from "../support/canary.ts";
import { findFreePort } from "../support/free-port.ts";
import {
  createCanary,
  FUNCTION_ROLE_ARN,
  REGION,
  SECRET_NAME,
  startTwoAccounts,
  TARGET_ROLE_ARN,
} from "../support/two-accounts.ts";

/** `configured`: two roles, and only the configured ids may be read. `any`: one role, and any id may be read. `disabled`: the kill switch is on. */
export type AccessMode = "configured" | "any" | "disabled";

/** What the generators of requests know about the running layer. */
export interface LayerUnderTest {
  readonly mode: AccessMode;
  readonly port: number;
  readonly token: string;
  /** The ARN of SECRET_NAME, and its current version. */
  readonly secretArn: string;
  readonly versionId: string;
  /** The ARN of PARAMETER_NAME. */
  readonly parameterArn: string;
}

export const OTHER_ROLE_ARN = "arn:aws:iam::333333333333:role/readers/OtherReader";
export const OTHER_REGION = "eu-central-1";
/** What each of the two roles may read. `shared` is in both accounts. */
const NAMES = [SECRET_NAME, "text-secret", "binary/secret", "shared", "pair-abcdef"];
const OTHER_NAMES = ["app/database", "shared"];
/** The ARN of `pair-abcdef` without its random characters may mean this secret as well. */
export const PAIR = "pair";
const PAIR_ARN = `arn:aws:secretsmanager:${REGION}:111111111111:secret:pair-abcdef`;
export const PARAMETER_NAME = "/app/database/host";
export const DENIED = "denied-secret";
export const DELETED = "deleted-secret";

/** Fixed, and not a secret of AWS, so that each run sends the same bytes. */
export const TOKEN = "T0k/9Qx+7Lw=4.z~KpV2mR8sJd";

/** What the process of the layer takes of the machine. */
export interface ProcessUsage {
  readonly rssKb: number;
  readonly descriptors: number;
}

export interface RunningLayer {
  readonly layer: LayerUnderTest;
  /** The secrets' values and AWS's keys, which no refusal may hold. */
  readonly canaries: readonly string[];
  /** Undefined when the process is gone. */
  pid(): number | undefined;
  /** Undefined if there is no /proc. */
  measure(): ProcessUsage | undefined;
  /** Ends the process as Lambda does. Returns what was wrong with its end or its output. */
  shutdown(): Promise<readonly string[]>;
  /** Leaves nothing behind. */
  close(): Promise<void>;
}

/** Longer than any answer of the fake AWS takes, even beside a fuzzer: the fuzzer does not look for time-outs of AWS. */
const TIMEOUT_MS = 30_000;

export async function startLayer(opt: string, mode: AccessMode): Promise<RunningLayer> {
  const accounts = await startTwoAccounts();
  const { aws, environment } = accounts;
  const canaries = [...accounts.canaries, createCanary()];
  const secret = (name: string) => ({
    secretString: JSON.stringify({ name, password: canaries[1], list: [canaries] }),
  });
  const ofA = { account: "111111111111", region: REGION };
  const ofC = { account: "333333333333", region: OTHER_REGION };
  const trusts = [FUNCTION_ROLE_ARN];
  aws.changeRole(FUNCTION_ROLE_ARN, { assumableRoles: [TARGET_ROLE_ARN, OTHER_ROLE_ARN] });
  aws.changeRole(TARGET_ROLE_ARN, { trusts, readableSecrets: [...NAMES, PAIR, DELETED], readableParameters: "any" });
  aws.createRole({ arn: OTHER_ROLE_ARN, trusts, readableSecrets: "any" });
  const { versionId } = aws.putSecretValue(accounts.secretArn, secret(SECRET_NAME));
  aws.createSecret({ ...ofA, name: "text-secret", secretString: `no JSON: ${canaries[2]}` });
  aws.createSecret({ ...ofA, name: "binary/secret", secretBinary: Buffer.from(`\0${canaries[2]}`) });
  for (const name of ["shared", PAIR, "pair-abcdef", DENIED]) aws.createSecret({ ...ofA, name, ...secret(name) });
  for (const name of OTHER_NAMES) aws.createSecret({ ...ofC, name, ...secret(name) });
  aws.markForDeletion(aws.createSecret({ ...ofA, name: DELETED, ...secret(DELETED) }).arn);

  const { arn: parameterArn } = aws.createParameter({ ...ofA, name: PARAMETER_NAME, value: `${canaries[2]}` });

  const port = await findFreePort();
  const { CROSS_ACCOUNT_SECRETS_ROLE_ARN: _, CROSS_ACCOUNT_SECRETS_SECRET_IDS: __, ...common } = environment;
  const secretIds = NAMES.map((name) => (name === "pair-abcdef" ? PAIR_ARN : name));
  const sources = [
    { roleArn: TARGET_ROLE_ARN, secretIds, parameterNames: [PARAMETER_NAME] },
    { roleArn: OTHER_ROLE_ARN, region: OTHER_REGION, secretIds: OTHER_NAMES },
  ];
  const variables = {
    configured: { CROSS_ACCOUNT_SECRETS_CONFIG: JSON.stringify({ sources }) },
    any: { CROSS_ACCOUNT_SECRETS_ROLE_ARN: TARGET_ROLE_ARN },
    disabled: { CROSS_ACCOUNT_SECRETS_ENABLED: "false" },
  };
  const lambda = await startFakeLambda({
    opt,
    environment: {
      ...common,
      ...variables[mode],
      CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port),
      CROSS_ACCOUNT_SECRETS_TOKEN: TOKEN,
      // With a session policy, AWS would refuse what the extension's own allow-list must refuse.
      CROSS_ACCOUNT_SECRETS_SESSION_POLICY: "none",
      CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: String(TIMEOUT_MS),
      CROSS_ACCOUNT_SECRETS_LOG_LEVEL: "info",
    },
    runtime: { onInvoke: () => null },
  });
  const close = async () => {
    await lambda.close();
    await accounts.close();
  };
  try {
    await lambda.init();
  } catch (error) {
    await close();
    throw new Error(`the layer does not start: ${lambda.logs.map(({ line }) => line).join("\n")}`, { cause: error });
  }
  const keys = () => aws.listCredentials().flatMap((session) => [session.secretAccessKey, session.sessionToken]);

  return {
    layer: { mode, port, token: TOKEN, secretArn: accounts.secretArn, parameterArn, versionId },
    get canaries() {
      return [...canaries, ...keys()];
    },
    pid: () => lambda.extensionPid,
    measure: () => (lambda.extensionPid === undefined ? undefined : measure(lambda.extensionPid)),
    async shutdown() {
      const outputs = readFolder(lambda.tempFolder);
      const { exitCode, signal } = await lambda.shutdown();
      lambda.logs.forEach(({ line }, index) => void outputs.set(`log line ${index}`, line));
      const leaks = findLeaks(outputs, [...canaries, ...keys(), TOKEN]);
      const bugs = lambda.logs.filter(({ line }) => line.includes('"event":"bug"')).map(({ line }) => `logged ${line}`);
      const isGood = exitCode === 0 && signal === null;
      return [...leaks, ...bugs, ...(isGood ? [] : [`the extension ended with code ${exitCode}, signal ${signal}`])];
    },
    close,
  };
}

function measure(pid: number): ProcessUsage | undefined {
  try {
    const rssKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    return { rssKb, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}
