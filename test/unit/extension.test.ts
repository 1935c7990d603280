import { describe, expect, it, vi } from "vitest";
import type { AwsCaller } from "../../extension/aws/call.ts";
import type { ClientOptions } from "../../extension/aws/client.ts";
import type * as AwsSdk from "../../extension/aws/sdk.ts";
import type * as AwsSsm from "../../extension/aws/sdk-ssm.ts";
import { createExtension } from "../../extension/extension.ts";
import { Failure } from "../../extension/failure/failure.ts";
import type { Source } from "../../extension/values/source.ts";
import { type ConfigOverrides, createConfig } from "../support/config.ts";
import { failureOf } from "../support/failure-of.ts";
import { createLog } from "../support/log.ts";
import { START_EPOCH_MS, useFakeClock } from "../support/unit-clock.ts";
import { OTHER_ROLE_ARN, TARGET_ROLE_ARN, toSecretArn } from "../support/values.ts";

const SECRET = { secretId: "app" };
const PARAMETER = { parameterId: "app", withDecryption: true };

useFakeClock();

/** An extension with a fake AWS, whose answers name the session that asked. The journal has each call and its time limit. */
function setUp(overrides: ConfigOverrides = {}, others: readonly Partial<Source>[] = []) {
  const journal: string[] = [];
  let failure: Failure | undefined;
  const callAws: AwsCaller = async ({ operation, id = "" }, deadlineEpochMs, send) => {
    journal.push(`${operation} ${id} within ${deadlineEpochMs - Date.now()} ms`.replace("  ", " "));
    if (failure !== undefined && operation !== "AssumeRole") throw failure;
    return send(new AbortController().signal);
  };
  const awsSdk = {
    assumeRole: async ({ RoleArn }: { RoleArn?: string }) => ({
      answer: {
        Credentials: {
          AccessKeyId: `of ${RoleArn}`,
          SecretAccessKey: "key",
          SessionToken: "token",
          Expiration: new Date(Date.now() + 3_600_000),
        },
        $metadata: {},
      },
      dateEpochMs: undefined,
    }),
    getSecretValue: async ({ SecretId }: { SecretId?: string }, { credentials }: ClientOptions) => ({
      ARN: toSecretArn(`${SecretId}`),
      Name: SecretId,
      VersionId: "1",
      CreatedDate: new Date(1),
      SecretString: `secret ${credentials.accessKeyId}`,
      $metadata: {},
    }),
  } as unknown as typeof AwsSdk;
  const loadAwsSsm = vi.fn(
    async () =>
      ({
        getParameter: async ({ Name }: { Name?: string }, { credentials }: ClientOptions) => ({
          Parameter: { Name, Type: "String", Version: 1, Value: `parameter ${credentials.accessKeyId}` },
          $metadata: {},
        }),
      }) as unknown as typeof AwsSsm,
  );
  const given = createConfig(overrides);
  const [first] = given.sources;
  const sources = [first, ...others.map((other) => ({ ...first, ...other }))] as const;
  const config = { ...given, sources };
  const extension = createExtension({
    config,
    baseCredentials: { mayChange: false, get: async () => ({ accessKeyId: "ASIABASE", secretAccessKey: "base" }) },
    loadAwsSdk: async () => awsSdk,
    loadAwsSsm,
    callAws,
    version: "1.2.3",
    logger: createLog().logger,
    now: Date.now,
    monotonicNow: Date.now,
    random: () => 0,
    write() {},
    readFile: () => "",
  });
  const within = (timeoutMs = 2_500) => ({ deadlineEpochMs: Date.now() + timeoutMs });
  const failWith = (next: Failure) => {
    failure = next;
  };
  return { journal, counters: extension.counters, loadAwsSsm, readers: extension.readers(), failWith, within };
}

