/**
 * A connection that is opened before its request can be made: DNS, TCP and TLS take some round trips, and who waits for
 * credentials to sign a request with can go them meanwhile.
 */
import { Agent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { isIP, type Socket } from "node:net";

/** For the SDK: who opens the connections of a client. */
export interface Agents {
  readonly httpAgent?: Agent;
  readonly httpsAgent?: TlsAgent;
}

/** So long a connection waits for its request. What is older may have been frozen with us, and be dead without a word. */
const LONGEST_WAIT_MS = 1_000;

/** For one request to this place. Where the connection is lost or too old by then, or was never to be had, another is opened. */
export function connectAhead(url: URL): Agents {
  if (url.protocol === "https:") return { httpsAgent: fill(new TlsAgent({ keepAlive: false }), url, 443) };
  return { httpAgent: fill(new Agent({ keepAlive: false }), url, 80) };
}

function fill<A extends Agent>(agent: A, url: URL, defaultPort: number): A {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || defaultPort;
  const connect = agent.createConnection.bind(agent);
  const openedAtEpochMs = Date.now();
  const ahead = connect({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) }) as Socket;
  // Whoever needs it opens another, and is told what is wrong.
  ahead.on("error", () => {});
  // Who does not read does not learn that the other side has closed.
  ahead.resume();
  ahead.setTimeout(LONGEST_WAIT_MS, () => ahead.destroy());
  agent.createConnection = (options, callback) => {
    agent.createConnection = connect;
    const ageMs = Date.now() - openedAtEpochMs;
    const isMeant = options.host === host && Number(options.port) === port;
    if (isMeant && ageMs >= 0 && ageMs < LONGEST_WAIT_MS && !ahead.destroyed) return ahead.setTimeout(0);
    ahead.destroy();
    return connect(options, callback);
  };
  return agent;
}
