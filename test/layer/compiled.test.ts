/** The code that V8 compiled from a self-contained layer's files when the layer was built. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { arch } from "node:process";
import { describe, expect, it } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { canRunHere, writeCodeCache } from "../../scripts/build/self-contained.ts";
import { startBench } from "../support/bench.ts";
import { createTempFolder } from "../support/temp-files.ts";

const FILES = ["aws-sdk", "aws-ssm", "program"];
/** Prints for each file whether V8 accepted its compiled code. */
const WATCH = `
  const vm = require("node:vm");
  vm.Script = class extends vm.Script {
    constructor(text, options) {
      super(text, options);
      console.log("V8", this.cachedDataRejected === false ? "accepted" : "compiled", options.filename.split("/").at(-1));
    }
  };`;

/** The layer of the other architecture has no compiled code, and this machine could not run it. */
const architecture = arch === "arm64" ? "arm64" : "x86_64";

describe(`the compiled code of the ${architecture} layer`, () => {
  const opt = toOpt(architecture);
  const test = it.skipIf(!canRunHere(architecture) || !existsSync(join(opt, "cross-account-secrets/bin/node")));

  /** Copies the layer, with links to Node and the libraries. */
  function copyLayer(): { readonly copy: string; readonly program: string } {
    const copy = createTempFolder();
    const program = join(copy, "cross-account-secrets");
    mkdirSync(program);
    cpSync(join(opt, "extensions"), join(copy, "extensions"), { recursive: true });
    for (const name of readdirSync(join(opt, "cross-account-secrets"))) {
      const [from, to] = [join(opt, "cross-account-secrets", name), join(program, name)];
      if (name === "bin" || name === "lib") symlinkSync(from, to);
      else cpSync(from, to);
    }
    return { copy, program };
  }

  /** Runs the layer until all files are loaded, and returns what V8 did with each. */
  async function watch({ copy, program }: ReturnType<typeof copyLayer>): Promise<string[]> {
    const environment = { CROSS_ACCOUNT_SECRETS_PARAMETER_NAMES: "any" };
    const main = join(program, "main.cjs");
    writeFileSync(main, `${WATCH}\n${readFileSync(main, "utf8")}`);
    const { lambda, askForSecret } = await startBench({ opt: copy, environment });
    await lambda.init();
    expect((await askForSecret()).status).toBe(200);
    await lambda.waitForLog(({ line }) => /^V8 .* aws-ssm\.cjs$/.test(line));
    return lambda.logs.flatMap(({ line }) => (line.startsWith("V8 ") ? [line] : [])).sort();
  }

  test("is accepted by the layer's Node when the launcher starts it", async () => {
    expect(await watch(copyLayer())).toEqual(FILES.map((name) => `V8 accepted ${name}.cjs`));
  });

  test("is the same if it is made in another folder, and does not contain the folder's path", async () => {
    const { program } = copyLayer();
    for (const name of FILES) rmSync(join(program, `${name}.code`));
    await writeCodeCache(program);
    for (const name of FILES) {
      const code = readFileSync(join(program, `${name}.code`));
      expect([name, code.equals(readFileSync(join(opt, "cross-account-secrets", `${name}.code`)))]).toEqual([
        name,
        true,
      ]);
      expect(code.includes(program)).toBe(false);
    }
  });

  test("is ignored if another version of V8 made it, and the layer works without it", async () => {
    const layer = copyLayer();
    for (const name of FILES) {
      const file = join(layer.program, `${name}.code`);
      const code = readFileSync(file);
      // The code begins with a magic number and the hash of V8's version.
      code.writeUInt32LE(code.readUInt32LE(4) + 1, 4);
      if (name === "aws-ssm") rmSync(file);
      else writeFileSync(file, code);
    }
    expect(await watch(layer)).toEqual(FILES.map((name) => `V8 compiled ${name}.cjs`));
  });
});
