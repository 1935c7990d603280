import { describe, expect, it } from "vitest";
import type { ClientOptions } from "../../../../extension/aws/client.ts";
import { getRoleArn } from "../../../../scripts/cli/doctor/aws-identity.ts";
import { createCertificate } from "../../../support/certificate.ts";
import { startLocalServer } from "../../../support/local-server.ts";
import { startFront } from "../../../support/tcp-front.ts";

const ARN = "arn:aws:iam::222222222222:role/service-role/my-lambda-role";

/** An IAM with a given answer, and the scope of each signature that it received: region and service. */
async function startIam(status = 200, body = `<GetRoleResult><Role><Arn>${ARN}</Arn></Role></GetRoleResult>`) {
  const scopes: string[] = [];
  const { url } = await startLocalServer(({ headers }, response) => {
    scopes.push(/Credential=[^/]+\/\d+\/([^,]+)\/aws4_request/.exec(headers.authorization ?? "")?.[1] ?? "none");
    response.writeHead(status).end(body);
  });
  const options: ClientOptions = {
    region: "eu-west-1",
    credentials: { accessKeyId: "ASIAEXAMPLE", secretAccessKey: "s", sessionToken: "t" },
    endpoint: url,
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    version: "1.2.3",
  };
  const ask = (partition: string, more: Partial<ClientOptions> = {}) =>
    getRoleArn({ partition, name: "my-lambda-role" }, { ...options, ...more }, AbortSignal.timeout(5_000));
  return { scopes, ask, url };
}

describe("a role's ARN", () => {
  it.each([
    ["aws", "us-east-1/iam"],
    ["aws-cn", "cn-north-1/iam"],
    ["aws-us-gov", "us-gov-west-1/iam"],
  ])("is requested in the region where the partition %s has its IAM", async (partition, scope) => {
    const { ask, scopes } = await startIam();
    expect(await ask(partition)).toBe(ARN);
    expect(scopes).toEqual([scope]);
  });

  it("is not requested if the partition's IAM is unknown, or if only FIPS endpoints may be used", async () => {
    const { ask, scopes } = await startIam();
    expect([await ask("aws-iso"), await ask("aws", { useFipsEndpoint: true })]).toEqual([undefined, undefined]);
    expect(scopes).toEqual([]);
  });

  it("is requested through a proxy whose certificate is in AWS_CA_BUNDLE", async () => {
    const { ask, scopes, url } = await startIam();
    const certificate = createCertificate("proxy");
    const { url: endpoint } = await startFront(() => url, certificate);
    expect(await ask("aws", { endpoint, caBundle: certificate.cert })).toBe(ARN);
    await expect(ask("aws", { endpoint })).rejects.toThrow();
    expect(scopes).toHaveLength(1);
  });

  it("is undefined if the caller may not read it", async () => {
    const { ask } = await startIam(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>");
    expect(await ask("aws")).toBeUndefined();
  });
});
