import { setTimeout as delay } from "node:timers/promises";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { describe, expect, it, onTestFinished } from "vitest";
import { startAwsNames, toSecretsManagerName } from "../support/aws-names.ts";
import { type Bench, type BenchOptions, startBench } from "../support/bench.ts";
import {
  FUNCTION_ROLE_ARN,
  IN_TARGET_ACCOUNT,
  REGION,
  SECRET_NAME,
  SECRET_PATH,
  TARGET_ACCOUNT,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toConfigVariables,
} from "../support/two-accounts.ts";
import { toPartialArn } from "../support/values.ts";

const [HOST, OTHER_HOST] = ["/app/host", "/app/host-of-others"];
/** A secret that a policy with `my-shared-secret-*` would allow. */
const SIMILAR = `${SECRET_NAME}-prod`;
const REPLICA_REGION = "eu-central-1";
const LONG_NAMES = Array.from({ length: 20 }, (_, nth) => `app/${"long-name-".repeat(5)}${nth}`);

/** Adds secrets and parameters. The role may read everything, so that only the session policy denies. */
function addMore({ aws, secretArn, canaries }: TwoAccounts): void {
  const [secretString = ""] = canaries;
  for (const name of [SIMILAR, "app/other", ...LONG_NAMES])
    aws.createSecret({ ...IN_TARGET_ACCOUNT, name, secretString });
  for (const name of [HOST, OTHER_HOST]) aws.createParameter({ ...IN_TARGET_ACCOUNT, name, value: secretString });
  aws.replicateSecret(secretArn, REPLICA_REGION);
  aws.changeRole(TARGET_ROLE_ARN, {
    trusts: [FUNCTION_ROLE_ARN],
    readableSecrets: "any",
    readableParameters: "any",
  });
}

async function start(environment: BenchOptions["environment"] = {}, prepare?: BenchOptions["prepare"]): Promise<Bench> {
  const bench = await startBench({
    prepare(accounts) {
      addMore(accounts);
      prepare?.(accounts);
    },
    environment: { CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: HOST, ...environment },
  });
  await bench.lambda.init();
  return bench;
}

const policiesOf = ({ aws }: Bench) =>
  aws.calls.flatMap(({ operation, policy }) => (operation === "AssumeRole" ? [policy] : []));

/** Calls AWS with the extension's session, as an attacker would who has stolen it. */
function useStolenSession({ aws }: Bench) {
  const [, credentials] = aws.listCredentials();
  if (credentials === undefined) throw new Error("the extension has no session");
  const outcomeOf = (asked: Promise<unknown>) =>
    asked.then(
      () => "ok",
      ({ message }: Error) => /because no session policy allows/.exec(message)?.[0] ?? message,
    );
  const toConfig = (region: string) => ({ endpoint: aws.url, region, credentials, maxAttempts: 1 });
  return {
    secret(SecretId: string, region = REGION) {
      const client = new SecretsManagerClient(toConfig(region));
      onTestFinished(() => client.destroy());
      return outcomeOf(client.send(new GetSecretValueCommand({ SecretId })));
    },
    parameter(Name: string) {
      const client = new SSMClient(toConfig(REGION));
      onTestFinished(() => client.destroy());
      return outcomeOf(client.send(new GetParameterCommand({ Name })));
    },
  };
}

const DENIED = "because no session policy allows";

