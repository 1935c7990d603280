/**
 * Builds the layers and the command: `npm run build [-- cli nodejs x86_64 arm64] [--node PATH] [--libraries DIR]`.
 *
 *   dist/cli/                                the command `cross-account-secrets`, as the npm package has it
 *   dist/<layer>/                            an image of /opt, to look at, to test, or to copy into a container image
 *   dist/cross-account-secrets-<layer>.zip   the same as a layer, made of the same bytes wherever it is built
 *   dist/manifest.json                       what the layers are: checksums, sizes, where they fit
 *
 *   --node PATH       a Node.js for Linux of one's own, instead of the pinned one, in the layer for its processor
 *   --libraries DIR   the libraries that Node needs, loader included, instead of those of Debian's packages
 *
 * Without names, what cannot be built here is left out, in one line; what is named must succeed.
 */
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Bundle, bundleExtension } from "./bundle.ts";
import { type Carried, gatherCarried } from "./carried.ts";
import { buildCli } from "./cli.ts";
import { canRun, writeCode } from "./compiled.ts";
import { type Component, toNotices, toSbom } from "./component.ts";
import { type LayerName, layerNames, layers } from "./layers.ts";
import { LOADERS } from "./libraries.ts";
import { type ManifestEntry, toManifest, toZipName } from "./manifest.ts";
import { type NodeBinary, readOwnNode } from "./node-binary.ts";
import { Unavailable } from "./unavailable.ts";
import { zipFolder } from "./zip.ts";

export type { LayerName } from "./layers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const licences = join(root, "scripts/build/licences");
const loaders = Object.values(LOADERS);

export interface BuildOptions {
  /** The path of a Node of one's own. */
  readonly node?: string | undefined;
  /** A folder of libraries of one's own. */
  readonly libraries?: string | undefined;
  /** Leave out what this machine cannot build, rather than fail. */
  readonly isLenient?: boolean;
}

/** Where the image of /opt is after a build. */
export const toOpt = (layer: LayerName): string => join(root, "dist", layer);

/** Gives the names of the layers that it has built: all of `names`, unless `isLenient`. */
export async function build(
  names: readonly LayerName[],
  say: (line: string) => void,
  { node: path, libraries, isLenient = false }: BuildOptions = {},
): Promise<readonly LayerName[]> {
  const node = path === undefined ? undefined : await readOwnNode(path);
  if (node !== undefined && !names.some((name) => layers[name].carries === node.architecture)) {
    throw new Error(`${path} is for ${node.architecture}, and none of the layers to build is`);
  }
  if (libraries !== undefined && !(await readdir(libraries)).some((file) => loaders.includes(file))) {
    throw new Error(`${libraries} has neither ${loaders.join(" nor ")}`);
  }
  const bundle = await bundleExtension(root);
  const version = await readVersion();
  const entries: ManifestEntry[] = [];
  const leftOut = new Map<string, LayerName[]>();
  const buildOne = async (name: LayerName) => {
    try {
      entries.push(await buildLayer(name, { bundle, version, libraries, node }));
    } catch (error) {
      if (!isLenient || !(error instanceof Unavailable)) throw error;
      leftOut.set(error.message, [...(leftOut.get(error.message) ?? []), name]);
    }
  };
  await Promise.all(names.map(buildOne));
  entries.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  const dist = join(root, "dist");
  await mkdir(dist, { recursive: true });
  await writeFile(join(dist, "manifest.json"), await toManifest(dist, entries));
  for (const { file, zippedBytes, unzippedBytes } of entries) {
    say(`dist/${file}  ${(zippedBytes / 1e6).toFixed(2)} MB, ${(unzippedBytes / 1e6).toFixed(1)} MB unzipped`);
  }
  for (const { name } of entries) {
    const { carries } = layers[name];
    if (carries !== undefined && !canRun(carries))
      say(`${name} is without compiled code: its Node.js does not run here`);
  }
  for (const [reason, which] of leftOut) {
    const list = names.filter((name) => which.includes(name)).join(" and ");
    say(`left out: ${list}: ${reason}; --libraries DIR takes the C library from elsewhere`);
  }
  return entries.map(({ name }) => name);
}

