/** A read of a secret, as a function makes it. */
import { ROLE_ARN, TOKEN } from "./extension.ts";
import type { Load } from "./load.ts";

const HEAD = "HTTP/1.1 200 OK\r\n";
/** The last bytes of each answer, whichever secret it is about. */
const TAIL_BYTES = 12;

/** AWS's agent has to be told the role by each request, the layer has not. */
export interface Whom {
  readonly isAgent?: boolean;
}

export const toPath = (secretId: string, { isAgent = false }: Whom = {}): string =>
  `/secretsmanager/get?secretId=${secretId}${isAgent ? `&roleArn=${ROLE_ARN}` : ""}`;
export const toHeaders = (): Record<string, string> => ({ "X-Aws-Parameters-Secrets-Token": TOKEN });

export function toRequest(port: number, secretId: string, options: Whom & { isKeepAlive?: boolean } = {}): string {
  const { isKeepAlive = true } = options;
  const headers = { Host: `127.0.0.1:${port}`, ...toHeaders(), ...(isKeepAlive ? {} : { Connection: "close" }) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${toPath(secretId, options)} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

export interface Answer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export async function read(port: number, secretId: string, whom: Whom = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${toPath(secretId, whom)}`, { headers: toHeaders() });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`a read was answered ${response.status} ${body}`);
  return { headers: Object.fromEntries(response.headers), body };
}

/** What every answer has that is like this one. */
export const toMarks = ({ body }: Answer): Pick<Load, "head" | "tail"> => ({
  head: HEAD,
  tail: body.slice(-TAIL_BYTES),
});
