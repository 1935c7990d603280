/**
 * All that we use of the AWS SDK. It is bundled into a file of its own, which is loaded after registration: the
 * function's runtime waits for that. Every option is given here, so that the SDK asks neither the function's
 * environment nor `~/.aws` for any.
 */

import {
  GetSecretValueCommand,
  type GetSecretValueCommandInput,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand, type AssumeRoleCommandInput, STSClient } from "@aws-sdk/client-sts";
import { fromHttp } from "@aws-sdk/credential-provider-http";
import type { AwsCredentials, ContainerCredentials } from "./aws-environment.ts";

export interface ClientOptions {
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly endpoint: string | undefined;
  readonly useFipsEndpoint: boolean;
  readonly useDualstackEndpoint: boolean;
  /** Appended to the SDK's own, as `cross-account-secrets/<version>`. */
  readonly version: string;
}

/**
 * AssumeRole: one try, over a connection of its own, ended at the latest when `signal` fires. With the answer comes its
 * `Date`, in milliseconds since 1970, if it has one.
 */
export async function assumeRole(input: AssumeRoleCommandInput, options: ClientOptions, signal: AbortSignal) {
  const client = new STSClient(toClientConfig(options));
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
    leave(client);
  }
}

/** GetSecretValue: one try, over a connection of its own, ended at the latest when `signal` fires. */
export function getSecretValue(input: GetSecretValueCommandInput, options: ClientOptions, signal: AbortSignal) {
  const client = new SecretsManagerClient(toClientConfig(options));
  return client.send(new GetSecretValueCommand(input), { abortSignal: signal }).finally(() => leave(client));
}

/** The longest that TIMEOUT_MS may be: callers bound the wait themselves, and the provider would only warn. */
const LONGEST_WAIT_MS = 60_000;

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
    timeout: LONGEST_WAIT_MS,
  })();
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/** How far AWS's clock is ahead of ours, in milliseconds: clients learn it from the `Date` of every answer. */
let systemClockOffset = 0;

function leave(client: STSClient | SecretsManagerClient): void {
  client.destroy();
  systemClockOffset = client.config.systemClockOffset;
}

/**
 * One client a call, and no connection kept: two calls an hour need no pool, and a pooled socket cannot be trusted after
 * a freeze, nor can credentials that a client remembers.
 */
function toClientConfig({ endpoint, version, ...given }: ClientOptions) {
  return {
    ...given,
    ...(endpoint === undefined ? {} : { endpoint }),
    // The caller's signal bounds the whole call; the SDK's own time-outs are off or only warn, and stay out of the way.
    requestHandler: { httpAgent: { keepAlive: false }, httpsAgent: { keepAlive: false } },
    // Tries are counted where the deadline is known.
    maxAttempts: 1,
    retryMode: "standard",
    systemClockOffset,
    disableClockSkewCorrection: false,
    ignoreConfiguredEndpointUrls: true,
    defaultsMode: "standard" as const,
    authSchemePreference: ["aws.auth#sigv4"],
    sigv4aSigningRegionSet: [given.region],
    userAgentAppId: async () => undefined,
    customUserAgent: [["cross-account-secrets", version]] as [string, string][],
  };
}
