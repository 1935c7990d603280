/** The code that V8 made of a self-contained layer's files, when it was built. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arch } from "node:process";
import { describe, expect, it, onTestFinished } from "vitest";
import { toOpt } from "../../scripts/build/build.ts";
import { canRunHere, writeCodeCache } from "../../scripts/build/self-contained.ts";
import { startBench } from "../support/bench.ts";

const FILES = ["aws-sdk", "aws-ssm", "program"];
/** Says of each file whether V8 took its code. */
const WATCH = `
  const vm = require("node:vm");
  vm.Script = class extends vm.Script {
    constructor(text, options) {
      super(text, options);
      console.log("V8", this.cachedDataRejected === false ? "took" : "compiled", options.filename.split("/").at(-1));
    }
  };`;

/** The other has no code, and could not run it. */
const architecture = arch === "arm64" ? "arm64" : "x86_64";

describe(`the compiled code of the ${architecture} layer`, () => {
  const opt = toOpt(architecture);
  const test = it.skipIf(!canRunHere(architecture) || !existsSync(join(opt, "cross-account-secrets/bin/node")));

  /** The layer, with what it carries where it is. */
  function copyLayer(): { readonly copy: string; readonly program: string } {
    const copy = mkdtempSync(join(tmpdir(), "compiled-"));
    onTestFinished(() => rmSync(copy, { recursive: true }));
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

  /** What V8 does with each file, in a life that needs all of them. */
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

  test("is taken by its Node, as the launcher starts it", async () => {
    expect(await watch(copyLayer())).toEqual(FILES.map((name) => `V8 took ${name}.cjs`));
  });

  test("is the same in another folder, and has nothing of this machine", async () => {
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

  test("of another V8 is not taken, and none is needed", async () => {
    const layer = copyLayer();
    for (const name of FILES) {
      const file = join(layer.program, `${name}.code`);
      const code = readFileSync(file);
      // V8 begins with a magic number, and its version's hash.
      code.writeUInt32LE(code.readUInt32LE(4) + 1, 4);
      if (name === "aws-ssm") rmSync(file);
      else writeFileSync(file, code);
    }
    expect(await watch(layer)).toEqual(FILES.map((name) => `V8 compiled ${name}.cjs`));
  });
});
