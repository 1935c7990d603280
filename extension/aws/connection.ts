/**
 * A connection that is opened before its request can be signed. DNS, TCP and TLS take several round trips, which fit into
 * the time that AssumeRole takes.
 */
import { Agent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { isIP, type Socket } from "node:net";

/** The SDK's option for what opens a client's connections. */
export interface Agents {
  readonly httpAgent?: Agent;
  readonly httpsAgent?: TlsAgent;
}

/** How long a connection waits for its request. An older one may have died during a freeze without notice. */
const LONGEST_WAIT_MS = 1_000;

/** Agents for one request to this address. If the connection is lost or too old by then, they open another. */
export function connectEarly(url: URL): Agents {
  if (url.protocol === "https:") return { httpsAgent: fill(new TlsAgent({ keepAlive: false }), url, 443) };
  return { httpAgent: fill(new Agent({ keepAlive: false }), url, 80) };
}

function fill<A extends Agent>(agent: A, url: URL, defaultPort: number): A {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || defaultPort;
  const connect = agent.createConnection.bind(agent);
  const openedAtEpochMs = Date.now();
  const early = connect({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) }) as Socket;
  // The request opens another connection, and reports that one's error.
  early.on("error", () => {});
  // Only a socket that is read notices that the other side has closed.
  early.resume();
  early.setTimeout(LONGEST_WAIT_MS, () => early.destroy());
  agent.createConnection = (options, callback) => {
    agent.createConnection = connect;
    const ageMs = Date.now() - openedAtEpochMs;
    const isMeant = options.host === host && Number(options.port) === port;
    if (isMeant && ageMs >= 0 && ageMs < LONGEST_WAIT_MS && !early.destroyed) return early.setTimeout(0);
    early.destroy();
    return connect(options, callback);
  };
  return agent;
}
