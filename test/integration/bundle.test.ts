/** The trimmed AWS SDK in the layers does the same as the whole SDK. */
import dns from "node:dns";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { ClientOptions } from "../../extension/aws/client.ts";
import * as wholeSdk from "../../extension/aws/sdk.ts";
import * as wholeSsm from "../../extension/aws/sdk-ssm.ts";
import { bundleExtension } from "../../scripts/build/bundle.ts";
import { toClientOptions } from "../support/config.ts";
import { failureOf } from "../support/failure-of.ts";
import { startLocalServer } from "../support/local-server.ts";

type Sdk = Pick<typeof wholeSdk, "assumeRole" | "getSecretValue"> & typeof wholeSsm;
const whole: Sdk = { ...wholeSdk, ...wholeSsm };
let bundled: Sdk & typeof wholeSdk;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  const { files } = await bundleExtension(fileURLToPath(new URL("../..", import.meta.url)));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  const require = createRequire(join(folder, "main.cjs"));
  bundled = { ...require("./aws-sdk.cjs"), ...require("./aws-ssm.cjs") };
  return () => rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const role = { RoleArn: "arn:aws:iam::111111111111:role/SecretReader", RoleSessionName: "my-function" };
/** Starts each call, all at the same time. */
const callAll = (sdk: Sdk, options: ClientOptions) => [
  sdk.assumeRole(role, options, AbortSignal.timeout(4_000)),
  sdk.getSecretValue({ SecretId: "name" }, options, AbortSignal.timeout(4_000)),
  sdk.getParameter({ Name: "name" }, options, AbortSignal.timeout(4_000)),
];

describe("the bundled SDK", () => {
  const REGIONS = ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"];
  const endpoints = REGIONS.flatMap((region) =>
    [false, true].flatMap((useFipsEndpoint) =>
      [false, true].map((useDualstackEndpoint) => ({ region, useFipsEndpoint, useDualstackEndpoint })),
    ),
  );

  it.each(endpoints)("calls the same hosts as the whole SDK with %j", async (choice) => {
    const asked: string[] = [];
    // No test uses the network: every name is unknown here.
    vi.spyOn(dns, "lookup").mockImplementation(((name: string, ...rest: readonly unknown[]) => {
      asked.push(name);
      (rest.at(-1) as (error: Error) => void)(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
    }) as typeof dns.lookup);
    const hostsOf = async (sdk: Sdk) => {
      const refusals = await Promise.all(callAll(sdk, toClientOptions(choice)).map(failureOf));
      return [asked.splice(0).sort(), refusals.map(String)];
    };
    const hosts = await hostsOf(bundled);
    expect(hosts).toEqual(await hostsOf(whole));
    if (choice.region === "eu-west-1" && !choice.useFipsEndpoint && !choice.useDualstackEndpoint) {
      const domain = "eu-west-1.amazonaws.com";
      expect(hosts[0]).toEqual([`secretsmanager.${domain}`, `ssm.${domain}`, `sts.${domain}`]);
    }
  });

  it.each([200, 400, 500])("gives the same result or error as the whole SDK for status %d", async (status) => {
    const { url } = await startLocalServer((request, response) => {
      const isJson = request.headers["x-amz-target"] !== undefined;
      const code = "ExpiredTokenException";
      const json =
        status === 200 ? { SecretString: "café", Parameter: { Value: "é" } } : { __type: code, message: "m" };
      const xml =
        status === 200
          ? "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><Expiration>2026-01-01T01:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
          : `<ErrorResponse><Error><Code>${code}</Code><Message>m</Message></Error></ErrorResponse>`;
      response.writeHead(status, { Date: "Thu, 01 Jan 2026 00:00:00 GMT" }).end(isJson ? JSON.stringify(json) : xml);
    });
    const readBy = async (sdk: Sdk) => {
      const outcomes = await Promise.allSettled(callAll(sdk, toClientOptions({ endpoint: url })));
      return outcomes.map((outcome) =>
        outcome.status === "fulfilled" ? outcome.value : { ...outcome.reason, text: String(outcome.reason) },
      );
    };
    const read = await readBy(bundled);
    expect(read).toEqual(await readBy(whole));
    expect(JSON.stringify(read)).toContain(status === 200 ? "café" : "ExpiredToken");
  });

  it("reads the token for container credentials from its file", async () => {
    const { url } = await startLocalServer((request, response) => {
      const end = { Token: request.headers.authorization, Expiration: "2126-01-01T01:00:00Z" };
      response.end(JSON.stringify({ AccessKeyId: "ASIACONTAINER", SecretAccessKey: "container-key", ...end }));
    });
    const folder = mkdtempSync(join(tmpdir(), "container-token-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "token"), "in-file");
    const given = { uri: url, token: undefined, tokenFile: join(folder, "token") };
    expect(await bundled.getContainerCredentials(given)).toMatchObject({ sessionToken: "in-file" });
  });
});
