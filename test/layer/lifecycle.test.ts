import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Fault } from "../fakes/aws.ts";
import { LambdaFailure } from "../fakes/lambda.ts";
import { type Bench, startBench } from "../support/bench.ts";
import { createCertificate } from "../support/certificate.ts";
import { until } from "../support/faults.ts";
import { takePort } from "../support/free-port.ts";
import { startFront, type TcpFront } from "../support/tcp-front.ts";
import { copyLayer, writeTempFile } from "../support/temp-files.ts";
import { SECRET_NAME, SECRET_PATH } from "../support/two-accounts.ts";

const EXTENSION = "cross-account-secrets";
const INTERNAL_ERROR: Fault = { kind: "error", status: 500, code: "InternalServiceError" };

const findCall = ({ lambda }: Bench, from: string, call: string) => {
  const entry = lambda.journal.find((candidate) => candidate.from === from && candidate.call === call);
  if (entry === undefined) throw new Error(`${from} never called ${call}`);
  return entry;
};

describe("init", () => {
  it("registers for SHUTDOWN and nothing else", async () => {
    const bench = await startBench();
    await bench.lambda.init();
    expect(findCall(bench, EXTENSION, "register").detail.events).toEqual(["SHUTDOWN"]);
  });

  it("loads the AWS SDK only after Lambda has accepted the registration", async () => {
    const opt = copyLayer();
    const awsSdk = join(opt, EXTENSION, "aws-sdk.cjs");
    writeFileSync(awsSdk, `console.log("the SDK is loaded");${readFileSync(awsSdk, "utf8")}`);
    const isLoaded = ({ lambda }: Bench) => lambda.logs.some(({ line }) => line === "the SDK is loaded");
    let wasLoadedAtRegistration: boolean | undefined;
    const bench: Bench = await startBench({
      opt,
      // Lambda answers late, so that the extension would have the time to load the SDK too early.
      intercept: async ({ call }) => {
        if (call !== "register") return undefined;
        await new Promise((resolve) => setTimeout(resolve, 500));
        wasLoadedAtRegistration = isLoaded(bench);
        return undefined;
      },
    });
    await bench.lambda.init();
    expect(wasLoadedAtRegistration).toBe(false);
    expect(isLoaded(bench)).toBe(true);
  });

  it("opens the connection to Secrets Manager while AssumeRole is under way, and uses it", async () => {
    const certificate = createCertificate("front");
    const authority = writeTempFile(certificate.cert);
    const front: TcpFront = await startFront(() => bench.aws.url, certificate);
    const bench: Bench = await startBench({
      environment: { AWS_ENDPOINT_URL_SECRETS_MANAGER: front.url, NODE_EXTRA_CA_CERTS: authority },
      prepare: ({ aws }) => void aws.fault("AssumeRole", { kind: "slow", delayMs: 600 }, { times: 1 }),
    });
    const init = bench.lambda.init();
    await until(() => front.count() === 1);
    expect(bench.events("role-assumed")).toEqual([]);
    await init;
    expect(bench.aws.count("GetSecretValue")).toBe(1);
    expect(front.total()).toBe(1);
    await until(() => front.count() === 0);
  });

  it("answers the function's static code, which waits for the fetch under way", async () => {
    let status: number | undefined;
    const bench: Bench = await startBench({
      prepare: ({ aws }) => aws.fault("AssumeRole", { kind: "slow", delayMs: 200 }),
      runtime: {
        onInit: async () => {
          status = (await bench.askForSecret()).status;
        },
      },
    });
    await bench.lambda.init();
    expect(status).toBe(200);
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([1, 1]);
  });

  const faults: [string, number, "AssumeRole" | "GetSecretValue", Fault, string][] = [
    ["STS denies", 403, "AssumeRole", { kind: "deny" }, "AccessDeniedException"],
    ["STS hangs", 504, "AssumeRole", { kind: "hang" }, "TimeoutError"],
    ["STS throttles", 429, "AssumeRole", { kind: "throttle" }, "ThrottlingException"],
    ["STS resets the connection", 503, "AssumeRole", { kind: "reset" }, "ConnectionError"],
    ["STS sends malformed data", 502, "AssumeRole", { kind: "malformed" }, "ConnectionError"],
    ["Secrets Manager answers 500", 502, "GetSecretValue", INTERNAL_ERROR, "InternalServiceError"],
    ["Secrets Manager denies", 403, "GetSecretValue", { kind: "deny" }, "AccessDeniedException"],
    ["Secrets Manager sends malformed data", 502, "GetSecretValue", { kind: "malformed" }, "ConnectionError"],
    ["Secrets Manager hangs", 504, "GetSecretValue", { kind: "hang" }, "TimeoutError"],
  ];

  it.each(faults)("continues when %s: the function is invoked, and a request gets %d", async (...row) => {
    const [, status, operation, fault, type] = row;
    const [timeoutMs, prefetchTimeoutMs] = [1_500, 700];
    const bench = await startBench({
      prepare: ({ aws }) => aws.fault(operation, fault),
      runtime: { onInvoke: () => "invoked" },
      environment: {
        CROSS_ACCOUNT_SECRETS_TIMEOUT_MS: String(timeoutMs),
        CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: String(prefetchTimeoutMs),
      },
    });
    await bench.lambda.init();
    const registeredMs = findCall(bench, EXTENSION, "register").atMs;
    expect(findCall(bench, EXTENSION, "next").atMs - registeredMs).toBeLessThan(prefetchTimeoutMs + 200);
    expect(await bench.lambda.invoke()).toMatchObject({ payload: "invoked" });
    const answer = await bench.askForSecret();
    expect(answer).toMatchObject({ status, headers: { "content-type": "application/json" } });
    expect(JSON.parse(answer.body)).toMatchObject({ __type: type, message: expect.any(String) });
    expect(answer.ms).toBeLessThan(timeoutMs + 200);
    expect(await bench.lambda.shutdown()).toMatchObject({ exitCode: 0 });
  });

  it("fails, and reports the cause, when a fetch fails and INIT_ERROR is fail", async () => {
    const bench = await startBench({
      prepare: ({ aws }) => aws.fault("AssumeRole", { kind: "deny" }),
      environment: { CROSS_ACCOUNT_SECRETS_INIT_ERROR: "fail" },
    });
    const failure = await bench.lambda.init().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LambdaFailure);
    expect(failure).toMatchObject({
      errorType: "Extension.InitError",
      reported: { errorType: "Extension.PrefetchFailed" },
    });
  });

  it("fails, and reports the port and the usual cause, when the port stays taken", async () => {
    const { port } = await takePort();
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_HTTP_PORT: String(port) } });
    const failure = await bench.lambda.init().catch((error: unknown) => error);
    expect(failure).toMatchObject({ reported: { errorType: "Extension.PortUnavailable" } });
    const [message] = bench.events("init-error").map((line) => line.message);
    expect(message).toMatch(new RegExp(`port ${port} .* taken.*AWS's own`));
  });

  it("inside an invocation fetches the secret, but does not delay the function", async () => {
    const bench = await startBench({ runtime: { onInvoke: () => "invoked" } });
    await bench.lambda.init();
    await bench.lambda.reset("timeout");
    bench.aws.fault("AssumeRole", { kind: "hang" });
    const { durationMs, initInside, ...invocation } = await bench.lambda.invoke();
    expect({ initInside, ...invocation }).toMatchObject({ initInside: true, payload: "invoked" });
    expect(durationMs).toBeLessThan(900); // PREFETCH_TIMEOUT_MS is 1000
    await bench.lambda.waitForJournal(({ call }, index) => call === "next" && index > 0);
  });
});

