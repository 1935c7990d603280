/**
 * A connection that is opened before its request can be signed. DNS, TCP and TLS take several round trips, which fit into
 * the time that AssumeRole takes.
 */
import { Agent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { isIP, type Socket } from "node:net";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";

/** The SDK's option for what opens a client's connections. */
export interface Agents {
  readonly httpAgent?: Agent;
  readonly httpsAgent?: TlsAgent;
}

/** The options of a TLS connection that also trusts these certificates. */
export interface TlsOptions {
  readonly secureContext?: SecureContext;
}

const contexts = new Map<string, SecureContext>();

/** Reading Node's own certificates takes milliseconds, so it is done once. */
export function toTlsOptions(caBundle: string | undefined): TlsOptions {
  if (caBundle === undefined) return {};
  let secureContext = contexts.get(caBundle);
  if (secureContext === undefined) {
    // The option replaces Node's own certificates: https://nodejs.org/api/tls.html#tlscreatesecurecontextoptions
    secureContext = createSecureContext({ ca: [...rootCertificates, caBundle] });
    contexts.set(caBundle, secureContext);
  }
  return { secureContext };
}

/** How long a connection waits for its request. An older one may have died during a freeze without notice. */
const MAX_EARLY_CONNECTION_AGE_MS = 1_000;

/** Agents for one request to this address. If the connection is lost or too old by then, they open another. */
export function connectEarly(url: URL, tlsOptions: TlsOptions = {}): Agents {
  if (url.protocol !== "https:") return { httpAgent: fill(new Agent({ keepAlive: false }), url, 80) };
  return { httpsAgent: fill(new TlsAgent({ keepAlive: false, ...tlsOptions }), url, 443, tlsOptions) };
}

function fill<A extends Agent>(agent: A, url: URL, defaultPort: number, tlsOptions: TlsOptions = {}): A {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || defaultPort;
  const connect = agent.createConnection.bind(agent);
  const openedAtEpochMs = Date.now();
  const early = connect({ ...tlsOptions, host, port, ...(isIP(host) === 0 ? { servername: host } : {}) }) as Socket;
  // The request opens another connection, and reports that one's error.
  early.on("error", () => {});
  // Only a socket that is read notices that the other side has closed.
  early.resume();
  early.setTimeout(MAX_EARLY_CONNECTION_AGE_MS, () => early.destroy());
  agent.createConnection = (options, callback) => {
    agent.createConnection = connect;
    const ageMs = Date.now() - openedAtEpochMs;
    const isMeant = options.host === host && Number(options.port) === port;
    if (isMeant && ageMs >= 0 && ageMs < MAX_EARLY_CONNECTION_AGE_MS && !early.destroyed) return early.setTimeout(0);
    early.destroy();
    return connect(options, callback);
  };
  return agent;
}
