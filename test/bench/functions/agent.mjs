// A function beside AWS's agent, which cannot be reached from static code: the handler asks until the agent answers, as the agent's example advises.
import http from "node:http";
import { env } from "node:process";
import { json } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";

const { SECRET_NAME = "", CROSS_ACCOUNT_SECRETS_ROLE_ARN = "", AWS_SESSION_TOKEN = "" } = env;
const query = new URLSearchParams({ secretId: SECRET_NAME, roleArn: CROSS_ACCOUNT_SECRETS_ROLE_ARN });
const url = `http://127.0.0.1:${env.CROSS_ACCOUNT_SECRETS_HTTP_PORT}/secretsmanager/get?${query}`;
const options = { headers: { "X-Aws-Parameters-Secrets-Token": AWS_SESSION_TOKEN }, agent: false };

/** @returns {Promise<string[]>} */
async function getKeys() {
  for (;;) {
    try {
      /** @type {http.IncomingMessage} */
      const response = await new Promise((resolve, reject) => http.get(url, options, resolve).on("error", reject));
      const body = /** @type {{ SecretString: string }} */ (await json(response));
      return Object.keys(JSON.parse(body.SecretString));
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ECONNREFUSED") throw error;
      await wait(10);
    }
  }
}

export async function handler() {
  return { handler: await getKeys() };
}
