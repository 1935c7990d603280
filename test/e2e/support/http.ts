import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";

/** Sends a request on a connection of its own, so that a test does not wait for an open connection at its end. */
export function send(options: {
  readonly url: string;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly headers?: OutgoingHttpHeaders;
  readonly body: string | Buffer;
  readonly timeoutMs?: number;
}): Promise<IncomingMessage> {
  const { url, method = "POST", path, headers = {}, body, timeoutMs } = options;
  const signal = timeoutMs === undefined ? {} : { signal: AbortSignal.timeout(timeoutMs) };
  return new Promise((resolve, reject) => {
    const target = path === undefined ? url : new URL(path, url);
    request(target, { method, headers, agent: false, ...signal }, resolve)
      .on("error", reject)
      .end(body);
  });
}
