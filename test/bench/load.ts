/** Reads of a secret, as a function makes them: one, or many from a process beside the measured ones. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ROLE_ARN, TOKEN } from "./processes.ts";

export interface Load {
  readonly port: number;
  /** Sent one after the other, again and again. */
  readonly requests: readonly string[];
  /** The first and the last bytes of a good answer. */
  readonly head: string;
  readonly tail: string;
  /** The number of connections at the same time. Each waits for its answer before it asks again. */
  readonly connections: number;
  /** False: a new connection for each request. */
  readonly isKeepAlive: boolean;
  readonly until: { readonly count: number } | { readonly ms: number };
}

export interface Loaded {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly perSecond: number;
}

export interface Loader {
  run(load: Load): Promise<Loaded>;
  close(): void;
}

export function startLoader(): Loader {
  const child = fork(fileURLToPath(new URL("load-process.ts", import.meta.url)));
  return {
    async run(load) {
      child.send(load);
      const [answer] = (await once(child, "message")) as [Loaded | { readonly problem: string }];
      if ("problem" in answer) throw new Error(`port ${load.port}: ${answer.problem}`);
      return answer;
    },
    close: () => child.disconnect(),
  };
}

const HEAD = "HTTP/1.1 200 OK\r\n";
/** The last bytes are the same in the answer to each secret. */
const TAIL_BYTES = 12;

/** Each request to AWS's agent must name the role; a request to the layer need not. */
export interface LoadOptions {
  readonly isAgent?: boolean;
}

const toPath = (secretId: string, { isAgent = false }: LoadOptions = {}): string =>
  `/secretsmanager/get?secretId=${secretId}${isAgent ? `&roleArn=${ROLE_ARN}` : ""}`;
const toHeaders = (): Record<string, string> => ({ "X-Aws-Parameters-Secrets-Token": TOKEN });

export function toRequest(
  port: number,
  secretId: string,
  options: LoadOptions & { isKeepAlive?: boolean } = {},
): string {
  const { isKeepAlive = true } = options;
  const headers = { Host: `127.0.0.1:${port}`, ...toHeaders(), ...(isKeepAlive ? {} : { Connection: "close" }) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${toPath(secretId, options)} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

export interface SecretAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export async function read(port: number, secretId: string, options: LoadOptions = {}): Promise<SecretAnswer> {
  const response = await fetch(`http://127.0.0.1:${port}${toPath(secretId, options)}`, { headers: toHeaders() });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`a read was answered ${response.status} ${body}`);
  return { headers: Object.fromEntries(response.headers), body };
}

/** The first and the last bytes of every answer like this one. */
export const toMarks = ({ body }: SecretAnswer): Pick<Load, "head" | "tail"> => ({
  head: HEAD,
  tail: body.slice(-TAIL_BYTES),
});
