/*
 * Runs on the Node.js of a layer. Compiles each file of the layer's folder, all functions included, and writes V8's code cache
 * beside it as <name>.code, for layer/start.cjs. Runs nothing of the program.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

const folder = argv[2] ?? "";
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".cjs") || file === "main.cjs") continue;
  // The same text as in start.cjs.
  const text = `(function (exports, require, module) {${readFileSync(join(folder, file), "latin1")}\n})`;
  setFlagsFromString("--no-lazy");
  // V8 stores the name in the cache: the path on Lambda, wherever the layer is built.
  const script = new Script(text, { filename: `/opt/cross-account-secrets/${file}` });
  // V8 accepts a cache only under the flags that it was written with. These are the flags of a layer's start.
  setFlagsFromString("--lazy");
  setFlagsFromString("--hash-seed=0");
  writeFileSync(join(folder, file.replace(/cjs$/, "code")), script.createCachedData());
}
