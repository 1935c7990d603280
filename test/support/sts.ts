/** Set-up for the tests of a session of the target role: STS's client is mocked. */
import { AssumeRoleCommand, type AssumeRoleCommandOutput, STSClient } from "@aws-sdk/client-sts";
import { mockClient } from "aws-sdk-client-mock";
import { expect } from "vitest";
import { type BaseCredentials, createBaseCredentials } from "../../extension/aws/base-credentials.ts";
import { createAwsCaller } from "../../extension/aws/call.ts";
import * as awsSdk from "../../extension/aws/sdk.ts";
import { createRoleCredentials } from "../../extension/aws/session.ts";
import type { AwsCredentials } from "../../extension/config/aws-environment.ts";
import { createCounters } from "../../extension/metrics.ts";
import { type ConfigOverrides, createConfig } from "./config.ts";
import { createLog } from "./log.ts";
import { CANARY, TIMEOUT_MS } from "./sdk-clients.ts";

export const HOUR_MS = 3_600_000;

export const stsClient = mockClient(STSClient);

/** Makes the role credentials of a function's only source, and the functions that ask for them. */
export function setUpSession(overrides: ConfigOverrides = {}, baseCredentials?: BaseCredentials, random = 0) {
  const config = createConfig(overrides);
  const loadAwsSdk = async () => awsSdk;
  const counters = createCounters();
  const { logger, lines } = createLog();
  const shared = { logger, now: Date.now, random: () => random };
  const credentials = createRoleCredentials({
    ...shared,
    config,
    source: config.sources[0],
    baseCredentials: baseCredentials ?? createBaseCredentials({ config, loadAwsSdk }),
    counters,
    version: "1.2.3",
    loadAwsSdk,
    callAws: createAwsCaller(shared),
  });
  const get = (timeoutMs = TIMEOUT_MS) => credentials.get(Date.now() + timeoutMs);
  const getInstead = (refused: AwsCredentials) => credentials.getInstead(refused, Date.now() + TIMEOUT_MS);
  return { config, counters, get, getInstead, isAtHand: credentials.isAtHand, lines };
}

/** STS's answer with the nth session. */
export function toAssumeRoleAnswer(nth: number, lifeMs = HOUR_MS): AssumeRoleCommandOutput {
  return {
    Credentials: {
      AccessKeyId: `ASIA-${nth}`,
      SecretAccessKey: `${CANARY}-key-${nth}`,
      SessionToken: `${CANARY}-token-${nth}`,
      Expiration: new Date(Date.now() + lifeMs),
    },
    $metadata: { requestId: "11111111-2222-3333-4444-555555555555" },
  };
}

/** STS answers each call with a new session of one hour. */
export function issueSessions(): void {
  let nth = 0;
  stsClient.on(AssumeRoleCommand).callsFake(async () => {
    nth += 1;
    return toAssumeRoleAnswer(nth);
  });
}

export const assumeRoleInputs = () => stsClient.commandCalls(AssumeRoleCommand).map(({ args }) => args[0].input);
export const countStsCalls = () => stsClient.calls().length;

/** The client that made the only call. */
export function clientOfOnlyCall(): STSClient {
  expect(countStsCalls()).toBe(1);
  const client: unknown = stsClient.call(0).thisValue;
  if (!(client instanceof STSClient)) throw new Error("the call was not made by a client of STS");
  return client;
}
