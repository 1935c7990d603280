// A function that reads secrets with @jaypie/aws, in static code and in the handler. What it says of a value tells whether it is
// the right one, and not what it is.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

// Of the package's two halves, that of ES modules imports one that it does not list.
const { getSecret } = createRequire(import.meta.url)("@jaypie/aws");

/** @param {string | undefined} secretId */
async function read(secretId) {
  try {
    const value = await getSecret(secretId);
    if (typeof value !== "string") return { error: `no text, but ${value}` };
    return { sha256: createHash("sha256").update(value).digest("hex") };
  } catch (error) {
    return { error: String(error) };
  }
}

const init = { secret: await read(process.env.SECRET_NAME) };

/** @param {{ secretId: string }} event */
export const handler = async ({ secretId }) => ({ init, handler: await read(secretId) });
