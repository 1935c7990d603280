import { GetParameterCommand, type GetParameterCommandOutput, type Parameter, SSMClient } from "@aws-sdk/client-ssm";
import { mockClient } from "aws-sdk-client-mock";
import { describe, expect, it, vi } from "vitest";
import { createAwsCaller } from "../../../extension/aws/call.ts";
import { createParameterStore } from "../../../extension/aws/parameters.ts";
import * as awsSsm from "../../../extension/aws/sdk-ssm.ts";
import { Failure } from "../../../extension/failure/failure.ts";
import { createCounters } from "../../../extension/metrics.ts";
import type { ParameterQuery } from "../../../extension/values/parameter.ts";
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

const ARN = "arn:aws:ssm:us-west-2:111111111111:parameter/app/flag";
const FLAG: ParameterQuery = { parameterId: "/app/flag", withDecryption: true };

const PARAMETER: Parameter = {
  ARN,
  DataType: "text",
  LastModifiedDate: new Date("2022-11-16T08:22:40.362Z"),
  Name: "/app/flag",
  Type: "SecureString",
  Value: CANARY,
  Version: 3,
};
const toAnswer = (parameter: Partial<Parameter> = {}): GetParameterCommandOutput => ({
  Parameter: { ...PARAMETER, ...parameter },
  $metadata: { requestId: "the-request-id" },
});

const aws = mockClient(SSMClient);

resetForEachTest(aws);

function setUp(overrides: ConfigOverrides = {}) {
  const config = createConfig(overrides);
  const counters = createCounters();
  const { logger, lines } = createLog();
  const shared = { logger, now: Date.now, random: () => 0 };
  const credentials = createSession();
  const loadAwsSsm = vi.fn(async () => awsSsm);
  const parameterStore = createParameterStore({
    ...shared,
    config,
    source: config.sources[0],
    counters,
    credentials,
    version: "1.2.3",
    loadAwsSsm,
    callAws: createAwsCaller(shared),
  });
  const get = (query: ParameterQuery = FLAG, timeoutMs = TIMEOUT_MS) =>
    parameterStore.getParameter(query, Date.now() + timeoutMs);
  return { counters, credentials, get, lines, loadAwsSsm };
}

const inputs = () => aws.commandCalls(GetParameterCommand).map(({ args }) => args[0].input);

/** The client that made the nth call. */
function clientOfCall(nth = 0): SSMClient {
  const client: unknown = aws.call(nth).thisValue;
  if (!(client instanceof SSMClient)) throw new Error("the call was not made by a client of Parameter Store");
  return client;
}

describe("GetParameter", () => {
  it.each<[ParameterQuery, object]>([
    [
      { parameterId: "/app/flag", withDecryption: true },
      { Name: "/app/flag", WithDecryption: true },
    ],
    [
      { parameterId: "flag", withDecryption: false },
      { Name: "flag", WithDecryption: false },
    ],
    [
      { parameterId: "flag", selector: "3", withDecryption: false },
      { Name: "flag:3", WithDecryption: false },
    ],
    [
      { parameterId: ARN, selector: "prod", withDecryption: true },
      { Name: `${ARN}:prod`, WithDecryption: true },
    ],
  ])("sends exactly the name, the selector and the decryption flag of the query: %o", async (query, input) => {
    aws.on(GetParameterCommand).resolves(toAnswer());
    await setUp().get(query);
    expect(inputs()).toEqual([input]);
  });

  it.each([
    { REGION: undefined, parameterId: "/app/flag", asked: "eu-west-1" },
    { REGION: undefined, parameterId: ARN, asked: "us-west-2" },
    { REGION: "ap-south-1", parameterId: "/app/flag", asked: "ap-south-1" },
    { REGION: "ap-south-1", parameterId: ARN, asked: "us-west-2" },
  ])("of $parameterId goes to $asked if REGION is $REGION", async ({ REGION, parameterId, asked }) => {
    aws.on(GetParameterCommand).resolves(toAnswer());
    await setUp({ source: { region: REGION } }).get({ parameterId, withDecryption: false });
    expect(await clientOfCall().config.region()).toBe(asked);
  });

  it("uses the target role's credentials and the configured endpoint, FIPS and dual-stack options", async () => {
    aws.on(GetParameterCommand).resolves(toAnswer());
    await setUp(ENDPOINTS).get();
    const { endpoint, credentials, useFipsEndpoint, useDualstackEndpoint } = clientOfCall().config;
    expect((await endpoint?.())?.hostname).toBe("ssm.example.com");
    expect(await credentials()).toMatchObject(ROLE_CREDENTIALS);
    expect([await useFipsEndpoint(), await useDualstackEndpoint()]).toEqual([true, true]);
  });

  it("is logged with ID and version, without the value", async () => {
    aws.on(GetParameterCommand).resolves(toAnswer());
    const { get, lines } = setUp();
    await get();
    expect(lines).toEqual([
      {
        level: "info",
        event: "parameter-fetched",
        parameterId: "/app/flag",
        versionId: "3",
        requestId: "the-request-id",
        ms: 0,
      },
    ]);
  });

  it("is counted once for each try, each with its own client, and never as a secret's call", async () => {
    aws.on(GetParameterCommand).rejectsOnce(toSdkError("InternalServerError", 500)).resolves(toAnswer());
    const { counters, get } = setUp();
    const wait = get();
    await vi.advanceTimersByTimeAsync(0);
    await wait;
    expect(counters).toEqual({ ...createCounters(), getParameterCalls: 2 });
    expect(clientOfCall(0)).not.toBe(clientOfCall(1));
  });

  it("loads its part of the SDK at the first call and not before", async () => {
    aws.on(GetParameterCommand).resolves(toAnswer());
    const { get, loadAwsSsm } = setUp();
    expect(loadAwsSsm).not.toHaveBeenCalled();
    await get();
    expect(loadAwsSsm).toHaveBeenCalled();
  });
});

