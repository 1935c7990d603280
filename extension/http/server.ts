/** Sockets, limits and bytes: what is between the kernel and the handler. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Config } from "../config/config.ts";
import { Failure, type FailureCode, PublicError } from "../failure/failure.ts";
import type { Handover } from "../lambda/handover.ts";
import type { HttpHandler } from "./handler.ts";
import { type Reply, toErrorReply } from "./replies.ts";

export interface HttpServer {
  /** Starts to accept requests. If the port stays taken for a second, fails with an error that names it. */
  listen(): Promise<void>;
  /** Stops accepting, and waits up to `graceMs` for the requests in flight. */
  close(graceMs: number): Promise<void>;
}

/** Loopback and IPv4 only, like AWS's own extension and agent. */
const HOST = "127.0.0.1";
/** After a reset, the process before us may hold the port for a moment. */
const PORT_RETRY_FOR_MS = 1_000;
const PORT_RETRY_EVERY_MS = 50;
/**
 * Lambda allows a process 1,024 descriptors, and 4,096 in Managed Instances. More would only cost memory:
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const LAMBDA_DESCRIPTORS = 1_024;
const MOST_DESCRIPTORS = 4_096;
/** For calls to AWS, and for Node. */
const OTHER_DESCRIPTORS = 124;
/** A function on the same machine sends a request at once. A slow sender must not hold a connection. */
const REQUEST_TIMEOUT_MS = 10_000;
const REQUEST_CHECK_EVERY_MS = 2_000;

export function createHttpServer(deps: {
  readonly handler: HttpHandler;
  readonly config: Pick<Config, "httpPort">;
  /** If it has a listening socket, the port is not bound again. */
  readonly handover: Handover;
  readonly readFile: (path: string) => string;
}): HttpServer {
  /** The replies in flight by connection, in order. Node does not tell when a reply that waits behind another is lost. */
  const underWay = new Map<Socket, Set<ServerResponse>>();
  const limit = createConnectionLimit(countConnections(deps.readFile));
  let onIdle = () => {};
  const options = {
    keepAlive: true,
    requireHostHeader: false,
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: REQUEST_CHECK_EVERY_MS,
  };
  const server = createServer(options, (request, response) => {
    const { socket } = request;
    const answers = underWay.get(socket) ?? new Set();
    underWay.set(socket, answers.add(response));
    limit.begin(socket);
    response.on("close", () => {
      limit.end(socket);
      answers.delete(response);
      if (answers.size === 0) forget(socket);
    });
    respond(request, response, deps.handler).catch(() => response.destroy());
  });
  // After a freeze, Node's 5 s timer would be overdue, and would reset a pooled client's idle connection.
  server.keepAliveTimeout = 0;
  // Node would drop every header after the 2,000th, perhaps the one that a guard needs. Their size is limited anyway.
  server.maxHeadersCount = 0;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // Node counts from the connection's start, but a client may be frozen before it uses the connection.
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && socket.bytesRead === 0) return;
    refuseInTurn(socket, toParserCode(error));
  });
  // Node would refuse an unknown expectation with its own text. It may be ignored (RFC 9110, 10.1.1).
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  // Node would close the connection without a reply.
  server.on("connect", (_, socket: Socket) => {
    // Node no longer handles its errors.
    socket.on("error", () => socket.destroy());
    refuseInTurn(socket, "method-not-allowed");
  });
  server.on("connection", (socket: Socket) => {
    socket.once("close", () => forget(socket));
    if (!limit.admit(socket)) refuse(socket, "too-many-connections");
  });

  /** Replies have the order of the requests: earlier requests get theirs first. */
  function refuseInTurn(socket: Socket, code: FailureCode): void {
    const last = [...(underWay.get(socket) ?? [])].at(-1);
    if (last === undefined) refuse(socket, code);
    else last.once("close", () => refuse(socket, code));
  }

  function forget(socket: Socket): void {
    underWay.delete(socket);
    if (underWay.size === 0) onIdle();
  }

  return {
    async listen() {
      const port = deps.config.httpPort;
      const fd = deps.handover.descriptor;
      const where = fd === undefined ? { host: HOST, port } : { fd };
      for (let leftMs = PORT_RETRY_FOR_MS; ; leftMs -= PORT_RETRY_EVERY_MS) {
        try {
          return await listenOnce(where);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code !== "EADDRINUSE" || leftMs <= 0) throw new PublicError(toPortMessage(port, code));
          await new Promise((resolve) => setTimeout(resolve, PORT_RETRY_EVERY_MS));
        }
      }
    },
    async close(graceMs) {
      server.close();
      // Node itself would also wait for connections that never sent a byte.
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
        if (underWay.size === 0) onIdle();
      });
      server.closeAllConnections();
    },
  };

  function listenOnce(where: { host: string; port: number } | { fd: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        server.off("error", settle).off("listening", settle);
        error === undefined ? resolve() : reject(error);
      };
      server.on("error", settle).on("listening", settle).listen(where);
    });
  }
}

