// A function that reads secrets with @jaypie/aws, in static code and in the handler. It answers the hash of a value, not the
// value.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

// CommonJS, because the package's ES modules import a package that it does not list as a dependency.
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
