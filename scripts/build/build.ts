/** Builds the layers and the command `cross-account-secrets`: `npm run build -- --help`. */
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseOptions } from "../cli/options.ts";
import { type Bundle, bundleExtension, createBundle } from "./bundle.ts";
import { type Component, toNotices, toSbom } from "./component.ts";
import {
  CannotBuildHere,
  type LayerName,
  layerNames,
  layers,
  type ManifestEntry,
  toManifest,
  toZipName,
} from "./layers.ts";
import { type NodeBinary, readOwnNode } from "./node-binary.ts";
import {
  canRunHere,
  gatherNodeAndLibraries,
  LOADERS,
  type NodeAndLibraries,
  writeCodeCache,
} from "./self-contained.ts";
import { readText, readTextOrProgram } from "./text.ts";
import { zipFolder } from "./zip.ts";

export type { LayerName } from "./layers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const licences = join(root, "scripts/build/licences");
const loaders = Object.values(LOADERS);

const HELP = `Builds the layers and the command cross-account-secrets into dist/.

  npm run build -- [NAME...] [--node PATH] [--libraries DIR]

  NAME              cli, nodejs, x86_64 or arm64. A name that is given must succeed. Without names, the build
                    leaves out what this machine cannot build, and says so.
  --node PATH       a Node.js for Linux that replaces the pinned one, in the layer for its processor
  --libraries DIR   the libraries that Node.js needs, with the loader. They replace those of Debian's packages.
  --help            this text

  dist/cli/                                the command, as in the npm package
  dist/<layer>/                            an image of /opt: to read, to test, or to copy into a container image
  dist/cross-account-secrets-<layer>.zip   the layer; every machine makes the same bytes
  dist/manifest.json                       for each layer: checksum, sizes, runtimes, processors`;

/**
 * The files of the command: the program, and the parts of the AWS SDK that it loads when a command needs them. Each file has
 * its own copy of each class, so `instanceof` knows only an error that was thrown in the same file.
 */
const CLI_PROGRAM = "cli.cjs";
const CLI_ENTRY_POINTS = {
  cli: "scripts/cli/main.ts",
  "aws-chain": "scripts/cli/aws-chain.ts",
  "aws-identity": "scripts/cli/doctor/aws-identity.ts",
  "aws-sdk": "extension/aws/sdk.ts",
  "aws-ssm": "extension/aws/sdk-ssm.ts",
};

export interface BuildOptions {
  /** The path of a Node.js that replaces the pinned one. */
  readonly node?: string | undefined;
  /** A folder of libraries that replace those of Debian's packages. */
  readonly libraries?: string | undefined;
  /** Leaves out the layers that this machine cannot build, rather than fail. */
  readonly isLenient?: boolean;
}

/** The programs of a self-contained layer that are not in `layer/`. */
const CARRIED_PROGRAMS = ["cross-account-secrets/bin/node", "cross-account-secrets/lib/ld.so"];

/** The folder of the layer's image of /opt after a build. */
export const toOpt = (layer: LayerName): string => join(root, "dist", layer);

/** Returns the names of the layers that it has built: all of `names`, unless `isLenient`. */
export async function build(
  names: readonly LayerName[],
  say: (line: string) => void,
  { node: path, libraries, isLenient = false }: BuildOptions = {},
): Promise<readonly LayerName[]> {
  const node = path === undefined ? undefined : await readOwnNode(path);
  if (node !== undefined && !names.some((name) => layers[name].carries === node.architecture)) {
    throw new Error(`${path} is for ${node.architecture}; no layer to build is for that processor`);
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
      if (!isLenient || !(error instanceof CannotBuildHere)) throw error;
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
    if (carries !== undefined && !canRunHere(carries)) {
      say(`${name} has no code cache, because its Node.js cannot run on this machine`);
    }
  }
  for (const [reason, layersLeftOut] of leftOut) {
    const list = names.filter((name) => layersLeftOut.includes(name)).join(" and ");
    say(`left out: ${list}: ${reason}; --libraries DIR takes the C library from another place`);
  }
  return entries.map(({ name }) => name);
}

interface LayerInputs {
  readonly bundle: Bundle;
  readonly version: string;
  readonly libraries: string | undefined;
  readonly node: NodeBinary | undefined;
}

