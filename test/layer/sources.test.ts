import { describe, expect, it } from "vitest";
import { startAwsNames, toSecretsManagerName } from "../support/aws-names.ts";
import { type Bench, startBench } from "../support/bench.ts";
import {
  FUNCTION_ROLE_ARN,
  IN_TARGET_ACCOUNT,
  REGION,
  SECRET_NAME,
  TARGET_ROLE_ARN,
  type TwoAccounts,
  toConfigVariables,
} from "../support/two-accounts.ts";
import { OTHER_ROLE_ARN } from "../support/values.ts";

const OTHER_REGION = "eu-central-1";
const OTHER_NAME = "app/database";
const EXTERNAL_ID = "the-other-account";

/** Adds Account C, with a role that requires an external ID and a secret in another region. Both accounts have `shared`. */
function addAccountC({ aws, canaries }: TwoAccounts): void {
  const value = (which: string) => ({ secretString: JSON.stringify({ which, password: canaries[1] }) });
  aws.changeRole(FUNCTION_ROLE_ARN, { assumableRoles: [TARGET_ROLE_ARN, OTHER_ROLE_ARN] });
  const trusts = [FUNCTION_ROLE_ARN];
  aws.createRole({ arn: OTHER_ROLE_ARN, trusts, externalId: EXTERNAL_ID, readableSecrets: "any" });
  aws.changeRole(TARGET_ROLE_ARN, { trusts, readableSecrets: "any" });
  aws.createSecret({ ...IN_TARGET_ACCOUNT, name: "shared", ...value("A's") });
  aws.createSecret({ account: "333333333333", region: OTHER_REGION, name: "shared", ...value("C's") });
  aws.createSecret({ account: "333333333333", region: OTHER_REGION, name: OTHER_NAME, ...value("C's") });
}

const CONFIG = toConfigVariables([
  { roleArn: TARGET_ROLE_ARN, secretIds: [SECRET_NAME, "shared"] },
  { roleArn: OTHER_ROLE_ARN, externalId: EXTERNAL_ID, region: OTHER_REGION, secretIds: [OTHER_NAME, "shared"] },
]);

const start = (environment: Record<string, string | undefined> = {}) =>
  startBench({ prepare: addAccountC, environment: { ...CONFIG, ...environment } });

describe("two target roles", () => {
  it("are each assumed once, with their own external ID, and read their own secrets in init", async () => {
    const bench = await start();
    await bench.lambda.init();
    const assumed = bench.aws.calls.filter(({ operation }) => operation === "AssumeRole");
    expect(assumed.map(({ roleArn, externalId, region }) => [roleArn, externalId, region]).sort()).toEqual([
      [TARGET_ROLE_ARN, undefined, REGION],
      [OTHER_ROLE_ARN, EXTERNAL_ID, REGION],
    ]);
    expect(bench.aws.count("GetSecretValue")).toBe(4);
    expect((await bench.ask(`/secrets/${SECRET_NAME}`)).status).toBe(200);
    expect((await bench.ask(`/secrets/${OTHER_NAME}?key=which`)).body).toBe("C's");
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([2, 4]);
    expect(bench.events("starting")).toMatchObject([
      { roleArn: [TARGET_ROLE_ARN, OTHER_ROLE_ARN], region: [REGION, OTHER_REGION] },
    ]);
  });

  it("are distinguished by roleArn if both have a secret of the same name", async () => {
    const bench = await start();
    await bench.lambda.init();
    const ask = (rest: string) => bench.ask(`/secrets/shared?key=which${rest}`);
    expect((await ask(`&roleArn=${TARGET_ROLE_ARN}`)).body).toBe("A's");
    expect((await ask(`&roleArn=${OTHER_ROLE_ARN}`)).body).toBe("C's");
    const ambiguous = await ask("");
    expect(ambiguous.status).toBe(400);
    expect(JSON.parse(ambiguous.body).message).toMatch(/roleArn/);
    expect((await ask("&roleArn=arn:aws:iam::444444444444:role/Other")).status).toBe(403);
  });

  it("fail independently: a denial for one role does not affect the other", async () => {
    const bench = await start();
    bench.aws.changeRole(OTHER_ROLE_ARN, { trusts: [] });
    await bench.lambda.init();
    expect((await bench.ask(`/secrets/${SECRET_NAME}`)).status).toBe(200);
    const denied = await bench.ask(`/secrets/${OTHER_NAME}`);
    expect(denied.status).toBe(403);
    expect(JSON.parse(denied.body).message).toContain(OTHER_ROLE_ARN);
  });

  it("do not read each other's secrets, even if ALLOW is any", async () => {
    const bench = await start({ CROSS_ACCOUNT_SECRETS_ALLOW: "any" });
    await bench.lambda.init();
    const arn = `arn:aws:secretsmanager:${OTHER_REGION}:333333333333:secret:${OTHER_NAME}`;
    const path = `/secrets/${encodeURIComponent(arn)}?key=which`;
    expect((await bench.ask(path)).body).toBe("C's");
    expect((await bench.ask(`${path}&roleArn=${TARGET_ROLE_ARN}`)).status).toBe(403);
    const readers = bench.aws.calls.filter(
      ({ operation, secretId }) => operation === "GetSecretValue" && secretId === arn,
    );
    // The role of Account C had already read the secret by its name. The other role is denied without and with the stage.
    const denied = ["SecretReader", "AccessDeniedException"];
    expect(readers.map(({ caller, outcome }) => [caller?.split("/")[1], outcome])).toEqual([denied, denied]);
    expect(bench.aws.count("AssumeRole")).toBe(2);
  });
});

