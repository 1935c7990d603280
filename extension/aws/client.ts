import type { Readable } from "node:stream";
import type { AwsCredentials } from "../config/aws-environment.ts";
import { type Agents, toTlsOptions } from "./connection.ts";

/**
 * How a client of the AWS SDK is configured and destroyed. Every option is set here, so that the SDK reads neither the
 * function's environment nor `~/.aws`.
 */

export interface ClientOptions {
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly endpoint: string | undefined;
  readonly useFipsEndpoint: boolean;
  readonly useDualstackEndpoint: boolean;
  /** Certificates in PEM that are trusted beside Node's own. */
  readonly caBundle?: string | undefined;
  /** Appended to the SDK's user agent, as `cross-account-secrets/<version>`. */
  readonly version: string;
  /** Agents with a connection that was opened in advance. */
  readonly agents?: Agents | undefined;
}

/** How far AWS's clock is ahead of ours, in milliseconds. Clients learn it from the `Date` of every answer. */
let systemClockOffset = 0;

/**
 * Destroys a client, and keeps the clock offset that it learned. A client without an answer still has the offset that it
 * started with, while another client may have learned a new one.
 */
export function destroyClient(
  client: { destroy(): void; readonly config: { readonly systemClockOffset: number } },
  startedWithMs: number,
): void {
  client.destroy();
  const { systemClockOffset: offsetMs } = client.config;
  if (offsetMs !== startedWithMs) systemClockOffset = offsetMs;
}

/**
 * Each call has its own client and its own connection. Two calls an hour need no pool, and neither a pooled socket nor the
 * credentials that a client remembers can be trusted after a freeze.
 */
export function toClientConfig({ endpoint, version, caBundle, agents, ...given }: ClientOptions) {
  return {
    ...given,
    ...(endpoint === undefined ? {} : { endpoint }),
    // The caller's signal limits the whole call. The SDK's own time-outs are off, or only warn.
    requestHandler: { ...toRequestHandler(caBundle), ...agents },
    // The SDK's own collector checks for web streams first, for which Node would load all of them.
    streamCollector: readBody,
    // call.ts tries again, because it knows the deadline.
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

/** The SDK's options for connections, each of which is used once. */
export const toRequestHandler = (caBundle: string | undefined) => ({
  httpAgent: { keepAlive: false },
  httpsAgent: { keepAlive: false, ...toTlsOptions(caBundle) },
});

/** Reads a whole body; fails if it ends too early. The streams' own ways to do this load more modules. */
export function readBody(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => resolve(Buffer.concat(chunks)));
    stream.on("error", reject);
    // This event comes last. After "end" or "error" it has no effect.
    stream.on("close", () => reject(new Error("the body ended too early")));
  });
}
