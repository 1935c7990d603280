/**
 * What of the AWS SDK is not bundled. Our clients are told everything (extension/aws/client.ts), and make three calls; the
 * SDK is ready to find out what it is not told, in the environment, in `~/.aws`, or from other services, and for every
 * protocol of AWS's. What is not there need not be loaded, and cannot be talked into anything.
 */
import type { Plugin } from "esbuild";

const unused = (what: string) => `throw new Error("${what} is not bundled: scripts/build/trim.ts");`;

/** Module → what stands in its place. */
const REPLACEMENTS: Readonly<Record<string, string>> = {
  // A dozen ways to come by credentials, with four more clients: ours are given.
  "@aws-sdk/credential-provider-node/dist-es/index.js": `
    export const defaultProvider = () => async () => { ${unused("a default for credentials")} };`,
  // Neither of our operations has a stream of events. It is imported when there is one, and so as a whole.
  "@smithy/core/dist-es/submodules/event-streams/index.js": unused("event streams"),
  // Settings from ~/.aws: ours are given.
  "@smithy/core/dist-es/submodules/config/node-config-provider/configLoader.js": `
    export const loadConfig = () => async () => { ${unused("a default for a setting")} };`,
  // Asks for the web's `crypto`, all of which Node would load.
  "@smithy/core/dist-es/submodules/serde/uuid/v4.js": `
    import { randomUUID } from "node:crypto";
    export const bindV4 = () => () => randomUUID();`,
};

/** Loaded when it is used, which is with container credentials, and not when it is imported: Node takes a while. */
const FS_PROMISES = `
  import fs from "node:fs";
  export const readFile = (...given) => fs.promises.readFile(...given);
  export default { readFile };`;

/** The module that stands in for the file, if one does. */
const findReplacement = (path: string): [string, string] | undefined =>
  Object.entries(REPLACEMENTS).find(([module]) => path.endsWith(`node_modules/${module}`));

/** Whether nothing of the file is in the bundle, whatever its name says. */
export const isReplaced = (path: string): boolean => findReplacement(path) !== undefined;

export const trim: Plugin = {
  name: "trim",
  setup({ onResolve, onLoad, onEnd }) {
    const left = new Set(Object.keys(REPLACEMENTS));
    onLoad({ filter: /node_modules\/@(aws-sdk|smithy)\// }, ({ path }) => {
      const [module = "", contents] = findReplacement(path) ?? [];
      left.delete(module);
      return contents === undefined ? undefined : { contents };
    });
    onResolve({ filter: /^node:fs\/promises$/ }, ({ path }) => ({ path, namespace: "trim" }));
    onLoad({ filter: /.*/, namespace: "trim" }, () => ({ contents: FS_PROMISES }));
    // The SDK moves its files about.
    onEnd(() => ({ errors: [...left].map((module) => ({ text: `there is no ${module} to replace` })) }));
  },
};
