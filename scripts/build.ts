/**
 * Builds the layers: `npm run build [-- nodejs x86_64]`.
 *
 *   dist/<layer>/                            an image of /opt, to look at, to test, or to copy into a container image
 *   dist/cross-account-secrets-<layer>.zip   the same as a layer, made of the same bytes wherever it is built
 */
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { bundleExtension } from "./bundle.ts";
import { fetchNode } from "./node-binary.ts";
import { zipFolder } from "./zip.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Each layer, and the Node that it carries, if it does. */
const layers = {
  /** For the nodejs runtimes, which have a Node and a shell of their own; any architecture. */
  nodejs: { extension: "extension.sh", beside: ["launcher-x86_64", "launcher-arm64"], node: undefined },
  x86_64: { extension: "launcher-x86_64", beside: [], node: "x64" },
} as const;
export type LayerName = keyof typeof layers;

/** Where the image of /opt is after a build. */
export const toOpt = (layer: LayerName): string => join(root, "dist", layer);

export async function build(names: readonly LayerName[], say: (line: string) => void): Promise<void> {
  const { files, notices } = await bundleExtension(root);
  for (const name of names) {
    const opt = toOpt(name);
    const program = join(opt, "cross-account-secrets");
    await rm(opt, { recursive: true, force: true });
    await mkdir(program, { recursive: true });
    await mkdir(join(opt, "extensions"));
    for (const [file, text] of files) await writeFile(join(program, file), text);
    await cp(join(root, "LICENSE"), join(program, "LICENSE"));
    const { extension, beside, node: architecture } = layers[name];
    await cp(join(root, "layer", extension), join(opt, "extensions/cross-account-secrets"));
    for (const file of beside) await cp(join(root, "layer", file), join(program, file));
    const node = architecture === undefined ? undefined : await fetchNode(architecture, join(root, ".cache"));
    if (node !== undefined) {
      await mkdir(join(program, "bin"));
      await writeFile(join(program, "bin/node"), node.binary, { mode: 0o755 });
    }
    await writeFile(join(program, "THIRD-PARTY-NOTICES"), [...notices, ...(node ? [node.notice] : [])].join("\n"));
    const zip = await zipFolder(opt);
    await writeFile(`${opt.slice(0, -name.length)}cross-account-secrets-${name}.zip`, zip);
    say(`dist/cross-account-secrets-${name}.zip  ${(zip.length / 1e6).toFixed(2)} MB`);
  }
}

/** The version in package.json, which is the layer's. */
export async function readVersion(): Promise<string> {
  return JSON.parse(await readFile(join(root, "package.json"), "utf8")).version;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const asked = argv.slice(2);
  const unknown = asked.find((name) => !(name in layers));
  if (unknown !== undefined) {
    console.error(`no layer is called ${JSON.stringify(unknown)}; expected ${Object.keys(layers).join(" or ")}`);
    process.exitCode = 2;
  } else {
    await build((asked.length > 0 ? asked : Object.keys(layers)) as LayerName[], console.log);
  }
}
