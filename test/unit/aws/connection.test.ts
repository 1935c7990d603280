import { Agent, get, type RequestListener } from "node:http";
import { createServer as createTlsServer, get as getTls } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type Agents, connectEarly } from "../../../extension/aws/connection.ts";
import { createCertificate } from "../../support/certificate.ts";
import { startLocalServer } from "../../support/local-server.ts";

const answer: RequestListener = (_, response) => response.end("answer");

/** A server on 127.0.0.1 and the connections that it has accepted. */
async function start({ isTls = false } = {}) {
  const { server, url } = isTls ? await startTlsServer() : await startLocalServer(answer);
  const sockets: Socket[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  const connections = (count: number) => vi.waitFor(() => expect(sockets).toHaveLength(count));
  const hasClosed = (index: number) => vi.waitFor(() => expect(sockets[index]?.destroyed).toBe(true));
  return { server, url: new URL(url), sockets, connections, hasClosed };
}

async function startTlsServer() {
  const server = createTlsServer(createCertificate("front"), answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function ask(url: URL, { httpAgent, httpsAgent }: Agents): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsAgent ? getTls(url, { agent: httpsAgent }) : get(url, { agent: httpAgent });
    outgoing.on("error", reject).on("response", (response) => {
      response.setEncoding("utf8").on("data", resolve);
    });
  });
}

/** Collects the sockets that the client side opens. */
function watchOpened(): readonly Socket[] {
  const opened: Socket[] = [];
  const { createConnection } = Agent.prototype;
  const spy = vi.spyOn(Agent.prototype, "createConnection").mockImplementation(function (this: Agent, ...given) {
    const socket = createConnection.apply(this, given) as Socket;
    opened.push(socket);
    return socket;
  });
  onTestFinished(() => spy.mockRestore());
  return opened;
}

describe("a connection that is opened ahead", () => {
  it("exists before the request and is used by it", async () => {
    const { url, sockets, connections } = await start();
    const agents = connectEarly(url);
    await connections(1);
    expect(await ask(url, agents)).toBe("answer");
    expect(sockets).toHaveLength(1);
  });

  it("rejects a certificate that a request would reject", async () => {
    const { url, connections, hasClosed } = await start({ isTls: true });
    const agents = connectEarly(url);
    await connections(1);
    await hasClosed(0);
    await expect(ask(url, agents)).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    await connections(2);
  });

  it("is used by one request only", async () => {
    const { url, sockets, connections } = await start();
    const agents = connectEarly(url);
    await connections(1);
    await ask(url, agents);
    await ask(url, agents);
    expect(sockets).toHaveLength(2);
  });

  it("is closed and not used by a request to another host", async () => {
    const [meant, other] = [await start(), await start()];
    const agents = connectEarly(meant.url);
    await meant.connections(1);
    expect(await ask(other.url, agents)).toBe("answer");
    expect(other.sockets).toHaveLength(1);
    await meant.hasClosed(0);
  });

  it("is replaced if it was lost before the request", async () => {
    const opened = watchOpened();
    const { url, sockets, connections } = await start();
    const agents = connectEarly(url);
    await connections(1);
    const [ahead] = opened;
    sockets[0]?.destroy();
    await vi.waitFor(() => expect(ahead?.destroyed).toBe(true));
    expect(await ask(url, agents)).toBe("answer");
    expect(sockets).toHaveLength(2);
  });

  it("is replaced by a new attempt if it could not be opened", async () => {
    const { server, url } = await start();
    await new Promise((resolve) => server.close(resolve));
    const agents = connectEarly(url);
    await expect(ask(url, agents)).rejects.toThrow("ECONNREFUSED");
  });

  it.each([1_000, -60_000])(
    "is replaced if the clock says that it is %d ms old, because it may have been frozen",
    async (ageMs) => {
      const opened = watchOpened();
      const { url, sockets, connections } = await start();
      vi.useFakeTimers({ toFake: ["Date"] });
      onTestFinished(() => void vi.useRealTimers());
      const agents = connectEarly(url);
      await connections(1);
      const [ahead] = opened;
      vi.setSystemTime(Date.now() + ageMs);
      expect(await ask(url, agents)).toBe("answer");
      expect(sockets).toHaveLength(2);
      expect(ahead?.destroyed).toBe(true);
    },
  );

  it("is closed after one unused second, and has no time-out once a request uses it", async () => {
    const { url, connections, sockets } = await start();
    const opened = watchOpened();
    connectEarly(url);
    const agents = connectEarly(url);
    await connections(2);
    expect(opened.map(({ timeout }) => timeout)).toEqual([1_000, 1_000]);
    opened[0]?.emit("timeout");
    expect(opened[0]?.destroyed).toBe(true);
    await ask(url, agents);
    expect(opened[1]?.timeout).toBe(0);
    expect(sockets).toHaveLength(2);
  });
});