describe("a session that is stolen from the extension", () => {
  it("reads the configured secret and parameter, and nothing else that the role may read", async () => {
    const bench = await start();
    expect((await bench.askForSecret()).status).toBe(200);
    expect((await bench.ask(`/systemsmanager/parameters/get?name=${HOST}`)).status).toBe(200);
    const { secret, parameter } = useStolenSession(bench);
    expect([await secret(SECRET_NAME), await secret(bench.secretArn), await parameter(HOST)]).toEqual([
      "ok",
      "ok",
      "ok",
    ]);
    expect([await secret(SIMILAR), await secret("app/other")]).toEqual([DENIED, DENIED]);
    expect(await secret(SECRET_NAME, REPLICA_REGION)).toBe(DENIED);
    expect([await parameter(OTHER_HOST), await parameter("/app/missing")]).toEqual([DENIED, DENIED]);
    expect(bench.events("session-policy-left-out")).toEqual([]);
  });

  it("also reads the replica in the failover region", async () => {
    const names = await startAwsNames([toSecretsManagerName(REPLICA_REGION)], () => bench.aws.url);
    const bench: Bench = await start({ CROSS_ACCOUNT_SECRETS_FAILOVER_REGION: REPLICA_REGION, ...names.layer });
    const { secret } = useStolenSession(bench);
    expect([await secret(SECRET_NAME), await secret(SECRET_NAME, REPLICA_REGION)]).toEqual(["ok", "ok"]);
    expect(await secret(SIMILAR, REPLICA_REGION)).toBe(DENIED);
    bench.aws.fault("GetSecretValue", { kind: "error", status: 503, code: "ServiceUnavailable" }, { region: REGION });
    const answer = await bench.ask(`${SECRET_PATH}&refreshNow=true`);
    expect(answer.status).toBe(200);
    expect(bench.events("failover")).toHaveLength(1);
    expect(names.asked).toHaveLength(1);
  });

  it("reads a secret that is configured by a partial ARN, and not another whose name begins with it", async () => {
    const name = "app/database";
    const partialArn = toPartialArn(name);
    let arn = "";
    const bench = await start({ CROSS_ACCOUNT_SECRETS_SECRET_IDS: partialArn }, ({ aws, canaries }) => {
      arn = aws.createSecret({ ...IN_TARGET_ACCOUNT, name, secretString: canaries[0] ?? "" }).arn;
      aws.createSecret({ ...IN_TARGET_ACCOUNT, name: `${name}-prod`, secretString: canaries[0] ?? "" });
    });
    for (const id of [name, arn, partialArn]) expect((await bench.ask(`/secrets/${id}`)).status).toBe(200);
    const { secret } = useStolenSession(bench);
    expect([await secret(arn), await secret(`${name}-prod`), await secret(SECRET_NAME)]).toEqual([
      "ok",
      DENIED,
      DENIED,
    ]);
  });

  it("reads what the source of its role lists in CONFIG", async () => {
    const sources = [{ roleArn: TARGET_ROLE_ARN, secretIds: ["app/other"], parameterNames: [OTHER_HOST] }];
    const bench = await start({
      ...toConfigVariables(sources),
      CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: undefined,
    });
    const { secret, parameter } = useStolenSession(bench);
    expect([await secret("app/other"), await parameter(OTHER_HOST)]).toEqual(["ok", "ok"]);
    expect([await secret(SECRET_NAME), await parameter(HOST)]).toEqual([DENIED, DENIED]);
  });

  it("may use a KMS key only through Secrets Manager and Parameter Store", async () => {
    const kmsKey = `arn:aws:kms:${REGION}:${TARGET_ACCOUNT}:key/1`;
    const bench = await start({ CROSS_ACCOUNT_SECRETS_SECRET_IDS: "app/encrypted" }, ({ aws, canaries }) => {
      aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "app/encrypted", secretString: canaries[0] ?? "", kmsKey });
    });
    expect((await bench.ask("/secrets/app/encrypted")).status).toBe(200);
    const [policy = ""] = policiesOf(bench);
    expect(JSON.parse(policy).Statement.at(-1).Condition).toEqual({
      StringLike: { "kms:ViaService": ["secretsmanager.*", "ssm.*"] },
    });
  });
});

describe("the session policy", () => {
  it.each([
    ["SESSION_POLICY is none", { CROSS_ACCOUNT_SECRETS_SESSION_POLICY: "none" }],
    ["ALLOW is any", { CROSS_ACCOUNT_SECRETS_ALLOW: "any" }],
    [
      "nothing is configured",
      { CROSS_ACCOUNT_SECRETS_SECRET_IDS: undefined, CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: undefined },
    ],
  ])("is not sent if %s", async (_, environment) => {
    const bench = await start(environment);
    expect((await bench.askForSecret()).status).toBe(200);
    expect(policiesOf(bench)).toEqual([undefined]);
    expect(await useStolenSession(bench).secret(SIMILAR)).toBe("ok");
    expect(bench.events("session-policy-left-out")).toEqual([]);
  });

  it("is left out with one warning if it would be too long, and everything works", async () => {
    const bench = await start({ CROSS_ACCOUNT_SECRETS_SECRET_IDS: [SECRET_NAME, ...LONG_NAMES].join() });
    expect(policiesOf(bench)).toEqual([undefined]);
    const statuses = await Promise.all(LONG_NAMES.map(async (name) => (await bench.ask(`/secrets/${name}`)).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
    const reason = expect.stringMatching(/longer than STS allows/);
    expect(bench.events("session-policy-left-out")).toMatchObject([
      { level: "warn", roleArn: TARGET_ROLE_ARN, reason },
    ]);
  });

  it("is left out from then on with one warning if STS refuses it as too large, and everything works", async () => {
    const tooLarge = {
      status: 400,
      code: "PackedPolicyTooLarge",
      message: "Packed size of session policy consumes 101%",
    };
    const bench = await start({}, ({ aws }) => {
      aws.changeRole(TARGET_ROLE_ARN, { sessionLifeSeconds: 3 });
      aws.fault("AssumeRole", { kind: "error", ...tooLarge }, { times: 1 });
    });
    expect((await bench.askForSecret()).status).toBe(200);
    expect(policiesOf(bench)).toEqual([expect.stringContaining(SECRET_NAME), undefined]);
    expect(bench.events("session-policy-left-out")).toMatchObject([{ level: "warn", roleArn: TARGET_ROLE_ARN }]);
    // The session expires, and the next read needs another one.
    await delay(3_100);
    expect((await bench.ask(`/secrets/${SECRET_NAME}?refreshNow=true`)).status).toBe(200);
    expect(policiesOf(bench).slice(2)).toEqual([undefined]);
    expect(bench.events("session-policy-left-out")).toHaveLength(1);
  });

  it("is left out for one more try if the session tags are too large, and the failure is reported", async () => {
    const tooLarge = {
      status: 400,
      code: "PackedPolicyTooLarge",
      message: "Packed size of session tags consumes 142%",
    };
    const bench = await start({ CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=a" }, ({ aws }) =>
      aws.fault("AssumeRole", { kind: "error", ...tooLarge }),
    );
    const refused = await bench.askForSecret();
    expect([refused.status, JSON.parse(refused.body).__type]).toEqual([403, "AccessDeniedException"]);
    expect(bench.aws.count("AssumeRole")).toBe(2);
  });
});
