import { inspect } from "node:util";
import { describe, expect, it, vi } from "vitest";
import { createBaseCredentials } from "../../../extension/aws/base-credentials.ts";
import * as awsSdk from "../../../extension/aws/sdk.ts";
import type { AwsCredentials, ContainerCredentials } from "../../../extension/config/aws-environment.ts";
import { findLeaks } from "../../support/canary.ts";
import { refusalOf } from "../../support/refusal-of.ts";

const CANARY = "CANARY-0f3b9a-it-says";
const STATIC: AwsCredentials = { accessKeyId: "ASIASTATIC", secretAccessKey: "key", sessionToken: "token" };
const OF_CONTAINER: AwsCredentials = { accessKeyId: "ASIACONTAINER", secretAccessKey: "key", sessionToken: "token" };
const CONTAINER: ContainerCredentials = { uri: "http://127.0.0.1:1/credentials", token: "t", tokenFile: undefined };

function setUp(aws: { credentials?: AwsCredentials; containerCredentials?: ContainerCredentials }) {
  const getContainerCredentials = vi.fn<typeof awsSdk.getContainerCredentials>(async () => OF_CONTAINER);
  const loadAwsSdk = vi.fn(async () => ({ ...awsSdk, getContainerCredentials }));
  const { credentials, containerCredentials } = aws;
  const base = createBaseCredentials({ config: { aws: { credentials, containerCredentials } }, loadAwsSdk });
  return { base, getContainerCredentials, loadAwsSdk };
}

describe("the function's own credentials", () => {
  it("are those of its variables, which stay as they are", async () => {
    const { base, loadAwsSdk } = setUp({ credentials: STATIC });
    expect(await base.get()).toBe(STATIC);
    expect(base.mayChange).toBe(false);
    expect(loadAwsSdk).not.toHaveBeenCalled();
  });

  it("are those of the endpoint where there is one, whatever the variables say", async () => {
    const { base, getContainerCredentials } = setUp({ credentials: STATIC, containerCredentials: CONTAINER });
    expect(await base.get()).toEqual(OF_CONTAINER);
    expect(getContainerCredentials).toHaveBeenCalledWith(CONTAINER);
  });

  it("of an endpoint may change, and are asked for each time: none is kept", async () => {
    const { base, getContainerCredentials } = setUp({ containerCredentials: CONTAINER });
    expect(base.mayChange).toBe(true);
    expect(getContainerCredentials).not.toHaveBeenCalled();
    getContainerCredentials.mockResolvedValueOnce({ ...OF_CONTAINER, accessKeyId: "ASIA1" });
    getContainerCredentials.mockResolvedValueOnce({ ...OF_CONTAINER, accessKeyId: "ASIA2" });
    expect((await base.get()).accessKeyId).toBe("ASIA1");
    expect((await base.get()).accessKeyId).toBe("ASIA2");
  });

  it("are missed with a remedy where there are none", async () => {
    const { base } = setUp({});
    expect(await refusalOf(base.get())).toMatchObject({
      code: "credentials-missing",
      details: { remedy: expect.stringContaining("AWS_ACCESS_KEY_ID") },
    });
    expect(base.mayChange).toBe(false);
  });

  it("are missed where the endpoint refuses, without a word of what it said, and without the variables' instead", async () => {
    const { base, getContainerCredentials } = setUp({ credentials: STATIC, containerCredentials: CONTAINER });
    getContainerCredentials.mockRejectedValueOnce(Object.assign(new Error(CANARY), { $response: { body: CANARY } }));
    const failure = await refusalOf(base.get());
    expect(failure).toMatchObject({
      code: "credentials-unavailable",
      details: { remedy: expect.stringContaining("AWS_CONTAINER_CREDENTIALS_FULL_URI") },
    });
    expect(findLeaks(new Map([["failure", inspect(failure, { depth: null, showHidden: true })]]), [CANARY])).toEqual(
      [],
    );
    expect((await base.get()).accessKeyId).toBe("ASIACONTAINER");
  });
});