interface Ingredients {
  readonly bundle: Bundle;
  readonly version: string;
  readonly libraries: string | undefined;
  readonly node: NodeBinary | undefined;
}

async function buildLayer(name: LayerName, { bundle, version, libraries, node }: Ingredients): Promise<ManifestEntry> {
  const { files, carries, architectures, runtimes } = layers[name];
  const own = node?.architecture === carries ? node : undefined;
  const carried =
    carries === undefined
      ? undefined
      : await gatherCarried({ architecture: carries, node: own, libraries, cache: join(root, ".cache"), licences });
  const components = [...bundle.components, await readMusl(), ...(carried?.components ?? [])];

  const opt = toOpt(name);
  await rm(opt, { recursive: true, force: true });
  for (const [place, source] of Object.entries(files)) await cp(join(root, "layer", source), join(opt, place));
  const program = join(opt, "cross-account-secrets");
  for (const [file, content] of toFiles(bundle, carried)) {
    await mkdir(dirname(join(program, file)), { recursive: true });
    await writeFile(join(program, file), content, {
      mode: file === "bin/node" || file === "lib/ld.so" ? 0o755 : 0o644,
    });
  }
  if (carried !== undefined && canRun(carried.node.architecture)) await writeCode(program);
  await cp(join(root, "LICENSE"), join(program, "LICENSE"));
  await writeFile(join(program, "THIRD-PARTY-NOTICES"), toNotices(components));
  await writeFile(join(program, "sbom.cdx.json"), toSbom({ name: "cross-account-secrets", version }, components));

  const unzippedBytes = await settle(opt);
  const zip = await zipFolder(opt);
  const file = toZipName(name);
  await writeFile(join(root, "dist", file), zip);
  return {
    name,
    version,
    file,
    sha256: createHash("sha256").update(zip).digest("hex"),
    zippedBytes: zip.length,
    unzippedBytes,
    architectures,
    compatibleRuntimes: runtimes,
    nodeVersion: carried?.node.component.version ?? null,
  };
}

/** What the program's folder holds beside the papers: name → content. */
const toFiles = (bundle: Bundle, carried: Carried | undefined): [string, string | Buffer][] => [
  // start.cjs is the main.cjs of a Node that is known.
  ...[...bundle.files].map(([name, text]): [string, string] => [
    carried !== undefined && name === "main.cjs" ? "program.cjs" : name,
    text,
  ]),
  ...(carried === undefined ? [] : [["bin/node", carried.node.binary] as [string, Buffer]]),
  ...[...(carried?.libraries ?? [])].map(([name, file]): [string, Buffer] => [`lib/${name}`, file]),
];

/** Linked into the launchers by scripts/build/launchers.ts. */
async function readMusl(): Promise<Component> {
  const licenseText = await readFile(join(licences, "musl.txt"), "utf8");
  return { name: "musl", version: "1.2.5", license: "MIT", licenseText, purl: "pkg:generic/musl@1.2.5" };
}

/** Makes the modes what a container image wants, whatever the umask here; gives the size of all files, in bytes. */
async function settle(opt: string): Promise<number> {
  let bytes = 0;
  await chmod(opt, 0o755);
  for (const entry of await readdir(opt, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mode, size } = await stat(path);
    await chmod(path, entry.isDirectory() || (mode & 0o100) !== 0 ? 0o755 : 0o644);
    if (entry.isFile()) bytes += size;
  }
  return bytes;
}

/** The version in package.json, which is the layer's. */
export async function readVersion(): Promise<string> {
  return JSON.parse(await readFile(join(root, "package.json"), "utf8")).version;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const options = { node: { type: "string" }, libraries: { type: "string" } } as const;
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const known = ["cli", ...layerNames];
    const unknown = positionals.find((name) => !known.includes(name));
    if (unknown !== undefined) {
      throw new Error(`nothing to build is called ${JSON.stringify(unknown)}; expected ${known.join(", ")}`);
    }
    const names = positionals.length > 0 ? positionals : known;
    if (names.includes("cli")) console.log(relative(root, await buildCli(root)));
    const wanted = layerNames.filter((name) => names.includes(name));
    if (wanted.length > 0) await build(wanted, console.log, { ...values, isLenient: positionals.length === 0 });
  } catch (error) {
    console.error(`build: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 2;
  }
}
