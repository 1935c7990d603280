import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, createServer, type Server, Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { HttpHandler, LocalRequest } from "../../../extension/http/handler.ts";
import { type Reply, toReply } from "../../../extension/http/replies.ts";
import { countConnections, createConnectionLimit, createHttpServer } from "../../../extension/http/server.ts";
import { createConfig } from "../../support/config.ts";
import { failureOf } from "../../support/failure-of.ts";
import { findFreePort } from "../../support/free-port.ts";
import { noFile } from "../../support/variables.ts";

/** Longer than a test should wait. */
const GRACE_MS = 1_500;
const NO_HANDOVER = { descriptor: undefined, identifier: undefined };
const deps = { handover: NO_HANDOVER, readFile: () => "" };
const text = (body: string) => toReply(200, "text/plain; charset=utf-8", body);
/** Answers with the target of the request. */
const echo: HttpHandler = async ({ target }) => text(target);

/** The server ends with the test. */
function createServerOn(port: number, handler: HttpHandler = echo) {
  const server = createHttpServer({ ...deps, handler, config: createConfig({ httpPort: port }) });
  onTestFinished(() => server.close(0));
  return server;
}

async function startServer(handler: HttpHandler = echo) {
  const port = await findFreePort();
  const server = createServerOn(port, handler);
  await server.listen();
  return { server, port };
}

interface ServerReply {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly isReused: boolean;
}

function ask(
  port: number,
  path = "/",
  options: { method?: string; agent?: Agent; body?: string } = {},
): Promise<ServerReply> {
  const { body: sent, agent = new Agent({ keepAlive: false }), ...rest } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, agent, ...rest }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const { statusCode: status, headers } = incoming;
        resolve({ status, headers, body: Buffer.concat(chunks), isReused: outgoing.reusedSocket });
      });
    });
    outgoing.on("error", reject).end(sent);
  });
}

