/*
 * The main.cjs of a self-contained layer. Starts program.cjs, which requires the other files. Each file is loaded with the code
 * cache that V8 wrote when the layer was built (scripts/build/code-cache.mjs). To compile the files again would take a quarter
 * of the time until the extension is ready. V8 accepts only a cache of its own version and flags, and else compiles the text.
 */
"use strict";
const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");

const modules = new Map();

function load(name) {
  const filename = `${__dirname}/${name}.cjs`;
  // The build writes only ASCII.
  const text = `(function (exports, require, module) {${readFileSync(filename, "latin1")}\n})`;
  const module = { exports: {} };
  modules.set(name, module);
  const script = new Script(text, { filename, cachedData: readCode(name) });
  script.runInThisContext()(module.exports, requireFrom, module);
  return module;
}

function requireFrom(id) {
  if (!id.startsWith("./")) return require(id);
  const name = id.slice("./".length, -".cjs".length);
  return (modules.get(name) ?? load(name)).exports;
}

function readCode(name) {
  try {
    return readFileSync(`${__dirname}/${name}.code`);
  } catch {
    return undefined;
  }
}

load("program");
