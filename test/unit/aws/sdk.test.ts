import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener, ServerResponse } from "node:http";
import { Agent as TlsAgent } from "node:https";
import net, { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { ClientOptions } from "../../../extension/aws/client.ts";
import type { ContainerCredentials } from "../../../extension/config/aws-environment.ts";
import { toClientOptions } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import {
  createHostileHome,
  isClosed,
  mockLookup,
  setHostileEnvironment,
  startLocalAws,
  toClockLeadsMs,
} from "../../support/local-aws.ts";
import { TARGET_ROLE_ARN } from "../../support/values.ts";

const SECRET = JSON.stringify({ ARN: "arn", Name: "name", VersionId: "1", CreatedDate: 1, SecretString: "s3cret" });
const SESSION = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
  <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-key</SecretAccessKey><SessionToken>role-token</SessionToken>
  <Expiration>2026-01-01T01:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;
const PARAMETER = JSON.stringify({
  Parameter: { ARN: "arn", Name: "name", Type: "String", Value: "on", Version: 3, LastModifiedDate: 1.5 },
});

/** Answers for all services: a request names its operation in a header, except a request to STS. */
const answer: RequestListener = (request, response) => {
  const { "x-amz-target": operation } = request.headers;
  if (operation === "secretsmanager.GetSecretValue") response.end(SECRET);
  else response.end(operation === "AmazonSSM.GetParameter" ? PARAMETER : SESSION);
};

/** Fresh copies of the modules, which have not learned AWS's clock yet. */
async function loadAwsSdk() {
  vi.resetModules();
  const { assumeRole, connectSecretsManager, getSecretValue, getContainerCredentials } = await import(
    "../../../extension/aws/sdk.ts"
  );
  const { getParameter } = await import("../../../extension/aws/sdk-ssm.ts");
  const role = { RoleArn: TARGET_ROLE_ARN, RoleSessionName: "my-function" };
  return {
    connectSecretsManager,
    assumeRole: (options: ClientOptions, signal = AbortSignal.timeout(4_000)) => assumeRole(role, options, signal),
    getSecretValue: (options: ClientOptions, signal = AbortSignal.timeout(4_000)) =>
      getSecretValue({ SecretId: "name" }, options, signal),
    getParameter: (options: ClientOptions, signal = AbortSignal.timeout(4_000)) =>
      getParameter({ Name: "name:3", WithDecryption: true }, options, signal),
    getContainerCredentials: (containerCredentials: Partial<ContainerCredentials> & { readonly uri: string }) =>
      getContainerCredentials({ token: undefined, tokenFile: undefined, ...containerCredentials }),
  };
}

setHostileEnvironment();

describe("an SDK call", () => {
  it.each([
    ["assumeRole", "sts"],
    ["getSecretValue", "secretsmanager"],
    ["getParameter", "ssm"],
  ] as const)("uses only its options, nothing from the environment or ~/.aws: %s", async (operation, service) => {
    const [hostile, aws] = [await startLocalAws(answer), await startLocalAws(answer)];
    vi.stubEnv("HOME", createHostileHome(hostile.url));
    vi.stubEnv("AWS_ENDPOINT_URL", hostile.url);
    vi.stubEnv("AWS_ENDPOINT_URL_SSM", hostile.url);
    const awsSdk = await loadAwsSdk();
    await awsSdk[operation](toClientOptions({ endpoint: aws.url }));
    expect(hostile.seen).toHaveLength(0);
    expect(aws.seen).toHaveLength(1);
    const { headers = {}, body } = aws.seen[0] ?? {};
    expect(headers.authorization).toMatch(
      new RegExp(`^AWS4-HMAC-SHA256 Credential=ASIAOURS/\\d{8}/eu-west-1/${service}/aws4_request, `),
    );
    expect(headers["x-amz-security-token"]).toBe("our-token");
    expect(JSON.stringify({ headers, body })).not.toMatch(/evil|gov-west/i);
  });

  it.each([
    ["AWS_ENDPOINT_URL", "assumeRole", "sts"],
    ["AWS_ENDPOINT_URL_STS", "assumeRole", "sts"],
    ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "getSecretValue", "secretsmanager"],
    ["~/.aws/config", "getSecretValue", "secretsmanager"],
    ["AWS_ENDPOINT_URL", "getParameter", "ssm"],
    ["AWS_ENDPOINT_URL_SSM", "getParameter", "ssm"],
    ["~/.aws/config", "getParameter", "ssm"],
  ] as const)(
    "goes to AWS itself if it is given no endpoint, even if %s sets one",
    async (where, operation, service) => {
      const hostile = await startLocalAws(answer);
      if (where === "~/.aws/config") vi.stubEnv("HOME", createHostileHome(hostile.url));
      else vi.stubEnv(where, hostile.url);
      const lookedUp = mockLookup();
      const awsSdk = await loadAwsSdk();
      await failureOf(awsSdk[operation](toClientOptions()));
      expect(hostile.seen).toHaveLength(0);
      expect(lookedUp()).toEqual([`${service}.eu-west-1.amazonaws.com`]);
    },
  );

  it("names the extension and its version in the user agent", async () => {
    const aws = await startLocalAws(answer);
    const { getSecretValue, getParameter } = await loadAwsSdk();
    const options = toClientOptions({ endpoint: aws.url, version: "9.8.7-beta.1" });
    await getSecretValue(options);
    await getParameter(options);
    expect(aws.seen).toHaveLength(2);
    for (const { headers } of aws.seen) {
      expect(headers["user-agent"]).toMatch(/(^| )cross-account-secrets\/9\.8\.7-beta\.1( |$)/);
    }
  });

  it("returns the parsed answer", async () => {
    const aws = await startLocalAws(answer);
    const { assumeRole, getSecretValue } = await loadAwsSdk();
    expect((await assumeRole(toClientOptions({ endpoint: aws.url }))).answer.Credentials).toEqual({
      AccessKeyId: "ASIAROLE",
      SecretAccessKey: "role-key",
      SessionToken: "role-token",
      Expiration: new Date("2026-01-01T01:00:00Z"),
    });
    expect(await getSecretValue(toClientOptions({ endpoint: aws.url }))).toMatchObject({ SecretString: "s3cret" });
  });

  it("to Parameter Store sends its input and returns the parsed answer", async () => {
    const aws = await startLocalAws(answer);
    const { getParameter } = await loadAwsSdk();
    expect((await getParameter(toClientOptions({ endpoint: aws.url }))).Parameter).toEqual({
      ...JSON.parse(PARAMETER).Parameter,
      LastModifiedDate: new Date(1_500),
    });
    const { headers, body = "" } = aws.seen[0] ?? {};
    expect(headers).toMatchObject({ "x-amz-target": "AmazonSSM.GetParameter" });
    expect(JSON.parse(body)).toEqual({ Name: "name:3", WithDecryption: true });
  });

  it.each([
    ["Thu, 01 Jan 2026 00:00:00 GMT", Date.UTC(2026, 0, 1)],
    ["Thu, 01 Jan 1970 00:00:01 GMT", 1_000],
    ["yesterday", undefined],
  ])("to STS returns the answer's Date header %s, or undefined if it is invalid", async (date, dateEpochMs) => {
    const aws = await startLocalAws((_, response) => response.writeHead(200, { Date: date }).end(SESSION));
    const { assumeRole } = await loadAwsSdk();
    expect((await assumeRole(toClientOptions({ endpoint: aws.url }))).dateEpochMs).toBe(dateEpochMs);
  });

  it("to STS returns no date if the answer has no Date header", async () => {
    const aws = await startLocalAws((_, response) => {
      response.sendDate = false;
      response.end(SESSION);
    });
    const { assumeRole } = await loadAwsSdk();
    expect((await assumeRole(toClientOptions({ endpoint: aws.url }))).dateEpochMs).toBeUndefined();
  });

  it.each([
    ["getSecretValue", 500],
    ["getSecretValue", 429],
    ["getSecretValue", 503],
    ["getParameter", 500],
    ["getParameter", 429],
    ["getParameter", 503],
  ] as const)(
    "of %s is one try: status %d is returned to the caller, which knows the deadline",
    async (operation, status) => {
      const aws = await startLocalAws((_, response) => response.writeHead(status).end("{}"));
      const awsSdk = await loadAwsSdk();
      expect(await failureOf(awsSdk[operation](toClientOptions({ endpoint: aws.url })))).toMatchObject({
        $metadata: { httpStatusCode: status },
      });
      expect(aws.seen).toHaveLength(1);
    },
  );

  it("throws an error that is named after the code of the refusal", async () => {
    const refusal = '{"__type":"ParameterVersionNotFound","message":"no"}';
    const aws = await startLocalAws((_, response) => response.writeHead(400).end(refusal));
    const { getParameter } = await loadAwsSdk();
    expect(await failureOf(getParameter(toClientOptions({ endpoint: aws.url })))).toMatchObject({
      name: "ParameterVersionNotFound",
      $fault: "client",
    });
  });

  it("follows no redirect, which would send the session token to another host", async () => {
    const hostile = await startLocalAws(answer);
    const aws = await startLocalAws((_, response) => response.writeHead(307, { Location: hostile.url }).end());
    const { getSecretValue } = await loadAwsSdk();
    expect(await failureOf(getSecretValue(toClientOptions({ endpoint: aws.url })))).toBeInstanceOf(Error);
    expect(hostile.seen).toHaveLength(0);
  });
});

