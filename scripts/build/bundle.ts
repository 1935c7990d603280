import { readdir, readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";
import type { Component } from "./component.ts";
import { isReplaced, trim } from "./trim.ts";

export interface Bundle {
  /** File name → text. */
  readonly files: ReadonlyMap<string, string>;
  /** Each npm package of which something went into it. */
  readonly components: readonly Component[];
}

/**
 * What a layer runs, in three files: the program, and the AWS SDK, which the program loads after it has registered, and of
 * which the part for Parameter Store is loaded with the first parameter.
 */
export const bundleExtension = (root: string): Promise<Bundle> =>
  bundle(root, ["extension/main.ts", "extension/aws/sdk.ts", "extension/aws/sdk-ssm.ts"], { isTrimmed: true });

/**
 * A file for each of `entryPoints`; what is imported dynamically, and is one of them, is loaded from there. CommonJS, because
 * Node starts it faster than ES modules, and for the oldest Node that a function may bring. Trimmed, where all is told to the
 * SDK; outside Lambda it finds out credentials itself.
 */
export async function bundle(
  root: string,
  entryPoints: readonly string[],
  { isTrimmed = false } = {},
): Promise<Bundle> {
  const apart = entryPoints.map((file) => join(root, file));
  const result = await build({
    absWorkingDir: root,
    entryPoints: [...entryPoints],
    entryNames: "[name]",
    outdir: "out",
    // Not .js, which a package.json further up could turn into ES modules.
    outExtension: { ".js": ".cjs" },
    write: false,
    bundle: true,
    metafile: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    // Their ES modules can be trimmed, their CommonJS cannot: a third less to load.
    mainFields: ["module", "main"],
    minify: true,
    legalComments: "none",
    // `import()` of the others has to become `require`.
    supported: { "dynamic-import": false },
    plugins: [
      ...(isTrimmed ? [trim] : []),
      {
        name: "entry-points-apart",
        setup: ({ onResolve }) =>
          onResolve({ filter: /\.ts$/ }, ({ kind, path, resolveDir }) =>
            kind === "dynamic-import" && apart.includes(resolve(resolveDir, path))
              ? { path: `./${basename(path, ".ts")}.cjs`, external: true }
              : undefined,
          ),
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
      // Its place in the tree of packages, wherever that tree is.
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
  // https://www.w3.org/TR/SRI/: npm's are of the package's archive, and always SHA-512.
  const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { name, version, license, licenseText, purl, hash: { alg: "SHA-512", content } };
}
