// A runtime interface client for Node.js, just enough to run a function on the fake Lambda with nothing installed. It finds
// the handler as Lambda's own client does: `_HANDLER=index.handler` is `handler` in $LAMBDA_TASK_ROOT/index.mjs.
import http from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const { AWS_LAMBDA_RUNTIME_API = "", LAMBDA_TASK_ROOT = "", _HANDLER = "" } = process.env;
const [file = "", name = ""] = _HANDLER.split(".");

/**
 * @typedef {{ requestId: string, payload: string }} RuntimeReply
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<RuntimeReply>} - not `fetch`, which gives up a `next` that blocks for 300 seconds
 */
function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const url = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/${path}`;
    const request = http.request(url, { method, agent: false }, (response) => {
      const requestId = String(response.headers["lambda-runtime-aws-request-id"]);
      text(response).then((payload) => resolve({ requestId, payload }), reject);
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** @param {unknown} error */
function toErrorBody(error) {
  const { name: errorType, message: errorMessage } = error instanceof Error ? error : new Error(String(error));
  return { errorType, errorMessage };
}

let handler;
try {
  ({ [name]: handler } = await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${file}.mjs`)).href));
} catch (error) {
  await call("POST", "init/error", toErrorBody(error));
  process.exit(1);
}

for (;;) {
  const { requestId, payload } = await call("GET", "invocation/next");
  try {
    const result = await handler(JSON.parse(payload), { awsRequestId: requestId });
    await call("POST", `invocation/${requestId}/response`, result ?? null);
  } catch (error) {
    await call("POST", `invocation/${requestId}/error`, toErrorBody(error));
  }
}
