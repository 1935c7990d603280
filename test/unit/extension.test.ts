import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
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

const START_EPOCH_MS = Date.UTC(2026, 0, 1);
const SECRET = { secretId: "app" };
const PARAMETER = { parameterId: "app", withDecryption: true };
const OTHER_ROLE = "arn:aws:iam::333333333333:role/Other";

beforeEach(() => {
  vi.useFakeTimers({ now: START_EPOCH_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What stands behind each source, over an AWS that tells with whose session it was asked, and how much time it had. */
function setUp(overrides: ConfigOverrides = {}, others: readonly Partial<Source>[] = []) {
  const journal: string[] = [];
  let refusal: Failure | undefined;
  const callAws: AwsCaller = async ({ operation, id = "" }, deadlineEpochMs, send) => {
    journal.push(`${operation} ${id} within ${deadlineEpochMs - Date.now()} ms`.replace("  ", " "));
    if (refusal !== undefined && operation !== "AssumeRole") throw refusal;
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
      ARN: `arn:aws:secretsmanager:eu-west-1:111111111111:secret:${SecretId}-AbCdEf`,
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
  const refuse = (failure: Failure | undefined) => {
    refusal = failure;
  };
  return { journal, counters: extension.counters, loadAwsSsm, parts: extension.readers(), refuse, within };
}

describe("what stands behind a source", () => {
  it("is one session, with which both its secrets and its parameters are asked for", async () => {
    const { counters, parts, within } = setUp();
    const [source] = parts;
    const [secret, parameter] = await Promise.all([
      source?.secrets.get(SECRET, within()),
      source?.parameters.get(PARAMETER, within()),
    ]);
    const session = "of arn:aws:iam::111111111111:role/SecretReader";
    expect([secret?.value.secretString, parameter?.value.value]).toEqual([`secret ${session}`, `parameter ${session}`]);
    expect(counters).toMatchObject({ assumeRoleCalls: 1, getSecretValueCalls: 1, getParameterCalls: 1 });
    expect(source?.source.roleArn).toBe("arn:aws:iam::111111111111:role/SecretReader");
    expect((await source?.credentials.get(Date.now() + 2_500))?.accessKeyId).toBe(session);
  });

  it("keeps a secret and a parameter of one name apart, each for its own TTL", async () => {
    const { counters, parts, within } = setUp({ ttlMs: 60_000, parameterTtlMs: 10_000, maxStaleMs: 0 });
    const read = async () => {
      const secret = await parts[0]?.secrets.get(SECRET, within());
      const parameter = await parts[0]?.parameters.get(PARAMETER, within());
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

  it("refreshes behind the reply within the time-out of what it refreshes", async () => {
    const { journal, parts, within } = setUp({
      ttlMs: 10_000,
      timeoutMs: 700,
      parameterTtlMs: 10_000,
      parameterTimeoutMs: 900,
    });
    await parts[0]?.secrets.get(SECRET, within());
    await parts[0]?.parameters.get(PARAMETER, within());
    journal.length = 0;
    vi.setSystemTime(START_EPOCH_MS + 9_000);
    await parts[0]?.secrets.get(SECRET, within());
    await parts[0]?.parameters.get(PARAMETER, within());
    await vi.advanceTimersByTimeAsync(0);
    // Less what the reply takes.
    expect(journal).toEqual(["GetSecretValue app within 680 ms", "GetParameter app within 880 ms"]);
  });

  it("has the one table of failures for both: unreachable is served stale, and a denial is not", async () => {
    const { parts, refuse, within } = setUp({ ttlMs: 1_000, parameterTtlMs: 1_000 });
    const read = () =>
      Promise.all([
        failureOf(parts[0]?.secrets.get(SECRET, within()) ?? Promise.resolve()),
        failureOf(parts[0]?.parameters.get(PARAMETER, within()) ?? Promise.resolve()),
      ]);
    await read();
    vi.setSystemTime(START_EPOCH_MS + 1_000);
    refuse(new Failure("unreachable", "no way"));
    for (const outcome of await read()) expect(outcome).toHaveProperty("message", "it did not fail");
    vi.setSystemTime(START_EPOCH_MS + 60_000);
    const denied = new Failure("kms-denied", "may not");
    refuse(denied);
    for (const outcome of await read()) expect(outcome).toMatchObject({ code: "kms-denied" });
  });

  it("is a session and a memory of its own for each source", async () => {
    const { counters, parts, within } = setUp({}, [{ roleArn: OTHER_ROLE }]);
    const values: unknown[] = [];
    for (const { parameters } of parts) values.push((await parameters.get(PARAMETER, within())).value.value);
    expect(values).toEqual(["parameter of arn:aws:iam::111111111111:role/SecretReader", `parameter of ${OTHER_ROLE}`]);
    expect(counters).toMatchObject({ assumeRoleCalls: 2, getParameterCalls: 2 });
  });

  it("loads Parameter Store's part of the SDK only for who asks for a parameter", async () => {
    const { loadAwsSsm, parts, within } = setUp();
    await parts[0]?.secrets.get(SECRET, within());
    expect(loadAwsSsm).not.toHaveBeenCalled();
    await parts[0]?.parameters.get(PARAMETER, within());
    expect(loadAwsSsm).toHaveBeenCalledTimes(1);
  });
});