describe("the reader of a source", () => {
  it("has one session, with which it reads both secrets and parameters", async () => {
    const { counters, readers, within } = setUp();
    const [source] = readers;
    const [secret, parameter] = await Promise.all([
      source?.secrets.get(SECRET, within()),
      source?.parameters.get(PARAMETER, within()),
    ]);
    const session = `of ${TARGET_ROLE_ARN}`;
    expect([secret?.value.secretString, parameter?.value.value]).toEqual([`secret ${session}`, `parameter ${session}`]);
    expect(counters).toMatchObject({ assumeRoleCalls: 1, getSecretValueCalls: 1, getParameterCalls: 1 });
    expect(source?.source.roleArn).toBe(TARGET_ROLE_ARN);
    expect((await source?.credentials.get(Date.now() + 2_500))?.accessKeyId).toBe(session);
  });

  it("caches a secret and a parameter of the same name separately, each for its own TTL", async () => {
    const { counters, readers, within } = setUp({ ttlMs: 60_000, parameterTtlMs: 10_000, maxStaleMs: 0 });
    const read = async () => {
      const secret = await readers[0]?.secrets.get(SECRET, within());
      const parameter = await readers[0]?.parameters.get(PARAMETER, within());
      return [secret?.value.secretString?.split(" ")[0], parameter?.value.value?.split(" ")[0]];
    };
    expect(await read()).toEqual(["secret", "parameter"]);
    expect(await read()).toEqual(["secret", "parameter"]);
    expect(counters).toMatchObject({ getSecretValueCalls: 1, getParameterCalls: 1 });
    vi.setSystemTime(START_EPOCH_MS + 10_000);
    await read();
    expect(counters).toMatchObject({ getSecretValueCalls: 1, getParameterCalls: 2 });
    vi.setSystemTime(START_EPOCH_MS + 60_000);
    await read();
    expect(counters).toMatchObject({ getSecretValueCalls: 2, getParameterCalls: 3 });
  });

  it("refreshes in the background within the timeout of a secret or of a parameter", async () => {
    const { journal, readers, within } = setUp({
      ttlMs: 10_000,
      timeoutMs: 700,
      parameterTtlMs: 10_000,
      parameterTimeoutMs: 900,
    });
    await readers[0]?.secrets.get(SECRET, within());
    await readers[0]?.parameters.get(PARAMETER, within());
    journal.length = 0;
    vi.setSystemTime(START_EPOCH_MS + 9_000);
    await readers[0]?.secrets.get(SECRET, within());
    await readers[0]?.parameters.get(PARAMETER, within());
    await vi.advanceTimersByTimeAsync(0);
    // 20 ms are left for the reply.
    expect(journal).toEqual(["GetSecretValue app within 680 ms", "GetParameter app within 880 ms"]);
  });

  it("treats both alike: a stale value is served if AWS is unreachable, and not after a denial", async () => {
    const { readers, failWith, within } = setUp({ ttlMs: 1_000, parameterTtlMs: 1_000 });
    const read = () =>
      Promise.all([
        failureOf(readers[0]?.secrets.get(SECRET, within()) ?? Promise.resolve()),
        failureOf(readers[0]?.parameters.get(PARAMETER, within()) ?? Promise.resolve()),
      ]);
    await read();
    vi.setSystemTime(START_EPOCH_MS + 1_000);
    failWith(new Failure("unreachable", "no route"));
    for (const outcome of await read()) expect(outcome).toHaveProperty("message", "it did not fail");
    vi.setSystemTime(START_EPOCH_MS + 60_000);
    const denied = new Failure("kms-denied", "may not");
    failWith(denied);
    for (const outcome of await read()) expect(outcome).toMatchObject({ code: "kms-denied" });
  });

  it("has its own session and its own cache", async () => {
    const { counters, readers, within } = setUp({}, [{ roleArn: OTHER_ROLE_ARN }]);
    const values: unknown[] = [];
    for (const { parameters } of readers) values.push((await parameters.get(PARAMETER, within())).value.value);
    expect(values).toEqual([`parameter of ${TARGET_ROLE_ARN}`, `parameter of ${OTHER_ROLE_ARN}`]);
    expect(counters).toMatchObject({ assumeRoleCalls: 2, getParameterCalls: 2 });
  });

  it("loads the SDK of Parameter Store only when a parameter is read", async () => {
    const { loadAwsSsm, readers, within } = setUp();
    await readers[0]?.secrets.get(SECRET, within());
    expect(loadAwsSsm).not.toHaveBeenCalled();
    await readers[0]?.parameters.get(PARAMETER, within());
    expect(loadAwsSsm).toHaveBeenCalledTimes(1);
  });
});