describe("a parameter", () => {
  const expected = {
    arn: ARN,
    name: "/app/flag",
    versionId: "3",
    type: "SecureString",
    dataType: "text",
    lastModifiedDate: new Date("2022-11-16T08:22:40.362Z"),
    selector: undefined,
    sourceResult: undefined,
    value: CANARY,
  };

  it.each<[string, Partial<Parameter>, object]>([
    ["whole", {}, {}],
    ["empty", { Value: "" }, { value: "" }],
    ["with a label", { Selector: ":prod" }, { selector: ":prod" }],
    ["without date and data type", { LastModifiedDate: undefined, DataType: undefined }, { lastModifiedDate: undefined, dataType: undefined }], // biome-ignore format: one row
    ["without an ARN", { ARN: undefined }, { arn: "" }],
    ["a reference to a secret", { Version: 0, SourceResult: "{}" }, { versionId: "0", sourceResult: "{}" }],
    [
      "a reference to a binary secret",
      { Value: undefined, SourceResult: "{}" },
      { value: undefined, sourceResult: "{}" },
    ],
    ["without a version", { Version: undefined }, { versionId: "0" }],
  ])("may be %s", async (_, answer, value) => {
    aws.on(GetParameterCommand).resolves(toAnswer(answer));
    expect(await setUp().get()).toEqual({ ...expected, ...value });
  });

  it.each<[string, GetParameterCommandOutput]>([
    ["no parameter", { $metadata: {} }],
    ["no name", toAnswer({ Name: undefined })],
    ["no type", toAnswer({ Type: undefined })],
    ["no value", toAnswer({ Value: undefined })],
    ["no value and an empty reference", toAnswer({ Value: undefined, SourceResult: "" })],
  ])("is not taken from an answer with %s", async (_, answer) => {
    aws.on(GetParameterCommand).resolves(answer);
    const refused = failureOf(setUp().get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "aws-response-invalid" });
  });
});

describe("a failed GetParameter", () => {
  it("names role, region and ID, and leaves no text of AWS in the failure or in the log", async () => {
    aws.on(GetParameterCommand).rejects(toSdkError("ParameterNotFound", 400));
    const { get, lines } = setUp();
    const failure = await failureOf(get({ parameterId: ARN, selector: "9", withDecryption: true }));
    expect(failure).toMatchObject({ code: "parameter-not-found", details: { requestId: "the-request-id" } });
    expect(failure).toHaveProperty(
      "message",
      expect.stringContaining(`GetParameter of ${ARN} in us-west-2 as arn:aws:iam`),
    );
    expectNoAwsText(failure, lines);
    expect(lines).toMatchObject([{ level: "warn", event: "aws-call-failed", code: "parameter-not-found" }]);
  });

  it("is the failure of the credentials, unchanged, if there are none, and no call is made", async () => {
    const { counters, credentials, get } = setUp();
    const denied = new Failure("assume-role-denied", "no");
    credentials.get.mockRejectedValue(denied);
    expect(await failureOf(get())).toBe(denied);
    expect(counters.getParameterCalls).toBe(0);
  });

  it.each(["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "InvalidKeyId"])(
    "leads to one try with another session if the session may be the cause: %s",
    async (name) => {
      aws.on(GetParameterCommand).rejectsOnce(toSdkError(name, 400)).resolves(toAnswer());
      const { credentials, get } = setUp();
      credentials.getInstead.mockResolvedValue(OTHER_CREDENTIALS);
      expect((await get()).versionId).toBe("3");
      expect(credentials.getInstead.mock.calls).toEqual([[ROLE_CREDENTIALS, START_EPOCH_MS + TIMEOUT_MS]]);
      expect(await clientOfCall(1).config.credentials()).toMatchObject(OTHER_CREDENTIALS);
    },
  );

  it.each(["ParameterNotFound", "ParameterVersionNotFound", "ValidationException"])(
    "with %s requests no other session",
    async (name) => {
      aws.on(GetParameterCommand).rejects(toSdkError(name, 400));
      const { credentials, get } = setUp();
      expect(await failureOf(get())).toBeInstanceOf(Failure);
      expect(credentials.getInstead).not.toHaveBeenCalled();
    },
  );

  it("does not lead to FAILOVER_REGION, because a parameter has no replica", async () => {
    aws.on(GetParameterCommand).rejects(Object.assign(new Error(CANARY), { code: "ECONNREFUSED" }));
    const refused = failureOf(setUp({ failoverRegion: "eu-central-1" }).get());
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    expect(await refused).toMatchObject({ code: "unreachable" });
    const regions = await Promise.all(aws.calls().map((_, nth) => clientOfCall(nth).config.region()));
    expect(new Set(regions)).toEqual(new Set(["eu-west-1"]));
  });
});

describe("a Parameter Store that does not answer", () => {
  it("is awaited until the deadline, then the call is aborted", async () => {
    aws.on(GetParameterCommand).callsFake(() => new Promise(() => {}));
    await expectAbort(setUp().get(FLAG, 800), 800, aws);
  });
});
