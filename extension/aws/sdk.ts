/**
 * What we use of the AWS SDK for every secret. It is bundled into a file of its own, which is loaded after registration:
 * the function's runtime waits for that.
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
import { type ClientOptions, leave, toClientConfig } from "./client.ts";
import { type Agents, connectAhead } from "./connection.ts";

/** Nothing is signed with them. */
const NO_CREDENTIALS: AwsCredentials = { accessKeyId: "", secretAccessKey: "" };

/**
 * AssumeRole: one try, over a connection of its own, ended at the latest when `signal` fires. With the answer comes its
 * `Date`, in milliseconds since 1970, if it has one.
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
    leave(client, config.systemClockOffset);
  }
}

/** Opens the connection of a getSecretValue that is to come with the same options, and with these agents. */
export function connectSecretsManager(options: Omit<ClientOptions, "credentials" | "agents">): Agents {
  const { region: Region, useFipsEndpoint: UseFIPS, useDualstackEndpoint: UseDualStack, endpoint: Endpoint } = options;
  const { config } = new SecretsManagerClient(toClientConfig({ ...options, credentials: NO_CREDENTIALS }));
  return connectAhead(config.endpointProvider({ Region, UseFIPS, UseDualStack, Endpoint }).url);
}

/** GetSecretValue: one try, over a connection of its own, ended at the latest when `signal` fires. */
export function getSecretValue(input: GetSecretValueCommandInput, options: ClientOptions, signal: AbortSignal) {
  const config = toClientConfig(options);
  const client = new SecretsManagerClient(config);
  return client
    .send(new GetSecretValueCommand(input), { abortSignal: signal })
    .finally(() => leave(client, config.systemClockOffset));
}

/** One try. The provider accepts no plain http URL but of this machine or of the container's host. */
export async function getContainerCredentials({
  uri,
  token,
  tokenFile,
}: ContainerCredentials): Promise<AwsCredentials> {
  const { accessKeyId, secretAccessKey, sessionToken } = await fromHttp({
    // An empty text is none; what is left out would be read from the function's environment.
    awsContainerCredentialsRelativeUri: "",
    awsContainerCredentialsFullUri: uri,
    // The file goes before the token, as with the SDK, which would remark upon it on the function's output.
    awsContainerAuthorizationToken: tokenFile === undefined ? (token ?? "") : "",
    awsContainerAuthorizationTokenFile: tokenFile ?? "",
    maxRetries: 0,
    // Callers bound the wait themselves, and the provider would only warn.
    timeout: LONGEST_WAIT_MS,
  })();
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}
