import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type BenchOptions, startBench } from "../support/bench.ts";
import { startCredentialsEndpoint } from "../support/credentials-endpoint.ts";
import { takePort } from "../support/free-port.ts";
import { FUNCTION_ROLE_ARN, SECRET_NAME } from "../support/two-accounts.ts";

describe("under SnapStart", () => {
  /** Starts an environment without credentials in variables: Lambda offers them at an endpoint, here new ones each time. */
  async function startSnapStart(options: BenchOptions = {}) {
    const endpoint = await startCredentialsEndpoint();
    const environment = { ...endpoint.variables, ...options.environment };
    const bench = await startBench({ initializationType: "snap-start", ...options, environment });
    const newSession = () => bench.aws.issueSession({ roleArn: FUNCTION_ROLE_ARN });
    endpoint.give(newSession);
    const ask = (token = endpoint.token) =>
      bench.ask(`/secrets/${SECRET_NAME}`, { headers: { "X-Aws-Parameters-Secrets-Token": token } });
    /** Returns the session token that the endpoint gives from now on. */
    function rotate(): string {
      const session = newSession();
      endpoint.give(session);
      return session.sessionToken;
    }
    return { ...bench, TOKEN: endpoint.token, asked: endpoint.asked, ask, rotate };
  }

  it("a caller may send the session token that the endpoint gives, now or before, as AWS's extension documents it", async () => {
    const { lambda, TOKEN, asked, ask, rotate } = await startSnapStart();
    await lambda.init();
    const [first, ofRestore] = [rotate(), rotate()];
    expect(asked).toEqual([]);
    expect((await ask(ofRestore)).status).toBe(200);
    expect((await ask(first)).status).toBe(403);
    const next = rotate();
    await delay(1_000);
    for (const token of [next, ofRestore, TOKEN]) expect((await ask(token)).status).toBe(200);
    expect((await ask(first)).status).toBe(403);
  });

  it("a wrong token gets 403 with both places of the right one, and costs at most one look-up a second", async () => {
    const { lambda, aws, asked, ask, rotate } = await startSnapStart();
    await lambda.init();
    rotate();
    const startedMs = performance.now();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, nth) => ask(`guess-${nth}`)));
    for (const { status, body } of answers) {
      expect(status).toBe(403);
      expect(JSON.parse(body).remedy).toMatch(
        /the value of AWS_CONTAINER_AUTHORIZATION_TOKEN, or the session token of the credentials that an AWS SDK finds/,
      );
    }
    expect(asked.length).toBeLessThanOrEqual(1 + (performance.now() - startedMs) / 1_000);
    expect(aws.calls).toEqual([]);
  });

  it("the extension fetches nothing before the snapshot, and a requested secret after it", async () => {
    const { lambda, aws, TOKEN, asked, ask } = await startSnapStart();
    await lambda.init();
    expect([asked, aws.calls]).toEqual([[], []]);
    const { status, headers } = await ask();
    expect([status, headers["cache-status"]]).toEqual([200, "cross-account-secrets; fwd=miss"]);
    expect((await ask()).headers["cache-status"]).toMatch(/hit/);
    expect(asked).toEqual([TOKEN]);
    expect([aws.count("AssumeRole"), aws.count("GetSecretValue")]).toEqual([1, 1]);
  });

  it("init succeeds without a fetch, even if INIT_ERROR is fail", async () => {
    const { lambda, ask } = await startSnapStart({ environment: { CROSS_ACCOUNT_SECRETS_INIT_ERROR: "fail" } });
    await lambda.init();
    expect((await ask()).status).toBe(200);
  });

  it("a request gets 502, which names the credentials endpoint, if that endpoint refuses", async () => {
    const { lambda, aws, ask } = await startSnapStart({
      environment: { AWS_CONTAINER_AUTHORIZATION_TOKEN: "another", CROSS_ACCOUNT_SECRETS_TOKEN: "configured" },
    });
    await lambda.init();
    const { status, body } = await ask("configured");
    expect([status, JSON.parse(body).__type]).toEqual([502, "UnrecognizedClientException"]);
    expect(JSON.parse(body).message).toMatch(/credentials endpoint/);
    expect(aws.calls).toEqual([]);
  });
});

describe("under Managed Instances", () => {
  it("the extension registers for SHUTDOWN only, and serves fifty requests at once", async () => {
    const bench = await startBench({ initializationType: "lambda-managed-instances" });
    await bench.lambda.init();
    const answers = await Promise.all(Array.from({ length: 50 }, () => bench.askForSecret()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([1, 1]);
  });
});

describe("with ENABLED=false", () => {
  const OFF = { CROSS_ACCOUNT_SECRETS_ENABLED: "False" };

  it("init succeeds despite other mistakes, nothing is fetched, and every request gets 503 Disabled", async () => {
    const bench = await startBench({
      environment: {
        ...OFF,
        CROSS_ACCOUNT_SECRETS_ROLE_ARN: "nonsense",
        CROSS_ACCOUNT_SECRETS_TTL_SECOND: "x",
        AWS_SESSION_TOKEN: undefined,
      },
    });
    await bench.lambda.init();
    for (const path of ["/ping", `/secrets/${SECRET_NAME}`, "/nowhere"]) {
      const { status, body } = await bench.ask(path);
      expect([status, JSON.parse(body).__type]).toEqual([503, "Disabled"]);
    }
    expect((await bench.lambda.invoke({})).payload).toBe(null);
    expect(bench.aws.calls).toEqual([]);
    expect((await bench.lambda.shutdown()).exitCode).toBe(0);
  });

  it("a taken port does not fail the init", async () => {
    const { port } = await takePort();
    const bench = await startBench({ environment: { ...OFF, CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port) } });
    await bench.lambda.init();
    // The extension tries the port again for a second. Init does not wait for that.
    expect(bench.events("not-listening")).toEqual([]);
    while (bench.events("not-listening").length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await bench.lambda.shutdown()).exitCode).toBe(0);
  });
});

describe("the counters", () => {
  it("are in the answer of /stats, which needs the token", async () => {
    const bench = await startBench();
    await bench.lambda.init();
    await bench.askForSecret();
    await bench.ask("/nowhere");
    const { status, body } = await bench.ask("/stats");
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      requests: 3,
      hits: 1,
      misses: 1,
      stale: 0,
      failures: 1,
      assumeRoleCalls: 1,
    });
    expect(JSON.parse(body).version).toMatch(/^\d+\.\d+\.\d+/);
    expect((await bench.ask("/stats", { headers: { "X-Aws-Parameters-Secrets-Token": "" } })).status).toBe(403);
  });

  it("are in the log as CloudWatch metrics, not later than at shutdown, if METRICS is emf", async () => {
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_METRICS: "emf" } });
    await bench.lambda.init();
    await bench.askForSecret();
    await bench.lambda.shutdown();
    const lines = bench.lambda.logs.filter(({ line }) => line.includes("CloudWatchMetrics"));
    expect(lines).toHaveLength(1);
    const { _aws, ...members } = JSON.parse(lines[0]?.line ?? "");
    const [{ Namespace, Dimensions, Metrics }] = _aws.CloudWatchMetrics;
    expect([Namespace, Dimensions]).toEqual(["CrossAccountSecrets", [["FunctionName"]]]);
    expect(Object.keys(members).sort()).toEqual(
      ["FunctionName", ...Metrics.map(({ Name }: { Name: string }) => Name)].sort(),
    );
    expect(members).toMatchObject({ Requests: 1, Hits: 1, AssumeRoleCalls: 1, GetSecretValueCalls: 1 });
  });
});
