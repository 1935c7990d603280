/**
 * What we use of the AWS SDK for every secret. It is a separate bundle, which is loaded after registration, because the
 * function's runtime waits for registration.
 */

import {
  GetSecretValueCommand,
  type GetSecretValueCommandInput,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand, type AssumeRoleCommandInput, STSClient } from "@aws-sdk/client-sts";
import { fromHttp } from "@aws-sdk/credential-provider-http";
import { LONGEST_WAIT_MS } from "../cache/deadline.ts";
import type { AwsCredentials, ContainerCredentials } from "../config/aws-environment.ts";
import { type ClientOptions, destroyClient, toClientConfig } from "./client.ts";
import { type Agents, connectEarly, toTlsOptions } from "./connection.ts";

/** For a client that signs nothing. */
const NO_CREDENTIALS: AwsCredentials = { accessKeyId: "", secretAccessKey: "" };

/**
 * One try of AssumeRole, over its own connection. It ends when `signal` fires at the latest. `dateEpochMs` is the answer's
 * `Date`, if it has one.
 */
export async function assumeRole(input: AssumeRoleCommandInput, options: ClientOptions, signal: AbortSignal) {
  const config = toClientConfig(options);
  const client = new STSClient(config);
  let dateEpochMs: number | undefined;
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      dateEpochMs = Date.parse(headers?.date ?? "") || undefined;
      return result;
    },
    { step: "deserialize", name: "readDate" },
  );
  try {
    const answer = await client.send(new AssumeRoleCommand(input), { abortSignal: signal });
    return { answer, dateEpochMs };
  } finally {
    destroyClient(client, config.systemClockOffset);
  }
}

/** Opens the connection for a later getSecretValue, which must have the same options, and these agents. */
export function connectSecretsManager(options: Omit<ClientOptions, "credentials" | "agents">): Agents {
  const { region: Region, useFipsEndpoint: UseFIPS, useDualstackEndpoint: UseDualStack, endpoint: Endpoint } = options;
  const { config } = new SecretsManagerClient(toClientConfig({ ...options, credentials: NO_CREDENTIALS }));
  const { url } = config.endpointProvider({ Region, UseFIPS, UseDualStack, Endpoint });
  return connectEarly(url, toTlsOptions(options.caBundle));
}

/** One try of GetSecretValue, over its own connection. It ends when `signal` fires at the latest. */
export function getSecretValue(input: GetSecretValueCommandInput, options: ClientOptions, signal: AbortSignal) {
  const config = toClientConfig(options);
  const client = new SecretsManagerClient(config);
  return client
    .send(new GetSecretValueCommand(input), { abortSignal: signal })
    .finally(() => destroyClient(client, config.systemClockOffset));
}

/** One try. The provider accepts plain HTTP only for this machine and the container's host. */
export async function getContainerCredentials({
  uri,
  token,
  tokenFile,
}: ContainerCredentials): Promise<AwsCredentials> {
  const { accessKeyId, secretAccessKey, sessionToken } = await fromHttp({
    // An empty text means none. An omitted option would be read from the function's environment.
    awsContainerCredentialsRelativeUri: "",
    awsContainerCredentialsFullUri: uri,
    // The file has priority, as in the SDK, which would print a warning if both were set.
    awsContainerAuthorizationToken: tokenFile === undefined ? (token ?? "") : "",
    awsContainerAuthorizationTokenFile: tokenFile ?? "",
    maxRetries: 0,
    // Callers limit the wait. The provider would only warn.
    timeout: LONGEST_WAIT_MS,
  })();
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}