async function buildLayer(name: LayerName, { bundle, version, libraries, node }: LayerInputs): Promise<ManifestEntry> {
  const { files, carries, architectures, runtimes } = layers[name];
  const own = node?.architecture === carries ? node : undefined;
  const carried =
    carries === undefined
      ? undefined
      : await gatherNodeAndLibraries({
          architecture: carries,
          node: own,
          libraries,
          cache: join(root, ".cache"),
          licences,
        });
  const components = [...bundle.components, await readMusl(), ...(carried?.components ?? [])];

  const opt = toOpt(name);
  await rm(opt, { recursive: true, force: true });
  // Not the modes of the checkout: it may have none, as on Windows.
  const isProgram = (place: string) => (place in files && !place.endsWith(".cjs")) || CARRIED_PROGRAMS.includes(place);
  const write = async (place: string, content: string | Buffer) => {
    await mkdir(dirname(join(opt, place)), { recursive: true });
    await writeFile(join(opt, place), content, { mode: isProgram(place) ? 0o755 : 0o644 });
  };
  for (const [place, source] of Object.entries(files)) {
    await write(place, await readTextOrProgram(join(root, "layer", source)));
  }
  for (const [file, content] of toFiles(bundle, carried)) await write(`cross-account-secrets/${file}`, content);
  const program = join(opt, "cross-account-secrets");
  if (carried !== undefined && canRunHere(carried.node.architecture)) await writeCodeCache(program);
  await write("cross-account-secrets/LICENSE", await readText(join(root, "LICENSE")));
  await write("cross-account-secrets/THIRD-PARTY-NOTICES", toNotices(components));
  const sbom = toSbom({ name: "cross-account-secrets", version }, components);
  await write("cross-account-secrets/sbom.cdx.json", sbom);

  const unzippedBytes = await setModes(opt);
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

/** The files of the program's folder, except the licences and the bill of materials: name → content. */
const toFiles = (bundle: Bundle, carried: NodeAndLibraries | undefined): [string, string | Buffer][] => [
  // start.cjs becomes the main.cjs of a self-contained layer.
  ...[...bundle.files].map(([name, text]): [string, string] => [
    carried !== undefined && name === "main.cjs" ? "program.cjs" : name,
    text,
  ]),
  ...(carried === undefined ? [] : [["bin/node", carried.node.binary] as [string, Buffer]]),
  ...[...(carried?.libraries ?? [])].map(([name, file]): [string, Buffer] => [`lib/${name}`, file]),
];

/** musl is part of the launchers: scripts/build/launchers.ts links it statically. */
async function readMusl(): Promise<Component> {
  const licenseText = await readText(join(licences, "musl.txt"));
  return { name: "musl", version: "1.2.5", license: "MIT", licenseText, purl: "pkg:generic/musl@1.2.5" };
}

/** Sets the modes that a container image needs, whatever the umask is. Returns the size of all files, in bytes. */
async function setModes(opt: string): Promise<number> {
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

/** Builds the files that the npm package ships, with all that they need. Returns the path of the program. */
export async function buildCli(): Promise<string> {
  const { files, components } = await createBundle(root, CLI_ENTRY_POINTS);
  const folder = join(root, "dist/cli");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [file, text] of files) {
    await writeFile(join(folder, file), text, { mode: file === CLI_PROGRAM ? 0o755 : 0o644 });
  }
  await writeFile(join(folder, "THIRD-PARTY-NOTICES"), toNotices(components));
  const sbom = toSbom({ name: "cross-account-secrets", version: await readVersion() }, components);
  await writeFile(join(folder, "sbom.cdx.json"), sbom);
  await setModes(folder);
  return join(folder, CLI_PROGRAM);
}

/** The version in package.json: that of the layers, and of the npm package. */
export async function readVersion(): Promise<string> {
  return JSON.parse(await readFile(join(root, "package.json"), "utf8")).version;
}

async function runCommandLine(args: readonly string[]): Promise<void> {
  const options = { node: { type: "string" }, libraries: { type: "string" }, help: { type: "boolean" } } as const;
  const { values, positionals } = parseOptions(args, options, true);
  if (values.help === true) return console.log(HELP);
  const known = ["cli", ...layerNames];
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Error(`${JSON.stringify(unknown)} cannot be built; expected ${known.join(", ")}`);
  }
  const names = positionals.length > 0 ? positionals : known;
  if (names.includes("cli")) console.log(relative(root, await buildCli()));
  const wanted = layerNames.filter((name) => names.includes(name));
  if (wanted.length > 0) await build(wanted, console.log, { ...values, isLenient: positionals.length === 0 });
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await runCommandLine(argv.slice(2));
  } catch (error) {
    console.error(`build: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 2;
  }
}
