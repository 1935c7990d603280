import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { type Bench, type BenchOptions, type LocalAnswer, startBench } from "../support/bench.ts";
import { allow, toPolicy } from "../support/policy-documents.ts";
import { policyEngine } from "../support/policy-engine.ts";
import { createCanary, IN_TARGET_ACCOUNT, SECRET_NAME, SECRET_PATH, TARGET_ROLE_ARN } from "../support/two-accounts.ts";

const TTL_MS = 1_000;

/** Starts a layer that has fetched the secret in init, with a TTL short enough for a test. */
async function startWith(environment: Record<string, string> = {}, options: BenchOptions = {}): Promise<Bench> {
  const bench = await startBench({
    ...options,
    environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: String(TTL_MS / 1_000), ...environment },
  });
  await bench.lambda.init();
  return bench;
}

const cacheStatusOf = ({ headers }: LocalAnswer) => String(headers["cache-status"]);
const typeOf = ({ body }: LocalAnswer) => JSON.parse(body).__type;
const versionOf = ({ body }: LocalAnswer) => JSON.parse(body).VersionId;
/** Waits for a little more than the TTL. */
const untilExpired = () => delay(TTL_MS + 50);

describe("a cached value whose TTL is over", () => {
  it.each<[string, Fault, number]>([
    ["fails", { kind: "error", status: 500, code: "InternalServiceError" }, 502],
    ["throttles", { kind: "throttle" }, 429],
    ["resets the connection", { kind: "reset" }, 503],
    ["does not answer", { kind: "hang" }, 504],
  ])("is served stale when Secrets Manager %s, and then from memory until the next try", async (_, fault, status) => {
    const bench = await startWith({ CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: "600" });
    const { body } = await bench.askForSecret();
    bench.aws.fault("GetSecretValue", fault);
    await untilExpired();
    const stale = await bench.askForSecret();
    expect(stale.status).toBe(200);
    expect(cacheStatusOf(stale)).toBe(`cross-account-secrets; fwd=stale; fwd-status=${status}`);
    expect(stale.body).toBe(body);
    expect(stale.ms).toBeLessThan(900);
    const calls = bench.aws.count("GetSecretValue");
    const held = await bench.askForSecret();
    expect(cacheStatusOf(held)).toMatch(/^cross-account-secrets; hit; ttl=-\d+$/);
    expect(Number(held.headers.age)).toBeGreaterThanOrEqual(1);
    expect(bench.aws.count("GetSecretValue")).toBe(calls);
  });

  it("is fetched again when AWS works again and the pause is over", async () => {
    const bench = await startWith();
    bench.aws.fault("GetSecretValue", { kind: "throttle" });
    await untilExpired();
    expect(cacheStatusOf(await bench.askForSecret())).toContain("fwd=stale");
    bench.aws.heal();
    // The first pause is at most half a second.
    await delay(500);
    const fetched = await bench.askForSecret();
    expect(cacheStatusOf(fetched)).toBe("cross-account-secrets; fwd=miss");
    expect(fetched.headers.age).toBe("0");
  });

  it("is served stale when the session has expired and STS fails", async () => {
    const bench = await startWith();
    // A session lives for at least 15 minutes. Secrets Manager says that it has expired.
    bench.aws.fault("GetSecretValue", { kind: "error", status: 400, code: "ExpiredTokenException" });
    bench.aws.fault("AssumeRole", { kind: "error", status: 500, code: "InternalFailure" });
    await untilExpired();
    const stale = await bench.askForSecret();
    expect(stale.status).toBe(200);
    expect(cacheStatusOf(stale)).toMatch(/^cross-account-secrets; fwd=stale; fwd-status=50\d$/);
  });

  it("is not served after MAX_STALE, and the failure carries Retry-After", async () => {
    const bench = await startWith({ CROSS_ACCOUNT_SECRETS_MAX_STALE_SECONDS: "0" });
    bench.aws.fault("GetSecretValue", { kind: "throttle" });
    await untilExpired();
    const refused = await bench.askForSecret();
    expect([refused.status, typeOf(refused)]).toEqual([429, "ThrottlingException"]);
    expect(refused.headers["retry-after"]).toBe("1");
  });
});