async function respond(request: IncomingMessage, response: ServerResponse, handler: HttpHandler): Promise<void> {
  const { method = "", url: target = "", headers } = request;
  // Node keeps the first of several Host headers. A proxy before us may have used another, so none is believed.
  const believed = countHosts(request.rawHeaders) === 1 ? headers : { ...headers, host: undefined };
  const { status, headers: replyHeaders, body } = await handler({ method, target, headers: believed });
  const closing = status === 413 ? { Connection: "close" } : {};
  response.writeHead(status, { ...replyHeaders, ...closing, "Content-Length": Buffer.byteLength(body) });
  // If this reply waits behind another, Node would put a `100 Continue` between its head and a body of bytes.
  if (typeof body !== "string") response.flushHeaders();
  response.end(body);
}

/** Names and values alternate. `headersDistinct` would build an object of all headers at every read. */
const countHosts = (rawHeaders: readonly string[]): number =>
  rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;

const parserCodes: ReadonlyMap<string, FailureCode> = new Map([
  ["HPE_HEADER_OVERFLOW", "headers-too-large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "request-too-slow"],
]);

const toParserCode = ({ code = "" }: NodeJS.ErrnoException): FailureCode => parserCodes.get(code) ?? "invalid-request";

/** Replies to what Node's parser refused. */
function refuse(socket: Socket, code: FailureCode): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.write(toBytes(toErrorReply(new Failure(code, "the request is not acceptable HTTP/1.1"))));
  socket.destroySoon();
}

function toBytes({ status, headers, body }: Reply): string {
  const lines = Object.entries({ ...headers, "Content-Length": Buffer.byteLength(body), Connection: "close" });
  return `HTTP/1.1 ${status} \r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

function toPortMessage(port: number, code: string | undefined): string {
  if (code !== "EADDRINUSE") return `cannot listen on ${HOST}:${port} (${code})`;
  return `port ${port} on ${HOST} is taken; most often by AWS's own Parameters and Secrets extension, or by its agent, which have the same default: remove that, or set CROSS_ACCOUNT_SECRETS_HTTP_PORT`;
}

/**
 * Limits the number of connections to what the process has descriptors for. The connection that has been longest without a
 * complete request, idle or slow, is closed for a new one.
 */

export interface ConnectionLimit {
  /** Returns false if there are too many, all with a request in flight. */
  admit(socket: Socket): boolean;
  /** Must be called when a complete request has come. */
  begin(socket: Socket): void;
  /** Must be called when the request has its reply. */
  end(socket: Socket): void;
}

/** The number of connections that this process has descriptors for. Where there is no /proc, it is as in Lambda. */
export function countConnections(readFile: (path: string) => string): number {
  let limits = "";
  try {
    limits = readFile("/proc/self/limits");
  } catch {
    // Not Linux.
  }
  // The first of the two limits is in force. It is a number, or "unlimited".
  const limit = /open files +(\w+)/.exec(limits)?.[1] ?? LAMBDA_DESCRIPTORS;
  const descriptors = Math.min(Number(limit) || MOST_DESCRIPTORS, MOST_DESCRIPTORS);
  return Math.max(descriptors - OTHER_DESCRIPTORS, descriptors >> 1);
}

export function createConnectionLimit(most: number): ConnectionLimit {
  /** Each connection, with the number of its requests in flight. */
  const connections = new Map<Socket, number>();
  /** Connections without a request in flight, in the order of their last request: a Set keeps its order. */
  const idle = new Set<Socket>();

  return {
    admit(socket) {
      if (connections.size >= most) {
        const [longest] = idle;
        if (longest === undefined) return false;
        idle.delete(longest);
        connections.delete(longest);
        longest.destroy();
      }
      connections.set(socket, 0);
      idle.add(socket);
      socket.once("close", () => {
        connections.delete(socket);
        idle.delete(socket);
      });
      return true;
    },
    begin(socket) {
      connections.set(socket, (connections.get(socket) ?? 0) + 1);
      idle.delete(socket);
    },
    end(socket) {
      const left = (connections.get(socket) ?? 0) - 1;
      if (left < 0) return;
      connections.set(socket, left);
      if (left === 0) idle.add(socket);
    },
  };
}
