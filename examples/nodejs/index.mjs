// A Node.js function that reads a secret from the cross-account-secrets layer, in static code and in each invocation.
// It needs no package. It prints and returns only the secret's keys. Your function must not log a value either.
import http from "node:http";
import { json } from "node:stream/consumers";

const { env } = process;
const port = env.CROSS_ACCOUNT_SECRETS_HTTP_PORT || 2773;
const token = env.CROSS_ACCOUNT_SECRETS_TOKEN || env.AWS_SESSION_TOKEN || env.AWS_CONTAINER_AUTHORIZATION_TOKEN || "";

/** @param {string} secretId - a name or an ARN */
async function getSecret(secretId) {
  const url = `http://127.0.0.1:${port}/secretsmanager/get?secretId=${encodeURIComponent(secretId)}`;
  const headers = { "X-Aws-Parameters-Secrets-Token": token };
  // No agent: with NODE_USE_ENV_PROXY, `fetch` and the global agent send even this request, with the token, to a proxy.
  const options = { headers, agent: false, signal: AbortSignal.timeout(5_000) };
  /** @type {http.IncomingMessage} */
  const response = await new Promise((resolve, reject) => http.get(url, options, resolve).on("error", reject));
  const body = /** @type {Record<string, string>} */ (await json(response));
  if (response.statusCode === 200) return body.SecretString ?? "";
  throw new Error([`${response.statusCode} ${body.__type}: ${body.message}`, body.remedy].filter(Boolean).join(" "));
}

async function getKeys() {
  try {
    const fields = JSON.parse(await getSecret(env.SECRET_NAME ?? ""));
    return fields instanceof Object ? Object.keys(fields) : { error: "the secret is not a JSON object" };
  } catch (error) {
    if (error instanceof SyntaxError) return { error: "the text is not JSON" }; // The error's message quotes it.
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const init = await getKeys(); // Never throws: an error here would cost a cold start, and only the handler can report it.

export async function handler() {
  const result = { init, handler: await getKeys() };
  console.log(JSON.stringify(result));
  return result;
}