describe("a connection", () => {
  it("belongs to one call and is closed after it", async () => {
    const aws = await startLocalAws(answer);
    const { assumeRole, getSecretValue } = await loadAwsSdk();
    const options = toClientOptions({ endpoint: aws.url });
    await Promise.all([assumeRole(options), getSecretValue(options), getSecretValue(options)]);
    await getSecretValue(options);
    expect(aws.sockets).toHaveLength(4);
    await Promise.all(aws.sockets.map(isClosed));
  });

  it("to Parameter Store belongs to one call and is closed after it, answered or refused", async () => {
    let status = 200;
    const aws = await startLocalAws((_, response) => response.writeHead(status).end(PARAMETER));
    const { getParameter } = await loadAwsSdk();
    const options = toClientOptions({ endpoint: aws.url });
    await Promise.all([getParameter(options), getParameter(options)]);
    status = 400;
    await failureOf(getParameter(options));
    expect(aws.sockets).toHaveLength(3);
    await Promise.all(aws.sockets.map(isClosed));
  });

  it("is closed when the call is refused", async () => {
    const aws = await startLocalAws((_, response) => response.writeHead(400).end('{"__type":"AccessDeniedException"}'));
    const { getSecretValue } = await loadAwsSdk();
    await failureOf(getSecretValue(toClientOptions({ endpoint: aws.url })));
    expect(aws.sockets).toHaveLength(1);
    await Promise.all(aws.sockets.map(isClosed));
  });

  it("to Secrets Manager can be opened ahead without credentials, and serves one call", async () => {
    const aws = await startLocalAws(answer);
    const { connectSecretsManager, getSecretValue } = await loadAwsSdk();
    const options = toClientOptions({ endpoint: aws.url });
    const agents = connectSecretsManager(options);
    await vi.waitFor(() => expect(aws.sockets).toHaveLength(1));
    expect(aws.seen).toHaveLength(0);
    expect(await getSecretValue({ ...options, agents })).toMatchObject({ SecretString: "s3cret" });
    expect(aws.sockets).toHaveLength(1);
    await Promise.all(aws.sockets.map(isClosed));
  });

  it.each([
    [{}, "secretsmanager.eu-west-1.amazonaws.com"],
    [{ region: "cn-north-1" }, "secretsmanager.cn-north-1.amazonaws.com.cn"],
    [{ useFipsEndpoint: true, region: "us-east-1" }, "secretsmanager-fips.us-east-1.amazonaws.com"],
    [{ useDualstackEndpoint: true, region: "us-iso-east-1" }, "secretsmanager.us-iso-east-1.api.aws.ic.gov"],
    [{ endpoint: "https://vpce-1.example.com:8443" }, "vpce-1.example.com"],
  ])("that is opened ahead goes to the same host as the call: %o", async (overrides, host) => {
    const connect = vi.spyOn(TlsAgent.prototype, "createConnection").mockImplementation(() => new Socket());
    const { connectSecretsManager, getSecretValue } = await loadAwsSdk();
    const options = toClientOptions(overrides);
    connectSecretsManager(options);
    await failureOf(getSecretValue(options, AbortSignal.timeout(50)));
    const [ahead, called] = connect.mock.calls.map(([options]) => options);
    expect(ahead).toMatchObject({ host, servername: host });
    expect(called).toMatchObject({ host, servername: host, port: ahead?.port });
  });

  const answerInPart = (response: ServerResponse) =>
    response.writeHead(200, { "Content-Length": 1_000 }).write(SECRET.slice(0, 20));

  it.each([
    ["assumeRole", "never answers", () => {}],
    ["getSecretValue", "never answers", () => {}],
    ["getParameter", "never answers", () => {}],
    ["assumeRole", "stops in the middle of its answer", answerInPart],
    ["getSecretValue", "stops in the middle of its answer", answerInPart],
    ["getParameter", "stops in the middle of its answer", answerInPart],
  ] as const)("of %s to an AWS that %s is closed by the abort signal", async (operation, _, begin) => {
    let tellAsked = () => {};
    const asked = new Promise<void>((resolve) => {
      tellAsked = resolve;
    });
    const aws = await startLocalAws((_request, response) => {
      begin(response);
      tellAsked();
    });
    const awsSdk = await loadAwsSdk();
    const abort = new AbortController();
    const refused = failureOf(awsSdk[operation](toClientOptions({ endpoint: aws.url }), abort.signal));
    await asked;
    const closed = aws.sockets.map(isClosed);
    abort.abort();
    expect(await refused).toHaveProperty("name", "AbortError");
    await Promise.all(closed);
    expect(aws.seen).toHaveLength(1);
  });

  it.each(["getSecretValue", "getParameter"] as const)(
    "of %s is not opened if the abort signal has already fired",
    async (operation) => {
      const aws = await startLocalAws(answer);
      const awsSdk = await loadAwsSdk();
      const refused = failureOf(awsSdk[operation](toClientOptions({ endpoint: aws.url }), AbortSignal.abort()));
      expect(await refused).toHaveProperty("name", "AbortError");
      expect(aws.sockets).toEqual([]);
    },
  );
});

