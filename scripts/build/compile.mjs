/*
 * Run by the Node of a layer, with the layer's folder: writes beside each file what V8 makes of it, all functions compiled,
 * as <name>.code for layer/start.cjs. Nothing of the program is run.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

const folder = argv[2] ?? "";
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".cjs") || file === "main.cjs") continue;
  // As start.cjs has it.
  const text = `(function (exports, require, module) {${readFileSync(join(folder, file), "latin1")}\n})`;
  setFlagsFromString("--no-lazy");
  // V8 keeps the name: the one in Lambda, wherever the build is.
  const script = new Script(text, { filename: `/opt/cross-account-secrets/${file}` });
  // V8 takes code only under the flags that it was written with: those of a layer's start.
  setFlagsFromString("--lazy");
  setFlagsFromString("--hash-seed=0");
  writeFileSync(join(folder, file.replace(/cjs$/, "code")), script.createCachedData());
}
