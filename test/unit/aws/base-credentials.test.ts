import { inspect } from "node:util";
import { describe, expect, it, vi } from "vitest";
import { createBaseCredentials, toHash } from "../../../extension/aws/base-credentials.ts";
import * as awsSdk from "../../../extension/aws/sdk.ts";
import type { AwsCredentials, ContainerCredentials } from "../../../extension/config/aws-environment.ts";
import { findLeaks } from "../../support/canary.ts";
import { failureOf } from "../../support/failure-of.ts";

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
  it("come from its environment variables and do not change", async () => {
    const { base, loadAwsSdk } = setUp({ credentials: STATIC });
    expect(await base.get()).toBe(STATIC);
    expect(base.mayChange).toBe(false);
    expect(loadAwsSdk).not.toHaveBeenCalled();
  });

  it("come from the container endpoint if there is one, even if the variables are set", async () => {
    const { base, getContainerCredentials } = setUp({ credentials: STATIC, containerCredentials: CONTAINER });
    expect(await base.get()).toEqual(OF_CONTAINER);
    expect(getContainerCredentials).toHaveBeenCalledWith(CONTAINER);
  });

  it("may change if they come from the endpoint, and are requested each time", async () => {
    const { base, getContainerCredentials } = setUp({ containerCredentials: CONTAINER });
    expect(base.mayChange).toBe(true);
    expect(getContainerCredentials).not.toHaveBeenCalled();
    getContainerCredentials.mockResolvedValueOnce({ ...OF_CONTAINER, accessKeyId: "ASIA1" });
    getContainerCredentials.mockResolvedValueOnce({ ...OF_CONTAINER, accessKeyId: "ASIA2" });
    expect((await base.get()).accessKeyId).toBe("ASIA1");
    expect((await base.get()).accessKeyId).toBe("ASIA2");
  });

  it("have two known session tokens, the last and the one before, as hashes, if they come from the endpoint", async () => {
    const { base, getContainerCredentials } = setUp({ containerCredentials: CONTAINER });
    for (const sessionToken of ["1", "1", "2", "3"]) {
      getContainerCredentials.mockResolvedValueOnce({ ...OF_CONTAINER, sessionToken });
      await base.get();
    }
    getContainerCredentials.mockRejectedValueOnce(new Error());
    await base.get().catch(() => {});
    expect(base.sessionTokens?.()).toEqual(["3", "2"].map(toHash));
    expect(setUp({ credentials: STATIC }).base.sessionTokens).toBeUndefined();
  });

  it("are a failure with a remedy if there are none", async () => {
    const { base } = setUp({});
    expect(await failureOf(base.get())).toMatchObject({
      code: "credentials-missing",
      details: { remedy: expect.stringContaining("AWS_ACCESS_KEY_ID") },
    });
    expect(base.mayChange).toBe(false);
  });

  it("are a failure if the endpoint refuses, without the endpoint's text and without a fallback to the variables", async () => {
    const { base, getContainerCredentials } = setUp({ credentials: STATIC, containerCredentials: CONTAINER });
    getContainerCredentials.mockRejectedValueOnce(Object.assign(new Error(CANARY), { $response: { body: CANARY } }));
    const failure = await failureOf(base.get());
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