async function connectTo(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Sends bytes, and returns all that the server answers until it closes the connection. */
async function send(port: number, bytes: string): Promise<string> {
  const socket = await connectTo(port);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {});
  socket.write(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString("latin1");
}

/** A handler whose requests stay under way until the test answers them. */
function createSlowHandler() {
  const answers: ((reply: Reply) => void)[] = [];
  const waiting: (() => void)[] = [];
  const handler: HttpHandler = () =>
    new Promise((resolve) => {
      answers.push(resolve);
      for (const tell of waiting.splice(0)) tell();
    });
  /** Resolves when so many requests are under way. */
  const asked = async (count = 1) => {
    while (answers.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const answerFirst = (body: string) => answers.shift()?.(text(body));
  const answerAll = (body: string) => {
    while (answers.length > 0) answerFirst(body);
  };
  return { handler, asked, answerFirst, answerAll };
}

async function occupy(port: number): Promise<Server> {
  const holder = createServer();
  onTestFinished(() => void holder.close());
  await new Promise<void>((resolve) => holder.listen(port, "127.0.0.1", resolve));
  return holder;
}

describe("the socket", () => {
  it("listens on 127.0.0.1 only", async () => {
    const { port } = await startServer();
    expect((await ask(port)).status).toBe(200);
    for (const host of ["127.0.0.2", "::1"]) {
      const socket = connect(port, host);
      const [error] = await once(socket, "error").catch((thrown: unknown) => [thrown]);
      expect(error).toMatchObject({ code: expect.stringMatching(/^(ECONNREFUSED|EADDRNOTAVAIL|EAFNOSUPPORT)$/) });
    }
  });

  it("is bound as soon as the program that held the port frees it", async () => {
    const port = await findFreePort();
    const holder = await occupy(port);
    const server = createServerOn(port);
    const listening = server.listen();
    holder.close();
    await listening;
    expect((await ask(port, "/here")).body.toString()).toBe("/here");
  });

  it("is given up after a second, with an error that names the port and AWS's own extension, and can be bound later", async () => {
    const warnings = vi.fn();
    process.on("warning", warnings);
    onTestFinished(() => void process.off("warning", warnings));
    const port = await findFreePort();
    const holder = await occupy(port);
    const server = createServerOn(port);
    const beganAtMs = performance.now();
    const failure = await failureOf(server.listen());
    expect(performance.now() - beganAtMs).toBeGreaterThan(900);
    expect(failure).toMatchObject({ message: expect.stringContaining(`port ${port} on 127.0.0.1`) });
    expect(failure).toMatchObject({ message: expect.stringContaining("AWS's own Parameters and Secrets extension") });
    expect(failure).toMatchObject({ message: expect.stringContaining("CROSS_ACCOUNT_SECRETS_HTTP_PORT") });
    holder.close();
    await server.listen();
    expect((await ask(port)).status).toBe(200);
    expect(warnings).not.toHaveBeenCalled();
  });

  it("is given up at once if the error is not that the port is taken", async () => {
    const config = createConfig({ httpPort: 2_773 });
    const server = createHttpServer({
      ...deps,
      handler: echo,
      config,
      handover: { ...NO_HANDOVER, descriptor: 999_999 },
    });
    const beganAtMs = performance.now();
    expect(await failureOf(server.listen())).toMatchObject({
      message: expect.stringMatching(/^cannot listen on 127\.0\.0\.1:2773 \(E[A-Z]+\)$/),
    });
    expect(performance.now() - beganAtMs).toBeLessThan(500);
  });

  it("can be handed over as a descriptor, with the requests that arrived before the server started", async () => {
    const launcher = createServer();
    await new Promise<void>((resolve) => launcher.listen(0, "127.0.0.1", resolve));
    const { port } = launcher.address() as AddressInfo;
    const { _handle } = launcher as unknown as { readonly _handle: { readonly fd: number } };
    const program = `
      const { createHttpServer } = await import(${JSON.stringify(new URL("../../../extension/http/server.ts", import.meta.url).href)});
      const handler = async ({ target }) => ({ status: 200, headers: {}, body: target });
      const handover = { descriptor: 3, identifier: undefined };
      await createHttpServer({ handler, config: { httpPort: 1 }, handover, readFile: () => "" }).listen();
    `;
    const flags = ["--import", "tsx", "--input-type=module", "--eval", program];
    const child = spawn(process.execPath, flags, { stdio: ["ignore", "inherit", "inherit", _handle.fd] });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "spawn");
    await new Promise((resolve) => launcher.close(resolve));
    expect((await ask(port, "/early")).body.toString()).toBe("/early");
  });
});

describe("a request", () => {
  it("reaches the handler unchanged: no path is resolved, and nothing is decoded", async () => {
    const seen: LocalRequest[] = [];
    const { port } = await startServer(async (local) => {
      seen.push(local);
      return text("ok");
    });
    await send(port, "GET /a/../b/./c%2F?d=%2B+e HTTP/1.1\r\nX-Vault-Token: t\r\nConnection: close\r\n\r\n");
    expect(seen).toEqual([
      {
        method: "GET",
        target: "/a/../b/./c%2F?d=%2B+e",
        headers: { "x-vault-token": "t", connection: "close" },
      },
    ]);
  });

  it("reaches the handler with all its headers, so that many headers cannot hide one from a guard", async () => {
    const handler = vi.fn(echo);
    const { port } = await startServer(handler);
    await send(port, `GET / HTTP/1.1\r\nConnection: close\r\n${"A: b\r\n".repeat(2_100)}X-Forwarded-For: c\r\n\r\n`);
    expect(handler.mock.calls[0]?.[0].headers).toMatchObject({ "x-forwarded-for": "c" });
  });

  it.each([
    ["text, with its length in bytes", "Zürich ✓", Buffer.from("Zürich ✓")],
    ["unchanged bytes", new Uint8Array([0, 255, 13, 10, 0]), Buffer.from([0, 255, 13, 10, 0])],
    ["no bytes", "", Buffer.alloc(0)],
  ])("is answered with a body of %s", async (_, body, bytes) => {
    const headers = { "Content-Type": "x/y", ETag: '"1"' };
    const { port } = await startServer(async () => ({ status: 203, headers, body }));
    const answer = await ask(port);
    expect(answer.status).toBe(203);
    expect(answer.headers).toMatchObject({ "content-type": "x/y", etag: '"1"', "content-length": `${bytes.length}` });
    expect(answer.body.equals(bytes)).toBe(true);
  });

  it("by HEAD is answered without a body", async () => {
    const { port } = await startServer();
    expect(await ask(port, "/12345", { method: "HEAD" })).toMatchObject({
      headers: { "content-length": "6" },
      body: Buffer.alloc(0),
    });
  });

  it("that asks for an upgrade, as Java's client does, is answered as usual", async () => {
    const { port } = await startServer();
    const upgrade =
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAA\r\n";
    const socket = await connectTo(port);
    socket.write(`GET /java HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade}\r\n`);
    const [bytes] = await once(socket, "data");
    expect(String(bytes)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(String(bytes)).toMatch(/\/java$/);
  });

  it("whose caller has gone does not disturb the next request", async () => {
    const { handler, asked, answerAll } = createSlowHandler();
    const { port } = await startServer(handler);
    const socket = await connectTo(port);
    socket.write("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    await asked();
    socket.resetAndDestroy();
    answerAll("too late");
    const next = ask(port);
    await asked();
    answerAll("next");
    expect((await next).body.toString()).toBe("next");
  });

  it("that is queued behind another does not delay close after its connection has ended", async () => {
    const { handler, asked, answerAll } = createSlowHandler();
    const { server, port } = await startServer(handler);
    const socket = await connectTo(port);
    socket.write("GET /first HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\n\r\n");
    await asked();
    socket.resetAndDestroy();
    const beganAtMs = performance.now();
    await server.close(GRACE_MS);
    expect(performance.now() - beganAtMs).toBeLessThan(GRACE_MS / 2);
    answerAll("too late");
  });

  it.each([
    ["rejects", () => Promise.reject(new Error("no"))],
    ["returns a reply that cannot be sent", async () => toReply(200, "line\nbreak", "")],
  ])("ends with a reset connection if the handler %s, and the next request is answered", async (_, fail) => {
    const { port } = await startServer((local) => (local.target === "/fail" ? fail() : echo(local)));
    expect(await failureOf(ask(port, "/fail"))).toMatchObject({ code: "ECONNRESET" });
    expect((await ask(port, "/next")).body.toString()).toBe("/next");
  });
});

describe("a connection", () => {
  it("is kept for the next request, without a time limit", async () => {
    const { port } = await startServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const first = await ask(port, "/1", { agent });
    expect(first.headers["keep-alive"]).toBeUndefined();
    expect(first.isReused).toBe(false);
    expect((await ask(port, "/2", { agent })).isReused).toBe(true);
  });

  it("is kept after a request body that the handler does not read", async () => {
    const { port } = await startServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    await ask(port, "/1", { agent, method: "POST", body: "x".repeat(100_000) });
    expect(await ask(port, "/2", { agent })).toMatchObject({ isReused: true, body: Buffer.from("/2") });
  });

  it("answers pipelined requests in their order", async () => {
    const { port } = await startServer();
    const answer = await send(
      port,
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(answer.match(/\/\d$|\/\d(?=HTTP)/g)).toEqual(["/1", "/2"]);
  });

  it("by CONNECT that is reset causes no uncaught error", async () => {
    const uncaught = vi.fn();
    process.on("uncaughtExceptionMonitor", uncaught);
    onTestFinished(() => void process.off("uncaughtExceptionMonitor", uncaught));
    const { port } = await startServer();
    for (let count = 0; count < 50; count += 1) {
      const socket = await connectTo(port);
      socket.write("CONNECT a:1 HTTP/1.1\r\n\r\n");
      await new Promise((resolve) => setImmediate(resolve));
      socket.resetAndDestroy();
    }
    expect((await ask(port)).status).toBe(200);
    expect(uncaught).not.toHaveBeenCalled();
  });

  it("by CONNECT is refused with 405", async () => {
    const { port } = await startServer();
    const answer = await send(port, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
  });

  it("is closed for a new one if it has waited longest for a complete request, even if it is sending slowly", {
    timeout: 15_000,
  }, async () => {
    const { port } = await startServer();
    const dripping = await connectTo(port);
    dripping.write("GET / HT");
    const idle = await Promise.all(Array.from({ length: 899 }, () => connectTo(port)));
    const closed = once(dripping.resume(), "close");
    expect((await ask(port, "/new")).status).toBe(200);
    await closed;
    expect(idle.every((socket) => !socket.closed)).toBe(true);
  });

  it("is closed for a new one after its request has its reply", { timeout: 15_000 }, async () => {
    const { port } = await startServer();
    const answered = await Promise.all(Array.from({ length: 900 }, () => connectTo(port)));
    for (const socket of answered) socket.write("GET / HTTP/1.1\r\n\r\n");
    await Promise.all(answered.map((socket) => once(socket, "data")));
    expect((await ask(port, "/new")).status).toBe(200);
  });

  it("is closed if its request is too large to be read", async () => {
    const { port } = await startServer(async ({ target }) => toReply(Number(target.slice(1)), "text/plain", ""));
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    expect((await ask(port, "/413", { agent })).headers).toMatchObject({ connection: "close" });
    expect((await ask(port, "/400", { agent })).headers).toMatchObject({ connection: "keep-alive" });
  });

  it("is answered with 429 while 900 others have a request under way", { timeout: 15_000 }, async () => {
    const { handler, asked, answerAll } = createSlowHandler();
    const { port } = await startServer(handler);
    const busy = Array.from({ length: 900 }, () => ask(port));
    await asked(900);
    expect(await send(port, "")).toMatch(/^HTTP\/1\.1 429 /);
    answerAll("");
    expect(new Set((await Promise.all(busy)).map(({ status }) => status))).toEqual(new Set([200]));
  });
});

describe("what Node reports about a connection", () => {
  /** Lets Node report an error now: a real one would take seconds. */
  async function startReporting() {
    const { port } = await startServer();
    const started = new Promise<Server>((resolve) => {
      const channel = "http.server.request.start";
      const listen = (message: unknown) => {
        unsubscribe(channel, listen);
        resolve((message as { readonly server: Server }).server);
      };
      subscribe(channel, listen);
    });
    await ask(port);
    const server = await started;
    const report = (code: string, socket: Socket) =>
      server.emit("clientError", Object.assign(new Error(), { code }), socket);
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    const [accepted]: Socket[] = await once(server, "connection");
    if (accepted === undefined) throw new Error("the server accepted no connection");
    return { report, socket, accepted };
  }

  it("is answered with 408 if it is a request that is not complete in time", async () => {
    const { report, socket, accepted } = await startReporting();
    socket.write("GET / HT");
    while (accepted.bytesRead === 0) await new Promise(setImmediate);
    report("ERR_HTTP_REQUEST_TIMEOUT", accepted);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 [\s\S]*"__type":"RequestTimeoutException"/);
    await once(socket, "end");
  });

  it("is ignored if no request has begun: the client may have been frozen since it connected", async () => {
    const { report, socket, accepted } = await startReporting();
    report("ERR_HTTP_REQUEST_TIMEOUT", accepted);
    socket.write("GET /later HTTP/1.1\r\n\r\n");
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("closes the connection at once if nothing can be written to it", async () => {
    const { report, accepted } = await startReporting();
    accepted.end();
    report("HPE_INVALID_METHOD", accepted);
    expect(accepted.destroyed).toBe(true);
  });
});

describe("invalid HTTP", () => {
  it.each([
    ["rubbish", "RUBBISH\r\n\r\n", "400"],
    ["a CONNECT", "CONNECT a:1 HTTP/1.1\r\n\r\n", "405"],
  ])("is refused after the answers to earlier requests on its connection: %s", async (_, bytes, status) => {
    const { port } = await startServer();
    const answers = await send(port, `GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n${bytes}`);
    expect(answers.match(/HTTP\/1\.1 \d+|\/[ab](?=HTTP)/g)).toEqual([
      ...["HTTP/1.1 200", "/a", "HTTP/1.1 200", "/b", `HTTP/1.1 ${status}`],
    ]);
  });

  it.each([1, 2, 3])("is refused after %d requests that are still under way", async (count) => {
    const { handler, asked, answerFirst } = createSlowHandler();
    const { port } = await startServer(handler);
    const answers = send(port, `${"GET / HTTP/1.1\r\n\r\n".repeat(count)}RUBBISH\r\n\r\n`);
    await asked(count);
    for (let index = 0; index < count; index += 1) {
      await new Promise(setImmediate);
      answerFirst("");
    }
    const statuses = (await answers).match(/HTTP\/1\.1 \d+/g);
    expect(statuses).toEqual([...Array.from({ length: count }, () => "HTTP/1.1 200"), "HTTP/1.1 400"]);
  });

  it.each([
    ["garbage", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "ValidationException"],
    ["a broken request line", "GET\r\n\r\n", 400, "ValidationException"],
    ["another version", "GET / HTTP/9.9\r\n\r\n", 400, "ValidationException"],
    ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "ValidationException"],
    [
      "a length and chunks, which is how requests are smuggled",
      "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
      "ValidationException",
    ],
    ["headers too long", `GET / HTTP/1.1\r\nX: ${"x".repeat(100_000)}\r\n\r\n`, 431, "HeadersTooLargeException"],
    ["a target too long", `GET /${"x".repeat(100_000)} HTTP/1.1\r\n\r\n`, 431, "HeadersTooLargeException"],
  ])("is answered in JSON, and the connection is closed: %s", async (_, bytes, status, type) => {
    const handler = vi.fn(echo);
    const { port } = await startServer(handler);
    const answer = await send(port, bytes);
    const [head = "", body = ""] = answer.split("\r\n\r\n");
    const [statusLine, ...headers] = head.split("\r\n");
    expect(statusLine).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(headers.map((line) => line.toLowerCase())).toEqual(
      expect.arrayContaining([
        "content-type: application/json",
        "cache-control: no-store",
        `content-length: ${body.length}`,
        "connection: close",
      ]),
    );
    expect(JSON.parse(body)).toMatchObject({ __type: type, message: "the request is not acceptable HTTP/1.1" });
    expect(answer).not.toContain("xxxx");
    expect(handler).not.toHaveBeenCalled();
    expect((await ask(port, "/next")).status).toBe(200);
  });

  it("does not include a long session token and many headers", async () => {
    const { port } = await startServer();
    const headers = `X-Aws-Parameters-Secrets-Token: ${"t".repeat(8_000)}\r\n${"X-A: b\r\n".repeat(90)}`;
    const answer = await send(port, `GET /long HTTP/1.1\r\nConnection: close\r\n${headers}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("the header Expect", () => {
  it("is ignored if its value is unknown", async () => {
    const { port } = await startServer();
    const answer = await send(port, "GET /a HTTP/1.1\r\nExpect: more\r\nConnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n\/a$/);
  });

  it("with 100-continue is answered before the reply, and not inside it, also for a pipelined request", async () => {
    const { port } = await startServer(async () => ({ status: 200, headers: {}, body: new Uint8Array([65, 66]) }));
    const head = "Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";
    const answers = await send(port, `GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n${head}ok`);
    expect(answers).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\nABHTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 .*\r\n\r\nAB$/s);
  });
});

describe("a request with two hosts", () => {
  it("reaches the handler without a host", async () => {
    const hosts: (string | undefined)[] = [];
    const { port } = await startServer(async ({ headers }) => {
      hosts.push(headers.host);
      return text("");
    });
    const request = (lines: string) => `GET / HTTP/1.1\r\nConnection: close\r\n${lines}\r\n`;
    await send(port, request(`Host: 127.0.0.1:${port}\r\nHost: evil.example\r\n`));
    await send(port, request(`Host: 127.0.0.1:${port}\r\n`));
    await send(port, request(`A: host\r\nHost: 127.0.0.1:${port}\r\n`));
    expect(hosts).toEqual([undefined, `127.0.0.1:${port}`, `127.0.0.1:${port}`]);
  });
});

describe("close", () => {
  it("stops accepting connections", async () => {
    const { server, port } = await startServer();
    await server.close(GRACE_MS);
    expect(await failureOf(ask(port))).toMatchObject({ code: "ECONNREFUSED" });
  });

  it.each(["has sent no request", "has been answered"])("does not wait for a connection that %s", async (what) => {
    const { server, port } = await startServer();
    const idle = await connectTo(port);
    if (what === "has been answered") {
      idle.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await once(idle, "data");
    }
    const closed = new Promise((resolve) => idle.resume().once("close", resolve));
    const beganAtMs = performance.now();
    await server.close(GRACE_MS);
    await closed;
    expect(performance.now() - beganAtMs).toBeLessThan(GRACE_MS / 2);
  });

  it.each([
    ["on a connection for one request", new Agent({ keepAlive: false })],
    ["on a connection that is kept", new Agent({ keepAlive: true })],
  ])("waits only until the request under way is answered, %s", async (_, agent) => {
    onTestFinished(() => agent.destroy());
    const { handler, asked, answerAll } = createSlowHandler();
    const { server, port } = await startServer(handler);
    const answer = ask(port, "/slow", { agent });
    await asked();
    const settled = vi.fn();
    const beganAtMs = performance.now();
    const closed = server.close(GRACE_MS).then(settled);
    await new Promise(setImmediate);
    expect(settled).not.toHaveBeenCalled();
    answerAll("in time");
    expect((await answer).body.toString()).toBe("in time");
    await closed;
    expect(performance.now() - beganAtMs).toBeLessThan(GRACE_MS / 2);
  });

  it("waits until each of several connections has its answer", async () => {
    const { handler, asked, answerFirst } = createSlowHandler();
    const { server, port } = await startServer(handler);
    const answers = [ask(port), ask(port)];
    await asked(2);
    const settled = vi.fn();
    const closed = server.close(GRACE_MS).then(settled);
    answerFirst("");
    await Promise.race(answers);
    expect(settled).not.toHaveBeenCalled();
    answerFirst("");
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
    await closed;
  });

  it("waits for a request that is queued behind another on its connection", async () => {
    const { handler, asked, answerFirst } = createSlowHandler();
    const { server, port } = await startServer(handler);
    const socket = await connectTo(port);
    socket.write("GET / HTTP/1.1\r\n\r\n".repeat(2));
    await asked(2);
    const closed = server.close(GRACE_MS);
    answerFirst("first");
    expect(String(await once(socket, "data"))).toMatch(/first$/);
    await new Promise(setImmediate);
    answerFirst("second");
    expect(String(await once(socket, "data"))).toMatch(/second$/);
    await closed;
  });

  it("leaves no timer that would keep the process alive", async () => {
    const { server } = await startServer();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    await server.close(GRACE_MS);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits for the request under way at most as long as its grace period", async () => {
    const { handler, asked } = createSlowHandler();
    const { server, port } = await startServer(handler);
    const refused = failureOf(ask(port, "/too-slow"));
    await asked();
    await server.close(50);
    expect(await refused).toMatchObject({ code: "ECONNRESET" });
  });

  it("succeeds if the server never listened", async () => {
    const server = createHttpServer({ ...deps, handler: echo, config: createConfig() });
    await server.close(GRACE_MS);
  });
});

describe("the limit of connections", () => {
  const toLimits = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max processes             31405                31405                processes
Max open files            ${soft.padEnd(20)} 524288               files
`;

  it.each([
    ["1024", 900, "on-demand Lambda"],
    ["4096", 3_972, "Managed Instances"],
    ["2048", 1_924, "another limit"],
    ["524288", 3_972, "a limit that would cost too much memory"],
    ["unlimited", 3_972, "no limit"],
    ["256", 132, "a small limit"],
    ["100", 50, "a limit that leaves hardly anything for Node"],
  ])("for %s descriptors is %d: %s", (soft, expected) => {
    expect(countConnections(() => toLimits(soft))).toBe(expected);
  });

  it("is that of Lambda if the process's own limit cannot be read", () => {
    expect(countConnections(() => "")).toBe(900);
    expect(countConnections(noFile)).toBe(900);
  });

  const sockets = (count: number) => Array.from({ length: count }, () => new Socket());

  it("admits connections up to the limit, and closes none of them", () => {
    const { admit } = createConnectionLimit(3);
    const all = sockets(3);
    expect(all.map(admit)).toEqual([true, true, true]);
    expect(all.some(({ destroyed }) => destroyed)).toBe(false);
  });

  it("closes the connection that has been longest without a complete request", () => {
    const { admit, begin, end } = createConnectionLimit(3);
    const [a, b, c, d, e] = sockets(5) as [Socket, Socket, Socket, Socket, Socket];
    for (const socket of [a, b, c]) admit(socket);
    begin(a);
    end(a);
    expect(admit(d)).toBe(true);
    expect([a, b, c, d].map(({ destroyed }) => destroyed)).toEqual([false, true, false, false]);
    expect(admit(e)).toBe(true);
    expect([a, b, c, d, e].map(({ destroyed }) => destroyed)).toEqual([false, true, true, false, false]);
  });

  it("closes no connection that has a request under way, and admits no new one if all have", () => {
    const { admit, begin, end } = createConnectionLimit(2);
    const [a, b, c] = sockets(3) as [Socket, Socket, Socket];
    for (const socket of [a, b]) admit(socket);
    begin(a);
    begin(a);
    begin(b);
    end(a);
    expect(admit(c)).toBe(false);
    expect([a, b, c].some(({ destroyed }) => destroyed)).toBe(false);
    end(a);
    expect(admit(c)).toBe(true);
    expect([a, b].map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });

  it.each(["", ", whose request ends later"])("admits a new connection after another has closed%s", async (later) => {
    const { admit, begin, end } = createConnectionLimit(1);
    const [a, b] = sockets(2) as [Socket, Socket];
    admit(a);
    begin(a);
    a.destroy();
    await new Promise((resolve) => a.once("close", resolve));
    if (later !== "") end(a);
    expect(admit(b)).toBe(true);
  });

  it("forgets an idle connection that has closed: the next one that is idle is closed for a new one", async () => {
    const { admit } = createConnectionLimit(2);
    const [a, b, c, d] = sockets(4) as [Socket, Socket, Socket, Socket];
    for (const socket of [a, b]) admit(socket);
    a.destroy();
    await new Promise((resolve) => a.once("close", resolve));
    expect([c, d].map(admit)).toEqual([true, true]);
    expect([b, c, d].map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
  });

  it("ignores the end of a request on a connection that it has closed", () => {
    const { admit, end } = createConnectionLimit(1);
    const [a, b, c] = sockets(3) as [Socket, Socket, Socket];
    admit(a);
    admit(b);
    end(a);
    expect(admit(c)).toBe(true);
    expect(b.destroyed).toBe(true);
  });
});