describe("an ageing value", () => {
  it("is served at once, and one refresh in the background is enough for fifty requests", async () => {
    const bench = await startWith({ CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "4" });
    const before = versionOf(await bench.askForSecret());
    bench.aws.putSecretValue(bench.secretArn, { secretString: JSON.stringify({ password: bench.canaries[1] }) });
    bench.aws.fault("GetSecretValue", { kind: "slow", delayMs: 200 });
    await delay(3_450);
    const answers = await Promise.all(Array.from({ length: 50 }, () => bench.askForSecret()));
    for (const answer of answers) {
      expect(cacheStatusOf(answer)).toBe("cross-account-secrets; hit; ttl=0");
      expect(versionOf(answer)).toBe(before);
    }
    await delay(350);
    const refreshed = await bench.askForSecret();
    expect(cacheStatusOf(refreshed)).toContain("hit; ttl=3");
    expect(versionOf(refreshed)).not.toBe(before);
    expect(bench.aws.count("GetSecretValue")).toBe(2);
  });
});

describe("a denial", () => {
  it("ends the use of the cached value, carries Retry-After, and is remembered", async () => {
    const bench = await startWith();
    bench.aws.fault("GetSecretValue", { kind: "deny" });
    await untilExpired();
    const denied = await bench.askForSecret();
    expect([denied.status, typeOf(denied)]).toEqual([403, "AccessDeniedException"]);
    expect(denied.headers["retry-after"]).toBe("10");
    const calls = [bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")];
    await delay(1_100);
    const again = await Promise.all(Array.from({ length: 20 }, () => bench.askForSecret()));
    for (const answer of again) {
      expect(answer.status).toBe(403);
      expect(answer.headers["retry-after"]).toMatch(/^[89]$/);
      expect(answer.body).toBe(denied.body);
    }
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual(calls);
  });

  it("is over with a refreshNow one second later, if access is restored", async () => {
    const bench = await startWith();
    bench.aws.fault("GetSecretValue", { kind: "deny" });
    await untilExpired();
    expect((await bench.askForSecret()).status).toBe(403);
    bench.aws.heal();
    const hasty = await bench.ask(`${SECRET_PATH}&refreshNow=true`);
    expect([hasty.status, hasty.headers["retry-after"]]).toEqual([403, "1"]);
    await delay(1_000);
    expect((await bench.ask(`${SECRET_PATH}&refreshNow=true`)).status).toBe(200);
    expect(cacheStatusOf(await bench.askForSecret())).toContain("hit");
  });

  it("also comes for a secret that is marked for deletion, and nothing is served stale", async () => {
    const bench = await startWith();
    bench.aws.markForDeletion(bench.secretArn);
    await untilExpired();
    const gone = await bench.askForSecret();
    expect([gone.status, typeOf(gone), gone.headers["retry-after"]]).toEqual([400, "InvalidRequestException", "10"]);
  });
});

describe("a report that a version was refused", () => {
  it("fetches the current version with one call for 200 reports, however young the old one is", async () => {
    const bench = await startWith({ CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "300" });
    const old = versionOf(await bench.askForSecret());
    const { versionId } = bench.aws.putSecretValue(bench.secretArn, { secretString: createCanary() });
    expect(versionOf(await bench.askForSecret())).toBe(old);
    const settled = await Promise.all(Array.from({ length: 200 }, () => report(bench, old)));
    for (const { status, body } of settled) expect([status, body]).toEqual([204, ""]);
    expect(bench.aws.count("GetSecretValue")).toBe(2);
    const current = await bench.askForSecret();
    expect(versionOf(current)).toBe(versionId);
    expect(cacheStatusOf(current)).toContain("hit");
    expect((await report(bench, old)).status).toBe(204);
    expect(bench.aws.count("GetSecretValue")).toBe(2);
  });

  it("gets 429 with Retry-After if the same version was reported within the last seconds", async () => {
    const bench = await startWith({ CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "300" });
    const version = versionOf(await bench.askForSecret());
    expect((await report(bench, version)).status).toBe(204);
    expect(bench.aws.count("GetSecretValue")).toBe(2);
    const repeated = await report(bench, version);
    expect([repeated.status, typeOf(repeated)]).toEqual([429, "TooManyRequestsException"]);
    expect(Number(repeated.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect(bench.aws.count("GetSecretValue")).toBe(2);
  });
});

const report = (bench: Awaited<ReturnType<typeof startWith>>, version: string) =>
  bench.ask(`/secrets/${SECRET_NAME}/invalid?versionId=${version}`, { method: "POST" });

describe("a role that may read only with the stage AWSCURRENT in the request", () => {
  const start = () =>
    startBench({
      policyEngine,
      environment: { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "300" },
      prepare: ({ aws, secretArn }) => {
        const condition = { StringEquals: { "secretsmanager:VersionStage": "AWSCURRENT" } };
        const statement = { ...allow("secretsmanager:GetSecretValue", secretArn), Condition: condition };
        aws.changeRole(TARGET_ROLE_ARN, { policies: [toPolicy(statement)] });
      },
    });

  it.skipIf(policyEngine === undefined)(
    "is served in init and by requests without a stage, at the cost of one call more",
    async () => {
      const bench = await start();
      await bench.lambda.init();
      expect((await bench.askForSecret()).status).toBe(200);
      expect(bench.aws.count("GetSecretValue")).toBe(2);
      expect((await bench.ask(`${SECRET_PATH}&versionStage=AWSCURRENT`)).status).toBe(200);
      expect((await bench.ask(`${SECRET_PATH}&refreshNow=true`)).status).toBe(200);
      expect(bench.aws.count("GetSecretValue")).toBe(4);
    },
  );

  it.skipIf(policyEngine === undefined)("shares no remembered failure between the forms of a request", async () => {
    const bench = await start();
    await bench.lambda.init();
    expect((await bench.ask(`${SECRET_PATH}&versionStage=AWSPREVIOUS`)).status).toBe(403);
    expect((await bench.ask(`${SECRET_PATH}&versionStage=AWSCURRENT`)).status).toBe(200);
    expect((await bench.askForSecret()).status).toBe(200);
  });
});

describe("the spellings of one secret", () => {
  /** AWS does not find `my-shared-secret` by a partial ARN, because that name ends like the suffix of an ARN. */
  const NAME = "app/database";

  async function startWithAnother(environment: Record<string, string>) {
    let arn = "";
    const bench = await startWith(
      { CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "300", SECRET_NAME: "", ...environment },
      {
        prepare: ({ aws, canaries }) => {
          aws.changeRole(TARGET_ROLE_ARN, { readableSecrets: [NAME] });
          const secret = { ...IN_TARGET_ACCOUNT, name: NAME, secretString: canaries[0] ?? "" };
          arn = aws.createSecret(secret).arn;
        },
      },
    );
    const spellings = [NAME, arn, arn.slice(0, -"-AbCdEf".length)];
    return { bench, targets: spellings.map((spelling) => `/secretsmanager/get?secretId=${spelling}`) };
  }

  it("are all cache hits after init has fetched the secret by its name", async () => {
    const { bench, targets } = await startWithAnother({ CROSS_ACCOUNT_SECRETS_SECRET_IDS: NAME });
    for (const target of targets) {
      const answer = await bench.ask(target);
      expect([answer.status, cacheStatusOf(answer)]).toEqual([200, expect.stringContaining("; hit; ttl=")]);
    }
    expect(bench.aws.count("GetSecretValue")).toBe(1);
  });

  it("cost one AssumeRole and one GetSecretValue when all are requested at once", async () => {
    const { bench, targets } = await startWithAnother({ CROSS_ACCOUNT_SECRETS_SECRET_IDS: "" });
    expect(bench.aws.count("GetSecretValue")).toBe(0);
    bench.aws.fault("GetSecretValue", { kind: "slow", delayMs: 300 });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, nth) => bench.ask(targets[nth % targets.length] ?? "")),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([1, 1]);
  });

  it("all get the same version if its name ends like the suffix of an ARN", async () => {
    const bench = await startWith({ CROSS_ACCOUNT_SECRETS_TTL_SECONDS: "300" });
    const partialArn = bench.secretArn.slice(0, -"-AbCdEf".length);
    const answers = await Promise.all(
      [SECRET_NAME, partialArn, bench.secretArn].map((id) => bench.ask(`/secretsmanager/get?secretId=${id}`)),
    );
    for (const { status } of answers) expect(status).toBe(200);
    expect(new Set(answers.map(versionOf)).size).toBe(1);
    expect(bench.aws.count("GetSecretValue")).toBe(1);
  });
});
