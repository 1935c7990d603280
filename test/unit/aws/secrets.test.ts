import { Agent } from "node:https";
import {
  GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { mockClient } from "aws-sdk-client-mock";
import { describe, expect, it, vi } from "vitest";
import { createAwsCaller } from "../../../extension/aws/call.ts";
import * as awsSdk from "../../../extension/aws/sdk.ts";
import { createSecretsManager } from "../../../extension/aws/secrets.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import type { SecretQuery, SecretValue } from "../../../extension/values/secret.ts";
import { createDeferred } from "../../fakes/lambda/deferred.ts";
import { type ConfigOverrides, createConfig } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import { createLog } from "../../support/log.ts";
import {
  CANARY,
  createSession,
  ENDPOINTS,
  expectAbort,
  expectNoAwsText,
  OTHER_CREDENTIALS,
  ROLE_CREDENTIALS,
  resetForEachTest,
  START_EPOCH_MS,
  TIMEOUT_MS,
  toSdkError,
} from "../../support/sdk-clients.ts";
import { toSecretValue } from "../../support/values.ts";

const ARN = "arn:aws:secretsmanager:us-west-2:111111111111:secret:app/database-AbCdEf";
const APP = { secretId: "app/database" };

const ANSWER: GetSecretValueCommandOutput = {
  ARN,
  Name: "app/database",
  VersionId: "b1c367b9-7f53-4a47-82c4-be51a054b953",
  VersionStages: ["AWSCURRENT"],
  CreatedDate: new Date("2022-11-16T08:22:40.499Z"),
  SecretString: CANARY,
  $metadata: { requestId: "the-request-id" },
};

const aws = mockClient(SecretsManagerClient);

resetForEachTest(aws);

function setUp(overrides: ConfigOverrides = {}, sdk: Partial<typeof awsSdk> = {}) {
  const config = createConfig(overrides);
  const counters = createCounters();
  const { logger, lines } = createLog();
  const shared = { logger, now: Date.now, random: () => 0 };
  const credentials = createSession();
  const secretsManager = createSecretsManager({
    ...shared,
    config,
    source: config.sources[0],
    counters,
    credentials,
    version: "1.2.3",
    loadAwsSdk: async () => ({ ...awsSdk, ...sdk }),
    callAws: createAwsCaller(shared),
  });
  const get = (query: SecretQuery = APP, timeoutMs = TIMEOUT_MS, held?: SecretValue) =>
    secretsManager.getSecretValue(query, Date.now() + timeoutMs, held);
  return { counters, credentials, get, lines };
}

const inputs = () => aws.commandCalls(GetSecretValueCommand).map(({ args }) => args[0].input);
const countCalls = () => aws.calls().length;

/** The client that made the only call. */
function clientOfTheCall(): SecretsManagerClient {
  expect(countCalls()).toBe(1);
  const client: unknown = aws.call(0).thisValue;
  if (!(client instanceof SecretsManagerClient))
    throw new Error("the call was not made by a client of Secrets Manager");
  return client;
}

describe("GetSecretValue", () => {
  it.each([
    { secretId: "app/database" },
    { secretId: ARN, versionId: "1" },
    { secretId: "app/database", versionStage: "AWSPREVIOUS" },
    { secretId: "app/database", versionId: "1", versionStage: "AWSCURRENT" },
  ])("sends exactly the ID, version and stage of the query: %o", async (query: SecretQuery) => {
    aws.on(GetSecretValueCommand).resolves(ANSWER);
    const { get } = setUp();
    await get(query);
    const { secretId: SecretId, versionId: VersionId, versionStage: VersionStage } = query;
    expect(inputs()).toEqual([JSON.parse(JSON.stringify({ SecretId, VersionId, VersionStage }))]);
    expect(Object.values(inputs().at(0) ?? {})).not.toContain(undefined);
  });

  it.each([
    { REGION: undefined, secretId: "app/database", asked: "eu-west-1" },
    { REGION: undefined, secretId: ARN, asked: "us-west-2" },
    { REGION: "ap-south-1", secretId: "app/database", asked: "ap-south-1" },
    { REGION: "ap-south-1", secretId: ARN, asked: "us-west-2" },
  ])("goes to the ARN's region, else to REGION, else to AWS_REGION: %o", async ({ REGION, secretId, asked }) => {
    aws.on(GetSecretValueCommand).resolves(ANSWER);
    const { get } = setUp({ source: { region: REGION } });
    await get({ secretId });
    expect(await clientOfTheCall().config.region()).toBe(asked);
  });

  it("is made with the target role's credentials and within the same deadline", async () => {
    aws.on(GetSecretValueCommand).resolves(ANSWER);
    const { credentials, get } = setUp();
    await get();
    expect(credentials.get.mock.calls).toEqual([[START_EPOCH_MS + TIMEOUT_MS]]);
    const { credentials: used, useFipsEndpoint, useDualstackEndpoint } = clientOfTheCall().config;
    expect(await used()).toMatchObject(ROLE_CREDENTIALS);
    expect([await useFipsEndpoint(), await useDualstackEndpoint()]).toEqual([false, false]);
  });

  it("uses the configured endpoint, FIPS and dual-stack options", async () => {
    aws.on(GetSecretValueCommand).resolves(ANSWER);
    const { get } = setUp(ENDPOINTS);
    await get();
    const { endpoint, useFipsEndpoint, useDualstackEndpoint } = clientOfTheCall().config;
    expect((await endpoint?.())?.hostname).toBe("secrets.example.com");
    expect([await useFipsEndpoint(), await useDualstackEndpoint()]).toEqual([true, true]);
  });

  it("is logged without the value", async () => {
    aws.on(GetSecretValueCommand).resolves(ANSWER);
    const { get, lines } = setUp();
    await get();
    expect(lines).toEqual([
      {
        level: "info",
        event: "secret-fetched",
        secretId: "app/database",
        versionId: "b1c367b9-7f53-4a47-82c4-be51a054b953",
        requestId: "the-request-id",
        ms: 0,
      },
    ]);
  });

  it("is counted once for each try, and each try uses its own client", async () => {
    aws.on(GetSecretValueCommand).rejectsOnce(toSdkError("InternalServiceError", 500)).resolves(ANSWER);
    const { counters, get } = setUp();
    const wait = get();
    await vi.advanceTimersByTimeAsync(0);
    await wait;
    expect(counters.getSecretValueCalls).toBe(2);
    expect(new Set(aws.calls().map(({ thisValue }) => thisValue)).size).toBe(2);
  });
});

describe("the value of a secret", () => {
  const expected = {
    arn: ARN,
    name: "app/database",
    versionId: "b1c367b9-7f53-4a47-82c4-be51a054b953",
    versionStages: ["AWSCURRENT"],
    createdDate: new Date("2022-11-16T08:22:40.499Z"),
    secretString: CANARY,
    secretBinary: undefined,
  };
  const bytes = new Uint8Array([0, 255, 10]);
  const { SecretString: _, ...withoutString } = ANSWER;
  const { VersionStages: __, ...withoutStages } = ANSWER;

  it.each([
    { is: "text", answer: ANSWER, value: expected },
    { is: "empty text", answer: { ...ANSWER, SecretString: "" }, value: { ...expected, secretString: "" } },
    {
      is: "binary",
      answer: { ...withoutString, SecretBinary: bytes },
      value: { ...expected, secretString: undefined, secretBinary: bytes },
    },
    { is: "without a stage", answer: withoutStages, value: { ...expected, versionStages: [] } },
  ])("may be $is", async ({ answer, value }) => {
    aws.on(GetSecretValueCommand).resolves(answer);
    const { get } = setUp();
    expect(await get()).toEqual(value);
  });

  it.each([
    { without: "an ARN", answer: { ...ANSWER, ARN: undefined } },
    { without: "a name", answer: { ...ANSWER, Name: undefined } },
    { without: "a version", answer: { ...ANSWER, VersionId: undefined } },
    { without: "a date", answer: { ...ANSWER, CreatedDate: undefined } },
    { without: "a valid date", answer: { ...ANSWER, CreatedDate: new Date(Number.NaN) } },
    { without: "a value", answer: withoutString },
    { without: "a single value, with two instead", answer: { ...ANSWER, SecretBinary: bytes } },
  ])("is not taken from an answer without $without", async ({ answer }) => {
    aws.on(GetSecretValueCommand).resolves(answer as GetSecretValueCommandOutput);
    const { get } = setUp();
    const refused = failureOf(get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-response-invalid" });
  });
});

describe("a refusal", () => {
  it("leaves no text of AWS in the failure or in the log", async () => {
    aws.on(GetSecretValueCommand).rejects(toSdkError("AccessDeniedException", 400));
    const { get, lines } = setUp();
    const failure = await failureOf(get());
    expect(failure).toMatchObject({ code: "get-secret-value-denied", details: { requestId: "the-request-id" } });
    expectNoAwsText(failure, lines);
    const line = { level: "warn", event: "aws-call-failed", code: "get-secret-value-denied" };
    // Without and with the stage.
    expect(lines).toMatchObject([line, line]);
  });

  it("names the region that was called", async () => {
    aws.on(GetSecretValueCommand).rejects(toSdkError("ResourceNotFoundException", 400));
    const { get } = setUp();
    await expect(get({ secretId: ARN })).rejects.toMatchObject({
      code: "secret-not-found",
      message: expect.stringContaining(" in us-west-2 "),
    });
  });

  it("of the credentials is passed on unchanged, and no call is made", async () => {
    const { counters, credentials, get } = setUp();
    const denied = new Failure("assume-role-denied", "no");
    credentials.get.mockRejectedValue(denied);
    await expect(get()).rejects.toBe(denied);
    expect(countCalls()).toBe(0);
    expect(counters.getSecretValueCalls).toBe(0);
  });
});

describe("a refusal that the session may have caused", () => {
  it.each(["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "DecryptionFailure"])(
    "leads to one try with another session: %s",
    async (name) => {
      aws.on(GetSecretValueCommand).rejectsOnce(toSdkError(name, 400)).resolves(ANSWER);
      const { counters, credentials, get } = setUp();
      credentials.getInstead.mockResolvedValue(OTHER_CREDENTIALS);
      expect((await get()).versionId).toBe(ANSWER.VersionId);
      expect(credentials.getInstead.mock.calls).toEqual([[ROLE_CREDENTIALS, START_EPOCH_MS + TIMEOUT_MS]]);
      expect(counters.getSecretValueCalls).toBe(2);
      const client: unknown = aws.call(1).thisValue;
      expect(client instanceof SecretsManagerClient && (await client.config.credentials())).toMatchObject(
        OTHER_CREDENTIALS,
      );
    },
  );

  it("is final if the session is new and naming the stage makes no difference", async () => {
    aws.on(GetSecretValueCommand).rejects(toSdkError("AccessDeniedException", 400));
    const { counters, get } = setUp();
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
    expect(counters.getSecretValueCalls).toBe(2);
  });

  it("is final if the other session is refused too", async () => {
    aws.on(GetSecretValueCommand).rejects(toSdkError("AccessDeniedException", 400));
    const { counters, credentials, get } = setUp();
    credentials.getInstead.mockResolvedValue(OTHER_CREDENTIALS);
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
    expect(counters.getSecretValueCalls).toBe(3);
  });

  it.each(["ResourceNotFoundException", "InvalidRequestException"])(
    "is not %s, and no other session is requested",
    async (name) => {
      aws.on(GetSecretValueCommand).rejects(toSdkError(name, 400));
      const { credentials, get } = setUp();
      await failureOf(get());
      expect(credentials.getInstead).not.toHaveBeenCalled();
    },
  );
});

describe("a role that may read only if the request names the stage", () => {
  const allowStageOnly = () =>
    aws
      .on(GetSecretValueCommand)
      .rejects(toSdkError("AccessDeniedException", 400))
      .on(GetSecretValueCommand, { SecretId: "app/database", VersionStage: "AWSCURRENT" })
      .resolves(ANSWER);

  it("is asked once without and once with AWSCURRENT, and from then on with it", async () => {
    allowStageOnly();
    const { get } = setUp();
    expect(await get()).toMatchObject({ name: "app/database" });
    await get();
    expect(inputs()).toEqual([
      { SecretId: "app/database" },
      { SecretId: "app/database", VersionStage: "AWSCURRENT" },
      { SecretId: "app/database", VersionStage: "AWSCURRENT" },
    ]);
  });

  it.each([{ versionStage: "AWSPREVIOUS" }, { versionStage: "AWSCURRENT" }, { versionId: "1" }])(
    "is not asked for AWSCURRENT if the request has %o and is denied",
    async (form) => {
      aws.on(GetSecretValueCommand).rejects(toSdkError("AccessDeniedException", 400));
      const { get } = setUp();
      expect(await failureOf(get({ secretId: "app/database", ...form }))).toMatchObject({
        code: "get-secret-value-denied",
      });
      expect(countCalls()).toBe(1);
    },
  );

  it.each(["ResourceNotFoundException", "DecryptionFailure", "InvalidRequestException"])(
    "is not asked for AWSCURRENT after %s",
    async (name) => {
      aws.on(GetSecretValueCommand).rejects(toSdkError(name, 400));
      const { get } = setUp();
      await failureOf(get());
      expect(inputs().filter(({ VersionStage }) => VersionStage !== undefined)).toEqual([]);
    },
  );

  it("gets the first denial if the second request fails in another way", async () => {
    aws
      .on(GetSecretValueCommand)
      .rejects(toSdkError("AccessDeniedException", 400))
      .on(GetSecretValueCommand, { SecretId: "app/database", VersionStage: "AWSCURRENT" })
      .rejects(toSdkError("ResourceNotFoundException", 400));
    const { get } = setUp();
    expect(await failureOf(get())).toMatchObject({ code: "get-secret-value-denied" });
  });
});

describe("a Secrets Manager that does not answer", () => {
  it("is awaited until the deadline, then the call is aborted", async () => {
    aws.on(GetSecretValueCommand).callsFake(() => new Promise(() => {}));
    const { get } = setUp();
    await expectAbort(get(APP, 800), 800, aws);
  });

  it("has only the time that AssumeRole has left", async () => {
    aws.on(GetSecretValueCommand).callsFake(() => new Promise(() => {}));
    const { credentials, get } = setUp();
    credentials.get.mockImplementation(async () => {
      await vi.advanceTimersByTimeAsync(600);
      return ROLE_CREDENTIALS;
    });
    const refused = failureOf(get(APP, 800));
    await vi.advanceTimersByTimeAsync(200);
    expect(await refused).toMatchObject({ code: "timeout" });
    expect(Date.now()).toBe(START_EPOCH_MS + 800);
  });
});

describe("FAILOVER_REGION", () => {
  const FAILOVER = { failoverRegion: "eu-central-1" };
  const REPLICA_ARN = ARN.replace("us-west-2", "eu-central-1");
  const BY_ARN = { secretId: ARN };

  /** The region of each call, in order. */
  const regions = () =>
    Promise.all(
      aws.calls().map(({ thisValue }: { thisValue: unknown }) => {
        if (!(thisValue instanceof SecretsManagerClient)) throw new Error("a call was made by another client");
        return thisValue.config.region();
      }),
    );

  /** Sets what the secret's own region answers, and what the region of the replica answers. */
  function arrange(
    own: () => Promise<GetSecretValueCommandOutput>,
    replica: () => Promise<GetSecretValueCommandOutput>,
  ) {
    aws.on(GetSecretValueCommand).callsFake(async (_, getClient: () => SecretsManagerClient) => {
      const region = await getClient().config.region();
      return region === "eu-central-1" ? replica() : own();
    });
  }
  const refuses = (name: string, status: number) => () => Promise.reject(toSdkError(name, status));
  const isGone = () => Promise.reject(Object.assign(new Error(CANARY), { code: "ECONNREFUSED" }));
  const isSilent = () => new Promise<never>(() => {});
  const isNonsense = async () => ({ $metadata: {} });
  const answers = async () => ({ ...ANSWER, ARN: REPLICA_ARN, SecretString: "the replica's" });

  /** The outcome of the request after its whole time-out. */
  async function outcomeOf(wait: Promise<unknown>): Promise<unknown> {
    const outcome = wait.catch((thrown: unknown) => thrown);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    return outcome;
  }

  it.each([
    ["fails", refuses("InternalServiceError", 500)],
    ["is unavailable", refuses("ServiceUnavailable", 503)],
    ["cannot be reached", isGone],
    ["does not answer", isSilent],
    ["sends an invalid answer", isNonsense],
  ])("is called if the secret's own region %s, and the answer carries the original's ARN", async (_, own) => {
    arrange(own, answers);
    const { get, lines } = setUp(FAILOVER);
    expect(await outcomeOf(get(BY_ARN))).toMatchObject({
      arn: ARN,
      name: "app/database",
      secretString: "the replica's",
    });
    expect([...new Set(await regions())]).toEqual(["us-west-2", "eu-central-1"]);
    expect(inputs().at(-1)).toEqual({ SecretId: REPLICA_ARN });
    expect(lines).toContainEqual({
      level: "warn",
      event: "failover",
      secretId: ARN,
      region: "eu-central-1",
      code: expect.any(String),
    });
  });

  it.each([
    ["denies access", "AccessDeniedException", 400],
    ["knows no such secret", "ResourceNotFoundException", 400],
    ["has the secret marked for deletion", "InvalidRequestException", 400],
    ["throttles", "ThrottlingException", 400],
    ["does not accept the credentials", "UnrecognizedClientException", 400],
    ["may not use the KMS key", "DecryptionFailure", 400],
    ["does not accept the request", "InvalidParameterException", 400],
  ])("is not called if the secret's own region %s", async (_, name, status) => {
    arrange(refuses(name, status), answers);
    const { get, lines } = setUp(FAILOVER);
    expect(await outcomeOf(get(BY_ARN))).toBeInstanceOf(Failure);
    expect([...new Set(await regions())]).toEqual(["us-west-2"]);
    expect(lines.map(({ event }) => event)).not.toContain("failover");
  });

  it("is not called if the secret's own region answers", async () => {
    arrange(async () => ANSWER, answers);
    const { get } = setUp(FAILOVER);
    expect(await get(BY_ARN)).toMatchObject({ arn: ARN, secretString: CANARY });
    expect(await regions()).toEqual(["us-west-2"]);
  });

  it("is called when half of the time is over, and gets the other half", async () => {
    arrange(isSilent, isSilent);
    const { get } = setUp(FAILOVER);
    const settled = vi.fn();
    const wait = get(BY_ARN, 1_000);
    wait.then(settled, settled);
    await vi.advanceTimersByTimeAsync(499);
    expect(countCalls()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await regions()).toEqual(["us-west-2", "eu-central-1"]);
    await vi.advanceTimersByTimeAsync(499);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await expect(wait).rejects.toMatchObject({ code: "timeout" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("gets all the remaining time if the own region fails at once", async () => {
    arrange(isGone, () => new Promise((resolve) => setTimeout(() => resolve(answers()), 900)));
    const { get } = setUp(FAILOVER);
    const wait = get(BY_ARN, 1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await wait).toMatchObject({ secretString: "the replica's" });
  });

  it.each([
    ["is denied", refuses("AccessDeniedException", 400)],
    ["is missing", refuses("ResourceNotFoundException", 400)],
    ["is throttled", refuses("ThrottlingException", 400)],
    ["does not answer", isSilent],
  ])("does not hide the own region's failure if the replica %s", async (_, replica) => {
    arrange(isGone, replica);
    const { get, credentials } = setUp(FAILOVER);
    expect(await outcomeOf(get(BY_ARN))).toMatchObject({
      code: "unreachable",
      message: expect.stringContaining(" in us-west-2 "),
    });
    expect(credentials.getInstead).not.toHaveBeenCalled();
  });

  it("has its own endpoint, because a configured one is that of the secret's own region; FIPS and dual-stack remain", async () => {
    arrange(isGone, answers);
    const { get } = setUp({ ...FAILOVER, ...ENDPOINTS });
    await outcomeOf(get(BY_ARN));
    const endpoints = aws.calls().map(async ({ thisValue }: { thisValue: unknown }) => {
      if (!(thisValue instanceof SecretsManagerClient)) throw new Error("a call was made by another client");
      const { useFipsEndpoint, useDualstackEndpoint, endpoint } = thisValue.config;
      return [(await endpoint?.())?.hostname, await useFipsEndpoint(), await useDualstackEndpoint()];
    });
    expect((await Promise.all(endpoints)).slice(-2)).toEqual([
      ["secrets.example.com", true, true],
      [undefined, true, true],
    ]);
  });

  it("keeps the configured endpoint if it is the secret's own region", async () => {
    aws.on(GetSecretValueCommand).resolves(ANSWER);
    await setUp({ ...FAILOVER, ...ENDPOINTS }).get({ secretId: REPLICA_ARN });
    expect((await clientOfTheCall().config.endpoint?.())?.hostname).toBe("secrets.example.com");
  });

  it("is asked for the same name, version and stage", async () => {
    arrange(isGone, answers);
    const { get } = setUp(FAILOVER);
    await outcomeOf(get({ secretId: "app/database", versionId: "1", versionStage: "AWSPREVIOUS" }));
    expect(inputs().at(-1)).toEqual({ SecretId: "app/database", VersionId: "1", VersionStage: "AWSPREVIOUS" });
  });

  it("returns the ARN in REGION, or in AWS_REGION, for a bare name", async () => {
    arrange(isGone, answers);
    for (const [region, asked] of [
      ["ap-south-1", "ap-south-1"],
      [undefined, "eu-west-1"],
    ] as const) {
      const { get } = setUp({ ...FAILOVER, source: { region } });
      expect(await outcomeOf(get())).toMatchObject({ arn: ARN.replace("us-west-2", asked) });
    }
  });

  it("is called once, with the whole time, if it is the secret's own region", async () => {
    aws.on(GetSecretValueCommand).callsFake(isSilent);
    const { get, lines } = setUp(FAILOVER);
    const settled = vi.fn();
    const wait = get({ secretId: REPLICA_ARN }, 1_000);
    wait.then(settled, settled);
    await vi.advanceTimersByTimeAsync(999);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await expect(wait).rejects.toMatchObject({ code: "timeout" });
    expect(await regions()).toEqual(["eu-central-1"]);
    expect(lines.map(({ event }) => event)).not.toContain("failover");
  });

  describe("and a replica that lags behind", () => {
    const held = (versionId: string, createdDate: Date) =>
      toSecretValue({ name: "app/database", versionId, createdDate });
    const later = new Date((ANSWER.CreatedDate?.getTime() ?? 0) + 1);

    it("leaves the held version in place, because that was created later: the home region's failure stands", async () => {
      arrange(isGone, answers);
      const { get } = setUp(FAILOVER);
      expect(await outcomeOf(get(BY_ARN, TIMEOUT_MS, held("newer", later)))).toMatchObject({ code: "unreachable" });
    });

    it.each([
      ["older", held("older", new Date(0))],
      ["created at the same time", held("other", ANSWER.CreatedDate ?? new Date(0))],
      ["the same", held(ANSWER.VersionId ?? "", later)],
    ])("replaces a held version that is %s", async (_, value) => {
      arrange(isGone, answers);
      const { get } = setUp(FAILOVER);
      expect(await outcomeOf(get(BY_ARN, TIMEOUT_MS, value))).toMatchObject({ secretString: "the replica's" });
    });

    it("does not keep the home region from bringing an older version back", async () => {
      arrange(async () => ANSWER, isGone);
      const { get } = setUp(FAILOVER);
      expect(await get(BY_ARN, TIMEOUT_MS, held("newer", later))).toMatchObject({ versionId: ANSWER.VersionId });
    });
  });

  it("leaves no text of AWS in the failure or in the log after both regions have failed", async () => {
    arrange(refuses("InternalServiceError", 500), refuses("AccessDeniedException", 400));
    const { get, lines } = setUp(FAILOVER);
    const failure = await outcomeOf(get(BY_ARN));
    expectNoAwsText(failure, lines);
  });
});

describe("the connection that is opened during AssumeRole", () => {
  const AGENTS = { httpsAgent: new Agent() };

  function setUpWaiting(connectSecretsManager: typeof awsSdk.connectSecretsManager = () => AGENTS) {
    const connect = vi.fn(connectSecretsManager);
    const ask = vi.fn<typeof awsSdk.getSecretValue>(async () => ANSWER);
    const all = setUp({}, { connectSecretsManager: connect, getSecretValue: ask });
    all.credentials.isAtHand.mockReturnValue(false);
    const session = createDeferred<typeof ROLE_CREDENTIALS>();
    all.credentials.get.mockReturnValue(session.promise);
    const agents = () => ask.mock.calls.map(([, options]) => options.agents);
    return { ...all, connect, agents, begin: () => session.resolve(ROLE_CREDENTIALS), fail: session.reject };
  }

  it("goes to the secret's region, and the first call uses it", async () => {
    const { credentials, get, connect, agents, begin } = setUpWaiting();
    const answer = get({ secretId: ARN });
    await vi.waitFor(() => expect(connect).toHaveBeenCalledTimes(1));
    expect(connect.mock.calls[0]?.[0]).toMatchObject({ region: "us-west-2", version: "1.2.3" });
    expect(connect.mock.calls[0]?.[0]).not.toHaveProperty("credentials");
    begin();
    await answer;
    credentials.isAtHand.mockReturnValue(true);
    await get();
    expect(agents()).toEqual([AGENTS, undefined]);
  });

  it("is one connection for all waiting look-ups", async () => {
    const { get, connect, agents, begin } = setUpWaiting();
    const answers = Promise.all([get(), get({ secretId: "app/key" }), get({ secretId: "app/other" })]);
    await vi.waitFor(() => expect(connect).toHaveBeenCalled());
    begin();
    await answers;
    expect(connect).toHaveBeenCalledTimes(1);
    expect(agents()).toEqual([AGENTS, undefined, undefined]);
  });

  it("does not fail the look-up if it cannot be opened", async () => {
    const { get, connect, agents, begin } = setUpWaiting(() => {
      throw new Error(CANARY);
    });
    const answer = get();
    await vi.waitFor(() => expect(connect).toHaveBeenCalled());
    begin();
    expect(await answer).toMatchObject({ name: "app/database" });
    expect(agents()).toEqual([undefined]);
  });

  it("is kept for the next call if AssumeRole is refused", async () => {
    const { credentials, get, connect, agents, fail } = setUpWaiting();
    const refused = failureOf(get());
    await vi.waitFor(() => expect(connect).toHaveBeenCalled());
    fail(new Failure("assume-role-denied", "denied"));
    expect(await refused).toMatchObject({ code: "assume-role-denied" });
    credentials.get.mockResolvedValue(ROLE_CREDENTIALS);
    await get();
    expect(connect).toHaveBeenCalledTimes(1);
    expect(agents()).toEqual([AGENTS]);
  });

  it("is not opened if there is a session already", async () => {
    const { credentials, get, connect, begin } = setUpWaiting();
    credentials.isAtHand.mockReturnValue(true);
    begin();
    await get();
    expect(connect).not.toHaveBeenCalled();
  });
});