describe("a role's session", () => {
  it("has the configured tags and source identity", async () => {
    const bench = await startBench({
      environment: {
        CROSS_ACCOUNT_SECRETS_SESSION_TAGS: "team=payments,stage=prod",
        CROSS_ACCOUNT_SECRETS_SOURCE_IDENTITY: "my-function",
      },
    });
    await bench.lambda.init();
    expect(bench.aws.calls).toMatchObject([
      { operation: "AssumeRole", tags: { team: "payments", stage: "prod" }, sourceIdentity: "my-function" },
      { operation: "GetSecretValue", outcome: "ok" },
    ]);
  });
});

describe("a failover region", () => {
  /** The endpoint in the variable is that of the secret's region. The replica's region has AWS's own name. */
  const startWithReplica = async () => {
    const names = await startAwsNames([toSecretsManagerName(OTHER_REGION)], () => bench.aws.url);
    const bench: Bench = await startBench({
      prepare: ({ aws, secretArn }) => aws.replicateSecret(secretArn, OTHER_REGION),
      environment: {
        ...names.layer,
        CROSS_ACCOUNT_SECRETS_FAILOVER_REGION: OTHER_REGION,
        CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "2000",
      },
    });
    const regions = () =>
      bench.aws.calls.flatMap(({ operation, region }) => (operation === "GetSecretValue" ? [region] : []));
    return { ...bench, regions, asked: names.asked };
  };

  it.each([
    ["fails", { kind: "error", status: 503, code: "ServiceUnavailable" }],
    ["does not answer", { kind: "hang" }],
    ["resets connections", { kind: "reset" }],
  ] as const)("answers under the secret's own ARN when the secret's region %s", async (_, fault) => {
    const bench = await startWithReplica();
    bench.aws.fault("GetSecretValue", fault, { region: REGION });
    await bench.lambda.init();
    for (const id of [SECRET_NAME, bench.secretArn]) {
      const answer = await bench.ask(`/secretsmanager/get?secretId=${id}`);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body).ARN).toBe(bench.secretArn);
    }
    expect(bench.regions().at(-1)).toBe(OTHER_REGION);
    expect(bench.events("failover")).toMatchObject([{ level: "warn", region: OTHER_REGION }]);
    expect(bench.asked).toEqual([toSecretsManagerName(OTHER_REGION)]);
  });

  it("is not called if the secret's region answers or denies", async () => {
    const bench = await startWithReplica();
    await bench.lambda.init();
    expect(bench.regions()).toEqual([REGION]);
    bench.aws.fault("GetSecretValue", { kind: "deny" }, { region: REGION });
    expect((await bench.ask(`/secrets/${SECRET_NAME}?refreshNow=true`)).status).toBe(403);
    expect(bench.regions()).not.toContain(OTHER_REGION);
    expect(bench.asked).toEqual([]);
  });

  it("is not reported if it fails too: the failure of the secret's region is", async () => {
    const bench = await startWithReplica();
    bench.aws.fault("GetSecretValue", { kind: "error", status: 503, code: "ServiceUnavailable" }, { region: REGION });
    bench.aws.fault("GetSecretValue", { kind: "deny" }, { region: OTHER_REGION });
    await bench.lambda.init();
    const failed = await bench.askForSecret();
    expect(failed.status).toBe(502);
    expect(JSON.parse(failed.body).message).toContain(REGION);
  });
});
