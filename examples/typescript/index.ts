// A TypeScript function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
// It needs no package except types. It prints and returns only the secret's keys. Your function must not log a value either.
import http from "node:http";
import { text } from "node:stream/consumers";

/** The secret's keys, or the error. */
type Keys = readonly string[] | { readonly error: string };

/** The extension's answer: a secret, or a failure. */
interface Answer {
  readonly SecretString?: string;
  readonly __type?: string;
  readonly message?: string;
  readonly remedy?: string;
}

const { env } = process;
const port = env.CROSS_ACCOUNT_SECRETS_HTTP_PORT || "2773";
const token = env.CROSS_ACCOUNT_SECRETS_TOKEN || env.AWS_SESSION_TOKEN || env.AWS_CONTAINER_AUTHORIZATION_TOKEN || "";

/** Returns the text of a secret, by name or ARN. */
async function getSecret(secretId: string): Promise<string> {
  const url = `http://127.0.0.1:${port}/secretsmanager/get?secretId=${encodeURIComponent(secretId)}`;
  const headers = { "X-Aws-Parameters-Secrets-Token": token };
  // No agent: with NODE_USE_ENV_PROXY, `fetch` and the global agent send even this request, with the token, to a proxy.
  const options = { headers, agent: false, signal: AbortSignal.timeout(5_000) };
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(url, options, resolve).on("error", reject);
  });
  const answer: Answer = JSON.parse(await text(response));
  if (response.statusCode === 200) return answer.SecretString ?? "";
  throw new Error([`${response.statusCode} ${answer.__type}: ${answer.message}`, answer.remedy ?? ""].join(" ").trim());
}

async function getKeys(): Promise<Keys> {
  try {
    const fields: unknown = JSON.parse(await getSecret(env.SECRET_NAME ?? ""));
    return fields instanceof Object ? Object.keys(fields) : { error: "the secret is not a JSON object" };
  } catch (error) {
    if (error instanceof SyntaxError) return { error: "the text is not JSON" }; // The error's message quotes it.
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const init = await getKeys(); // Never throws: an error here would cost a cold start, and only the handler can report it.

export async function handler(): Promise<{ init: Keys; handler: Keys }> {
  const result = { init, handler: await getKeys() };
  console.log(JSON.stringify(result));
  return result;
}
