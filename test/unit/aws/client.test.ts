import { PassThrough, Readable } from "node:stream";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type * as AwsClient from "../../../extension/aws/client.ts";
import { readBody } from "../../../extension/aws/client.ts";

const OPTIONS: AwsClient.ClientOptions = {
  region: "eu-west-1",
  credentials: { accessKeyId: "ASIAOURS", secretAccessKey: "our-key", sessionToken: "our-token" },
  endpoint: undefined,
  useFipsEndpoint: false,
  useDualstackEndpoint: true,
  version: "9.8.7",
};

/** A fresh copy of the module for each test, which has not learned AWS's clock yet. */
let awsClient: typeof AwsClient;
beforeEach(async () => {
  vi.resetModules();
  awsClient = await import("../../../extension/aws/client.ts");
});

describe("the config of a client", () => {
  it("has the given region, credentials, FIPS and dual-stack options", () => {
    const { region, credentials, useFipsEndpoint, useDualstackEndpoint } = awsClient.toClientConfig(OPTIONS);
    expect({ region, credentials, useFipsEndpoint, useDualstackEndpoint }).toEqual({
      region: "eu-west-1",
      credentials: OPTIONS.credentials,
      useFipsEndpoint: false,
      useDualstackEndpoint: true,
    });
  });

  it("has an endpoint only if one is given, because the SDK would look for an undefined one elsewhere", () => {
    expect(Object.keys(awsClient.toClientConfig(OPTIONS))).not.toContain("endpoint");
    expect(awsClient.toClientConfig({ ...OPTIONS, endpoint: "http://127.0.0.1:1" })).toMatchObject({
      endpoint: "http://127.0.0.1:1",
    });
  });

  it("allows one try, keeps no connection alive and leaves no option for the SDK to look up elsewhere", async () => {
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

  it("names the extension and its version in the user agent, and has no option `version`", () => {
    const config = awsClient.toClientConfig(OPTIONS);
    expect(config.customUserAgent).toEqual([["cross-account-secrets", "9.8.7"]]);
    expect(config).not.toHaveProperty("version");
  });
});

describe("a client that is no longer needed", () => {
  const toClient = (systemClockOffset: number) => ({ destroy: vi.fn(), config: { systemClockOffset } });

  it("is destroyed and passes AWS's clock on to the next client", () => {
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(0);
    const client = toClient(3_600_000);
    awsClient.destroyClient(client, 0);
    expect(client.destroy).toHaveBeenCalledTimes(1);
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(3_600_000);
    awsClient.destroyClient(toClient(-5), 3_600_000);
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(-5);
  });

  it("does not overwrite the clock that another client has learned, if it got no answer itself", () => {
    const startedWithMs = awsClient.toClientConfig(OPTIONS).systemClockOffset;
    awsClient.destroyClient(toClient(60_000), startedWithMs);
    awsClient.destroyClient(toClient(startedWithMs), startedWithMs);
    expect(awsClient.toClientConfig(OPTIONS).systemClockOffset).toBe(60_000);
  });
});

describe("a response body", () => {
  it.each([
    ["in one piece", ["whole"], "whole"],
    ["in pieces that split a character", [Buffer.from([0xe2]), Buffer.from([0x82, 0xac])], "€"],
    ["that is empty", [], ""],
  ])("%s is read to its end", async (_, chunks, text) => {
    expect((await readBody(Readable.from(chunks, { objectMode: false }))).toString()).toBe(text);
  });

  it("that breaks off is an error", async () => {
    const stream = new PassThrough();
    const body = readBody(stream);
    stream.write("the first half");
    stream.destroy(new Error("reset"));
    await expect(body).rejects.toThrow("reset");
  });

  it("whose stream is destroyed early is an error and does not hang", async () => {
    const stream = new PassThrough();
    const body = readBody(stream);
    stream.write("the first half");
    stream.destroy();
    await expect(body).rejects.toThrow("too early");
  });
});
