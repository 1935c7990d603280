/** Of Lambda, what one extension sees in init: it registers, and asks for its first event. Takes the time of both. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createDeferred } from "../fakes/lambda/deferred.ts";

export interface Lambda {
  /** For `AWS_LAMBDA_RUNTIME_API`. */
  readonly address: string;
  /** When it registered, and when it first asked for an event, by `performance.now()`. */
  readonly registeredAtMs: Promise<number>;
  readonly readyAtMs: Promise<number>;
  close(): void;
}

export async function startLambda(): Promise<Lambda> {
  const registered = createDeferred<number>();
  const ready = createDeferred<number>();
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/event/next")) return ready.resolve(performance.now()); // which is never answered
    registered.resolve(performance.now());
    request.resume();
    response.setHeader("Lambda-Extension-Identifier", "11111111-2222-3333-4444-555555555555");
    response.end('{"functionName":"function","functionVersion":"$LATEST","handler":"index.handler"}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    registeredAtMs: registered.promise,
    readyAtMs: ready.promise,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
