/*
 * The main.cjs of a layer that carries its own Node: starts program.cjs, which requires the other files, each with the code
 * that V8 made of it when the layer was built (scripts/build/compile.mjs). To compile them anew would take a quarter of
 * the time until the extension is ready. V8 takes no code but that of its own version and flags, and else compiles the text.
 */
"use strict";
const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");

const modules = new Map();

function load(name) {
  const filename = `${__dirname}/${name}.cjs`;
  // The build writes nothing but ASCII.
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
