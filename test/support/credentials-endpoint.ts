import { randomUUID } from "node:crypto";
import type { SessionCredentials } from "../fakes/aws.ts";
import { startLocalServer } from "./local-server.ts";

/**
 * Lambda's endpoint for the credentials of a function with SnapStart, which has none in its variables. It ends with the test.
 * https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
 */
export interface CredentialsEndpoint {
  readonly token: string;
  /** The function's variables. An empty one is as good as none. */
  readonly variables: Readonly<Record<string, string>>;
  /** The `Authorization` of each request. */
  readonly asked: readonly (string | undefined)[];
  /** Sets what it gives from now on: a session, or a new one for each request. */
  give(session: SessionCredentials | (() => SessionCredentials)): void;
}

export async function startCredentialsEndpoint(): Promise<CredentialsEndpoint> {
  const token = randomUUID();
  const asked: (string | undefined)[] = [];
  let give: (() => SessionCredentials) | undefined;
  const { url } = await startLocalServer((request, response) => {
    asked.push(request.headers.authorization);
    const isRight = request.headers.authorization === token && request.url === "/2021-04-23/credentials";
    const session = isRight ? give?.() : undefined;
    response.writeHead(session === undefined ? 404 : 200, { "Content-Type": "application/json" });
    response.end(session && toAnswer(session));
  });
  return {
    token,
    variables: {
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_SESSION_TOKEN: "",
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/2021-04-23/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
    },
    asked,
    give(session) {
      give = typeof session === "function" ? session : () => session;
    },
  };
}

function toAnswer({ accessKeyId, secretAccessKey, sessionToken }: SessionCredentials): string {
  const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken };
  return JSON.stringify({ ...keys, Expiration: new Date(Date.now() + 3_600_000).toISOString() });
}
