import type { Readable } from "node:stream";
import type { AwsCredentials } from "../config/aws-environment.ts";
import type { Agents } from "./connection.ts";

/**
 * How a client of the AWS SDK is made, used once, and left. Every option is given here, so that the SDK asks neither the
 * function's environment nor `~/.aws` for any.
 */

export interface ClientOptions {
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly endpoint: string | undefined;
  readonly useFipsEndpoint: boolean;
  readonly useDualstackEndpoint: boolean;
  /** Appended to the SDK's own, as `cross-account-secrets/<version>`. */
  readonly version: string;
  /** With a connection that was opened ahead. */
  readonly agents?: Agents | undefined;
}

/** How far AWS's clock is ahead of ours, in milliseconds: clients learn it from the `Date` of every answer. */
let systemClockOffset = 0;

/** `startedWithMs`: a client that got no answer has nothing to say, and another may have learned meanwhile. */
export function leave(
  client: { destroy(): void; readonly config: { readonly systemClockOffset: number } },
  startedWithMs: number,
): void {
  client.destroy();
  const { systemClockOffset: offsetMs } = client.config;
  if (offsetMs !== startedWithMs) systemClockOffset = offsetMs;
}

/**
 * One client a call, and no connection kept: two calls an hour need no pool, and a pooled socket cannot be trusted after
 * a freeze, nor can credentials that a client remembers.
 */
export function toClientConfig({ endpoint, version, agents, ...given }: ClientOptions) {
  return {
    ...given,
    ...(endpoint === undefined ? {} : { endpoint }),
    // The caller's signal bounds the whole call; the SDK's own time-outs are off or only warn, and stay out of the way.
    requestHandler: { httpAgent: { keepAlive: false }, httpsAgent: { keepAlive: false }, ...agents },
    // The SDK's own asks first whether it is a stream of the web's, all of which Node would load to tell.
    streamCollector: readBody,
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

/** All bytes of a body; fails when it ends too early. At its first use cheaper than what streams have of their own. */
export function readBody(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve(Buffer.concat(chunks)));
    stream.on("error", reject);
    // It comes last, and after the others says nothing.
    stream.on("close", () => reject(new Error("the body ended too early")));
  });
}