describe("requests of the function", () => {
  it("are served from memory, even after a rotation, until one has refreshNow", async () => {
    const bench = await startBench();
    await bench.lambda.init();
    const before = await bench.askForSecret();
    const value = JSON.stringify({ username: "u", password: "p" });
    const { versionId } = bench.aws.putSecretValue(bench.secretArn, { secretString: value });
    expect((await bench.askForSecret()).body).toBe(before.body);
    const fresh = await bench.ask(`${SECRET_PATH}&refreshNow=true`);
    expect(JSON.parse(fresh.body)).toMatchObject({ VersionId: versionId, SecretString: value });
    expect((await bench.askForSecret()).body).toBe(fresh.body);
    expect(bench.aws.count("AssumeRole")).toBe(1);
  });

  it("cost one GetSecretValue and one AssumeRole when eight hundred come at once", async () => {
    const bench = await startBench({ environment: { CROSS_ACCOUNT_SECRETS_PREFETCH_TIMEOUT_MS: "0" } });
    const [, ...answers] = await Promise.all([
      bench.lambda.init(),
      bench.lambda
        .waitForJournal(({ call }) => call === "register")
        .then(() => Promise.all(Array.from({ length: 800 }, () => bench.askForSecret()))),
    ]);
    expect(new Set(answers.flat().map(({ status }) => status))).toEqual(new Set([200]));
    expect([bench.aws.count("AssumeRole"), bench.aws.count("GetSecretValue")]).toEqual([1, 1]);
  });

  it("get one field of a secret as text, and its whole value as JSON", async () => {
    const bench = await startBench();
    await bench.lambda.init();
    expect(await bench.ask(`/secrets/${SECRET_NAME}?key=password`)).toMatchObject({
      status: 200,
      body: bench.canaries[1],
      headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
    });
    expect(await bench.ask(`/secrets/${SECRET_NAME}`)).toMatchObject({
      headers: { "content-type": "application/json" },
    });
  });

  it("get only /ping without the token", async () => {
    const bench = await startBench();
    await bench.lambda.init();
    const headers = { "X-Aws-Parameters-Secrets-Token": "" };
    expect(await bench.ask(`/secrets/${SECRET_NAME}`, { headers })).toMatchObject({ status: 403 });
    expect(await bench.ask("/ping", { headers })).toMatchObject({ status: 200, body: "healthy" });
  });
});

describe("shutdown", () => {
  it("ends with code 0 within a second, even with a request and a call to AWS under way", async () => {
    const bench = await startBench();
    await bench.lambda.init();
    bench.aws.fault("GetSecretValue", { kind: "hang" });
    const asked = bench.ask(`/secrets/${SECRET_NAME}?refreshNow=true`).catch((error: Error) => error);
    await until(() => bench.aws.count("GetSecretValue") === 2);
    const { exitCode, ms } = await bench.lambda.shutdown();
    expect(exitCode).toBe(0);
    expect(ms).toBeLessThan(1_000);
    await asked;
  });

  it("prints one summary line", async () => {
    const bench = await startBench();
    await bench.lambda.init();
    await bench.askForSecret();
    await bench.lambda.shutdown();
    expect(bench.events("shutdown")).toMatchObject([
      { reason: "spindown", requests: 1, hits: 1, misses: 1, assumeRoleCalls: 1, getSecretValueCalls: 1 },
    ]);
  });
});
