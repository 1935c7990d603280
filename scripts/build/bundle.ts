import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import type { Component } from "./component.ts";
import { readText } from "./text.ts";
import { isReplaced, trimSdk } from "./trim.ts";

export interface Bundle {
  /** File name → text. */
  readonly files: ReadonlyMap<string, string>;
  /** Each npm package that some of the text comes from. */
  readonly components: readonly Component[];
}

/**
 * Bundles what a layer runs into three files: the program, the AWS SDK, which the program loads after it has registered,
 * and the SDK's part for Parameter Store, which is loaded with the first parameter.
 */
export const bundleExtension = (root: string): Promise<Bundle> =>
  createBundle(
    root,
    { main: "extension/main.ts", "aws-sdk": "extension/aws/sdk.ts", "aws-ssm": "extension/aws/sdk-ssm.ts" },
    { isTrimmed: true },
  );

/**
 * Makes one file, `<name>.cjs`, of each entry point (name → source). A dynamic import of an entry point loads its file.
 * The format is CommonJS, because Node starts it faster than ES modules. The target is the oldest Node that a function may
 * bring. A bundle is trimmed if the SDK is told everything; outside Lambda the SDK finds credentials itself.
 */
export async function createBundle(
  root: string,
  entryPoints: Readonly<Record<string, string>>,
  { isTrimmed = false } = {},
): Promise<Bundle> {
  const names = new Map(Object.entries(entryPoints).map(([name, source]) => [join(root, source), name]));
  const result = await build({
    absWorkingDir: root,
    entryPoints,
    outdir: "out",
    // Not .js: a package.json in a parent folder could make Node read that as an ES module.
    outExtension: { ".js": ".cjs" },
    write: false,
    bundle: true,
    metafile: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    // The SDK's ES modules can be tree-shaken, its CommonJS cannot: a third less to load.
    mainFields: ["module", "main"],
    minify: true,
    legalComments: "none",
    // esbuild turns `import()` of another entry point into `require`.
    supported: { "dynamic-import": false },
    plugins: [
      ...(isTrimmed ? [trimSdk] : []),
      {
        // esbuild's short names depend on every byte.
        name: "line-ends",
        setup: ({ onLoad }) =>
          onLoad({ filter: /\.(ts|json)$/ }, async ({ path }) => ({
            contents: await readText(path),
            loader: path.endsWith(".ts") ? "ts" : "json",
          })),
      },
      {
        name: "separate-entry-points",
        setup: ({ onResolve }) =>
          onResolve({ filter: /\.ts$/ }, ({ kind, path, resolveDir }) => {
            const name = kind === "dynamic-import" ? names.get(resolve(resolveDir, path)) : undefined;
            return name === undefined ? undefined : { path: `./${name}.cjs`, external: true };
          }),
      },
    ],
  });
  const files = new Map(result.outputFiles.map(({ path, text }) => [path.slice(path.lastIndexOf("/") + 1), text]));
  const packages = new Set<string>();
  for (const { inputs } of Object.values(result.metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = /^.*node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(input)?.[0];
      if (folder !== undefined && bytesInOutput > 0 && !(isTrimmed && isReplaced(input))) packages.add(folder);
    }
  }
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
  const components = await Promise.all(
    [...packages].sort().map((folder) => {
      // The lock file names a package by its path below the root, wherever node_modules is.
      const { integrity } = lock.packages[folder.slice(folder.indexOf("node_modules/"))];
      return readComponent(join(root, folder), integrity);
    }),
  );
  return { files, components };
}

async function readComponent(folder: string, integrity: string): Promise<Component> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const licenceFile = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
  const licenseText = licenceFile === undefined ? "" : await readFile(join(folder, licenceFile), "utf8");
  // https://www.w3.org/TR/SRI/: npm's hash is that of the package's archive, and always SHA-512.
  const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { name, version, license, licenseText, purl, hash: { alg: "SHA-512", content } };
}