describe("container credentials", () => {
  const PATH = "/2021-04-23/credentials?of=the+function";
  const CREDENTIALS = {
    AccessKeyId: "ASIACONTAINER",
    SecretAccessKey: "container-key",
    Token: "container-token",
    Expiration: "2126-01-01T01:00:00Z",
  };

  /** An endpoint, as Lambda has one under SnapStart, that answers so. */
  const startEndpoint = (body: unknown = CREDENTIALS, status = 200) =>
    startLocalAws((_, response) =>
      response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body)),
    );

  it("are requested by GET at the whole URL, with the token unchanged", async () => {
    const endpoint = await startEndpoint();
    const { getContainerCredentials } = await loadAwsSdk();
    expect(await getContainerCredentials({ uri: endpoint.url + PATH, token: "Basic dG9rZW4=" })).toEqual({
      accessKeyId: "ASIACONTAINER",
      secretAccessKey: "container-key",
      sessionToken: "container-token",
    });
    expect(endpoint.seen).toHaveLength(1);
    expect(endpoint.seen[0]).toMatchObject({
      method: "GET",
      url: "/2021-04-23/credentials?of=the%20function",
      headers: { authorization: "Basic dG9rZW4=" },
    });
  });

  it("are requested with the token of a file, which is read again each time, if there is one", async () => {
    const endpoint = await startEndpoint();
    const folder = mkdtempSync(join(tmpdir(), "container-token-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const tokenFile = join(folder, "token");
    const { getContainerCredentials } = await loadAwsSdk();
    for (const text of ["first", "second"]) {
      writeFileSync(tokenFile, text);
      await getContainerCredentials({ uri: endpoint.url, tokenFile });
    }
    expect(endpoint.seen.map(({ headers }) => headers.authorization)).toEqual(["first", "second"]);
  });

  it("are requested without a token if there is none, and from no other host, even if the environment names one", async () => {
    const hostile = await startEndpoint();
    const endpoint = await startEndpoint();
    vi.stubEnv("HOME", createHostileHome(hostile.url));
    vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", hostile.url);
    vi.stubEnv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hostile");
    vi.stubEnv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "evil");
    vi.stubEnv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/evil");
    const { getContainerCredentials } = await loadAwsSdk();
    expect(await getContainerCredentials({ uri: endpoint.url })).toMatchObject({ accessKeyId: "ASIACONTAINER" });
    expect(endpoint.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(hostile.seen).toEqual([]);
  });

  it("are requested with the file's token if a token is given too, and nothing is printed to the function's output", async () => {
    const endpoint = await startEndpoint();
    const folder = mkdtempSync(join(tmpdir(), "container-token-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "token"), "in-file");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { getContainerCredentials } = await loadAwsSdk();
    await getContainerCredentials({ uri: endpoint.url, token: "as-it-stands", tokenFile: join(folder, "token") });
    expect(endpoint.seen.map(({ headers }) => headers.authorization)).toEqual(["in-file"]);
    expect(warn).not.toHaveBeenCalled();
  });

  it.each<[string, unknown, number]>([
    ["the token is refused", { Code: "AccessDenied", Message: "no" }, 403],
    ["the endpoint does not exist", "not found", 404],
    ["the endpoint fails", "", 500],
    ["the answer is empty", "", 200],
    ["the answer is not JSON", "<html>", 200],
    ["the answer is JSON but not an object", "null", 200],
    ["the answer has no secret key", { ...CREDENTIALS, SecretAccessKey: undefined }, 200],
    ["the answer has no token", { ...CREDENTIALS, Token: null }, 200],
    ["the answer has a number as key ID", { ...CREDENTIALS, AccessKeyId: 1 }, 200],
    ["the answer has an invalid expiration", { ...CREDENTIALS, Expiration: "soon" }, 200],
    ["the answer is a redirect", "", 302],
  ])("fail after one try if %s", async (_, body, status) => {
    const endpoint = await startEndpoint(body, status);
    const { getContainerCredentials } = await loadAwsSdk();
    expect(await failureOf(getContainerCredentials({ uri: endpoint.url, token: "t" }))).toMatchObject({
      message: expect.not.stringMatching(/^it did not fail$/),
    });
    expect(endpoint.seen).toHaveLength(1);
  });

  it("fail if the endpoint is unreachable, and fail without a request if the token file is missing", async () => {
    const endpoint = await startEndpoint();
    const { getContainerCredentials } = await loadAwsSdk();
    const none = expect.not.stringMatching(/^it did not fail$/);
    const noFile = { uri: endpoint.url, tokenFile: "/nowhere/token" };
    expect(await failureOf(getContainerCredentials(noFile))).toMatchObject({ message: none });
    expect(endpoint.seen).toEqual([]);
    await new Promise((resolve) => endpoint.server.close(resolve));
    expect(await failureOf(getContainerCredentials({ uri: endpoint.url }))).toMatchObject({ message: none });
  });

  it.each([
    "http://example.com/credentials",
    "http://10.0.0.1/credentials",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1.example.com/credentials",
    "http://127.0.0.1@example.com/credentials",
    "http://localhost.example.com/credentials",
    "http://[2001:db8::1]/credentials",
    "http://",
    "http://:80",
  ])("are not requested over plain HTTP from another host, which would reveal the token: %s", async (uri) => {
    const lookedUp = mockLookup();
    const connect = vi.spyOn(net.Socket.prototype, "connect").mockImplementation(() => {
      throw new Error("a connection was made");
    });
    const { getContainerCredentials } = await loadAwsSdk();
    expect(await failureOf(getContainerCredentials({ uri, token: "CANARY" }))).toMatchObject({
      message: expect.stringMatching(/URL/),
    });
    expect(lookedUp()).toEqual([]);
    expect(connect).not.toHaveBeenCalled();
  });

  it("are read over a connection that is closed afterwards", async () => {
    const endpoint = await startEndpoint();
    const { getContainerCredentials } = await loadAwsSdk();
    await getContainerCredentials({ uri: endpoint.url });
    await getContainerCredentials({ uri: endpoint.url });
    expect(endpoint.sockets).toHaveLength(2);
    await Promise.all(endpoint.sockets.map(isClosed));
  });
});

describe("AWS's clock", () => {
  it.each([
    ["assumeRole", "getSecretValue"],
    ["getParameter", "getParameter"],
  ] as const)("that an answer to %s has shown is used to sign a %s", async (first, second) => {
    const hourAheadMs = 3_600_000;
    const aws = await startLocalAws((request, response) => {
      response.setHeader("Date", new Date(Date.now() + hourAheadMs).toUTCString());
      answer(request, response);
    });
    const awsSdk = await loadAwsSdk();
    await awsSdk[first](toClientOptions({ endpoint: aws.url }));
    await awsSdk[second](toClientOptions({ endpoint: aws.url }));
    const aheadMs = toClockLeadsMs(aws.seen);
    expect(aheadMs).toHaveLength(2);
    expect(Math.abs(aheadMs[0] ?? 0)).toBeLessThan(60_000);
    expect(Math.abs((aheadMs[1] ?? 0) - hourAheadMs)).toBeLessThan(60_000);
  });
});
