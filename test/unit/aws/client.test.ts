import { beforeEach, describe, expect, it, vi } from "vitest";
import type * as AwsClient from "../../../extension/aws/client.ts";

const OPTIONS: AwsClient.ClientOptions = {
  region: "eu-west-1",
  credentials: { accessKeyId: "ASIAOURS", secretAccessKey: "our-key", sessionToken: "our-token" },
  endpoint: undefined,
  useFipsEndpoint: false,
  useDualstackEndpoint: true,
  version: "9.8.7",
};

/** A copy of its own, which knows nothing yet of AWS's clock. */
let awsClient: typeof AwsClient;
beforeEach(async () => {
  vi.resetModules();
  awsClient = await import("../../../extension/aws/client.ts");
});

describe("a client", () => {
  it("has what it is given: region, credentials, FIPS and dual-stack", () => {
    const { region, credentials, useFipsEndpoint, useDualstackEndpoint } = awsClient.toClientConfig(OPTIONS);
    expect({ region, credentials, useFipsEndpoint, useDualstackEndpoint }).toEqual({
      region: "eu-west-1",
      credentials: OPTIONS.credentials,
      useFipsEndpoint: false,
      useDualstackEndpoint: true,
    });
  });

  it("has an endpoint only where one is given: an undefined one would be looked for elsewhere", () => {
    expect(Object.keys(awsClient.toClientConfig(OPTIONS))).not.toContain("endpoint");
    expect(awsClient.toClientConfig({ ...OPTIONS, endpoint: "http://127.0.0.1:1" })).toMatchObject({
      endpoint: "http://127.0.0.1:1",
    });
  });

  it("makes one try, over a connection that it does not keep, and asks nobody else for an option", async () => {
    const config = awsClient.toClientConfig(OPTIONS);
    expect(config).toMatchObject({
      maxAttempts: 1,
      retryMode: "standard",
      defaultsMode: "standard",
      ignoreConfiguredEndpointUrls: true,
      authSchemePreference: ["aws.auth#sigv4"],
      sigv4aSigningRegionSet: ["eu-west-1"],
      disableClockSkewCorrection: false,
      requestHandler: { httpAgent: { keepAlive: false }, httpsAgent: { keepAlive: false } },
    });
    expect(await config.userAgentAppId()).toBeUndefined();
  });

  it("says who it is, and does not pass our version on as an option of its own", () => {
    const config = awsClient.toClientConfig(OPTIONS);
    expect(config.customUserAgent).toEqual([["cross-account-secrets", "9.8.7"]]);
    expect(config).not.toHaveProperty("version");
  });
});

describe("a client that is left", () => {
  const toClient = (systemClockOffset: number) => ({ destroy: vi.fn(), config: { systemClockOffset } });

  it("is destroyed, and leaves AWS's clock to the next", () => {
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(0);
    const client = toClient(3_600_000);
    awsClient.leave(client, 0);
    expect(client.destroy).toHaveBeenCalledTimes(1);
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(3_600_000);
    awsClient.leave(toClient(-5), 3_600_000);
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(-5);
  });

  it("says nothing of AWS's clock where it got no answer, and another has learned meanwhile", () => {
    const startedWithMs = awsClient.toClientConfig(OPTIONS).systemClockOffset;
    awsClient.leave(toClient(60_000), startedWithMs);
    awsClient.leave(toClient(startedWithMs), startedWithMs);
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(60_000);
  });
});
