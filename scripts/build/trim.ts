/**
 * Leaves parts of the AWS SDK out of a bundle. Our clients are given every setting (extension/aws/client.ts) and make three
 * calls. The SDK can also find missing settings in the environment, in `~/.aws` and at other services, and it supports every
 * protocol of AWS. Code that is left out is not loaded, and cannot be misused.
 */
import type { Plugin } from "esbuild";
import { readText } from "./text.ts";

const unused = (what: string) => `throw new Error("${what} is not bundled: scripts/build/trim.ts");`;

/** Module → its replacement. */
const REPLACEMENTS: Readonly<Record<string, string>> = {
  // A dozen ways to find credentials, with four more clients. Our clients are given credentials.
  "@aws-sdk/credential-provider-node/dist-es/index.js": `
    export const defaultProvider = () => async () => { ${unused("a default for credentials")} };`,
  // None of our operations has an event stream. The SDK imports this module dynamically, so esbuild would keep all of it.
  "@smithy/core/dist-es/submodules/event-streams/index.js": unused("event streams"),
  // Settings from ~/.aws. Our clients are given their settings.
  "@smithy/core/dist-es/submodules/config/node-config-provider/configLoader.js": `
    export const loadConfig = () => async () => { ${unused("a default for a setting")} };`,
  // The original uses the global `crypto`, and Node.js would load all of Web Crypto.
  "@smithy/core/dist-es/submodules/serde/uuid/v4.js": `
    import { randomUUID } from "node:crypto";
    export const bindV4 = () => () => randomUUID();`,
};

/** Loads fs.promises at the first use, with container credentials, and not at import: loading it takes time. */
const FS_PROMISES = `
  import fs from "node:fs";
  export const readFile = (...given) => fs.promises.readFile(...given);
  export default { readFile };`;

/** The replaced module that the file is, and its replacement. */
const findReplacement = (path: string): [string, string] | undefined =>
  Object.entries(REPLACEMENTS).find(([module]) => path.endsWith(`node_modules/${module}`));

/** Whether the bundle has our replacement in place of this file. */
export const isReplaced = (path: string): boolean => findReplacement(path) !== undefined;

export const trimSdk: Plugin = {
  name: "trim",
  setup({ onResolve, onLoad, onEnd }) {
    const left = new Set(Object.keys(REPLACEMENTS));
    onLoad({ filter: /node_modules\/@(aws-sdk|smithy)\// }, ({ path }) => {
      const [module = "", contents] = findReplacement(path) ?? [];
      left.delete(module);
      return contents === undefined ? undefined : { contents };
    });
    // Only the README shows what a setting does. The extension is smaller without it.
    onLoad({ filter: /extension\/config\/settings\.ts$/ }, async ({ path }) => {
      const contents = (await readText(path)).replace(/^ *description:\s*"(?:[^"\\]|\\.)*",\n/gm, "");
      return { contents, loader: "ts" };
    });
    onResolve({ filter: /^node:fs\/promises$/ }, ({ path }) => ({ path, namespace: "trim" }));
    onLoad({ filter: /.*/, namespace: "trim" }, () => ({ contents: FS_PROMISES }));
    // The SDK moves its files at times.
    onEnd(() => ({ errors: [...left].map((module) => ({ text: `there is no ${module} to replace` })) }));
  },
};
